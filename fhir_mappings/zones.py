"""Time zones: a patient's own, and the instants of what a clock on their wall shows.

https://hl7.org/fhir/extensions/StructureDefinition-timezone.html
A local time that a change of the clocks leaves out is taken as the moment after the gap; one that comes twice, the first time.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

TIMEZONE: Final = "http://hl7.org/fhir/StructureDefinition/timezone"
_SECOND: Final = timedelta(seconds=1)


def zone_of(patient: Mapping[str, Any] | None, default: str) -> ZoneInfo:
    """The zone that the Patient says they live in, else `default`, an IANA name; UTC where neither is one."""
    said = [each.get("valueCode", "") for each in (patient or {}).get("extension", ()) if each.get("url") == TIMEZONE]
    return next((zone for zone in map(named, (*said, default)) if zone is not None), ZoneInfo("UTC"))


@lru_cache(maxsize=1024)
def named(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown names, and what is no name but a path
        return None


@lru_cache(maxsize=65536)
def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """When clocks in `zone` show the naive `local` for the first time, in UTC; of a time left out, the end of the gap."""
    aware = local.replace(tzinfo=zone)
    found = aware.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    return _gap_end(found, zone)


def _gap_end(after: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks were moved forward, a day or less before `after`, to the second."""
    after = (after + _SECOND).replace(microsecond=0)
    before = after - timedelta(days=1, hours=1)
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = (before + (after - before) // 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins in `zone`, in UTC."""
    return instant_of(datetime.combine(day, time()), zone)


def at(day: date, since_midnight: timedelta, zone: ZoneInfo) -> datetime:
    """When clocks show midnight plus `since_midnight`, which may reach into the day before or after, in UTC."""
    return instant_of(datetime.combine(day, time()) + since_midnight, zone)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day on the calendar in `zone`."""
    return moment.astimezone(zone).date()


def exists(day: date, zone: ZoneInfo) -> bool:
    """Whether the calendar in `zone` has the day: Samoa had no 30 December 2011."""
    return midnight(day, zone) < midnight(day + timedelta(days=1), zone)
