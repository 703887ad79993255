"""Entries as an iCalendar object, the same bytes for the same entries. https://www.rfc-editor.org/rfc/rfc5545

Loaded when the first feed is asked for.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard, Todo

from fhir_mappings import zone_changes
from fhir_mappings.calendar_entry import Entry
from schemas import words

PRODUCT: Final = "-//Hearth//Homework//EN"
REFRESH: Final = timedelta(hours=1)
_TODO_STATES: Final = {"open": "NEEDS-ACTION", "begun": "IN-PROCESS", "done": "COMPLETED"}
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=32)
_YEAR: Final = timedelta(days=370)
_SHORTEST: Final = timedelta(minutes=15)


def calendar(entries: Sequence[Entry], form: str, language: str, details: bool, zone: str) -> bytes:
    """A published calendar of `todos` or `events`; without `details` each is called the same, whatever it is."""
    said = words.part("calendar", language)
    made = Calendar()
    made.add("PRODID", PRODUCT)
    made.add("VERSION", "2.0")
    made.add("CALSCALE", "GREGORIAN")
    made.add("METHOD", "PUBLISH")
    made.add("NAME", said["name"])
    made.add("X-WR-CALNAME", said["name"])
    made.add("X-WR-TIMEZONE", zone)
    made.add("REFRESH-INTERVAL", REFRESH, parameters={"VALUE": "DURATION"})
    made.add("X-PUBLISHED-TTL", "PT1H")
    for each in entries:
        title = each.title if details and each.title else said["discreet"]
        component = _todo(each, title) if form == "todos" else _event(each, title)
        if component is not None:
            made.add_component(component)
    for name, span in _zones(entries).items():
        made.subcomponents.insert(0, _timezone(ZoneInfo(name), *span))
    content: bytes = made.to_ical()
    return content


def _zones(entries: Sequence[Entry]) -> dict[str, tuple[datetime, datetime]]:
    """The zones that times are said in, each with its first and last time."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for moment in (moment for each in entries for moment in (each.start, each.end) if moment is not None):
        if isinstance(moment.tzinfo, ZoneInfo) and moment.tzinfo.key != "UTC":
            first, last = found.get(moment.tzinfo.key, (moment, moment))
            found[moment.tzinfo.key] = min(first, moment), max(last, moment)
    return found


def _timezone(zone: ZoneInfo, first: datetime, last: datetime) -> Timezone:
    """How the zone's clocks go from before the first time to a year after the last; the library's own has onsets in another
    clock than RFC 5545 wants, and all since 1970."""
    # Whole months, so that the same calendar is the same bytes tomorrow.
    begin = (first - _MONTH).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    made = Timezone()
    made.add("TZID", zone.key)
    for change in zone_changes.changes(zone, begin, last.replace(microsecond=0) + _YEAR):
        part: TimezoneDaylight | TimezoneStandard = TimezoneDaylight() if change.is_summer else TimezoneStandard()
        part.add("DTSTART", change.at)
        part.add("TZOFFSETFROM", change.before)
        part.add("TZOFFSETTO", change.after)
        part.add("TZNAME", change.name)
        made.add_component(part)
    return made


def _todo(entry: Entry, title: str) -> Todo:
    """What is to be done: open-ended where it is, without a start that comes after its end."""
    made = Todo()
    _describe(made, entry, title)
    if entry.start is not None:
        made.add("DTSTART", entry.start)
    if entry.end is not None:
        made.add("DUE", entry.end if entry.start is None or entry.end > entry.start else entry.start + _SHORTEST)
    made.add("STATUS", _TODO_STATES[entry.state])
    if entry.done is not None:
        made.add("COMPLETED", entry.done)
        made.add("PERCENT-COMPLETE", 100)
    return made


def _event(entry: Entry, title: str) -> Event | None:
    """When it may be done: days as whole days, hours as hours that stay free for others; None without any time."""
    span = _days(entry) if entry.is_whole_days else _hours(entry)
    if span is None:
        return None
    made = Event()
    _describe(made, entry, f"✓ {title}" if entry.state == "done" else title)
    made.add("DTSTART", span[0])
    made.add("DTEND", span[1])
    made.add("STATUS", "CONFIRMED")
    made.add("TRANSP", "TRANSPARENT")
    return made


def _describe(made: Todo | Event, entry: Entry, title: str) -> None:
    made.add("UID", f"{entry.uid}@hearth")
    # Of something published this is when it last changed; the same bytes as long as nothing did.
    made.add("DTSTAMP", entry.changed)
    made.add("LAST-MODIFIED", entry.changed)
    made.add("SEQUENCE", entry.sequence)
    made.add("SUMMARY", title)
    made.add("CLASS", "PRIVATE")


def _hours(entry: Entry) -> tuple[datetime, datetime] | None:
    assert entry.start is not None
    assert entry.end is not None
    return entry.start, max(entry.end, entry.start + _SHORTEST)


def _days(entry: Entry) -> tuple[date, date] | None:
    """The days from the first to the last on which something of the window lies; of an open one the day that is known."""
    if entry.start is None and entry.end is None:
        return None
    last = None if entry.end is None else (entry.end - timedelta(microseconds=1)).date()
    first = entry.start.date() if entry.start is not None else last
    assert first is not None
    return first, max(last or first, first) + _DAY
