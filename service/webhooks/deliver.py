"""The job that brings one event to one webhook: in order for each resource, under the Grant of who registered it.

Docs: docs/webhooks.md. No connection is held while the other server is spoken to.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from service import tenants
from service.call import Call
from service.database import Connection
from service.engine import Engine
from service.jobs import backoff
from service.oauth import clients
from service.store import Store
from service.tenants import Tenant
from service.webhooks import deliveries, post, registrations
from service.webhooks.deliveries import DELIVERED, LOST, PENDING, WITHHELD, Delivery
from service.webhooks.post import GONE, Attempt, Fate
from service.webhooks.registrations import Webhook

ATTEMPTS_MOST: Final = 13
"""Over about a day."""
FIRST_WAIT: Final = timedelta(seconds=20)
LOST_MOST: Final = 5
"""After so many deliveries in a row that were given up the webhook is disabled."""
_TURN: Final = timedelta(seconds=2)
_ENDED: Final = Attempt(Fate.NEVER, None, "the webhook was removed or disabled")
_HIDDEN: Final = Attempt(Fate.NEVER, None, "the client may not read this resource, or not any more")


async def deliver(engine: Engine, payload: Mapping[str, Any], now: datetime) -> None:
    """Bring the delivery of the payload, unless it is done, not its turn, or no longer for its webhook to know."""
    async with engine.database.connection(payload["tenant"]) as connection:
        tenant = await tenants.get(connection, payload["tenant"])
    async with engine.at_work(tenant, now) as (call, store):
        one = await deliveries.find(store.connection, tenant.id, UUID(payload["delivery"]))
        webhook = None if one is None else await _its_turn(call, store, one)
    if one is None or webhook is None:
        return
    attempt = await _bring(engine, tenant, webhook, one, now)
    async with engine.database.connection(tenant.id) as connection, connection.transaction():
        await _record(connection, tenant.id, one, attempt, now)


async def _its_turn(call: Call, store: Store, one: Delivery) -> Webhook | None:
    """The webhook that is to be told now; where it is not, why not is written down, or it waits for its turn."""
    if one.status != PENDING:
        return None
    webhook = await registrations.find(store.connection, store.tenant_id, one.webhook_id)
    if webhook is None or webhook.disabled is not None:
        await deliveries.settle(store.connection, store.tenant_id, one, LOST, one.attempts, _ENDED, call.now)
        return None
    if await deliveries.is_behind(store.connection, store.tenant_id, one):
        await deliveries.enqueue(store.connection, store.tenant_id, one, call.now + _TURN, one.attempts)
        return None
    if not await _may_know(call, store, webhook, one):
        await deliveries.settle(store.connection, store.tenant_id, one, WITHHELD, one.attempts, _HIDDEN, call.now)
        return None
    return webhook


async def _may_know(call: Call, store: Store, webhook: Webhook, one: Delivery) -> bool:
    """Whether who registered the webhook is still a client here, and may still read what it would be told of."""
    client = await clients.find(store.connection, store.tenant_id, webhook.client_id)
    if client is None:
        return False
    grant = webhook.grant(client)
    if not grant.permits("r", one.type):
        return False
    theirs = Store(store.connection, store.tenant_id, call.base, grant, store.codec, store.pages)
    return await theirs.read(one.type, one.resource_id) is not None


async def _bring(engine: Engine, tenant: Tenant, webhook: Webhook, one: Delivery, now: datetime) -> Attempt:
    secret = webhook.secret(engine.settings.secret())
    loopback = engine.settings.allow_loopback_webhooks
    return await post.post(webhook.url, secret, one.message_id, one.message(tenant), now, loopback=loopback)


async def _record(connection: Connection, tenant_id: int, one: Delivery, attempt: Attempt, now: datetime) -> None:
    attempts = one.attempts + 1
    if attempt.fate is Fate.ARRIVED:
        await deliveries.settle(connection, tenant_id, one, DELIVERED, attempts, attempt, now)
        await registrations.arrived(connection, tenant_id, one.webhook_id)
    elif attempt.fate is Fate.LATER and attempts < ATTEMPTS_MOST:
        await deliveries.settle(connection, tenant_id, one, PENDING, attempts, attempt, now)
        wait = backoff.delay(one.attempts, FIRST_WAIT)
        await deliveries.enqueue(connection, tenant_id, one, now + wait, attempts)
    else:
        await deliveries.settle(connection, tenant_id, one, LOST, attempts, attempt, now)
        most = 1 if attempt.answer == GONE else LOST_MOST
        await registrations.lost(connection, tenant_id, one.webhook_id, most, now, attempt.fault or "")
