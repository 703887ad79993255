"""Conditional patch. https://hl7.org/fhir/R4/http.html#patch"""

import json

import httpx
import pytest

PATCH = json.dumps([{"op": "replace", "path": "/active", "value": False}]).encode()


async def patch(api: httpx.AsyncClient, query: str, **headers: str) -> httpx.Response:
    sent = {"Content-Type": "application/json-patch+json"} | headers
    return await api.patch(f"Patient?{query}", content=PATCH, headers=sent)


@pytest.fixture(autouse=True)
async def patients(api: httpx.AsyncClient) -> None:
    """`p` and `q`, of whom only `p` is male."""
    for name, gender in (("p", "male"), ("q", "female")):
        await api.put(f"Patient/{name}", json={"resourceType": "Patient", "id": name, "active": True, "gender": gender})


async def test_refuses_a_patch_of_everything(api: httpx.AsyncClient) -> None:
    assert (await patch(api, "")).status_code == 400


async def test_refuses_when_nothing_matches(api: httpx.AsyncClient) -> None:
    answer = await patch(api, "gender=other")
    assert answer.status_code == 404


async def test_refuses_when_more_than_one_matches(api: httpx.AsyncClient) -> None:
    answer = await patch(api, "active=true")
    assert answer.status_code == 412
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "1"


async def test_refuses_a_stale_if_match(api: httpx.AsyncClient) -> None:
    assert (await patch(api, "gender=male", **{"If-Match": 'W/"7"'})).status_code == 412


async def test_patches_the_one_match(api: httpx.AsyncClient) -> None:
    answer = await patch(api, "gender=male", **{"If-Match": 'W/"1"'})
    assert (answer.status_code, answer.json()["id"], answer.json()["active"]) == (200, "p", False)
    assert (await api.get("Patient/q")).json()["active"] is True
