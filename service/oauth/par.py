"""Pushed authorization requests: the parameters by a direct, authenticated way. https://www.rfc-editor.org/rfc/rfc9126"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from schemas import json
from service.oauth import secret
from service.oauth.clients import Client
from service.oauth.faults import InvalidRequest, OAuthFault
from service.oauth.parameters import PageFault, RedirectFault, checked
from service.oauth.smart import Place

ADD: Final = """
insert into oauth_request (tenant_id, request_hash, client_id, params, created, expires) values ($1, $2, $3, $4, $5, $6)"""
TAKE: Final = """
delete from oauth_request where tenant_id = $1 and request_hash = $2 and client_id = $3 and expires > $4 returning params"""
STATEMENTS: Final = (ADD, TAKE)
PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
LIFETIME: Final = timedelta(seconds=90)
_PROOFS: Final = ("client_secret", "client_assertion", "client_assertion_type")
"""How the client proved itself to us: no part of what it asks."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the client sends the browser with, and for how many seconds."""

    request_uri: str
    expires_in: int


class Refused(OAuthFault):
    """The request would be refused at the authorization endpoint."""

    def __init__(self, fault: RedirectFault) -> None:
        super().__init__(description=fault.description)
        self.error = fault.error


async def push(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    place: Place,
    client: Client,
    form: Mapping[str, str],
    now: datetime,
) -> Pushed:
    """Keep the request of an authenticated client for 90 s. Raises OAuthFault for one that could not be granted."""
    if "request_uri" in form:
        raise InvalidRequest("A pushed request has no request_uri; it gets one")
    params = {name: value for name, value in form.items() if name not in _PROOFS}
    try:
        checked(params, (), client, place)
    except PageFault as fault:
        raise InvalidRequest(fault.message) from None
    except RedirectFault as fault:
        raise Refused(fault) from None
    request_uri = PREFIX + secret.new()
    await connection.execute(
        ADD, tenant_id, secret.digest(request_uri), client.client_id, json.encode(params).decode(), now, now + LIFETIME
    )
    return Pushed(request_uri, int(LIFETIME.total_seconds()))


def is_pushed(request_uri: str) -> bool:
    """Whether the address is of our making: we fetch no request from elsewhere."""
    return request_uri.startswith(PREFIX)


async def take(
    connection: asyncpg.Connection[Any], tenant_id: int, request_uri: str, client_id: str, now: datetime
) -> Mapping[str, str]:
    """The parameters that were pushed, once. Raises PageFault: without them nobody knows where else to send the browser."""
    row = await connection.fetchrow(TAKE, tenant_id, secret.digest(request_uri), client_id, now)
    if row is None:
        raise PageFault("The request that the app announced (request_uri) is over, used already or another app's")
    found: dict[str, str] = json.decode(row["params"].encode())
    return found
