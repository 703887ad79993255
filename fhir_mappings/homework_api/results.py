"""Ratings and scores as Observations. https://hl7.org/fhir/R4/observation.html"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api.element import code, id_of, ids_of, present, target, to, words
from fhir_mappings.observation import DEFAULT_LABELS, LOINC
from schemas.homework import vocabulary
from schemas.homework.results import SCALES, NewRating, Rating, Score

JsonObject = dict[str, Any]
MEASURE: Final = vocabulary.system("measure")
_SURVEY: Final = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}
_PARTS: Final = MappingProxyType({"before": "suds-pre", "peak": "suds-peak", "after": "suds-post"})


def observation(rating: NewRating, *, client: str, author: str | None, now: str) -> JsonObject:
    """The Observation that a rating is; `client` is the Patient's id, `author` who says it."""
    scale = SCALES[rating.kind]
    concept: JsonObject = {"coding": [vocabulary.coding("measure", rating.kind)]}
    if rating.what is not None:
        concept["text"] = rating.what
    numbers = rating.numbers()
    return {
        "resourceType": "Observation",
        "meta": {"security": list(DEFAULT_LABELS)},
        "status": "final",
        "category": [{"coding": [dict(_SURVEY)]}],
        "code": concept,
        "subject": to("Patient", client),
        **({"focus": [to("Task", rating.assignment)]} if rating.assignment else {}),
        "effectiveDateTime": rating.at or now,
        **({"performer": [{"reference": author}]} if author else {}),
        **({"valueInteger": numbers["value"]} if "value" in numbers else {}),
        **({"referenceRange": [_range(scale.least, scale.most)]} if scale.most is not None else {}),
        **({"component": _components(numbers)} if "value" not in numbers else {}),
    }


def _components(numbers: Mapping[str, int]) -> list[JsonObject]:
    return [
        {"code": {"coding": [vocabulary.coding("measure", part)]}, "valueInteger": numbers[name]}
        for name, part in _PARTS.items()
        if name in numbers
    ]


def _range(least: int, most: int) -> JsonObject:
    return {"low": {"value": least}, "high": {"value": most}, "text": f"{least}-{most} scale"}


def rating(found: Mapping[str, Any]) -> Rating:
    """The rating that an Observation of ours is."""
    names = {part: name for name, part in _PARTS.items()}
    numbers = {"value": found["valueInteger"]} if "valueInteger" in found else {}
    for each in found.get("component", ()):
        name = names.get(code(each["code"], MEASURE) or "")
        if name is not None and "valueInteger" in each:
            numbers[name] = each["valueInteger"]
    return Rating.model_construct(
        id=found["id"],
        kind=code(found["code"], MEASURE) or "",
        what=found["code"].get("text") if code(found["code"], MEASURE) == "frequency" else None,
        **numbers,
        at=found.get("effectiveDateTime") or found.get("effectivePeriod", {}).get("start"),
        assignment=next(iter(ids_of(found.get("focus", ()), "Task")), None),
        client=id_of(found.get("subject"), "Patient"),
        by=next((target(each) for each in found.get("performer", ())), None),
        version=int(found["meta"]["versionId"]),
        fhir={"rating": f"Observation/{found['id']}"},
    )


def score(found: Mapping[str, Any]) -> Score:
    """The score that an Observation is."""
    value = found.get("valueInteger", found.get("valueDecimal", found.get("valueQuantity", {}).get("value")))
    answers = ids_of(found.get("derivedFrom", ()), "QuestionnaireResponse")
    return Score(
        id=found["id"],
        measure=code(found["code"], LOINC)
        or next((each.get("code", "") for each in found["code"].get("coding", ())), ""),
        name=words(found["code"]) or "Score",
        value=None if value is None else Decimal(value),
        band=next((words(each) for each in found.get("interpretation", ())), None),
        at=found.get("effectiveDateTime") or found.get("effectivePeriod", {}).get("start"),
        client=id_of(found.get("subject"), "Patient"),
        answers=next(iter(answers), None),
        fhir=present(
            score=f"Observation/{found['id']}", answers=tuple(f"QuestionnaireResponse/{each}" for each in answers)
        ),
    )
