"""create. https://hl7.org/fhir/R4/http.html#create"""

import re
from uuid import UUID

import httpx
import pytest

PATIENT = {"resourceType": "Patient", "active": True}


async def test_refuses_an_empty_body(api: httpx.AsyncClient) -> None:
    answer = await api.post("Patient", headers={"Content-Type": "application/fhir+json"})
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "body-required"


async def test_refuses_a_resource_of_another_type(api: httpx.AsyncClient) -> None:
    answer = await api.post("Observation", json=PATIENT)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "type-mismatch"
    assert answer.json()["issue"][0]["expression"] == ["resourceType"]


async def test_refuses_an_invalid_resource_with_every_fault(api: httpx.AsyncClient) -> None:
    answer = await api.post("Task", json={"resourceType": "Task", "status": "nonsense", "priority": 3})
    assert answer.status_code == 400
    places = {issue["expression"][0] for issue in answer.json()["issue"]}
    assert places == {"Task.status", "Task.intent", "Task.priority"}


async def test_a_refused_resource_is_not_there(api: httpx.AsyncClient) -> None:
    await api.post("Task", json={"resourceType": "Task", "status": "nonsense"})
    assert "entry" not in (await api.get("Task/_history")).json()


async def test_refuses_to_create_under_an_address(api: httpx.AsyncClient) -> None:
    answer = await api.post("Patient/p", json=PATIENT | {"id": "p"})
    assert answer.status_code == 405
    assert "PUT" in answer.headers["allow"]


async def test_answers_with_the_resource_its_address_and_version(api: httpx.AsyncClient, house: object) -> None:
    answer = await api.post("Patient", json=PATIENT)
    made = answer.json()
    assert answer.status_code == 201
    assert made["active"] is True
    assert made["meta"]["versionId"] == "1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["meta"]["lastUpdated"])
    assert answer.headers["location"] == f"{api.base_url}Patient/{made['id']}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'


async def test_chooses_an_id_that_sorts_by_time(api: httpx.AsyncClient) -> None:
    made = [(await api.post("Patient", json=PATIENT)).json()["id"] for _ in range(3)]
    assert [UUID(each).version for each in made] == [7, 7, 7]
    assert len(set(made)) == 3


async def test_replaces_an_id_that_the_client_chose(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json=PATIENT | {"id": "mine"})).json()
    assert made["id"] != "mine"
    assert (await api.get("Patient/mine")).status_code == 404


async def test_replaces_version_and_time_but_keeps_all_other_meta(api: httpx.AsyncClient) -> None:
    tag = {"system": "https://example.org/tags", "code": "pilot"}
    meta = {"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z", "source": "https://example.org/app", "tag": [tag]}
    made = (await api.post("Patient", json=PATIENT | {"meta": meta})).json()["meta"]
    assert made["versionId"] == "1"
    assert not made["lastUpdated"].startswith("2001")
    assert (made["source"], made["tag"]) == ("https://example.org/app", [tag])


async def test_is_in_the_audit_in_the_same_transaction(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json=PATIENT)).json()
    events = [entry["resource"] for entry in (await api.get("AuditEvent/_history")).json()["entry"]]
    mine = [
        each for each in events if each["entity"][0]["what"].get("reference", "").startswith(f"Patient/{made['id']}")
    ]
    assert [(each["action"], each["outcome"], each["subtype"][0]["code"]) for each in mine] == [("C", "0", "create")]


@pytest.mark.parametrize(
    "content_type", ["application/fhir+json", "application/json", "application/json; charset=utf-8"]
)
async def test_takes_fhir_json_under_each_of_its_names(api: httpx.AsyncClient, content_type: str) -> None:
    body = b'{"resourceType":"Patient","active":true}'
    assert (await api.post("Patient", content=body, headers={"Content-Type": content_type})).status_code == 201


async def test_takes_a_resource_of_a_megabyte(api: httpx.AsyncClient) -> None:
    extension = [{"url": "https://example.org/x", "valueString": "z" * 1_000_000}]
    made = (
        await api.post("Basic", json={"resourceType": "Basic", "code": {"text": "b"}, "extension": extension})
    ).json()
    assert (await api.get(f"Basic/{made['id']}")).json()["extension"] == extension
