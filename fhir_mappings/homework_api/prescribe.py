"""New homework as the resources that it is: prescription, assignment, and the plan that lists it. https://hl7.org/fhir/R4/careplan.html"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings import prescription
from fhir_mappings.homework_api import dose as doses
from fhir_mappings.homework_api.assignment import GOAL, REPLACES, TASK_IO
from fhir_mappings.homework_api.element import to
from fhir_mappings.prescription import Assignment
from schemas.homework import vocabulary
from schemas.homework.assignments import Material, NewAssignment
from schemas.library import BASE, canonical

JsonObject = dict[str, Any]
SET: Final = f"{BASE}/NamingSystem/homework-set"
_STATUS: Final = MappingProxyType({"ready": "ready", "offer": "requested", "draft": "draft"})
_INTENT: Final = MappingProxyType({"ready": "order", "offer": "plan", "draft": "plan"})


def activity(new: NewAssignment, found: Mapping[str, Any] | None, form: Mapping[str, Any] | None) -> JsonObject:
    """What is to be done: an activity of the library with what the therapist changed, or words of their own."""
    made = dict(found or {})
    texts = {"title": new.title, "purpose": new.why, "usage": new.instructions}
    made |= {name: text for name, text in texts.items() if text is not None}
    if new.title is not None:
        made["description"] = new.title
    if new.type is not None or "code" not in made:
        made["code"] = {"coding": [vocabulary.coding("activity-type", new.type or "custom")]}
    made["code"] = {**made["code"], "text": made.get("title") or made["code"].get("text", "Homework")}
    if new.dose is not None:
        made["timingTiming"] = {"repeat": doses.repeat(new.dose)}
    if form is not None:
        kept = [each for each in made.get("relatedArtifact", ()) if each.get("type") != "depends-on"]
        made["relatedArtifact"] = [*kept, {"type": "depends-on", "resource": canonical(form)}]
    made.setdefault("title", made["code"]["text"])
    return made


def request(assignment: Assignment, new: NewAssignment) -> JsonObject:
    """The prescription."""
    made = prescription.service_request(assignment)
    made["intent"] = _INTENT[new.publish]
    made["status"] = "draft" if new.publish == "draft" else "active"
    if is_groups(assignment):
        made.pop("performer", None)  # a group is no performer; its members are, of their shares
    return _about(made, new)


def is_groups(assignment: Assignment) -> bool:
    """Whether it is the homework of a group."""
    return assignment.patient.startswith("Group/")


def task(assignment: Assignment, new: NewAssignment, request_reference: str, replaces: str | None = None) -> JsonObject:
    """The assignment; `replaces` is the id of the Task that it was made from."""
    made = prescription.task(assignment, request_reference)
    made["status"] = _STATUS[new.publish]
    if new.publish != "ready" or not assignment.practitioner.startswith("Practitioner/"):
        del made["businessStatus"]  # nobody agreed with anybody yet
    if is_groups(assignment):
        made["owner"] = {"reference": assignment.practitioner}
        made["restriction"] = {**made["restriction"], "recipient": [{"reference": assignment.patient}]}
    if replaces is not None:
        made["extension"] = [{"url": REPLACES, "valueReference": to("Task", replaces)}]
    if new.goals is not None:
        made["reasonReference"] = to("Goal", new.goals[0])
    if new.set is not None:
        made["groupIdentifier"] = {"system": SET, "value": new.set}
    if new.materials is not None:
        made["input"] = [*made.get("input", ()), *map(_material, new.materials)]
    return _about(made, new)


def _about(made: JsonObject, new: NewAssignment) -> JsonObject:
    """The session and the goals, as both the prescription and the assignment have them."""
    if new.session is not None:
        made["encounter"] = to("Encounter", new.session)
    if new.goals is not None:
        goals = [{"url": GOAL, "valueReference": to("Goal", each)} for each in new.goals]
        made["extension"] = [*made.get("extension", ()), *goals]
    return made


def _material(material: Material) -> JsonObject:
    attachment: JsonObject = {"contentType": material.content_type} if material.content_type else {}
    attachment |= {"url": material.url} | ({"title": material.title} if material.title else {})
    kind = "alternative-format" if material.alternative else "material"
    return {"type": {"coding": [{"system": TASK_IO, "code": kind}]}, "valueAttachment": attachment}


def plan(assignment: Assignment, requests: Sequence[str]) -> JsonObject:
    """A new plan of the work between sessions that lists these requests."""
    made = prescription.care_plan(assignment, requests[0])
    # It goes on when this one piece of it is over.
    return {**made, "period": {"start": assignment.start}, "activity": _activities(requests)}


def listed(found: Mapping[str, Any], requests: Sequence[str]) -> JsonObject:
    """The plan with these requests at its end."""
    return {**found, "activity": [*found.get("activity", ()), *_activities(requests)]}


def _activities(requests: Sequence[str]) -> list[JsonObject]:
    return [{"reference": {"reference": each}} for each in requests]
