"""An AuditEvent per interaction: what was done, by whom, to what, about whom, with which end; kept, found, never changed."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas.validate import validate

JSON_PATCH = {"Content-Type": "application/json-patch+json"}
OBSERVATION = {
    "resourceType": "Observation", "id": "obs", "status": "final", "code": {"text": "x"},
    "subject": {"reference": "Patient/pat"},
}  # fmt: skip


@pytest.fixture
async def furnished(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client of a tenant with a Patient and an Observation of theirs."""
    patient = {"resourceType": "Patient", "id": "pat", "identifier": [{"system": "urn:x", "value": "1"}]}
    assert (await api.put("Patient/pat", json=patient)).status_code == 201
    assert (await api.put("Observation/obs", json=OBSERVATION)).status_code == 201
    return api


async def events(house: Any, api: httpx.AsyncClient, request_id: str) -> list[dict[str, Any]]:
    """The AuditEvents of one request, oldest first, once the spool is shipped."""
    await house.app.engine.spool.flush()
    bundle = (await api.get("AuditEvent?_count=1000&_sort=date")).json()
    found = [entry["resource"] for entry in bundle.get("entry", [])]
    return [each for each in found if request_id in values(each, "XrequestId")]


def entities(event: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Entities of a role (1 patient, 4 object, 24 query), or of the type that stands in its place (XrequestId)."""
    return [each for each in event.get("entity", []) if each.get("role", each["type"])["code"] == kind]


def values(event: dict[str, Any], kind: str) -> list[str]:
    return [each["what"]["identifier"]["value"] for each in entities(event, kind)]


def references(event: dict[str, Any], role: str) -> list[str]:
    return [each["what"]["reference"] for each in entities(event, role) if "reference" in each.get("what", {})]


@pytest.mark.parametrize(
    ("send", "body", "code", "action", "what", "patient", "query"),
    [
        ("GET Patient/pat", None, "read", "R", "Patient/pat", None, None),
        ("GET Observation/obs", None, "read", "R", "Observation/obs", "Patient/pat", None),
        ("HEAD Observation/obs", None, "read", "R", "Observation/obs", "Patient/pat", None),
        ("GET Observation/obs/_history/1", None, "vread", "R", "Observation/obs", "Patient/pat", None),
        ("GET Observation/obs/_history", None, "history-instance", "R", "Observation/obs", "Patient/pat", None),
        ("GET Observation/_history?_count=1", None, "history-type", "R", None, None, "Observation?_count=1"),
        ("GET _history?_count=1", None, "history-system", "R", None, None, "?_count=1"),
        ("GET Observation?subject=Patient/pat", None, "search-type", "E", None, "Patient/pat",
         "Observation?subject=Patient/pat"),
        ("GET Observation?patient=pat&status=final", None, "search-type", "E", None, "Patient/pat",
         "Observation?patient=pat&status=final"),
        ("GET ?_type=Patient", None, "search-system", "E", None, None, "?_type=Patient"),
        ("GET Patient/pat/Observation?status=final", None, "search-type", "E", None, "Patient/pat",
         "Observation?status=final"),
        ("GET Patient/pat/$everything", None, "operation", "E", "Patient/pat", None, None),
        ("GET Observation/obs/$meta", None, "operation", "E", "Observation/obs", "Patient/pat", None),
        ("POST Patient/$validate", {"resourceType": "Patient"}, "operation", "E", None, None, None),
        ("PUT Observation/obs", OBSERVATION | {"status": "amended"}, "update", "U", "Observation/obs", "Patient/pat", None),
        ("PUT Observation/obs", OBSERVATION, "update", "U", "Observation/obs", "Patient/pat", None),
        ("PUT Observation/new", OBSERVATION | {"id": "new"}, "create", "C", "Observation/new", "Patient/pat", None),
        ("PATCH Patient/pat", [{"op": "add", "path": "/active", "value": True}], "patch", "U", "Patient/pat", None, None),
        ("DELETE Observation/obs", None, "delete", "D", "Observation/obs", "Patient/pat", None),
    ],
)  # fmt: skip
async def test_each_interaction_leaves_one_event(
    house: Any, furnished: httpx.AsyncClient, send: str, body: Any, code: str, action: str, what: str | None,
    patient: str | None, query: str | None,
) -> None:  # fmt: skip
    request_id = uuid4().hex
    method, _, path = send.partition(" ")
    headers = {"X-Request-Id": request_id} | (JSON_PATCH if isinstance(body, list) else {})
    answer = await furnished.request(method, path, json=body, headers=headers)
    assert answer.status_code < 300, answer.text
    (event,) = await events(house, furnished, request_id)
    assert validate(event) == []
    assert event["type"]["code"] == "rest"
    assert event["subtype"][0]["code"] == code
    assert (event["action"], event["outcome"]) == (action, "0")
    (agent,) = event["agent"]
    assert agent["requestor"] is True
    assert agent["who"]["identifier"]["value"]
    assert agent["network"]["address"] == "127.0.0.1"
    named = [each.partition("/_history")[0] for each in references(event, "4") + references(event, "1")]
    assert (what or "") in "".join(named)
    assert references(event, "1") == ([patient] if patient else [])
    asked = [base64.b64decode(each["query"]).decode() for each in entities(event, "24")]
    assert asked == ([query] if query else [])


async def test_a_posted_search_is_recorded_with_what_was_posted(house: Any, furnished: httpx.AsyncClient) -> None:
    headers = {"X-Request-Id": "posted"}
    await furnished.post("Observation/_search", data={"patient": "pat", "status": "final"}, headers=headers)
    (event,) = await events(house, furnished, "posted")
    (query,) = entities(event, "24")
    assert base64.b64decode(query["query"]) == b"Observation?patient=pat&status=final"
    assert references(event, "1") == ["Patient/pat"]


async def test_each_entry_of_a_bundle_leaves_its_event(house: Any, furnished: httpx.AsyncClient) -> None:
    entries = [
        {"request": {"method": "POST", "url": "Basic"}, "resource": {"resourceType": "Basic", "code": {"text": "x"}}},
        {"request": {"method": "GET", "url": "Observation/obs"}},
        {"request": {"method": "GET", "url": "Observation?patient=pat"}},
        {"request": {"method": "GET", "url": "Patient/nobody"}},
    ]
    for kind, expected in (("batch", entries), ("transaction", entries[:3])):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": expected}
        answer = await furnished.post("", json=bundle, headers={"X-Request-Id": kind})
        assert answer.status_code == 200, answer.text
        found = await events(house, furnished, kind)
        codes = {(each["subtype"][0]["code"], each["outcome"]) for each in found}
        assert codes == {("create", "0"), ("read", "0"), ("search-type", "0")} | (
            {("read", "4")} if kind == "batch" else set()
        )
        assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("send", "scope", "status"),
    [
        ("GET Patient/pat", "system/Flag.r", 403),
        ("GET Patient/nobody", "system/*.r", 404),
        ("GET Patients/pat", "system/*.r", 404),
        ("GET Patient/a_b", "system/*.r", 400),
        ("GET Patient?nothing=x", "system/*.s", 400),
        ("DELETE AuditEvent/x", "system/*.d", 405),
        ("POST Patient", "system/*.c", 400),
    ],
)
async def test_a_refusal_of_somebody_known_leaves_an_event(
    house: Any, furnished: httpx.AsyncClient, send: str, scope: str, status: int
) -> None:
    method, _, path = send.partition(" ")
    async with house.client(await house.token(scope)) as http:
        answer = await http.request(method, path, headers={"X-Request-Id": "refused"})
    assert answer.status_code == status, answer.text
    (event,) = await events(house, furnished, "refused")
    assert validate(event) == []
    assert event["outcome"] == "4"


async def test_nobody_without_a_token_leaves_an_event(house: Any, furnished: httpx.AsyncClient) -> None:
    async with house.client("garbage") as http:
        await http.get("Patient/pat", headers={"X-Request-Id": "nobody"})
    assert await events(house, furnished, "nobody") == []


async def test_a_write_that_is_rolled_back_leaves_no_event_of_it(house: Any, furnished: httpx.AsyncClient) -> None:
    entries = [
        {"request": {"method": "POST", "url": "Basic"}, "resource": {"resourceType": "Basic", "code": {"text": "x"}}},
        {"request": {"method": "PUT", "url": "Patient/pat", "ifMatch": 'W/"9"'},
         "resource": {"resourceType": "Patient", "id": "pat"}},
    ]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    answer = await furnished.post("", json=bundle, headers={"X-Request-Id": "undone"})
    assert answer.status_code == 412
    (event,) = await events(house, furnished, "undone")
    assert (event["subtype"][0]["code"], event["outcome"]) == ("transaction", "4")


async def test_a_write_and_its_event_have_one_transaction(house: Any, furnished: httpx.AsyncClient) -> None:
    """The same transaction id stands in both rows, for one statement and for many."""
    one = (await furnished.post("Basic", json={"resourceType": "Basic", "code": {"text": "x"}})).json()["id"]
    entry = {
        "request": {"method": "POST", "url": "Basic"},
        "resource": {"resourceType": "Basic", "code": {"text": "x"}},
    }
    answer = await furnished.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry, entry]})
    two, three = (each["resource"]["id"] for each in answer.json()["entry"])
    await furnished.patch("Patient/pat", json=[{"op": "add", "path": "/active", "value": True}], headers=JSON_PATCH)
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        rows = await connection.fetch(
            "select id, txn, type_id from resource where tenant_id = $1 order by updated", house.tenant_id
        )
    txn = {str(row["id"]): row["txn"] for row in rows}
    for kind, ids in (("create", [one]), ("create", [two, three]), ("patch", [])):
        found = [each for each in await all_events(house, furnished) if each["subtype"][0]["code"] == kind]
        for key in ids:
            (event,) = [each for each in found if f"Basic/{key}" in str(each["entity"])]
            assert txn[event["id"]] == txn[key]
        if not ids:
            (event,) = found
            newest = max(row["txn"] for row in rows if row["type_id"] == 6)
            assert txn[event["id"]] == newest
    assert txn[two] == txn[three] != txn[one]


async def all_events(house: Any, api: httpx.AsyncClient) -> list[dict[str, Any]]:
    await house.app.engine.spool.flush()
    return [entry["resource"] for entry in (await api.get("AuditEvent?_count=1000")).json().get("entry", [])]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("entity=Observation/obs", 2),
        ("entity=Patient/pat", 3),
        ("patient=pat", 3),
        ("patient=Patient/pat&action=R", 1),
        ("entity=Observation/obs&action=C&outcome=0", 1),
        ("date=gt2020&type=rest", 3),
        ("date=lt2020", 0),
        ("subtype=http://hl7.org/fhir/restful-interaction|read", 1),
        ("entity=Patient/nobody", 0),
    ],
)
async def test_events_are_found(house: Any, furnished: httpx.AsyncClient, query: str, count: int) -> None:
    await furnished.get("Observation/obs")
    await house.app.engine.spool.flush()
    answer = await furnished.get(f"AuditEvent?{query}&_total=accurate")
    assert answer.json()["total"] == count, answer.text


@pytest.mark.parametrize(
    "change",
    [
        lambda http, event: http.put(f"AuditEvent/{event['id']}", json=event | {"outcome": "0", "action": "C"}),
        lambda http, event: http.patch(f"AuditEvent/{event['id']}", json=[], headers=JSON_PATCH),
        lambda http, event: http.delete(f"AuditEvent/{event['id']}"),
        lambda http, event: http.put("AuditEvent?action=R", json=event),
        lambda http, event: http.patch("AuditEvent?action=R", json=[], headers=JSON_PATCH),
        lambda http, event: http.delete("AuditEvent?action=R"),
        lambda http, event: http.put("AuditEvent/new", json=event | {"id": "new"}),
    ],
    ids=["update", "patch", "delete", "conditional update", "conditional patch", "conditional delete", "create by update"],
)  # fmt: skip
async def test_an_event_is_never_changed(
    house: Any, furnished: httpx.AsyncClient, change: Callable[[httpx.AsyncClient, dict[str, Any]], Any]
) -> None:
    event = (await all_events(house, furnished))[0]
    answer = await change(furnished, event)
    assert answer.status_code == 405, answer.text
    method = answer.request.method
    entry: dict[str, Any] = {"request": {"method": method, "url": str(answer.request.url).partition("/fhir/")[2]}}
    if method == "PUT":
        entry["resource"] = event
    for kind in ("batch", "transaction"):
        bundle = await furnished.post("", json={"resourceType": "Bundle", "type": kind, "entry": [entry]})
        refused = bundle.status_code if kind == "transaction" else bundle.json()["entry"][0]["response"]["status"]
        assert str(refused).startswith("405"), bundle.text
    assert (await furnished.get(f"AuditEvent/{event['id']}")).json() == event


async def test_events_of_a_tenant_are_its_own(house: Any, furnished: httpx.AsyncClient, new_house: Any) -> None:
    other = await new_house()
    ours = {each["id"] for each in await all_events(house, furnished)}
    assert ours
    async with other.client(await other.token()) as http:
        assert not ours & {each["id"] for each in await all_events(other, http)}
        assert (await http.get(f"AuditEvent/{ours.pop()}")).status_code == 404


async def test_a_reference_to_another_server_is_no_patient_of_ours(house: Any, furnished: httpx.AsyncClient) -> None:
    body = OBSERVATION | {"subject": {"reference": "https://elsewhere.example/fhir/Patient/pat"}}
    await furnished.post("Observation", json=body, headers={"X-Request-Id": "foreign"})
    (event,) = await events(house, furnished, "foreign")
    assert references(event, "1") == []
