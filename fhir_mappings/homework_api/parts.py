"""An assignment made into others: replaced by another one, or split into smaller pieces. https://hl7.org/fhir/R4/task.html"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fhir_mappings import reasons
from fhir_mappings.assignment import asked_for
from fhir_mappings.homework_api.assignment import STEP, TASK_IO, assignment, status_word
from fhir_mappings.homework_api.element import present, role
from fhir_mappings.lifecycle import TERMINAL
from fhir_mappings.occurrence import child
from schemas import dates
from schemas.homework.assignments import NewAssignment, Replacement, Step
from schemas.homework.model import Model

JsonObject = dict[str, Any]
_KEPT: Final = ("title", "type", "why", "instructions", "materials", "dose", "goals", "set", "session")


def instead(task: Mapping[str, Any], request: Mapping[str, Any] | None, body: Replacement) -> NewAssignment:
    """The new assignment: what it was, with what is said anew; its due date only if one is said."""
    was = _said(assignment(task, request, dates.PAST), _KEPT)
    if body.activity is not None:
        was = {name: value for name, value in was.items() if name in ("goals", "set", "session")}
    said = _said(body, [name for name in Replacement.model_fields if name not in ("note", "reason")])
    return NewAssignment.model_construct(**{**_EMPTY, **was, **said})


def _said(model: Model, names: Iterable[str]) -> dict[str, Any]:
    """The members that are there, as they are: a dose stays one."""
    return {name: value for name in names if (value := getattr(model, name)) is not None}


_EMPTY: Final = {name: field.default for name, field in NewAssignment.model_fields.items()}


def depends(task: Mapping[str, Any]) -> JsonObject:
    """The form that an assignment asks for, as an activity names it."""
    form = next(asked_for(task), None)
    return {"relatedArtifact": [{"type": "depends-on", "resource": form}]} if form else {}


def replaced(task: JsonObject, reason: str | None) -> JsonObject:
    """The assignment that another one takes the place of; one that is over stays what it became."""
    if task["status"] in TERMINAL:
        return {**task, "businessStatus": status_word(task, "carried-over")}
    said = {"statusReason": {**reasons.of("carried-over"), **present(text=reason)}}
    return {**task, "status": "cancelled", "businessStatus": status_word(task, "carried-over"), **said}


def step(task: Mapping[str, Any], number: int, said: Step, now: str) -> JsonObject:
    """One smaller piece of an assignment."""
    made = child(task, task["id"], STEP, str(number), now)
    made["code"] = {**made.get("code", {}), "text": said.title}
    made["description"] = said.title
    made["intent"] = "order"
    if said.instructions is not None:
        kept = [each for each in made.get("input", ()) if role(each, TASK_IO) != "instruction"]
        instruction = {"coding": [{"system": TASK_IO, "code": "instruction"}]}
        made["input"] = [*kept, {"type": instruction, "valueMarkdown": said.instructions}]
    window = {**task.get("restriction", {}).get("period", {}), **present(start=said.starts, end=said.due)}
    return {**made, "restriction": {"period": window}} if window else made
