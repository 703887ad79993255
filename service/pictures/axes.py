"""What stands beside a curve: days below, values at the left, thin lines between. https://www.w3.org/TR/WCAG22/"""

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil
from typing import Final

from service.pictures.phrases import Phrases
from service.pictures.sheet import TEXT, Sheet, Span

_DAY_WIDTH: Final = 74
"""How much room the name of a day wants."""
_STEPS: Final = (1, 2, 5, 7, 14, 28, 56, 91, 182, 364, 728, 1456)
"""Between the days that are named; whole weeks as soon as there are several."""


def days(start: date, end: date, room: float) -> list[date]:
    """The days to name below a curve: the first one, and then as many as there is room for."""
    length = (end - start).days
    most = max(1, int(room // _DAY_WIDTH))
    step = next((each for each in _STEPS if length / each <= most), ceil(max(length, 1) / most))
    return [start + timedelta(days=at) for at in range(0, length + 1, step)]


def values(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from `low` to `high`, both included where they are round."""
    width = high - low
    steps = (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 25, 50, 100, 200, 500, 1000)
    step = next((each for each in steps if width / each <= most), width / most)
    first = ceil(low / step) * step
    return [first + count * step for count in range(int((high - first) / step + 1e-9) + 1)]


def name_days(sheet: Sheet, across: Span, y: float, named: Sequence[date], phrases: Phrases) -> None:
    """The days below a curve; the last one too where there is room for it."""
    for on in named:
        x = across(on.toordinal())
        sheet.line([x, x], [y, y + 4], "faint", 1)
        sheet.text(x, y + 20, phrases.short_day(on), size=TEXT - 1, role="soft", at="center")


def name_values(
    sheet: Sheet, up: Span, left: float, right: float, named: Sequence[float], phrases: Phrases, lines: bool = True
) -> None:
    """The values at the left, each with a thin line across."""
    for value in named:
        y = up(value)
        if lines:
            sheet.line([left, right], [y, y], "line", 1)
        sheet.text(left - 8, y, phrases.number(value), size=TEXT - 1, role="soft", at="right", on="center")


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places for labels as near as may be to where they are wanted, at least `gap` apart, in the order given."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    last = low - gap
    for index in order:
        last = placed[index] = max(wanted[index], last + gap)
    limit = high
    for index in reversed(order):
        limit = placed[index] = min(placed[index], limit)
        limit -= gap
    return placed
