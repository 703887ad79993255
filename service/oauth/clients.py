"""The registered clients of a tenant. https://www.rfc-editor.org/rfc/rfc6749#section-2"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from schemas.scopes import parse_one
from service.errors import NotFound, Unprocessable
from service.oauth import secret
from service.oauth.faults import InvalidClient
from service.oauth.form import Credentials

ADD: Final = """
insert into oauth_client (tenant_id, client_id, name, secret_hash, scope) values ($1, $2, $3, $4, $5)"""
LIST: Final = """
select client_id, name, scope, disabled, created from oauth_client where tenant_id = $1 order by created, client_id"""
FIND: Final = """
select scope, secret_hash from oauth_client where tenant_id = $1 and client_id = $2 and not disabled"""
DISABLE: Final = "update oauth_client set disabled = true where tenant_id = $1 and client_id = $2"
ROTATE: Final = "update oauth_client set secret_hash = $3 where tenant_id = $1 and client_id = $2"
REVOKE: Final = """
update oauth_token set revoked = $3 where tenant_id = $1 and client_id = $2 and revoked is null"""
STATEMENTS: Final = (ADD, LIST, FIND, DISABLE, ROTATE, REVOKE)


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client; its secret is known to nobody but its owner."""

    client_id: str
    name: str
    scope: str
    disabled: bool
    created: datetime


async def add(connection: asyncpg.Connection[Any], tenant_id: int, name: str, scope: str) -> Credentials:
    """Register a client; the only time its secret is seen. Raises Unprocessable for a scope it could never use."""
    words = scope.split()
    for word in words:
        found = parse_one(word)
        if found is None or found.level != "system":
            raise Unprocessable(f"{word!r} is not a scope for a backend client; one would be 'system/*.cruds'")
    if not words or not name.strip():
        raise Unprocessable("A client needs a name and at least one scope, such as 'system/*.cruds'")
    made = Credentials(str(uuid.uuid4()), secret.new())
    await connection.execute(
        ADD, tenant_id, made.client_id, name.strip(), secret.digest(made.client_secret), " ".join(words)
    )
    return made


async def registered(connection: asyncpg.Connection[Any], tenant_id: int) -> list[Client]:
    """The tenant's clients, oldest first, disabled ones included."""
    return [Client(*row) for row in await connection.fetch(LIST, tenant_id)]


async def disable(connection: asyncpg.Connection[Any], tenant_id: int, client_id: str, now: datetime) -> None:
    """End a client's right and its tokens at once. Raises NotFound."""
    await _end(connection, DISABLE, (tenant_id, client_id), now)


async def rotate(connection: asyncpg.Connection[Any], tenant_id: int, client_id: str, now: datetime) -> Credentials:
    """A new secret; the old one and the tokens got with it end at once. Raises NotFound."""
    made = Credentials(client_id, secret.new())
    await _end(connection, ROTATE, (tenant_id, client_id, secret.digest(made.client_secret)), now)
    return made


async def _end(connection: asyncpg.Connection[Any], statement: str, values: tuple[Any, ...], now: datetime) -> None:
    """Change the client, then revoke its tokens.

    In this order and in two statements: the first waits for tokens being issued (they hold the client's row),
    and only a statement begun after that sees them all.
    """
    async with connection.transaction():
        if await connection.execute(statement, *values) == "UPDATE 0":
            raise NotFound(f"There is no client {values[1]!r} in this tenant")
        await connection.execute(REVOKE, values[0], values[1], now)


async def authenticate(connection: asyncpg.Connection[Any], tenant_id: int, given: Credentials) -> str:
    """The scopes the client is registered for. Raises InvalidClient, the same for whatever is wrong."""
    row = None
    if "\0" not in given.client_id:  # PostgreSQL's text cannot hold it
        row = await connection.fetchrow(FIND, tenant_id, given.client_id)
    if row is None or not secret.matches(given.client_secret, row["secret_hash"]):
        raise InvalidClient("The client is unknown or disabled, or its secret is wrong")
    return str(row["scope"])
