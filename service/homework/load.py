"""What a week of homework comes to, told to who gives more of it. Docs: docs/homework.md, "What is realistic"."""

from typing import Any, Final

from fhir_mappings import lifecycle
from fhir_mappings import load as loads
from fhir_mappings.occurrence import is_part, requests
from schemas import dates
from schemas.outcome import Issue
from service.call import Call
from service.homework.parts import one
from service.homework.planned import Planned
from service.search.find import find
from service.store import Change, Store

JsonObject = dict[str, Any]
_MOST: Final = 500


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Say of homework that has just been given when the client's next seven days are fuller than the tenant calls realistic.

    Nothing is looked up where its prescription does not say how long it takes, or for who may not search.
    """
    task = planned.resource("Task", change.id)
    if task is None or not _is_given(call, store, change, planned, task):
        return
    if not await _minutes(call, store, planned, task):
        return
    limit, total = (await planned.policy()).load_minutes_week, await _week(call, store, planned, task)
    if total > limit:
        sentence = (
            f"With this, {total} minutes of homework are due in the coming seven days; up to {limit} are called realistic "
            "here (load_minutes_week of the policy). Less of it, or shorter, is more likely to be done"
        )
        planned.note(change, Issue("warning", "business-rule", sentence, ("Task",), "load-high"))


def _is_given(call: Call, store: Store, change: Change, planned: Planned, task: JsonObject) -> bool:
    """Whether somebody has just given it to a client."""
    if planned.call_of(change) is None or call.grant.shape.is_client or is_part(task):
        return False
    before = None if change.before is None else store.current(change.before)
    new = task.get("status") in loads.LIVE and (before or {}).get("status") not in loads.LIVE
    whose = task.get("for", {}).get("reference", "")
    may = call.grant.permits("s", "Task") and call.grant.permits("s", "ServiceRequest")
    return new and may and whose.startswith("Patient/") and lifecycle.is_assignment(task)


async def _minutes(call: Call, store: Store, planned: Planned, task: JsonObject) -> bool:
    for each in requests(task):
        request = await one(call, store, planned, "ServiceRequest", each)
        if request is not None and loads.minutes(request.resource):
            return True
    return False


async def _week(call: Call, store: Store, planned: Planned, task: JsonObject) -> int:
    """The minutes that are due with what is being written, of what the caller may see."""
    writing = {each.id: each.resource for each in planned.of("Task") if each.resource is not None}
    params = (
        ("patient", task["for"]["reference"]),
        ("status", ",".join(sorted(loads.LIVE))),
        ("due", f"ge{dates.instant(call.now)}"),
        ("due", f"le{dates.instant(call.now + loads.WEEK)}"),
    )
    held = await find(call, store, "Task", params, "s", _MOST)
    tasks = [*writing.values(), *(each.resource(store.codec) for each in held if each.id not in writing)]
    tasks = [each for each in tasks if each.get("for") == task["for"]]
    return loads.week(tasks, await _prescribed(call, store, planned, tasks), call.now)


async def _prescribed(call: Call, store: Store, planned: Planned, tasks: list[JsonObject]) -> dict[str, JsonObject]:
    """The requests behind the Tasks, by their ids."""
    wanted = dict.fromkeys(each for task in tasks for each in requests(task))
    found = {each.id: each.resource for each in planned.of("ServiceRequest") if each.resource is not None}
    rest = [each for each in wanted if each not in found]
    if rest:
        held = await find(call, store, "ServiceRequest", (("_id", ",".join(rest)),), "s", _MOST)
        found |= {each.id: each.resource(store.codec) for each in held}
    return found
