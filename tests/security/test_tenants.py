"""Nothing of one tenant can be seen, counted, reached or hit from another one."""

from typing import Any

import httpx
import pytest

from service.oauth import clients

MARK = "Quillfeather"


def bundle(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json().get("entry", [])
    assert MARK not in str(entries)
    return entries


@pytest.fixture
async def their_id(elsewhere: Any) -> str:
    """The id, made by the server, of a Patient of the other tenant, whom an Observation there is about."""
    async with elsewhere.client(await elsewhere.token()) as http:
        made = await http.post("Patient", json={"resourceType": "Patient", "name": [{"family": MARK}]})
        key = str(made.json()["id"])
        body = {"resourceType": "Observation", "status": "final", "code": {"text": MARK},
                "subject": {"reference": f"Patient/{key}"}}  # fmt: skip
        assert (await http.post("Observation", json=body)).status_code == 201
        return key


async def refer_to(api: httpx.AsyncClient, reference: str) -> None:
    body = {"resourceType": "Observation", "id": "own", "status": "final", "code": {"text": "x"},
            "subject": {"reference": reference}}  # fmt: skip
    assert (await api.put("Observation/own", json=body)).status_code == 201


@pytest.mark.parametrize(
    "query",
    [
        "Observation?_include=Observation:subject",
        "Observation?_include=*",
        "Observation?_include=Observation:subject&_revinclude:iterate=Observation:subject",
        "Patient?_revinclude=Observation:subject",
        "?_type=Patient,Observation&_include=*",
    ],
)
async def test_a_reference_across_includes_nothing(api: httpx.AsyncClient, their_id: str, query: str) -> None:
    await refer_to(api, f"Patient/{their_id}")
    assert [entry["resource"]["id"] for entry in bundle(await api.get(query))] in (["own"], [])


async def test_an_absolute_reference_into_the_other_tenant_is_followed_by_nothing(
    api: httpx.AsyncClient, elsewhere: Any, their_id: str
) -> None:
    await refer_to(api, f"{elsewhere.base}/Patient/{their_id}")
    assert len(bundle(await api.get("Observation?_include=*"))) == 1
    assert bundle(await api.get(f"Observation?subject.family={MARK}")) == []


@pytest.mark.parametrize(
    "query",
    [
        f"Observation?subject.family={MARK}",
        f"Observation?subject:Patient.family={MARK}",
        f"Observation?subject.family:exact={MARK}",
        "Patient?_has:Observation:subject:code=urn:y|z",
        f"Patient?family={MARK}",
        "Patient?_list=lst",
        "Patient?_id=pat,other",
        "Patient?gender=other",
        "Patient?gender:missing=false",
        "Observation?subject:missing=false&_id:not=own",
        f"?_type=Patient&name={MARK}",
        "Patient/pat/Observation",
        "AuditEvent?entity=Patient/pat",
        "AuditEvent?patient=pat",
    ],
)
async def test_no_search_reaches_across(api: httpx.AsyncClient, their_id: str, query: str) -> None:
    await refer_to(api, f"Patient/{their_id}")
    mark = "&" if "?" in query else "?"
    answer = await api.get(f"{query}{mark}_total=accurate")
    if answer.status_code != 400:  # :not on _id is not possible
        assert (bundle(answer), answer.json()["total"]) == ([], 0)


async def test_counts_and_histories_have_only_ones_own(api: httpx.AsyncClient, their_id: str) -> None:
    await refer_to(api, f"Patient/{their_id}")
    count = (await api.get("?_summary=count")).json()["total"]
    assert (await api.get("Observation?_summary=count")).json()["total"] == 1
    assert (await api.get("Patient?_summary=count")).json()["total"] == 0
    assert count >= 1
    for path in ("_history", "Patient/_history", "Observation/_history"):
        ids = {entry["resource"]["id"] for entry in bundle(await api.get(f"{path}?_count=1000")) if "resource" in entry}
        assert their_id not in ids
    assert (await api.get(f"Patient/{their_id}/_history")).status_code == 404
    assert (await api.get(f"Patient/{their_id}/$everything")).status_code == 404


async def test_the_other_tenants_id_is_free_here(api: httpx.AsyncClient, elsewhere: Any, their_id: str) -> None:
    body = {"resourceType": "Patient", "id": their_id, "name": [{"family": "Own"}]}
    assert (await api.put(f"Patient/{their_id}", json=body)).status_code == 201
    assert (await api.delete(f"Patient/{their_id}")).status_code == 204
    async with elsewhere.client(await elsewhere.token()) as http:
        theirs = (await http.get(f"Patient/{their_id}")).json()
    assert theirs["name"] == [{"family": MARK}]
    assert theirs["meta"]["versionId"] == "1"


async def test_conditions_match_only_ones_own(api: httpx.AsyncClient) -> None:
    given = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]}
    made = await api.post("Patient", json=given, headers={"If-None-Exist": "identifier=urn:x|1"})
    assert made.status_code == 201
    again = await api.post("Patient", json=given, headers={"If-None-Exist": "identifier=urn:x|1"})
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    assert (await api.put("Patient?identifier=urn:x|0", json={"resourceType": "Patient"})).status_code == 201
    assert (await api.delete("Observation?code=urn:y|z")).status_code == 204
    patch = await api.patch(
        "Observation?code=urn:y|z", json=[], headers={"Content-Type": "application/json-patch+json"}
    )
    assert patch.status_code == 404


async def test_a_transaction_resolves_only_ones_own(api: httpx.AsyncClient) -> None:
    body = {"resourceType": "Observation", "status": "final", "code": {"text": "x"},
            "subject": {"reference": "Patient?identifier=urn:x|1"}}  # fmt: skip
    write = {"request": {"method": "POST", "url": "Observation"}, "resource": body}
    read = {"request": {"method": "GET", "url": "Patient/pat"}}
    for entry, status in ((write, 400), (read, 404)):
        answer = await api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
        assert answer.status_code == status, answer.text
        assert MARK not in answer.text
    answer = await api.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [read]})
    assert answer.json()["entry"][0]["response"]["status"].startswith("404")


async def test_a_cursor_is_the_one_clients_who_got_it(house: Any, elsewhere: Any) -> None:
    pages = {}
    for each in (house, elsewhere):
        async with each.client(await each.token()) as http:
            for _ in range(3):
                assert (await http.post("Flag", json=flag())).status_code == 201
            for path in ("Flag?_count=1", "Flag/_history?_count=1"):
                links = {link["relation"]: link["url"] for link in (await http.get(path)).json()["link"]}
                pages[each.name, path] = links["next"].partition("?")[2]
    for path in ("Flag?_count=1", "Flag/_history?_count=1"):
        for token in (await house.token(), await house.token("system/Flag.rs")):
            async with house.client(token) as http:  # another client of the tenant, then one that may less
                for query in (pages[elsewhere.name, path], pages[house.name, path]):
                    answer = await http.get(f"{path.partition('?')[0]}?{query}")
                    assert answer.status_code == 400, answer.text
                    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "cursor-invalid"


def flag() -> dict[str, Any]:
    coded = {"text": "x"}
    return {"resourceType": "Flag", "status": "active", "code": coded, "subject": {"reference": "Patient/pat"}}


async def test_an_idempotency_key_is_its_tenants_and_clients_own(house: Any, elsewhere: Any) -> None:
    made = set()
    for each in (house, elsewhere):
        for _ in range(2):
            async with each.client(await each.token()) as http:
                answer = await http.post("Flag", json=flag(), headers={"Idempotency-Key": "the-same"})
                assert "idempotency-replayed" not in answer.headers
                made.add(answer.json()["id"])
    assert len(made) == 4


async def test_a_client_is_unknown_to_another_tenant(house: Any, elsewhere: Any) -> None:
    async with elsewhere.app.engine.database.connection(elsewhere.tenant_id) as connection:
        theirs = await clients.add(connection, elsewhere.tenant_id, "theirs", "system/*.cruds")
    async with house.client() as http:
        answer = await http.post(
            f"http://hearth.test/t/{house.name}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(theirs.client_id, theirs.client_secret),
        )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("name", ["nobody", "%00", "a%2fb", "-", "A", "x" * 64, "%ff"])
async def test_a_tenant_that_is_none_is_not_found(house: Any, name: str) -> None:
    async with house.client(await house.token()) as http:
        for path in ("fhir/Patient", "fhir/metadata", "fhir/.well-known/smart-configuration"):
            answer = await http.get(httpx.URL(f"http://hearth.test/t/{name}/{path}"))
            assert answer.status_code == 404, answer.text
            assert answer.json()["resourceType"] == "OperationOutcome"
        answer = await http.post(f"http://hearth.test/t/{name}/oauth/token", data={"grant_type": "client_credentials"})
        assert answer.status_code == 404
