"""The slots of a schedule: each time that something is to be done, and the window in which it is due.

https://hl7.org/fhir/R4/datatypes.html#Timing
A slot is the same whichever stretch of time was asked for: its key is its local date and its name within that date.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain, count
from typing import Final

from fhir_mappings import zones
from fhir_mappings.dayparts import Moment
from fhir_mappings.timing import Schedule, edges, months_later
from schemas import dates

_DAY: Final = timedelta(days=1)
_REACH: Final = timedelta(days=3)
"""How far a window may open from its own day: offsets, nights and the breadth of the world's zones."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One time: the day on the client's calendar, its name within that day, and when it is due, in UTC.

    `name` is a time (20:00), a part of the day (EVE), or the how-manieth it is (1). An `end` of dates.FUTURE is open.
    """

    day: date
    name: str
    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """The name of the slot among all slots of its schedule."""
        return f"{self.day.isoformat()}/{self.name}"


def slots(schedule: Schedule, since: datetime, until: datetime) -> list[Slot]:
    """The slots whose windows open from `since` on and before `until`, in the order of their windows."""
    every = [*_repeated(schedule, since, until), *(_event(schedule, text) for text in schedule.events)]
    found = {slot.key: slot for slot in every if since <= slot.start < until}
    return sorted(found.values(), key=lambda slot: (slot.start, slot.key))


def is_over(schedule: Schedule, since: datetime) -> bool:
    """Whether no slot opens from `since` on."""
    every = chain(_repeated(schedule, since, dates.FUTURE), (_event(schedule, text) for text in schedule.events))
    return all(slot.start < since for slot in every)


def total(schedule: Schedule) -> int | None:
    """How many slots there are in all, None where there is no end to them."""
    if (
        schedule.count is None
        and schedule.end == dates.FUTURE
        and (schedule.days or schedule.months or schedule.elapsed)
    ):
        return None
    return len(slots(schedule, dates.PAST, dates.FUTURE))


def _event(schedule: Schedule, text: str) -> Slot:
    """A time that is listed by itself: at a moment, with the rest of its day for it, or a day, a month, a year."""
    start, end = edges(text, schedule.zone)
    day = zones.local_day(start, schedule.zone)
    if "T" not in text:
        return Slot(day, "1", start, end)
    name = start.astimezone(schedule.zone).strftime("%H:%M")
    return Slot(day, name, start, max(zones.midnight(day + _DAY, schedule.zone), start + schedule.duration))


def _repeated(schedule: Schedule, since: datetime, until: datetime) -> Iterator[Slot]:
    """The slots between, and some around them. What is counted is counted from the first one, wherever `since` is."""
    if schedule.number == 0:
        return
    made, last = 0, min(until, schedule.end)
    for index in count(0 if schedule.count is not None else _index(schedule, since)):
        opens, found = _block(schedule, index)
        if opens >= last:
            return
        for slot in found:
            yield slot
            made += 1
            if made == schedule.count:
                return


def _index(schedule: Schedule, since: datetime) -> int:
    """The number of a block before which nothing opens from `since` on."""
    if since <= schedule.start or since - _REACH <= schedule.start:
        return 0
    if schedule.elapsed:
        return (since - schedule.start) // schedule.elapsed
    day, first = (zones.local_day(moment, schedule.zone) for moment in (since - _REACH, schedule.start))
    if schedule.months:
        return max(0, ((day.year - first.year) * 12 + day.month - first.month - 1) // schedule.months)
    return (day - first).days // schedule.days if schedule.days else 0


def _block(schedule: Schedule, index: int) -> tuple[datetime, list[Slot]]:
    """A moment before which nothing of this block or a later one opens, and the block's slots."""
    try:
        if schedule.elapsed:
            opens = schedule.start + index * schedule.elapsed
            return opens, _elapsed(schedule, opens)
        if not (schedule.days or schedule.months):
            return (
                (schedule.start, _whole(schedule, schedule.start, schedule.end)) if index == 0 else (dates.FUTURE, [])
            )
        first, after = (_first_day(schedule, each) for each in (index, index + 1))
        return zones.midnight(first, schedule.zone) - _REACH, _calendar(schedule, first, after)
    except (OverflowError, ValueError):  # after the year 9999
        return dates.FUTURE, []


def _first_day(schedule: Schedule, index: int) -> date:
    """The first day of a block."""
    first = zones.local_day(schedule.start, schedule.zone)
    if schedule.months:
        return months_later(first, schedule.months * index)
    return first + timedelta(days=schedule.days * index)


def _elapsed(schedule: Schedule, opens: datetime) -> list[Slot]:
    """The slots of a stretch of hours; of an hour that a change of the clocks repeats, the second one is called b."""
    local = opens.astimezone(schedule.zone)
    if schedule.weekdays and local.weekday() not in schedule.weekdays:
        return []
    name = local.strftime("%H:%M") + ("b" if local.fold else "")
    numbered = [name] if schedule.number == 1 else [f"{name}.{each + 1}" for each in range(schedule.number)]
    end = min(opens + schedule.elapsed, schedule.end)
    return [Slot(local.date(), each, opens, end) for each in numbered] if opens < end else []


def _calendar(schedule: Schedule, first: date, after: date) -> list[Slot]:
    """The slots of the days from `first` up to `after`."""
    if not schedule.weekdays and not schedule.moments:
        return _whole(schedule, *(zones.midnight(day, schedule.zone) for day in (first, after)))
    # Of several weeks the first one is meant.
    length = min((after - first).days, 7) if schedule.weekdays else 1
    found: list[Slot] = []
    for day in (first + timedelta(days=each) for each in range(length)):
        if schedule.weekdays and day.weekday() not in schedule.weekdays:
            continue
        begins, ends = (zones.midnight(each, schedule.zone) for each in (day, day + _DAY))
        if begins == ends:  # a day that the calendar leaves out
            continue
        found += _timed(schedule, day, ends) if schedule.moments else _whole(schedule, begins, ends)
    return found


def _whole(schedule: Schedule, opens: datetime, closes: datetime) -> list[Slot]:
    """So many times, each of them whenever between."""
    start, end = max(opens, schedule.start), min(closes, schedule.end)
    day = zones.local_day(start, schedule.zone)
    return [Slot(day, str(each + 1), start, end) for each in range(schedule.number)] if start < end else []


def _timed(schedule: Schedule, day: date, ends: datetime) -> list[Slot]:
    """A slot for each time of the day that is not before the start: of a window what is left of it."""
    found = []
    for moment, following in zip(schedule.moments, (*schedule.moments[1:], None), strict=True):
        opens = zones.at(day, moment.opens, schedule.zone)
        closes = _closes(schedule, day, moment, following, ends)
        closes = max(closes if closes > opens else ends, opens + schedule.duration)
        start = opens if moment.closes is None else max(opens, schedule.start)
        if schedule.start <= start < min(closes, schedule.end):
            found.append(Slot(day, moment.name, start, closes))
    return found


def _closes(schedule: Schedule, day: date, moment: Moment, following: Moment | None, ends: datetime) -> datetime:
    since = moment.closes or (following.opens if following else None)
    return ends if since is None else zones.at(day, since, schedule.zone)
