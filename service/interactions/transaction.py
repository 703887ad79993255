"""transaction: all entries or none, in the specification's order. https://hl7.org/fhir/R4/http.html#trules

Ids and conditions first, then the references between entries, then every change is planned against what is there now, and all
are written at once. Because no resource may be written twice, nothing depends on which of the writes comes first.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from schemas import ids
from schemas.validate import validate as faults_of
from service.call import Call, Reply
from service.errors import BadRequest, Conflict, HearthError
from service.interactions import body, conditional, create, delete, patch, replies, update
from service.interactions.entry import Answer, Entry, answered, locate, located, parse, placed
from service.interactions.plan import Plan, Planner, commit, stale
from service.interactions.resolution import places_of, resolved
from service.store import Store, VersionConflict

Interaction = Callable[[Call, Store], Awaitable[Reply]]
Name = tuple[str | None, str | None]
"""Type and id of a resource."""
_PLANNERS: Final[Mapping[str, Planner]] = {
    "create": create.plan,
    "update": update.plan,
    "patch": patch.plan,
    "delete": delete.plan,
}
_LETTERS: Final = {"create": "c", "patch": "u", "delete": "d"}


async def transaction(
    call: Call, store: Store, entries: Sequence[dict[str, Any]], interactions: Mapping[str, Interaction]
) -> Reply:
    """Carry out all entries: writes, then everything that only reads, which sees what was written."""
    parsed = [_parsed(call, at, entry) for at, entry in enumerate(entries)]
    done: dict[int, Reply] = {}
    async with store.transaction():
        plans = await _written(call, store, [each for each in parsed if each.call.interaction in _PLANNERS])
        done = {at: plan.reply for at, plan in plans.items()}
        for entry in parsed:
            if entry.at not in done:
                with located(entry.at):
                    done[entry.at] = await interactions[entry.call.interaction](entry.call, store)
    return answered("transaction-response", [Answer(done[entry.at], entry) for entry in parsed])


async def _written(call: Call, store: Store, entries: Sequence[Entry]) -> dict[int, Plan]:
    """Write all entries; those with references by search, which may find what the others make, after them."""
    named, plans = await _named(store, entries)
    places = places_of(named)
    waiting = [each for each in named if each.at not in plans]
    linked = await resolved(call, store, waiting, places)
    _require_valid([*(each for each in named if each.at in plans), *(each.entry for each in linked)])
    while linked:
        ready = [each.entry for each in linked if not each.unfound]
        if not ready:
            raise BadRequest(issues=[issue for each in linked for issue in each.unfound])
        await _write(ready, plans, store)
        waiting = [each.entry for each in linked if each.unfound]
        linked = await resolved(call, store, waiting, places) if waiting else []
    return plans


async def _write(entries: Sequence[Entry], plans: dict[int, Plan], store: Store) -> None:
    new: dict[int, Plan] = {}
    for entry in entries:
        with located(entry.at):
            valid = replace(entry.call, validated=True)
            new[entry.at] = await _PLANNERS[entry.call.interaction](valid, store)
    _require_apart(plans | new)
    plans |= await _committed(new, store)


def _parsed(call: Call, at: int, entry: dict[str, Any]) -> Entry:
    with located(at):
        return parse(call, at, entry)


async def _named(store: Store, entries: Sequence[Entry]) -> tuple[list[Entry], dict[int, Plan]]:
    """Each write with the id it is about; those whose condition leaves nothing to do are planned already."""
    await _hold(store, entries)
    named: list[Entry] = []
    plans: dict[int, Plan] = {}
    for entry in entries:
        with located(entry.at):
            call, plan = await _identified(entry.call, store)
        named.append(replace(entry, call=call))
        if plan is not None:
            plans[entry.at] = plan
    return named, plans


async def _hold(store: Store, entries: Sequence[Entry]) -> None:
    """Keep other requests from acting on the conditions of these, which might make what they do not find."""
    held: dict[tuple[str, conditional.Criteria], int] = {}
    for entry in entries:
        with located(entry.at):
            wanted = _condition(entry.call)
            if wanted is None:
                continue
            first = held.setdefault((str(entry.call.type), wanted), entry.at)
            if first != entry.at:
                raise BadRequest(f"Entry {first} has the same condition; send it once", details_code="written-twice")
    if held:
        await conditional.hold(store, entries[0].call.now, held)


def _condition(call: Call) -> conditional.Criteria | None:
    if call.interaction == "create" and call.conditions.if_none_exist is not None:
        return conditional.criteria(call.conditions.if_none_exist)
    return conditional.required(call.params) if call.interaction == "update" and call.id is None else None


async def _identified(call: Call, store: Store) -> tuple[Call, Plan | None]:
    """The call with its id, and its plan when a condition found that nothing is to be written."""
    update.require_changeable(call)
    if call.interaction in _LETTERS:
        call.grant.require(_LETTERS[call.interaction], str(call.type))
    if call.id is not None:
        return call, None
    found, plan = await _CONDITIONAL[call.interaction](call, store)
    return (replace(found, id=str(ids.new(call.now.timestamp()))) if found.id is None else found), plan


async def _created(call: Call, store: Store) -> tuple[Call, Plan | None]:
    if call.conditions.if_none_exist is None:
        return call, None
    body.sent(call)
    match = await conditional.match(call, store, conditional.criteria(call.conditions.if_none_exist))
    if match is None:
        return call, None
    return replace(call, id=match.id), Plan(call, replies.unchanged(call, store, match))


async def _updated(call: Call, store: Store) -> tuple[Call, Plan | None]:
    body.sent(call)
    return await update.named(call, store), None


async def _patched(call: Call, store: Store) -> tuple[Call, Plan | None]:
    return await patch.named(call, store), None


async def _deleted(call: Call, store: Store) -> tuple[Call, Plan | None]:
    found = await delete.named(call, store)
    return (call, Plan(call, Reply(204, type=call.type))) if found is None else (found, None)


_CONDITIONAL: Final = {"create": _created, "update": _updated, "patch": _patched, "delete": _deleted}


def _require_valid(entries: Sequence[Entry]) -> None:
    """Raise BadRequest with the faults of all resources, so that a client mends them in one go."""
    faults = [
        placed(entry.at, issue)
        for entry in sorted(entries, key=lambda entry: entry.at)
        if entry.call.interaction in ("create", "update") and isinstance(entry.call.body, dict)
        for issue in faults_of(entry.call.body, conditional=True)
    ]
    if faults:
        raise BadRequest(issues=faults)


def _require_apart(plans: Mapping[int, Plan]) -> None:
    """Raise BadRequest where two entries write the same resource, or one finds what another deletes."""
    writing: dict[Name, int] = {}
    for at in sorted(plans, key=lambda at: plans[at].change is None):
        plan = plans[at]
        name = (plan.reply.type, plan.reply.id)
        first = writing.get(name)
        if first is not None and (plan.change is not None or plans[first].reply.status == 204):
            raise BadRequest(
                f"Entries {min(at, first)} and {max(at, first)} are both about {plan.reply.type}/{plan.reply.id}; "
                "a transaction can write it once",
                expression=(f"Bundle.entry[{max(at, first)}]",),
                details_code="written-twice",
            )
        if plan.change is not None:
            writing[name] = at


async def _committed(plans: dict[int, Plan], store: Store) -> dict[int, Plan]:
    """The plans, carried out; a rule may have completed what one of them writes."""
    places = [at for at in sorted(plans) if plans[at].change is not None]
    if not places:
        return plans
    by_name: dict[Name | None, int] = {(plan.reply.type, plan.reply.id): at for at, plan in plans.items()}
    try:
        written = await commit([plans[at] for at in places], store)
        await _hold_unchanged(plans, store)
    except VersionConflict as conflict:
        at = by_name.get((conflict.type, conflict.id))
        raise _overtaken(conflict, at, plans) from conflict
    except HearthError as refusal:
        if refusal.about in by_name:
            locate(by_name[refusal.about], refusal)
        raise
    for at, change in zip(places, written, strict=False):
        plan = plans[at]
        if plan.change is not change and (plan.reply.content is not None or change.notices):
            plans[at] = replace(plan, reply=replies.written(plan.call, change, plan.reply.status))
    return plans


async def _hold_unchanged(plans: Mapping[int, Plan], store: Store) -> None:
    """What was found to be as it should must still be so when the rest is written, or half of a transaction would count."""
    for plan in plans.values():
        reply = plan.reply
        if plan.change is None and reply.type is not None and reply.id is not None and reply.version is not None:
            await store.hold(reply.type, reply.id, reply.version)


def _overtaken(conflict: VersionConflict, at: int | None, plans: Mapping[int, Plan]) -> HearthError:
    if at is not None and plans[at].call.conditions.if_match is not None:
        refusal: HearthError = stale(plans[at].call)
    else:
        sentence = f"{conflict}; nothing of this transaction was written, send it again"
        refusal = Conflict(sentence, details_code="changed-meanwhile", retry_after=1)
    if at is not None:
        locate(at, refusal)
    return refusal
