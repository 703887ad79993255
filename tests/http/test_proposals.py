"""Proposals to the therapist, made by a tick: once for each state, unseen by clients, never carried out by themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas import json
from schemas.library import BASE
from schemas.validate import validate
from service import tenants
from service.homework import proposals
from tests.security.circles import Clinic, to

Json = dict[str, Any]
MEASURE = f"{BASE}/CodeSystem/homework-measure"
REVIEW = f"{BASE}/CodeSystem/homework-activity-type|review-proposal"
START = datetime(2026, 1, 5, 18, tzinfo=UTC)
PROGRESS: Json = {
    "type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": "progress"}]},
    "valueRatio": {"numerator": {"value": 2}, "denominator": {"value": 7}},
}
MISSED: Json = {
    "status": "cancelled",
    "statusReason": {"text": "the time passed"},
    "businessStatus": {"coding": [{"system": f"{BASE}/CodeSystem/homework-business-status", "code": "missed"}]},
}


def head(**members: Any) -> Json:
    return {
        "resourceType": "Task", "id": "head", "status": "in-progress", "intent": "order", "for": to("Patient/ann"),
        "owner": to("Patient/ann"), "requester": to("Practitioner/thera"), "basedOn": [to("ServiceRequest/sr")],
        "description": "Exposure, step by step", "output": [PROGRESS],
    } | members  # fmt: skip


def part(day: int, **members: Any) -> Json:
    start = START + timedelta(days=day)
    period = {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}
    return {
        "resourceType": "Task", "id": f"part{day}", "status": "completed", "intent": "order", "for": to("Patient/ann"),
        "owner": to("Patient/ann"), "partOf": [to("Task/head")], "restriction": {"period": period},
        "basedOn": [to("ServiceRequest/sr")],
    } | members  # fmt: skip


def distress(day: int, before: int, after: int) -> Json:
    parts = [
        {"code": {"coding": [{"system": MEASURE, "code": code}]}, "valueInteger": value}
        for code, value in (("suds-pre", before), ("suds-post", after))
    ]
    return {
        "resourceType": "Observation", "id": f"suds{day}", "status": "final", "subject": to("Patient/ann"),
        "code": {"coding": [{"system": MEASURE, "code": "suds"}]}, "focus": [to(f"Task/part{day}")],
        "effectiveDateTime": (START + timedelta(days=day)).isoformat(), "component": parts,
    }  # fmt: skip


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(head())
    yield made
    await made.close()


async def tick(house: Any) -> None:
    engine = house.app.engine
    async with engine.database.connection(0) as connection:
        tenant = await tenants.find(connection, house.name)
    # Occurrences are looked at for some months.
    engine_now = datetime.now(UTC)
    await proposals.propose(engine, tenant, engine_now)


async def waiting(http: httpx.AsyncClient) -> list[Json]:
    answer = await http.get(f"Task?code={REVIEW}&focus=Task/head&_sort=_lastUpdated")
    assert answer.status_code == 200, answer.text
    found = [entry["resource"] for entry in json.decode(answer.content).get("entry", [])]
    assert all(validate(each) == [] for each in found)
    return found


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """The occurrences of these tests are of lately, whenever they run."""
    monkeypatch.setattr("tests.http.test_proposals.START", datetime.now(UTC) - timedelta(days=30))


async def test_low_distress_twice_asks_the_therapist_for_the_next_step_once(house: Any, clinic: Clinic) -> None:
    await clinic.put(part(0), part(1), distress(0, 40, 20), distress(1, 35, 10))
    await tick(house)
    await tick(house)
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    (found,) = await waiting(thera)
    assert (found["intent"], found["status"], found["owner"]) == ("proposal", "requested", to("Practitioner/thera"))
    assert found["reasonCode"]["coding"][0]["code"] == "distress-low"
    assert found["reasonReference"] == to("Observation/suds1")
    assert found["focus"] == to("Task/head")


async def test_clients_never_see_a_proposal(house: Any, clinic: Clinic) -> None:
    await clinic.put(part(0), part(1), distress(0, 40, 20), distress(1, 35, 10))
    await tick(house)
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    assert await waiting(ann) == []
    (found,) = await waiting(clinic.system)
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    answer = await thera.put(f"Task/{found['id']}", json=found | {"status": "accepted"})
    assert answer.status_code == 200, answer.text
    assert await waiting(ann) == []


async def test_nothing_is_changed_by_itself(house: Any, clinic: Clinic) -> None:
    await clinic.put(part(0), part(1), distress(0, 40, 20), distress(1, 35, 10))
    before = (await clinic.system.get("Task/head")).json()
    await tick(house)
    assert (await clinic.system.get("Task/head")).json() == before


async def test_several_not_done_in_a_row_ask_for_something_simpler_as_the_tenant_says(
    house: Any, clinic: Clinic
) -> None:
    await clinic.put(part(0, **MISSED), part(1, **MISSED))
    await tick(house)
    assert await waiting(clinic.system) == []
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        policy = '{"missed_before_simpler": 2}'
        await connection.execute("update tenant set homework = $2 where id = $1", house.tenant_id, policy)
    await tick(house)
    (found,) = await waiting(clinic.system)
    assert found["reasonCode"]["coding"][0]["code"] == "not-done"


async def test_a_rule_that_was_answered_waits_for_some_more_occurrences(house: Any, clinic: Clinic) -> None:
    await clinic.put(part(0), part(1), distress(0, 40, 20), distress(1, 35, 10))
    await tick(house)
    (found,) = await waiting(clinic.system)
    declined = found | {"status": "rejected", "statusReason": {"text": "not yet"}}
    assert (await clinic.system.put(f"Task/{found['id']}", json=declined)).status_code == 200
    for day in (2, 3):
        await clinic.put(part(day), distress(day, 30, 10))
        await tick(house)
    assert len(await waiting(clinic.system)) == 1
    await clinic.put(part(4), distress(4, 30, 10))
    await tick(house)
    assert [each["status"] for each in await waiting(clinic.system)] == ["rejected", "requested"]


@pytest.mark.parametrize("members", [{"status": "completed"}, {"for": to("Group/g")}])
async def test_series_that_are_over_or_of_a_group_bring_none(house: Any, clinic: Clinic, members: Json) -> None:
    await clinic.put(part(0), part(1), distress(0, 40, 20), distress(1, 35, 10))
    answer = await clinic.system.put("Task/head", json=head() | members)
    assert answer.status_code == 200, answer.text
    await tick(house)
    assert await waiting(clinic.system) == []
