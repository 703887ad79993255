"""Refresh tokens: an app goes on without asking the person again. https://www.rfc-editor.org/rfc/rfc6749#section-6

A confidential client proves who it is and keeps its token. A public client cannot, so each of its tokens is for one use: one
that comes back later is in two hands, and ends all that was got with it (decision 0010).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from schemas.scopes import narrow_for_person
from service.oauth import authorizations, secret
from service.oauth.answer import ENDED, Asking, answer, authenticated
from service.oauth.authorizations import Standing
from service.oauth.faults import InvalidGrant, InvalidRequest, InvalidScope, Replayed
from service.oauth.form import OAuthRequest
from service.oauth.token import TokenAnswer, TokenRequest
from service.people import sessions

ADD: Final = """
insert into oauth_refresh (tenant_id, token_hash, authorization_id, client_id, issued, expires)
values ($1, $2, $3, $4, $5, $6)"""
OWNER: Final = """
select r.client_id from oauth_refresh r join oauth_client c on c.tenant_id = $1 and c.client_id = r.client_id
where r.tenant_id = $1 and r.token_hash = $2 and c.auth_method = 'none'"""
FIND: Final = """
select authorization_id, client_id from oauth_refresh where tenant_id = $1 and token_hash = $2 and expires > $3"""
# The tokens that follow one another in an authorization are a chain, so one issued since `used` came after this one.
STATE: Final = """
select used is not null as is_used, coalesce(used > $3, false) and not exists (
    select from oauth_refresh later where later.tenant_id = $1 and later.authorization_id = r.authorization_id
      and later.token_hash <> $2 and later.issued >= r.used and later.used is not null) as may_be_repeated
from oauth_refresh r where r.tenant_id = $1 and r.token_hash = $2"""
USE: Final = "update oauth_refresh set used = $3 where tenant_id = $1 and token_hash = $2"
# Of two successors, made because an answer was lost or two requests went out at once, the first to be used is the right one.
DROP: Final = """
update oauth_refresh set used = '-infinity'
where tenant_id = $1 and authorization_id = $2 and token_hash <> $3 and used is null"""
PROLONG: Final = "update oauth_refresh set expires = $3 where tenant_id = $1 and token_hash = $2"
STATEMENTS: Final = (ADD, OWNER, FIND, STATE, USE, DROP, PROLONG)
GRACE: Final = timedelta(seconds=10)
"""For how long a public client may repeat a refresh of which it did not get, or not heed, the answer."""
OFFLINE: Final = "offline_access"
ONLINE: Final = "online_access"


def is_granted(scopes: Collection[str]) -> bool:
    """Whether the scopes come with a refresh token."""
    return OFFLINE in scopes or ONLINE in scopes


async def _identified(connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest) -> OAuthRequest:
    """The request of a public client that does not name itself, with the name that its refresh token was issued to.

    OAuth 2.1 leaves it out, and so does SMART's own JavaScript client. A confidential client still has to prove itself.
    """
    form = request.form
    token = form.get("refresh_token")
    if token is None or request.authorization is not None or {"client_id", "client_assertion"} & form.keys():
        return request
    owner = await connection.fetchval(OWNER, tenant_id, secret.digest(token))
    return request if owner is None else replace(request, form={**form, "client_id": owner})


async def issue(connection: asyncpg.Connection[Any], asking: Asking, standing: Standing) -> str:
    """A refresh token of the authorization; only its hash is stored."""
    token = secret.new()
    await connection.execute(
        ADD, asking.tenant_id, secret.digest(token), standing.authorization_id, asking.client.client_id, asking.now,
        _expires(asking, standing),
    )  # fmt: skip
    return token


async def renew(connection: asyncpg.Connection[Any], asked: TokenRequest) -> TokenAnswer:
    """New tokens for a refresh token. Raises OAuthFault."""
    request = await _identified(connection, asked.tenant_id, asked.request)
    asking = await authenticated(connection, replace(asked, request=request), "refresh_token")
    token = asking.param("refresh_token")
    if token is None:
        raise InvalidRequest("The parameter refresh_token is missing")
    digest = secret.digest(token)
    async with connection.transaction():
        standing = await _standing(connection, asking, digest)
        # The authorization is held now, so that nobody else uses one of its tokens meanwhile.
        state = await connection.fetchrow(STATE, asking.tenant_id, digest, asking.now - GRACE)
        assert state is not None
        if not state["is_used"] or state["may_be_repeated"]:
            return await _renewed(connection, asking, standing, token, state["is_used"])
        await authorizations.end(connection, asking.tenant_id, standing.authorization_id, asking.now)
    sentence = "The refresh token was used before; all that came of it has been ended, the person has to sign in"
    raise Replayed(sentence, asking.client.client_id, standing.fhir_user)


async def _standing(connection: asyncpg.Connection[Any], asking: Asking, digest: bytes) -> Standing:
    """The authorization of the client's token, held until the transaction ends. Raises InvalidGrant."""
    row = await connection.fetchrow(FIND, asking.tenant_id, digest, asking.now)
    if row is None or row["client_id"] != asking.client.client_id:
        raise InvalidGrant("The refresh token is unknown here, has expired, or is another client's")
    standing = await authorizations.standing(connection, asking.tenant_id, row["authorization_id"])
    if standing is None or not await _is_present(connection, asking, standing):
        raise InvalidGrant(ENDED)
    if not await authorizations.hold(connection, asking.tenant_id, standing.authorization_id, asking.now, None):
        raise InvalidGrant(ENDED)
    if standing.jkt is not None and standing.jkt != asking.jkt:
        raise InvalidGrant("The refresh token is bound to a key that this request does not prove (DPoP)")
    return standing


async def _renewed(
    connection: asyncpg.Connection[Any], asking: Asking, standing: Standing, token: str, is_used: bool
) -> TokenAnswer:
    scope = narrow_for_person(asking.param("scope") or standing.scope, standing.scope)
    if not scope:
        raise InvalidScope("None of the requested scopes is one that the person allowed")
    if asking.client.is_public:
        token = await _rotated(connection, asking, standing, token, is_used)
    else:
        values = (asking.tenant_id, secret.digest(token), _expires(asking, standing))
        await connection.execute(PROLONG, *values)
    return await answer(connection, asking, standing, scope, refresh_token=token)


async def _rotated(
    connection: asyncpg.Connection[Any], asking: Asking, standing: Standing, token: str, is_used: bool
) -> str:
    if not is_used:
        digest = secret.digest(token)
        await connection.execute(USE, asking.tenant_id, digest, asking.now)
        await connection.execute(DROP, asking.tenant_id, standing.authorization_id, digest)
    return await issue(connection, asking, standing)


async def _is_present(connection: asyncpg.Connection[Any], asking: Asking, standing: Standing) -> bool:
    """With online_access alone: whether the session is still open in which the person allowed it; its use keeps it open."""
    if OFFLINE in standing.scope.split() or standing.session_hash is None:
        return True
    return await sessions.touch(connection, asking.tenant_id, standing.session_hash, asking.now)


def _expires(asking: Asking, standing: Standing) -> datetime:
    return min(asking.now + timedelta(days=asking.asked.settings.refresh_idle_days), standing.expires)
