"""A group's homework: its members' shares come with it, and with who joins or leaves. Docs: docs/homework.md, "Groups".

https://hl7.org/fhir/R4/group.html
"""

from collections.abc import Iterable
from typing import Any, Final

from fhir_mappings import reasons
from fhir_mappings.group_work import group_of, members, share
from fhir_mappings.lifecycle import TERMINAL, is_assignment
from fhir_mappings.occurrence import MEMBER, MEMBERS, identity, made, made_until, named
from fhir_mappings.series import LIVE, OPEN
from schemas import dates
from service.call import Call
from service.homework.authority import found
from service.homework.parts import Held, one, parts, put
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
_NOT_ORDERED: Final = ("proposal", "plan", "option")
_AT_ONCE: Final = 200


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Give each member a share of what has become the group's to do."""
    head = planned.resource("Task", change.id)
    if head is None or head.get("status") not in LIVE or head.get("intent") in _NOT_ORDERED or not is_assignment(head):
        return
    group_id = group_of(head)
    if group_id is None or made_until(head) is not None:
        return
    group = await one(call, store, planned, "Group", group_id)
    if group is None:
        return
    # The head is planned first: in what follows its parts are counted in it.
    head = made(head, MEMBERS)
    planned.put("Task", change.id, head)
    await _join(call, store, planned, Held(change.id, head, None), members(group.resource, call.now))


async def follow_group(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Make shares for who joined, and end those of who left."""
    before = None if change.before is None else store.current(change.before)
    if before is None:
        return
    were = set(members(before, call.now))
    are = [] if change.resource is None else members(change.resource, call.now)
    if were == set(are):
        return
    params = [("subject", f"Group/{change.id}"), ("status", ",".join(sorted(LIVE)))]
    for each in await found(call, store, "Task", params, _AT_ONCE):
        head = Held(each.id, planned.resource("Task", each.id) or each.resource(store.codec), each.stored)
        if made_until(head.resource) == MEMBERS:
            await _leave(call, store, planned, head, are)
            await _join(call, store, planned, head, [member for member in are if member not in were])


async def _join(call: Call, store: Store, planned: Planned, head: Held, joining: Iterable[str]) -> None:
    """A share for each; who comes back has one more, for what is over stays over.

    A share is as much the caller's to write as any Task of that client: a Group lets nobody into a record.
    """
    held: dict[str, list[Held]] = {}
    for part in await parts(call, store, planned, head.id) if head.stored is not None else ():
        held.setdefault(_member(part), []).append(part)
    for patient in joining:
        earlier = held.get(patient, [])
        if any(part.resource.get("status") not in TERMINAL for part in earlier):
            continue
        name = patient if not earlier else f"{patient}/{len(earlier) + 1}"
        task = share(head.resource, head.id, name, patient, dates.instant(call.now))
        planned.put("Task", identity(call.tenant_id, MEMBER, f"{head.id}/{name}"), task, by_service=False)


async def _leave(call: Call, store: Store, planned: Planned, head: Held, staying: Iterable[str]) -> None:
    left = {"status": "cancelled", "statusReason": reasons.of("left-group"), "lastModified": dates.instant(call.now)}
    kept = set(staying)
    for part in await parts(call, store, planned, head.id, OPEN | {"on-hold"}):
        if named(part.resource, MEMBER) is not None and _member(part) not in kept:
            put(planned, part, {**part.resource, **left})


def _member(part: Held) -> str:
    return str(part.resource.get("for", {}).get("reference", "")).removeprefix("Patient/")
