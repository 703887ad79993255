"""A Task and the request behind it as an assignment. https://hl7.org/fhir/R4/task.html"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings import occurrence, reasons, timing
from fhir_mappings.assignment import asked_for
from fhir_mappings.homework_api import dose as doses
from fhir_mappings.homework_api import intention as intentions
from fhir_mappings.homework_api.element import code, extensions, id_of, ids_of, present, role, target, words
from fhir_mappings.lifecycle import BUSINESS_STATUS, business_status
from schemas import dates
from schemas.homework import vocabulary
from schemas.homework.assignments import Assignment, Barrier, Material
from schemas.homework.model import Note, Ratio
from schemas.library import BASE

JsonObject = dict[str, Any]
REPLACES: Final = "http://hl7.org/fhir/StructureDefinition/task-replaces"
GOAL: Final = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
STEP: Final = f"{BASE}/NamingSystem/homework-step"
"""Identifiers of the pieces that an assignment is split into: `{Task id}/{number}`."""
TASK_IO: Final = vocabulary.system("task-io")
_UNTIMED: Final = MappingProxyType(
    {
        "draft": "draft",
        "requested": "offered",
        "received": "offered",
        "on-hold": "paused",
        "completed": "done",
        "failed": "not-finished",
        "rejected": "declined",
        "cancelled": "withdrawn",
        "entered-in-error": "in-error",
    }
)
"""The states that do not depend on the time."""
_FINER: Final = MappingProxyType({("completed", "partially-done"): "partly-done", ("cancelled", "missed"): "missed"})


def assignment(task: Mapping[str, Any], request: Mapping[str, Any] | None, now: datetime) -> Assignment:
    """The assignment that a Task is, with what its ServiceRequest says where there is one."""
    behind, inputs, outputs = request or {}, task.get("input", ()), task.get("output", ())
    period = task.get("restriction", {}).get("period", {})
    return Assignment(
        id=task["id"],
        kind=kind(task, request),
        state=state(task, now),
        title=_title(task),
        client=id_of(task.get("for"), "Patient"),
        group=id_of(task.get("for"), "Group"),
        therapist=target(task.get("requester")),
        type=code(task.get("code"), vocabulary.system("activity-type")),
        activity=task.get("instantiatesCanonical"),
        form=next(asked_for(task), None),
        why=_said(inputs, "rationale"),
        instructions=_said(inputs, "instruction") or behind.get("patientInstruction"),
        materials=_materials(inputs),
        dose=doses.dose(behind.get("occurrenceTiming", {})),
        starts=period.get("start"),
        due=period.get("end"),
        paused_until=reasons.paused_until(task),
        part_of=next(iter(ids_of(task.get("partOf", ()), "Task")), None),
        replaces=next((id_of(each.get("valueReference"), "Task") for each in extensions(task, REPLACES)), None),
        goals=goals(task, behind) or None,
        set=task.get("groupIdentifier", {}).get("value"),
        session=id_of(task.get("encounter"), "Encounter"),
        started_at=task.get("executionPeriod", {}).get("start"),
        ended_at=task.get("executionPeriod", {}).get("end"),
        intention=intentions.intention(task),
        barrier=barrier(task.get("statusReason")),
        reviewed=True if is_reviewed(task) else None,
        progress=_progress(outputs),
        reflection=_said(outputs, "reflection"),
        notes=tuple(map(_note, task.get("note", ()))) or None,
        answers=answers(task) or None,
        version=int(task["meta"]["versionId"]),
        changed_at=task["meta"]["lastUpdated"],
        fhir=_references(task, behind),
    )


def kind(task: Mapping[str, Any], request: Mapping[str, Any] | None) -> str:
    """One of schemas.homework.assignments.KINDS."""
    if occurrence.is_occurrence(task):
        return "occurrence"
    if occurrence.named(task, STEP) is not None:
        return "step"
    return "series" if timing.repeats((request or {}).get("occurrenceTiming", {})) else "single"


def state(task: Mapping[str, Any], now: datetime) -> str:
    """Where it stands, in the words of schemas.homework.assignments.STATES."""
    status = str(task.get("status"))
    finer = _FINER.get((status, business_status(task) or ""))
    if finer or status in _UNTIMED:
        return finer or _UNTIMED[status]
    period = task.get("restriction", {}).get("period", {})
    if not period.get("start") and not period.get("end"):
        return "anytime"
    window = dates.period(period.get("start"), period.get("end"))
    if window.hi <= now:
        return "overdue"
    if status == "in-progress":
        return "started"
    return "upcoming" if window.lo > now else "due"


def barrier(reason: Mapping[str, Any] | None) -> Barrier | None:
    """Why something is as it is: the code where it is one of ours, else its words."""
    if not reason:
        return None
    found = code(reason, vocabulary.system("barrier"))
    known = found if found in vocabulary.BARRIERS else None
    text = reason.get("text") or (None if known else words(reason) or found)
    return Barrier.model_construct(code=known, text=text) if known or text else None


def goals(task: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[str, ...]:
    """The Goals that it works towards, each once."""
    named = [each.get("valueReference") for holder in (task, request) for each in extensions(holder, GOAL)]
    return tuple(dict.fromkeys(ids_of([each for each in (task.get("reasonReference"), *named) if each], "Goal")))


def answers(task: Mapping[str, Any]) -> tuple[str, ...]:
    """The answers that hang on it."""
    held = [each["valueReference"] for each in task.get("output", ()) if "valueReference" in each]
    return ids_of(held, "QuestionnaireResponse")


def _title(task: Mapping[str, Any]) -> str:
    concept = task.get("code", {})
    return str(concept.get("text") or task.get("description") or words(concept) or "Homework")


def _said(entries: Sequence[Mapping[str, Any]], name: str) -> str | None:
    for each in entries:
        if role(each, TASK_IO) == name:
            return each.get("valueMarkdown") or each.get("valueString")
    return None


def _materials(inputs: Sequence[Mapping[str, Any]]) -> tuple[Material, ...] | None:
    found = []
    for each in inputs:
        kind = role(each, TASK_IO)
        url = each.get("valueAttachment", {}).get("url") or each.get("valueUrl")
        if kind in ("material", "alternative-format", "example") and str(url).startswith(("http://", "https://")):
            attachment = each.get("valueAttachment", {})
            found.append(
                Material.model_construct(
                    title=attachment.get("title"),
                    url=url,
                    content_type=attachment.get("contentType"),
                    alternative=kind == "alternative-format",
                )
            )
    return tuple(found) or None


def _progress(outputs: Sequence[Mapping[str, Any]]) -> Ratio | None:
    for each in outputs:
        if role(each, TASK_IO) == "progress" and "valueRatio" in each:
            ratio = each["valueRatio"]
            return Ratio(done=ratio["numerator"]["value"], planned=int(ratio["denominator"]["value"]))
    return None


def _note(note: Mapping[str, Any]) -> Note:
    by = target(note.get("authorReference")) or note.get("authorString")
    return Note.model_construct(text=note["text"], by=by, at=note.get("time"))


def _references(task: Mapping[str, Any], request: Mapping[str, Any]) -> JsonObject:
    requests = [f"ServiceRequest/{each}" for each in ids_of(task.get("basedOn", ()), "ServiceRequest")]
    return present(
        task=f"Task/{task['id']}",
        request=f"ServiceRequest/{request['id']}" if request else next(iter(requests), None),
        answers=tuple(f"QuestionnaireResponse/{each}" for each in answers(task)),
        goals=tuple(f"Goal/{each}" for each in goals(task, request)),
    )


def status_word(task: Mapping[str, Any], said: str) -> JsonObject:
    """Task.businessStatus that says this; that a part was done, or nothing, stays said before it."""
    kept = [each for each in (business_status(task),) if each in _LASTING and said in _AFTERWARDS]
    return {"coding": [{"system": BUSINESS_STATUS, "code": each} for each in (*kept, said)]}


_LASTING: Final = ("partially-done", "missed")
_AFTERWARDS: Final = ("reviewed", "carried-over")


def is_reviewed(task: Mapping[str, Any]) -> bool:
    """Whether it was talked through."""
    codings = task.get("businessStatus", {}).get("coding", ())
    return any((each.get("system"), each.get("code")) == (BUSINESS_STATUS, "reviewed") for each in codings)
