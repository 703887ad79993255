"""How two figures go together: Pearson's r with Fisher's interval, and the words of caution that belong to it.

A correlation of one person's weeks, or of a group's members, says nothing of what causes what: the caution is a part of the
answer and not of its documentation. https://en.wikipedia.org/wiki/Fisher_transformation
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import atanh, sqrt, tanh
from statistics import StatisticsError, correlation
from typing import Final

from fhir_mappings.adherence import Occurrence, count
from fhir_mappings.course import Point

MINIMUM: Final = 5
"""Pairs below which nothing is said: with four, an interval is nearly everything from -1 to 1."""
_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Correlation:
    """r of `n` pairs, between `low` and `high` with 95 % confidence."""

    n: int
    r: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out that there is nothing."""
        return self.low > 0 or self.high < 0


def pearson(pairs: Sequence[tuple[float, float]], minimum: int = MINIMUM) -> Correlation | None:
    """The correlation of pairs; None of fewer than `minimum` (at least 4), or where one side is always the same."""
    if len(pairs) < max(minimum, 4):
        return None
    try:
        r = correlation([one for one, _ in pairs], [other for _, other in pairs])
    except StatisticsError:
        return None
    low, high = interval(r, len(pairs))
    return Correlation(len(pairs), round(r, 3), round(low, 3), round(high, 3))


def interval(r: float, n: int) -> tuple[float, float]:
    """Fisher's 95 % interval of r from n pairs; that of a perfect correlation is the point itself."""
    if abs(r) >= 1:
        return r, r
    reach = _Z / sqrt(n - 3)
    return tanh(atanh(r) - reach), tanh(atanh(r) + reach)


def between_scores(
    points: Sequence[Point], found: Sequence[Occurrence], partial_weight: Decimal
) -> Iterator[tuple[float, float]]:
    """(share done, change of the score) between each two scores with anything planned between them."""
    for earlier, later in pairwise(points):
        share = count(each for each in found if earlier.at <= each.at < later.at).share(partial_weight)
        if share is not None:
            yield float(share), float(later.value - earlier.value)


def whole_course(
    points: Sequence[Point], found: Sequence[Occurrence], partial_weight: Decimal
) -> tuple[float, float] | None:
    """(share done, change of the score) from the first score to the last; None without two scores or anything planned."""
    if len(points) < 2:
        return None
    share = count(each for each in found if points[0].at <= each.at < points[-1].at).share(partial_weight)
    return None if share is None else (float(share), float(points[-1].value - points[0].value))
