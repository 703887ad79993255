"""Media types, Prefer, _format, _pretty, _summary, _elements, HEAD and gzip. https://hl7.org/fhir/R4/http.html#mime-type"""

import gzip
import json
from typing import Any, Final

import httpx
import pytest

FHIR: Final = "application/fhir+json"
BODY: Final = {
    "resourceType": "Patient",
    "id": "p",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Okafor</div>'},
    "active": True,
    "name": [{"family": "Okafor", "given": ["Ada"]}],
    "maritalStatus": {"text": "married"},
}


@pytest.fixture(autouse=True)
async def patient(api: httpx.AsyncClient) -> None:
    """`Patient/p`."""
    await api.put("Patient/p", json=BODY)


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept", ["application/fhir+xml", "application/xml", "text/xml", "application/fhir+turtle", "image/png",
               "application/fhir+json;q=0", "application/fhir+json; fhirVersion=5.0"],
)  # fmt: skip
async def test_refuses_other_media_types_and_names_what_is_served(api: httpx.AsyncClient, accept: str) -> None:
    answer = await api.get("Patient/p", headers={"Accept": accept})
    assert answer.status_code == 406
    assert answer.headers["content-type"].startswith(FHIR)
    assert "fhir" in answer.json()["issue"][0]["diagnostics"].lower()


@pytest.mark.parametrize("name", ["xml", "application/fhir+xml", "ttl", "html", "nonsense"])
async def test_refuses_other_formats_and_names_what_is_served(api: httpx.AsyncClient, name: str) -> None:
    answer = await api.get("Patient/p", params={"_format": name})
    assert answer.status_code == 406
    assert FHIR in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize("kind", ["application/fhir+xml", "application/xml", "text/plain", "application/x-ndjson"])
async def test_refuses_bodies_of_other_media_types_and_names_what_is_read(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.post("Patient", content=b"<Patient/>", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert FHIR in answer.json()["issue"][0]["diagnostics"]


async def test_refuses_a_body_without_a_media_type(api: httpx.AsyncClient) -> None:
    assert (await api.post("Patient", content=b'{"resourceType":"Patient"}')).status_code == 415


async def test_refuses_a_body_in_another_character_set(api: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/fhir+json; charset=iso-8859-1"}
    assert (await api.post("Patient", content=b'{"resourceType":"Patient"}', headers=headers)).status_code == 415


async def test_refuses_a_compressed_body(api: httpx.AsyncClient) -> None:
    headers = {"Content-Type": FHIR, "Content-Encoding": "gzip"}
    content = gzip.compress(b'{"resourceType":"Patient"}')
    assert (await api.post("Patient", content=content, headers=headers)).status_code == 415


async def test_refuses_a_summary_that_there_is_not(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/p?_summary=some")).status_code == 400


# --- media types --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept",
    [None, "", "*/*", "application/*", "application/fhir+json", "application/json", "text/json", "APPLICATION/FHIR+JSON",
     "application/fhir+json; fhirVersion=4.0", "application/fhir+json;charset=utf-8", "application/xml, */*;q=0.1",
     "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
)  # fmt: skip
async def test_serves_json_to_all_who_take_it(api: httpx.AsyncClient, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = await api.get("Patient/p", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"


@pytest.mark.parametrize("name", ["json", "application/json", "application/fhir+json", "text/json"])
async def test_format_decides_over_accept(api: httpx.AsyncClient, name: str) -> None:
    answer = await api.get("Patient/p", params={"_format": name}, headers={"Accept": "application/fhir+xml"})
    assert answer.status_code == 200


async def test_format_with_an_unencoded_plus_is_understood(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/p?_format=application/fhir+json")).status_code == 200


async def test_accept_holds_for_refusals_too(api: httpx.AsyncClient) -> None:
    answer = await api.get("Patient/nobody", headers={"Accept": "application/json"})
    assert answer.headers["content-type"].startswith(FHIR)


# --- shape --------------------------------------------------------------------------------------------------------------


async def test_pretty_is_the_same_json_in_lines(api: httpx.AsyncClient) -> None:
    plain, pretty = await api.get("Patient/p"), await api.get("Patient/p?_pretty=true")
    assert pretty.json() == plain.json()
    assert pretty.text.count("\n") > 10
    assert plain.text.count("\n") == 0
    assert pretty.headers["content-length"] == str(len(pretty.content))


async def test_pretty_keeps_decimals_as_they_are(api: httpx.AsyncClient) -> None:
    body = (
        b'{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50E2}}'
    )
    await api.put("Observation/o", content=body, headers={"Content-Type": FHIR})
    assert b'"value": 1.50E2' in (await api.get("Observation/o?_pretty=true")).content


async def test_pretty_holds_for_refusals_too(api: httpx.AsyncClient) -> None:
    assert "\n" in (await api.get("Patient/nobody?_pretty=true")).text


def tags(body: dict[str, Any]) -> set[str]:
    return {tag["code"] for tag in body["meta"].get("tag", [])}


@pytest.mark.parametrize(
    ("query", "there", "absent"),
    [
        ("_summary=true", {"active", "name"}, {"text", "maritalStatus"}),
        ("_summary=text", {"text"}, {"name", "maritalStatus", "active"}),
        ("_summary=data", {"active", "name", "maritalStatus"}, {"text"}),
        ("_elements=name", {"name"}, {"text", "active", "maritalStatus"}),
        ("_elements=name,maritalStatus", {"name", "maritalStatus"}, {"text", "active"}),
        ("_elements=Patient.active", {"active"}, {"text", "name"}),
    ],
)
@pytest.mark.parametrize("address", ["Patient/p", "Patient/p/_history/1"])
async def test_a_part_says_that_it_is_one(
    api: httpx.AsyncClient, address: str, query: str, there: set[str], absent: set[str]
) -> None:
    body = (await api.get(f"{address}?{query}")).json()
    assert there | {"resourceType", "id", "meta"} <= set(body)
    assert not absent & set(body)
    assert "SUBSETTED" in tags(body)


async def test_the_whole_does_not_say_that_it_is_a_part(api: httpx.AsyncClient) -> None:
    for address in ("Patient/p", "Patient/p?_summary=false"):
        assert "SUBSETTED" not in tags((await api.get(address)).json())


@pytest.mark.parametrize("query", ["_elements=name", "_summary=true"])
async def test_search_results_can_be_parts(api: httpx.AsyncClient, query: str) -> None:
    (entry,) = (await api.get(f"Patient?_id=p&{query}")).json()["entry"]
    assert "maritalStatus" not in entry["resource"]
    assert "SUBSETTED" in tags(entry["resource"])


async def test_a_search_can_only_count(api: httpx.AsyncClient) -> None:
    body = (await api.get("Patient?_summary=count")).json()
    assert body["total"] == 1
    assert "entry" not in body


# --- HEAD and gzip ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["Patient/p", "Patient/p/_history/1", "Patient/p/_history", "Patient?_id=p", "metadata",
                                     "_history", "Patient/nobody"])  # fmt: skip
async def test_head_is_get_without_the_body(api: httpx.AsyncClient, address: str) -> None:
    got, head = await api.get(address), await api.head(address)
    assert head.status_code == got.status_code
    assert head.content == b""
    for name in ("content-type", "etag", "last-modified"):
        assert head.headers.get(name) == got.headers.get(name)
    if address != "_history":  # which each request makes longer
        assert head.headers["content-length"] == got.headers["content-length"]


@pytest.fixture
async def large(api: httpx.AsyncClient) -> None:
    """`Patient/large`, of some kilobytes."""
    await api.put("Patient/large", json=BODY | {"id": "large", "name": [{"family": "Okafor"}] * 100})


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "*", "br;q=1.0, gzip;q=0.5"])
@pytest.mark.usefixtures("large")
async def test_compresses_large_answers_for_those_who_read_gzip(api: httpx.AsyncClient, accepted: str) -> None:
    plain = await api.get("Patient/large")
    answer = await api.get("Patient/large", headers={"Accept-Encoding": accepted})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(plain.content)
    assert answer.content == plain.content
    assert "accept-encoding" in answer.headers["vary"]


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", ""])
@pytest.mark.usefixtures("large")
async def test_compresses_nothing_for_others(api: httpx.AsyncClient, accepted: str) -> None:
    answer = await api.get("Patient/large", headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers


async def test_small_answers_stay_as_they_are(api: httpx.AsyncClient) -> None:
    answer = await api.get("Patient/p", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


@pytest.mark.usefixtures("large")
async def test_head_tells_the_length_of_the_compressed_answer(api: httpx.AsyncClient) -> None:
    headers = {"Accept-Encoding": "gzip"}
    got, head = await api.get("Patient/large", headers=headers), await api.head("Patient/large", headers=headers)
    assert head.headers["content-length"] == got.headers["content-length"]


# --- Prefer -------------------------------------------------------------------------------------------------------------


async def write(api: httpx.AsyncClient, method: str, prefer: str) -> httpx.Response:
    headers = {"Prefer": prefer, "Content-Type": "application/merge-patch+json" if method == "PATCH" else FHIR}
    body: dict[str, Any] = {"active": False} if method == "PATCH" else BODY | {"active": False}
    address = "Patient" if method == "POST" else "Patient/p"
    return await api.request(method, address, content=json.dumps(body).encode(), headers=headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_minimal_has_no_body_but_every_header(api: httpx.AsyncClient, method: str) -> None:
    answer = await write(api, method, "return=minimal")
    assert answer.status_code == (201 if method == "POST" else 200)
    assert answer.content == b""
    assert answer.headers["content-length"] == "0"
    assert {"etag", "last-modified", "location"} <= set(answer.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("prefer", ["return=representation", "return=whatever", "respond-async", "RETURN=minimal-ish"])
async def test_representation_is_the_resource_and_the_default(api: httpx.AsyncClient, method: str, prefer: str) -> None:
    answer = await write(api, method, prefer)
    assert answer.json()["resourceType"] == "Patient"
    assert answer.json()["active"] is False


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_outcome_tells_how_it_went(api: httpx.AsyncClient, method: str) -> None:
    answer = await write(api, method, "return=OperationOutcome")
    (issue,) = answer.json()["issue"]
    assert issue["severity"] == "information"
    assert "Patient/" in issue["diagnostics"]


async def test_several_preferences_hold_together(api: httpx.AsyncClient) -> None:
    answer = await write(api, "PUT", "handling=lenient; return=minimal")
    assert answer.content == b""
    answer = await write(api, "POST", "return=minimal, handling=strict")
    assert answer.content == b""


async def test_handling_decides_on_unknown_search_parameters(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient?nonsense=1")).status_code == 400
    assert (await api.get("Patient?nonsense=1", headers={"Prefer": "handling=strict"})).status_code == 400
    answer = await api.get("Patient?nonsense=1", headers={"Prefer": "handling=lenient"})
    assert answer.status_code == 200
    outcomes = [each["resource"] for each in answer.json()["entry"] if each["search"]["mode"] == "outcome"]
    assert "nonsense" in json.dumps(outcomes)
