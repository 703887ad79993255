"""$meta: profiles, tags and labels of a resource. https://hl7.org/fhir/R4/resource-operation-meta.html"""

import httpx
import pytest

TAG = {"system": "https://example.org/tags", "code": "pilot"}
PATIENT = {"resourceType": "Patient", "id": "p", "meta": {"tag": [TAG], "source": "https://example.org/app"}}


async def test_refuses_resources_that_are_not_there(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/nobody/$meta")).status_code == 404
    await api.put("Patient/p", json=PATIENT)
    await api.delete("Patient/p")
    assert (await api.get("Patient/p/$meta")).status_code == 410


async def test_refuses_other_methods(api: httpx.AsyncClient) -> None:
    answer = await api.delete("Patient/p/$meta")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_returns_the_meta_as_it_is_stored(api: httpx.AsyncClient, method: str) -> None:
    made = (await api.put("Patient/p", json=PATIENT)).json()
    answer = await api.request(method, "Patient/p/$meta")
    assert answer.status_code == 200
    assert answer.json() == {
        "resourceType": "Parameters",
        "parameter": [{"name": "return", "valueMeta": made["meta"]}],
    }
    assert made["meta"]["tag"] == [TAG]


async def test_asks_for_the_right_to_read(house: object, api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    async with house.client(await house.token("system/Flag.rs")) as other:  # type: ignore[attr-defined]
        assert (await other.get("Patient/p/$meta")).status_code == 403
