"""Time that passes: what opens, what goes on after a pause, and what is not asked for any more because its time went by.

docs/homework.md, "Windows". Nobody is blamed: what was never begun is not done this time, what was begun is not finished,
or counts in part where the tenant says so.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import structlog

from fhir_mappings import progress, reasons, series, zones
from fhir_mappings.lifecycle import is_assignment
from fhir_mappings.occurrence import is_occurrence, made_until
from fhir_mappings.timing import edges
from schemas import dates
from service.call import Call
from service.engine import Engine
from service.errors import HearthError, Unprocessable
from service.homework import own
from service.homework import policy as policies
from service.homework.authority import found
from service.homework.policy import HomeworkPolicy
from service.homework.standing import standing
from service.search.find import Found
from service.store import Change, Store, VersionConflict
from service.tenants import Tenant

JsonObject = dict[str, Any]
EVERY_SECONDS: Final = 300
_NOT_BEGUN: Final = ("requested", "received", "accepted", "ready")
_NOT_ORDERED: Final = ("proposal", "plan", "option")
_log: Final = structlog.get_logger()


class _Work(NamedTuple):
    """Where a tick works, under what policy."""

    call: Call
    store: Store
    policy: HomeworkPolicy

    @property
    def stamp(self) -> str:
        return dates.instant(self.call.now)

    @property
    def latest(self) -> datetime:
        """A window that ended by then is over for good."""
        return self.call.now - timedelta(hours=self.policy.grace_hours)


async def close(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Bring all assignments of the tenant to where the time says they are; twice at once does each of it once."""
    async with engine.at_work(tenant, now) as (call, store):
        work = _Work(call, store, await policies.known(store.connection, store.tenant_id))
        await _each(work, "on-hold", "every", None, _resume)
        await _each(work, "accepted", "opened", now, _open)
        for status in _NOT_BEGUN:
            await _each(work, status, "ended", work.latest, _let_go)
        await _each(work, "in-progress", "ended", work.latest, _leave)
        await _each(work, "on-hold", "ended", work.latest, _forget)


Act = Callable[[_Work, Found, JsonObject], Awaitable[None]]


async def _each(work: _Work, status: str, which: str, by: datetime | None, act: Act) -> None:
    """Do it to all assignments of the status; one that somebody changes meanwhile is left to the next tick."""
    async for held in _assignments(work.store, status, which, by):
        try:
            await act(work, held, held.resource(work.store.codec))
        except VersionConflict:
            continue
        except HearthError as refusal:  # one that cannot be closed keeps none of the others open
            _log.warning("window-not-closed", task=held.id, status=status, code=refusal.status)


async def _assignments(store: Store, status: str, which: str, by: datetime | None) -> AsyncIterator[Found]:
    async for page in standing(store, status, which, by):
        for held in page:
            task = held.resource(store.codec)
            if is_assignment(task) and task.get("intent") not in _NOT_ORDERED:
                yield held


async def _write(work: _Work, held: Found, task: JsonObject, *others: Change) -> None:
    change = work.store.change("Task", held.id, task, work.call.now, held.stored)
    await own.write(work.call, work.store, [change, *others])


async def _resume(work: _Work, held: Found, task: JsonObject) -> None:
    """What was paused until now goes on; what was to be done within the pause is not asked for."""
    until = reasons.paused_until(task)
    if until is None or reasons.rests_with_head(task):
        return
    if edges(until, await _zone(work, task))[0] > work.call.now:
        return
    over = is_occurrence(task) and series.is_over(task, work.call.now)
    await _write(work, held, _left(task, "paused", work.stamp) if over else reasons.resumed(task, work.stamp))


async def _zone(work: _Work, task: JsonObject) -> ZoneInfo:
    whose = str(task.get("for", {}).get("reference", ""))
    asked = [("_id", whose.removeprefix("Patient/"))]
    held = await found(work.call, work.store, "Patient", asked, 1) if whose.startswith("Patient/") else []
    return zones.zone_of(held[0].resource(work.store.codec) if held else None, work.policy.zone)


async def _open(work: _Work, held: Found, task: JsonObject) -> None:
    """What was agreed to is to be done from now on."""
    await _write(work, held, {**task, "status": "ready", "lastModified": work.stamp})


async def _let_go(work: _Work, held: Found, task: JsonObject) -> None:
    """What was agreed to and never begun is not done this time; an offer that nobody answered is withdrawn."""
    if made_until(task) is not None:
        await _end(work, held, task)
        return
    missed = progress.business("missed") if task["status"] in ("accepted", "ready") else {}
    await _write(work, held, {**_left(task, "window-elapsed", work.stamp), **missed})


async def _end(work: _Work, held: Found, head: JsonObject) -> None:
    """A head whose window is over ends when nothing of it is open."""
    waiting = ",".join(sorted(series.OPEN | {"draft", "on-hold"}))
    if not await found(work.call, work.store, "Task", [("part-of", f"Task/{held.id}"), ("status", waiting)], 1):
        await _write(work, held, progress.ended(head, work.stamp))


async def _leave(work: _Work, held: Found, task: JsonObject) -> None:
    """What was begun and not finished in time: not finished, or done in part; its draft stays what it is."""
    if made_until(task) is not None:
        await _end(work, held, task)
        return
    period = {"start": work.stamp, **task.get("executionPeriod", {}), "end": work.stamp}
    over = {**task, "executionPeriod": period, "lastModified": work.stamp}
    if work.policy.submits_partial:
        told = {**over, "status": "completed", **progress.business("partially-done")}
    else:
        told = {**over, "status": "failed", "statusReason": reasons.of("window-elapsed")}
    drafts = await _drafts(work, task)
    ends = ("completed", "stopped") if work.policy.submits_partial else ("stopped",)
    for status in ends:
        try:
            await _write(work, held, told, *(_ended(work, draft, status) for draft in drafts))
        except Unprocessable:  # what is missing may be required, or its form be gone
            continue
        return
    await _write(work, held, told)


async def _drafts(work: _Work, task: JsonObject) -> list[Found]:
    """The drafts that hang on the Task."""
    named = (row.get("valueReference", {}).get("reference", "") for row in task.get("output", ()))
    ids = sorted(each.partition("/")[2] for each in named if each.startswith("QuestionnaireResponse/"))
    if not ids:
        return []
    params = [("_id", ",".join(ids)), ("status", "in-progress")]
    return await found(work.call, work.store, "QuestionnaireResponse", params, len(ids))


def _ended(work: _Work, draft: Found, status: str) -> Change:
    answer = {**draft.resource(work.store.codec), "status": status}
    return work.store.change("QuestionnaireResponse", draft.id, answer, work.call.now, draft.stored)


async def _forget(work: _Work, held: Found, task: JsonObject) -> None:
    """An occurrence that was put off until its time went by: the series goes on without it."""
    if is_occurrence(task) and not reasons.rests_with_head(task):
        await _write(work, held, _left(task, "paused", work.stamp))


def _left(task: JsonObject, code: str, stamp: str) -> JsonObject:
    return {**task, "status": "cancelled", "statusReason": reasons.of(code), "lastModified": stamp}
