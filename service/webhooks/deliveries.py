"""Deliveries as rows: what each webhook is told, how often it was tried and what came of it. Docs: docs/webhooks.md"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fhir_mappings.homework_event import Event
from schemas import dates
from service.call import Call
from service.database import Connection
from service.errors import NotFound
from service.jobs import queue
from service.store import Store
from service.tenants import Tenant
from service.webhooks import registrations
from service.webhooks.post import Attempt

DELIVER: Final = "webhook.deliver"
"""The job that brings one."""
KEPT: Final = timedelta(days=30)
"""How long a delivery can be looked at and repeated."""
PENDING: Final = "pending"
DELIVERED: Final = "delivered"
LOST: Final = "lost"
WITHHELD: Final = "withheld"
_COLUMNS: Final = (
    "delivery_id, webhook_id, number, event, type, resource_id, version, occurred, status, attempts, attempted, answer,"
    " fault"
)
KEEP: Final = """
with made as (
  insert into webhook_delivery (tenant_id, delivery_id, webhook_id, event, type, resource_id, version, occurred, expires)
  select $1, gen_random_uuid(), w.webhook_id, e.event, e.type, e.id, e.version, $6, $7
    from unnest($2::text[], $3::text[], $4::text[], $5::int[]) with ordinality e(event, type, id, version, place)
    join webhook w on w.tenant_id = $1 and w.disabled is null and e.event = any(w.events)
   order by e.place
  returning delivery_id)
insert into pgqueuer (priority, entrypoint, payload, dedupe_key, status)
select 0, $8, convert_to(json_build_object('tenant', $1::int, 'delivery', delivery_id)::text, 'UTF8'),
       $8 || '/' || $1::int || '/' || delivery_id || '/0', 'queued' from made"""
FIND: Final = f"select {_COLUMNS} from webhook_delivery where tenant_id = $1 and delivery_id = $2"  # noqa: S608
LIST: Final = f"""
select {_COLUMNS} from webhook_delivery where tenant_id = $1 and webhook_id = $2 and number < $3
 order by number desc limit $4"""  # noqa: S608
EARLIER: Final = """
select exists (select from webhook_delivery d where d.tenant_id = $1 and d.webhook_id = $2 and d.number < $3
  and d.type = $4 and d.resource_id = $5 and d.status = 'pending')"""
SET: Final = """
update webhook_delivery set status = $3, attempts = $4, attempted = $5, answer = $6, fault = $7
 where tenant_id = $1 and delivery_id = $2 and status = 'pending'"""
AGAIN: Final = """
update webhook_delivery set status = 'pending', attempts = 0, fault = null, answer = null
 where tenant_id = $1 and delivery_id = $2 and status <> 'pending' returning delivery_id"""
PURGE: Final = "delete from webhook_delivery where tenant_id = $1 and expires < $2"
STATEMENTS: Final = (KEEP, FIND, LIST, EARLIER, SET, AGAIN, PURGE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook; `number` orders all of a tenant.

    `status` is pending, delivered, lost (given up) or withheld (the webhook may not know of it). `answer` is the HTTP status.
    """

    id: UUID
    webhook_id: UUID
    number: int
    event: str
    type: str
    resource_id: str
    version: int
    occurred: datetime
    status: str
    attempts: int
    attempted: datetime | None
    answer: int | None
    fault: str | None

    @property
    def message_id(self) -> str:
        """By which its receiver knows it again, however often it comes."""
        return f"msg_{self.id}"

    def message(self, tenant: Tenant) -> dict[str, Any]:
        """What is sent: ids, and nothing about anybody."""
        return {
            "type": self.event,
            "timestamp": dates.instant(self.occurred),
            "data": {
                "tenant": tenant.name,
                "resource": f"{self.type}/{self.resource_id}",
                "version": self.version,
                "number": self.number,
            },
        }


async def keep(store: Store, events: Sequence[Event], now: datetime) -> None:
    """Write what the webhooks that listen are to be told, and the jobs for it, in the transaction under way."""
    columns = [list(column) for column in zip(*events, strict=True)]
    await store.connection.execute(KEEP, store.tenant_id, *columns, now, now + KEPT, DELIVER)


async def of(call: Call, store: Store, webhook_id: UUID, before: int, limit: int) -> list[Delivery]:
    """Those to one of the caller's webhooks, newest first, of numbers below `before`. Raises Forbidden, NotFound."""
    await registrations.get(call, store, webhook_id)
    rows = await store.connection.fetch(LIST, store.tenant_id, webhook_id, before, limit)
    return [Delivery(*row) for row in rows]


async def again(call: Call, store: Store, webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Have one of the caller's brought once more, under the same message id. Raises Forbidden, NotFound."""
    await registrations.get(call, store, webhook_id)
    found = await find(store.connection, store.tenant_id, delivery_id)
    if found is None or found.webhook_id != webhook_id:
        raise NotFound(f"There is no delivery {delivery_id} to this webhook")
    async with store.transaction():
        if await store.connection.fetchval(AGAIN, store.tenant_id, delivery_id) is not None:
            await enqueue(store.connection, store.tenant_id, found, call.now, 0)
    return await find(store.connection, store.tenant_id, delivery_id) or found


async def find(connection: Connection, tenant_id: int, delivery_id: UUID) -> Delivery | None:
    """A delivery to anybody, for the service itself; None where there is none any more."""
    row = await connection.fetchrow(FIND, tenant_id, delivery_id)
    return None if row is None else Delivery(*row)


async def is_behind(connection: Connection, tenant_id: int, one: Delivery) -> bool:
    """Whether the same webhook has yet to be told of something earlier about the same resource."""
    where = (one.webhook_id, one.number, one.type, one.resource_id)
    return bool(await connection.fetchval(EARLIER, tenant_id, *where))


async def settle(
    connection: Connection, tenant_id: int, one: Delivery, status: str, attempts: int, attempt: Attempt, now: datetime
) -> None:
    """Write what came of an attempt."""
    await connection.execute(SET, tenant_id, one.id, status, attempts, now, attempt.answer, attempt.fault)


async def enqueue(connection: Connection, tenant_id: int, one: Delivery, run_at: datetime, attempts: int) -> None:
    """Have it brought at `run_at`, as attempt `attempts` (0 is the first one)."""
    payload = {"tenant": tenant_id, "delivery": str(one.id)}
    # The row of a job that enqueues itself again is still there: the time tells the two apart.
    key = f"{one.id}/{attempts}/{dates.instant(run_at)}"
    await queue.enqueue(connection, DELIVER, payload, run_at=run_at, key=key)


async def purge(connection: Connection, tenant_id: int, now: datetime) -> None:
    """Forget deliveries of long ago."""
    await connection.execute(PURGE, tenant_id, now)
