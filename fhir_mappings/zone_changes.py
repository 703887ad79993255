"""The changes of a zone's clocks within a stretch of time, as calendars have to be told them.

https://www.rfc-editor.org/rfc/rfc5545#section-3.6.5
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_STEP: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """From `at` on, which is said on the clock as it was before, the zone is `after` UTC; `before` is what it was."""

    at: datetime
    before: timedelta
    after: timedelta
    name: str
    is_summer: bool


@lru_cache(maxsize=256)
def changes(zone: ZoneInfo, first: datetime, last: datetime) -> tuple[ZoneChange, ...]:
    """How the zone stands at `first`, then each change up to `last`; both are aware."""
    now = first.astimezone(UTC).replace(microsecond=0)
    found = [_change(zone, now, now)]
    while now < last:
        after = now + _STEP
        if _says(zone, now) != _says(zone, after):
            found.append(_change(zone, now, _onset(zone, now, after)))
        now = after
    return tuple(found)


def _onset(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second of what holds at `after`."""
    old = _says(zone, before)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if _says(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _says(zone: ZoneInfo, moment: datetime) -> tuple[timedelta, str, bool]:
    local = moment.astimezone(zone)
    return local.utcoffset() or timedelta(), local.tzname() or zone.key, bool(local.dst())


def _change(zone: ZoneInfo, before: datetime, at: datetime) -> ZoneChange:
    old, (offset, name, is_summer) = _says(zone, before)[0], _says(zone, at)
    return ZoneChange((at + old).replace(tzinfo=None), old, offset, name, is_summer)
