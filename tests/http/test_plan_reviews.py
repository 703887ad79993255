"""Plan reviews: every so many weeks a therapist is asked to look at a plan as a whole. Docs: docs/insight.md"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from fhir_mappings import plan_review
from schemas import json
from schemas.library import BASE
from schemas.validate import validate
from service import tenants
from service.homework import plan_reviews
from tests.security.circles import Clinic, to

Json = dict[str, Any]
START = datetime(2026, 1, 5, 10, tzinfo=UTC)
REVIEWS = f"Task?code={BASE}/CodeSystem/homework-activity-type|plan-review&_sort=authored-on"
PLAN: Json = {
    "resourceType": "CarePlan",
    "id": "plan",
    "status": "active",
    "intent": "plan",
    "category": [{"coding": [{"system": f"{BASE}/CodeSystem/careplan-category", "code": "therapy-homework"}]}],
    "subject": to("Patient/ann"),
    "period": {"start": "2026-01-05"},
    "author": to("Practitioner/thera"),
}


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(PLAN)
    yield made
    await made.close()


async def tick(house: Any, weeks: float) -> None:
    async with house.app.engine.database.connection(0) as connection:
        tenant = await tenants.find(connection, house.name)
    await plan_reviews.ask(house.app.engine, tenant, START + timedelta(weeks=weeks))


async def reviews(http: httpx.AsyncClient) -> list[Json]:
    answer = await http.get(REVIEWS)
    assert answer.status_code == 200, answer.text
    found = [entry["resource"] for entry in json.decode(answer.content).get("entry", [])]
    assert all(validate(each) == [] for each in found)
    return found


async def test_a_review_is_asked_for_once_when_it_is_due(house: Any, clinic: Clinic) -> None:
    await tick(house, 5.9)
    assert await reviews(clinic.system) == []
    await tick(house, 6)
    await tick(house, 7)
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    (found,) = await reviews(thera)
    assert (found["status"], found["owner"], found["focus"]) == (
        "requested",
        to("Practitioner/thera"),
        to("CarePlan/plan"),
    )
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    assert await reviews(ann) == []
    for http, told in ((thera, True), (ann, False)):
        summary = (await http.get("Patient/ann/$session-summary")).json()
        assert ("The plan as a whole" in summary["entry"][0]["resource"]["text"]["div"]) == told


async def test_the_next_is_asked_for_once_the_last_was_done(house: Any, clinic: Clinic) -> None:
    await tick(house, 6)
    await tick(house, 12)
    (found,) = await reviews(clinic.system)
    answer = await clinic.system.put(f"Task/{found['id']}", json=found | {"status": "completed"})
    assert answer.status_code == 200, answer.text
    await tick(house, 12.5)
    assert [each["identifier"][0]["value"] for each in await reviews(clinic.system)] == ["plan/1", "plan/2"]


@pytest.mark.parametrize("policy", ['{"review_weeks": 0}', '{"review_weeks": 12}'])
async def test_the_tenant_says_how_often(house: Any, clinic: Clinic, policy: str) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await connection.execute("update tenant set homework = $2 where id = $1", house.tenant_id, policy)
    await tick(house, 11)
    assert await reviews(clinic.system) == []


@pytest.mark.parametrize(
    ("members", "due"),
    [
        ({}, 2),
        ({"status": "completed"}, None),
        ({"period": {"start": "2026-01-05", "end": "2026-03-01"}}, None),
        ({"period": {"start": "2026-01-05", "end": "2026-12-31"}}, 2),
        ({"period": {}}, None),
        ({"period": {}, "created": "2026-02-01"}, 1),
        ({"period": {"start": "2026-05-01"}}, None),
    ],
)
def test_a_review_is_due_by_the_plans_own_time(members: Json, due: int | None) -> None:
    assert plan_review.due(PLAN | members, 6, date(2026, 4, 1)) == due
    assert plan_review.due(PLAN | members, 0, date(2026, 4, 1)) is None
