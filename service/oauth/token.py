"""The token endpoint's client credentials grant, and what a bearer token stands for. https://www.rfc-editor.org/rfc/rfc6749#section-4.4"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from schemas.scopes import narrow, parse_one
from service.errors import Unauthorized
from service.oauth import client_auth, dpop, secret
from service.oauth.faults import InvalidClient, InvalidScope
from service.oauth.form import OAuthRequest
from service.oauth.keys import Keys
from service.oauth.metadata import MACHINE
from service.oauth.smart import Place
from service.settings import Settings

# The client is looked at once more, and held, so that one disabled or rotated meanwhile gets no token.
ISSUE: Final = """
with client as (
  select client_id from oauth_client
   where tenant_id = $1 and client_id = $2 and secret_hash is not distinct from $3 and not disabled for share)
insert into oauth_token (tenant_id, token_hash, client_id, scope, issued, expires, clearance, jkt)
select $1, $4, client_id, $5, $6, $7, $8, $9 from client"""
MINT: Final = """
insert into oauth_token (tenant_id, token_hash, client_id, scope, issued, expires, authorization_id, account_id, fhir_user,
  patient, reach, clearance, break_glass, jkt)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"""
FIND: Final = """
select client_id, scope, expires, authorization_id, account_id, fhir_user, patient, reach, clearance, break_glass, jkt
  from oauth_token where tenant_id = $1 and token_hash = $2 and expires > $3 and revoked is null"""
PURGE: Final = "delete from oauth_token where tenant_id = $1 and expires < $2"
STATEMENTS: Final = (ISSUE, MINT, FIND, PURGE)
SCOPE_LENGTH: Final = 8192
KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Access:
    """Who an access token speaks for, and what it allows; nothing in it changes while the token lives.

    `fhir_user` is the person's resource (`Practitioner/123`), None for a client that speaks for itself; `patient` the id of the
    Patient in context; `reach` which clients of the house a practitioner may see (`tenants.REACHES`); `clearance` the
    sensitivity labels that are shown (service.labels); `jkt` the thumbprint of the DPoP key it is bound to.
    """

    client_id: str
    scope: str
    expires: datetime
    authorization_id: UUID | None = None
    account_id: UUID | None = None
    fhir_user: str | None = None
    patient: str | None = None
    reach: str = ""
    clearance: tuple[str, ...] = ()
    break_glass: bool = False
    jkt: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to a tenant's token endpoint: what it asks, where and when it came, and what this server issues by."""

    tenant_id: int
    request: OAuthRequest
    place: Place
    now: datetime
    settings: Settings
    keys: Keys


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A successful answer (RFC 6749, 5.1): the token, the seconds it lasts and what it stands for.

    `more` are the other members of the body: refresh_token, id_token, patient and the rest of the launch context.
    """

    access_token: str
    expires_in: int
    access: Access
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that the client gets."""
        return {
            "access_token": self.access_token,
            "token_type": "Bearer" if self.access.jkt is None else "DPoP",
            "expires_in": self.expires_in,
            "scope": self.access.scope,
            **self.more,
        }


async def mint(connection: asyncpg.Connection[Any], tenant_id: int, access: Access, now: datetime) -> str:
    """A new access token that stands for `access`; only its hash is stored."""
    token = secret.new()
    await connection.execute(
        MINT, tenant_id, secret.digest(token), access.client_id, access.scope, now, access.expires,
        access.authorization_id, access.account_id, access.fhir_user, access.patient, access.reach,
        list(access.clearance), access.break_glass, access.jkt,
    )  # fmt: skip
    return token


async def client_credentials(connection: asyncpg.Connection[Any], asked: TokenRequest) -> TokenAnswer:
    """A token for the client itself, with the requested scopes it is registered for. Raises OAuthFault."""
    client = await client_auth.authenticate(connection, asked.tenant_id, asked.request, asked.place, asked.now)
    client_auth.require_grant(client, "client_credentials")
    scope = _granted(asked.request.form.get("scope"), client.scope)
    jkt = await dpop.binding(
        connection, asked.tenant_id, asked.request, asked.place.endpoints["token"], client, asked.now
    )
    expires = asked.now + timedelta(seconds=asked.settings.backend_token_seconds)
    token, made = secret.new(), Access(client.client_id, scope, expires, clearance=client.clearance, jkt=jkt)
    values = (asked.tenant_id, client.client_id, client.secret_hash, secret.digest(token), scope, asked.now, expires,
              client.clearance, jkt)  # fmt: skip
    if await connection.execute(ISSUE, *values) == "INSERT 0 0":
        raise InvalidClient("The client was disabled or its secret changed just now")
    return TokenAnswer(token, asked.settings.backend_token_seconds, made)


def _granted(requested: str | None, registered: str) -> str:
    """Unknown and unregistered scopes are left out, not refused: clients ask for more than one server has."""
    own = " ".join(word for word in registered.split() if _is_own(word))
    if requested is None:
        scope = own
    elif len(requested) > SCOPE_LENGTH:
        scope = ""
    else:
        special = [word for word in MACHINE if word in requested.split() and word in own.split()]
        scope = " ".join(part for part in (narrow(requested, own), *special) if part)
    if not scope:
        raise InvalidScope("None of the requested scopes is registered for this client")
    return scope


def _is_own(word: str) -> bool:
    """Whether a scope lets a client speak for itself; `user/` and `patient/` need a person."""
    found = parse_one(word)
    return word in MACHINE or (found is not None and found.level == "system")


async def access(connection: asyncpg.Connection[Any], tenant_id: int, token: str, now: datetime) -> Access | None:
    """What the token allows now; None when it is unknown, expired, revoked or another tenant's."""
    return await find(connection, tenant_id, secret.digest(token), now)


async def find(connection: asyncpg.Connection[Any], tenant_id: int, digest: bytes, now: datetime) -> Access | None:
    """As `access`, for a token of which the digest is known."""
    row = await connection.fetchrow(FIND, tenant_id, digest, now)
    if row is None:
        return None
    return Access(**{**row, "clearance": tuple(row["clearance"])})


def refused() -> Unauthorized:
    """The refusal of a token that is not valid here."""
    return Unauthorized(
        "The access token is unknown here, expired or revoked; get a new one",
        headers=[("WWW-Authenticate", 'Bearer realm="hearth", error="invalid_token"')],
    )


async def purge(connection: asyncpg.Connection[Any], tenant_id: int, now: datetime) -> int:
    """Delete the tokens that expired a day ago; how many there were."""
    return int((await connection.execute(PURGE, tenant_id, now - KEPT)).removeprefix("DELETE "))
