"""A picture of a series as SVG or PNG, and what it says in words. https://www.w3.org/TR/SVG2/

The functions take values and give bytes; `in_turn` is for the event loop, which drawing would hold up for tens of
milliseconds.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal, ParamSpec, TypeAlias, TypeVar

from service.pictures import (
    adherence_by,
    adherence_calendar,
    alternative,
    attainment,
    exposure,
    plotting,
    rating,
    score,
    svg,
)
from service.pictures.characters import printable
from service.pictures.palette import Theme
from service.pictures.phrases import Phrases, phrases
from service.pictures.series import (
    AdherenceBy,
    AdherenceCalendar,
    AttainmentSeries,
    ExposureSeries,
    RatingSeries,
    ScoreSeries,
    Series,
)
from service.pictures.sheet import MARGIN, TEXT, Sheet, lines_of

WIDTH: Final = 720
WIDTHS: Final = range(320, 1201)
"""How wide a picture may be, in pixels as people see them: letters keep their size whatever the width."""
SCALES: Final = (1, 3)
"""The least and the most pixels of a PNG for each of those."""
Format: TypeAlias = Literal["svg", "png"]
Given = ParamSpec("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is to look. `scale` is for PNG alone; its theme `auto` is light."""

    language: str = "en"
    theme: Theme = "auto"
    width: int = WIDTH
    scale: int = 2


def drawn(series: Series, form: Format, look: Look) -> bytes:
    """The picture; of an empty series one that says kindly that there is nothing yet."""
    said = phrases(look.language)
    title, words = printable(series.title), alternative_of(series, look.language)
    height = _height(series, look.width, said)
    with plotting.ONE_AT_A_TIME:
        sheet = Sheet(look.width, height, look.theme)
        if is_empty(series):
            _draw_nothing(sheet, title, said)
        else:
            _KINDS[type(series)].draw(sheet, series, said)
        if form == "png":
            return plotting.png(sheet.figure, look.scale, title, words)
        written = plotting.svg(sheet.figure)
    return svg.finished(written, look.width, height, look.language, title, words, look.theme)


def alternative_of(series: Series, language: str) -> str:
    """What the picture shows, in words."""
    said = phrases(language)
    return printable(said("empty") if is_empty(series) else alternative.described(series, said))


def is_empty(series: Series) -> bool:
    """Whether there is nothing to draw."""
    return not _KINDS[type(series)].has_values(series)


async def in_turn(make: Callable[Given, Made], *args: Given.args, **kwargs: Given.kwargs) -> Made:
    """Let `make` draw or set what it makes, in the one thread that does so: the others stay free for shorter work."""
    return await asyncio.get_running_loop().run_in_executor(_DRAWER, lambda: make(*args, **kwargs))


_DRAWER: Final = ThreadPoolExecutor(1, thread_name_prefix="pictures")
_NOTHING_HEIGHT: Final = 132


def _height(series: Series, width: int, said: Phrases) -> int:
    if is_empty(series):
        return _NOTHING_HEIGHT
    wanted = _KINDS[type(series)].height
    return wanted if isinstance(wanted, int) else wanted(series, width, said)


def _draw_nothing(sheet: Sheet, title: str, said: Phrases) -> None:
    y = sheet.head(title) + 12
    for line in lines_of(said("empty"), TEXT, sheet.width - 2 * MARGIN, 4):
        sheet.text(MARGIN, y, line, role="soft")
        y += TEXT + 7


@dataclass(frozen=True, slots=True)
class _Kind:
    draw: Callable[[Sheet, Any, Phrases], None]
    height: int | Callable[[Any, int, Phrases], int]
    has_values: Callable[[Any], bool]


_KINDS: Final[Mapping[type, _Kind]] = {
    ScoreSeries: _Kind(score.draw, score.height, lambda series: any(p.value is not None for p in series.points)),
    RatingSeries: _Kind(
        rating.draw,
        rating.HEIGHT,
        lambda series: any(p.value is not None for line in series.lines for p in line.points),
    ),
    AdherenceCalendar: _Kind(adherence_calendar.draw, adherence_calendar.height, lambda series: bool(series.days)),
    ExposureSeries: _Kind(exposure.draw, exposure.HEIGHT, lambda series: bool(series.steps)),
    AttainmentSeries: _Kind(
        attainment.draw, attainment.height, lambda series: any(goal.points for goal in series.goals)
    ),
    AdherenceBy: _Kind(adherence_by.draw, adherence_by.height, lambda series: any(b.planned for b in series.bars)),
}
