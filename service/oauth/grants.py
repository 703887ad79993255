"""The token endpoint: one function for each grant type. https://www.rfc-editor.org/rfc/rfc6749#section-3.2"""

from collections.abc import Awaitable, Callable
from typing import Final

from service.database import Connection
from service.oauth import code, refresh, token
from service.oauth.faults import InvalidRequest, UnsupportedGrantType
from service.oauth.token import TokenAnswer, TokenRequest

GRANTS: Final[dict[str, Callable[[Connection, TokenRequest], Awaitable[TokenAnswer]]]] = {
    "authorization_code": code.redeem,
    "refresh_token": refresh.renew,
    "client_credentials": token.client_credentials,
}
"""By `grant_type`; each authenticates the client, checks its right and ends in a token. Raises OAuthFault."""


async def issue(connection: Connection, asked: TokenRequest) -> TokenAnswer:
    """What the request's grant type gives. Raises OAuthFault."""
    grant_type = asked.request.form.get("grant_type")
    if grant_type is None:
        raise InvalidRequest("The parameter grant_type is missing")
    grant = GRANTS.get(grant_type)
    if grant is None:
        raise UnsupportedGrantType
    return await grant(connection, asked)
