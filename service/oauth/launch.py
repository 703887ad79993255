"""Launch handles: an EHR says what an app is to be opened on, and the app gets a word that stands for it.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from schemas import json
from schemas.launch import Launch
from service.grant import Grant
from service.oauth import clients, context, secret
from service.oauth.faults import InvalidRequest
from service.oauth.redirect import located
from service.oauth.sight import sees
from service.oauth.smart import Place

ADD: Final = """
insert into oauth_launch (tenant_id, handle_hash, made_by, client_id, fhir_user, context, created, expires)
values ($1, $2, $3, $4, $5, $6, $7, $8)"""
TAKE: Final = """
update oauth_launch set used = $4
where tenant_id = $1 and handle_hash = $2 and used is null and expires > $4 and (client_id is null or client_id = $3)
returning fhir_user, context"""
STATEMENTS: Final = (ADD, TAKE)
SCOPE: Final = "__launch"
"""What a client needs to make handles."""
LIFETIME: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Handle:
    """A launch that was made: `launch` for the app's address, which `launch_url` has in it where one is registered."""

    launch: str
    expires_in: int
    launch_url: str | None


@dataclass(frozen=True, slots=True)
class Launched:
    """What a handle stood for: the context, and the person who alone may use it."""

    context: Mapping[str, Any]
    fhir_user: str | None


async def make(
    connection: asyncpg.Connection[Any], tenant_id: int, place: Place, grant: Grant, asked: Launch, now: datetime
) -> Handle:
    """A handle of five minutes for one launch. Raises InvalidRequest for what is not there, or not in the maker's sight."""
    client = None
    if asked.client_id is not None:
        client = await clients.find(connection, tenant_id, asked.client_id)
        if client is None or "authorization_code" not in client.grant_types:
            raise InvalidRequest("client_id is not an app that can be launched here")
    for type_name, resource_id in asked.references():
        if not await sees(connection, tenant_id, place, grant, type_name, resource_id):
            raise InvalidRequest(f"There is no {type_name}/{resource_id} here that this client may read")
    handle = secret.new()
    stored = json.encode(context.of_launch(asked, place)).decode()
    await connection.execute(
        ADD, tenant_id, secret.digest(handle), grant.client_id, asked.client_id, asked.user, stored, now, now + LIFETIME
    )
    url = None
    if client is not None and client.launch_url is not None:
        url = located(client.launch_url, iss=place.fhir_base, launch=handle)
    return Handle(handle, int(LIFETIME.total_seconds()), url)


async def take(
    connection: asyncpg.Connection[Any], tenant_id: int, handle: str, client_id: str, now: datetime
) -> Launched | None:
    """What the handle stands for, once; None when it is unknown, over, used or meant for another client."""
    row = await connection.fetchrow(TAKE, tenant_id, secret.digest(handle), client_id, now)
    return None if row is None else Launched(json.decode(row["context"].encode()), row["fhir_user"])
