"""Client authentication: by secret (header or form), by assertion, or by name alone for public clients.

https://www.rfc-editor.org/rfc/rfc6749#section-2.3, https://www.rfc-editor.org/rfc/rfc7523#section-2.2
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from service.oauth import assertion, clients, secret
from service.oauth.clients import Client
from service.oauth.faults import InvalidClient, InvalidRequest, UnauthorizedClient
from service.oauth.form import OAuthRequest, credentials
from service.oauth.metadata import SECRET_METHODS
from service.oauth.smart import Place

_NO_SECRET: Final = secret.digest("")


async def authenticate(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, place: Place, now: datetime
) -> Client:
    """The client that the request comes from, by the one method it is registered for.

    A secret may come by header or form whichever of the two is registered: it is the same secret. A `jti` that was used
    is noted on this connection, so that in a transaction it counts when that commits. Raises InvalidClient, in the same
    words for whatever is wrong with a proof; InvalidRequest for two methods at once; jwks.KeysAway where the keys of the
    client have to be fetched first.
    """
    form = request.form
    if "client_assertion" in form or "client_assertion_type" in form:
        if request.authorization is not None or "client_secret" in form:
            raise InvalidRequest("Authenticate the client in one way: by assertion or by secret")
        return await assertion.authenticated(connection, tenant_id, form, place, now)
    if request.authorization is None and "client_secret" not in form and "client_id" in form:
        return _admitted(await clients.find(connection, tenant_id, form["client_id"]), ("none",))
    given = credentials(request)
    found = await clients.find(connection, tenant_id, given.client_id)
    kept = found.secret_hash if found is not None and found.secret_hash else _NO_SECRET
    is_right = secret.matches(given.client_secret, kept) and kept is not _NO_SECRET
    return _admitted(found if is_right else None, SECRET_METHODS)


def require_grant(client: Client, grant_type: str) -> None:
    """Raises UnauthorizedClient unless the client is registered for the grant."""
    if grant_type not in client.grant_types:
        raise UnauthorizedClient(f"This client is not registered for the grant {grant_type}")


def _admitted(client: Client | None, methods: tuple[str, ...]) -> Client:
    if client is None:
        raise InvalidClient(reason="unknown or disabled client, or wrong secret")
    if client.auth_method not in methods:
        raise InvalidClient(reason=f"the client is registered for {client.auth_method}")
    return client
