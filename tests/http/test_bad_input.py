"""Bad input gets a clear answer: an OperationOutcome that says what was wrong, where, and what would be right.

tests/cases/http/bad_input.json holds requests and what is asked of their answers; the rules for every answer are here.
"""

import json
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from schemas.outcome import ERROR_SYSTEM
from schemas.validate import validate

CASES: Final[list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent.parent / "cases" / "http" / "bad_input.json").read_text()
)
FHIR: Final = "application/fhir+json"
INSIDE: Final = ("Traceback", 'File "', "asyncpg", "Error:", "select ", "insert ", "tenant_id", "resource_", "$1")
"""What a trace or a statement would look like; none may reach a client."""


def well_told(answer: httpx.Response) -> list[dict[str, Any]]:
    """The issues of an error body that keeps the rules for all of them."""
    assert answer.headers["content-type"] == f"{FHIR}; charset=utf-8"
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert validate(body) == []
    for issue in body["issue"]:
        assert issue["severity"] in ("error", "fatal"), issue
        (coding,) = issue["details"]["coding"]
        assert coding["system"] == ERROR_SYSTEM
        assert coding["code"].replace("-", "").isalnum(), coding
        assert " " in issue["diagnostics"], issue
    assert not [word for word in INSIDE if word in answer.text], answer.text
    issues: list[dict[str, Any]] = body["issue"]
    return issues


@pytest.fixture(scope="module")
async def api(new_house: Callable[[], Awaitable[Any]]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a tenant that has a Patient `plain`, a deleted one `gone`, and two of the name Twin."""
    house = await new_house()
    async with house.client(await house.token()) as http:
        for name in ("plain", "gone"):
            await http.put(f"Patient/{name}", json={"resourceType": "Patient", "id": name, "active": True})
        await http.delete("Patient/gone")
        for _ in range(2):
            await http.post("Patient", json={"resourceType": "Patient", "name": [{"family": "Twin"}]})
        yield http


def sent(case: dict[str, Any]) -> dict[str, Any]:
    """The request of a case as httpx takes it."""
    method, _, path = case["request"].partition(" ")
    headers: dict[str, str] = {}
    content: bytes | None = None
    if "body" in case:
        content = json.dumps(case["body"]).encode()
    elif "text" in case:
        content = case["text"].encode()
    elif "base64" in case:
        content = b64decode(case["base64"])
    if content is not None:
        headers["Content-Type"] = FHIR
    headers |= case.get("headers_sent", {})
    headers = {name: value for name, value in headers.items() if value is not None}
    return {"method": method, "url": path, "content": content, "headers": headers}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
async def test_is_refused_in_words_that_help(api: httpx.AsyncClient, case: dict[str, Any]) -> None:
    answer = await api.request(**sent(case))
    assert answer.status_code == case["status"], answer.text
    issues = well_told(answer)
    if "code" in case:
        assert issues[0]["code"] == case["code"], issues
    if "details" in case:
        assert issues[0]["details"]["coding"][0]["code"] == case["details"], issues
    if "expression" in case:
        assert issues[0]["expression"] == case["expression"], issues
    assert case.get("says", "") in issues[0]["diagnostics"], issues
    for name, value in case.get("headers", {}).items():
        assert answer.headers[name] == value


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with its length", "without its length"])
async def test_a_body_beyond_16_mebibytes_is_refused(api: httpx.AsyncClient, is_chunked: bool) -> None:
    body = b'{"resourceType":"Basic","code":{"text":"x"}}'.ljust(16 << 20)

    async def chunks(raw: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 1 << 20):
            yield raw[start : start + (1 << 20)]

    for content, status in ((body, 201), (body + b" ", 413)):
        sent: Any = chunks(content) if is_chunked else content
        answer = await api.post("Basic", content=sent, headers={"Content-Type": FHIR})
        assert answer.status_code == status, answer.text
    (issue,) = well_told(answer)
    assert (issue["code"], issue["details"]["coding"][0]["code"]) == ("too-long", "body-too-large")
    assert answer.headers["connection"] == "close"
