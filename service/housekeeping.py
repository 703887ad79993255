"""What may be forgotten is forgotten, once an hour: what expired, ended or was only to be seen once."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from schemas import dates
from service import idempotency, tenants
from service.database import Connection, Database
from service.errors import HearthError
from service.jobs import queue
from service.oauth import authorizations, keys, replay, token
from service.people import attempts, sessions
from service.reminders import log
from service.webhooks import deliveries

INTERVAL_SECONDS: Final = 3600.0
_LOCKS_KEPT: Final = timedelta(days=1)
_FORGET_LOCKS: Final = "delete from conditional_key where tenant_id = $1 and taken < $2"
_PURGES: Final = (
    token.purge, authorizations.purge, replay.purge, sessions.purge, attempts.purge, log.purge, deliveries.purge,
)  # fmt: skip
_SHARED: Final = 0
_log: Final = structlog.get_logger()


async def run(database: Database) -> None:
    """Sweep now and then, until cancelled; a database that is away is asked again at the next turn."""
    while True:
        try:
            async with database.connection(_SHARED) as connection:
                for tenant in await tenants.registered(connection):
                    await sweep(connection, tenant.id, dates.clock())
                await keys.purge(connection, dates.clock())
                await queue.purge(connection, dates.clock())
        except HearthError as fault:
            _log.warning("housekeeping-waits", reason=str(fault))
        await asyncio.sleep(INTERVAL_SECONDS)


async def sweep(connection: Connection, tenant_id: int, now: datetime) -> None:
    """Forget what is over in one tenant; workers that sweep at the same time do no harm."""
    for purge in _PURGES:
        await purge(connection, tenant_id, now)
    await idempotency.purge(connection, tenant_id, now - idempotency.LIFETIME)
    await connection.execute(_FORGET_LOCKS, tenant_id, now - _LOCKS_KEPT)
