"""A write before it happens: its change, what follows from it, and the reply. A request commits one, a transaction many."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from service import audit
from service.audit import AuditRecord
from service.call import Call, Reply
from service.errors import Conflict, PreconditionFailed
from service.grant import UPSERT
from service.homework import answer, rules
from service.index.subject import patient_in, patient_of
from service.interactions import replies
from service.store import Change, IdTaken, Store, VersionConflict
from service.webhooks import deliveries

_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """`change` is None where nothing has to be written; `reply` is what the caller gets once it is."""

    call: Call
    reply: Reply
    change: Change | None = None


Planner = Callable[[Call, Store], Awaitable[Plan]]


async def carry_out(planner: Planner, call: Call, store: Store) -> Reply:
    """Plan and commit; again when another request was faster, unless the caller named the version to be changed."""
    for _ in range(_ATTEMPTS):
        plan = await planner(call, store)
        if plan.change is None:
            return plan.reply
        try:
            written = (await commit([plan], store))[0]
        except VersionConflict as conflict:
            # What follows for others (a head counts its parts) may be planned anew; the version that was named may not.
            own = (conflict.type, conflict.id) == (plan.change.type, plan.change.id)
            if own and call.conditions.if_match is not None:
                raise stale(call) from conflict
            continue
        except IdTaken:
            # The transaction around it is lost with the failed insert; outside of one, what was to be created is now updated.
            if store.in_transaction:
                raise
            continue
        if written is not plan.change and (plan.reply.content is not None or written.notices):  # a rule completed it
            return replies.written(call, written, plan.reply.status)
        return plan.reply
    raise Conflict(f"{call.type}/{call.id} is being changed by many requests at once; try again", retry_after=1)


async def commit(plans: Sequence[Plan], store: Store) -> list[Change]:
    """Write all changes, with what follows from them and the audit of it, in one transaction.

    Returns the changes as written, those of the plans first: a rule may have completed one of them.
    """
    asked = [(plan.call, plan.change) for plan in plans if plan.change is not None]
    planned = await rules.followed(asked, store)
    changes = planned.changes
    # What follows is no interaction of anybody's: the event of the answer that it follows from names it.
    followed = tuple((each.type, each.id, each.version) for each in changes[len(asked) :])
    cause = next((at for at, (_, each) in enumerate(asked) if each.type == answer.CAUSE), 0)
    audits = [
        _audit(call, change, store, followed if at == cause else ())
        for at, ((call, _), change) in enumerate(zip(asked, changes, strict=False))
    ]
    if not planned.events:
        await store.commit(changes, [*audits, *planned.audits])
        return changes
    async with store.transaction():
        await store.commit(changes, [*audits, *planned.audits])
        await deliveries.keep(store, planned.events, asked[0][0].now)
    return changes


_INTERACTION: Final = {"c": "create", UPSERT: "create", "u": "update", "d": "delete"}


def _audit(call: Call, change: Change, store: Store, also: tuple[tuple[str, str, int], ...]) -> AuditRecord:
    patched = call.interaction == "patch" and change.type == call.type
    return audit.event(
        "patch" if patched else _INTERACTION[change.letter],
        tenant_id=call.tenant_id,
        client_id=call.grant.client_id,
        user=call.grant.user,
        purpose=call.grant.purpose,
        address=call.address,
        recorded=call.now,
        outcome=audit.SUCCESS,
        type=change.type,
        id=change.id,
        version=change.version,
        query=None,
        request_id=call.request_id,
        patient=_patient(call, change, store),
        also=also,
    )


def _patient(call: Call, change: Change, store: Store) -> str | None:
    """Whose data was written; of a deletion, whose it was."""
    if change.resource is not None:
        return patient_of(change.type, change.id, change.resource, call.base)
    before = change.before
    if before is None or before.content is None:
        return None
    return patient_in(change.type, change.id, store.json(before), call.base)


def stale(call: Call) -> PreconditionFailed:
    """The refusal of a change to a version that is no longer the current one."""
    return PreconditionFailed(
        f"{call.type}/{call.id} is no longer at version {call.conditions.if_match}; read it again and repeat your change",
        details_code="version-stale",
    )
