"""read. https://hl7.org/fhir/R4/http.html#read"""

import httpx
import pytest

PATIENT = {"resourceType": "Patient", "active": True, "name": [{"family": "Okafor"}]}


async def test_refuses_a_resource_that_never_was(api: httpx.AsyncClient) -> None:
    answer = await api.get("Patient/nobody")
    assert answer.status_code == 404
    assert answer.json()["issue"][0]["code"] == "not-found"


async def test_refuses_an_id_that_no_resource_can_have(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"Patient/{'a' * 65}")
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "id-illegal"


async def test_refuses_a_type_that_is_not_held_and_names_the_nearest(api: httpx.AsyncClient) -> None:
    answer = await api.get("Patiant/1")
    assert answer.status_code == 404
    assert "Patient" in answer.json()["issue"][0]["diagnostics"]


async def test_returns_gone_for_a_deleted_task(api: httpx.AsyncClient) -> None:
    task = {"resourceType": "Task", "id": "t", "status": "requested", "intent": "order"}
    await api.put("Task/t", json=task)
    await api.delete("Task/t")
    answer = await api.get("Task/t")
    assert answer.status_code == 410
    assert answer.json()["issue"][0]["code"] == "deleted"
    assert answer.headers["etag"] == 'W/"2"'


async def test_an_id_of_another_type_is_not_found(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json=PATIENT)).json()
    assert (await api.get(f"Practitioner/{made['id']}")).status_code == 404


async def test_returns_what_was_created_with_its_version_and_time(api: httpx.AsyncClient) -> None:
    made = await api.post("Patient", json=PATIENT)
    answer = await api.get(f"Patient/{made.json()['id']}")
    assert answer.status_code == 200
    assert answer.content == made.content
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"] == made.headers["last-modified"]
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"


async def test_returns_the_newest_version(api: httpx.AsyncClient) -> None:
    for active in (True, False, True):
        await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "active": active})
    answer = await api.get("Patient/p")
    assert answer.json()["meta"]["versionId"] == "3"
    assert answer.headers["etag"] == 'W/"3"'


async def test_takes_a_slash_at_the_end(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json={"resourceType": "Patient", "id": "p"})
    assert (await api.get("Patient/p/")).status_code == 200


@pytest.mark.parametrize("resource_id", ["A-1.b", "9", "x" * 64, "0190f4aa-0000-7000-8000-00000000000A"])
async def test_reads_any_legal_id_as_it_was_written(api: httpx.AsyncClient, resource_id: str) -> None:
    await api.put(f"Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id})
    assert (await api.get(f"Patient/{resource_id}")).json()["id"] == resource_id


async def test_ids_differ_by_case(api: httpx.AsyncClient) -> None:
    for resource_id in ("abc", "ABC"):
        await api.put(f"Patient/{resource_id}", json={"resourceType": "Patient", "id": resource_id})
    assert (await api.get("Patient/ABC")).json()["id"] == "ABC"
    assert (await api.get("Patient/abc")).json()["id"] == "abc"
