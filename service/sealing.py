"""Keeps secrets that have to be read again: AES-256-GCM under a key for each purpose, derived of the server's secret.

https://www.rfc-editor.org/rfc/rfc5869 (HKDF), https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf
"""

import os
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.errors import Unavailable

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class WrongSecret(Unavailable):
    """The server's secret is not the one its data was sealed under; bring back HEARTH_SECRET_KEY or the file `secret`."""


def seal(secret: bytes, purpose: str, data: bytes) -> bytes:
    """`data` for whoever knows `secret` (settings.secret()) and `purpose`, and nobody else: nonce, then ciphertext and tag."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(secret, purpose).encrypt(nonce, data, None)


def unseal(secret: bytes, purpose: str, sealed: bytes) -> bytes:
    """What was sealed. Raises WrongSecret, also for what was changed or sealed for another purpose."""
    try:
        return _cipher(secret, purpose).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        raise WrongSecret from None


@lru_cache(maxsize=16)
def _cipher(secret: bytes, purpose: str) -> AESGCM:
    key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"hearth:{purpose}".encode()).derive(secret)
    return AESGCM(key)
