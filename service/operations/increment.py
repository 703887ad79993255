"""Observation/[id]/$increment: one more of what is counted, each event once. Docs: docs/insight.md, "Counting".

https://hl7.org/fhir/R4/operations.html
No version has to be known: whoever adds at the same time waits, and all of it is added.
"""

from functools import partial
from typing import Final

from fhir_mappings.counting import Uncountable, counted
from schemas import dates
from service.call import Call, Reply
from service.errors import Unprocessable
from service.interactions import body, conditional, replies
from service.interactions.plan import Plan, carry_out
from service.interactions.read import existing
from service.operations.parameters import asked, malformed
from service.store import Store

_NAMES: Final = ("event", "by", "at")
_MOST: Final = 1_000
_LONGEST: Final = 128


async def increment(call: Call, store: Store) -> Reply:
    """The Observation with `by` (1) more in valueInteger; as it is, where it has counted `event` already."""
    call.grant.require("u", "Observation")
    call.grant.require("r", "Observation")  # the reply tells what it holds
    alone = (("_id", str(call.id)),)
    return await conditional.alone(call, store, alone, partial(carry_out, _plan, call, store))


async def _plan(call: Call, store: Store) -> Plan:
    assert call.id is not None
    given = asked(call, _NAMES)
    event, at = given.text("event"), given.text("at")
    if not event or len(event) > _LONGEST:
        raise malformed("event", f"event names what happened, in up to {_LONGEST} characters: best a random UUID")
    if given.date("at") is None:
        at = dates.instant(call.now)
    before = await existing(store, "Observation", call.id, "u")
    try:
        made = counted(store.resource(before), event, given.number("by", 1, _MOST, 1), str(at))
    except Uncountable as fault:
        raise Unprocessable(
            fault.sentence, code="business-rule", expression=(fault.expression,), details_code="not-countable"
        ) from fault
    if made is None:
        return Plan(call, replies.unchanged(call, store, before))
    body.check(made)
    change = store.change("Observation", call.id, made, call.now, before)
    return Plan(call, replies.written(call, change, 200), change)
