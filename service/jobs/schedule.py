"""What runs at intervals in each tenant, once for all workers together: the beat is a job like others.

A worker enqueues the next beat of each tick under the tick's name, for a time that the database's clock says. While one waits
or runs there is no second one, and the next is always later than now: none runs twice, none runs beside itself.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

import structlog

from service import tenants
from service.engine import Engine
from service.homework import escalation, horizon, plan_reviews, proposals, weekly, windows
from service.reminders import plan
from service.tenants import Tenant

TickRun = Callable[[Engine, Tenant, datetime], Awaitable[None]]
"""Does what is due in one tenant: (engine, tenant, now)."""
Tick = tuple[str, int, TickRun]
"""A name, how many seconds apart (a minute at the least), and what runs in every tenant then."""
TICKS: Final[tuple[Tick, ...]] = (
    ("escalate", 60, escalation.escalate),
    ("close", windows.EVERY_SECONDS, windows.close),
    ("roll", horizon.EVERY_SECONDS, horizon.roll),
    ("propose", proposals.EVERY_SECONDS, proposals.propose),
    ("review-plans", plan_reviews.EVERY_SECONDS, plan_reviews.ask),
    ("tally", weekly.EVERY_SECONDS, weekly.tally),
    ("reminders", plan.EVERY_SECONDS, plan.plan),
)
BEAT_SECONDS: Final = 20.0
"""How often each worker sees to it that every tick has its next beat."""
PREFIX: Final = "tick."
BEAT: Final = """
insert into pgqueuer (priority, entrypoint, execute_after, dedupe_key, status)
select 10, t.name, to_timestamp((floor(extract(epoch from now()) / t.every) + 1) * t.every), t.name, 'queued'
  from unnest($1::text[], $2::int[]) t(name, every)
 where not exists (select from pgqueuer q where q.dedupe_key = t.name and q.status in ('queued', 'picked'))
    on conflict (dedupe_key) where status in ('queued', 'picked') and dedupe_key is not null do nothing"""
_SHARED: Final = 0
_log: Final = structlog.get_logger()


def beats(ticks: tuple[Tick, ...]) -> tuple[list[str], list[int]]:
    """What BEAT binds."""
    return [PREFIX + name for name, _, _ in ticks], [every for _, every, _ in ticks]


def beating(tick: Tick) -> Callable[[Engine, Mapping[str, Any], datetime], Awaitable[None]]:
    """The tick as a job."""

    async def run(engine: Engine, _payload: Mapping[str, Any], now: datetime) -> None:
        await in_every_tenant(engine, tick, now)

    return run


async def in_every_tenant(engine: Engine, tick: Tick, now: datetime) -> None:
    """Run the tick in one tenant after the other; what goes wrong in one is logged and keeps none of the others waiting."""
    name, _, work = tick
    async with engine.database.connection(_SHARED) as connection:
        found = await tenants.registered(connection)
    for tenant in found:
        try:
            await work(engine, tenant, now)
        except Exception as fault:
            _log.error("tick-failed", tick=name, tenant=tenant.name, exc_info=fault)
