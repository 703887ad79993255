"""The registered clients of a tenant. https://www.rfc-editor.org/rfc/rfc6749#section-2"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from service.errors import NotFound, Unprocessable
from service.oauth import jwks, secret
from service.oauth.form import Credentials
from service.oauth.metadata import SECRET_METHODS, NewClient, check, origin_of

_COLUMNS: Final = (
    "client_id, name, secret_hash, scope, disabled, created, auth_method, grant_types, redirect_uris, origins, jwks,"
    " jwks_uri, launch_url, dpop, clearance, about"
)
ADD: Final = """
insert into oauth_client (tenant_id, client_id, name, secret_hash, scope, auth_method, grant_types, redirect_uris, origins,
  jwks, jwks_uri, launch_url, dpop, clearance, about)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"""
LIST: Final = f"select {_COLUMNS} from oauth_client where tenant_id = $1 order by created, client_id"  # noqa: S608
FIND: Final = f"select {_COLUMNS} from oauth_client where tenant_id = $1 and client_id = $2 and not disabled"  # noqa: S608
FROM_ORIGIN: Final = """
select exists (select from oauth_client where tenant_id = $1 and $2 = any(origins) and not disabled)"""
DISABLE: Final = "update oauth_client set disabled = true where tenant_id = $1 and client_id = $2"
ROTATE: Final = """
update oauth_client set secret_hash = $3
 where tenant_id = $1 and client_id = $2 and secret_hash is not null"""
ROTATE_KEYS: Final = "update oauth_client set jwks = $3 where tenant_id = $1 and client_id = $2 and jwks is not null"
REVOKE: Final = """
update oauth_token set revoked = $3 where tenant_id = $1 and client_id = $2 and revoked is null"""
END: Final = """
update oauth_authorization set revoked = $3 where tenant_id = $1 and client_id = $2 and revoked is null"""
STATEMENTS: Final = (ADD, LIST, FIND, FROM_ORIGIN, DISABLE, ROTATE, ROTATE_KEYS, REVOKE, END)


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client; its secret is known to nobody but its owner.

    `scope` is all it may ever get, `auth_method` the only way it may authenticate (`none` for a public client), `origins`
    the web origins it may call from, `jwks` and `about` JSON, `clearance` the sensitivity labels its own tokens show.
    """

    client_id: str
    name: str
    secret_hash: bytes | None
    scope: str
    disabled: bool
    created: datetime
    auth_method: str
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    origins: tuple[str, ...]
    jwks: str | None
    jwks_uri: str | None
    launch_url: str | None
    dpop: bool
    clearance: tuple[str, ...]
    about: str

    @property
    def is_public(self) -> bool:
        """Whether it cannot keep a secret, so that nothing proves who it is."""
        return self.auth_method == "none"


async def add(connection: asyncpg.Connection[Any], tenant_id: int, name: str, scope: str) -> Credentials:
    """A backend client with a secret. Raises Unprocessable for a scope it could never use."""
    return await register(connection, tenant_id, NewClient(name, scope))


async def register(
    connection: asyncpg.Connection[Any], tenant_id: int, new: NewClient, *, loopback_keys: bool = False
) -> Credentials:
    """Register a client under an id of ours; the only time its secret is seen, which is empty for one that has none.

    Raises BadMetadata. `loopback_keys`: settings.allow_loopback_jwks.
    """
    check(new, loopback_keys)
    made = Credentials(str(uuid.uuid4()), secret.new() if new.auth_method in SECRET_METHODS else "")
    digest = secret.digest(made.client_secret) if made.client_secret else None
    own = (origin for uri in new.redirect_uris if (origin := origin_of(uri)) is not None)
    await connection.execute(
        ADD, tenant_id, made.client_id, new.name.strip(), digest, " ".join(new.scope.split()), new.auth_method,
        new.grant_types, new.redirect_uris, list(dict.fromkeys([*new.origins, *own])), new.jwks, new.jwks_uri,
        new.launch_url, new.dpop, new.clearance, new.about,
    )  # fmt: skip
    return made


async def find(connection: asyncpg.Connection[Any], tenant_id: int, client_id: str) -> Client | None:
    """The client of this id; None when there is none, or it is disabled."""
    if "\0" in client_id:  # PostgreSQL's text cannot hold it
        return None
    row = await connection.fetchrow(FIND, tenant_id, client_id)
    return None if row is None else _client(row)


async def is_origin(connection: asyncpg.Connection[Any], tenant_id: int, origin: str) -> bool:
    """Whether some client is registered to call from this web origin, as a browser's `Origin` header names it."""
    return "\0" not in origin and bool(await connection.fetchval(FROM_ORIGIN, tenant_id, origin))


async def registered(connection: asyncpg.Connection[Any], tenant_id: int) -> list[Client]:
    """The tenant's clients, oldest first, disabled ones included."""
    return [_client(row) for row in await connection.fetch(LIST, tenant_id)]


async def disable(connection: asyncpg.Connection[Any], tenant_id: int, client_id: str, now: datetime) -> None:
    """End a client's right, its authorizations and its tokens at once. Raises NotFound."""
    await _end(connection, DISABLE, (tenant_id, client_id), now)


async def rotate(connection: asyncpg.Connection[Any], tenant_id: int, client_id: str, now: datetime) -> Credentials:
    """A new secret; the old one and all that was got with it end at once. Raises NotFound, Unprocessable."""
    client = await find(connection, tenant_id, client_id)
    if client is not None and client.secret_hash is None:
        raise Unprocessable(f"{client_id} has no secret: it authenticates by {client.auth_method}")
    made = Credentials(client_id, secret.new())
    await _end(connection, ROTATE, (tenant_id, client_id, secret.digest(made.client_secret)), now)
    return made


async def rotate_keys(
    connection: asyncpg.Connection[Any], tenant_id: int, client_id: str, keys: str, now: datetime
) -> None:
    """Other keys for a client that registered them in place; the tokens got by the old ones end at once.

    Raises Unprocessable for keys that cannot be taken or a client that has none in place.
    """
    try:
        jwks.check(keys)
    except jwks.BadKeys as fault:
        raise Unprocessable(f"jwks: {fault}") from None
    client = await find(connection, tenant_id, client_id)
    if client is not None and client.jwks is None:
        raise Unprocessable(f"{client_id} has no keys registered in place: it authenticates by {client.auth_method}")
    await _end(connection, ROTATE_KEYS, (tenant_id, client_id, keys), now)


async def _end(connection: asyncpg.Connection[Any], statement: str, values: tuple[Any, ...], now: datetime) -> None:
    """Change the client, then revoke its authorizations and tokens.

    In this order and in statements of their own: the first waits for tokens being issued (they hold the client's row),
    and only a statement begun after that sees them all.
    """
    async with connection.transaction():
        if await connection.execute(statement, *values) == "UPDATE 0":
            raise NotFound(f"There is no client {values[1]!r} in this tenant")
        for revoke in (END, REVOKE):
            await connection.execute(revoke, values[0], values[1], now)


def _client(row: asyncpg.Record) -> Client:
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    return Client(*values)
