"""The homework of each day: a column for each week, a row for each weekday. https://hl7.org/fhir/R4/task.html

How a day stands is a shape first (full, half, empty, barred) and a shade second: it reads without any colour.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from service.pictures.palette import Role
from service.pictures.phrases import Phrases
from service.pictures.series import AdherenceCalendar, Day
from service.pictures.sheet import MARGIN, TEXT, Sheet, head_height, width_of

_CELL: Final = (11.0, 34.0)
_GAP: Final = 0.16
"""How much of a cell is left empty between two."""
_MONTHS: Final = 26
_KEY: Final = 36
_KEY_ROW: Final = 24
_BOXES: Final[Mapping[Day, tuple[Role, Role]]] = {
    Day.DONE: ("first", "first"),
    Day.PARTLY: ("first", "pale"),
    Day.NOT_YET: ("soft", "paper"),
    Day.PAUSED: ("faint", "paper"),
}
"""The edge and the filling of a day's box."""
_HALF: Final = ((-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0))
_BAR: Final = ((-0.16, -1.0), (0.16, -1.0), (0.16, 1.0), (-0.16, 1.0))


def height(series: AdherenceCalendar, width: int, phrases: Phrases) -> int:
    """How high the picture is: as its cells are as large as the width allows."""
    rows = len(_key_rows(width, series, phrases))
    head = head_height(series.title, below(series, phrases), width)
    return int(head + _MONTHS + 7 * _cell(series, width, phrases) + _KEY + rows * _KEY_ROW)


def draw(sheet: Sheet, series: AdherenceCalendar, phrases: Phrases) -> None:
    """Draw the calendar."""
    top = sheet.head(series.title, below(series, phrases)) + _MONTHS
    cell = _cell(series, sheet.width, phrases)
    left = MARGIN + _names_width(phrases)
    monday = _monday(series.start)
    for row in range(7):
        if cell >= TEXT + 3 or row % 2 == 0:
            y = top + (row + 0.5 - _GAP / 2) * cell
            sheet.text(MARGIN, y, phrases(f"weekday.short.{row + 1}"), size=TEXT - 1, role="soft", on="center")
    _name_months(sheet, series, left, top, cell, phrases)
    size = cell * (1 - _GAP)
    places: dict[Day | None, list[tuple[float, float]]] = {day: [] for day in (*Day, None)}
    for offset in range((series.end - series.start).days + 1):
        on = series.start + timedelta(days=offset)
        column, row = divmod((on - monday).days, 7)
        places[series.days.get(on)].append((left + column * cell + size / 2, top + row * cell + size / 2))
    for day, middles in places.items():
        _draw_days(sheet, day, middles, size)
    _draw_key(sheet, series, top + 7 * cell + _KEY - 10, phrases)


def below(series: AdherenceCalendar, phrases: Phrases) -> str:
    """What is said below the title: from when to when."""
    return phrases("calendar.between", start=phrases.day(series.start), end=phrases.day(series.end))


def counts(days: Mapping[date, Day]) -> dict[Day, int]:
    """How many days stand how."""
    return {day: sum(1 for other in days.values() if other is day) for day in Day}


def _monday(on: date) -> date:
    return on - timedelta(days=on.weekday())


def _names_width(phrases: Phrases) -> float:
    return max(width_of(phrases(f"weekday.short.{day}"), TEXT - 1) for day in range(1, 8)) + 10


def _cell(series: AdherenceCalendar, width: int, phrases: Phrases) -> float:
    weeks = (_monday(series.end) - _monday(series.start)).days // 7 + 1
    room = (width - 2 * MARGIN - _names_width(phrases)) / weeks
    return max(min(room, _CELL[1]), min(_CELL[0], room))


def _name_months(
    sheet: Sheet, series: AdherenceCalendar, left: float, top: float, cell: float, phrases: Phrases
) -> None:
    """A month's name above the first week that begins in it, unless the next name is too near."""
    week, column, free = _monday(series.start), 0, 0.0
    named = None
    while week <= series.end:
        shown = max(week, series.start)
        x = left + column * cell
        if shown.month != named and x >= free:
            sheet.text(x, top - 8, phrases.month(shown), size=TEXT - 1, role="soft")
            free = x + width_of(phrases.month(shown), TEXT - 1) + 8
        named = shown.month
        week, column = week + timedelta(days=7), column + 1


def _draw_days(sheet: Sheet, day: Day | None, middles: Sequence[tuple[float, float]], size: float) -> None:
    """Days that stand alike, by their middles."""
    xs, ys = [x for x, _ in middles], [y for _, y in middles]
    if day is None:
        sheet.dots(xs, ys, "faint", size=max(2.5, size * 0.12), edge=0)
        return
    edge, fill = _BOXES[day]
    sheet.dots(xs, ys, edge, shape="s", size=size - 1.5, fill=fill, edge=1.5)
    if day is Day.PARTLY:
        sheet.dots(xs, ys, "first", shape=_HALF, size=size - 1.5, edge=0)
    elif day is Day.PAUSED:
        for side in (-0.12, 0.12):
            sheet.dots([x + side * size for x in xs], ys, "soft", shape=_BAR, size=size * 0.4, edge=0.5)


def _key(series: AdherenceCalendar, phrases: Phrases) -> list[tuple[Day | None, str]]:
    """What the shapes mean, those that occur only, with how many there are."""
    found = counts(series.days)
    key: list[tuple[Day | None, str]] = [
        (day, f"{phrases(f'calendar.{day.value}')} {found[day]}") for day in Day if found[day]
    ]
    if len(series.days) <= (series.end - series.start).days:
        key.append((None, phrases("calendar.none")))
    return key


def _key_rows(width: int, series: AdherenceCalendar, phrases: Phrases) -> list[list[tuple[Day | None, str]]]:
    rows: list[list[tuple[Day | None, str]]] = [[]]
    used = 0.0
    for entry in _key(series, phrases):
        wanted = width_of(entry[1]) + 44
        if rows[-1] and used + wanted > width - 2 * MARGIN:
            rows.append([])
            used = 0.0
        rows[-1].append(entry)
        used += wanted
    return rows


def _draw_key(sheet: Sheet, series: AdherenceCalendar, y: float, phrases: Phrases) -> None:
    for row in _key_rows(sheet.width, series, phrases):
        x = float(MARGIN)
        for day, text in row:
            _draw_days(sheet, day, [(x + 8, y)], 16)
            sheet.text(x + 24, y, text, on="center")
            x += width_of(text) + 44
        y += _KEY_ROW
