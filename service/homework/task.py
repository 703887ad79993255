"""Changes of assignments: who may bring which state about, and what a client may say. Docs: docs/homework.md, "Lifecycle"."""

from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings import lifecycle
from fhir_mappings.lifecycle import Actor
from schemas import dates
from schemas.library import BASE
from schemas.outcome import Issue
from service.call import Call
from service.errors import Forbidden, PreconditionRequired, Unprocessable
from service.homework import policy
from service.homework.authority import found
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
PROGRESS: Final = frozenset(("status", "statusReason", "businessStatus", "output", "note", "executionPeriod"))
"""What clients say of a Task, and nothing else; `lastModified` goes with it."""
_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
_INTENTION: Final = MappingProxyType({"schedule": "valueTiming", "setting": "valueString"})
"""Inputs of a Task that clients may say too: code of CodeSystem/homework-task-io, and what it holds."""
_TOLD: Final = ", ".join(sorted(PROGRESS))
_STAMPED: Final = PROGRESS | {"lastModified"}
SELF_TREATMENT: Final = f"{BASE}/CodeSystem/homework-topic|self-treatment"
"""The topic of library entries that clients may assign to themselves."""


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Refuse what the caller may not make of the Task; add the times that follow from its state.

    Raises Unprocessable (transitions), Forbidden (what is not a client's), PreconditionRequired (a client without If-Match).
    """
    asked = planned.call_of(change)
    if asked is None:
        return
    actor = _actor(call)
    before = None if change.before is None else store.current(change.before)
    if actor is Actor.CLIENT:
        await _require_client_change(asked, store, change, before)
    after = change.resource
    if after is None or not (lifecycle.is_assignment(after) or (before and lifecycle.is_assignment(before))):
        return
    issues = [
        Issue("error", "business-rule", each.sentence, (each.expression,), each.details_code)
        for each in lifecycle.faults(before, after, actor)
    ]
    if issues:
        raise Unprocessable(issues=issues, about=(change.type, change.id))
    timed = lifecycle.timed(before, after, dates.instant(call.now))
    if timed is not after:
        planned.put("Task", change.id, timed)


def _actor(call: Call) -> Actor:
    shape = call.grant.shape
    if shape.is_client:
        return Actor.CLIENT
    return Actor.THERAPIST if call.grant.user else Actor.SYSTEM


async def _require_client_change(call: Call, store: Store, change: Change, before: JsonObject | None) -> None:
    """Raise unless a client, or who acts for one, may make this change.

    They report progress (PROGRESS) on the version they read, and make a Task of their own: a proposal, or something of the
    library that is theirs to choose.
    """
    after = change.resource
    if after is None:
        raise _fixed(change, "Task", "A client does not delete a Task; set its status")
    if before is None:
        await _require_own_choice(call, store, change, after)
        return
    before = await _but_intentions(store, before, after)
    for name in sorted({*before, *after}):
        if name.removeprefix("_") not in _STAMPED and _said(name, before) != _said(name, after):
            raise _fixed(change, f"Task.{name}", f"A client changes no more of a Task than {_TOLD}")
    if call.conditions.if_match is None:
        raise PreconditionRequired(
            f'Send If-Match with the version you changed (W/"{change.version - 1}" is the newest): somebody else may have '
            "changed this Task meanwhile",
            about=(change.type, change.id),
        )
    if before.get("status") == after.get("status") == "completed":
        await _require_in_time(call, store, change, before, after)


async def _but_intentions(store: Store, before: JsonObject, after: JsonObject) -> JsonObject:
    """`before` as if the client's own words of when and where had been in it already, where the tenant allows that."""
    if before.get("input") == after.get("input") or _given(before) != _given(after):
        return before
    allowed = (await policy.of(store.connection, store.tenant_id)).clients_schedule
    return {**before, "input": after.get("input")} if allowed else before


def _given(task: JsonObject) -> list[JsonObject]:
    """What the therapist put into the Task."""
    return [each for each in task.get("input", ()) if not _is_intention(each)]


def _is_intention(entry: JsonObject) -> bool:
    """Whether it says when or where and nothing else: a form or an instruction is not the client's to add."""
    codings = entry.get("type", {}).get("coding", ())
    held = _INTENTION.get(codings[0].get("code", "")) if len(codings) == 1 else None
    return held is not None and codings[0].get("system") == _IO and entry.keys() == {"type", held}


def _said(name: str, task: JsonObject) -> Any:
    """What the element says; of `meta` what is not of the version."""
    value = task.get(name)
    if name == "meta" and value is not None:
        value = {key: part for key, part in value.items() if key not in ("versionId", "lastUpdated")}
    return value or None


def _fixed(change: Change, expression: str, sentence: str) -> Forbidden:
    named = (change.type, change.id)
    return Forbidden(sentence, expression=(expression,), details_code="task-field-fixed", about=named)


async def _require_own_choice(call: Call, store: Store, change: Change, task: JsonObject) -> None:
    if task.get("intent") == "proposal":
        return
    url, _, version = str(task.get("instantiatesCanonical", "")).partition("|")
    params = [("url", url), ("topic", SELF_TREATMENT), ("status", "active")]
    params += [("version", version)] if version else []
    if not url or not await found(call, store, "ActivityDefinition", params, 1):
        raise _fixed(
            change,
            "Task.instantiatesCanonical",
            "A client assigns to themselves what the library offers for it (topic self-treatment), or makes a proposal "
            "(intent proposal) for the therapist",
        )


async def _require_in_time(call: Call, store: Store, change: Change, before: JsonObject, after: JsonObject) -> None:
    """Raise Unprocessable when a client corrects what was completed too long ago; notes can always be added."""
    if all(before.get(name) == after.get(name) for name in PROGRESS - {"note"}):
        return
    ended = before.get("executionPeriod", {}).get("end") or before.get("lastModified")
    days = (await policy.of(store.connection, store.tenant_id)).edit_window_days
    if ended is not None and dates.interval(ended).hi + timedelta(days=days) < call.now:
        raise Unprocessable(
            f"This was completed more than {days} days ago: only notes can be added to it now",
            code="business-rule",
            expression=("Task",),
            details_code="edit-window-closed",
            about=(change.type, change.id),
        )
