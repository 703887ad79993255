"""OperationOutcome building. https://hl7.org/fhir/R4/operationoutcome.html"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

_ILLEGAL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
ERROR_SYSTEM: Final = "https://hearth.health/fhir/CodeSystem/error"


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: `code` is from issue-type, `expression` FHIRPath to the element, `details_code` our stable error code."""

    severity: str
    code: str
    diagnostics: str
    expression: tuple[str, ...] = ()
    details_code: str | None = None


def error(code: str, diagnostics: str, *expression: str, details_code: str | None = None) -> Issue:
    """An Issue of severity error."""
    return Issue("error", code, diagnostics, expression, details_code)


def _issue(issue: Issue) -> dict[str, Any]:
    body: dict[str, Any] = {"severity": issue.severity, "code": issue.code}
    # A client can always branch on our code; where none is more special than the issue type, it is that.
    body["details"] = {"coding": [{"system": ERROR_SYSTEM, "code": issue.details_code or issue.code}]}
    body["diagnostics"] = _legal(issue.diagnostics)
    expression = [_legal(text) for text in issue.expression if text]
    if expression:
        body["expression"] = expression
    return body


def _legal(text: str) -> str:
    """`text` as a string of FHIR: what a caller sent and we repeat may have characters that no string has."""
    return text if text.isprintable() else _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The OperationOutcome resource carrying these issues."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}
