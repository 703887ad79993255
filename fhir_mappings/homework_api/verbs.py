"""What can be done with an assignment: one row for each verb. Docs: docs/homework.md, "Lifecycle"."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings import reasons
from fhir_mappings.homework_api import intention as intentions
from fhir_mappings.homework_api.assignment import TASK_IO, status_word
from fhir_mappings.homework_api.element import role
from fhir_mappings.lifecycle import TERMINAL
from schemas.homework import assignments as models
from schemas.homework import vocabulary

JsonObject = dict[str, Any]
_ELSE: Final = "*"


class Impossible(Exception):
    """The verb does not apply to an assignment that stands where this one does."""


@dataclass(frozen=True, slots=True)
class Saying:
    """Who says it and when."""

    now: str
    author: str | None
    """The person, as `Patient/123`; None for an app that speaks for itself."""


Apply = Callable[[JsonObject, Any, Saying], JsonObject]


@dataclass(frozen=True, slots=True)
class Verb:
    """`to` is the status that it leads to, or one by the status that the assignment has now."""

    body: type[models.Said]
    to: Mapping[str, str] | str | None
    business: str | None = None
    apply: Apply | None = None


def said(verb: Verb, task: Mapping[str, Any], body: models.Said, saying: Saying) -> JsonObject:
    """The Task after the verb. Raises Impossible where it would say again what it says already."""
    changed = dict(task)
    if verb.to is not None:
        status = _status(verb.to, task)
        if status == task["status"]:
            raise Impossible
        changed = _moved(task, status)
    if verb.business is not None:
        changed["businessStatus"] = status_word(task, verb.business)
    if verb.apply is not None:
        changed = verb.apply(changed, body, saying)
    return noted(changed, body.note, saying)


def _moved(task: Mapping[str, Any], status: str) -> JsonObject:
    """The Task in another state, without the reason of the one it was in; what rested goes on as what it was."""
    if task["status"] == "on-hold" and status == "ready":
        return {name: value for name, value in reasons.resumed(task, "").items() if name != "lastModified"}
    return {**{name: value for name, value in task.items() if name != "statusReason"}, "status": status}


def _status(to: Mapping[str, str] | str, task: Mapping[str, Any]) -> str:
    if isinstance(to, str):
        return to
    found = to.get(task["status"], to.get(_ELSE))
    if found is None:
        raise Impossible
    return found


def noted(task: JsonObject, text: str | None, saying: Saying) -> JsonObject:
    """The Task with one more note."""
    if text is None:
        return task
    author = {"authorReference": {"reference": saying.author}} if saying.author else {}
    return {**task, "note": [*task.get("note", ()), {**author, "time": saying.now, "text": text}]}


def progressed(plan: JsonObject, task: Mapping[str, Any], text: str, saying: Saying) -> JsonObject:
    """The CarePlan with what was said in a session of the homework that this Task is."""
    requests = {each.get("reference") for each in task.get("basedOn", ())}
    author = {"authorReference": {"reference": saying.author}} if saying.author else {}
    said = {**author, "time": saying.now, "text": text}
    return {
        **plan,
        "activity": [
            {**each, "progress": [*each.get("progress", ()), said]}
            if each.get("reference", {}).get("reference") in requests
            else each
            for each in plan.get("activity", ())
        ],
    }


def reason(barrier: models.Barrier) -> JsonObject:
    """Task.statusReason of a barrier."""
    found: JsonObject = {}
    if barrier.code is not None:
        found["coding"] = [vocabulary.coding("barrier", barrier.code)]
    if barrier.text is not None:
        found["text"] = barrier.text
    return found


def output(name: str, **value: Any) -> JsonObject:
    """One thing that came of an assignment."""
    return {"type": {"coding": [{"system": TASK_IO, "code": name}]}, **value}


def _completed(task: JsonObject, body: models.Completion, saying: Saying) -> JsonObject:
    ended = body.at or saying.now
    started = body.started_at or task.get("executionPeriod", {}).get("start") or ended
    changed = {
        **task,
        "businessStatus": status_word(task, "partially-done" if body.partly else "done"),
        "executionPeriod": {"start": started, "end": ended},
    }
    if body.reflection is None:
        return changed
    kept = [each for each in task.get("output", ()) if role(each, TASK_IO) != "reflection"]
    return {**changed, "output": [*kept, output("reflection", valueMarkdown=body.reflection)]}


def _with_barrier(task: JsonObject, body: models.Reason, _saying: Saying) -> JsonObject:
    return {**task, "statusReason": reason(body.barrier)}


def _paused(task: JsonObject, body: models.Pause, _saying: Saying) -> JsonObject:
    said = reason(body.barrier)
    return {**task, "statusReason": said if body.until is None else reasons.until(said, body.until)}


def _withdrawn(task: JsonObject, body: models.Withdrawal, _saying: Saying) -> JsonObject:
    return {**task, "statusReason": {"text": body.reason}}


def _extended(task: JsonObject, body: models.Extension, _saying: Saying) -> JsonObject:
    if task["status"] in TERMINAL:
        raise Impossible
    restriction = task.get("restriction", {})
    return {**task, "restriction": {**restriction, "period": {**restriction.get("period", {}), "end": body.due}}}


def _intended(task: JsonObject, body: models.Intending, _saying: Saying) -> JsonObject:
    if task["status"] in TERMINAL:
        raise Impossible
    return intentions.intended(task, body)


def _reviewed(task: JsonObject, _body: models.Review, _saying: Saying) -> JsonObject:
    if task["status"] not in TERMINAL:
        raise Impossible
    return task


VERBS: Final[Mapping[str, Verb]] = MappingProxyType(
    {
        "publish": Verb(models.Said, {"draft": "ready"}),
        "offer": Verb(models.Said, {"draft": "requested"}),
        "accept": Verb(models.Said, "accepted"),
        "start": Verb(models.Said, "in-progress", "started"),
        "complete": Verb(models.Completion, "completed", None, _completed),
        "decline": Verb(
            models.Reason, {"in-progress": "failed", "on-hold": "failed", _ELSE: "rejected"}, None, _with_barrier
        ),
        "pause": Verb(models.Pause, "on-hold", None, _paused),
        "resume": Verb(models.Said, {"on-hold": "ready"}),
        "withdraw": Verb(models.Withdrawal, "cancelled", None, _withdrawn),
        "review": Verb(models.Review, None, "reviewed", _reviewed),
        "extend": Verb(models.Extension, None, None, _extended),
        "intend": Verb(models.Intending, None, None, _intended),
        "note": Verb(models.Said, None),
    }
)
"""What can be done with an assignment by its address, `/assignments/{id}/{verb}`."""
