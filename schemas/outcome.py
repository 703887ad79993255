"""OperationOutcome building. https://hl7.org/fhir/R4/operationoutcome.html"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

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
    body["diagnostics"] = issue.diagnostics
    if issue.expression:
        body["expression"] = list(issue.expression)
    return body


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """The OperationOutcome resource carrying these issues."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues]}
