"""Ratings over time, such as mood alone, or mood with pleasure and mastery. https://hl7.org/fhir/R4/observation.html

Each line has a shape of its own and its name at its end. Of many ratings the single ones are dots, and the line is the
mean of seven days: that is what the eye should follow.
"""

from collections import deque
from collections.abc import Sequence
from datetime import date, timedelta
from math import nan
from typing import Final

from service.pictures import axes
from service.pictures.palette import LINES, Role
from service.pictures.phrases import Phrases
from service.pictures.series import Line, Point, RatingSeries
from service.pictures.sheet import MARGIN, TEXT, Sheet, Span, width_of

HEIGHT: Final = 360
_SHAPES: Final = ("o", "s", "^", "D")
_DASHES: Final[tuple[tuple[float, ...], ...]] = ((), (6, 3), (2, 2.5), (8, 3, 2, 3))
_MANY: Final = 14
_DOTTED: Final = 400
"""Up to how many ratings each has a dot; more of them would be a cloud."""
_WINDOW: Final = timedelta(days=7)


def draw(sheet: Sheet, series: RatingSeries, phrases: Phrases) -> None:
    """Draw the ratings."""
    top = sheet.head(series.title, below(series, phrases)) + 16
    bottom = sheet.height - 44
    left = MARGIN + width_of(phrases.number(series.high)) + 8
    named = len(series.lines) > 1
    right = sheet.width - MARGIN - (max(width_of(line.name) for line in series.lines) + 12 if named else 0)
    days = [point.on for line in series.lines for point in line.points]
    start, end = min(days), max(days)
    pad = 0 if end > start else 1
    across = Span(start.toordinal() - pad, end.toordinal() + pad, left + 14, right - 14)
    up = Span(series.low, series.high, bottom, top)
    axes.name_values(sheet, up, left, right, axes.values(series.low, series.high), phrases)
    axes.name_days(sheet, across, bottom, axes.days(start, end, right - left), phrases)
    ends = [_draw_line(sheet, line, index, across, up) for index, line in enumerate(series.lines)]
    if named:
        for index, y in enumerate(axes.apart(ends, TEXT + 5, top, bottom)):
            sheet.text(right + 4, y, series.lines[index].name, role=LINES[index % len(LINES)], bold=True, on="center")


def below(series: RatingSeries, phrases: Phrases) -> str:
    """What is said below the title: what the lines are, where that is not plain."""
    return phrases("rating.mean") if any(is_many(line) for line in series.lines) else ""


def is_many(line: Line) -> bool:
    """Whether the line drawn is the mean of its ratings."""
    return len(line.points) > _MANY


def mean_of_days(points: Sequence[Point]) -> list[Point]:
    """For each day with a rating, the mean of that day and the six before it; `points` are in order of their days."""
    near: deque[tuple[date, float]] = deque()
    smooth: dict[date, float] = {}
    for point in points:
        if point.value is None:
            continue
        near.append((point.on, point.value))
        while near[0][0] <= point.on - _WINDOW:
            near.popleft()
        smooth[point.on] = sum(value for _, value in near) / len(near)
    return [Point(on, value) for on, value in smooth.items()]


def _draw_line(sheet: Sheet, line: Line, index: int, across: Span, up: Span) -> float:
    """One line with its shapes; gives the height at which it ends."""
    role, shape = LINES[index % len(LINES)], _SHAPES[index % len(_SHAPES)]
    dashes = _DASHES[index % len(_DASHES)]
    points = mean_of_days(line.points) if is_many(line) else line.points
    _draw_curve(sheet, points, across, up, role, dashes)
    xs = [across(point.on.toordinal()) for point in line.points if point.value is not None]
    ys = [up(point.value) for point in line.points if point.value is not None]
    if len(xs) > _DOTTED:
        return up(points[-1].value or 0)
    sheet.dots(xs, ys, role, shape=shape, size=4 if is_many(line) else 7, fill="paper" if is_many(line) else None)
    return ys[-1] if ys else up.start


def _draw_curve(
    sheet: Sheet, points: Sequence[Point], across: Span, up: Span, role: Role, dashes: tuple[float, ...]
) -> None:
    xs = [across(point.on.toordinal()) for point in points]
    ys = [nan if point.value is None else up(point.value) for point in points]
    sheet.line(xs, ys, role, 2.25, dashes)
