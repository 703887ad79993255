"""delete. https://hl7.org/fhir/R4/http.html#delete"""

import httpx

PATIENT = {"resourceType": "Patient", "id": "p", "active": True}


async def test_refuses_a_resource_that_never_was(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient/nobody")).status_code == 404


async def test_refuses_an_illegal_id(api: httpx.AsyncClient) -> None:
    assert (await api.delete("Patient/a%20b")).status_code == 400


async def test_refuses_a_stale_version_and_keeps_the_resource(api: httpx.AsyncClient) -> None:
    for active in (True, False):
        await api.put("Patient/p", json=PATIENT | {"active": active})
    assert (await api.delete("Patient/p", headers={"If-Match": 'W/"1"'})).status_code == 412
    assert (await api.get("Patient/p")).status_code == 200


async def test_refuses_to_delete_an_audit_event(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    event = (await api.get("AuditEvent/_history")).json()["entry"][0]["resource"]
    assert (await api.delete(f"AuditEvent/{event['id']}")).status_code == 405


async def test_answers_without_a_body_and_with_the_version_of_the_deletion(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    answer = await api.delete("Patient/p")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == 'W/"2"'


async def test_a_deleted_resource_is_gone_from_read_and_search(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    await api.delete("Patient/p")
    assert (await api.get("Patient/p")).status_code == 410
    assert (await api.get("Patient?_id=p&_total=accurate")).json()["total"] == 0


async def test_a_deleted_resource_stays_in_the_history(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    await api.delete("Patient/p")
    entries = (await api.get("Patient/p/_history")).json()["entry"]
    assert [entry["request"]["method"] for entry in entries] == ["DELETE", "PUT"]


async def test_deletes_the_version_that_the_caller_names(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    assert (await api.delete("Patient/p", headers={"If-Match": 'W/"1"'})).status_code == 204


async def test_deleting_again_succeeds_and_names_the_same_version(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    tags = [(await api.delete("Patient/p")).headers["etag"] for _ in range(2)]
    assert tags == ['W/"2"', 'W/"2"']


async def test_references_to_a_deleted_resource_stay_as_they_are(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=PATIENT)
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/p"}}
    made = (await api.post("Flag", json=flag)).json()
    await api.delete("Patient/p")
    assert (await api.get(f"Flag/{made['id']}")).json()["subject"] == {"reference": "Patient/p"}
