"""What follows for assignments when the request behind them changes: stopped, paused and planned anew with it.

https://hl7.org/fhir/R4/servicerequest.html
"""

from typing import Any, Final

from fhir_mappings import progress, reasons
from fhir_mappings.lifecycle import TERMINAL
from fhir_mappings.occurrence import is_occurrence, made_until, requests
from fhir_mappings.series import LIVE, OPEN
from schemas import dates
from service.call import Call
from service.homework import series
from service.homework.authority import found
from service.homework.parts import Held, put
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
_OF_REQUEST: Final = {
    "revoked": ("cancelled", "stopped"),
    "entered-in-error": ("cancelled", "stopped"),
    "completed": ("cancelled", "closed"),
    "on-hold": ("on-hold", "paused"),
}
"""What a request's state makes of the Tasks that are based on it and not begun, and the reason where the request says none."""
_STATUS_REASON: Final = "http://hl7.org/fhir/StructureDefinition/request-statusReason"


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Stop, pause and resume what is based on the request with it; plan anew what lies ahead when its Timing changes."""
    after, before = change.resource, None if change.before is None else store.current(change.before)
    if after is None or before is None:
        return
    timing = before.get("occurrenceTiming") != after.get("occurrenceTiming")
    if before.get("status") == after.get("status") and not timing:
        return
    for head in await _based_on(call, store, planned, change.id):
        task = _as_request(head.resource, before, after, dates.instant(call.now))
        if timing:
            task = _within(task, before, after)
        if task is not head.resource:
            put(planned, head, task)
        if task.get("status") != head.resource.get("status"):
            await series.as_head(call, store, planned, head._replace(resource=task), head.resource)
            await series.as_part(call, store, planned, head.resource, planned.resource("Task", head.id))
        if timing and task.get("status") in LIVE | {"on-hold"}:
            await series.replan(call, store, planned, head._replace(resource=task))


async def _based_on(call: Call, store: Store, planned: Planned, request_id: str) -> list[Held]:
    """The heads, and what is done once, that are based on the request and not over."""
    params = [("based-on", f"ServiceRequest/{request_id}"), ("status", ",".join(sorted(OPEN | {"on-hold"})))]
    writing = {each.id: each.resource for each in planned.of("Task")}
    held = [
        Held(each.id, each.resource(store.codec), each.stored)
        for each in await found(call, store, "Task", params, 1000)
        if each.id not in writing
    ]
    held += [Held(key, task, None) for key, task in writing.items() if task and request_id in requests(task)]
    return [each for each in held if not is_occurrence(each.resource) and each.resource.get("status") not in TERMINAL]


def _as_request(task: JsonObject, before: JsonObject, after: JsonObject, stamp: str) -> JsonObject:
    """The Task in the state that its request's new state brings it to."""
    was, status = before.get("status"), str(after.get("status"))
    if was == status:
        return task
    if was == "on-hold" and status == "active":
        return reasons.resumed(task, stamp) if task.get("status") == "on-hold" else task
    if status == "completed" and "start" in task.get("executionPeriod", {}):
        # What was begun once stays the client's to finish.
        return progress.ended(task, stamp) if made_until(task) is not None else task
    to, code = _OF_REQUEST.get(status, ("", ""))
    if not to or task.get("status") == to:
        return task
    said = (
        each.get("valueCodeableConcept") for each in after.get("extension", ()) if each.get("url") == _STATUS_REASON
    )
    return {**task, "status": to, "statusReason": next(said, None) or reasons.of(code), "lastModified": stamp}


def _within(task: JsonObject, before: JsonObject, after: JsonObject) -> JsonObject:
    """The Task with the bounds of its request where these changed: a head has the window of its series."""
    was, bounds = (each.get("occurrenceTiming", {}).get("repeat", {}).get("boundsPeriod") for each in (before, after))
    if was == bounds or bounds is None:
        return task
    restriction = {**task.get("restriction", {}), "period": bounds}
    return task if restriction == task.get("restriction") else {**task, "restriction": restriction}
