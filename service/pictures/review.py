"""The pictures of a session summary: the course of each measure that was taken. https://www.w3.org/TR/WCAG22/"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, Final

from fhir_mappings import course
from schemas.instrument import Code
from schemas.measures import Deviation, measures
from service.pictures import records
from service.pictures.palette import Theme
from service.pictures.phrases import phrases
from service.pictures.picture import Look, alternative_of, drawn
from service.prints.document import Picture

_MOST: Final = 4
_LEAST_POINTS: Final = 2
_WIDTH: Final = 560
"""Letters as large as those around the picture on a page, and readable still on a phone."""


def courses_drawn(
    scores: Iterable[Mapping[str, Any]],
    codes: Iterable[Code],
    spreads: Mapping[str, Deviation],
    zone: tzinfo,
    look: tuple[str, Theme],
) -> tuple[Picture, ...]:
    """The courses of the first few codes that have one, of score Observations; `look` is (language, theme)."""
    language, theme = look
    known = measures()
    found = [(code, points) for code, points in course.courses(scores, codes).items() if len(points) >= _LEAST_POINTS]
    made = []
    for code, points in found[:_MOST]:
        spread = spreads.get(known[code].id) if code in known else None
        series = records.score(code, points, zone, phrases(language), spread=spread)
        svg = drawn(series, "svg", Look(language, theme, _WIDTH))
        made.append(Picture(svg, f"{series.title}. {alternative_of(series, language)}"))
    return tuple(made)
