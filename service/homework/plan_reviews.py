"""Plan reviews: therapists asked, every so many weeks, to look at a plan as a whole. Docs: docs/insight.md, "Plan reviews"

https://hl7.org/fhir/R4/careplan.html
"""

import uuid
from datetime import datetime
from typing import Any, Final

from fhir_mappings import plan_review
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from schemas import dates
from service.call import Call
from service.engine import Engine
from service.homework import own, policy
from service.homework.answer import ASSEMBLER
from service.homework.authority import found
from service.store import IdTaken, Store
from service.tenants import Tenant

JsonObject = dict[str, Any]
EVERY_SECONDS: Final = 6 * 3600
_PLANS: Final = 10_000


async def ask(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Make the reviews that are due of active plans; one waits at a time for each plan."""
    async with engine.at_work(tenant, now) as (call, store):
        weeks = (await policy.of(store.connection, store.tenant_id)).review_weeks
        if not weeks:
            return
        params = [("status", "active"), ("category", plan_review.CATEGORY)]
        for each in await found(call, store, "CarePlan", params, _PLANS):
            plan = each.resource(store.codec) | {"id": each.id}
            number = plan_review.due(plan, weeks, now.date())
            if number is not None:
                await _ask(call, store, plan, number)


async def _ask(call: Call, store: Store, plan: JsonObject, number: int) -> None:
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{plan_review.IDENTIFIER}|{plan['id']}/{number}"))
    if await store.read("Task", key) is not None or await _is_waiting(call, store, plan):
        return
    body = plan_review.review(plan, number, requester=ASSEMBLER, now=dates.instant(call.now))
    try:
        await own.write(call, store, [store.change("Task", key, body, call.now, by_service=True)])
    except IdTaken:  # another worker was faster
        return


async def _is_waiting(call: Call, store: Store, plan: JsonObject) -> bool:
    """Whether an earlier review of the plan waits yet."""
    code = f"{ACTIVITY_TYPE}|plan-review"
    params = [("focus", f"CarePlan/{plan['id']}"), ("code", code), ("status", "requested,accepted,in-progress")]
    return bool(await found(call, store, "Task", params, 1))
