"""Adherence of one series as an Observation: done of planned, and what was rated and named along the way.

https://hl7.org/fhir/R4/observation.html Docs: docs/insight.md, "Adherence as an Observation".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import fmean
from typing import Any, Final

from fhir_mappings.adherence import BARRIER, Count, Occurrence, barriers, count
from fhir_mappings.course import coded, number, rounded
from fhir_mappings.observation import DEFAULT_LABELS
from schemas.library import BASE

MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"
IDENTIFIER: Final = f"{BASE}/NamingSystem/adherence"
"""Observation.identifier of an adherence: `{head id}/whole`, or `{head id}/{Monday}` of a week."""
STAYS_HERE: Final = {"system": f"{BASE}/CodeSystem/handling", "code": "stays-here"}
"""meta.tag of what is not sent to an EHR, unless somebody decides so for a recipient."""
RATINGS: Final = ("quality", "helpfulness", "difficulty")
RULE: Final = {
    "coding": [{"system": f"{BASE}/CodeSystem/change-rule", "version": "1", "code": "adherence"}],
    "text": "Done, and in part, of what was planned; pauses, refusals and what was called off left out. Derived by the server",
}
_UCUM: Final = {"system": "http://unitsofmeasure.org", "code": "1"}
_THERAPY: Final = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "therapy"}


@dataclass(frozen=True, slots=True)
class Span:
    """What an adherence is of: a head, and either the whole of it or one week, named by its Monday."""

    head: str
    start: date
    end: date
    week: date | None = None

    @property
    def identifier(self) -> str:
        """What names it, so that it is written once and amended after."""
        return f"{self.head}/{'whole' if self.week is None else self.week.isoformat()}"


def ratings(observations: Iterable[Mapping[str, Any]], found: Iterable[Occurrence]) -> dict[str, Decimal]:
    """The mean of each rating (0-4) that is about one of the occurrences."""
    about = {f"Task/{each.id}" for each in found}
    values: dict[str, list[Decimal]] = {}
    for observation in observations:
        if not about & {each.get("reference") for each in observation.get("focus", ())}:
            continue
        for element in (observation, *observation.get("component", ())):
            value = number(element)
            codes = {code for system, code in coded(element) if system == MEASURE} if value is not None else set()
            for code in codes & set(RATINGS):
                values.setdefault(code, []).append(value[0] if value is not None else Decimal(0))
    return {code: rounded(fmean(values[code]), 1) for code in RATINGS if code in values}


def observation(
    head: Mapping[str, Any],
    span: Span,
    found: Sequence[Occurrence],
    rated: Mapping[str, Decimal],
    partial_weight: Decimal,
) -> dict[str, Any]:
    """The adherence of a series as far as it was decided on: something was planned, or there is no such Observation."""
    counted = count(found)
    body: dict[str, Any] = {
        "resourceType": "Observation",
        "meta": {"security": list(head.get("meta", {}).get("security", DEFAULT_LABELS)), "tag": [STAYS_HERE]},
        "identifier": [{"system": IDENTIFIER, "value": span.identifier}],
        "basedOn": [each for each in head.get("basedOn", ()) if _is_request(each)],
        "status": "final",
        "category": [{"coding": [_THERAPY]}],
        "code": {"coding": [{"system": MEASURE, "code": "adherence", "display": "Adherence"}]},
        "subject": head["for"],
        "focus": [{"reference": f"Task/{span.head}"}],
        "effectivePeriod": {"start": span.start.isoformat(), "end": span.end.isoformat()},
        "valueRatio": _ratio(counted, partial_weight),
        "method": RULE,
    }
    parts = [{"code": _concept(code), "valueQuantity": {"value": value, **_UCUM}} for code, value in rated.items()]
    parts += [{"code": _concept("barrier"), "valueCodeableConcept": _barrier(code)} for code in barriers(found)]
    made = body | ({"component": parts} if parts else {})
    return {name: value for name, value in made.items() if value}


def _is_request(reference: Mapping[str, Any]) -> bool:
    return str(reference.get("reference", "")).startswith(("ServiceRequest/", "CarePlan/"))


def _ratio(counted: Count, partial_weight: Decimal) -> dict[str, Any]:
    return {
        "numerator": {"value": counted.achieved(partial_weight), **_UCUM},
        "denominator": {"value": counted.planned, **_UCUM},
    }


def _concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": MEASURE, "code": code}]}


def _barrier(code: str) -> dict[str, Any]:
    return {"coding": [{"system": BARRIER, "code": code}]}
