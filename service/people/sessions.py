"""Sessions: who signed in by which browser, until they sign out, go away for a while, or the day is over.

https://pages.nist.gov/800-63-4/sp800-63b.html#sec5, https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

import asyncpg

from service.oauth import authorizations, secret
from service.people.attempts import SignInRefused
from service.settings import Settings

_COLUMNS: Final = "session_hash, account_id, second_factor, created, used, expires"
# The account is held, so that one disabled meanwhile gets no session, nor a sign-in that began by an older password.
OPEN: Final = """
insert into account_session (tenant_id, session_hash, account_id, second_factor, created, used, expires, idle)
select $1, $2, account_id, $4, $5, $5, $6, $7 from account
 where tenant_id = $1 and account_id = $3 and not disabled and password_changed <= $5 for share"""
FIND: Final = f"""
update account_session s set used = greatest(s.used, $3) from account a
 where s.tenant_id = $1 and s.session_hash = $2 and s.expires > $3 and s.used + s.idle > $3
   and a.tenant_id = $1 and a.account_id = s.account_id and not a.disabled
returning {", ".join(f"s.{name}" for name in _COLUMNS.split(", "))}"""  # noqa: S608
RENEW: Final = """
update account_session set session_hash = $3, second_factor = $4
 where tenant_id = $1 and session_hash = $2 and expires > $5 and used + idle > $5 returning account_id"""
REBIND: Final = """
update oauth_authorization set session_hash = $4
 where tenant_id = $1 and account_id = $2 and session_hash = $3 and revoked is null"""
CLOSE: Final = "delete from account_session where tenant_id = $1 and session_hash = $2 returning account_id"
CLOSE_ALL: Final = "delete from account_session where tenant_id = $1 and account_id = $2"
ONLINE: Final = """
select authorization_id from oauth_authorization
 where tenant_id = $1 and account_id = $2 and ($3::bytea is null or session_hash = $3) and revoked is null
   and 'online_access' = any(string_to_array(scope, ' ')) and not 'offline_access' = any(string_to_array(scope, ' '))
 order by authorization_id"""
PURGE: Final = "delete from account_session where tenant_id = $1 and (expires < $2 or used + idle < $2)"
STATEMENTS: Final = (OPEN, FIND, RENEW, REBIND, CLOSE, CLOSE_ALL, ONLINE, PURGE)


@dataclass(frozen=True, slots=True)
class Lasts:
    """How long a session lasts: without use, and altogether."""

    idle: timedelta = timedelta(minutes=15)
    absolute: timedelta = timedelta(hours=8)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in; `digest` is its name in the database, `second_factor` whether they showed one.

    A session may still lack a step: `policy.step` says which.
    """

    digest: bytes
    account_id: UUID
    second_factor: bool
    created: datetime
    used: datetime
    expires: datetime


async def open(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    account_id: UUID,
    second_factor: bool,
    now: datetime,
    lasts: Lasts = Lasts(),
) -> str:
    """A new session: the value of its cookie, of which only a hash is stored.

    `now` is when the sign-in began. Raises SignInRefused when the account was disabled, or its password changed, since then.
    """
    cookie = secret.new()
    values = (tenant_id, secret.digest(cookie), account_id, second_factor, now, now + lasts.absolute, lasts.idle)
    if await connection.execute(OPEN, *values) == "INSERT 0 0":
        raise SignInRefused(reason="the account was disabled or its password changed just now")
    return cookie


async def find(
    connection: asyncpg.Connection[Any], tenant_id: int, cookie: str | None, now: datetime
) -> Session | None:
    """The session of a cookie, which counts as used now; None when it is unknown or over, or the account disabled."""
    row = await connection.fetchrow(FIND, tenant_id, _digest(cookie), now) if cookie else None
    return None if row is None else Session(*row)


async def touch(connection: asyncpg.Connection[Any], tenant_id: int, digest: bytes, now: datetime) -> bool:
    """Whether the session is still open; it counts as used now."""
    return await connection.fetchrow(FIND, tenant_id, digest, now) is not None


async def renew(
    connection: asyncpg.Connection[Any], tenant_id: int, cookie: str, second_factor: bool, now: datetime
) -> str | None:
    """The same session under a new cookie, once its person has shown more of who they are; None when it is over.

    Whoever knew the old cookie has nothing of it.
    """
    old, made = _digest(cookie), secret.new()
    new = secret.digest(made)
    async with connection.transaction():
        account_id = await connection.fetchval(RENEW, tenant_id, old, new, second_factor, now)
        if account_id is None:
            return None
        await connection.execute(REBIND, tenant_id, account_id, old, new)
    return made


async def close(connection: asyncpg.Connection[Any], tenant_id: int, cookie: str, now: datetime) -> None:
    """Sign out: end the session, and what apps may do only while it lasts (online_access)."""
    async with connection.transaction():
        account_id = await connection.fetchval(CLOSE, tenant_id, _digest(cookie))
        if account_id is not None:
            await _end_online(connection, tenant_id, account_id, _digest(cookie), now)


async def close_all(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, now: datetime) -> None:
    """Sign out everywhere."""
    async with connection.transaction():
        await connection.execute(CLOSE_ALL, tenant_id, account_id)
        await _end_online(connection, tenant_id, account_id, None, now)


async def _end_online(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, digest: bytes | None, now: datetime
) -> None:
    for row in await connection.fetch(ONLINE, tenant_id, account_id, digest):
        await authorizations.end(connection, tenant_id, row["authorization_id"], now)


async def purge(connection: asyncpg.Connection[Any], tenant_id: int, now: datetime) -> None:
    """Forget sessions that are over."""
    await connection.execute(PURGE, tenant_id, now)


def csrf(cookie_value: str, secret: bytes) -> str:
    """What a form has to bring along, so that it can only come from a page of ours that this cookie's browser asked for.

    `secret` is settings.secret(); before the sign-in the cookie is a visitor's (`cookies.VISITOR`).
    """
    message = b"hearth:csrf\0" + cookie_value.encode("utf-8", "surrogatepass")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def csrf_matches(cookie_value: str, secret: bytes, given: str) -> bool:
    """Whether a form brought along what `csrf` says."""
    is_plain = given.isascii() and bool(cookie_value)
    return is_plain and hmac.compare_digest(csrf(cookie_value, secret), given)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogatepass")).digest()
