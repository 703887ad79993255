"""Client secrets and access tokens: made at random, kept as hashes. https://www.rfc-editor.org/rfc/rfc6819#section-5.1.4.2.2"""

import hashlib
import secrets
from hmac import compare_digest


def new() -> str:
    """256 random bits in characters that need no encoding in a header, form or URL."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored. A plain SHA-256: nobody guesses 256 random bits, so a slow hash would only cost us."""
    return hashlib.sha256(secret.encode()).digest()


def matches(secret: str, stored: bytes) -> bool:
    """Whether `secret` is the one stored, in a time that does not tell how nearly."""
    return compare_digest(digest(secret), stored)
