"""Heads and their parts as a commit plans them: what is held, overlaid with what is being written."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from fhir_mappings.occurrence import parents
from service.call import Call
from service.homework.authority import found
from service.homework.planned import Planned
from service.store import Store, Stored

JsonObject = dict[str, Any]
MOST: Final = 10_000
"""How many parts of one head are looked at together."""


class Held(NamedTuple):
    """A resource as it is planned by now; `stored` is the version that a change of it has to follow."""

    id: str
    resource: JsonObject
    stored: Stored | None


async def one(call: Call, store: Store, planned: Planned, type_name: str, resource_id: str) -> Held | None:
    """A resource of the tenant, None where it is not here, or is being deleted."""
    if any(change.id == resource_id for change in planned.of(type_name)):
        resource = planned.resource(type_name, resource_id)
        return None if resource is None else Held(resource_id, resource, None)
    seen = planned.seen.get((type_name, resource_id))
    if seen is not None:
        return Held(resource_id, *seen)
    for each in await found(call, store, type_name, [("_id", resource_id)], 1):
        return Held(each.id, each.resource(store.codec), each.stored)
    return None


async def parts(
    call: Call,
    store: Store,
    planned: Planned,
    head_id: str,
    statuses: Collection[str] = (),
    most: int = MOST,
) -> list[Held]:
    """The parts of a head, at most so many of those held; with `statuses` those that are in one of them by now."""
    params = [("part-of", f"Task/{head_id}")]
    if statuses:
        params.append(("status", ",".join(sorted(statuses))))
    writing = {change.id: change.resource for change in planned.of("Task")}
    held = [
        Held(each.id, each.resource(store.codec), each.stored)
        for each in await found(call, store, "Task", params, most)
        if each.id not in writing
    ]
    held += [
        Held(task_id, task, None)
        for task_id, task in writing.items()
        if task is not None and head_id in parents(task) and (not statuses or task.get("status") in statuses)
    ]
    return held


def put(planned: Planned, held: Held, resource: JsonObject) -> None:
    """Plan the next version of what is held."""
    planned.put(resource["resourceType"], held.id, resource, held.stored)
