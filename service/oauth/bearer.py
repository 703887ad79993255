"""An access token shown to an OAuth endpoint of ours, with a scope of our own. https://www.rfc-editor.org/rfc/rfc6750"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from service.errors import Unauthorized
from service.oauth import dpop, token
from service.oauth.faults import InsufficientScope, InvalidToken
from service.oauth.form import OAuthRequest
from service.oauth.token import Access

_SCHEMES: Final = ("bearer", "dpop")


def is_shown(request: OAuthRequest) -> bool:
    """Whether the Authorization header has an access token, rather than a client's secret."""
    return (request.authorization or "").partition(" ")[0].lower() in _SCHEMES


async def require(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, url: str, scope: str, now: datetime
) -> Access:
    """What the token in the Authorization header stands for. Raises InvalidToken, InsufficientScope without `scope` in it."""
    scheme, _, shown = (request.authorization or "").partition(" ")
    access = await token.access(connection, tenant_id, shown.strip(), now) if is_shown(request) else None
    if access is None:
        raise InvalidToken
    try:
        await dpop.require(
            connection, tenant_id, access.jkt, scheme=scheme, proof=request.dpop, token=shown.strip(), method="POST",
            url=url, now=now,
        )  # fmt: skip
    except Unauthorized as refusal:
        raise InvalidToken(str(refusal)) from None
    if scope not in access.scope.split():
        raise InsufficientScope(f"This needs an access token with the scope {scope}")
    return access
