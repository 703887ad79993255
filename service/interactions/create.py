"""create, plain and conditional. https://hl7.org/fhir/R4/http.html#create"""

from dataclasses import replace
from functools import partial

from schemas import ids
from service.call import Call, Reply
from service.interactions import body, conditional, replies
from service.interactions.plan import Plan, carry_out
from service.store import Store


async def create(call: Call, store: Store) -> Reply:
    """A new resource under an id of ours; with If-None-Exist only where the search finds none."""
    assert call.type is not None
    call.grant.require("c", call.type)
    if call.conditions.if_none_exist is None:
        return await carry_out(plan, call, store)
    wanted = conditional.criteria(call.conditions.if_none_exist)
    return await conditional.alone(call, store, wanted, partial(carry_out, plan_conditional, call, store))


async def plan(call: Call, store: Store) -> Plan:
    """The change that a create asks for. Whatever id the body has is replaced: the server chooses."""
    assert call.type is not None
    resource = body.resource(call)
    change = store.change(call.type, call.id or str(ids.new(call.now.timestamp())), resource, call.now)
    return Plan(call, replies.written(call, change, 201), change)


async def plan_conditional(call: Call, store: Store) -> Plan:
    """As `plan` where If-None-Exist finds nothing; the one match where it finds it."""
    assert call.type is not None
    assert call.conditions.if_none_exist is not None
    body.resource(call)
    match = await conditional.match(call, store, conditional.criteria(call.conditions.if_none_exist))
    if match is None:
        return await plan(replace(call, validated=True), store)
    return Plan(call, replies.unchanged(call, store, match))
