"""Access tokens bound to a key of the client's, which proves with each request that it has it.

Nonces (section 8) are not used: proofs live a minute, and each is taken once by all workers. https://www.rfc-editor.org/rfc/rfc9449
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec
from joserfc.jwk import ECKey
from joserfc.jws import CompactSignature

from service.errors import Unauthorized
from service.oauth import jwks, replay, signed
from service.oauth.clients import Client
from service.oauth.faults import InvalidProof, said
from service.oauth.form import OAuthRequest
from service.oauth.jwks import Key

ALGORITHMS: Final = {"ES256": "P-256", "ES384": "P-384", "RS256": None, "RS384": None}
"""Those that proofs may be signed by, and the curve of each."""
TYPE: Final = "dpop+jwt"
LIFETIME: Final = timedelta(seconds=60)
SKEW: Final = timedelta(seconds=10)
_CHALLENGE: Final = f'DPoP realm="hearth", algs="{" ".join(ALGORITHMS)}"'


class _Header(signed.Header, frozen=True, kw_only=True):
    jwk: dict[str, Any]


class _Claims(msgspec.Struct, frozen=True):
    htm: str
    htu: str
    iat: float
    jti: str
    ath: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A valid proof: the thumbprint of its key (RFC 7638), and by what it is known again until `expires`."""

    jkt: str
    jti: str
    expires: datetime


def proof_of(text: str, method: str, url: str, now: datetime, token: str | None = None) -> Proof:
    """What the header `DPoP` proves of a request, with `token` when one is shown. Raises InvalidProof (4.3)."""
    sent, header, claims = _read(text)
    key = _key(header)
    if not signed.is_by(sent, key, header.alg):
        raise InvalidProof("The signature of the DPoP proof is not that of its jwk")
    if claims.htm != method or _place(claims.htu) != _place(url):
        raise InvalidProof("htm or htu of the DPoP proof is not the method or address of this request")
    if not (now - LIFETIME).timestamp() <= claims.iat <= (now + SKEW).timestamp():
        raise InvalidProof("iat of the DPoP proof is not now; make a new proof for each request, and check the clock")
    if not 0 < len(claims.jti) <= 256:
        raise InvalidProof("jti of the DPoP proof is empty or very long")
    if token is not None and not secrets.compare_digest((claims.ath or "").encode(), _hash(token)):
        raise InvalidProof("ath of the DPoP proof is not the hash of the access token")
    return Proof(key.thumbprint(), claims.jti, datetime.fromtimestamp(claims.iat, UTC) + LIFETIME + SKEW)


async def binding(
    connection: asyncpg.Connection[Any], tenant_id: int, request: OAuthRequest, url: str, client: Client, now: datetime
) -> str | None:
    """The thumbprint that a token asked for at `url` is bound to; None without a proof. Raises InvalidProof."""
    if request.dpop is None:
        if client.dpop:
            raise InvalidProof("This client is registered for tokens bound to a key: send a DPoP proof")
        return None
    proof = proof_of(request.dpop, "POST", url, now)
    await _take(connection, tenant_id, proof)
    return proof.jkt


async def require(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    jkt: str | None,
    *,
    scheme: str,
    proof: str | None,
    token: str,
    method: str,
    url: str,
    now: datetime,
) -> None:
    """Raises Unauthorized unless a token is shown as it is bound: to the key `jkt` by scheme DPoP, to none by Bearer.

    `scheme` is that of the Authorization header, `url` the address asked for, with or without its query.
    """
    if jkt is None and scheme.lower() == "bearer":
        return
    if jkt is None:
        raise _refused("This access token is not bound to a key; send it as Bearer", "invalid_token")
    if scheme.lower() != "dpop":
        raise _refused("This access token is bound to a key; send it as DPoP, with a proof", "invalid_token")
    if proof is None:
        raise _refused("A DPoP proof is missing", InvalidProof.error)
    try:
        shown = proof_of(proof, method, url, now, token)
        if shown.jkt != jkt:
            raise InvalidProof("The DPoP proof is of another key than the access token")
        await _take(connection, tenant_id, shown)
    except InvalidProof as fault:
        raise _refused(fault.description, fault.error) from None


async def _take(connection: asyncpg.Connection[Any], tenant_id: int, proof: Proof) -> None:
    if not await replay.is_first_use(connection, tenant_id, f"dpop {proof.jkt}", proof.jti, proof.expires):
        raise InvalidProof("The DPoP proof was used before; make a new one for each request")


def _refused(sentence: str, error: str) -> Unauthorized:
    return Unauthorized(
        sentence, details_code="token-not-proven", headers=[("WWW-Authenticate", f'{_CHALLENGE}, error="{error}"')]
    )


def _read(text: str) -> tuple[CompactSignature, _Header, _Claims]:
    try:
        sent, header, claims = signed.read(text, _Header, _Claims)
    except signed.NotSigned:
        raise InvalidProof("The DPoP proof is not one signed token with the members of RFC 9449, section 4.2") from None
    if header.alg not in ALGORITHMS or not signed.is_plain(header, TYPE):
        raise InvalidProof(f"The DPoP proof is not of typ {TYPE} by one of {', '.join(ALGORITHMS)}")
    return sent, header, claims


def _key(header: _Header) -> Key:
    try:
        key = jwks.public({**header.jwk, "kid": "dpop"}, "jwk")
    except jwks.BadKeys as fault:
        raise InvalidProof(said(f"The DPoP proof has no key to verify it by: {fault}")) from None
    if (key.curve_name if isinstance(key, ECKey) else None) != ALGORITHMS[header.alg]:
        raise InvalidProof("alg of the DPoP proof does not fit its jwk")
    return key


def _place(url: str) -> tuple[str, str, int | None, str] | None:
    """An address without query and fragment, and spelled one way (4.3); None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port, unquote(parts.path) or "/"


def _hash(token: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=")
