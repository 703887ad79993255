"""Secret links to a client's calendar: made, listed and ended; of the secret only its hash is kept. Docs: docs/reminders.md"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from schemas import ids, words
from service.call import Call
from service.database import Connection
from service.errors import Conflict, NotFound, Unprocessable
from service.oauth import secret
from service.reminders import rules
from service.store import Store

LINKS_MOST: Final = 10
"""How many a client has at a time: one for each of their devices."""
_COLUMNS: Final = "link_id, patient, patient_id, details, language, created, created_by, used, revoked"
ADD: Final = """
insert into calendar_link (tenant_id, link_id, token_hash, patient, patient_id, details, language, created, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
LIST: Final = f"""
select {_COLUMNS} from calendar_link where tenant_id = $1 and patient = $2 and revoked is null order by created"""  # noqa: S608
FIND: Final = f"select {_COLUMNS} from calendar_link where tenant_id = $1 and token_hash = $2 and revoked is null"  # noqa: S608
REVOKE: Final = """
update calendar_link set revoked = $4
 where tenant_id = $1 and patient = $2 and link_id = $3 and revoked is null returning link_id"""
# A calendar asks every hour or so: its last visit is written once a day.
USED: Final = """
update calendar_link set used = $3::timestamptz
 where tenant_id = $1 and link_id = $2 and (used is null or used < $3::timestamptz - interval '1 day')"""
STATEMENTS: Final = (ADD, LIST, FIND, REVOKE, USED)


@dataclass(frozen=True, slots=True)
class Link:
    """A way into one client's calendar: whether it shows what things are called, and when it was used last, to the day."""

    id: UUID
    patient: UUID
    patient_id: str
    details: bool
    language: str
    created: datetime
    created_by: str
    used: datetime | None = None
    revoked: datetime | None = None


async def make(
    call: Call, store: Store, patient_id: str, *, details: bool = False, language: str = words.LANGUAGES[0]
) -> tuple[Link, str]:
    """A new link, and the secret in its address, which is shown this once. Raises NotFound, Forbidden, Conflict.

    Who may read a client's Tasks and set their reminders may make one. `details` shows the names of activities in it.
    """
    await _require(call, store, patient_id, "u")
    if language not in words.LANGUAGES:
        raise Unprocessable(f"language is one of {', '.join(words.LANGUAGES)}", expression=("language",))
    key = store.key("Patient", patient_id)
    if len(await store.connection.fetch(LIST, store.tenant_id, key)) >= LINKS_MOST:
        raise Conflict(f"There are {LINKS_MOST} calendar links already; end one of them first")
    made = Link(ids.new(call.now.timestamp()), key, patient_id, details, language, call.now, call.grant.caller)
    token = secret.new()
    await store.connection.execute(
        ADD,
        store.tenant_id,
        made.id,
        secret.digest(token),
        key,
        patient_id,
        details,
        language,
        call.now,
        made.created_by,
    )
    return made, token


async def of(call: Call, store: Store, patient_id: str) -> list[Link]:
    """The links of a client that open their calendar, oldest first. Raises NotFound, Forbidden."""
    await _require(call, store, patient_id, "r")
    return [_read(row) for row in await store.connection.fetch(LIST, store.tenant_id, store.key("Patient", patient_id))]


async def revoke(call: Call, store: Store, patient_id: str, link_id: UUID) -> None:
    """End a link at once. Raises NotFound, Forbidden."""
    await _require(call, store, patient_id, "u")
    key = store.key("Patient", patient_id)
    if await store.connection.fetchval(REVOKE, store.tenant_id, key, link_id, call.now) is None:
        raise NotFound(f"There is no calendar link {link_id} of this client")


async def rotate(call: Call, store: Store, patient_id: str, link_id: UUID) -> tuple[Link, str]:
    """Another secret in place of one that got into the wrong hands: the old link ends, the new one shows the same."""
    known = next((each for each in await of(call, store, patient_id) if each.id == link_id), None)
    if known is None:
        raise NotFound(f"There is no calendar link {link_id} of this client")
    async with store.transaction():
        await revoke(call, store, patient_id, link_id)
        return await make(call, store, patient_id, details=known.details, language=known.language)


async def find(connection: Connection, tenant_id: int, token: str) -> Link | None:
    """The link that a secret opens, for whoever has it; None where it opens none any more."""
    row = await connection.fetchrow(FIND, tenant_id, secret.digest(token))
    return None if row is None else _read(row)


async def visited(connection: Connection, tenant_id: int, link: Link, now: datetime) -> None:
    """Note that it is in use."""
    await connection.execute(USED, tenant_id, link.id, now)


async def _require(call: Call, store: Store, patient_id: str, letter: str) -> None:
    await rules.require(call, store, patient_id, letter)
    call.grant.require("r", "Task")


def _read(row: Any) -> Link:
    return Link(*row)
