"""Signing in by another OpenID provider: authorization code with PKCE, state and nonce; its id_token is verified.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth, https://www.rfc-editor.org/rfc/rfc9700#section-2.1
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from service import sealing
from service.oauth import secret
from service.oauth.smart import Place
from service.people.attempts import SignInRefused
from service.people.provider_web import WEB, Metadata, Web
from service.people.providers import Identity, Provider

LIFETIME: Final = timedelta(minutes=10)
"""How long a person may take at the other provider."""
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
"""Signatures that only the provider can make; none by a shared secret, and never none."""
SKEW_SECONDS: Final = 60
_PURPOSE: Final = "upstream-sign-in"
_LENGTH_MOST: Final = 65_536
_ERROR: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the browser keeps of a sign-in under way, sealed; `ask` is what the page goes on with."""

    place: str
    provider: str
    issuer: str
    state: str
    nonce: str
    verifier: str
    ask: str
    expires: float


def callback(place: Place, provider: Provider) -> str:
    """Where the provider sends people back to: an address for each, so that none can answer for another."""
    return f"{place.issuer}/sign-in/{provider.name}/callback"


async def begin(
    provider: Provider, place: Place, key: bytes, now: datetime, ask: str = "", web: Web = WEB
) -> tuple[str, str]:
    """Where to send the browser, and the value of its cookie (`cookies.UPSTREAM`). Raises ProviderAway.

    `key` is settings.secret(), `ask` anything that `identify` is to give back.
    """
    metadata = await web.metadata(provider.issuer, now)
    expires = (now + LIFETIME).timestamp()
    begun = _Begun(place.issuer, provider.name, provider.issuer, secret.new(), secret.new(), secret.new(), ask, expires)
    location = prepare_grant_uri(
        metadata.authorization_endpoint,
        provider.client_id,
        "code",
        callback(place, provider),
        provider.scope,
        begun.state,
        nonce=begun.nonce,
        code_challenge=create_s256_code_challenge(begun.verifier),  # type: ignore[no-untyped-call]
        code_challenge_method="S256",
    )
    return str(location), base64.urlsafe_b64encode(sealing.seal(key, _PURPOSE, msgspec.json.encode(begun))).decode()


async def identify(
    provider: Provider,
    place: Place,
    key: bytes,
    cookie: str | None,
    params: Mapping[str, str],
    now: datetime,
    web: Web = WEB,
) -> tuple[Identity, str]:
    """Whom the provider vouches for, and the `ask` of `begin`; `params` are those of the callback's address.

    Raises SignInRefused, ProviderAway. Holds no connection to the database: the provider may be slow.
    """
    begun = _begun(key, cookie)
    if begun is None or begun.expires <= now.timestamp():
        raise SignInRefused(reason="no sign-in by a provider was begun in this browser, or too long ago")
    if (begun.place, begun.provider, begun.issuer) != (place.issuer, provider.name, provider.issuer):
        raise SignInRefused(reason="the sign-in was begun with another provider")
    if not hmac.compare_digest(begun.state.encode(), params.get("state", "").encode("utf-8", "replace")):
        raise SignInRefused(reason="the state is not the one of this browser")
    metadata = await web.metadata(provider.issuer, now)
    code = _code(metadata, params)
    id_token = await _redeemed(provider, metadata, place, key, code, begun.verifier, web)
    claims = await _claims(provider, metadata, id_token, begun.nonce, now, web)
    return Identity(provider.issuer, claims["sub"], claims), begun.ask


def _begun(key: bytes, cookie: str | None) -> _Begun | None:
    try:
        opened = sealing.unseal(key, _PURPOSE, base64.urlsafe_b64decode((cookie or "").encode()))
        return msgspec.json.decode(opened, type=_Begun)
    except (sealing.WrongSecret, ValueError):
        return None


def _code(metadata: Metadata, params: Mapping[str, str]) -> str:
    """The code of an answer that is this provider's (RFC 9207). Raises SignInRefused."""
    issuer = params.get("iss")
    if issuer != metadata.issuer and (issuer is not None or metadata.authorization_response_iss_parameter_supported):
        raise SignInRefused(reason="the answer is another issuer's")
    if "error" in params:
        said = params["error"] if _ERROR.fullmatch(params["error"]) else "an error"
        raise SignInRefused(reason=f"the provider answered {said}")
    if not params.get("code"):
        raise SignInRefused(reason="the answer has no code")
    return params["code"]


async def _redeemed(
    provider: Provider, metadata: Metadata, place: Place, key: bytes, code: str, verifier: str, web: Web
) -> str:
    """The id_token that the provider gives for the code. Its other tokens are let go. Raises SignInRefused."""
    body = prepare_token_request(
        "authorization_code", redirect_uri=callback(place, provider), code=code, code_verifier=verifier
    )
    auth = ClientAuth(provider.client_id, provider.secret(key), _method(provider, metadata))
    _, headers, body = auth.prepare("POST", metadata.token_endpoint, {}, body)  # type: ignore[no-untyped-call]
    answer = await web.post(metadata, headers, body)
    try:
        token = msgspec.json.decode(answer.content, type=dict[str, Any]).get("id_token")
    except msgspec.MsgspecError:
        token = None
    if answer.status_code != 200 or not isinstance(token, str) or len(token) > _LENGTH_MOST:
        raise SignInRefused(reason=f"the provider's token endpoint answered {answer.status_code} without an id_token")
    return token


def _method(provider: Provider, metadata: Metadata) -> str:
    if provider.sealed_secret is None:
        return "none"
    supported = metadata.token_endpoint_auth_methods_supported
    is_post = "client_secret_post" in supported and "client_secret_basic" not in supported
    return "client_secret_post" if is_post else "client_secret_basic"


async def _claims(
    provider: Provider, metadata: Metadata, id_token: str, nonce: str, now: datetime, web: Web
) -> dict[str, Any]:
    """The claims of an id_token that this provider made, for us, just now. Raises SignInRefused."""
    registry = JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=SKEW_SECONDS,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": provider.client_id},
        nonce={"essential": True, "value": nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        header = jws.extract_compact(id_token.encode()).headers()
        kid = header.get("kid")
        keys = await web.keys(metadata, kid if isinstance(kid, str) else None, now)
        claims: dict[str, Any] = jwt.decode(id_token, keys, algorithms=list(ALGORITHMS)).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as fault:
        raise SignInRefused(reason=f"the id_token of {provider.name} is not valid: {_told(fault)}") from None
    _require_ours(provider, claims, nonce)
    return claims


def _require_ours(provider: Provider, claims: Mapping[str, Any], nonce: str) -> None:
    """What is left of OpenID Connect Core 3.1.3.7: one audience, or the authorized party is we."""
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    party = claims.get("azp", provider.client_id if len(audience) == 1 else None)
    if provider.client_id not in audience or party != provider.client_id:
        raise SignInRefused(reason=f"the id_token of {provider.name} is for another client")
    if claims["nonce"] != nonce or not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise SignInRefused(reason=f"the id_token of {provider.name} has no nonce or subject of its own")


def _told(fault: Exception) -> str:
    """What is wrong, in a word, with nothing of the token in it."""
    claim = getattr(fault, "claim", None)
    return f"{claim}" if isinstance(claim, str) and _ERROR.fullmatch(claim) else type(fault).__name__
