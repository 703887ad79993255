"""Which search parameter is kept where: the hot columns of each type, the selective tokens, the combined parameters.

`docs/decisions/0001-index-in-the-row.md` says why. The search planner and the indexer both read these tables, and
nothing else decides where a value goes.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas.registry import REGISTRY, SearchParam

PARTITIONS: Final[dict[str, tuple[str, ...]]] = {
    "resource_observation": ("Observation",),
    "resource_task": ("Task",),
    "resource_response": ("QuestionnaireResponse",),
    "resource_plan": ("CarePlan", "Goal"),
    "resource_patient": ("Patient",),
    "resource_audit": ("AuditEvent",),
}
"""Which types have a partition of their own; every other type lives in `resource_other`."""


@dataclass(frozen=True, slots=True)
class Hot:
    """Parameter codes whose first value has a column: k1 and k2 (tokens or references), d0/d1 and d2 (dates)."""

    k1: str | None = None
    k2: str | None = None
    d0: str | None = None
    d2: str | None = None


HOT: Final[dict[str, Hot]] = {
    "Observation": Hot(k1="code", d0="date"),
    "Task": Hot(k1="owner", k2="status", d0="period", d2="authored-on"),
    "QuestionnaireResponse": Hot(k1="questionnaire", k2="status", d0="authored"),
    "CarePlan": Hot(k2="status", d0="date"),
    "Goal": Hot(k2="lifecycle-status", d0="start-date"),
    "AuditEvent": Hot(d0="date"),
    "ServiceRequest": Hot(k2="status", d0="authored"),
    "Communication": Hot(k2="status", d0="sent"),
    "CommunicationRequest": Hot(k2="status", d0="authored"),
    "Condition": Hot(d0="onset-date"),
    "Encounter": Hot(k2="status", d0="date"),
    "Appointment": Hot(k2="status", d0="date"),
    "DocumentReference": Hot(k2="status", d0="date"),
    "Provenance": Hot(d0="recorded"),
    "RequestGroup": Hot(k2="status", d0="authored"),
    "RiskAssessment": Hot(d0="date"),
    "Consent": Hot(k2="status", d0="date"),
    "Composition": Hot(k2="status", d0="date"),
    "Flag": Hot(d0="date"),
    "List": Hot(k2="status", d0="date"),
    "Media": Hot(k2="status", d0="created"),
    "MeasureReport": Hot(k2="status", d0="date"),
    "DetectedIssue": Hot(d0="identified"),
    "Basic": Hot(d0="created"),
}
NONE: Final = Hot()

SELECTIVE: Final = frozenset(
    ("code", "identifier", "phone", "email", "telecom", "group-identifier", "requisition", "topic", "activity-code",
     "target-measure", "questionnaire-code", "masterIdentifier", "policy")
)  # fmt: skip
"""Token parameters whose values single out few rows: they go to `sel` under the GIN index. All others go to `flt`."""

SHARED: Final = frozenset((("AuditEvent", "agent"), ("AuditEvent", "source"), ("AuditEvent", "entity")))
"""Reference parameters by identifier that every event has: the same few programs, and a request id that nobody looks for
without a time. Under GIN they would cost each event more than all its other tokens."""

COMBINED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "Observation": {
        "combo-code": ("code", "component-code"),
        "combo-code-value-concept": ("code-value-concept", "component-code-value-concept"),
        "combo-code-value-quantity": ("code-value-quantity", "component-code-value-quantity"),
        "combo-data-absent-reason": ("data-absent-reason", "component-data-absent-reason"),
        "combo-value-concept": ("value-concept", "component-value-concept"),
        "combo-value-quantity": ("value-quantity", "component-value-quantity"),
    }
}
"""Parameters that are the union of others: searched as an OR, so that no value is indexed twice."""


@lru_cache(maxsize=1024)
def partition(type_name: str) -> str:
    """The table to name in SQL for a type: a literal, so that no execution plans again."""
    return next((name for name, types in PARTITIONS.items() if type_name in types), "resource_other")


def hot(type_name: str) -> Hot:
    """The type's hot columns."""
    return HOT.get(type_name, NONE)


def combined(type_name: str, code: str) -> tuple[str, ...] | None:
    """The parameters whose union `code` is, or None when it is indexed itself."""
    return COMBINED.get(type_name, {}).get(code)


@lru_cache(maxsize=1024)
def patient_param(type_name: str) -> str | None:
    """The reference parameter that the `patient` column answers for the type, where one value at most is possible."""
    if type_name == "Patient":
        return "_id"
    param = REGISTRY.types[type_name].search.get("patient")
    return "patient" if param is not None and param.single else None


@lru_cache(maxsize=4096)
def is_patient_column(type_name: str, code: str) -> bool:
    """Whether references to a Patient under `code` are in the `patient` column: also `subject` on the same element."""
    if patient_param(type_name) != "patient":
        return False
    search = REGISTRY.types[type_name].search
    same = [path.steps for path in search["patient"].paths] == [path.steps for path in search[code].paths]
    return code == "patient" or (code in ("subject", "for") and same)


def is_selective(param: SearchParam) -> bool:
    """Whether the tokens of a token parameter go under the GIN index."""
    return param.code in SELECTIVE and param.codes is None


def identifier_column(type_name: str, code: str) -> str:
    """Where the tokens of references by identifier under `code` are."""
    return "flt" if (type_name, code) in SHARED else "sel"
