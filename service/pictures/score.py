"""The scores of a measure over time, before its bands of severity. https://hl7.org/fhir/R4/observation.html

Bands are shades with their names at the side, a value that a rule speaks of has a ring and the rule's words, and a time
without an answer breaks the line and leaves a hollow diamond below.
"""

from collections.abc import Sequence
from datetime import date
from math import nan
from typing import Final

from service.pictures import axes
from service.pictures.palette import BANDS
from service.pictures.phrases import Phrases
from service.pictures.series import Band, Mark, Point, ScoreSeries
from service.pictures.sheet import MARGIN, TEXT, Sheet, Span, lines_of, width_of

_HEIGHT: Final = 400
_NARROW: Final = 480
"""Below this width the names of the bands stand below the curve, not beside it."""
_KEY_ROW: Final = 22
_MARK_WIDTH: Final = 132
_DOTTED: Final = 120
"""Up to how many scores each has a dot; of more the line tells enough."""
_BAND_WIDTH: Final = 200


def height(series: ScoreSeries, width: int, phrases: Phrases) -> int:
    """How high the picture is: more where the names of the bands stand below."""
    return _HEIGHT + _key_height(series, width)


def draw(sheet: Sheet, series: ScoreSeries, phrases: Phrases) -> None:
    """Draw the scores."""
    top = sheet.head(series.title, below(series, phrases)) + 16
    bottom = sheet.height - 44 - _key_height(series, sheet.width)
    left = MARGIN + width_of(phrases.number(series.high)) + 8
    right = sheet.width - MARGIN - (_label_room(series, phrases) if sheet.width >= _NARROW else 0)
    up = Span(series.low, series.high, bottom, top)
    across = _across(series.points, left + 16, right - 22)
    _draw_bands(sheet, series.bands, up, left, right, phrases)
    if series.bands:
        edges = [series.low, *(band.low for band in series.bands[1:]), series.high]
        axes.name_values(sheet, up, left, right, edges, phrases, lines=False)
    else:
        axes.name_values(sheet, up, left, right, axes.values(series.low, series.high), phrases)
    days = axes.days(series.points[0].on, series.points[-1].on, right - left)
    axes.name_days(sheet, across, bottom, days, phrases)
    _draw_points(sheet, series, across, up, bottom, phrases)


def below(series: ScoreSeries, phrases: Phrases) -> str:
    """What is said below the title: the course in a few words."""
    given = [point.value for point in series.points if point.value is not None]
    if len(given) < 2:
        return ""
    first, last = given[0], given[-1]
    return phrases("course", first=phrases.number(first), last=phrases.number(last), change=phrases.change(first, last))


def band_of(bands: Sequence[Band], value: float) -> Band | None:
    """The band that a value lies in; between two bands, the lower one."""
    return next((band for band in reversed(bands) if value >= band.low), None)


def _across(points: Sequence[Point], start: float, end: float) -> Span:
    first, last = points[0].on.toordinal(), points[-1].on.toordinal()
    return Span(first, last, start, end) if last > first else Span(first - 1, first + 1, start, end)


def _label_room(series: ScoreSeries, phrases: Phrases) -> float:
    lines = [line for band in series.bands for line in _band_lines(band, phrases)]
    return max((width_of(line, TEXT - 1) for line in lines), default=0) + 4


def _band_lines(band: Band, phrases: Phrases) -> list[str]:
    return lines_of(_band_name(band, phrases), TEXT - 1, _BAND_WIDTH, 3)


def _band_name(band: Band, phrases: Phrases) -> str:
    return phrases("band", text=band.text, low=phrases.number(band.low), high=phrases.number(band.high))


def _key_height(series: ScoreSeries, width: float) -> int:
    return len(series.bands) * _KEY_ROW + 8 if width < _NARROW and series.bands else 0


def _draw_bands(sheet: Sheet, bands: Sequence[Band], up: Span, left: float, right: float, phrases: Phrases) -> None:
    """The shades; their names beside them or, where it is narrow, below with the shade once more."""
    for index, band in enumerate(bands):
        upper = bands[index + 1].low if index + 1 < len(bands) else band.high
        role = BANDS[round(index * (len(BANDS) - 1) / max(len(bands) - 1, 1))]
        sheet.box(left, up(upper), right - left, up(band.low) - up(upper), role)
        middle = (up(upper) + up(band.low)) / 2
        if sheet.width >= _NARROW:
            lines = _band_lines(band, phrases)
            for row, line in enumerate(lines):
                y = middle + (row - (len(lines) - 1) / 2) * 15
                sheet.text(right + 10, y, line, size=TEXT - 1, role="soft", on="center")
        else:
            y = up.start + 48 + (len(bands) - 1 - index) * _KEY_ROW
            sheet.box(left, y - 7, 14, 14, role, "faint")
            sheet.text(left + 24, y, _band_name(band, phrases), size=TEXT - 1, role="soft", on="center")


def _draw_points(sheet: Sheet, series: ScoreSeries, across: Span, up: Span, bottom: float, phrases: Phrases) -> None:
    points = series.points
    xs = [across(point.on.toordinal()) for point in points]
    ys = [nan if point.value is None else up(point.value) for point in points]
    sheet.line(xs, ys, "first", 2.25)
    if len(points) <= _DOTTED:
        sheet.dots(xs, ys, "first")
    gaps = [x for x, point in zip(xs, points, strict=True) if point.value is None]
    sheet.dots(gaps, [bottom - 9.0] * len(gaps), "soft", shape="D", size=6, fill="paper")
    if gaps:
        half = width_of(phrases("gap"), TEXT - 1) / 2
        middle = min(max(gaps[-1], across.start + half), across.end - half)
        sheet.text(middle, bottom - 20, phrases("gap"), size=TEXT - 1, role="soft", at="center")
    _draw_marks(sheet, series.marks, points, across, up, bottom)
    given = [point for point in points if point.value is not None]
    for point in {given[0], given[-1]} if given else ():
        assert point.value is not None
        x, y = across(point.on.toordinal()), up(point.value)
        above = 16 if any(mark.on == point.on for mark in series.marks) else 11  # clear of the ring
        sheet.text(x, y - above, phrases.number(point.value), bold=True, at="center")


def _draw_marks(
    sheet: Sheet, marks: Sequence[Mark], points: Sequence[Point], across: Span, up: Span, bottom: float
) -> None:
    """A ring around the value, and the rule's words on the side of the curve that is free."""
    values = {point.on: point.value for point in points}
    for mark in marks:
        value = values.get(mark.on)
        if value is None:
            continue
        x, y = across(mark.on.toordinal()), up(value)
        sheet.ring(x, y, "ink")
        lines = lines_of(mark.text, TEXT - 1, _MARK_WIDTH)
        room = max(width_of(line, TEXT - 1) for line in lines)
        # Where the curve falls, below at the left and above at the right are free; where it rises, the other two.
        falls = _rise(points, mark.on) <= 0
        fits = x - room > across.start - 12 if falls else x + room < across.end + 12
        low = fits and y + 40 < bottom
        left = low == falls
        start = y + 26 if low else y - 18 - (len(lines) - 1) * 15
        for row, line in enumerate(lines):
            sheet.text(x + (7 if left else -7), start + row * 15, line, size=TEXT - 1, at="right" if left else "left")


def _rise(points: Sequence[Point], on: date) -> float:
    """By how much the curve rises around a day."""
    near = [point for point in points if point.value is not None]
    at = next(index for index, point in enumerate(near) if point.on == on)
    return (near[min(at + 1, len(near) - 1)].value or 0) - (near[max(at - 1, 0)].value or 0)
