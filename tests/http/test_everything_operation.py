"""Patient/$everything. https://hl7.org/fhir/R4/patient-operation-everything.html"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from schemas.validate import validate

Json = dict[str, Any]
TO_P: Json = {"subject": {"reference": "Patient/p"}}
CODE: Json = {"code": {"text": "x"}}
OBSERVATION: Json = {"resourceType": "Observation", "status": "final"} | CODE | TO_P
TASK: Json = {"resourceType": "Task", "status": "requested", "intent": "order"}
FLAG: Json = {"resourceType": "Flag", "status": "active"} | CODE
MINE: list[Json] = [
    FLAG | {"id": "flag"} | TO_P,
    OBSERVATION | {"id": "obs", "effectiveDateTime": "2026-05-01"},
    OBSERVATION | {"id": "old", "effectiveDateTime": "2020-05-01"},
    TASK | {"id": "task", "for": {"reference": "Patient/p"}},
    {"resourceType": "CarePlan", "id": "plan", "status": "active", "intent": "plan"} | TO_P,
]
OTHERS: list[Json] = [
    {"resourceType": "Patient", "id": "q"},
    FLAG | {"id": "their-flag", "subject": {"reference": "Patient/q"}},
    TASK | {"id": "their-task", "for": {"reference": "Patient/q"}},
]


@pytest.fixture
async def records(api: httpx.AsyncClient) -> None:
    """Patient `p` with five resources, and Patient `q` with two."""
    for body in [{"resourceType": "Patient", "id": "p"}, *MINE, *OTHERS]:
        answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text


async def pages(api: httpx.AsyncClient, address: str) -> AsyncIterator[Json]:
    following: str | None = address
    while following is not None:
        answer = await api.get(following)
        assert answer.status_code == 200, answer.text
        yield answer.json()
        following = {link["relation"]: link["url"] for link in answer.json()["link"]}.get("next")


async def names(api: httpx.AsyncClient, query: str = "", patient: str = "p") -> list[str]:
    """The resources of all pages, without the audit of reading them."""
    found = [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        async for page in pages(api, f"Patient/{patient}/$everything{query}")
        for entry in page.get("entry", [])
    ]
    assert len(found) == len(set(found))
    return [name for name in found if not name.startswith("AuditEvent/")]


def of(bodies: list[Json]) -> set[str]:
    return {f"{body['resourceType']}/{body['id']}" for body in bodies}


async def test_refuses_a_patient_that_is_not_there(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/nobody/$everything")).status_code == 404
    await api.put("Patient/p", json={"resourceType": "Patient", "id": "p"})
    await api.delete("Patient/p")
    assert (await api.get("Patient/p/$everything")).status_code == 410


async def test_refuses_other_types(api: httpx.AsyncClient) -> None:
    assert (await api.get("Flag/flag/$everything")).status_code == 404


@pytest.mark.parametrize("query", ["nonsense=1", "_count=x", "start=tomorrow", "_type=Nonsense", "_cursor=x"])
@pytest.mark.usefixtures("records")
async def test_refuses_parameters_that_cannot_be_read(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"Patient/p/$everything?{query}")).status_code == 400


@pytest.mark.usefixtures("records")
async def test_shows_only_what_the_scope_covers(house: Any) -> None:
    async with house.client(await house.token("system/Patient.rs system/Flag.rs")) as narrow:
        assert set(await names(narrow)) == {"Patient/p", "Flag/flag"}
    async with house.client(await house.token("system/Flag.rs")) as narrower:
        assert (await narrower.get("Patient/p/$everything")).status_code == 403


@pytest.mark.usefixtures("records")
async def test_returns_the_patient_first_and_all_that_is_theirs(api: httpx.AsyncClient) -> None:
    found = await names(api)
    assert found[0] == "Patient/p"
    assert set(found) == {"Patient/p"} | of(MINE)


@pytest.mark.usefixtures("records")
async def test_can_be_asked_by_post_too(api: httpx.AsyncClient) -> None:
    answer = await api.post("Patient/p/$everything")
    assert answer.status_code == 200
    assert answer.json()["type"] == "searchset"
    assert validate(answer.json()) == []


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.usefixtures("records")
async def test_all_pages_together_are_everything_once(api: httpx.AsyncClient, count: int) -> None:
    assert set(await names(api, f"?_count={count}")) == {"Patient/p"} | of(MINE)


@pytest.mark.usefixtures("records")
async def test_can_be_narrowed_to_types_and_times(api: httpx.AsyncClient) -> None:
    assert set(await names(api, "?_type=Flag,Task")) - {"Patient/p"} == {"Flag/flag", "Task/task"}
    recent = set(await names(api, "?start=2025-01-01"))
    assert "Observation/obs" in recent
    assert "Observation/old" not in recent
    past = set(await names(api, "?end=2021"))
    assert "Observation/old" in past
    assert "Observation/obs" not in past


@pytest.mark.usefixtures("records")
async def test_leaves_out_what_was_deleted(api: httpx.AsyncClient) -> None:
    await api.delete("Flag/flag")
    assert "Flag/flag" not in await names(api)
