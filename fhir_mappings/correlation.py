"""How two figures go together: Pearson's r with Fisher's interval, and the words of caution that belong to it.

A correlation of one person's weeks, or of a group's members, says nothing of what causes what: the caution is a part of the
answer and not of its documentation. https://en.wikipedia.org/wiki/Fisher_transformation
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from statistics import StatisticsError, correlation
from typing import Final

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
