"""Adherence as an Observation: written when a series ends, and once a week. Docs: docs/insight.md"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas import json
from schemas.library import BASE
from schemas.validate import validate
from service import tenants
from service.homework import weekly
from tests.http.test_proposals import MEASURE, MISSED, head
from tests.security.circles import Clinic, to

Json = dict[str, Any]
MONDAY = datetime(2026, 1, 5, 18, tzinfo=UTC)
ADHERENCE = f"{MEASURE}|adherence"


def part(day: int, **members: Any) -> Json:
    start = MONDAY + timedelta(days=day)
    period = {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}
    return {
        "resourceType": "Task", "id": f"part{day}", "status": "completed", "intent": "order", "for": to("Patient/ann"),
        "owner": to("Patient/ann"), "partOf": [to("Task/head")], "restriction": {"period": period},
        "basedOn": [to("ServiceRequest/sr")],
    } | members  # fmt: skip


def rated(name: str, day: int, helpfulness: int) -> Json:
    return {
        "resourceType": "Observation", "id": name, "status": "final", "subject": to("Patient/ann"),
        "code": {"coding": [{"system": MEASURE, "code": "helpfulness"}]}, "valueInteger": helpfulness,
        "focus": [to(f"Task/part{day}")], "basedOn": [to("ServiceRequest/sr")], "effectiveDateTime": "2026-01-06",
    }  # fmt: skip


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(head())
    gave_up = {
        "status": "failed",
        "statusReason": {"coding": [{"system": f"{BASE}/CodeSystem/homework-barrier", "code": "time"}]},
    }
    await made.put(
        part(0), part(1), part(2, **gave_up), part(3, **MISSED), rated("h0", 0, 4), rated("h1", 1, 3), rated("x", 9, 0)
    )
    yield made
    await made.close()


async def written(http: httpx.AsyncClient) -> list[Json]:
    answer = await http.get(f"Observation?patient=ann&code={ADHERENCE}&_sort=date")
    assert answer.status_code == 200, answer.text
    found = [entry["resource"] for entry in json.decode(answer.content).get("entry", [])]
    assert all(validate(each) == [] for each in found)
    return found


async def finish(clinic: Clinic, status: str = "completed") -> None:
    reason = {"statusReason": {"text": "done with it"}} if status != "completed" else {}
    newest = (await clinic.system.get("Task/head")).json()
    answer = await clinic.system.put("Task/head", json=newest | {"status": status} | reason)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_the_end_of_a_series_writes_how_it_went(clinic: Clinic, status: str) -> None:
    await finish(clinic, status)
    (found,) = await written(clinic.system)
    ratio = found["valueRatio"]
    assert (ratio["numerator"]["value"], ratio["denominator"]["value"]) == (2, 4)
    parts = {each["code"]["coding"][0]["code"]: each for each in found["component"]}
    assert parts["helpfulness"]["valueQuantity"]["value"] == json.decode(b"3.5")
    assert parts["barrier"]["valueCodeableConcept"]["coding"][0]["code"] == "time"
    assert found["effectivePeriod"] == {"start": "2026-01-05", "end": "2026-01-08"}
    assert (found["focus"], found["basedOn"]) == ([to("Task/head")], [to("ServiceRequest/sr")])
    assert found["meta"]["tag"][0]["code"] == "stays-here"
    assert found["method"]["coding"][0]["version"] == "1"
    trace = (await clinic.system.get(f"Provenance?target=Observation/{found['id']}")).json()["entry"][0]["resource"]
    assert {each["what"]["reference"] for each in trace["entity"]} == {
        "Task/head",
        *(f"Task/part{day}" for day in range(4)),
    }


async def test_a_note_on_what_has_ended_writes_nothing_more(clinic: Clinic) -> None:
    await finish(clinic)
    newest = (await clinic.system.get("Task/head")).json()
    answer = await clinic.system.put("Task/head", json=newest | {"note": [{"text": "well done"}]})
    assert answer.status_code == 200, answer.text
    (found,) = await written(clinic.system)
    assert found["meta"]["versionId"] == "1"


async def test_something_done_once_writes_no_adherence(clinic: Clinic) -> None:
    single = part(20, id="single", partOf=[], status="ready")
    del single["partOf"]
    await clinic.put(single)
    answer = await clinic.system.put("Task/single", json=single | {"status": "completed"})
    assert answer.status_code == 200, answer.text
    assert await written(clinic.system) == []


async def test_clients_see_their_own(clinic: Clinic) -> None:
    await finish(clinic)
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    assert len(await written(ann)) == 1


async def tick(house: Any, now: datetime) -> None:
    async with house.app.engine.database.connection(0) as connection:
        tenant = await tenants.find(connection, house.name)
    await weekly.tally(house.app.engine, tenant, now)


async def test_each_week_of_a_running_series_is_written_once(house: Any, clinic: Clinic) -> None:
    await clinic.put(part(7), part(-1))
    await tick(house, datetime(2026, 1, 10, 12, tzinfo=UTC))
    assert await written(clinic.system) == []
    for hour in (1, 2):
        await tick(house, datetime(2026, 1, 12, hour, tzinfo=UTC))
    (found,) = await written(clinic.system)
    assert found["identifier"][0]["value"] == "head/2026-01-05"
    assert found["effectivePeriod"] == {"start": "2026-01-05", "end": "2026-01-11"}
    assert found["valueRatio"]["denominator"]["value"] == 4
    await tick(house, datetime(2026, 1, 19, 1, tzinfo=UTC))
    assert [each["identifier"][0]["value"] for each in await written(clinic.system)] == [
        "head/2026-01-05",
        "head/2026-01-12",
    ]


async def test_a_week_ends_by_the_clients_own_calendar(house: Any, clinic: Clinic) -> None:
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Pacific/Auckland"}
    await clinic.put({"resourceType": "Patient", "id": "ann", "extension": [zone]})
    await tick(house, datetime(2026, 1, 11, 10, tzinfo=UTC))
    assert await written(clinic.system) == []
    await tick(house, datetime(2026, 1, 11, 12, tzinfo=UTC))
    (found,) = await written(clinic.system)
    assert found["identifier"][0]["value"] == "head/2026-01-05"


async def test_a_groups_homework_keeps_nobodys_week_from_being_written(house: Any, clinic: Clinic) -> None:
    member = {
        "resourceType": "Group",
        "id": "circle",
        "type": "person",
        "actual": True,
        "member": [{"entity": to("Patient/ann")}],
    }
    await clinic.put(member, head() | {"id": "circles", "for": to("Group/circle"), "owner": to("Practitioner/kim")})
    await tick(house, datetime(2026, 1, 12, 1, tzinfo=UTC))
    (found,) = await written(clinic.system)
    assert found["identifier"][0]["value"] == "head/2026-01-05"
    assert (await clinic.system.get(f"Observation?subject=Group/circle&code={ADHERENCE}&_summary=count")).json()[
        "total"
    ] == 0
