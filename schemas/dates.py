"""Partial dates as half-open intervals of time. https://hl7.org/fhir/R4/search.html#date"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

PAST: Final = datetime.min.replace(tzinfo=UTC)
"""PostgreSQL's -infinity, as asyncpg spells it: a period without a start."""
FUTURE: Final = datetime.max.replace(tzinfo=UTC)
"""PostgreSQL's infinity: a period without an end."""

_PATTERN: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)


class Interval(NamedTuple):
    """Time from `lo` up to but not including `hi`, both with time zone UTC."""

    lo: datetime
    hi: datetime


EVER: Final = Interval(PAST, FUTURE)


@lru_cache(maxsize=4096)
def interval(text: str) -> Interval:
    """The time that a FHIR date, dateTime or instant covers at its own precision.

    A value without a zone is read as UTC. Raises ValueError on anything that is no such date.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a date; write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss.sss with a zone"
        )
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        lo = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), tzinfo=UTC)
        # A leap second is a legal FHIR time; it is read as the last second of its minute.
        lo += timedelta(seconds=min(int(second or 0), 59), microseconds=int((fraction or "0")[:6].ljust(6, "0")))
        lo -= _offset(zone)
        return Interval(lo, _end(lo, match))
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"{text!r} is not a date on the calendar") from fault


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError(zone)
    return timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)


def _end(lo: datetime, match: re.Match[str]) -> datetime:
    _, month, day, hour, _, second, fraction, _ = match.groups()
    try:
        if month is None:
            return lo.replace(year=lo.year + 1)
        if day is None:
            return lo.replace(year=lo.year + lo.month // 12, month=lo.month % 12 + 1)
        if hour is None:
            return lo + timedelta(days=1)
        if second is None:
            return lo + timedelta(minutes=1)
        if fraction is None:
            return lo + timedelta(seconds=1)
        return lo + timedelta(microseconds=10 ** max(0, 6 - len(fraction)))
    except (ValueError, OverflowError):
        return FUTURE


def period(start: str | None, end: str | None) -> Interval:
    """The time between two partial dates, open where one is absent."""
    return Interval(interval(start).lo if start else PAST, interval(end).hi if end else FUTURE)


def instant(moment: datetime) -> str:
    """`moment` as a FHIR instant in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def clock() -> datetime:
    """Now, in UTC, cut to the millisecond that meta.lastUpdated shows."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
