"""Authorization codes: sixty seconds, one use, for the client that asked and can prove it.

https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3, https://www.rfc-editor.org/rfc/rfc7636#section-4.6
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final
from uuid import UUID

import asyncpg

from service.oauth import authorizations, id_token, refresh, secret
from service.oauth.answer import ENDED, Asking, answer, authenticated
from service.oauth.faults import InvalidGrant, InvalidRequest, Replayed
from service.oauth.parameters import Wanted
from service.oauth.token import TokenAnswer, TokenRequest

ADD: Final = """
insert into oauth_code (tenant_id, code_hash, authorization_id, client_id, redirect_uri, challenge, nonce, issued, expires)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
LOCK: Final = """
select authorization_id, client_id, redirect_uri, challenge, nonce, expires, used
from oauth_code where tenant_id = $1 and code_hash = $2 for update"""
SPEND: Final = "update oauth_code set used = $3 where tenant_id = $1 and code_hash = $2"
STATEMENTS: Final = (ADD, LOCK, SPEND)
LIFETIME: Final = timedelta(seconds=60)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


async def issue(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    authorization_id: UUID,
    client_id: str,
    wanted: Wanted,
    now: datetime,
) -> str:
    """A code of the authorization; only its hash is stored."""
    code = secret.new()
    await connection.execute(
        ADD, tenant_id, secret.digest(code), authorization_id, client_id, wanted.redirect_uri, wanted.challenge,
        wanted.nonce, now, now + LIFETIME,
    )  # fmt: skip
    return code


async def redeem(connection: asyncpg.Connection[Any], asked: TokenRequest) -> TokenAnswer:
    """Tokens for a code. Raises OAuthFault.

    A code that comes a second time is in two hands: all that came of it ends, in the transaction that finds it out. A try
    that proves nothing does not use the code up.
    """
    asking = await authenticated(connection, asked, "authorization_code")
    form = asked.request.form
    for name in ("code", "redirect_uri", "code_verifier"):
        if name not in form:
            raise InvalidRequest(f"The parameter {name} is missing")
    digest = secret.digest(form["code"])
    async with connection.transaction():
        row = await connection.fetchrow(LOCK, asking.tenant_id, digest)
        if row is None:
            raise InvalidGrant("The code is unknown here")
        if row["used"] is None:
            _prove(row, form, asking)
            await connection.execute(SPEND, asking.tenant_id, digest, asking.now)
            return await _redeemed(connection, asking, row)
        standing = await authorizations.standing(connection, asking.tenant_id, row["authorization_id"])
        await authorizations.end(connection, asking.tenant_id, row["authorization_id"], asking.now)
    sentence = "The code was used before; all that came of it has been ended, the person has to sign in again"
    raise Replayed(sentence, row["client_id"], standing.fhir_user if standing else None)


def _prove(row: asyncpg.Record, form: Mapping[str, str], asking: Asking) -> None:
    """Raises InvalidGrant unless the code is this client's, in time, and sent by who holds the verifier."""
    if row["client_id"] != asking.client.client_id:
        raise InvalidGrant("The code was issued to another client")
    if row["expires"] <= asking.now:
        raise InvalidGrant("The code has expired")
    if row["redirect_uri"] != form["redirect_uri"]:
        raise InvalidGrant("redirect_uri is not the one that the code was sent to")
    verifier = form["code_verifier"]
    if not _VERIFIER.fullmatch(verifier) or not compare_digest(challenge(verifier), row["challenge"]):
        raise InvalidGrant("code_verifier is not what the code_challenge was made of")


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def _redeemed(connection: asyncpg.Connection[Any], asking: Asking, row: asyncpg.Record) -> TokenAnswer:
    authorization_id = row["authorization_id"]
    standing = await authorizations.standing(connection, asking.tenant_id, authorization_id)
    key = asking.jkt if asking.client.is_public else None
    if standing is None or not await authorizations.hold(
        connection, asking.tenant_id, authorization_id, asking.now, key
    ):
        raise InvalidGrant(ENDED)
    if standing.jkt is not None and standing.jkt != asking.jkt:
        raise InvalidGrant("The code is bound to a key that this request does not prove (DPoP)")
    scopes = standing.scope.split()
    token = await refresh.issue(connection, asking, standing) if refresh.is_granted(scopes) else None
    said = id_token.claims(asking.asked.place, asking.client.client_id, standing, scopes, row["nonce"], asking.now)
    signed = None if said is None else await asking.asked.keys.sign(connection, said, asking.now)
    return await answer(connection, asking, standing, standing.scope, refresh_token=token, id_token=signed)
