"""Homework assigned: CarePlan, ServiceRequest and Task from a library activity. https://hl7.org/fhir/R4/task.html

The Task is the assignment; the ServiceRequest is the prescription behind it, because only a request may be what results
are based on; the CarePlan lists the prescription, which does not point back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fhir_mappings.assignment import form_type
from fhir_mappings.observation import DEFAULT_LABELS
from schemas.library import BASE, canonical

_TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
_PLAN_CATEGORIES: Final = (
    {"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]},
    {"coding": [{"system": f"{BASE}/CodeSystem/careplan-category", "code": "therapy-homework"}]},
)
_COUNSELLING: Final = {"system": "http://snomed.info/sct", "code": "409063005", "display": "Counseling"}


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a therapist and a client agreed on: who, which activity, from when to when; without an end it stays open.

    The activity is one of the library, or looks like one: `title` and `code`, but no `url`.
    """

    patient: str
    practitioner: str
    activity: Mapping[str, Any]
    start: str
    end: str | None
    now: str

    @property
    def period(self) -> dict[str, str]:
        """From when to when."""
        return {"start": self.start} | ({"end": self.end} if self.end is not None else {})


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
    activity = assignment.activity
    body: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "meta": {"security": list(DEFAULT_LABELS)},
        **({"instantiatesCanonical": [canonical(activity)]} if "url" in activity else {}),
        "status": "active",
        "intent": "order",
        "category": [{"coding": [_COUNSELLING]}],
        "code": activity["code"],
        "subject": {"reference": assignment.patient},
    }
    bounds = {"boundsPeriod": assignment.period}
    repeat = activity.get("timingTiming", {}).get("repeat", {})
    repeat = {name: value for name, value in repeat.items() if not name.startswith("bounds")}
    body["occurrenceTiming"] = {"repeat": {**bounds, **repeat}}
    body["authoredOn"] = assignment.now
    body["requester"] = {"reference": assignment.practitioner}
    body["performer"] = [{"reference": assignment.patient}]
    if "usage" in activity:
        body["patientInstruction"] = activity["usage"]
    return body


def task(assignment: Assignment, request: str) -> dict[str, Any]:
    """The assignment, ready for the client: the form to fill in if there is one, why and how."""
    activity = assignment.activity
    form = questionnaire_of(activity)
    kinds = [*form_type("complete-questionnaire")["coding"], *activity["code"]["coding"]]
    inputs = [{"type": form_type("questionnaire"), "valueCanonical": form}] if form else []
    inputs += [
        {"type": {"coding": [{"system": _TASK_IO, "code": code}]}, "valueMarkdown": activity[name]}
        for code, name in (("rationale", "purpose"), ("instruction", "usage"))
        if name in activity
    ]
    return {
        "resourceType": "Task",
        "meta": {"security": list(DEFAULT_LABELS)},
        **({"instantiatesCanonical": canonical(activity)} if "url" in activity else {}),
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
        "owner": {"reference": assignment.patient},
        "restriction": {"period": assignment.period},
        **({"input": inputs} if inputs else {}),
    }
