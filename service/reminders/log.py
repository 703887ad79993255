"""Each reminder as a row: planned once for its time, whoever plans, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas import dates
from service.database import Connection

_KEPT: Final = timedelta(days=90)
PLAN: Final = """
insert into reminder (tenant_id, reminder_id, patient, patient_id, about, channel, slot, expires)
select $1, * from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
    on conflict (tenant_id, reminder_id) do nothing returning reminder_id"""
FIND: Final = """
select reminder_id, patient, patient_id, about, channel, slot, status, attempts from reminder
 where tenant_id = $1 and reminder_id = $2"""
SET: Final = """
update reminder set status = $3, reason = $4, attempts = $5
 where tenant_id = $1 and reminder_id = $2 and status = 'planned' returning reminder_id"""
PURGE: Final = "delete from reminder where tenant_id = $1 and expires < $2"
STATEMENTS: Final = (PLAN, FIND, SET, PURGE)


@dataclass(frozen=True, slots=True)
class Reminder:
    """One message at one time by one channel, about `Task/…` or the `CommunicationRequest/…` that orders it."""

    patient: UUID
    patient_id: str
    about: str
    channel: str
    slot: datetime
    status: str = "planned"
    attempts: int = 0

    @property
    def id(self) -> UUID:
        """The same whenever the same reminder is planned; also the id of the Communication that tells of it."""
        return uuid5(NAMESPACE_URL, f"{self.patient}/{self.about}/{self.channel}/{dates.instant(self.slot)}")


async def plan(connection: Connection, tenant_id: int, reminders: Sequence[Reminder]) -> list[Reminder]:
    """Keep the reminders that are new, and return those."""
    if not reminders:
        return []
    rows = [
        (each.id, each.patient, each.patient_id, each.about, each.channel, each.slot, each.slot + _KEPT)
        for each in reminders
    ]
    made = {row["reminder_id"] for row in await connection.fetch(PLAN, tenant_id, *map(list, zip(*rows, strict=True)))}
    return [each for each in reminders if each.id in made]


async def find(connection: Connection, tenant_id: int, reminder_id: UUID) -> Reminder | None:
    """The reminder, None where there is none any more."""
    row: Any = await connection.fetchrow(FIND, tenant_id, reminder_id)
    return None if row is None else Reminder(*tuple(row)[1:])


async def settle(
    connection: Connection, tenant_id: int, reminder: Reminder, status: str, reason: str | None, attempts: int
) -> bool:
    """Write what became of it; whether nobody else had done so before."""
    return await connection.fetchval(SET, tenant_id, reminder.id, status, reason, attempts) is not None


async def purge(connection: Connection, tenant_id: int, now: datetime) -> None:
    """Forget reminders of long ago; the Communications about them stay."""
    await connection.execute(PURGE, tenant_id, now)
