"""The course of a measure: dated values out of Observations, in order, and what they come to over time.

https://hl7.org/fhir/R4/observation.html
Values are those of valueInteger, valueQuantity and of components; what is not a number, or was taken back, has no place in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from statistics import fmean, linear_regression, stdev
from typing import Any, Final

from schemas import dates
from schemas.instrument import Code
from schemas.instruments import instruments

SETTLED: Final = frozenset(("final", "amended", "corrected"))
"""Observation.status of values that count."""
BUCKETS: Final = ("day", "week", "month")
_WEEK: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Point:
    """One value: when (the start of its time, and that time as recorded), how much, in which unit, from which resource."""

    at: datetime
    recorded: str
    value: Decimal
    unit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a course comes to; `slope` is the change a week by least squares, None where the times are all one."""

    n: int
    mean: Decimal
    sd: Decimal | None
    low: Decimal
    high: Decimal
    slope: Decimal | None


@dataclass(frozen=True, slots=True)
class Bucket:
    """The values of one day, week (from Monday) or month of the person's calendar."""

    start: date
    end: date
    n: int
    mean: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Band:
    """Scores from `low` to `high`, both included, and their word."""

    low: Decimal
    high: Decimal
    text: str


def courses(observations: Iterable[Mapping[str, Any]], wanted: Iterable[Code]) -> dict[Code, list[Point]]:
    """The points of each wanted code, oldest first; of two at one time the one that came first comes first.

    A code that has no value of its own but components (distress, with before, peak and after) gives its components' courses.
    """
    codes = tuple(dict.fromkeys(wanted))
    found: dict[Code, list[Point]] = {code: [] for code in codes}
    for observation in observations:
        if observation.get("status") in SETTLED and (time := when(observation)):
            for code, value, unit in _values(observation, codes):
                point = Point(time[0], time[1], value, unit, f"Observation/{observation.get('id', '')}")
                found.setdefault(code, []).append(point)
    empty = {code for code, points in found.items() if not points} if len(found) > len(codes) else set()
    return {code: sorted(points, key=_at) for code, points in found.items() if code not in empty}


def _at(point: Point) -> datetime:
    return point.at


def when(observation: Mapping[str, Any]) -> tuple[datetime, str] | None:
    """When an Observation was made, or began to be: as a time, and as recorded."""
    recorded = (
        observation.get("effectiveDateTime")
        or observation.get("effectiveInstant")
        or observation.get("effectivePeriod", {}).get("start")
    )
    return None if not recorded else (dates.interval(recorded).lo, recorded)


def _values(observation: Mapping[str, Any], wanted: Sequence[Code]) -> Iterator[tuple[Code, Decimal, str]]:
    own = [code for code in coded(observation) if code in wanted]
    value = number(observation)
    if own and value is not None:
        yield own[0], *value
    for component in observation.get("component", ()):
        value = number(component)
        if value is None:
            continue
        codes = coded(component)
        named = next((code for code in codes if code in wanted), None)
        if named is not None:
            yield named, *value
        elif own and codes:
            yield codes[0], *value


def coded(element: Mapping[str, Any]) -> list[Code]:
    """System and code of each coding of an Observation's or a component's code."""
    return [(each.get("system", ""), each.get("code", "")) for each in element.get("code", {}).get("coding", ())]


def number(element: Mapping[str, Any]) -> tuple[Decimal, str] | None:
    """The value of an Observation or a component, and its unit; None where it has none, or one that is no plain number.

    A modifier extension may change what the value means, and a comparator says that it is not known exactly.
    """
    if "modifierExtension" in element:
        return None
    if "valueInteger" in element:
        return Decimal(element["valueInteger"]), ""
    quantity = element.get("valueQuantity")
    if not quantity or "value" not in quantity or "comparator" in quantity:
        return None
    return Decimal(quantity["value"]), quantity.get("code") or quantity.get("unit") or ""


def rounded(value: float | Decimal, places: int = 2) -> Decimal:
    """A computed figure, no more precise than is good for reading."""
    return round(Decimal(str(value)), places).normalize() + 0


def summary(points: Sequence[Point]) -> Summary | None:
    """The figures of a course, None of an empty one."""
    if not points:
        return None
    values = [point.value for point in points]
    spread = rounded(stdev(values)) if len(values) > 1 else None
    return Summary(len(values), rounded(fmean(values)), spread, min(values), max(values), slope(points))


def slope(points: Sequence[Point]) -> Decimal | None:
    """The change a week, by least squares; None of fewer than two times."""
    if len({point.at for point in points}) < 2:
        return None
    first = points[0].at
    weeks = [(point.at - first).total_seconds() / _WEEK for point in points]
    return rounded(linear_regression(weeks, [float(point.value) for point in points]).slope, 3)


def buckets(points: Iterable[Point], size: str, zone: tzinfo) -> list[Bucket]:
    """The points by day, week or month of the calendar in `zone`, oldest first; a bucket without points is left out.

    A value that is recorded by its day alone belongs to that day, wherever the person was.
    """
    found: dict[date, list[Decimal]] = {}
    for point in points:
        found.setdefault(_START[size](local_day(point, zone)), []).append(point.value)
    return [
        Bucket(start, _END[size](start), len(values), rounded(fmean(values)), min(values), max(values))
        for start, values in sorted(found.items())
    ]


def local_day(point: Point, zone: tzinfo) -> date:
    """The day of a point on the person's calendar."""
    return point.at.date() if "T" not in point.recorded else point.at.astimezone(zone).date()


def _month_end(start: date) -> date:
    return (start + timedelta(days=32)).replace(day=1) - timedelta(days=1)


_START: Final[Mapping[str, Callable[[date], date]]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}
_END: Final[Mapping[str, Callable[[date], date]]] = {
    "day": lambda start: start,
    "week": lambda start: start + timedelta(days=6),
    "month": _month_end,
}


def bands(code: Code) -> tuple[Band, ...]:
    """The bands of an instrument's total, lowest first; none for what is no total, or has none."""
    scales = (scale for instrument in instruments().values() for scale in instrument.scales)
    found = next((scale.bands for scale in scales if scale.code == code), ())
    return tuple(Band(Decimal(band.low), Decimal(band.high), band.text) for band in found)


def band(found: Sequence[Band], value: Decimal) -> str | None:
    """The word for a value."""
    return next((each.text for each in found if each.low <= value <= each.high), None)
