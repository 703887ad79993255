"""The levels that goals reached over time, -2 to 2, a strip for each goal. https://hl7.org/fhir/R4/goal.html

The line in the middle is what was expected; above it is more, below it less. The last level stands in words.
"""

from datetime import date
from math import nan
from typing import Final

from service.pictures import axes
from service.pictures.phrases import Phrases
from service.pictures.series import AttainmentSeries, GoalLine, Point
from service.pictures.sheet import MARGIN, TEXT, Sheet, Span, head_height, lines_of

_STRIP: Final = 140
_FOOT: Final = 40
_LEVELS: Final = (-2, -1, 0, 1, 2)


def height(series: AttainmentSeries, width: int, phrases: Phrases) -> int:
    """How high the picture is: a strip for each goal."""
    return head_height(series.title, phrases("goals.about"), width) + _STRIP * len(series.goals) + _FOOT


def draw(sheet: Sheet, series: AttainmentSeries, phrases: Phrases) -> None:
    """Draw the strips."""
    y = sheet.head(series.title, phrases("goals.about"))
    start, end = reach(series)
    left, right = MARGIN + 26.0, float(sheet.width - MARGIN)
    pad = 0 if end > start else 1
    across = Span(start.toordinal() - pad, end.toordinal() + pad, left + 14, right - 14)
    for goal in series.goals:
        _draw_goal(sheet, goal, y, across, left, right, phrases)
        y += _STRIP
    axes.name_days(sheet, across, y - 6, axes.days(start, end, right - left), phrases)


def reach(series: AttainmentSeries) -> tuple[date, date]:
    """The first and the last day of all the goals."""
    days = [point.on for goal in series.goals for point in goal.points]
    return min(days), max(days)


def level(value: float, phrases: Phrases) -> str:
    """A level in words."""
    return phrases(f"goals.level.{min(2, max(-2, round(value)))}")


def rated(goal: GoalLine) -> list[Point]:
    """The ratings of a goal that were given."""
    return [point for point in goal.points if point.value is not None]


def _draw_goal(
    sheet: Sheet, goal: GoalLine, top: float, across: Span, left: float, right: float, phrases: Phrases
) -> None:
    given = rated(goal)
    word = level(given[-1].value or 0, phrases) if given else ""
    heading = lines_of(goal.name, TEXT * 1.08, right - MARGIN, 1)[0]
    sheet.text(MARGIN, top + 20, heading, bold=True)
    sheet.text(MARGIN, top + 38, word, role="first")
    up = Span(-2, 2, top + _STRIP - 16, top + 54)
    for value in _LEVELS:
        sheet.line([left, right], [up(value)] * 2, "soft" if value == 0 else "line", 1)
        if value % 2 == 0:
            text = f"+{value}" if value > 0 else phrases.number(value)
            sheet.text(left - 8, up(value), text, size=TEXT - 2, role="soft", at="right", on="center")
    xs = [across(point.on.toordinal()) for point in goal.points]
    ys = [nan if point.value is None else up(point.value) for point in goal.points]
    sheet.line(xs, ys, "first", 2.25)
    sheet.dots(xs, ys, "first")
