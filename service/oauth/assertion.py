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
from joserfc import jws
from joserfc.errors import JoseError

from service.oauth import clients, jwks, replay
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
_LENGTH_MOST: Final = 8192
_JTI_MOST: Final = 256


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str
    typ: str
    jku: str | None = None
    crit: msgspec.Raw | None = None
    b64: msgspec.Raw | None = None


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
    signed, header, claims = _read(form)
    client = await clients.find(connection, tenant_id, claims.sub)
    if client is None or client.auth_method != ASSERTION_METHOD:
        raise InvalidClient(reason="unknown or disabled client, or one that has no keys")
    if header.jku is not None and header.jku != client.jwks_uri:
        raise InvalidClient(reason="jku is not the client's jwks_uri")
    _require_claims(claims, place, now)
    _require_signature(signed, _keys(client, header.kid, now, source), header)
    expires = _moment(claims.exp)
    if not await replay.is_first_use(connection, tenant_id, client.client_id, claims.jti, expires + SKEW):
        raise InvalidClient(reason="the jti was used before")
    return client


def _read(form: Mapping[str, str]) -> tuple[jws.CompactSignature, _Header, _Claims]:
    text = form.get("client_assertion", "")
    if form.get("client_assertion_type") != TYPE:
        raise InvalidClient(f"client_assertion_type is {TYPE}, and goes with a client_assertion")
    if not 0 < len(text) <= _LENGTH_MOST:
        raise InvalidClient(reason="no assertion, or a very long one")
    try:
        signed = jws.extract_compact(text.encode())
        header = msgspec.convert(signed.headers(), _Header)
        claims = msgspec.json.decode(signed.payload or b"", type=_Claims)
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError) as fault:
        raise InvalidClient(reason=f"the assertion cannot be read ({type(fault).__name__})") from None
    if header.alg not in jwks.ALGORITHMS:
        raise InvalidClient(reason="alg is neither RS384 nor ES384")
    if header.typ.upper() != "JWT" or header.crit is not None or header.b64 is not None:
        raise InvalidClient(reason="typ is not JWT, or there are header parameters that change the meaning")
    if claims.iss != claims.sub or claims.sub != form.get("client_id", claims.sub):
        raise InvalidClient(reason="iss, sub and client_id are not the same")
    return signed, header, claims


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


def _require_signature(signed: jws.CompactSignature, keys: Sequence[Key], header: _Header) -> None:
    key = jwks.find(keys, header.kid, header.alg)
    if key is None:
        raise InvalidClient(reason="kid names no key of the client, or more than one, or one for another alg")
    try:
        is_right = jws.validate_compact(signed, key, [header.alg])
    except (JoseError, ValueError):
        is_right = False
    if not is_right:
        raise InvalidClient(reason="the signature is not the key's")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
