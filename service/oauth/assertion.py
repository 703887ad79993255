"""A client's signed assertion. https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html

Accepted as `aud` are the token endpoint's address (SMART), the issuer (FAPI 2.0) and the address for pushed requests
(RFC 9126), as the only member where it is a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
from joserfc.jws import CompactSignature

from service.oauth import clients, jwks, replay, signed
from service.oauth.clients import Client
from service.oauth.faults import InvalidClient
from service.oauth.jwks import Key
from service.oauth.jwks_uri import SOURCE, KeySource
from service.oauth.metadata import ASSERTION_METHOD
from service.oauth.smart import Place

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME: Final = timedelta(minutes=5)
SKEW: Final = timedelta(seconds=10)
"""How far a client's clock may be ahead of ours."""
_JTI_MOST: Final = 256


class _Header(signed.Header, frozen=True, kw_only=True):
    kid: str
    jku: str | None = None


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    jti: str
    nbf: float | None = None
    iat: float | None = None


async def authenticated(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    form: Mapping[str, str],
    place: Place,
    now: datetime,
    source: KeySource = SOURCE,
) -> Client:
    """The client whose assertion is in `form`. Raises InvalidClient, or KeysAway when its keys have to be fetched first."""
    token, header, claims = _read(form)
    client = await clients.find(connection, tenant_id, claims.sub)
    if client is None or client.auth_method != ASSERTION_METHOD:
        raise InvalidClient(reason="unknown or disabled client, or one that has no keys")
    if header.jku is not None and header.jku != client.jwks_uri:
        raise InvalidClient(reason="jku is not the client's jwks_uri")
    _require_claims(claims, place, now)
    _require_signature(token, _keys(client, header.kid, now, source), header)
    expires = _moment(claims.exp)
    if not await replay.is_first_use(connection, tenant_id, client.client_id, claims.jti, expires + SKEW):
        raise InvalidClient(reason="the jti was used before")
    return client


def _read(form: Mapping[str, str]) -> tuple[CompactSignature, _Header, _Claims]:
    if form.get("client_assertion_type") != TYPE:
        raise InvalidClient(f"client_assertion_type is {TYPE}, and goes with a client_assertion")
    try:
        token, header, claims = signed.read(form.get("client_assertion", ""), _Header, _Claims)
    except signed.NotSigned as fault:
        raise InvalidClient(reason=f"the assertion: {fault}") from None
    if header.alg not in jwks.ALGORITHMS:
        raise InvalidClient(reason="alg is neither RS384 nor ES384")
    if not signed.is_plain(header, "jwt"):
        raise InvalidClient(reason="typ is not JWT, or there are header parameters that change the meaning")
    if claims.iss != claims.sub or claims.sub != form.get("client_id", claims.sub):
        raise InvalidClient(reason="iss, sub and client_id are not the same")
    return token, header, claims


def _require_claims(claims: _Claims, place: Place, now: datetime) -> None:
    audience = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    if audience not in ([place.endpoints["token"]], [place.issuer], [place.endpoints["par"]]):
        raise InvalidClient(reason="aud is not the token endpoint")
    if not now.timestamp() < claims.exp <= (now + LIFETIME + SKEW).timestamp():
        raise InvalidClient(reason="exp is over, or more than five minutes ahead")
    latest = (now + SKEW).timestamp()
    if (claims.nbf or 0) > latest or (claims.iat or 0) > latest:
        raise InvalidClient(reason="nbf or iat is in the future")
    if not 0 < len(claims.jti) <= _JTI_MOST:
        raise InvalidClient(reason="jti is empty or very long")


def _keys(client: Client, kid: str, now: datetime, source: KeySource) -> Sequence[Key]:
    if client.jwks is not None:
        return jwks.parse(client.jwks)
    return () if client.jwks_uri is None else source.keys(client.jwks_uri, kid, now)


def _require_signature(token: CompactSignature, keys: Sequence[Key], header: _Header) -> None:
    key = jwks.find(keys, header.kid, header.alg)
    if key is None:
        raise InvalidClient(reason="kid names no key of the client, or more than one, or one for another alg")
    if not signed.is_by(token, key, header.alg):
        raise InvalidClient(reason="the signature is not the key's")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
