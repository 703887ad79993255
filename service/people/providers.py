"""The OpenID providers that a tenant's people may sign in by, and whom each of them may speak for.

https://openid.net/specs/openid-connect-core-1_0.html#IDToken

An account is linked to what one issuer calls its person (`iss` and `sub`). Where a provider has a claim that names the account,
the first sign-in links it. No account is ever made by signing in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from service import sealing
from service.errors import Conflict, NotFound, Unprocessable
from service.oauth import jwks
from service.people import accounts
from service.people.accounts import Account
from service.people.attempts import SignInRefused

LinkTo = Literal["login", "fhir-user"]
LINKS: Final[tuple[LinkTo, ...]] = ("login", "fhir-user")
"""What a provider's claim can name an account by."""
SCOPE: Final = "openid profile email"
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_RESERVED: Final = ("begin", "callback")
_TEXT_MOST: Final = 255
_PURPOSE: Final = "upstream-secret"

ADD: Final = """
insert into upstream_provider (tenant_id, name, title, issuer, client_id, sealed_secret, scope, link_claim, link_to,
  second_factor)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_COLUMNS: Final = "name, title, issuer, client_id, sealed_secret, scope, link_claim, link_to, second_factor"
LIST: Final = f"select {_COLUMNS} from upstream_provider where tenant_id = $1 order by name"  # noqa: S608
FIND: Final = f"select {_COLUMNS} from upstream_provider where tenant_id = $1 and name = $2"  # noqa: S608
REMOVE: Final = "delete from upstream_provider where tenant_id = $1 and name = $2"
LINKED: Final = """
select account_id from account where tenant_id = $1 and upstream_issuer = $2 and upstream_subject = $3 and not disabled"""
BY_LOGIN: Final = "select account_id, fhir_user from account where tenant_id = $1 and login = $2 and not disabled"
BY_FHIR_USER: Final = (
    "select account_id, fhir_user from account where tenant_id = $1 and fhir_user = $2 and not disabled"
)
CLAIM: Final = """
update account set upstream_issuer = $3, upstream_subject = $4
 where tenant_id = $1 and account_id = $2 and upstream_subject is null and not disabled"""
LINK: Final = "update account set upstream_issuer = $3, upstream_subject = $4 where tenant_id = $1 and account_id = $2"
STATEMENTS: Final = (ADD, LIST, FIND, REMOVE, LINKED, BY_LOGIN, BY_FHIR_USER, CLAIM, LINK)


@dataclass(frozen=True, slots=True)
class Provider:
    """Another OpenID provider: `title` is what people read, `second_factor` whether it asks for one itself.

    `link_claim` is the claim of its id_tokens that names an account at the first sign-in, by `link_to`.
    """

    name: str
    title: str
    issuer: str
    client_id: str
    sealed_secret: bytes | None
    scope: str = SCOPE
    link_claim: str | None = None
    link_to: LinkTo = "login"
    second_factor: bool = False

    def secret(self, key: bytes) -> str | None:
        """The client secret that the provider gave us; `key` is settings.secret()."""
        return None if self.sealed_secret is None else sealing.unseal(key, _PURPOSE, self.sealed_secret).decode()


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider vouches for: what it calls them, and what else its id_token says."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]


def sealed(key: bytes, client_secret: str) -> bytes:
    """The client secret as it is stored."""
    return sealing.seal(key, _PURPOSE, client_secret.encode())


async def add(connection: asyncpg.Connection[Any], tenant_id: int, new: Provider) -> None:
    """Let people of the tenant sign in by a provider. Raises Unprocessable, Conflict."""
    _check(new)
    try:
        await connection.execute(
            ADD, tenant_id, new.name, new.title, new.issuer, new.client_id, new.sealed_secret, new.scope,
            new.link_claim, new.link_to, new.second_factor,
        )  # fmt: skip
    except asyncpg.UniqueViolationError:
        raise Conflict(f"There is a provider {new.name!r} already; remove it first") from None


async def registered(connection: asyncpg.Connection[Any], tenant_id: int) -> list[Provider]:
    """The providers that the tenant's people may sign in by."""
    return [Provider(*row) for row in await connection.fetch(LIST, tenant_id)]


async def find(connection: asyncpg.Connection[Any], tenant_id: int, name: str) -> Provider:
    """The provider of that name. Raises NotFound."""
    row = await connection.fetchrow(FIND, tenant_id, name) if _NAME.fullmatch(name) else None
    if row is None:
        raise NotFound(f"There is no provider {name!r} in this tenant")
    return Provider(*row)


async def remove(connection: asyncpg.Connection[Any], tenant_id: int, name: str) -> None:
    """Let nobody sign in by the provider any more. Raises NotFound. Links stay, should it come back."""
    if await connection.execute(REMOVE, tenant_id, name) == "DELETE 0":
        raise NotFound(f"There is no provider {name!r} in this tenant")


async def link(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, issuer: str, subject: str
) -> None:
    """Let the person whom the issuer calls `subject` sign in as this account, and nobody else. Raises Conflict."""
    if not 0 < len(subject) <= _TEXT_MOST or not subject.isprintable():
        raise Unprocessable(f"A subject is up to {_TEXT_MOST} printable characters, as the provider's `sub` has it")
    try:
        await connection.execute(LINK, tenant_id, account_id, issuer, subject)
    except asyncpg.UniqueViolationError:
        raise Conflict("This subject of the provider is linked to another account") from None


async def account_of(
    connection: asyncpg.Connection[Any], tenant_id: int, provider: Provider, identity: Identity
) -> Account:
    """The account of the person. Raises SignInRefused when there is none, or it is disabled."""
    account_id = await connection.fetchval(LINKED, tenant_id, identity.issuer, identity.subject)
    if account_id is None:
        account_id = await _claimed(connection, tenant_id, provider, identity)
    account = await accounts.find(connection, tenant_id, account_id)
    if account is None:
        raise SignInRefused(reason="the account was disabled just now")
    return account


async def _claimed(connection: asyncpg.Connection[Any], tenant_id: int, provider: Provider, identity: Identity) -> UUID:
    """The account that the provider's claim names, linked from now on. Raises SignInRefused."""
    name = _named(provider, identity.claims)
    if name is None:
        raise SignInRefused(reason=f"{provider.name} vouches for somebody who is linked to no account")
    statement = BY_LOGIN if provider.link_to == "login" else BY_FHIR_USER
    row = await connection.fetchrow(statement, tenant_id, name)
    if row is None:
        raise SignInRefused(reason=f"the {provider.link_claim} that {provider.name} says names no account")
    try:
        values = (tenant_id, row["account_id"], identity.issuer, identity.subject)
        is_linked = await connection.execute(CLAIM, *values) == "UPDATE 1"
    except asyncpg.UniqueViolationError:
        is_linked = False
    if not is_linked:
        reason = (
            f"the {provider.link_claim} that {provider.name} says names an account that is linked to another person"
        )
        raise SignInRefused(reason=reason, fhir_user=row["fhir_user"])
    return UUID(str(row["account_id"]))


def _named(provider: Provider, claims: Mapping[str, Any]) -> str | None:
    """What an account is named by; None where the provider does not say so. An e-mail address counts only when verified."""
    value = claims.get(provider.link_claim or "")
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MOST or "\0" in value:
        return None
    if provider.link_claim == "email" and claims.get("email_verified") is not True:
        return None
    return accounts.folded(value) if provider.link_to == "login" else value


def _check(new: Provider) -> None:
    if not _NAME.fullmatch(new.name) or new.name in _RESERVED:
        raise Unprocessable(f"{new.name!r} is no name for a provider: up to 40 of a-z, 0-9 and '-', as in addresses")
    if not jwks.is_address(new.issuer, loopback=True) or "?" in new.issuer or "#" in new.issuer:
        raise Unprocessable("An issuer is the https address that the provider's id_tokens have as `iss`")
    if "openid" not in new.scope.split():
        raise Unprocessable("The scope has to contain openid")
    if new.link_to not in LINKS:
        raise Unprocessable(f"A claim can name an account by {' or '.join(LINKS)}; not by {new.link_to!r}")
    for what, text in (("title", new.title), ("client id", new.client_id)):
        if not 0 < len(text) <= _TEXT_MOST or not text.isprintable():
            raise Unprocessable(f"The {what} is up to {_TEXT_MOST} printable characters")
