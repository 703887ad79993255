"""What is realistic: refused before it is shown, warned of when it is given, and never told of what one may not see."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from schemas.library import BASE
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from tests.security.circles import Clinic, to

Json = dict[str, Any]
TASK_IO = f"{BASE}/CodeSystem/homework-task-io"
TOLD = {"Prefer": "return=OperationOutcome"}


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


def request(name: str, minutes: int, patient: str = "ann") -> Json:
    repeat = {"frequency": 1, "period": 1, "periodUnit": "d", "count": 7, "duration": minutes, "durationUnit": "min"}
    return {
        "resourceType": "ServiceRequest", "id": name, "status": "active", "intent": "order",
        "subject": to(f"Patient/{patient}"), "code": {"text": "practise"}, "occurrenceTiming": {"repeat": repeat},
        "authoredOn": datetime.now(UTC).isoformat(),
    }  # fmt: skip


def task(name: str, *inputs: str, patient: str = "ann", **members: Any) -> Json:
    said = [{"type": {"coding": [{"system": TASK_IO, "code": each}]}, "valueMarkdown": "x"} for each in inputs]
    return {
        "resourceType": "Task", "id": name, "status": "ready", "intent": "order", "for": to(f"Patient/{patient}"),
        "owner": to(f"Patient/{patient}"), **({"input": said} if said else {}),
    } | members  # fmt: skip


async def put(http: httpx.AsyncClient, body: Json, status: int = 201) -> list[str]:
    """Which codes the outcome of a write has."""
    answer = await http.put(f"Task/{body['id']}", json=body, headers=TOLD)
    assert answer.status_code == status, answer.text
    return [each["details"]["coding"][0]["code"] for each in answer.json()["issue"]]


async def test_what_the_policy_wants_is_missing_by_name_and_drafts_may_lack_it(house: Any, clinic: Clinic) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        needs = HomeworkPolicy(publish_needs=frozenset({"rationale", "instruction"}))
        await policy.keep(connection, house.tenant_id, needs)
    assert await put(clinic.system, task("a"), 422) == ["publish-incomplete"] * 2
    assert await put(clinic.system, task("a", "rationale", status="requested"), 422) == ["publish-incomplete"]
    assert await put(clinic.system, task("a", status="draft")) == ["informational"]
    assert await put(clinic.system, task("a"), 422) == ["publish-incomplete"] * 2
    assert await put(clinic.system, task("a", "rationale", "instruction"), 200) == ["informational"]
    assert await put(clinic.system, task("p", intent="proposal")) == ["informational"]
    assert await put(clinic.system, task("r", owner=to("Practitioner/thera"))) == ["informational"]
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    own = task("own", intent="proposal", status="requested")
    assert (await ann.put("Task/own", json=own)).status_code == 201


async def test_a_full_week_is_a_warning_only_of_what_one_may_see(clinic: Clinic) -> None:
    await clinic.put(request("long", 50), request("more", 50), request("bens", 50, "ben"))
    first = task("first", basedOn=[to("ServiceRequest/long")])
    assert await put(clinic.system, first) == ["informational"]
    assert await put(clinic.system, task("bens", patient="ben", basedOn=[to("ServiceRequest/bens")])) == [
        "informational"
    ]
    second = task("second", basedOn=[to("ServiceRequest/more")])
    blind = await clinic.as_person("Practitioner/thera", "user/Task.cru user/ServiceRequest.r")
    assert await put(blind, second) == ["informational"]
    again = task("third", basedOn=[to("ServiceRequest/more")])
    assert await put(clinic.system, again) == ["informational", "load-high"]
    stopped = again | {"status": "cancelled", "statusReason": {"text": "too much"}}
    assert await put(clinic.system, stopped, 200) == ["informational"]
