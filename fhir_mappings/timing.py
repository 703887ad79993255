"""A Timing read as a schedule: which days, which times, how often; or why it cannot be. https://hl7.org/fhir/R4/datatypes.html#Timing

Where a Timing gives a range (frequencyMax, periodMax, countMax, boundsRange) the least of it is planned: what a client does
beyond it is welcome, and never missing. docs/homework.md, "Timing", says how each element is read.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings import zones
from fhir_mappings.dayparts import WINDOWS, Moment, shifted
from schemas import dates

JsonObject = dict[str, Any]
MOST_A_DAY: Final = 48
"""How many times a day, or in one period, homework can be asked for."""
MOST: Final = 5000
"""How many times in all a `count` can ask for: every day for more than ten years."""
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "wk": 604_800}
_MONTHS: Final = {"mo": 1, "a": 12}
_DAY: Final = 86_400
_TOO_OFTEN: Final = f"More than {MOST_A_DAY} times a day, or in one period, is more than can be planned"
_LONGEST: Final = 100 * 366 * _DAY
_ANY_MEAL: Final = ("C", "AC", "PC")
_ABBREVIATED: Final[Mapping[str, JsonObject]] = {
    "QD": {"period": 1, "periodUnit": "d"},
    "QOD": {"period": 2, "periodUnit": "d"},
    "BID": {"frequency": 2, "period": 1, "periodUnit": "d"},
    "TID": {"frequency": 3, "period": 1, "periodUnit": "d"},
    "QID": {"frequency": 4, "period": 1, "periodUnit": "d"},
    "AM": {"when": ["MORN"]},
    "PM": {"when": ["AFT"]},
    "BED": {"when": ["HS"]},
    "WK": {"period": 1, "periodUnit": "wk"},
    "MO": {"period": 1, "periodUnit": "mo"},
    **{f"Q{hours}H": {"period": hours, "periodUnit": "h"} for hours in (1, 2, 3, 4, 6, 8)},
}
"""What the abbreviations of http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation stand for."""


class TimingFault(ValueError):
    """What of a Timing cannot be planned: `path` below the Timing, and a sentence that says what would be right."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__(sentence)
        self.path, self.sentence = path, sentence


@dataclass(frozen=True, slots=True)
class Schedule:
    """A Timing that is understood, in one zone. Nothing begins before `start`, nor at or after `end` (dates.FUTURE: open).

    Time is cut into blocks of `days` days, `months` months or `elapsed` time, or is one block where none of them is set.
    A block has `number` places; or, on each of `weekdays` (0 is Monday), one at each of `moments`, else `number`.
    """

    zone: ZoneInfo
    start: datetime
    end: datetime
    days: int = 0
    months: int = 0
    elapsed: timedelta = timedelta()
    weekdays: frozenset[int] = frozenset()
    moments: tuple[Moment, ...] = ()
    number: int = 0
    count: int | None = None
    duration: timedelta = timedelta()
    events: tuple[str, ...] = ()


def repeats(timing: Mapping[str, Any]) -> bool:
    """Whether a Timing asks for more than one time, so that each is an occurrence of its own."""
    if len(timing.get("event", ())) > 1:
        return True
    repeat = _repeat(timing)
    if repeat.get("count") == 1:
        return False
    named = ("period", "dayOfWeek", "timeOfDay", "when")
    return any(name in repeat for name in named) or max(repeat.get("frequency", 1), repeat.get("count", 1)) > 1


def read(timing: Mapping[str, Any], zone: ZoneInfo, start: str) -> Schedule:
    """The schedule of a Timing for somebody who lives in `zone`; `start` is a FHIR date or dateTime, for bounds without one.

    Raises TimingFault for what is not understood, or would be too much.
    """
    if "modifierExtension" in timing:
        raise TimingFault("modifierExtension", "This changes the meaning of the Timing in a way that is not known here")
    repeat = _repeat(timing)
    events = tuple(timing.get("event", ()))
    if not repeat and not events:
        raise TimingFault("repeat", f"Say when with repeat or event, or with a code of {', '.join(_ABBREVIATED)}")
    began, ended = _bounds(repeat, zone, start)
    empty = Schedule(zone, began, ended, duration=_duration(repeat), events=events)
    # Beside events, bounds and a duration repeat nothing.
    only_events = events and all(name.startswith(("bounds", "duration")) for name in repeat)
    return empty if only_events else _schedule(repeat, empty)


def _repeat(timing: Mapping[str, Any]) -> JsonObject:
    """What is repeated: a code says all of it, but for the bounds. https://hl7.org/fhir/R4/datatypes-definitions.html#Timing.code"""
    repeat: JsonObject = timing.get("repeat", {})
    codes = [each.get("code") for each in timing.get("code", {}).get("coding", ())]
    said = next((_ABBREVIATED[code] for code in codes if code in _ABBREVIATED), None)
    if said is None or any(not name.startswith(("bounds", "count", "duration")) for name in repeat):
        return repeat
    return {**repeat, **said}


def _schedule(repeat: JsonObject, empty: Schedule) -> Schedule:
    """`empty` with what is repeated."""
    count = repeat.get("count")
    if count is not None and count > MOST:
        raise TimingFault("repeat.count", f"A count of {count} is more than the {MOST} that can be planned")
    weekdays = frozenset(_WEEKDAYS.index(day) for day in repeat.get("dayOfWeek", ()))
    moments = _moments(repeat)
    period = _period(repeat, bool(weekdays or moments))
    if period is None:
        return replace(empty, number=_once(repeat), count=count)
    days, months, elapsed = _block(period)
    _require_fit(weekdays, moments, days, elapsed)
    number = _number(repeat.get("frequency", 1), len(moments), len(weekdays) if days % 7 == 0 else 0, days != 1)
    if elapsed and number * _DAY > MOST_A_DAY * elapsed.total_seconds():
        raise TimingFault("repeat.frequency", _TOO_OFTEN)
    found = replace(empty, days=days, months=months, elapsed=elapsed, weekdays=weekdays, number=number, count=count)
    # More often than there are times: whenever in the block, and the time of the day is advice.
    return found if number > len(moments) else replace(found, moments=moments)


def _once(repeat: JsonObject) -> int:
    """How many times in the one block that is all of it."""
    name = "frequency" if "frequency" in repeat else "count"
    number: int = repeat.get(name, 1)
    if number > MOST_A_DAY:
        sentence = f"Without a period at most {MOST_A_DAY} times can be planned; say how often, with a period"
        raise TimingFault(f"repeat.{name}", sentence)
    return number


def _period(repeat: JsonObject, daily: bool) -> tuple[Decimal, str] | None:
    """The length of the block and its unit: the longest that was said, a day where only days or times were."""
    if "period" not in repeat:
        return (Decimal(1), "d") if daily else None
    longest = Decimal(str(repeat.get("periodMax", repeat["period"])))
    name = "periodMax" if "periodMax" in repeat else "period"
    if longest <= 0:
        raise TimingFault(f"repeat.{name}", "The period must be longer than nothing")
    unit = repeat.get("periodUnit")
    if unit not in _SECONDS and unit not in _MONTHS:
        raise TimingFault("repeat.periodUnit", f"Say the unit of the period: {', '.join((*_SECONDS, *_MONTHS))}")
    return longest, unit


def _block(period: tuple[Decimal, str]) -> tuple[int, int, timedelta]:
    """(days, months, elapsed time) of a period, of which one counts."""
    length, unit = period
    if length * {**_SECONDS, "mo": 31 * _DAY, "a": 366 * _DAY}[unit] > _LONGEST:
        raise TimingFault("repeat.period", "A period of more than a hundred years is more than can be planned")
    if unit in _MONTHS:
        months = length * _MONTHS[unit]
        if months != int(months):
            raise TimingFault("repeat.period", "A part of a month has no length; say it in days or weeks")
        return 0, int(months), timedelta()
    seconds = length * _SECONDS[unit]
    if seconds % _DAY == 0:
        return int(seconds // _DAY), 0, timedelta()
    if seconds < _DAY // MOST_A_DAY:
        raise TimingFault("repeat.period", _TOO_OFTEN)
    return 0, 0, timedelta(seconds=int(seconds))


def _require_fit(weekdays: frozenset[int], moments: Sequence[Moment], days: int, elapsed: timedelta) -> None:
    """Raise TimingFault where days and times do not go with the period."""
    if moments and elapsed:
        raise TimingFault(
            "repeat.period", "Times of the day go with a period of days, weeks, months or years, not of hours"
        )
    if weekdays and not elapsed and days != 1 and days % 7:
        raise TimingFault("repeat.dayOfWeek", "Days of the week go with a period of one day, of hours, or of weeks")
    if weekdays and days == 0 and not elapsed:
        raise TimingFault("repeat.dayOfWeek", "Which of a month's days is meant cannot be said; use a period of weeks")


def _number(frequency: int, moments: int, weekdays: int, any_day: bool) -> int:
    """How many times in a block, or on each of its days; `weekdays` of a week, `any_day` of a block that has several.

    A frequency of 1 beside days or times is what many write who mean each of them.
    """
    each = max(moments, 1)
    if frequency > MOST_A_DAY or each > MOST_A_DAY:
        raise TimingFault("repeat.frequency", _TOO_OFTEN)
    number, fits = frequency, True
    if weekdays:
        number = moments or max(frequency // weekdays, 1)
        fits = frequency in (1, each, weekdays, weekdays * each) or (not moments and frequency % weekdays == 0)
    elif frequency in (1, moments):
        number = each
    elif moments:
        fits = moments == 1 and any_day
    if not fits:
        said = ((weekdays, "days of the week"), (moments, "times of the day"))
        listed = " and ".join(f"{many} {what}" for many, what in said if many)
        right = max(weekdays, 1) * each
        sentence = f"A frequency of {frequency} does not go with {listed}; say {right}, or leave it out"
        raise TimingFault("repeat.frequency", sentence)
    return number


def _moments(repeat: JsonObject) -> tuple[Moment, ...]:
    """The times of the day, in their order."""
    clocks, codes = repeat.get("timeOfDay", ()), repeat.get("when", ())
    if clocks and codes:
        raise TimingFault("repeat.when", "Say times of the day as timeOfDay or as when, not both")
    offset = repeat.get("offset", 0)
    if offset > 1440:
        raise TimingFault("repeat.offset", "An offset is at most a day, 1440 minutes")
    found = [_clock(text) for text in clocks]
    for code in codes:
        for each in (f"{code}M", f"{code}D", f"{code}V") if code in _ANY_MEAL else (code,):
            if each not in WINDOWS:
                raise TimingFault("repeat.when", f"{code!r} is no time of the day that is known here")
            found.append(shifted(each, offset))
    ordered = sorted({each.name: each for each in found}.values(), key=lambda each: (each.opens, each.name))
    return tuple(ordered)


def _clock(text: str) -> Moment:
    hours, minutes, seconds = (int(part) for part in text[:8].split(":"))
    since = timedelta(hours=hours, minutes=minutes, seconds=min(seconds, 59))
    return Moment(text[:5] if seconds == 0 else text[:8], since)


def _duration(repeat: JsonObject) -> timedelta:
    """How long one time takes, nothing where that is not said, or is not short."""
    unit = repeat.get("durationUnit", "")
    if "duration" not in repeat or unit not in _SECONDS:
        return timedelta()
    return timedelta(seconds=min(float(repeat["duration"]) * _SECONDS[unit], 366 * _DAY))


def _bounds(repeat: JsonObject, zone: ZoneInfo, start: str) -> tuple[datetime, datetime]:
    """From when and until when: dates are days on the calendar in the zone, of which the last one counts whole."""
    period = repeat.get("boundsPeriod", {})
    began = edges(period.get("start", start), zone)[0]
    if "end" in period:
        ended = edges(period["end"], zone)[1]
        if ended <= began:
            raise TimingFault("repeat.bounds", "The period ends before it begins")
        return began, ended
    range_ = repeat.get("boundsRange", {})
    length = repeat.get("boundsDuration", range_.get("low", range_.get("high")))
    return began, dates.FUTURE if length is None else _later(began, length, zone)


def _later(began: datetime, length: JsonObject, zone: ZoneInfo) -> datetime:
    """The moment so long after: days, weeks, months and years as the calendar in the zone counts them."""
    value, unit = Decimal(str(length.get("value", 0))), length.get("code", length.get("unit", ""))
    if value <= 0 or (unit not in _SECONDS and unit not in _MONTHS):
        sentence = f"Say how long as a value and a UCUM code: {', '.join((*_SECONDS, *_MONTHS))}"
        raise TimingFault("repeat.bounds", sentence)
    days, months, elapsed = _block((value, unit))
    local = began.astimezone(zone).replace(tzinfo=None)
    try:
        day = months_later(local.date(), months) + timedelta(days=days)
    except (ValueError, OverflowError):  # after the year 9999
        return dates.FUTURE
    return began + elapsed if elapsed else zones.instant_of(datetime.combine(day, local.time()), zone)


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def edges(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First moment of what a FHIR date or dateTime covers, and the one after its last: days are those of the zone."""
    found = dates.interval(text)
    if "T" in text:
        return found
    lo, hi = (each.replace(tzinfo=None) for each in found)
    return zones.instant_of(lo, zone), dates.FUTURE if found.hi == dates.FUTURE else zones.instant_of(hi, zone)
