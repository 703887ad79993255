"""Homework assigned: CarePlan, ServiceRequest and Task from a library activity. https://hl7.org/fhir/R4/task.html

The Task is the assignment; the ServiceRequest is the prescription behind it, because only a request may be what results
are based on; the CarePlan lists the prescription, which does not point back.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fhir_mappings.assignment import form_type
from fhir_mappings.observation import DEFAULT_LABELS
from schemas.library import BASE, canonical, localised

_TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
_PLAN_CATEGORIES: Final = (
    {"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]},
    {"coding": [{"system": f"{BASE}/CodeSystem/careplan-category", "code": "therapy-homework"}]},
)
_COUNSELLING: Final = {"system": "http://snomed.info/sct", "code": "409063005", "display": "Counseling"}


_FORMAT: Final = f"{BASE}/CodeSystem/homework-format"
_FORMATS: Final = frozenset(("text", "app", "print", "audio", "video", "voice", "drawing", "together", "unseen"))
_SET: Final = f"{BASE}/NamingSystem/homework-set"
_GOAL: Final = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a therapist and a client agreed on: who, which activity, from when to when; without an end it stays open.

    The activity is one of the library, or looks like one: `title` and `code`, but no `url`. `patient` may be a Group, whose
    members each get a share. What has a default is said only where it was agreed on.
    """

    patient: str
    practitioner: str
    activity: Mapping[str, Any]
    start: str
    end: str | None
    now: str
    dose: Mapping[str, Any] | None = None
    """A Timing instead of the activity's; its bounds are from `start` to `end` all the same."""
    goals: tuple[str, ...] = ()
    """References to the Goals that it works towards, the main one first."""
    encounter: str | None = None
    """The session in which it was agreed on."""
    set: str | None = None
    """What was agreed on together, such as session-3."""
    materials: tuple[Mapping[str, Any], ...] = ()
    """Attachments of this assignment's own."""
    language: str | None = None
    """The client's (BCP 47): what the activity says in it, it says in it."""

    @property
    def period(self) -> dict[str, str]:
        """From when to when."""
        return {"start": self.start} | ({"end": self.end} if self.end is not None else {})

    @property
    def is_group(self) -> bool:
        """Whether it is for a Group."""
        return self.patient.startswith("Group/")

    @property
    def words(self) -> Mapping[str, Any]:
        """The activity in the client's language."""
        return self.activity if self.language is None else localised(self.activity, self.language)


def assign(assignment: Assignment, ids: Callable[[], str]) -> dict[str, Any]:
    """A transaction Bundle that creates the CarePlan, ServiceRequest and Task of an assignment; `ids` gives UUIDs."""
    request_url, task_url, plan_url = (f"urn:uuid:{ids()}" for _ in range(3))
    entries = (
        (request_url, service_request(assignment)),
        (task_url, task(assignment, request_url)),
        (plan_url, care_plan(assignment, request_url)),
    )
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": body, "request": {"method": "POST", "url": body["resourceType"]}}
            for url, body in entries
        ],
    }


def questionnaire_of(activity: Mapping[str, Any]) -> str | None:
    """The canonical of the form that an activity depends on."""
    for artifact in activity.get("relatedArtifact", ()):
        target = artifact.get("resource", "")
        if artifact.get("type") == "depends-on" and "/Questionnaire/" in target:
            return str(target)
    return None


def care_plan(assignment: Assignment, request: str) -> dict[str, Any]:
    """The plan of the work between sessions, listing the request."""
    return {
        "resourceType": "CarePlan",
        "meta": {"security": list(DEFAULT_LABELS)},
        "status": "active",
        "intent": "plan",
        "category": list(_PLAN_CATEGORIES),
        "title": "Between-session work",
        "subject": {"reference": assignment.patient},
        "period": assignment.period,
        "created": assignment.now,
        "author": {"reference": assignment.practitioner},
        "activity": [{"reference": {"reference": request}}],
    }


def service_request(assignment: Assignment) -> dict[str, Any]:
    """The prescription: what, how often, between which days, and what the client reads."""
    activity = assignment.words
    body: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "meta": {"security": list(DEFAULT_LABELS)},
        **_instantiates([canonical(activity)] if "url" in activity else None),
        "status": "active",
        "intent": "order",
        "category": [{"coding": [_COUNSELLING]}],
        "code": activity["code"],
        "subject": {"reference": assignment.patient},
        "occurrenceTiming": _timing(assignment),
        "authoredOn": assignment.now,
        "requester": {"reference": assignment.practitioner},
    }
    if not assignment.is_group:
        body["performer"] = [{"reference": assignment.patient}]
    if "usage" in activity:
        body["patientInstruction"] = activity["usage"]
    return body | _agreed(assignment)


def _instantiates(canonicals: Any) -> dict[str, Any]:
    return {"instantiatesCanonical": canonicals} if canonicals else {}


def _timing(assignment: Assignment) -> dict[str, Any]:
    """How often, between the days that were agreed on."""
    dose = assignment.activity.get("timingTiming", {}) if assignment.dose is None else assignment.dose
    repeat = {name: value for name, value in dose.get("repeat", {}).items() if not name.startswith("bounds")}
    return {**dose, "repeat": {"boundsPeriod": assignment.period, **repeat}}


def _agreed(assignment: Assignment) -> dict[str, Any]:
    """The session and the goals, as both the prescription and the assignment have them."""
    found: dict[str, Any] = {}
    if assignment.goals:
        found["extension"] = [{"url": _GOAL, "valueReference": {"reference": goal}} for goal in assignment.goals]
    if assignment.encounter is not None:
        found["encounter"] = {"reference": assignment.encounter}
    return found


def task(assignment: Assignment, request: str) -> dict[str, Any]:
    """The assignment, ready for the client: the form to fill in if there is one, why, how, with what."""
    activity = assignment.words
    form = questionnaire_of(activity)
    kinds = [*form_type("complete-questionnaire")["coding"], *activity["code"]["coding"]]
    inputs = [{"type": form_type("questionnaire"), "valueCanonical": form}] if form else []
    inputs += _inputs(activity, assignment.materials)
    body: dict[str, Any] = {
        "resourceType": "Task",
        "meta": {"security": list(DEFAULT_LABELS)},
        **_instantiates(canonical(activity) if "url" in activity else None),
        "basedOn": [{"reference": request}],
        "status": "ready",
        "businessStatus": {"coding": [{"system": f"{BASE}/CodeSystem/homework-business-status", "code": "agreed"}]},
        "intent": "order",
        "priority": "routine",
        "code": {"coding": kinds, "text": activity["title"]} if form else activity["code"],
        "description": activity.get("description", activity["title"]),
        "for": {"reference": assignment.patient},
        "authoredOn": assignment.now,
        "lastModified": assignment.now,
        "requester": {"reference": assignment.practitioner},
        "owner": {"reference": assignment.practitioner if assignment.is_group else assignment.patient},
        "restriction": {"period": assignment.period},
    }
    if assignment.is_group:
        body["restriction"] = {"period": assignment.period, "recipient": [{"reference": assignment.patient}]}
    if assignment.language is not None and "language" in activity:
        body["language"] = activity["language"]  # which may be another: not everything is translated
    if assignment.set is not None:
        body["groupIdentifier"] = {"system": _SET, "value": assignment.set}
    if assignment.goals:
        body["reasonReference"] = {"reference": assignment.goals[0]}
    return body | _agreed(assignment) | ({"input": inputs} if inputs else {})


def _inputs(activity: Mapping[str, Any], materials: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Why and how, in which other forms it can be done, and what there is to read, hear or see."""
    found = [
        _input(code, valueMarkdown=activity[name])
        for code, name in (("rationale", "purpose"), ("instruction", "usage"))
        if name in activity
    ]
    documents = (each for each in activity.get("relatedArtifact", ()) if each.get("type") == "documentation")
    return [
        *found,
        *map(_documentation, documents),
        *(_input("material", valueAttachment=dict(each)) for each in materials),
    ]


def _documentation(artifact: Mapping[str, Any]) -> dict[str, Any]:
    """A document, an example in words, or a form in which the activity can be done instead."""
    label, text = artifact.get("label", ""), artifact.get("display", "")
    kind = "example" if label == "example" else "alternative-format" if label else "material"
    document = dict(artifact.get("document", {})) | ({"url": artifact["url"]} if "url" in artifact else {})
    if document:
        return _input(kind, valueAttachment={**document, **({"title": text} if text else {})})
    if kind == "example":
        return _input(kind, valueString=text)
    coding = [{"system": _FORMAT, "code": label}] if label in _FORMATS else []
    return _input(kind, valueCodeableConcept={**({"coding": coding} if coding else {}), "text": text or label})


def _input(code: str, **value: Any) -> dict[str, Any]:
    return {"type": {"coding": [{"system": _TASK_IO, "code": code}]}, **value}
