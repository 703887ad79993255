"""Token revocation, effective with the answer. https://www.rfc-editor.org/rfc/rfc7009"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from service.oauth import client_auth, secret
from service.oauth.clients import Client
from service.oauth.faults import InvalidRequest
from service.oauth.form import OAuthRequest
from service.oauth.smart import Place

REVOKE: Final = """
update oauth_token set revoked = $4 where tenant_id = $1 and token_hash = $2 and client_id = $3 and revoked is null"""
END: Final = """
update oauth_authorization a set revoked = coalesce(a.revoked, $4)
  from oauth_refresh r
 where r.tenant_id = $1 and r.token_hash = $2 and r.client_id = $3
   and a.tenant_id = $1 and a.authorization_id = r.authorization_id
returning a.authorization_id"""
REVOKE_ALL: Final = """
update oauth_token set revoked = $3 where tenant_id = $1 and authorization_id = $2 and revoked is null"""
STATEMENTS: Final = (REVOKE, END, REVOKE_ALL)


async def revoke(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, place: Place, now: datetime
) -> Client:
    """Revoke the client's token; one that is unknown, or not its own, is no fault (2.2). Raises OAuthFault.

    A refresh token ends its authorization and all that was issued by it.
    """
    client = await client_auth.authenticate(connection, tenant_id, request, place, now)
    token = request.form.get("token")
    if token is None:
        raise InvalidRequest("The parameter token is missing")
    values = (tenant_id, secret.digest(token), client.client_id, now)
    if await connection.execute(REVOKE, *values) == "UPDATE 0":
        async with connection.transaction():
            ended = await connection.fetchval(END, *values)
            if ended is not None:
                # In a statement of its own: it sees a token whose issue held the authorization until now.
                await connection.execute(REVOKE_ALL, tenant_id, ended, now)
    return client
