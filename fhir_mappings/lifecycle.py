"""The states of an assignment: which may follow which, who may bring it about, and what must be said with it.

https://hl7.org/fhir/R4/task.html#statemachine gives the states; who may do what is Hearth's (docs/homework.md, "Lifecycle").
"""

from collections.abc import Iterator, Mapping
from enum import Flag, auto
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.library import BASE

JsonObject = dict[str, Any]


class Actor(Flag):
    """Who changes a Task. A system client without a person speaks for clients and therapists alike."""

    CLIENT = auto()
    THERAPIST = auto()
    SERVICE = auto()
    SYSTEM = CLIENT | THERAPIST


_C, _T, _S = Actor.CLIENT, Actor.THERAPIST, Actor.SERVICE
_ANY: Final = _C | _T | _S

ACTIVITY_TYPE: Final = f"{BASE}/CodeSystem/homework-activity-type"
BUSINESS_STATUS: Final = f"{BASE}/CodeSystem/homework-business-status"
STAFF_CODES: Final = frozenset(("clinician-risk-review", "plan-review", "review-proposal"))
"""Activity types of what is the therapist's to do: no assignment."""
TERMINAL: Final = frozenset(("completed", "failed", "cancelled", "rejected", "entered-in-error"))
"""The states that nothing leaves, but to say that it was entered in error."""
REASONED: Final = frozenset(("rejected", "on-hold", "failed", "cancelled"))
"""The states that need a statusReason."""
UNSEEN: Final = frozenset(("draft", "entered-in-error"))
"""The states in which an assignment is hidden from its client."""
CLIENT_BUSINESS_STATUS: Final = frozenset(("started", "partially-done", "done"))
"""What a client says of where an assignment stands; the rest is the therapist's or the server's to say."""

_FIRST: Final[Mapping[str, Actor]] = MappingProxyType(
    {
        "draft": _T | _S,
        "requested": _ANY,
        "received": _T | _S,
        "accepted": _T | _S,
        "ready": _ANY,
        "in-progress": _T | _S,
        "on-hold": _T | _S,
        "completed": _T | _S,
        "failed": _T | _S,
        "cancelled": _T | _S,
        "rejected": _T | _S,
        "entered-in-error": _T | _S,
    }
)
"""Who may make an assignment in which state: what was done elsewhere is written down in the state it reached."""

_OFFERED: Final = {
    "accepted": _C | _S,
    "rejected": _C,
    "in-progress": _C,
    "on-hold": _C | _T,
    "completed": _C | _T | _S,
    "cancelled": _T | _S,
}
TRANSITIONS: Final[Mapping[str, Mapping[str, Actor]]] = MappingProxyType(
    {
        "draft": {"ready": _T | _S, "requested": _T | _S, "cancelled": _T | _S},
        "requested": _OFFERED,
        "received": _OFFERED,
        "accepted": {
            "ready": _T | _S,
            "in-progress": _C | _S,
            "on-hold": _C | _T | _S,
            "rejected": _C,
            "completed": _C | _T | _S,
            "cancelled": _T | _S,
        },
        "ready": {
            "in-progress": _C | _S,
            "completed": _C | _T | _S,
            "on-hold": _C | _T | _S,
            "rejected": _C,
            "cancelled": _T | _S,
        },
        "in-progress": {
            "completed": _C | _T | _S,
            "failed": _C | _S,
            "on-hold": _C | _T | _S,
            "ready": _T,
            "cancelled": _T | _S,
        },
        "on-hold": {
            "ready": _C | _T | _S,
            "accepted": _C | _T | _S,
            "requested": _T | _S,
            "in-progress": _C | _T | _S,
            "completed": _C | _T | _S,
            "failed": _C | _S,
            "cancelled": _T | _S,
        },
    }
)
"""From a state to the next, by whom. To entered-in-error leads every state, for therapists."""


class Fault(NamedTuple):
    """Why a change of an assignment is refused: where, in which words, and its stable code."""

    expression: str
    sentence: str
    details_code: str


def is_assignment(task: Mapping[str, Any]) -> bool:
    """Whether the Task is a client's work: a client, or who acts for one, owns it, or its code is a kind of homework."""
    codes = {each.get("code") for each in _codings(task.get("code")) if each.get("system") == ACTIVITY_TYPE}
    if codes & STAFF_CODES:
        return False
    return bool(codes) or task.get("owner", {}).get("reference", "").startswith(("Patient/", "RelatedPerson/"))


def allowed(status: str, actor: Actor) -> list[str]:
    """The states that `actor` may bring an assignment to from `status`, in the order of the table."""
    found = [to for to, who in TRANSITIONS.get(status, {}).items() if who & actor]
    return [*found, "entered-in-error"] if actor & _T and status != "entered-in-error" else found


def faults(before: Mapping[str, Any] | None, after: Mapping[str, Any], actor: Actor) -> Iterator[Fault]:
    """What is wrong with making `after` of `before` (None for a new assignment)."""
    was, status = (None if before is None else before.get("status")), str(after.get("status"))
    if was is None:
        if not _FIRST.get(status, _ANY) & actor:
            yield Fault("Task.status", f"A client begins an assignment as requested or ready, not {status}", _REFUSED)
    elif was != status:
        yield from _moved(str(was), status, after, actor)
    elif status in TERMINAL:
        yield from _ended(before or {}, after, actor)
    if status in REASONED and was != status and not after.get("statusReason"):
        sentence = f"Say why with a statusReason: {status} needs one, coded (CodeSystem/homework-barrier) or in words"
        yield Fault("Task.statusReason", sentence, "status-reason-required")
    if actor is Actor.CLIENT:
        yield from _claimed(before or {}, after)


_REFUSED: Final = "task-transition"


def _moved(was: str, status: str, after: Mapping[str, Any], actor: Actor) -> Iterator[Fault]:
    if status not in allowed(was, actor):
        yield Fault("Task.status", _sentence(was, status, actor), _REFUSED)
    elif was == "on-hold" and status == "ready" and after.get("executionPeriod", {}).get("start"):
        sentence = "This was begun before it was paused: it goes on as in-progress, not as ready"
        yield Fault("Task.status", sentence, _REFUSED)


def _sentence(was: str, status: str, actor: Actor) -> str:
    may = allowed(was, actor)
    said = f"{was} to {status} is not possible{_of(was, status, actor)}"
    said += f"; from {was} it may go to {', '.join(may)}" if may else ""
    if was in TERMINAL:
        return (
            f"{said}. {was} is an end: to take it up again make a new Task that names this one in the extension "
            "http://hl7.org/fhir/StructureDefinition/task-replaces"
        )
    return said


def _of(was: str, status: str, actor: Actor) -> str:
    """Whose the step is, where it is somebody else's."""
    who = TRANSITIONS.get(was, {}).get(status)
    if who is None:
        return ""
    if who & _T and not actor & _T:
        return " for a client: it is the therapist's to say"
    return " for a therapist: it is the client's to say" if who & _C and not actor & _C else " but by the server"


def _ended(before: Mapping[str, Any], after: Mapping[str, Any], actor: Actor) -> Iterator[Fault]:
    """Of what is over a client adds notes, and corrects what was completed; the server asks how late that may be."""
    if actor is not Actor.CLIENT or before.get("status") == "completed":
        return
    for name in ("output", "executionPeriod", "statusReason"):
        if before.get(name) != after.get(name) and not (name == "statusReason" and not before.get(name)):
            sentence = f"This assignment is {before.get('status')}, which is an end: only notes can be added to it"
            yield Fault(f"Task.{name}", sentence, _REFUSED)


def _claimed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Fault]:
    new = business_status(after)
    if new is not None and new != business_status(before) and new not in CLIENT_BUSINESS_STATUS:
        sentence = f"A client says {', '.join(sorted(CLIENT_BUSINESS_STATUS))}; {new} is said by others"
        yield Fault("Task.businessStatus", sentence, "task-field-fixed")


def business_status(task: Mapping[str, Any]) -> str | None:
    """The code of businessStatus in our code system."""
    found = (each.get("code") for each in _codings(task.get("businessStatus")) if each.get("system") == BUSINESS_STATUS)
    return next(found, None)


def timed(before: Mapping[str, Any] | None, after: JsonObject, now: str) -> JsonObject:
    """`after` with the times that follow from its new state, where it does not say them itself: begun, ended, modified.

    The same object where there is nothing to add.
    """
    was, status = (None if before is None else before.get("status")), after.get("status")
    if was is None or was == status:
        return after
    added: JsonObject = {}
    period = dict(after.get("executionPeriod", {}))
    if status == "in-progress" and "start" not in period:
        added["executionPeriod"] = {"start": now, **period}
    elif status in ("completed", "failed") and "end" not in period:
        added["executionPeriod"] = {"start": now, **period, "end": now}
    if after.get("lastModified") in (None, (before or {}).get("lastModified")):
        added["lastModified"] = now
    return {**after, **added} if added else after


def _codings(concept: Any) -> Iterator[Mapping[str, Any]]:
    yield from (concept or {}).get("coding", ())
