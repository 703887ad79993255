"""What follows when a head, a part of it, or the request behind it changes. Docs: docs/homework.md, "Series".

A head is made of its parts: the occurrences of a series, the steps of what was split, the members' share of a group's homework.
What happens to the head happens to its open parts; what happens to a part counts in the head.
https://hl7.org/fhir/R4/task.html#statemachine
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings import progress, reasons, series, zones
from fhir_mappings.lifecycle import TERMINAL
from fhir_mappings.occurrence import (
    ALL,
    MEMBERS,
    OCCURRENCE,
    PARTS_MADE,
    STEP,
    identity,
    is_occurrence,
    is_part,
    made,
    made_until,
    named,
    parents,
    requests,
)
from fhir_mappings.series import LIVE, OPEN, Part
from fhir_mappings.slots import Slot
from fhir_mappings.timing import Schedule, TimingFault, repeats
from schemas import dates
from service.call import Call
from service.errors import Unprocessable
from service.homework.parts import Held, one, parts, put
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
_CONCERNED: Final = ("basedOn", "partOf", "extension")
"""A Task with none of these is neither head nor part."""
_MARK: Final = PARTS_MADE.encode()
_NOT_ORDERED: Final = ("proposal", "plan", "option")
"""Intents of what nobody is asked to do yet."""


async def keep(_call: Call, store: Store, change: Change, planned: Planned) -> None:
    """What somebody wrote of a head, with what only the service says of it: how much of it is made, and done."""
    before, after = change.before, change.resource
    if before is None or before.deleted or after is None or planned.call_of(change) is None:
        return
    if _MARK not in store.json(before):
        return
    was = store.resource(before)
    until = made_until(was)
    if until is not None:
        kept = progress.told(made(after, until), progress.tally_of(was))
        if kept is not after:
            planned.put("Task", change.id, kept)


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """The consequences of a Task's change for its parts and for what it is a part of. Raises Unprocessable (Timing)."""
    after = planned.resource("Task", change.id)
    if after is not None and not any(name in after for name in _CONCERNED):
        return
    before = None if change.before is None else store.current(change.before)
    if after is not None and not is_occurrence(after):
        await as_head(call, store, planned, Held(change.id, after, change.before), before)
        after = planned.resource("Task", change.id)
    await as_part(call, store, planned, before, after)


async def as_head(call: Call, store: Store, planned: Planned, head: Held, before: JsonObject | None) -> None:
    """What the change of a head from `before` means for its parts."""
    was, status = (before or {}).get("status"), head.resource.get("status")
    if made_until(head.resource) is None:
        if status in LIVE and was not in LIVE:
            await _begin(call, store, planned, head)
    elif was != status:
        step = _step(str(was), str(status))
        if step is not None:
            await step(call, store, planned, head)
    elif status in LIVE and _window(before or {}) != _window(head.resource):
        await replan(call, store, planned, head)


def _window(task: Mapping[str, Any]) -> Any:
    return task.get("restriction", {}).get("period")


Step = Callable[[Call, Store, Planned, Held], Awaitable[None]]


def _step(was: str, status: str) -> Step | None:
    """What a head's change of state does to its parts."""
    if status in TERMINAL:
        return None if was in TERMINAL and status != "entered-in-error" else _stop
    if status == "on-hold":
        return _suspend
    return _resume if was == "on-hold" and status in LIVE else None


async def _begin(call: Call, store: Store, planned: Planned, head: Held) -> None:
    """The first occurrences of what has become a client's to do, where its request repeats."""
    task = head.resource
    whose = task.get("for", {}).get("reference", "")
    if task.get("intent") in _NOT_ORDERED or whose.startswith("Group/"):
        return
    schedule = await schedule_of(call, store, planned, task)
    if schedule is None:
        return
    policy = await planned.policy()
    until = call.now + timedelta(days=policy.horizon_days)
    extended = series.extended(task, schedule, until, call.now)
    make(call, planned, head.id, extended.head, extended.slots, schedule)
    put(planned, head, extended.head)


async def schedule_of(call: Call, store: Store, planned: Planned, task: JsonObject) -> Schedule | None:
    """When the head is to be done by its owner's clock; None where its request is not here or does not repeat.

    Raises Unprocessable for a Timing that cannot be planned.
    """
    for request_id in requests(task):
        request = await one(call, store, planned, "ServiceRequest", request_id)
        if request is None or not repeats(request.resource.get("occurrenceTiming", {})):
            continue
        zone = await zone_of(call, store, planned, task)
        try:
            return series.schedule(task, request.resource, zone)
        except TimingFault as fault:
            raise Unprocessable(
                f"This Timing cannot be planned: {fault.sentence}",
                code="business-rule",
                expression=(f"ServiceRequest.occurrence.ofType(Timing).{fault.path}",),
                details_code="timing-unsupported",
                about=("ServiceRequest", request_id),
            ) from fault
    return None


async def zone_of(call: Call, store: Store, planned: Planned, task: JsonObject) -> ZoneInfo:
    """Where the Task's Patient lives."""
    whose = task.get("for", {}).get("reference", "")
    patient = None
    if whose.startswith("Patient/"):
        patient = await one(call, store, planned, "Patient", whose.removeprefix("Patient/"))
    return zones.zone_of(patient and patient.resource, (await planned.policy()).zone)


def make(
    call: Call, planned: Planned, head_id: str, head: JsonObject, slots: Iterable[Slot], schedule: Schedule,
    known: Mapping[str, Held] | None = None,
) -> None:  # fmt: skip
    """Plan the occurrences of the slots. Of those that are `known` by their keys, only what was taken back is made anew."""
    for slot, task in series.occurrences(head, head_id, slots, schedule.zone, call.now):
        held = (known or {}).get(slot.key)
        if held is None:
            planned.put("Task", identity(call.tenant_id, OCCURRENCE, f"{head_id}/{slot.key}"), task)
        elif reasons.is_of(held.resource, "replanned"):
            put(planned, held, task)


async def _suspend(call: Call, store: Store, planned: Planned, head: Held) -> None:
    stamp = dates.instant(call.now)
    found = await parts(call, store, planned, head.id, OPEN)
    await _moved(
        call, store, planned, head, [(part, reasons.suspended(part.resource, head.resource, stamp)) for part in found]
    )


async def _resume(call: Call, store: Store, planned: Planned, head: Held) -> None:
    """The parts that rested with the head, as they were; whose time went by meanwhile are no longer asked for."""
    stamp = dates.instant(call.now)
    found = await parts(call, store, planned, head.id)
    over = {"status": "cancelled", "statusReason": reasons.of("paused"), "lastModified": stamp}
    changes = [
        (part, {**part.resource, **over} if series.is_over(part.resource, call.now) else reasons.resumed(part.resource, stamp))
        for part in found
        if reasons.rests_with_head(part.resource)
    ]  # fmt: skip
    task = await _moved(call, store, planned, head, changes)
    if made_until(task) not in (ALL, MEMBERS):
        schedule = await schedule_of(call, store, planned, task)
        if schedule is not None:
            until = call.now + timedelta(days=(await planned.policy()).horizon_days)
            extended = series.extended(task, schedule, until, call.now)
            make(call, planned, head.id, extended.head, extended.slots, schedule, _by_key(head.id, found))
            task = extended.head
            put(planned, head, task)
    await _end(call, store, planned, head, task)


async def _stop(call: Call, store: Store, planned: Planned, head: Held) -> None:
    """The open parts are no longer asked for, nor is what would have been made; a head in error takes all parts along."""
    stamp, task = dates.instant(call.now), head.resource
    if task["status"] == "entered-in-error":
        left: JsonObject = {"status": "entered-in-error", "lastModified": stamp}
        found = await parts(call, store, planned, head.id)
    else:
        reason = reasons.of("closed") if task["status"] == "completed" else task.get("statusReason")
        left = {"status": "cancelled", "statusReason": reason or reasons.of("stopped"), "lastModified": stamp}
        found = await parts(call, store, planned, head.id, OPEN | {"draft", "on-hold"})
    task = await _moved(call, store, planned, head, [(part, {**part.resource, **left}) for part in found])
    said = made_until(task)
    if said in (None, ALL, MEMBERS):
        return
    schedule = await schedule_of(call, store, planned, task)
    if schedule is not None:
        tally = progress.tally_of(task)
        rest = series.ahead(schedule, dates.interval(said).lo)
        put(planned, head, made(progress.told(task, tally._replace(planned=max(tally.planned - rest, 0))), ALL))


async def _moved(
    call: Call, store: Store, planned: Planned, head: Held, changes: list[tuple[Held, JsonObject]]
) -> JsonObject:
    """Plan what becomes of parts, and count it in the head; the head as it is planned then."""
    task = planned.resource("Task", head.id) or head.resource
    tally, partial = progress.tally_of(task), (await planned.policy()).partial_weight
    for part, after in changes:
        put(planned, part, after)
        tally = progress.moved(tally, part.resource, after, partial)
        if made_until(part.resource) is not None:  # a member's share of a group's series has parts itself
            await as_head(call, store, planned, part._replace(resource=after), part.resource)
    if changes:
        task = progress.told(task, tally)
        put(planned, head, task)
    return task


async def replan(call: Call, store: Store, planned: Planned, head: Held) -> None:
    """Bring what lies ahead and is untouched in line with a changed Timing or window."""
    task = planned.resource("Task", head.id) or head.resource
    schedule = await schedule_of(call, store, planned, task)
    if schedule is None or made_until(task) is None:
        return
    policy = await planned.policy()
    # What rests is made when it goes on.
    until = call.now + timedelta(days=policy.horizon_days if task["status"] in LIVE else 0)
    held = _by_key(head.id, await parts(call, store, planned, head.id))
    known = {key: Part(part.id, part.resource) for key, part in held.items()}
    made_anew = series.replanned(task, known, schedule, until, call.now, policy.partial_weight)
    by_id = {part.id: part for part in held.values()}
    for part in made_anew.changed:
        put(planned, by_id[part.id], part.task)
    make(call, planned, head.id, made_anew.head, made_anew.slots, schedule, held)
    put(planned, head, made_anew.head)


def _by_key(head_id: str, found: Iterable[Held]) -> dict[str, Held]:
    """Occurrences by the key of their slot."""
    values = ((named(part.resource, OCCURRENCE), part) for part in found)
    return {value.removeprefix(f"{head_id}/"): part for value, part in values if value is not None}


async def as_part(
    call: Call, store: Store, planned: Planned, before: JsonObject | None, after: JsonObject | None
) -> None:
    """Count a part in its heads, let them begin with it, and end when none of their parts is open any more."""
    part = after if after is not None else before
    if part is None or not is_part(part) or not _counts(before, after):
        return
    stamp, partial = dates.instant(call.now), (await planned.policy()).partial_weight
    for head_id in parents(part):
        held = await one(call, store, planned, "Task", head_id)
        if held is not None and before is None and named(part, STEP) is not None:
            held = held._replace(resource=made(held.resource, ALL))  # what is split is the head of its steps
        if held is None or made_until(held.resource) is None:
            continue
        task = progress.told(held.resource, progress.moved(progress.tally_of(held.resource), before, after, partial))
        if after is not None and after.get("status") in ("in-progress", "completed"):
            task = progress.begun(task, stamp)
        if task is not held.resource:
            put(planned, held, task)
        if after is None or after.get("status") in TERMINAL:
            task = await _end(call, store, planned, held, task)
        await as_part(call, store, planned, held.resource, task)


def _counts(before: JsonObject | None, after: JsonObject | None) -> bool:
    """Whether the head looks different after the change."""
    if before is None or after is None:
        return True
    return any(before.get(name) != after.get(name) for name in ("status", "businessStatus"))


async def _end(call: Call, store: Store, planned: Planned, head: Held, task: JsonObject) -> JsonObject:
    """The head, ended where all of it is made and nothing of it is open."""
    if made_until(task) != ALL or task.get("status") not in LIVE:
        return task
    # One more than are being written just now, and may be closed by it: any other one keeps the head open.
    most = len(planned.of("Task")) + 1
    if await parts(call, store, planned, head.id, OPEN | {"draft", "on-hold"}, most):
        return task
    over = progress.ended(task, dates.instant(call.now))
    put(planned, head, over)
    return over
