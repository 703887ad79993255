"""Local accounts: who may sign in, as which Patient, Practitioner or RelatedPerson of the tenant.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#scopes-for-requesting-identity-data (fhirUser)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from schemas import ids
from service import labels, statements
from service.errors import Conflict, NotFound, Unprocessable
from service.people import attempts, passwords
from service.people.attempts import SignInRefused

FHIR_USERS: Final = ("Patient", "Practitioner", "RelatedPerson")
LANGUAGES: Final = ("en", "es", "nl", "de")
"""The languages that the pages are in."""
LOGIN_MOST: Final = 254
NAME_MOST: Final = 200
ONCE_LASTS: Final = timedelta(days=7)
"""How long a generated password can be used for a first sign-in."""

_COLUMNS: Final = """account_id, login, name, fhir_user, language, clearance, break_glass, is_admin,
  password_hash is not null as has_password, totp_confirmed as has_second_factor,
  password_until is not null as must_change_password, disabled, created"""
ADD: Final = """
insert into account (tenant_id, account_id, login, name, fhir_user, language, clearance, break_glass, is_admin,
  password_hash, password_until)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
FIND: Final = f"select {_COLUMNS} from account where tenant_id = $1 and account_id = $2 and not disabled"  # noqa: S608
BY_LOGIN: Final = f"select {_COLUMNS} from account where tenant_id = $1 and login = $2"  # noqa: S608
LIST: Final = f"select {_COLUMNS} from account where tenant_id = $1 order by login"  # noqa: S608
CREDENTIALS: Final = """
select account_id, fhir_user, password_hash, password_until from account
 where tenant_id = $1 and login = $2 and not disabled"""
CURRENT: Final = "select password_hash from account where tenant_id = $1 and account_id = $2"
REHASH: Final = """
update account set password_hash = $4 where tenant_id = $1 and account_id = $2 and password_hash = $3"""
REPLACE: Final = """
update account set password_hash = $3, password_until = $4, password_changed = $5
 where tenant_id = $1 and account_id = $2"""
SPEAK: Final = "update account set language = $3 where tenant_id = $1 and account_id = $2"
SET_RIGHTS: Final = """
update account set clearance = $3, break_glass = $4, is_admin = $5 where tenant_id = $1 and account_id = $2"""
DISABLE: Final = "update account set disabled = $3 where tenant_id = $1 and account_id = $2"
CLOSE_SESSIONS: Final = "delete from account_session where tenant_id = $1 and account_id = $2"
END_AUTHORIZATIONS: Final = """
update oauth_authorization set revoked = $3 where tenant_id = $1 and account_id = $2 and revoked is null"""
END_TOKENS: Final = """
update oauth_token set revoked = $3 where tenant_id = $1 and revoked is null and expires > $3 and authorization_id in (
  select authorization_id from oauth_authorization where tenant_id = $1 and account_id = $2)"""
STATEMENTS: Final = (
    ADD, FIND, BY_LOGIN, LIST, CREDENTIALS, CURRENT, REHASH, REPLACE, SPEAK, SET_RIGHTS, DISABLE, CLOSE_SESSIONS,
    END_AUTHORIZATIONS, END_TOKENS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in; `fhir_user` is who they are (`Patient/1`), `clearance` the labels shown to them.

    `must_change_password`: the password is a generated one, for the first sign-in alone.
    """

    account_id: UUID
    login: str
    name: str
    fhir_user: str
    language: str
    clearance: tuple[str, ...]
    break_glass: bool
    is_admin: bool
    has_password: bool
    has_second_factor: bool
    must_change_password: bool
    disabled: bool
    created: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be added; without a password its person can only come by another provider."""

    login: str
    name: str
    fhir_user: str
    password: str | None = None
    language: str = "en"
    clearance: Sequence[str] = ()
    break_glass: bool = False
    is_admin: bool = False
    password_until: datetime | None = None
    """Until when the password can be used, when it is for the first sign-in alone: ONCE_LASTS from now."""


async def add(connection: asyncpg.Connection[Any], tenant_id: int, new: NewAccount) -> Account:
    """A new account. Raises Unprocessable, PasswordRefused, NotFound for a resource that is not there, Conflict."""
    login, name = folded(new.login), " ".join(new.name.split())
    _check(new, login, name)
    await _require_there(connection, tenant_id, new.fhir_user)
    stored = None
    if new.password is not None:
        passwords.check(new.password, (login, name))
        stored = await passwords.hashed(new.password)
    made = ids.new()
    try:
        await connection.execute(
            ADD, tenant_id, made, login, name, new.fhir_user, new.language, list(new.clearance), new.break_glass,
            new.is_admin, stored, new.password_until,
        )  # fmt: skip
    except asyncpg.UniqueViolationError as fault:
        if fault.constraint_name == "account_fhir_user":
            raise Conflict(f"{new.fhir_user} has an account already") from None
        raise Conflict(f"There is an account {login!r} already") from None
    account = await find(connection, tenant_id, made)
    assert account is not None
    return account


async def find(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID) -> Account | None:
    """The account; None when there is none, or it is disabled."""
    row = await connection.fetchrow(FIND, tenant_id, account_id)
    return None if row is None else _account(row)


async def by_login(connection: asyncpg.Connection[Any], tenant_id: int, login: str) -> Account | None:
    """The account of a login, disabled or not."""
    name = folded(login)
    row = await connection.fetchrow(BY_LOGIN, tenant_id, name) if _is_login(name) else None
    return None if row is None else _account(row)


async def registered(connection: asyncpg.Connection[Any], tenant_id: int) -> list[Account]:
    """The tenant's accounts by login, disabled ones included."""
    return [_account(row) for row in await connection.fetch(LIST, tenant_id)]


async def check_password(
    connection: asyncpg.Connection[Any], tenant_id: int, login: str, password: str, now: datetime
) -> Account:
    """Who signs in by this login and password. Raises SignInRefused, TooManyRequests.

    What is wrong is not said, and takes the same time: a password is compared for a login that does not exist, too.
    """
    passwords.require_room()  # before the attempt is counted: it is not the person's fault
    name = folded(login)
    row = await connection.fetchrow(CREDENTIALS, tenant_id, name) if _is_login(name) else None
    stored, fhir_user = (None, None) if row is None else (row["password_hash"], row["fhir_user"])
    failures = await attempts.begin(connection, tenant_id, "password", name, now, fhir_user)
    is_right = await passwords.matches(stored, password)
    if row is None or stored is None or not is_right:
        raise SignInRefused(reason=f"wrong login or password, failure {failures}", fhir_user=fhir_user)
    if row["password_until"] is not None and row["password_until"] <= now:
        raise SignInRefused(reason="the password for the first sign-in has expired", fhir_user=fhir_user)
    await attempts.succeeded(connection, tenant_id, "password", name)
    if passwords.is_outdated(stored):
        await connection.execute(REHASH, tenant_id, row["account_id"], stored, await passwords.hashed(password))
    account = await find(connection, tenant_id, row["account_id"])
    if account is None:
        raise SignInRefused(reason="the account was disabled just now", fhir_user=fhir_user)
    return account


async def set_password(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    account: Account,
    password: str,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """Give the account another password, and end all that was got with the old one: sessions, authorizations, tokens.

    `until` as in NewAccount. Raises PasswordRefused. A page opens a new session for who has just changed theirs.
    """
    passwords.check(password, (account.login, account.name))
    old = await connection.fetchval(CURRENT, tenant_id, account.account_id)
    if await passwords.matches(old, password):
        raise passwords.PasswordRefused("unchanged")
    stored = await passwords.hashed(password)
    async with connection.transaction():
        await connection.execute(REPLACE, tenant_id, account.account_id, stored, until, now)
        await attempts.succeeded(connection, tenant_id, "password", account.login)
        await end_all(connection, tenant_id, account.account_id, now)


async def change_password(
    connection: asyncpg.Connection[Any], tenant_id: int, account: Account, old: str, new: str, now: datetime
) -> None:
    """As `set_password`, for who knows the old one. Raises SignInRefused, PasswordRefused."""
    await check_password(connection, tenant_id, account.login, old, now)
    await set_password(connection, tenant_id, account, new, now)


async def set_language(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, language: str) -> None:
    """Show the person the pages in a language of LANGUAGES from now on."""
    await connection.execute(SPEAK, tenant_id, account_id, language)


async def set_rights(connection: asyncpg.Connection[Any], tenant_id: int, changed: Account, now: datetime) -> None:
    """Let the person see and do what `changed` says: clearance, break-the-glass, administration. Raises Unprocessable.

    Access tokens end, so that it holds at once; apps get new ones by their refresh tokens.
    """
    _check_rights(changed.fhir_user, changed.clearance, changed.break_glass)
    rights = (list(changed.clearance), changed.break_glass, changed.is_admin)
    async with connection.transaction():
        await connection.execute(SET_RIGHTS, tenant_id, changed.account_id, *rights)
        await connection.execute(END_TOKENS, tenant_id, changed.account_id, now)


async def set_disabled(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, disabled: bool, now: datetime
) -> None:
    """Let the person sign in no more, and end all they have under way at once; or let them in again."""
    async with connection.transaction():
        await connection.execute(DISABLE, tenant_id, account_id, disabled)
        if disabled:
            await end_all(connection, tenant_id, account_id, now)


async def end_all(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, now: datetime) -> None:
    """End the person's sessions, what they allowed apps, and their tokens; within a transaction that changed the account.

    In this order: who issues tokens holds the account's row, and only statements begun after that see them all.
    """
    await connection.execute(CLOSE_SESSIONS, tenant_id, account_id)
    await connection.execute(END_AUTHORIZATIONS, tenant_id, account_id, now)
    await connection.execute(END_TOKENS, tenant_id, account_id, now)


def folded(login: str) -> str:
    """The login as it is compared: without regard to case or to how its characters are composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).casefold()).strip()


def _is_login(folded_login: str) -> bool:
    """Whether some account could have it."""
    return 0 < len(folded_login) <= LOGIN_MOST and folded_login.isprintable() and " " not in folded_login


def _check(new: NewAccount, login: str, name: str) -> None:
    if not _is_login(login):
        raise Unprocessable(
            f"A login is up to {LOGIN_MOST} printable characters without spaces, such as an e-mail address"
        )
    if not name.isprintable() or not 0 < len(name) <= NAME_MOST:
        raise Unprocessable(f"A name is up to {NAME_MOST} printable characters, as the person is addressed")
    if new.language not in LANGUAGES:
        raise Unprocessable(f"The pages are in {', '.join(LANGUAGES)}; not in {new.language!r}")
    _check_rights(new.fhir_user, new.clearance, new.break_glass)


def _check_rights(fhir_user: str, clearance: Sequence[str], break_glass: bool) -> None:
    if break_glass and not fhir_user.startswith("Practitioner/"):
        raise Unprocessable("Only a Practitioner can have the right to break the glass")
    known = sorted(code for code in labels.HIDING if code != labels.CLIENT_ONLY)
    unknown = [code for code in clearance if code not in known]
    if unknown:
        raise Unprocessable(f"{unknown[0]!r} is no label that needs a clearance; these do: {', '.join(known)}")


async def _require_there(connection: asyncpg.Connection[Any], tenant_id: int, fhir_user: str) -> None:
    type_name, _, resource_id = fhir_user.partition("/")
    if type_name not in FHIR_USERS or not ids.is_legal(resource_id):
        raise Unprocessable(f"A person is one of {', '.join(FHIR_USERS)}, as in Patient/123; not {fhir_user!r}")
    row = await connection.fetchrow(statements.read(type_name), tenant_id, ids.key(tenant_id, type_name, resource_id))
    if row is None or row["deleted"]:
        raise NotFound(f"There is no {fhir_user} in this tenant; create it first")


def _account(row: asyncpg.Record) -> Account:
    return Account(**{**row, "clearance": tuple(row["clearance"])})
