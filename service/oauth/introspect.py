"""What a token stands for, told to who may know. https://www.rfc-editor.org/rfc/rfc7662

With SMART's members: https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from schemas import json
from service.oauth import bearer, client_auth, secret
from service.oauth.faults import InvalidClient, InvalidRequest
from service.oauth.form import OAuthRequest
from service.oauth.smart import Place

SCOPE: Final = "__introspect"
"""With it a client learns of the tokens of every client, without it of its own."""
FIND: Final = """
select t.client_id, t.scope, t.issued, t.expires, t.account_id, t.fhir_user, t.patient, t.jkt, a.context
  from oauth_token t
  left join oauth_authorization a on a.tenant_id = $1 and a.authorization_id = t.authorization_id
 where t.tenant_id = $1 and t.token_hash = $2 and t.expires > $3 and t.revoked is null
   and ($4::text is null or t.client_id = $4)"""
STATEMENTS: Final = (FIND,)
INACTIVE: Final[dict[str, Any]] = {"active": False}


async def introspect(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, place: Place, now: datetime
) -> tuple[str, dict[str, Any]]:
    """Who asked, and what they learn of the token in the form. Raises OAuthFault.

    One that is unknown, over, revoked, another client's or a refresh token is inactive, and no more is said of it (2.2).
    """
    asker, own = await _asker(connection, tenant_id, request, place, now)
    token = request.form.get("token")
    if token is None:
        raise InvalidRequest("The parameter token is missing")
    row = await connection.fetchrow(FIND, tenant_id, secret.digest(token), now, own)
    return asker, INACTIVE if row is None else _active(row, place)


async def _asker(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, place: Place, now: datetime
) -> tuple[str, str | None]:
    """Who asks, and of which client it may learn; None is of all."""
    if bearer.is_shown(request):
        url = place.endpoints["introspect"]
        return (await bearer.require(connection, tenant_id, request, url, SCOPE, now)).client_id, None
    client = await client_auth.authenticate(connection, tenant_id, request, place, now)
    if client.is_public:
        raise InvalidClient("Introspection is for clients that authenticate, or for an access token with " + SCOPE)
    return client.client_id, None if SCOPE in client.scope.split() else client.client_id


def _active(row: asyncpg.Record, place: Place) -> dict[str, Any]:
    scopes = row["scope"].split()
    told: dict[str, Any] = {
        **(json.decode(row["context"].encode()) if row["context"] else {}),
        "active": True,
        "scope": row["scope"],
        "client_id": row["client_id"],
        "token_type": "Bearer" if row["jkt"] is None else "DPoP",
        "iat": int(row["issued"].timestamp()),
        "exp": int(row["expires"].timestamp()),
        "iss": place.issuer,
        "aud": place.fhir_base,
    }
    if row["patient"] is not None:
        told["patient"] = row["patient"]
    if row["account_id"] is not None and "openid" in scopes:
        told["sub"] = str(row["account_id"])
    if row["fhir_user"] is not None and "fhirUser" in scopes:
        told["fhirUser"] = f"{place.fhir_base}/{row['fhir_user']}"
    if row["jkt"] is not None:
        told["cnf"] = {"jkt": row["jkt"]}
    return told
