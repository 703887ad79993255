"""Groups, and what a group did together: counts without names, from a size on. Docs: docs/homework-api.md."""

from typing import Any, Final

from fhir_mappings import group_work, occurrence
from fhir_mappings.homework_api import group as mapping
from fhir_mappings.homework_api.element import code, ids_of
from fhir_mappings.homework_api.results import MEASURE
from service.call import Reply
from service.errors import Unprocessable
from service.homework import policy
from service.homework.authority import found
from service.homework_api.ask import Ask

JsonObject = dict[str, Any]
_MOST = 10_000
_COUNTED: Final = ("kind-acts", "frequency")
"""The ratings that are sums."""


async def listed(ask: Ask) -> Reply:
    """A page of the groups that the token may see."""
    held = await ask.page("Group", [("type", "person"), ("actual", "true")])
    return ask.listed([mapping.group(each) for each in held.matches], held.cursor)


async def read(ask: Ask) -> Reply:
    """One group."""
    held = await ask.resource("Group", ask.ids["id"])
    return ask.reply(mapping.group(held), of=held)


async def together(ask: Ask) -> Reply:
    """What the group did with an assignment, for who leads it and for who has a share in it: counts, and no names.

    All shares are counted, whoever may see them; who may see none of them has no way to this one.
    """
    task = await ask.resource("Task", ask.ids["id"])
    group_id = group_work.group_of(task)
    head_id = task["id"] if group_id is not None else next(iter(ids_of(task.get("partOf", ()), "Task")), None)
    if head_id is None:
        raise Unprocessable("This assignment is no group's", details_code="not-a-groups")
    held = await found(ask.call, ask.store, "Task", [("part-of", f"Task/{head_id}")], _MOST)
    shares = [each.resource(ask.store.codec) for each in held]
    if not any(occurrence.named(each, occurrence.MEMBER) for each in shares):
        raise Unprocessable("This assignment is no group's", details_code="not-a-groups")
    choices = await policy.known(ask.store.connection, ask.store.tenant_id)
    counted = group_work.together(shares, choices.minimum_group, choices.partial_weight)
    totals = {} if counted is None else await _totals(ask, task, counted.members, choices.minimum_group)
    return ask.reply(mapping.together(group_id, head_id, counted, totals))


async def _totals(ask: Ask, task: JsonObject, size: int, minimum: int) -> dict[str, int]:
    """What all members counted for the assignment, by kind; what one keeps to oneself is in no sum."""
    requests = ",".join(f"ServiceRequest/{each}" for each in ids_of(task.get("basedOn", ()), "ServiceRequest"))
    if not requests:
        return {}
    params = [("based-on", requests), ("code", ",".join(f"{MEASURE}|{each}" for each in _COUNTED))]
    params += [("status", "final,amended"), ("_security:not", "client-only")]
    held = [each.resource(ask.store.codec) for each in await found(ask.call, ask.store, "Observation", params, _MOST)]
    made = {}
    for kind in _COUNTED:
        counts = [_count(each) for each in held if code(each["code"], MEASURE) == kind]
        total = group_work.counter(counts, size, minimum)
        if total is not None:
            made[kind] = total
    return made


def _count(observation: JsonObject) -> tuple[str, int]:
    return observation["subject"]["reference"], observation.get("valueInteger", 0)
