"""Proposals: what a therapist is asked about because of how a series went. Docs: docs/insight.md, "Proposals"

https://hl7.org/fhir/R4/task.html
A tick looks at the series whose occurrences were touched lately. One proposal waits at a time, each state is asked about once,
and a rule that was answered speaks again only after some more occurrences.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fhir_mappings import adherence, shaping
from fhir_mappings.adherence import LEFT_OUT, OPEN, Occurrence
from fhir_mappings.lifecycle import ACTIVITY_TYPE, TERMINAL
from fhir_mappings.shaping import PROPOSAL, Proposal
from schemas import dates
from service.call import Call
from service.engine import Engine
from service.homework import own, policy
from service.homework.adherence import zone_for
from service.homework.answer import ASSEMBLER
from service.homework.authority import found
from service.homework.policy import HomeworkPolicy
from service.store import IdTaken, Store
from service.tenants import Tenant

JsonObject = dict[str, Any]
EVERY_SECONDS: Final = 900
_BACK: Final = timedelta(seconds=2 * EVERY_SECONDS)
_NIGHT: Final = 3
"""The hour of the day, in UTC, at which a whole day is looked at: what was missed while no worker ran is not lost."""
_TOUCHED: Final = 5_000
_CHUNK: Final = 100
_LOOKED_AT: Final = timedelta(days=120)
_PARTS: Final = 500
_LAST: Final = 12
"""How many of the last occurrences matter to the rules."""
_AGAIN: Final = 3
"""How many more occurrences before a rule that was answered speaks again."""


async def propose(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Make the proposals that the series touched lately give rise to."""
    back = timedelta(days=1, hours=2) if now.hour == _NIGHT else _BACK
    async with engine.at_work(tenant, now) as (call, store):
        choices = await policy.of(store.connection, store.tenant_id)
        touched = await _touched(call, store, now - back)
        for start in range(0, len(touched), _CHUNK):
            named = ",".join(touched[start : start + _CHUNK])
            for head in await found(call, store, "Task", [("_id", named)], _CHUNK):
                await consider(call, store, head.resource(store.codec) | {"id": head.id}, choices)


async def _touched(call: Call, store: Store, since: datetime) -> list[str]:
    """The ids of the heads of which an occurrence was written since then."""
    params = [("_lastUpdated", f"ge{dates.instant(since)}"), ("part-of:missing", "false")]
    parts = await found(call, store, "Task", params, _TOUCHED)
    heads = (adherence.head_of(each.resource(store.codec)) for each in parts)
    return list(dict.fromkeys(head for head in heads if head is not None))


async def consider(call: Call, store: Store, head: JsonObject, choices: HomeworkPolicy) -> str | None:
    """The id of the proposal that is made for this series now, None where there is none to make."""
    if head.get("status") in TERMINAL or not head.get("for", {}).get("reference", "").startswith("Patient/"):
        return None
    occurrences = await _occurrences(call, store, head, choices)
    last = [each for each in occurrences if each.outcome not in (OPEN, LEFT_OUT)][-_LAST:]
    if not last:
        return None
    steps = shaping.steps(last, await _rated(call, store, last))
    made = shaping.proposals(steps, choices.missed_before_simpler)
    if not made or not await _may_ask(call, store, head, made[0], last):
        return None
    return await _make(call, store, head, made[0])


async def _occurrences(call: Call, store: Store, head: JsonObject, choices: HomeworkPolicy) -> list[Occurrence]:
    since = (call.now - _LOOKED_AT).date()
    params = [
        ("part-of", f"Task/{head['id']}"),
        ("due", f"ge{since}"),
        ("status:not", "ready,requested,accepted,draft"),
    ]
    parts = await found(call, store, "Task", params, _PARTS)
    tasks = [each.resource(store.codec) | {"id": each.id} for each in parts]
    return adherence.occurrences([head, *tasks], await zone_for(call, store, head, choices))


async def _rated(call: Call, store: Store, last: Sequence[Occurrence]) -> list[JsonObject]:
    focus = ",".join(f"Task/{each.id}" for each in last)
    params = [("focus", focus), ("status", "final,amended,corrected")]
    return [each.resource(store.codec) for each in await found(call, store, "Observation", params, _PARTS)]


async def _may_ask(call: Call, store: Store, head: JsonObject, proposal: Proposal, last: Sequence[Occurrence]) -> bool:
    """Whether nothing waits for an answer, and this rule was not answered a moment ago."""
    params = [("focus", f"Task/{head['id']}"), ("code", f"{ACTIVITY_TYPE}|review-proposal")]
    earlier = [each.resource(store.codec) for each in await found(call, store, "Task", params, _PARTS)]
    if any(each.get("status") == "requested" for each in earlier):
        return False
    places = {each.id: at for at, each in enumerate(last)}
    for each in earlier:
        _, rule, seen = _named(each)
        if rule == proposal.rule.id and len(last) - 1 - places.get(seen, -_LAST) < _AGAIN:
            return False
    return True


def _named(task: JsonObject) -> tuple[str, str, str]:
    """(head, rule, last occurrence) of a proposal."""
    value = next((each.get("value", "") for each in task.get("identifier", ()) if each.get("system") == PROPOSAL), "")
    head, _, rest = value.partition("/")
    rule, _, seen = rest.partition("/")
    return head, rule, seen


async def _make(call: Call, store: Store, head: JsonObject, proposal: Proposal) -> str | None:
    body = shaping.task(proposal, head, requester=ASSEMBLER, now=dates.instant(call.now))
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PROPOSAL}|{shaping.identifier(head, proposal)}"))
    try:
        await own.write(call, store, [store.change("Task", key, body, call.now, by_service=True)])
    except IdTaken:  # this state was asked about before, or another worker was faster
        return None
    return key
