"""Signed tokens of others: read strictly, then verified by a key and an algorithm that we choose. https://www.rfc-editor.org/rfc/rfc7515"""

from typing import Final, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

from service.oauth.jwks import Key

H = TypeVar("H")
C = TypeVar("C")
LENGTH_MOST: Final = 8192


class NotSigned(Exception):
    """What is no signed token of the shape that is wanted."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The header parameters that every such token has, and those that would change its meaning."""

    alg: str
    typ: str
    crit: msgspec.Raw | None = None
    b64: msgspec.Raw | None = None


class _Registry(jws.JWSRegistry):
    max_header_length = LENGTH_MOST  # a key in it is longer than joserfc takes by itself


_READS: Final = _Registry()


def read(text: str, header: type[H], claims: type[C]) -> tuple[jws.CompactSignature, H, C]:
    """The token, still unverified, its header and its claims as these types have them. Raises NotSigned."""
    if not 0 < len(text) <= LENGTH_MOST:
        raise NotSigned("it is empty or very long")
    try:
        token = jws.extract_compact(text.encode(), registry=_READS)
        return token, msgspec.convert(token.headers(), header), msgspec.json.decode(token.payload or b"", type=claims)
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError) as fault:
        raise NotSigned(f"it cannot be read ({type(fault).__name__})") from None


def is_plain(header: Header, typ: str) -> bool:
    """Whether the token is of this `typ`, and nothing in its header changes how it is to be read."""
    return header.typ.lower() == typ and header.crit is None and header.b64 is None


def is_by(token: jws.CompactSignature, key: Key, algorithm: str) -> bool:
    """Whether the token's signature is that of the key by this very algorithm."""
    try:
        return jws.validate_compact(token, key, registry=_Registry(algorithms=[algorithm], strict_check_header=False))
    except (JoseError, ValueError):
        return False
