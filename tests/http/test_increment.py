"""Observation/[id]/$increment: what happens is counted once, however often it is sent. Docs: docs/insight.md"""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fhir_mappings.counting import EVENT, MOST_EVENTS
from schemas import json
from schemas.library import BASE
from schemas.validate import validate
from tests.security.circles import Clinic, to

Json = dict[str, Any]
COUNT: Json = {
    "resourceType": "Observation",
    "id": "urges",
    "status": "preliminary",
    "code": {"coding": [{"system": f"{BASE}/CodeSystem/homework-measure", "code": "frequency"}]},
    "subject": to("Patient/ann"),
    "effectivePeriod": {"start": "2026-03-01", "end": "2026-03-07"},
    "valueInteger": 0,
}


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(COUNT)
    yield made
    await made.close()


async def add(http: httpx.AsyncClient, event: str, query: str = "") -> Json:
    answer = await http.post(f"Observation/urges/$increment?event={event}{query}")
    assert answer.status_code == 200, answer.text
    body: Json = json.decode(answer.content)
    assert validate(body) == []
    return body


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("event=", 400),
        (f"event={'x' * 129}", 400),
        ("event=a&by=0", 400),
        ("event=a&by=1.5", 400),
        ("event=a&at=soon", 400),
        ("event=a&colour=red", 400),
    ],
)
async def test_refuses_what_it_cannot_count(clinic: Clinic, query: str, status: int) -> None:
    assert (await clinic.system.post(f"Observation/urges/$increment?{query}")).status_code == status


@pytest.mark.parametrize(
    ("members", "expression"),
    [
        ({"status": "entered-in-error"}, "Observation.status"),
        ({"valueInteger": None, "valueString": "often"}, "Observation.valueString"),
    ],
)
async def test_refuses_observations_that_are_no_counts(clinic: Clinic, members: Json, expression: str) -> None:
    body = {name: value for name, value in (COUNT | members).items() if value is not None}
    await clinic.put(body)
    answer = await clinic.system.post("Observation/urges/$increment?event=a")
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert (issue["expression"], issue["details"]["coding"][0]["code"]) == ([expression], "not-countable")


async def test_only_who_may_change_it_counts(clinic: Clinic) -> None:
    ben = await clinic.as_person("Patient/ben", "patient/*.cruds", patient="ben")
    assert (await ben.post("Observation/urges/$increment?event=a")).status_code == 404
    reading = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    assert (await reading.post("Observation/urges/$increment?event=a")).status_code == 403
    assert (await clinic.system.get("Observation/urges/$increment?event=a")).status_code == 405
    assert (await clinic.system.post("Observation/none/$increment?event=a")).status_code == 404


async def test_an_event_is_counted_once_and_keeps_its_time(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    await add(ann, "one", "&at=2026-03-02T10:00:00Z")
    await add(ann, "two", "&by=3")
    again = await add(ann, "one")
    assert (again["valueInteger"], again["meta"]["versionId"]) == (4, "3")
    (first, _) = [each for each in again["extension"] if each["url"] == EVENT]
    parts = {part["url"]: part for part in first["extension"]}
    assert parts["at"]["valueDateTime"] == "2026-03-02T10:00:00Z"


async def test_a_count_may_begin_without_a_value(clinic: Clinic) -> None:
    body = {name: value for name, value in COUNT.items() if name != "valueInteger"}
    absent = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]}
    await clinic.put(body | {"status": "registered", "dataAbsentReason": absent})
    made = await add(clinic.system, "one")
    assert (made["valueInteger"], made["status"]) == (1, "preliminary")
    assert "dataAbsentReason" not in made


async def test_all_that_is_added_at_once_is_added(clinic: Clinic) -> None:
    events = [str(uuid4()) for _ in range(12)]
    await asyncio.gather(*(add(clinic.system, event) for event in [*events, *events]))
    found = (await clinic.system.get("Observation/urges")).json()
    assert found["valueInteger"] == 12


async def test_a_body_says_the_same_as_an_address(clinic: Clinic) -> None:
    rows = [{"name": "event", "valueString": "a"}, {"name": "by", "valueInteger": 2}]
    answer = await clinic.system.post(
        "Observation/urges/$increment", json={"resourceType": "Parameters", "parameter": rows}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["valueInteger"] == 2


async def test_a_count_has_an_end(clinic: Clinic) -> None:
    row = {"extension": [{"url": "id", "valueString": "x"}, {"url": "by", "valueInteger": 1}], "url": EVENT}
    await clinic.put(COUNT | {"extension": [row] * MOST_EVENTS, "valueInteger": MOST_EVENTS})
    assert (await clinic.system.post("Observation/urges/$increment?event=new")).status_code == 422
    assert (await clinic.system.post("Observation/urges/$increment?event=x")).status_code == 200
