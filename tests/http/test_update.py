"""update, and create by update. https://hl7.org/fhir/R4/http.html#update"""

from typing import Any

import httpx
import pytest


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p"} | members


def code(answer: httpx.Response) -> str:
    """Our code of the first issue."""
    return str(answer.json()["issue"][0]["details"]["coding"][0]["code"])


async def test_refuses_a_body_without_the_id(api: httpx.AsyncClient) -> None:
    answer = await api.put("Patient/p", json={"resourceType": "Patient"})
    assert (answer.status_code, code(answer)) == (400, "id-mismatch")
    assert answer.json()["issue"][0]["expression"] == ["Patient.id"]


async def test_refuses_a_body_with_another_id(api: httpx.AsyncClient) -> None:
    answer = await api.put("Patient/p", json=patient(id="q"))
    assert (answer.status_code, code(answer)) == (400, "id-mismatch")


async def test_refuses_an_illegal_id(api: httpx.AsyncClient) -> None:
    answer = await api.put("Patient/a_b", json=patient(id="a_b"))
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "value")


async def test_refuses_a_resource_of_another_type(api: httpx.AsyncClient) -> None:
    answer = await api.put("Group/p", json=patient())
    assert (answer.status_code, code(answer)) == (400, "type-mismatch")


async def test_refuses_an_invalid_resource_and_keeps_the_old_one(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient(active=True))
    answer = await api.put("Patient/p", json=patient(gender="unsure"))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Patient.gender"]
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "1"


async def test_refuses_a_stale_version(api: httpx.AsyncClient) -> None:
    for active in (True, False):
        await api.put("Patient/p", json=patient(active=active))
    answer = await api.put("Patient/p", json=patient(gender="male"), headers={"If-Match": 'W/"1"'})
    assert (answer.status_code, code(answer)) == (412, "version-stale")
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "2"


@pytest.mark.parametrize("tag", ['W/"1"', "*"])
async def test_refuses_if_match_where_nothing_is(api: httpx.AsyncClient, tag: str) -> None:
    answer = await api.put("Patient/p", json=patient(), headers={"If-Match": tag})
    assert answer.status_code == 412
    assert (await api.get("Patient/p")).status_code == 404


async def test_refuses_if_match_on_a_deleted_resource(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient())
    await api.delete("Patient/p")
    assert (await api.put("Patient/p", json=patient(), headers={"If-Match": 'W/"2"'})).status_code == 412


async def test_refuses_if_none_match_any_where_something_is(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient())
    answer = await api.put("Patient/p", json=patient(active=True), headers={"If-None-Match": "*"})
    assert (answer.status_code, code(answer)) == (412, "exists")


@pytest.mark.parametrize("query", ["_elements=active", "_summary=true"])
async def test_refuses_a_part_in_place_of_the_whole(api: httpx.AsyncClient, query: str) -> None:
    await api.put("Patient/p", json=patient(active=True, maritalStatus={"text": "x"}))
    part = (await api.get(f"Patient/p?{query}")).json()
    answer = await api.put("Patient/p", json=part)
    assert (answer.status_code, code(answer)) == (422, "subsetted")
    assert answer.json()["issue"][0]["expression"] == ["Patient.meta.tag[0]"]
    assert (await api.get("Patient/p")).json()["maritalStatus"] == {"text": "x"}


async def test_refuses_to_change_an_audit_event(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient())
    event = (await api.get("AuditEvent/_history")).json()["entry"][0]["resource"]
    answer = await api.put(f"AuditEvent/{event['id']}", json=event)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_creates_under_a_new_id(api: httpx.AsyncClient) -> None:
    answer = await api.put("Patient/p", json=patient(active=True))
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{api.base_url}Patient/p/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert (answer.json()["id"], answer.json()["meta"]["versionId"]) == ("p", "1")


async def test_creates_where_if_none_match_any_meets_nothing(api: httpx.AsyncClient) -> None:
    assert (await api.put("Patient/p", json=patient(), headers={"If-None-Match": "*"})).status_code == 201


async def test_makes_the_next_version(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient(active=True))
    answer = await api.put("Patient/p", json=patient(active=False))
    assert answer.status_code == 200
    assert answer.headers["etag"] == 'W/"2"'
    assert answer.headers["location"] == f"{api.base_url}Patient/p/_history/2"
    assert "last-modified" in answer.headers
    assert answer.json()["active"] is False


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', "*"])
async def test_makes_the_next_version_of_the_one_the_caller_names(api: httpx.AsyncClient, tag: str) -> None:
    await api.put("Patient/p", json=patient(active=True))
    answer = await api.put("Patient/p", json=patient(active=False), headers={"If-Match": tag})
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')


async def test_leaves_nothing_of_what_was_before(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient(active=True, gender="male"))
    await api.put("Patient/p", json=patient(active=True))
    assert "gender" not in (await api.get("Patient/p")).json()


async def test_brings_back_a_deleted_resource_as_a_create(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient())
    await api.delete("Patient/p")
    answer = await api.put("Patient/p", json=patient())
    assert (answer.status_code, answer.headers["etag"]) == (201, 'W/"3"')
    assert (await api.get("Patient/p")).status_code == 200


async def test_ignores_the_version_that_the_body_says(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient(meta={"versionId": "41"}))
    answer = await api.put("Patient/p", json=patient(active=True, meta={"versionId": "41"}))
    assert answer.json()["meta"]["versionId"] == "2"


async def test_last_updated_never_goes_back(api: httpx.AsyncClient) -> None:
    times = []
    for number in range(5):
        answer = await api.put("Patient/p", json=patient(multipleBirthInteger=number))
        times.append(answer.json()["meta"]["lastUpdated"])
    assert times == sorted(times)
