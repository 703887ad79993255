"""One attempt to bring a message to somebody's server: it arrived, it may arrive later, or it never will.

https://www.rfc-editor.org/rfc/rfc9110#section-15
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, NamedTuple

from schemas import json
from service import public_web
from service.public_web import Unreachable
from service.webhooks import signature

_LATER: Final = frozenset((408, 409, 423, 425, 429))
"""Refusals of now, not for ever."""
GONE: Final = 410


class Fate(Enum):
    """What became of an attempt."""

    ARRIVED = "arrived"
    LATER = "later"
    NEVER = "never"


class Attempt(NamedTuple):
    """The fate, the status that was answered if any was, and what went wrong, without what was answered."""

    fate: Fate
    answer: int | None = None
    fault: str | None = None


async def post(
    url: str, secret: str, message_id: str, message: Mapping[str, Any], now: datetime, *, loopback: bool
) -> Attempt:
    """Send the message, signed, once."""
    body = json.encode(message)
    try:
        status = await public_web.post(url, body, signature.headers(secret, message_id, body, now), loopback=loopback)
    except Unreachable as fault:
        return Attempt(Fate.LATER, None, str(fault))
    return Attempt(*_read(status))


def _read(status: int) -> tuple[Fate, int, str | None]:
    if 200 <= status < 300:
        return Fate.ARRIVED, status, None
    if status >= 500 or status in _LATER:
        return Fate.LATER, status, f"it answered {status}"
    return Fate.NEVER, status, f"it answered {status}, which no further attempt changes"
