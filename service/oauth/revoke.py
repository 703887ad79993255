"""Token revocation, effective with the answer. https://www.rfc-editor.org/rfc/rfc7009"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from service.oauth import clients, secret
from service.oauth.faults import InvalidRequest
from service.oauth.form import OAuthRequest, credentials

REVOKE: Final = """
update oauth_token set revoked = $4 where tenant_id = $1 and token_hash = $2 and client_id = $3 and revoked is null"""
STATEMENTS: Final = (REVOKE,)


async def revoke(connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, now: datetime) -> None:
    """Revoke the client's token; one that is unknown, or not its own, is no fault (2.2). Raises OAuthFault."""
    given = credentials(request)
    await clients.authenticate(connection, tenant_id, given)
    token = request.form.get("token")
    if token is None:
        raise InvalidRequest("The parameter token is missing")
    await connection.execute(REVOKE, tenant_id, secret.digest(token), given.client_id, now)
