"""Conditional create: If-None-Exist. https://hl7.org/fhir/R4/http.html#ccreate"""

from typing import Any

import httpx
import pytest

SYSTEM = "https://example.org/mrn"


def patient(value: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}]} | members


async def posted(api: httpx.AsyncClient, body: dict[str, Any], condition: str, **headers: str) -> httpx.Response:
    return await api.post("Patient", json=body, headers={"If-None-Exist": condition} | headers)


async def held(api: httpx.AsyncClient) -> int:
    """How many Patients there are."""
    return int((await api.get("Patient?_summary=count")).json()["total"])


@pytest.mark.parametrize("condition", ["", "?", "_count=1", "identifier=", "_sort=birthdate&_format=json"])
async def test_refuses_a_condition_that_would_match_everything(api: httpx.AsyncClient, condition: str) -> None:
    answer = await posted(api, patient("1"), condition)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "no-criteria"
    assert await held(api) == 0


async def test_refuses_a_condition_that_no_search_knows(api: httpx.AsyncClient) -> None:
    assert (await posted(api, patient("1"), "identifer=1")).status_code == 400
    assert await held(api) == 0


async def test_refuses_when_more_than_one_matches(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        await api.post("Patient", json=patient("1"))
    answer = await posted(api, patient("1"), f"identifier={SYSTEM}|1")
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["code"] == "multiple-matches"
    assert await held(api) == 2


async def test_refuses_an_invalid_resource_even_when_one_matches(api: httpx.AsyncClient) -> None:
    await api.post("Patient", json=patient("1"))
    answer = await posted(api, patient("1", gender="unsure"), f"identifier={SYSTEM}|1")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Patient.gender"]


async def test_creates_when_nothing_matches(api: httpx.AsyncClient) -> None:
    answer = await posted(api, patient("1"), f"identifier={SYSTEM}|1")
    assert answer.status_code == 201
    assert answer.headers["location"].endswith(f"/Patient/{answer.json()['id']}/_history/1")


async def test_answers_with_the_one_match_and_writes_nothing(api: httpx.AsyncClient) -> None:
    first = await posted(api, patient("1", active=True), f"identifier={SYSTEM}|1")
    again = await posted(api, patient("1", active=False), f"identifier={SYSTEM}|1")
    assert again.status_code == 200
    assert again.content == first.content
    assert again.headers["etag"] == 'W/"1"'
    assert again.headers["location"] == first.headers["location"]
    assert await held(api) == 1


async def test_a_deleted_resource_does_not_match(api: httpx.AsyncClient) -> None:
    first = (await posted(api, patient("1"), f"identifier={SYSTEM}|1")).json()
    await api.delete(f"Patient/{first['id']}")
    again = await posted(api, patient("1"), f"identifier={SYSTEM}|1")
    assert again.status_code == 201
    assert again.json()["id"] != first["id"]


async def test_the_condition_is_percent_encoded(api: httpx.AsyncClient) -> None:
    await api.post("Patient", json=patient("a&b=c+d"))
    answer = await posted(api, patient("a&b=c+d"), f"identifier={SYSTEM}%7Ca%26b%3Dc%2Bd")
    assert answer.status_code == 200


async def test_a_resource_of_another_tenant_does_not_match(api: httpx.AsyncClient, new_house: Any) -> None:
    await posted(api, patient("1"), f"identifier={SYSTEM}|1")
    other = await new_house()
    async with other.client(await other.token()) as theirs:
        assert (await posted(theirs, patient("1"), f"identifier={SYSTEM}|1")).status_code == 201


async def test_prefer_minimal_holds_for_the_match_too(api: httpx.AsyncClient) -> None:
    await posted(api, patient("1"), f"identifier={SYSTEM}|1")
    again = await posted(api, patient("1"), f"identifier={SYSTEM}|1", Prefer="return=minimal")
    assert (again.status_code, again.content) == (200, b"")
    assert again.headers["etag"] == 'W/"1"'
