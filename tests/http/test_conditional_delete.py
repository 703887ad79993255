"""Conditional delete, of a single match. https://hl7.org/fhir/R4/http.html#delete"""

import httpx
import pytest


@pytest.fixture(autouse=True)
async def patients(api: httpx.AsyncClient) -> None:
    """`p` and `q`, of whom only `p` is male."""
    for name, gender in (("p", "male"), ("q", "female")):
        await api.put(f"Patient/{name}", json={"resourceType": "Patient", "id": name, "active": True, "gender": gender})


@pytest.mark.parametrize("address", ["Patient", "Patient?_count=5", "Patient?gender="])
async def test_refuses_a_deletion_of_everything(api: httpx.AsyncClient, address: str) -> None:
    assert (await api.delete(address)).status_code == 400
    assert (await api.get("Patient/p")).status_code == 200


async def test_refuses_a_parameter_that_no_search_knows(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient?gendre=male")).status_code == 400
    assert (await api.get("Patient/p")).status_code == 200


async def test_refuses_when_more_than_one_matches(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient?active=true")).status_code == 412
    assert (await api.get("Patient/p")).status_code == 200


async def test_refuses_a_stale_if_match(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient?gender=male", headers={"If-Match": 'W/"3"'})).status_code == 412


async def test_deletes_the_one_match(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient?gender=male")).status_code == 204
    assert (await api.get("Patient/p")).status_code == 410
    assert (await api.get("Patient/q")).status_code == 200


async def test_succeeds_when_nothing_matches(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient?gender=other")).status_code == 204
