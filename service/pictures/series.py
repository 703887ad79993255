"""What a picture is drawn from: numbers with their days, and the names that stand beside them.

Names and titles are in the reader's language already, or as their author wrote them. A value that is None was asked for
and not given: it is a gap, not a zero. https://www.w3.org/TR/WCAG22/#non-text-content
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a day; None is a gap."""

    on: date
    value: float | None


@dataclass(frozen=True, slots=True)
class Band:
    """The values from `low` to `high`, both included, and their word."""

    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that a rule says of the value of a day, such as "reliable improvement"."""

    on: date
    text: str


@dataclass(frozen=True, slots=True)
class ScoreSeries:
    """The scores of one measure from `low` to `high`, in order of their days, its bands from low to high."""

    title: str
    low: float
    high: float
    points: tuple[Point, ...]
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One of several ratings on the same scale."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class RatingSeries:
    """Ratings on one scale, such as mood alone, or mood with pleasure and mastery."""

    title: str
    low: float
    high: float
    lines: tuple[Line, ...]


class Day(Enum):
    """How the homework of a day stands; a day without any is not in a calendar's days."""

    DONE = "done"
    PARTLY = "partly"
    NOT_YET = "not-yet"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class AdherenceCalendar:
    """The days from `start` to `end`, both included, that had homework."""

    title: str
    start: date
    end: date
    days: Mapping[date, Day]


@dataclass(frozen=True, slots=True)
class ExposureStep:
    """Distress before, at its strongest and after one exposure, 0 to 100; what was not rated is None."""

    on: date
    name: str
    before: float | None
    peak: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class ExposureSeries:
    """Exposures in order of their days."""

    title: str
    steps: tuple[ExposureStep, ...]
    high: float = 100


@dataclass(frozen=True, slots=True)
class GoalLine:
    """One goal and its ratings, -2 (much less than expected) to 2 (much more), in order of their days."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class AttainmentSeries:
    """Several goals over the same time."""

    title: str
    goals: tuple[GoalLine, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """How many of the planned times of one weekday, hour or kind were done; a part counts as the tenant's rule says."""

    name: str
    done: float
    planned: int


@dataclass(frozen=True, slots=True)
class AdherenceBy:
    """Adherence by one thing, in the order in which it is to stand."""

    title: str
    bars: tuple[Bar, ...]


Series: TypeAlias = ScoreSeries | RatingSeries | AdherenceCalendar | ExposureSeries | AttainmentSeries | AdherenceBy
