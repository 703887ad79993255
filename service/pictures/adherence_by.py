"""How much of what was planned was done, by weekday, hour or kind. https://hl7.org/fhir/R4/task.html

A bar is the share that was done; the numbers stand beside it, since a share of two tells less than one of twenty.
"""

from typing import Final

from service.pictures.phrases import Phrases
from service.pictures.series import AdherenceBy, Bar
from service.pictures.sheet import MARGIN, TEXT, Sheet, head_height, lines_of, width_of

_ROW: Final = 34
_BAR: Final = 18


def height(series: AdherenceBy, width: int, phrases: Phrases) -> int:
    """How high the picture is: a row for each bar."""
    head = head_height(series.title, phrases("by.about"), width)
    return head + 8 + _ROW * len(series.bars) + MARGIN - (_ROW - _BAR)


def draw(sheet: Sheet, series: AdherenceBy, phrases: Phrases) -> None:
    """Draw the bars."""
    top = sheet.head(series.title, phrases("by.about")) + 8
    names = min(max(width_of(bar.name) for bar in series.bars) + 16, sheet.width * 0.4)
    numbers = max(width_of(share(bar, phrases)) for bar in series.bars) + 12
    left = MARGIN + names
    full = sheet.width - MARGIN - numbers - left
    for index, bar in enumerate(series.bars):
        y = top + index * _ROW
        middle = y + _BAR / 2
        sheet.text(MARGIN, middle, lines_of(bar.name, TEXT, names - 12, 1)[0], on="center")
        sheet.box(left, y, full, _BAR, "band-2", "faint")
        if bar.planned and bar.done > 0:
            sheet.box(left, y, full * min(1.0, bar.done / bar.planned), _BAR, "first", "first")
        sheet.text(left + full + 12, middle, share(bar, phrases), on="center")


def share(bar: Bar, phrases: Phrases) -> str:
    """The numbers of a bar."""
    return phrases("by.share", done=phrases.number(bar.done), planned=bar.planned)
