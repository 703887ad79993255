"""Goals and how far they are reached. https://hl7.org/fhir/R4/goal.html, https://build.fhir.org/ig/HL7/pco-ig/"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api.element import code, extensions, id_of, ids_of, target, to, words
from fhir_mappings.observation import DEFAULT_LABELS, LOINC
from schemas.homework.results import Attained, AttainedTold, ChangedGoal, Goal, Level, NewGoal

JsonObject = dict[str, Any]
SCALING: Final = "http://hl7.org/fhir/us/pco/StructureDefinition/pco-goal-attainment-scaling"
ACHIEVEMENT: Final = "http://terminology.hl7.org/CodeSystem/goal-achievement"
LEVELS: Final = MappingProxyType(
    {
        2: ("LA34479-8", "Much better than expected outcome"),
        1: ("LA34480-6", "Better than expected outcome"),
        0: ("LA34481-4", "Expected outcome"),
        -1: ("LA34483-0", "Less than expected outcome"),
        -2: ("LA34484-8", "Much less than expected outcome"),
    }
)
FOLLOW_UP: Final = MappingProxyType(
    {
        "Patient": ("107334-5", "Patient follow-up goal attainment scaling score"),
        "RelatedPerson": ("107331-1", "Caregiver follow-up goal attainment scaling score"),
        "Practitioner": ("107333-7", "Practitioner follow-up goal attainment scaling score"),
    }
)
"""The code of a rating by who gives it."""
_BEHAVIORAL: Final = {"system": "http://terminology.hl7.org/CodeSystem/goal-category", "code": "behavioral"}
_REPORTED: Final = {"system": LOINC, "code": "107332-9", "display": "Goal attainment scale - Reported"}
_SURVEY: Final = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}


def resource(goal: NewGoal, client: str) -> JsonObject:
    """The Goal that a new goal is; `client` is the Patient's id."""
    return {
        "resourceType": "Goal",
        "meta": {"security": list(DEFAULT_LABELS)},
        **({"extension": [_scaling(each) for each in goal.levels]} if goal.levels else {}),
        "lifecycleStatus": goal.state,
        "category": [{"coding": [dict(_BEHAVIORAL)]}],
        "description": {"text": goal.text},
        "subject": to("Patient", client),
        **({"startDate": goal.starts} if goal.starts else {}),
        **({"target": [_target(goal.due)]} if goal.due else {}),
        "expressedBy": to("Patient", client),
    }


def _target(due: str) -> JsonObject:
    return {"measure": {"coding": [dict(_REPORTED)]}, "dueDate": due}


def _scaling(level: Level) -> JsonObject:
    number, display = LEVELS[level.level]
    parts = [
        {"url": "level", "valueCoding": {"system": LOINC, "code": number, "display": display}},
        {"url": "progressText", "valueString": level.text},
    ]
    return {"url": SCALING, "extension": parts}


def changed(goal: Mapping[str, Any], change: ChangedGoal) -> JsonObject:
    """The Goal with what is said anew."""
    made = dict(goal)
    if change.text is not None:
        made["description"] = {"text": change.text}
    if change.state is not None:
        made["lifecycleStatus"] = change.state
    if change.attainment is not None:
        made["achievementStatus"] = {"coding": [{"system": ACHIEVEMENT, "code": change.attainment}]}
    if change.due is not None:
        first, *others = goal.get("target", ()) or (_target(change.due),)
        kept = {name: value for name, value in first.items() if name != "dueDuration"}
        made["target"] = [{**kept, "dueDate": change.due}, *others]
    return made


def goal(found: Mapping[str, Any]) -> Goal:
    """The goal that a Goal is."""
    return Goal.model_construct(
        id=found["id"],
        client=id_of(found.get("subject"), "Patient"),
        text=words(found["description"]) or "Goal",
        state=_STATES.get(found["lifecycleStatus"], found["lifecycleStatus"]),
        attainment=code(found.get("achievementStatus"), ACHIEVEMENT),
        starts=found.get("startDate"),
        due=next((each["dueDate"] for each in found.get("target", ()) if "dueDate" in each), None),
        levels=tuple(level for each in extensions(found, SCALING) if (level := _level(each)) is not None) or None,
        version=int(found["meta"]["versionId"]),
        fhir={"goal": f"Goal/{found['id']}"},
    )


_STATES: Final = MappingProxyType({"accepted": "planned", "entered-in-error": "cancelled"})


def _level(extension: Mapping[str, Any]) -> Level | None:
    said = {each.get("url"): each for each in extension.get("extension", ())}
    number = _number({"coding": [said.get("level", {}).get("valueCoding", {})]})
    text = said.get("progressText", {}).get("valueString")
    return None if number is None or text is None else Level.model_construct(level=number, text=text)


def _number(concept: Mapping[str, Any]) -> int | None:
    known = {number: level for level, (number, _) in LEVELS.items()}
    return known.get(code(concept, LOINC) or "")


def attainment(attained: Attained, goal_id: str, *, client: str, author: str | None, now: str) -> JsonObject:
    """The Observation that says how far a goal is reached."""
    kind = (author or "Patient").partition("/")[0]
    number, display = FOLLOW_UP.get(kind, FOLLOW_UP["Practitioner"])
    level, level_display = LEVELS[attained.level]
    return {
        "resourceType": "Observation",
        "meta": {"security": list(DEFAULT_LABELS)},
        "status": "final",
        "category": [{"coding": [dict(_SURVEY)]}],
        "code": {"coding": [{"system": LOINC, "code": number, "display": display}]},
        "subject": to("Patient", client),
        "focus": [to("Goal", goal_id)],
        "effectiveDateTime": attained.at or now,
        **({"performer": [{"reference": author}]} if author else {}),
        "valueCodeableConcept": {"coding": [{"system": LOINC, "code": level, "display": level_display}]},
        **({"note": [{"text": attained.note}]} if attained.note else {}),
    }


def attained(found: Mapping[str, Any]) -> AttainedTold | None:
    """The rating of a goal that an Observation is; None for one that names no level or goal."""
    level = _number(found.get("valueCodeableConcept", {}))
    goal_id = next(iter(ids_of(found.get("focus", ()), "Goal")), None)
    if level is None or goal_id is None:
        return None
    return AttainedTold(
        id=found["id"],
        goal=goal_id,
        level=level,
        by=next((target(each) for each in found.get("performer", ())), None),
        at=found.get("effectiveDateTime"),
        fhir={"attainment": f"Observation/{found['id']}", "goal": f"Goal/{goal_id}"},
    )
