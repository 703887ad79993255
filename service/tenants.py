"""Tenants: the default one at /fhir, any other at /t/{name}/fhir; nothing of one is visible to another."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import asyncpg

from service.errors import Conflict, NotFound, Unprocessable

DEFAULT: Final = "default"
REACHES: Final = ("care-team", "encounter", "tenant")
"""Which patients a practitioner may see: by CareTeam, by CareTeam or Encounter, or all of the tenant's."""
# What stands in a path segment without encoding.
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
ADD: Final = "insert into tenant (name) values ($1)"
ENSURE: Final = "insert into tenant (name) values ($1) on conflict (name) do nothing"
FIND: Final = "select id, name, created, practitioner_access from tenant where name = $1"
# Who issues a token has read the row in a transaction: the lock waits for them, so that no token of the old policy comes
# after the last statement.
_HOLD: Final = "lock table tenant in access exclusive mode"
_PATIENCE: Final = "set local lock_timeout = '5s'"
SET_ACCESS: Final = "update tenant set practitioner_access = $2 where id = $1"
END_TOKENS: Final = """
update oauth_token set revoked = $2
 where tenant_id = $1 and account_id is not null and revoked is null and expires > $2"""
STATEMENTS: Final = (END_TOKENS,)
GET: Final = "select id, name, created, practitioner_access from tenant where id = $1"
LIST: Final = "select id, name, created, practitioner_access from tenant order by id"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organisation's house: `id` is in every row it owns, `name` in its addresses."""

    id: int
    name: str
    created: datetime
    practitioner_access: str = "care-team"

    @property
    def path(self) -> str:
        """Where its FHIR API stands below the server's base URL."""
        return "/fhir" if self.name == DEFAULT else f"/t/{self.name}/fhir"


async def add(connection: asyncpg.Connection[Any], name: str) -> Tenant:
    """A new tenant. Raises Unprocessable for a name that no address can hold, Conflict for one that is taken."""
    if not _NAME.fullmatch(name):
        raise Unprocessable(f"{name!r} is no tenant name: use up to 63 of a-z, 0-9 and '-', no '-' at either end")
    try:
        await connection.execute(ADD, name)
    except asyncpg.UniqueViolationError:
        raise Conflict(f"There is a tenant {name!r} already") from None
    return await find(connection, name)


async def ensure_default(connection: asyncpg.Connection[Any]) -> Tenant:
    """The default tenant, made when it is missing."""
    await connection.execute(ENSURE, DEFAULT)
    return await find(connection, DEFAULT)


async def find(connection: asyncpg.Connection[Any], name: str) -> Tenant:
    """The tenant of that name. Raises NotFound."""
    row = await connection.fetchrow(FIND, name) if _NAME.fullmatch(name) else None
    if row is None:
        raise NotFound(f"There is no tenant {name!r}")
    return Tenant(*row)


async def get(connection: asyncpg.Connection[Any], tenant_id: int) -> Tenant:
    """The tenant of that number. Raises NotFound."""
    row = await connection.fetchrow(GET, tenant_id)
    if row is None:
        raise NotFound(f"There is no tenant {tenant_id}")
    return Tenant(*row)


async def set_practitioner_access(connection: asyncpg.Connection[Any], name: str, reach: str, now: datetime) -> Tenant:
    """Say which patients practitioners may see, one of REACHES. Raises NotFound, Unprocessable.

    Access tokens of persons end, so that it holds at once; apps get new ones by their refresh tokens.
    """
    if reach not in REACHES:
        raise Unprocessable(f"{reach!r} is none of {', '.join(REACHES)}")
    tenant = await find(connection, name)
    async with connection.transaction():
        await connection.execute(_PATIENCE)
        await connection.execute(_HOLD)
        await connection.execute(SET_ACCESS, tenant.id, reach)
        await connection.execute(END_TOKENS, tenant.id, now)
    return replace(tenant, practitioner_access=reach)


async def registered(connection: asyncpg.Connection[Any]) -> list[Tenant]:
    """All tenants, oldest first."""
    return [Tenant(*row) for row in await connection.fetch(LIST)]
