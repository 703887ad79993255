"""New homework as the resources that it is: prescription, assignment, and the plan that lists it. https://hl7.org/fhir/R4/careplan.html"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings import prescription
from fhir_mappings.homework_api import dose as doses
from fhir_mappings.homework_api.assignment import REPLACES, TASK_IO
from fhir_mappings.homework_api.element import to
from fhir_mappings.prescription import Assignment
from schemas.homework import vocabulary
from schemas.homework.assignments import Material, NewAssignment
from schemas.library import canonical

JsonObject = dict[str, Any]
_STATUS: Final = MappingProxyType({"ready": "ready", "offer": "requested", "draft": "draft"})
_INTENT: Final = MappingProxyType({"ready": "order", "offer": "plan", "draft": "plan"})


def activity(new: NewAssignment, found: Mapping[str, Any] | None, form: Mapping[str, Any] | None) -> JsonObject:
    """What is to be done: an activity of the library with what the therapist changed, or words of their own."""
    texts = {"title": new.title, "description": new.title, "purpose": new.why, "usage": new.instructions}
    said = {name: text for name, text in texts.items() if text is not None}
    # A translation of the library's words would take the place of the therapist's.
    made = {name: value for name, value in (found or {}).items() if name.removeprefix("_") not in said} | said
    if new.type is not None or "code" not in made:
        made["code"] = {"coding": [vocabulary.coding("activity-type", new.type or "custom")]}
    made["code"] = {**made["code"], "text": made.get("title") or made["code"].get("text", "Homework")}
    if form is not None:
        kept = [each for each in made.get("relatedArtifact", ()) if each.get("type") != "depends-on"]
        made["relatedArtifact"] = [*kept, {"type": "depends-on", "resource": canonical(form)}]
    made.setdefault("title", made["code"]["text"])
    return made


def agreed(
    new: NewAssignment, activity: Mapping[str, Any], *, whose: str, giver: str, now: str, language: str | None
) -> Assignment:
    """What was agreed on; `whose` and `giver` are references, `language` is the client's."""
    return Assignment(
        patient=whose,
        practitioner=giver,
        activity=activity,
        start=new.starts or now,
        end=new.due,
        now=now,
        dose=None if new.dose is None else {"repeat": doses.repeat(new.dose)},
        goals=tuple(f"Goal/{each}" for each in new.goals or ()),
        encounter=None if new.session is None else f"Encounter/{new.session}",
        set=new.set,
        materials=tuple(_attachment(each) for each in new.materials or () if not each.alternative),
        language=language,
    )


def request(assignment: Assignment, new: NewAssignment) -> JsonObject:
    """The prescription."""
    made = prescription.service_request(assignment)
    return {**made, "intent": _INTENT[new.publish], "status": "draft" if new.publish == "draft" else "active"}


def task(assignment: Assignment, new: NewAssignment, request_reference: str, replaces: str | None = None) -> JsonObject:
    """The assignment; `replaces` is the id of the Task that it was made from."""
    made = prescription.task(assignment, request_reference)
    made["status"] = _STATUS[new.publish]
    if new.publish != "ready" or not assignment.practitioner.startswith("Practitioner/"):
        del made["businessStatus"]  # nobody agreed with anybody yet
    if replaces is not None:
        made["extension"] = [{"url": REPLACES, "valueReference": to("Task", replaces)}, *made.get("extension", ())]
    others = [_alternative(each) for each in new.materials or () if each.alternative]
    return {**made, "input": [*made.get("input", ()), *others]} if others else made


def _attachment(material: Material) -> JsonObject:
    found: JsonObject = {"contentType": material.content_type} if material.content_type else {}
    return found | {"url": material.url} | ({"title": material.title} if material.title else {})


def _alternative(material: Material) -> JsonObject:
    kind = {"coding": [{"system": TASK_IO, "code": "alternative-format"}]}
    return {"type": kind, "valueAttachment": _attachment(material)}


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
