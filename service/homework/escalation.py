"""Reviews that nobody takes in time: told louder, then given to others, at each further deadline. Docs: docs/instruments.md"""

from datetime import datetime, timedelta
from typing import Any, Final

from fhir_mappings import risk
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from schemas import dates, ids
from service.call import Call
from service.engine import Engine
from service.homework import own
from service.homework import policy as policies
from service.homework.authority import found
from service.homework.policy import HomeworkPolicy
from service.homework.risk import SENDER, care_team
from service.search.find import Found
from service.store import Store, VersionConflict
from service.tenants import Tenant

JsonObject = dict[str, Any]
_AT_ONCE: Final = 200
"""How many reviews one tick looks at; the next one goes on."""


async def escalate(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Tell of every review past its deadline that nobody has taken; twice at once tells once."""
    async with engine.at_work(tenant, now) as (call, store):
        params = [
            ("code", f"{ACTIVITY_TYPE}|{risk.REVIEW_CODE}"),
            ("status", ",".join(sorted(risk.WAITING))),
            ("due", f"eb{dates.instant(now)}"),
            ("_sort", "due"),
        ]
        late = await found(call, store, "Task", params, _AT_ONCE)
        policy = await policies.known(store.connection, store.tenant_id) if late else policies.DEFAULT
        for each in late:
            await _tell(call, store, each, policy)


async def _tell(call: Call, store: Store, held: Found, policy: HomeworkPolicy) -> None:
    """Tell its owner and those on call; from the second time on it is theirs who are on call."""
    review = {**held.resource(store.codec), "id": held.id}
    now = dates.instant(call.now)
    others = policy.on_call or await care_team(call, store, review.get("for", {}))
    owner = review.get("owner", {}).get("reference")
    to = others if others and (owner is None or risk.breaches(review)) else None
    message = risk.breach(review, list(dict.fromkeys(filter(None, (owner, others)))), SENDER, now)
    due = dates.instant(call.now + timedelta(hours=policy.risk_urgent_hours))
    sent = store.change("Communication", str(ids.new(call.now.timestamp())), message, call.now)
    task = risk.escalated(review, sent.id, due, to, now)
    try:
        await own.write(call, store, [store.change("Task", held.id, task, call.now, held.stored), sent])
    except VersionConflict:
        return  # somebody took it a moment ago, or another worker told
