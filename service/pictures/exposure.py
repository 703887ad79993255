"""Distress before, at its strongest and after each exposure. https://hl7.org/fhir/R4/observation.html

Each exposure is a small curve of its own: an open circle, a triangle, a full circle. The dashed line is the trend of the
triangles: habituation, if it falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

from service.pictures import axes
from service.pictures.palette import Role
from service.pictures.phrases import Phrases
from service.pictures.series import ExposureSeries, ExposureStep
from service.pictures.sheet import MARGIN, TEXT, Sheet, Span, lines_of, width_of

HEIGHT: Final = 420
_NAMED_WIDTH: Final = 84
"""How wide the place of an exposure must be for its name to stand below it."""
_WIDEST: Final = 120
"""How wide the place of an exposure is at the most."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the three ratings of an exposure: its name and its mark."""

    name: str
    role: Role
    shape: str
    fill: Role


_PARTS: Final = (
    _Part("before", "first", "o", "paper"),
    _Part("peak", "second", "^", "second"),
    _Part("after", "first", "o", "first"),
)


def draw(sheet: Sheet, series: ExposureSeries, phrases: Phrases) -> None:
    """Draw the exposures."""
    top = sheet.head(series.title, below(series, phrases)) + 34
    left = MARGIN + width_of(phrases.number(series.high)) + 8
    right = float(sheet.width - MARGIN)
    slot = (right - left) / len(series.steps)
    named = slot >= _NAMED_WIDTH
    bottom = sheet.height - (66 if named else 44)
    up = Span(0, series.high, bottom, top)
    axes.name_values(sheet, up, left, right, axes.values(0, series.high), phrases)
    _draw_trend(sheet, series.steps, up, left, slot)
    _draw_steps(sheet, series.steps, up, left, slot)
    _name_steps(sheet, series.steps, left, slot, bottom, named, phrases)
    _draw_key(sheet, top - 22, left, phrases)


def below(series: ExposureSeries, phrases: Phrases) -> str:
    """What is said below the title: how the strongest distress changed."""
    peaks = [step.peak for step in series.steps if step.peak is not None]
    if len(peaks) < 2:
        return phrases("exposure.about", low=phrases.number(0), high=phrases.number(series.high))
    return phrases("exposure.peak.course", first=phrases.number(peaks[0]), last=phrases.number(peaks[-1]))


def trend(values: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The straight line through points by least squares: its value at 0 and its slope; None below three points."""
    if len(values) < 3:
        return None
    mean_x = sum(x for x, _ in values) / len(values)
    mean_y = sum(y for _, y in values) / len(values)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in values) / sum((x - mean_x) ** 2 for x, _ in values)
    return mean_y - slope * mean_x, slope


def peaks(steps: Sequence[ExposureStep]) -> list[tuple[float, float]]:
    """The strongest distress of each exposure by its number."""
    return [(index, step.peak) for index, step in enumerate(steps) if step.peak is not None]


def _draw_trend(sheet: Sheet, steps: Sequence[ExposureStep], up: Span, left: float, slot: float) -> None:
    line = trend(peaks(steps))
    if line is None:
        return
    ends = (0.0, len(steps) - 1.0)
    xs = [left + (at + 0.5) * slot for at in ends]
    ys = [min(max(up(line[0] + line[1] * at), up.end), up.start) for at in ends]
    sheet.line(xs, ys, "second", 1.75, (5, 4))


def _draw_steps(sheet: Sheet, steps: Sequence[ExposureStep], up: Span, left: float, slot: float) -> None:
    """The curve of each exposure in its place; all of them in few drawing calls."""
    lines: list[tuple[float, float]] = []
    dots: tuple[list[tuple[float, float]], ...] = ([], [], [])
    for index, step in enumerate(steps):
        places = (left + index * slot + min(slot, _WIDEST) * part for part in (0.22, 0.5, 0.78))
        for found, x, value in zip(dots, places, _values(step), strict=True):
            if value is not None:
                found.append((x, up(value)))
                lines.append((x, up(value)))
        lines.append((nan, nan))
    sheet.line([x for x, _ in lines], [y for _, y in lines], "pale", 2)
    for part, found in zip(_PARTS, dots, strict=True):
        _draw_dots(sheet, part, found)


def _draw_dots(sheet: Sheet, part: _Part, places: Sequence[tuple[float, float]]) -> None:
    xs, ys = [x for x, _ in places], [y for _, y in places]
    sheet.dots(xs, ys, part.role, shape=part.shape, size=8, fill=part.fill)


def _values(step: ExposureStep) -> tuple[float | None, float | None, float | None]:
    return step.before, step.peak, step.after


def _name_steps(
    sheet: Sheet, steps: Sequence[ExposureStep], left: float, slot: float, bottom: float, named: bool, phrases: Phrases
) -> None:
    """Days, and names where there is room; else as many days as there is room for."""
    every = 1 if named else max(1, int(74 // slot) + 1)
    for index, step in enumerate(steps):
        middle = left + index * slot + min(slot, _WIDEST) / 2
        if index % every == 0:
            sheet.text(middle, bottom + 20, phrases.short_day(step.on), size=TEXT - 1, role="soft", at="center")
        if named:
            for row, line in enumerate(lines_of(step.name, TEXT - 1, slot)):
                sheet.text(middle, bottom + 38 + row * 15, line, size=TEXT - 1, at="center")


def _draw_key(sheet: Sheet, y: float, x: float, phrases: Phrases) -> None:
    """The three shapes and their words, in the order in which they follow each other."""
    for part in _PARTS:
        _draw_dots(sheet, part, [(x + 6, y)])
        text = phrases(f"exposure.{part.name}")
        sheet.text(x + 18, y, text, on="center")
        x += width_of(text) + 40
