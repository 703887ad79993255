"""What a resource holds comes back to who may read it, and is in no refusal and no line of the log; neither is a stack or SQL.

A mark is planted where a client can plant anything: contents, queries, headers, paths, forms, tokens, file names of the spool.
"""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
import httpx
import pytest
import structlog

from service import logs

MARK: Final = "Quillfeather"
INSIDE: Final = (
    "Traceback",
    'File "',
    ".py",
    "asyncpg",
    "select ",
    "insert into",
    "tenant_id",
    "resource_",
    "$1",
    "DETAIL",
)
ORIGIN: Final = "http://hearth.test"
PATCH: Final = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
def log() -> Iterator[io.BytesIO]:
    """Everything that is logged, at the lowest level, by us and by every library."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    talkative = {name: logging.getLogger(name).level for name in ("asyncio", "asyncpg")}
    stream = io.BytesIO()
    logs.configure("debug", "json", stream)
    for name in talkative:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)
    for name, former in talkative.items():
        logging.getLogger(name).setLevel(former)


@pytest.fixture
async def marked(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client that plants the mark in each header, in a tenant whose resources are full of it."""
    assert (await api.put("Patient/pat", json=patient("pat"))).status_code == 201
    for _ in range(2):
        assert (await api.post("Patient", json=patient(None))).status_code == 201
    assert (await api.put("Patient/gone", json=patient("gone"))).status_code == 201
    assert (await api.delete("Patient/gone")).status_code == 204
    api.headers.update({"X-Marked": MARK, "User-Agent": MARK, "Referer": f"http://{MARK}/", "Cookie": f"a={MARK}"})
    return api


def patient(name: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:x", "value": MARK}],
        "name": [{"family": MARK, "given": [MARK]}],
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{MARK}</div>'},
        "extension": [{"url": "urn:unknown", "valueString": MARK}],
    }
    return body | ({"id": name} if name else {})


def observation(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": MARK}} | more


def entry(method: str, url: str, resource: Any = None, **request: str) -> dict[str, Any]:
    return {"request": {"method": method, "url": url} | request} | ({"resource": resource} if resource else {})


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


QUESTIONNAIRE: Final = {
    "resourceType": "Questionnaire", "url": "urn:q", "version": "1", "status": "active",
    "item": [{"linkId": "1", "type": "integer", "text": MARK, "required": True, "maxLength": 3}],
}  # fmt: skip
FAULTY: Final[dict[str, Any]] = {
    "unknown element": patient(None) | {"nickname": MARK},
    "value of a code": patient(None) | {"gender": MARK},
    "value of a date": patient(None) | {"birthDate": MARK},
    "value of a boolean": patient(None) | {"active": MARK},
    "id": patient(f"{MARK}_"),
    "reference": observation(subject={"reference": f"Practitioner/{MARK}"}),
    "reference without form": observation(subject={"reference": f"{MARK} {MARK}"}),
    "contained reference": observation(subject={"reference": f"#{MARK}"}),
    "xhtml": patient(None) | {"text": {"status": "generated", "div": f"<div>{MARK}<script/></div>"}},
    "quantity": observation(valueQuantity={"value": MARK}),
    "type": {"resourceType": MARK},
    "extension": patient(None) | {"extension": [{"url": MARK, "valueNothing": MARK}]},
    "narrative": patient(None) | {"text": {"status": MARK, "div": MARK}},
    "base64": {"resourceType": "Binary", "contentType": MARK, "data": f"{MARK}!"},
    "invariant": {"resourceType": "Patient", "contact": [{"extension": [{"url": MARK, "valueString": MARK}]}]},
    "uri": patient(None) | {"implicitRules": f"{MARK} {MARK}"},
    "answer": {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "urn:q|1",
               "item": [{"linkId": "1", "text": MARK, "answer": [{"valueString": MARK}]}, {"linkId": "2", "text": MARK}]},
}  # fmt: skip


def lines(log: io.BytesIO) -> list[str]:
    return log.getvalue().decode().splitlines()


def is_silent(answer: httpx.Response) -> None:
    """A refusal that repeats nothing of what was sent or is stored."""
    assert answer.status_code >= 400, answer.text
    assert MARK not in answer.text, answer.text
    assert not [word for word in INSIDE if word in answer.text], answer.text
    assert MARK not in str(answer.headers)


@pytest.mark.parametrize("name", FAULTY)
async def test_no_fault_of_a_resource_repeats_what_is_in_it(
    marked: httpx.AsyncClient, log: io.BytesIO, name: str
) -> None:
    body = FAULTY[name]
    type_name = body["resourceType"] if body["resourceType"] != MARK else "Patient"
    assert (await marked.post("Questionnaire", json=QUESTIONNAIRE)).status_code in (201, 400, 422)
    is_silent(await marked.post(type_name, json=body))
    is_silent(await marked.put(f"{type_name}/x", json=body | {"id": body.get("id", "x")}))
    is_silent(await marked.post("", json=bundle("transaction", entry("POST", type_name, body))))
    validated = await marked.post(f"{type_name}/$validate", json=body)
    assert MARK not in validated.text
    answered = await marked.post("", json=bundle("batch", entry("POST", type_name, body)))
    assert MARK not in answered.text
    assert not [line for line in lines(log) if MARK in line]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", "Patient", f'{{"resourceType": "Patient", "{MARK}": }}', {}),
        ("POST", "Patient", f'{{"name": "{MARK}", "name": "{MARK}"}}', {}),
        ("POST", "Patient", f"{MARK}", {}),
        ("POST", "Patient", f'["{MARK}"]', {}),
        ("PUT", "Patient/other", patient(MARK), {}),
        ("PUT", "Patient/pat", patient("pat"), {"If-Match": 'W/"9"'}),
        ("PUT", "Patient/pat", patient("pat"), {"If-None-Match": "*"}),
        ("POST", "Patient", patient(None), {"If-None-Exist": f"family={MARK}"}),
        ("PUT", f"Patient?family={MARK}", patient(None), {}),
        ("DELETE", f"Patient?family={MARK}", None, {}),
        ("PATCH", f"Patient?identifier=urn:x|none{MARK}", [], PATCH),
        ("PATCH", "Patient/pat", [{"op": "test", "path": "/name/0/family", "value": "x"}], PATCH),
        ("PATCH", "Patient/pat", [{"op": "replace", "path": "/gender", "value": MARK}], PATCH),
        ("PATCH", "Patient/pat", [{"op": "add", "path": "/name/0/family/x", "value": MARK}], PATCH),
        ("PATCH", "Patient/pat", [{"op": "add", "path": "/nickname", "value": MARK}], PATCH),
        ("PATCH", "Patient/pat", {"gender": MARK}, {"Content-Type": "application/merge-patch+json"}),
        ("POST", "Patient", "{}", {"Content-Type": f"text/{MARK}"}),
        ("GET", "Patient/gone", None, {}),
        ("GET", "Patient/pat", None, {"If-Modified-Since": MARK}),
        ("GET", "Patient/pat", None, {"Accept": "application/xml"}),
        ("POST", "", bundle("transaction", entry("POST", "Observation",
                            observation(subject={"reference": f"Patient?family={MARK}"}))), {}),
        ("POST", "", bundle("transaction", entry("PUT", "Patient/pat", patient("pat"), ifMatch='W/"9"')), {}),
        ("POST", "", bundle("transaction", entry("POST", "Patient", patient(None), ifNoneExist=f"family={MARK}")), {}),
        ("POST", "", bundle(MARK), {}),
        ("POST", "Patient", patient(None), {"Idempotency-Key": MARK * 50}),
    ],
)  # fmt: skip
async def test_no_refusal_repeats_a_body_or_a_condition(
    marked: httpx.AsyncClient, log: io.BytesIO, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    content = body if isinstance(body, str) or body is None else json.dumps(body)
    given = ({"Content-Type": "application/fhir+json"} if body is not None else {}) | headers
    answer = await marked.request(method, path, content=content, headers=given)
    if headers.get("If-Modified-Since") or headers.get("Content-Type", "").startswith("text/"):
        assert answer.status_code >= 400  # a header that is wrong may be named to who sent it
    else:
        is_silent(answer)
    assert not [line for line in lines(log) if MARK in line]


@pytest.mark.parametrize(
    "path",
    [
        f"Patient?family={MARK}", f"Patient?birthdate={MARK}", f"Patient?{MARK}={MARK}", f"Patient/{MARK}", f"{MARK}/1",
        f"Patient?_cursor={MARK}", f"Patient?_sort={MARK}", f"Patient?_include={MARK}", f"Patient/pat/{MARK}",
        f"Patient/pat/_history/{MARK}", f"_history?_since={MARK}", f"Patient/{MARK}/Task", f"Patient?_elements={MARK}",
        f"Patient?name:text={MARK}%00", f"Patient?name={MARK}%ff", f"{ORIGIN}/t/{MARK}/fhir/Patient", f"{ORIGIN}/{MARK}",
        f"{ORIGIN}/t/{MARK}/fhir/metadata", f"{ORIGIN}/fhir/metadata?mode={MARK}", f"${MARK}",
    ],
)  # fmt: skip
async def test_no_line_of_the_log_repeats_an_address(marked: httpx.AsyncClient, log: io.BytesIO, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "POST", MARK.upper()):
        answer = await marked.request(method, path)
        assert answer.status_code < 500, answer.text
        assert not [word for word in INSIDE if word in answer.text], answer.text
    assert lines(log)
    assert not [line for line in lines(log) if MARK.lower() in line.lower()]


async def test_tokens_and_secrets_are_in_no_line(house: Any, marked: httpx.AsyncClient, log: io.BytesIO) -> None:
    for path in (f"{ORIGIN}/t/{house.name}/oauth/token", f"{ORIGIN}/t/{house.name}/oauth/revoke"):
        form = {
            "grant_type": "client_credentials",
            "client_id": MARK,
            "client_secret": MARK,
            "token": MARK,
            "scope": MARK,
        }
        answer = await marked.post(path, data=form, headers={"Authorization": ""})
        assert answer.status_code in (400, 401)
        assert MARK not in answer.text
    token = await house.token()
    async with house.client(token) as http:
        await http.get("Patient")
    async with house.client(MARK) as http:
        assert MARK not in (await http.get("Patient")).text
    assert lines(log)
    assert not [line for line in lines(log) if MARK in line or token in line]


@pytest.mark.parametrize(
    "fault",
    [
        ValueError(MARK),
        asyncpg.UniqueViolationError(f"duplicate key, DETAIL: Key ({MARK})"),
        asyncpg.DataError(f"invalid input: {MARK}"),
        asyncpg.QueryCanceledError(f"canceling statement: select '{MARK}'"),
        asyncpg.DeadlockDetectedError(MARK),
        asyncpg.ConnectionDoesNotExistError(MARK),
        asyncpg.InternalClientError(MARK),
        asyncpg.DiskFullError(MARK),
        asyncpg.ReadOnlySQLTransactionError(MARK),
        OSError(MARK),
        TimeoutError(MARK),
        RecursionError(MARK),
        UnicodeDecodeError("utf-8", MARK.encode(), 0, 1, MARK),
    ],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize(
    "where", ["service.store.Store.read", "service.store.Store.commit", "service.database.Database._pop"]
)
async def test_no_exception_tells_its_words(
    marked: httpx.AsyncClient, log: io.BytesIO, monkeypatch: pytest.MonkeyPatch, fault: Exception, where: str
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise fault from ValueError(MARK)

    monkeypatch.setattr(where, fail)
    read, write = entry("GET", "Patient/pat"), entry("PUT", "Patient/pat", patient("pat") | {"active": True})
    for answer in (
        await marked.put("Patient/pat", json=patient("pat") | {"active": True}),
        await marked.post("", json=bundle("transaction", write, read)),
        await marked.post("", json=bundle("batch", write, read)),
    ):
        assert answer.status_code in (200, 500, 503), answer.text
        told = answer.json() if answer.status_code >= 500 else [each["response"] for each in answer.json()["entry"]]
        assert MARK not in str(told)
        assert not [word for word in INSIDE if word in str(told)], told
    found = lines(log)
    assert not [line for line in found if MARK in line]
    assert all(isinstance(json.loads(line), dict) for line in found)


async def test_a_defect_beside_the_fhir_api_tells_nothing_either(
    house: Any, log: io.BytesIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError(MARK)

    monkeypatch.setattr("service.oauth.grants.issue", fail)
    transport = httpx.ASGITransport(app=house.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        answer = await http.post(
            f"/t/{house.name}/oauth/token", data={"grant_type": MARK}, headers={"X-Request-Id": "r-1"}
        )
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-1")
    assert MARK not in answer.text
    assert not [line for line in lines(log) if MARK in line]
