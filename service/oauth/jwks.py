"""Clients' public keys: which there are, and which one an assertion is to be verified by.

https://www.rfc-editor.org/rfc/rfc7517, https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html
"""

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from schemas import json

Key = RSAKey | ECKey
ALGORITHMS: Final = {"RS384": "RSA", "ES384": "EC"}
"""The algorithms of SMART's asymmetric clients, and the kind of key of each."""
BYTES_MOST: Final = 65_536
_KEYS_MOST: Final = 100
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_KINDS: Final[dict[str, tuple[type[Any], tuple[str, ...]]]] = {
    "RSA": (RSAKey, ("n", "e")),
    "EC": (ECKey, ("crv", "x", "y")),
}
_CURVE: Final = "P-384"
_RSA_BITS: Final = range(2048, 8193)
_EXPONENT_MOST: Final = 1 << 32  # a longer one makes each verification slow
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class BadKeys(Exception):
    """What is no set of public keys, or has one that cannot be taken; the sentence says what is wrong."""


def check(text: str) -> None:
    """Raises BadKeys unless each key of the set has what SMART asks of a registered one, and some can sign assertions."""
    found = [public(jwk, f"keys[{number}]") for number, jwk in enumerate(_members(text))]
    names = [(key.key_type, key.kid) for key in found]
    if len(set(names)) < len(names):
        raise BadKeys("two keys have the same kid; each needs its own")
    if not any(_algorithm(key) for key in found):
        raise BadKeys("no key can be used: one for RS384 is RSA of 2048 bits or more, one for ES384 is EC on P-384")


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Key, ...]:
    """The keys of a set that can be read; a client may publish others, for others. Raises BadKeys for what is no set."""
    found = []
    for number, jwk in enumerate(_members(text)):
        try:
            found.append(public(jwk, f"keys[{number}]"))
        except BadKeys:
            continue
    return tuple(found)


def find(keys: Sequence[Key], kid: str, algorithm: str) -> Key | None:
    """The one key of this name for the algorithm; None when there is none, or when there are two."""
    named = [key for key in keys if key.kid == kid and key.key_type == ALGORITHMS[algorithm]]
    return named[0] if len(named) == 1 and _algorithm(named[0]) == algorithm else None


def is_address(uri: str, loopback: bool) -> bool:
    """Whether a client's keys may be at `uri`: https, or with `loopback` http on this very host."""
    try:
        parts = urlsplit(uri)
        _ = parts.port  # a port that is none raises here
    except ValueError:
        return False
    if not uri.isascii() or not uri.isprintable() or " " in uri or "@" in parts.netloc or not parts.hostname:
        return False
    return parts.scheme == "https" or (loopback and parts.scheme == "http" and parts.hostname in _LOOPBACK)


def public(jwk: Any, where: str) -> Key:
    """The public key of a JWK. Raises BadKeys for what is none, or has its private part; `where` says which one it is."""
    if not isinstance(jwk, dict) or jwk.get("kty") not in _KINDS:
        raise BadKeys(f"{where}.kty is not RSA or EC")
    kind, members = _KINDS[jwk["kty"]]
    if any(name in jwk for name in _PRIVATE):
        raise BadKeys(
            f"{where} has the private part; send the public key only, and make a new pair: this one is known now"
        )
    for name in ("kid", *members):
        if not isinstance(jwk.get(name), str) or not jwk[name]:
            raise BadKeys(f"{where}.{name} is missing")
    if kind is RSAKey and not (_number(jwk["n"]).bit_length() in _RSA_BITS and _number(jwk["e"]) < _EXPONENT_MOST):
        raise BadKeys(f"{where} has less than 2048 bits, or more than 8192, or a long exponent")
    try:
        key: Key = kind.import_key({name: value for name, value in jwk.items() if isinstance(value, str | list)})
    except (JoseError, ValueError, TypeError, KeyError):
        raise BadKeys(f"{where} is no {jwk['kty']} key") from None
    return key


def _members(text: str) -> list[Any]:
    try:
        document = json.decode(text.encode())
    except json.JsonFault as fault:
        raise BadKeys(f"not JSON: {fault.message}") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= _KEYS_MOST:
        raise BadKeys(f'a key set is {{"keys": [...]}} with 1 to {_KEYS_MOST} keys')
    return keys


def _algorithm(key: Key) -> str | None:
    """The algorithm of ours that the key is for, by its kind, size and what it says of itself."""
    said = key.dict_value
    if said.get("use", "sig") != "sig" or "verify" not in said.get("key_ops", ["verify"]):
        return None
    made = "RS384" if isinstance(key, RSAKey) else "ES384" if key.curve_name == _CURVE else None
    return made if said.get("alg", made) == made else None


def _number(text: str) -> int:
    """A number in base64url; 0 for what is none."""
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return 0
