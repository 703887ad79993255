"""What one instrument is: items, answers, totals, bands and risk. https://hl7.org/fhir/uv/sdc/expressions.html#scoring"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.library import BASE

Code = tuple[str, str]
"""System and code of a Coding."""
Given = Code | int | Decimal
"""An answer: a Coding's system and code, or a number (of a boolean 1 or 0)."""
Points = int | Decimal

INSTRUMENT: Final = f"{BASE}/CodeSystem/instrument"
"""Panels, items and totals for which no published code is used."""
ANSWER: Final = f"{BASE}/CodeSystem/instrument-answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an item; `score` is None on items that no scale uses."""

    code: Code
    display: str
    score: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """One question of an instrument. `numbers` are the points of answers that are numbers, `blanks` what says nothing."""

    code: Code
    display: str
    answers: Mapping[Code, Answer]
    numbers: Mapping[Points, Points]
    blanks: frozenset[Code]


@dataclass(frozen=True, slots=True)
class Band:
    """The totals from `low` to `high`, both included, and their word."""

    low: int
    high: int
    text: str


@dataclass(frozen=True, slots=True)
class Skip:
    """The items that count nothing, unanswered, when every item of `when` has one of these answers."""

    when: Mapping[Code, frozenset[Code]]
    zero: frozenset[Code]


@dataclass(frozen=True, slots=True)
class Scale:
    """A total: for each item, what each answer adds (multiplied and, where an item runs backwards, reversed).

    An answer of None points says nothing, as if it were not given.
    """

    code: Code
    display: str
    points: Mapping[Code, Mapping[Given, Points | None]]
    low: int
    high: int
    bands: tuple[Band, ...]
    bands_by_sex: Mapping[str, tuple[Band, ...]]
    only: Mapping[Code, str]
    """Items that are asked of one sex only."""
    skips: tuple[Skip, ...]
    may_miss: int
    """How many items may be missing and are counted as the mean of the others."""
    missing_source: str | None
    decimals: int

    @property
    def needs_sex(self) -> bool:
        """Whether the total or its band is another one for women than for men."""
        return bool(self.bands_by_sex or self.only)


@dataclass(frozen=True, slots=True)
class Trigger:
    """What an answer to an item tells of risk: nothing (0) or a level, 1 to 3; an answer that is not known is level 1."""

    item: Code
    reason: str
    levels: Mapping[Given, int]

    def level(self, given: Given) -> int:
        """The level of one answer."""
        return self.levels.get(given, 1)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire with published scoring."""

    id: str
    title: str
    panel: Code
    panel_display: str
    also: tuple[Code, ...]
    copyright: str
    licensed: bool
    sources: tuple[str, ...]
    items: Mapping[Code, Item]
    scales: tuple[Scale, ...]
    panel_observation: bool
    used_alone: tuple[Code, ...]
    risk: tuple[Trigger, ...]

    @property
    def needs_sex(self) -> bool:
        """Whether some total of it needs to know the sex of who answered."""
        return any(scale.needs_sex for scale in self.scales)
