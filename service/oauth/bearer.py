"""Access tokens at our own endpoints, which ask for a scope of ours. https://www.rfc-editor.org/rfc/rfc6750#section-3.1"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from service.oauth import dpop, token
from service.oauth.faults import OAuthFault
from service.oauth.form import OAuthRequest
from service.oauth.token import Access


class InvalidToken(OAuthFault):
    """The access token is missing, unknown here, expired or revoked."""

    error = "invalid_token"
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        return [*super().get_headers(), ("WWW-Authenticate", f'Bearer realm="hearth", error="{self.error}"')]


class InsufficientScope(OAuthFault):
    """The access token does not have the scope that this needs."""

    error = "insufficient_scope"
    status_code = 403

    def __init__(self, scope: str) -> None:
        super().__init__(f"The access token needs the scope {scope}")
        self.scope = scope

    def get_headers(self) -> list[tuple[str, str]]:
        challenge = f'Bearer realm="hearth", error="{self.error}", scope="{self.scope}"'
        return [*super().get_headers(), ("WWW-Authenticate", challenge)]


async def admitted(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, scope: str, url: str, now: datetime
) -> Access:
    """Whom a POST to `url` speaks for, by a token with `scope`. Raises InvalidToken, InsufficientScope, Unauthorized."""
    scheme, _, given = (request.authorization or "").partition(" ")
    found = None
    if scheme.lower() in ("bearer", "dpop"):
        found = await token.access(connection, tenant_id, given.strip(), now)
    if found is None:
        raise InvalidToken("Send an access token of this server that is valid: Authorization: Bearer")
    await dpop.require(
        connection,
        tenant_id,
        found.jkt,
        scheme=scheme,
        proof=request.dpop,
        token=given.strip(),
        method="POST",
        url=url,
        now=now,
    )
    if scope not in found.scope.split():
        raise InsufficientScope(scope)
    return found
