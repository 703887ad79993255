"""How somebody is doing, as expressions in plans ask for it: %lastSudsPeak, %lastMastery, %adherence and the like.

Docs: docs/fhir-operations.md, "$apply". https://hl7.org/fhir/R4/plandefinition-definitions.html#PlanDefinition.action.condition
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from schemas.library import BASE

MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"
MEASURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lastSudsPre": "suds-pre",
        "lastSudsPeak": "suds-peak",
        "lastSudsPost": "suds-post",
        "lastMastery": "mastery",
        "adherence": "adherence",
    }
)
"""Variables and the code of the measure whose newest value they are: distress from 0 to 100, adherence from 0 to 1."""


def value_of(observation: Mapping[str, Any], code: str) -> Decimal | None:
    """What an Observation, or its component, says of a measure; None where it says nothing of it, or nothing exact."""
    scale = 10 if code.startswith("suds") and _highest(observation) == 10 else 1
    for element in (observation, *observation.get("component", ())):
        codings = element.get("code", {}).get("coding", ())
        if "modifierExtension" not in element and any(_is(each, code) for each in codings):
            found = _number(element)
            if found is not None:
                return found * scale
    return None


def _is(coding: Mapping[str, Any], code: str) -> bool:
    return coding.get("system") == MEASURE and coding.get("code") == code


def _highest(observation: Mapping[str, Any]) -> Any:
    """The end of the scale: distress is also rated from 0 to 10."""
    return next((each.get("high", {}).get("value") for each in observation.get("referenceRange", ())), None)


def _number(element: Mapping[str, Any]) -> Decimal | None:
    if "valueInteger" in element:
        return Decimal(element["valueInteger"])
    ratio = element.get("valueRatio", {})
    top, bottom = ratio.get("numerator", {}).get("value"), ratio.get("denominator", {}).get("value")
    if top is not None and bottom:
        return Decimal(top) / Decimal(bottom)
    quantity = element.get("valueQuantity", {})
    return Decimal(quantity["value"]) if "value" in quantity and "comparator" not in quantity else None
