"""Resource ids: UUIDv7 of our own, and every legal foreign id on a key of 16 bytes. https://hl7.org/fhir/R4/datatypes.html#id"""

import os
import re
import time
import uuid
from functools import lru_cache
from hashlib import sha1
from typing import Final

import msgspec

_LEGAL: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FOREIGN: Final = uuid.UUID("8f7d1f3e-3c0a-5b0e-9a53-6f0c6a1d2b74")


def is_legal(text: str) -> bool:
    """Whether `text` is a FHIR id: 1 to 64 of A-Z a-z 0-9 - and dot."""
    return _LEGAL.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in the one spelling that is its own key."""
    return _UUID.fullmatch(text) is not None


def new(now: float | None = None) -> uuid.UUID:
    """A UUIDv7 (RFC 9562 5.7): creation time in front, so that indexes grow at one end."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


@lru_cache(maxsize=16384)
def is_of(made: uuid.UUID, now: float) -> bool:
    """Whether `new(now)` can have made the id."""
    return made.version == 7 and made.int >> 80 == int(now * 1000)


def key(tenant_id: int, type_name: str, text: str) -> uuid.UUID:
    """The storage key of a resource id: itself where it is a UUID, else a name-based UUID of tenant, type and id."""
    if is_uuid(text):
        return msgspec.convert(text, uuid.UUID)  # what UUID() makes, in a third of its time
    digest = sha1(_FOREIGN.bytes + f"{tenant_id}|{type_name}|{text}".encode(), usedforsecurity=False).digest()
    return uuid.UUID(bytes=digest[:16], version=5)
