"""batch. https://hl7.org/fhir/R4/http.html#transaction"""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from asyncpg import QueryCanceledError

from service.store import Store

Json = dict[str, Any]


def patient(**members: Any) -> Json:
    return {"resourceType": "Patient"} | members


def entry(method: str, url: str, resource: Json | None = None, **request: str) -> Json:
    made: Json = {"request": {"method": method, "url": url} | request}
    return made if resource is None else made | {"resource": resource}


async def sent(api: httpx.AsyncClient, *entries: Json, **headers: str) -> list[Json]:
    body = {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}
    answer = await api.post("", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "batch-response"
    return list(answer.json()["entry"])


def statuses(answered: list[Json]) -> list[str]:
    return [each["response"]["status"][:3] for each in answered]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"type": "batch", "entry": [{"resource": {"resourceType": "Patient"}}]}, "Bundle.entry[0].request"),
        ({"type": "batch", "entry": [{"request": {"method": "GET"}}]}, "Bundle.entry[0].request.url"),
        ({"type": "batch", "entry": [{"request": {"method": "FETCH", "url": "x"}}]}, "Bundle.entry[0].request.method"),
        ({"type": "batch", "entry": [{"request": {"method": ["GET"], "url": "x"}}]}, "Bundle.entry[0].request.method"),
        ({"type": "batch", "entry": {}}, "Bundle.entry"),
        ({"type": "batch", "entry": []}, "Bundle.entry"),
        ({"type": "collection"}, "Bundle.type"),
        ({"type": "everything"}, "Bundle.type"),
        ({}, "Bundle.type"),
    ],
)
async def test_refuses_a_bundle_that_cannot_be_carried_out(api: httpx.AsyncClient, body: Json, place: str) -> None:
    answer = await api.post("", json={"resourceType": "Bundle"} | body)
    assert answer.status_code == 400
    assert place in {issue["expression"][0] for issue in answer.json()["issue"]}


@pytest.mark.parametrize("body", [patient(), [], {"entry": []}])
async def test_refuses_what_is_no_bundle(api: httpx.AsyncClient, body: Any) -> None:
    answer = await api.post("", json=body)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "bundle-required"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_stands_at_the_base_with_and_without_a_slash(api: httpx.AsyncClient, house: Any, slash: str) -> None:
    answer = await api.post(f"{house.base}{slash}", json={"resourceType": "Bundle", "type": "batch"})
    assert answer.json() == {"resourceType": "Bundle", "type": "batch-response"}


async def test_each_refused_entry_leaves_the_others_alone(api: httpx.AsyncClient) -> None:
    await api.put("Patient/old", json=patient(id="old", active=True))
    await api.put("Patient/gone", json=patient(id="gone"))
    await api.delete("Patient/gone")
    answered = await sent(
        api,
        entry("POST", "Patient", patient(active=True)),
        entry("POST", "Patient", patient(gender="unsure")),
        entry("GET", "Patient/nobody"),
        entry("GET", "Patient/gone"),
        entry("GET", "Nonsense/1"),
        entry("PUT", "Patient/old", patient(id="old"), ifMatch='W/"9"'),
        entry("DELETE", "AuditEvent/x"),
        entry("PATCH", "Patient/old", patient()),
        entry("GET", "Patient?nonsense=1"),
        entry("PUT", "Patient/new", patient(id="new")),
    )
    assert statuses(answered) == ["201", "400", "404", "410", "404", "412", "405", "400", "400", "201"]
    for each in answered[1:9]:
        assert each["response"]["outcome"]["issue"][0]["severity"] == "error"
        assert "resource" not in each
    assert (await api.get("Patient/new")).status_code == 200


async def test_a_fault_says_where_in_the_bundle_it_is(api: httpx.AsyncClient) -> None:
    answered = await sent(api, entry("GET", "Patient"), entry("POST", "Patient", patient(gender="unsure")))
    assert answered[1]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]


async def test_what_the_scope_does_not_allow_is_one_entry_s_fault(house: Any) -> None:
    async with house.client(await house.token("system/Patient.cruds")) as api:
        answered = await sent(api, entry("GET", "Flag"), entry("POST", "Patient", patient()))
    assert statuses(answered) == ["403", "201"]


async def test_entries_are_carried_out_one_after_the_other(api: httpx.AsyncClient) -> None:
    answered = await sent(
        api,
        entry("PUT", "Patient/p", patient(id="p", active=True)),
        entry("GET", "Patient/p"),
        entry("PUT", "Patient/p", patient(id="p", active=False), ifMatch='W/"1"'),
        entry("DELETE", "Patient/p"),
        entry("GET", "Patient/p"),
    )
    assert statuses(answered) == ["201", "200", "200", "204", "410"]


async def test_references_between_entries_are_not_resolved(api: httpx.AsyncClient) -> None:
    one = f"urn:uuid:{uuid4()}"
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": one}}
    answered = await sent(api, {"fullUrl": one} | entry("POST", "Patient", patient()), entry("POST", "Flag", flag))
    assert statuses(answered) == ["201", "201"]
    assert answered[1]["resource"]["subject"]["reference"] == one


async def test_conditions_work_in_entries(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "https://example.org/mrn", "value": "1"}])
    search = "identifier=https://example.org/mrn|1"
    answered = await sent(
        api,
        entry("POST", "Patient", body, ifNoneExist=search),
        entry("POST", "Patient", body, ifNoneExist=search),
        entry("PUT", f"Patient?{search}", body | {"active": True}),
        entry("DELETE", f"Patient?{search}"),
        entry("DELETE", f"Patient?{search}"),
    )
    assert statuses(answered) == ["201", "200", "200", "204", "204"]
    assert answered[1]["resource"]["id"] == answered[0]["resource"]["id"]


async def test_reads_and_refusals_are_kept_in_the_audit(api: httpx.AsyncClient) -> None:
    await sent(api, entry("PUT", "Patient/p", patient(id="p")), entry("GET", "Patient/p"), entry("GET", "Patient/x"))
    kept: set[tuple[str, str]] = set()
    async with asyncio.timeout(5):  # reads are shipped a moment after their answer
        while not kept >= {("read", "0"), ("read", "4")}:
            events = [each["resource"] for each in (await api.get("AuditEvent/_history")).json()["entry"]]
            kept = {(each["subtype"][0]["code"], each["outcome"]) for each in events}
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("prefer", ["minimal", "representation", "OperationOutcome"])
async def test_prefer_return_holds_for_each_entry(api: httpx.AsyncClient, prefer: str) -> None:
    answered = await sent(api, entry("POST", "Patient", patient()), Prefer=f"return={prefer}")
    assert ("resource" in answered[0]) == (prefer == "representation")
    assert ("outcome" in answered[0]["response"]) == (prefer == "OperationOutcome")


async def test_a_statement_that_takes_too_long_is_one_entry_s_fault(
    api: httpx.AsyncClient, house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Store.read

    async def slow(self: Store, type_name: str, resource_id: str, letter: str = "r") -> Any:
        if resource_id == "slow":
            raise QueryCanceledError("canceling statement due to statement timeout")
        return await read(self, type_name, resource_id, letter)

    monkeypatch.setattr(Store, "read", slow)
    answered = await sent(api, entry("GET", "Patient/slow"), entry("POST", "Patient", patient()))
    assert statuses(answered) == ["503", "201"]
