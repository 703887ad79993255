"""What is out of sight answers as what never was, to the letter: headers, words and links, on every way to it."""

import re
from typing import Any, Final

import httpx
import pytest

from service.oauth.token import Access
from tests.security.circles import labelled, observation
from tests.security.reference import generator

HIDDEN, NEVER = "aaaaaaaa", "bbbbbbbb"
ANN: Final = {"fhir_user": "Patient/ann", "patient": "ann"}
TOKENS: Final[dict[str, Access]] = {
    "client": generator.access("patient/*.cruds", **ANN),
    "machine": generator.access("system/*.cruds"),
    "constrained": generator.access("system/Observation.cruds?status=amended"),
}
PATCH: Final = [{"op": "replace", "path": "/status", "value": "amended"}]
WAYS: Final[list[tuple[str, str, dict[str, str], Any]]] = [
    ("GET", "Observation/{}", {}, None),
    ("GET", "Observation/{}", {"If-None-Match": 'W/"1"'}, None),
    ("GET", "Observation/{}", {"If-Modified-Since": "Wed, 01 Jan 2098 00:00:00 GMT"}, None),
    ("GET", "Observation/{}?_summary=true", {}, None),
    ("GET", "Observation/{}/_history", {}, None),
    ("GET", "Observation/{}/_history/1", {}, None),
    ("GET", "Observation/{}/_history/2", {}, None),
    ("GET", "Observation/{}/$meta", {}, None),
    ("GET", "Observation/{}/$validate", {}, None),
    ("GET", "Observation?_id={}&_total=accurate", {}, None),
    ("GET", "Observation?_id={}&_summary=count", {}, None),
    ("GET", "Observation?_id={}&_total=estimate&_count=1", {}, None),
    ("GET", "Observation?has-member=Observation/{}", {}, None),
    ("GET", "Observation?has-member:Observation.status=final&_id=points,{}", {}, None),
    ("DELETE", "Observation/{}", {}, None),
    ("DELETE", "Observation/{}", {"If-Match": 'W/"1"'}, None),
    ("DELETE", "Observation?_id={}", {}, None),
    ("PATCH", "Observation/{}", {"Content-Type": "application/json-patch+json"}, PATCH),
    ("PATCH", "Observation/{}", {"Content-Type": "application/json-patch+json", "If-Match": 'W/"7"'}, PATCH),
    ("PATCH", "Observation?_id={}", {"Content-Type": "application/json-patch+json"}, PATCH),
    ("POST", "Observation/_search?_id={}", {}, None),
    ("POST", "", {}, {"resourceType": "Bundle", "type": "batch",
                      "entry": [{"request": {"method": "GET", "url": "Observation/{}"}}]}),
    ("POST", "", {"Prefer": "return=OperationOutcome"}, {"resourceType": "Bundle", "type": "transaction",
                      "entry": [{"request": {"method": "DELETE", "url": "Observation/{}"}}]}),
]  # fmt: skip


@pytest.fixture
async def furnished(house: Any) -> Any:
    """A labelled Observation of Ben's in two versions, and one of Ann's that points to it."""
    access = generator.access("system/*.cruds", clearance=generator.ALL_CLEAR)
    async with house.client(await generator.token(house, access)) as http:
        for status in ("final", "final"):
            body = observation("Patient/ben", HIDDEN, **labelled("HIV")) | {"status": status}
            assert (await http.put(f"Observation/{HIDDEN}", json=body)).status_code in (200, 201)
        member = [{"reference": f"Observation/{HIDDEN}"}, {"reference": f"Observation/{NEVER}"}]
        body = observation("Patient/ann", "points", hasMember=member)
        assert (await http.put("Observation/points", json=body)).status_code == 201
    return house


async def said(http: httpx.AsyncClient, way: tuple[str, str, dict[str, str], Any], name: str) -> Any:
    """The whole answer, without what is the request's own."""
    method, path, headers, body = way
    text = None if body is None else httpx.Request("POST", "http://x", json=body).content.decode().replace("{}", name)
    kind = {} if text is None or "Content-Type" in headers else {"Content-Type": "application/fhir+json"}
    answer = await http.request(method, path.format(name), content=text, headers=headers | kind)
    heads = {
        key: value for key, value in answer.headers.items() if key not in ("x-request-id", "date", "content-length")
    }
    plain = re.sub(r'"timestamp":"[^"]*"|"lastUpdated":"[^"]*"', "", answer.text)
    return answer.status_code, *(re.sub(f"{HIDDEN}|{NEVER}", "x", each) for each in (str(heads), plain))


@pytest.mark.parametrize("who", TOKENS)
async def test_what_is_out_of_sight_answers_as_what_never_was(furnished: Any, who: str) -> None:
    async with furnished.client(await generator.token(furnished, TOKENS[who])) as http:
        for way in WAYS:
            assert await said(http, way, HIDDEN) == await said(http, way, NEVER), way


async def test_an_answer_is_not_given_again_to_a_token_that_may_see_less(furnished: Any) -> None:
    entry = {"request": {"method": "GET", "url": f"Observation/{HIDDEN}"}}
    body = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    answers = []
    for clearance in (("HIV",), ()):
        access = generator.access("system/*.cruds", clearance=clearance)
        async with furnished.client(await generator.token(furnished, access)) as http:
            answers.append((await http.post("", json=body, headers={"Idempotency-Key": "k"})).text)
    assert HIDDEN in answers[0]
    assert "Patient/ben" in answers[0]
    assert "Patient/ben" not in answers[1]


async def test_a_cursor_is_no_use_to_another_token(furnished: Any) -> None:
    access = generator.access("system/*.rs", clearance=("HIV",))
    async with furnished.client(await generator.token(furnished, access)) as http:
        page = (await http.get("Observation?_count=1")).json()
    following = next(each["url"] for each in page["link"] if each["relation"] == "next")
    async with furnished.client(await generator.token(furnished, generator.access("system/*.rs"))) as http:
        assert (await http.get(following)).status_code == 400


async def test_a_reference_by_search_finds_nobody_out_of_sight(furnished: Any, api: httpx.AsyncClient) -> None:
    identifier = [{"system": "urn:x", "value": "1"}]
    assert (
        await api.put("Patient/ben", json={"resourceType": "Patient", "id": "ben", "identifier": identifier})
    ).status_code == 201
    async with furnished.client(await generator.token(furnished, TOKENS["client"])) as http:
        for number in ("1", "2"):
            made = observation("Patient/ann", performer=[{"reference": f"Patient?identifier=urn:x|{number}"}])
            body = {
                "resourceType": "Bundle",
                "type": "transaction",
                "entry": [{"request": {"method": "POST", "url": "Observation"}, "resource": made}],
            }
            assert (await http.post("", json=body)).status_code == 400, number
