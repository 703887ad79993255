"""Refusals as problem details. https://www.rfc-editor.org/rfc/rfc9457"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from schemas import json
from schemas.outcome import Issue
from service.errors import HearthError

MEDIA_TYPE: Final = "application/problem+json"
TYPES: Final = "https://hearth.health/docs/errors#"
"""Where each code is explained; docs/errors.md is that page."""
_TITLES: Final = {422: "The request breaks a rule", 428: "If-Match is needed", 500: "Something went wrong here"}


def problem(refusal: HearthError, request_id: str) -> bytes:
    """The problem that a refusal is: what is wrong, where, and what would be right."""
    first = refusal.issues[0]
    code = first.details_code or first.code
    body: dict[str, Any] = {
        "type": f"{TYPES}{code}",
        "title": _TITLES.get(refusal.status) or HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": " ".join(dict.fromkeys(_sentence(each) for each in refusal.issues)),
        "instance": f"urn:hearth:request:{request_id}",
        "code": code,
        "errors": [error for issue in refusal.issues for error in _errors(issue)],
    }
    return json.encode(body)


def _sentence(issue: Issue) -> str:
    text = issue.diagnostics
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _errors(issue: Issue) -> Iterator[dict[str, str]]:
    told = {"code": issue.details_code or issue.code, "detail": issue.diagnostics}
    places = [place for text in issue.expression if (place := _place(text))]
    yield from ({**told, **place} for place in places or [{}])


def _place(text: str) -> dict[str, str]:
    """A pointer into the body, or a parameter of the address; FHIR's own paths tell nobody anything here."""
    if text.startswith("#"):
        return {"pointer": text}
    if text.startswith("?"):
        return {"parameter": text[1:]}
    return {"parameter": text.removeprefix("_")} if text in ("_cursor", "_count") else {}
