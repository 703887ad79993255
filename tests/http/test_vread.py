"""vread. https://hl7.org/fhir/R4/http.html#vread"""

import httpx
import pytest


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> None:
    """`Patient/p` with versions 1, 2, a deletion as 3, and 4."""
    for active in (True, False):
        await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "active": active})
    await api.delete("Patient/p")
    await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "gender": "other"})


@pytest.mark.parametrize("version", ["5", "0", "-1", "01", "1.0", "one", "99999999999999999999", "１"])
@pytest.mark.usefixtures("patient")
async def test_refuses_a_version_that_never_was(api: httpx.AsyncClient, version: str) -> None:
    answer = await api.get(f"Patient/p/_history/{version}")
    assert answer.status_code == 404
    assert answer.json()["issue"][0]["code"] == "not-found"


async def test_refuses_a_resource_that_never_was(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/nobody/_history/1")).status_code == 404


@pytest.mark.usefixtures("patient")
async def test_returns_gone_for_the_version_that_deleted(api: httpx.AsyncClient) -> None:
    answer = await api.get("Patient/p/_history/3")
    assert answer.status_code == 410
    assert answer.json()["issue"][0]["code"] == "deleted"


@pytest.mark.parametrize(
    ("version", "member", "value"), [(1, "active", True), (2, "active", False), (4, "gender", "other")]
)
@pytest.mark.usefixtures("patient")
async def test_returns_each_version_as_it_was(api: httpx.AsyncClient, version: int, member: str, value: object) -> None:
    answer = await api.get(f"Patient/p/_history/{version}")
    assert answer.status_code == 200
    assert answer.json()[member] == value
    assert answer.json()["meta"]["versionId"] == str(version)
    assert answer.headers["etag"] == f'W/"{version}"'


async def test_the_location_of_a_create_can_be_read(api: httpx.AsyncClient) -> None:
    made = await api.post("Patient", json={"resourceType": "Patient", "active": True})
    answer = await api.get(made.headers["location"])
    assert answer.content == made.content


async def test_versions_of_a_deleted_resource_can_be_read(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "active": True})
    await api.delete("Patient/p")
    assert (await api.get("Patient/p")).status_code == 410
    assert (await api.get("Patient/p/_history/1")).json()["active"] is True
