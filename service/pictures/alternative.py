"""What a picture shows, in words: for who hears it instead of seeing it. https://www.w3.org/WAI/tutorials/images/complex/

Numbers and days as in the picture, and no judgement that the picture does not make.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.concepts import displays
from service.pictures import adherence_by, adherence_calendar, attainment, exposure, score
from service.pictures.phrases import Phrases
from service.pictures.series import (
    AdherenceBy,
    AdherenceCalendar,
    AttainmentSeries,
    ExposureSeries,
    Point,
    RatingSeries,
    ScoreSeries,
    Series,
)


def described(series: Series, phrases: Phrases) -> str:
    """The picture of a series that is not empty, in some sentences."""
    return " ".join(_DESCRIBED[type(series)](series, phrases))


def _score(series: ScoreSeries, phrases: Phrases) -> Iterator[str]:
    values = [point.value for point in series.points if point.value is not None]
    yield phrases.span(phrases.counted("values", len(values)), series.points[0].on, series.points[-1].on)
    yield phrases("scale", low=phrases.number(series.low), high=phrases.number(series.high))
    if len(values) > 1:
        yield score.below(series, phrases) + "."
    else:
        yield from _course(series.title, values, phrases)
    band = score.band_of(series.bands, values[-1]) if values else None
    if band is not None:
        low, high = phrases.number(band.low), phrases.number(band.high)
        yield phrases("band.last", text=band.text, low=low, high=high)
    missing = len(series.points) - len(values)
    if missing:
        yield phrases.counted("gap", missing)
    for mark in series.marks:
        yield phrases("mark", text=mark.text, date=phrases.day(mark.on))


def _rating(series: RatingSeries, phrases: Phrases) -> Iterator[str]:
    days = [point.on for line in series.lines for point in line.points]
    count = sum(len(_given(line.points)) for line in series.lines)
    yield phrases.span(phrases.counted("values", count), min(days), max(days))
    yield phrases("scale", low=phrases.number(series.low), high=phrases.number(series.high))
    for line in series.lines:
        yield from _course(line.name or series.title, _given(line.points), phrases)
        values = _given(line.points)
        if len(values) > 2:
            mean, lowest, highest = sum(values) / len(values), min(values), max(values)
            said = {name: phrases.number(value) for name, value in
                    (("mean", mean), ("lowest", lowest), ("highest", highest))}  # fmt: skip
            yield phrases("rating.range", name=line.name or series.title, **said)


def _calendar(series: AdherenceCalendar, phrases: Phrases) -> Iterator[str]:
    yield adherence_calendar.below(series, phrases) + "."
    for day, count in adherence_calendar.counts(series.days).items():
        if count:
            yield phrases("calendar.count", name=phrases(f"calendar.{day.value}"), days=phrases.counted("days", count))


def _exposure(series: ExposureSeries, phrases: Phrases) -> Iterator[str]:
    steps = series.steps
    yield phrases.span(phrases.counted("steps", len(steps)), steps[0].on, steps[-1].on)
    yield phrases("exposure.about", low=phrases.number(0), high=phrases.number(series.high)) + "."
    names = displays("homework-measure", phrases.language)
    for code, values in (
        ("suds-pre", [step.before for step in steps]),
        ("suds-peak", [step.peak for step in steps]),
        ("suds-post", [step.after for step in steps]),
    ):
        yield from _course(names[code], [value for value in values if value is not None], phrases)
    if exposure.trend(exposure.peaks(steps)) is not None:
        yield phrases("exposure.trend")


def _attainment(series: AttainmentSeries, phrases: Phrases) -> Iterator[str]:
    start, end = attainment.reach(series)
    count = sum(len(attainment.rated(goal)) for goal in series.goals)
    yield phrases.span(phrases.counted("values", count), start, end)
    for goal in series.goals:
        levels = [attainment.level(point.value, phrases) for point in goal.points if point.value is not None]
        if len(levels) == 1:
            yield phrases("course.named.one", name=goal.name, value=levels[0])
        elif levels:
            values = phrases.counted("values", len(levels))
            yield phrases("goals.course", name=goal.name, values=values, first=levels[0], last=levels[-1])
        else:
            yield phrases("goals.unrated", name=goal.name)


def _by(series: AdherenceBy, phrases: Phrases) -> Iterator[str]:
    for bar in series.bars:
        yield phrases("by.sentence", name=bar.name, share=adherence_by.share(bar, phrases))


def _given(points: Sequence[Point]) -> list[float]:
    return [point.value for point in points if point.value is not None]


def _course(name: str, values: Sequence[float], phrases: Phrases) -> Iterator[str]:
    if len(values) == 1:
        yield phrases("course.named.one", name=name, value=phrases.number(values[0]))
    elif values:
        first, last = values[0], values[-1]
        yield phrases(
            "course.named", name=name, first=phrases.number(first), last=phrases.number(last),
            change=phrases.change(first, last),
        )  # fmt: skip


_DESCRIBED: Final[Mapping[type, Callable[[Any, Phrases], Iterator[str]]]] = {
    ScoreSeries: _score,
    RatingSeries: _rating,
    AdherenceCalendar: _calendar,
    ExposureSeries: _exposure,
    AttainmentSeries: _attainment,
    AdherenceBy: _by,
}
