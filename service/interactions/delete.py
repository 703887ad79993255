"""delete, plain and conditional. https://hl7.org/fhir/R4/http.html#delete"""

from dataclasses import replace

from schemas import ids
from service.call import Call, Reply
from service.interactions import body, conditional
from service.interactions.plan import Plan, carry_out
from service.interactions.update import check_version, require_changeable
from service.store import Store


async def delete(call: Call, store: Store) -> Reply:
    """Leave a tombstone; deleting what is deleted already succeeds and changes nothing."""
    assert call.type is not None
    require_changeable(call)
    call.grant.require("d", call.type)
    return await carry_out(plan if call.id is not None else plan_conditional, call, store)


async def plan(call: Call, store: Store) -> Plan:
    """The deletion of one resource."""
    assert call.type is not None
    assert call.id is not None
    if not ids.is_legal(call.id):
        raise body.illegal_id(call.id)
    before = await store.read(call.type, call.id, "d")
    if before is None:
        raise await store.denial(call.type, call.id, "d")
    if call.conditions.if_match is not None:
        check_version(call, before)
    reply = Reply(204, type=call.type, id=call.id, version=before.version, audited=True)
    if before.deleted:
        return Plan(call, replace(reply, audited=False))
    change = store.change(call.type, call.id, None, call.now, before)
    return Plan(call, replace(reply, version=change.version, updated=change.updated), change)


async def plan_conditional(call: Call, store: Store) -> Plan:
    """The deletion of the one match; success where there is none."""
    found = await named(call, store)
    return Plan(call, Reply(204, type=call.type)) if found is None else await plan(found, store)


async def named(call: Call, store: Store) -> Call | None:
    """A conditional delete as the delete of the one match, None where there is none."""
    match = await conditional.match(call, store, conditional.required(call.params))
    return None if match is None else replace(call, id=match.id, params=())
