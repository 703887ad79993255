"""How often one may ask: token buckets in each worker, which shares the limits with the others.

A client or person at one address has the limit to itself, all at one address together five times it: a clinic stands
behind one. No bucket is of a client alone, so that nobody's junk locks out another. https://www.rfc-editor.org/rfc/rfc6585#section-4
"""

import math
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, Literal

from service.errors import TooManyRequests
from service.settings import Settings

Kind = Literal["token", "authorize", "sign-in", "introspect", "register", "par", "calendar"]
SHARED_BY: Final = 5
"""How many times the limit of one all at one address have."""
_BUCKETS_MOST: Final = 50_000
_NETWORK_BITS: Final = 64  # what one household or attacker has of IPv6


@dataclass(slots=True)
class _Bucket:
    left: float
    since: float


class Limits:
    """The buckets of one worker; a limit of 0 is none."""

    def __init__(self, settings: Settings) -> None:
        a_minute: dict[Kind, int] = {
            "token": settings.rate_token,
            "authorize": settings.rate_authorize,
            "sign-in": settings.rate_sign_in,
            "introspect": settings.rate_introspect,
            "register": settings.rate_register,
            "par": settings.rate_authorize,
            "calendar": settings.rate_calendar,
        }
        self._a_minute = {kind: limit / settings.workers for kind, limit in a_minute.items()}
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def check(self, kind: Kind, client_or_login: str | None, address: str | None, now: datetime) -> None:
        """Count one more request. Raises TooManyRequests, which says after how many seconds there is room again."""
        limit = self._a_minute[kind]
        if not limit:
            return
        place, moment = _network(address), now.timestamp()
        waits = [self._take(("", kind, place), limit * SHARED_BY, moment)]
        if client_or_login is not None:
            waits.append(self._take((client_or_login[:200], kind, place), limit, moment))
        if any(waits):
            raise TooManyRequests("Too many requests from here; try again later", retry_after=math.ceil(max(waits)))

    def _take(self, name: tuple[str, str, str], limit: float, now: float) -> float:
        """Seconds until there is room; 0 when this request had it. What is refused costs nothing, so that waiting helps."""
        most, a_second = max(1.0, limit), limit / 60
        bucket = self._buckets.get(name)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[name] = _Bucket(most, now)
        bucket.left = min(most, bucket.left + max(0.0, now - bucket.since) * a_second)
        bucket.since = now
        if bucket.left < 1:
            return (1 - bucket.left) / a_second
        bucket.left -= 1
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop buckets that are full again after a minute; when too many are not, all."""
        if len(self._buckets) < _BUCKETS_MOST:
            return
        self._buckets = {name: each for name, each in self._buckets.items() if now - each.since < 60}
        if len(self._buckets) > _BUCKETS_MOST // 2:
            self._buckets.clear()


def _network(address: str | None) -> str:
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address):
        return str(
            ip_network((parsed.ipv4_mapped or parsed, 32 if parsed.ipv4_mapped else _NETWORK_BITS), strict=False)
        )
    return str(parsed)
