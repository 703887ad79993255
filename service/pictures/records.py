"""FHIR records as series to draw: courses, occurrences, exposures and ratings of goals. https://hl7.org/fhir/R4/observation.html

Days are those of the client's calendar. Names are in the reader's language where they are ours, else as recorded.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta, tzinfo
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from fhir_mappings import adherence, attainment, change, course
from fhir_mappings.adherence import Count, Occurrence
from fhir_mappings.shaping import MEASURE
from schemas.concepts import displays
from schemas.instrument import Code, Scale
from schemas.instruments import instruments
from schemas.measures import Deviation, measures
from service.pictures.phrases import Phrases
from service.pictures.series import (
    AdherenceBy,
    AdherenceCalendar,
    AttainmentSeries,
    Band,
    Bar,
    Day,
    ExposureSeries,
    ExposureStep,
    GoalLine,
    Line,
    Mark,
    Point,
    RatingSeries,
    ScoreSeries,
)

JsonObject = Mapping[str, Any]
_ROUND: Final = (4, 5, 10, 20, 50, 100, 200, 500, 1000, 1440)
"""Where a scale ends that nobody has written down: at the first of these that all values are within."""
_MARKED: Final = ("reliable", "rci", "remission")
"""The kinds of rules whose findings are marked."""
_WHOLE_SUDS: Final = 100
_MOST_MARKS: Final = 6
"""The latest; a score that goes up and down that often is told by its line."""


def score(
    code: Code,
    points: Sequence[course.Point],
    zone: tzinfo,
    phrases: Phrases,
    *,
    unanswered: Iterable[date] = (),
    spread: Deviation | None = None,
) -> ScoreSeries:
    """The scores of a measure, with its bands and what its rules say; on days `unanswered` a score was asked for in vain."""
    scale = _scale(code)
    own = [Point(course.local_day(each, zone), _plain(each.value)) for each in points]
    scored = {point.on for point in own}
    gaps = [Point(on, None) for on in set(unanswered) - scored]
    low, high = (scale.low, scale.high) if scale else (0, _end(point.value for point in own))
    bands = tuple(
        Band(_plain(each.low), _plain(each.high), band_text(each.text, phrases)) for each in course.bands(code)
    )
    ordered = tuple(sorted((*own, *gaps), key=lambda point: point.on))
    marks = _marks(code, points, zone, spread, phrases)
    return ScoreSeries(_title(code, phrases), _plain(low), _plain(high), ordered, bands, marks)


def band_text(text: str, phrases: Phrases) -> str:
    """The word of an instrument's band in the reader's language."""
    return phrases.said.get(f"band.{text}", text)


def _scale(code: Code) -> Scale | None:
    return next((scale for each in instruments().values() for scale in each.scales if scale.code == code), None)


def _title(code: Code, phrases: Phrases) -> str:
    measure = measures().get(code)
    if measure is not None:
        return measure.title
    rated = displays("homework-measure", phrases.language)
    if code[0] == MEASURE and code[1] in rated:
        return rated[code[1]]
    found = (each.title for each in instruments().values() for scale in each.scales if scale.code == code)
    return next(found, phrases("score.title"))


def _marks(
    code: Code, points: Sequence[course.Point], zone: tzinfo, spread: Deviation | None, phrases: Phrases
) -> tuple[Mark, ...]:
    """The days on which a rule first said what it still says, or says anew."""
    measure = measures().get(code)
    if measure is None:
        return ()
    said: dict[str, str | None] = {}
    found: dict[date, list[str]] = {}
    for count in range(2, len(points) + 1):
        for finding in change.findings(points[:count], measure, spread):
            kind, now = finding.rule.kind, finding.interpretation if finding.holds else None
            if kind in _MARKED and now is not None and said.get(kind) != now:
                text = phrases(f"rule.{kind}.{now}")
                texts = found.setdefault(course.local_day(points[count - 1], zone), [])
                texts += [text] if text not in texts else []
            said[kind] = now
    return tuple(Mark(on, ", ".join(texts)) for on, texts in found.items())[-_MOST_MARKS:]


def ratings(courses: Mapping[Code, Sequence[course.Point]], zone: tzinfo, phrases: Phrases) -> RatingSeries:
    """Ratings by their codes, on one scale."""
    lines = []
    for code, points in courses.items():
        own = tuple(Point(course.local_day(each, zone), _plain(each.value)) for each in points)
        if own:
            lines.append(Line(_title(code, phrases), own))
    high = _end(point.value for line in lines for point in line.points)
    low = min((point.value or 0 for line in lines for point in line.points), default=0)
    title = lines[0].name if len(lines) == 1 else phrases("rating.title")
    return RatingSeries(title, min(0, low), high, tuple(lines))


def calendar(
    found: Iterable[Occurrence], paused: frozenset[str], start: date, end: date, phrases: Phrases
) -> AdherenceCalendar:
    """The days with homework; `paused` are the ids of what is on hold. What was declined or withdrawn is no part of it."""
    by_day: dict[date, list[Day]] = {}
    for each in found:
        day = _day(each, paused)
        if day is not None and start <= each.day <= end:
            by_day.setdefault(each.day, []).append(day)
    days = {on: _together(several) for on, several in sorted(by_day.items())}
    return AdherenceCalendar(phrases("calendar.title"), start, end, days)


def _day(each: Occurrence, paused: frozenset[str]) -> Day | None:
    if each.outcome == adherence.LEFT_OUT:
        return Day.PAUSED if each.id in paused else None
    if each.times > 1:
        return Day.DONE if each.done >= each.times else Day.PARTLY if each.done else Day.NOT_YET
    return {adherence.DONE: Day.DONE, adherence.PARTLY: Day.PARTLY}.get(each.outcome, Day.NOT_YET)


def _together(several: Sequence[Day]) -> Day:
    """How a day stands whose pieces of homework stand so: what is paused does not count beside others."""
    counted = set(several) - {Day.PAUSED}
    if not counted:
        return Day.PAUSED
    return counted.pop() if len(counted) == 1 else Day.PARTLY


def exposures(
    observations: Iterable[JsonObject], names: Mapping[str, str], zone: tzinfo, phrases: Phrases
) -> ExposureSeries:
    """The exposures among ratings of distress: those of which a peak was rated, or whose Task or request has a name."""
    steps = []
    for observation in observations:
        values = _suds(observation)
        name = next((names[each] for each in _about(observation) if each in names), None)
        when = course.when(observation)
        if when is None or not values or (name is None and "suds-peak" not in values):
            continue
        on = course.local_day(course.Point(*when, Decimal(0)), zone)
        steps.append(
            ExposureStep(on, name or "", values.get("suds-pre"), values.get("suds-peak"), values.get("suds-post"))
        )
    return ExposureSeries(phrases("exposure.title"), tuple(sorted(steps, key=lambda step: step.on)))


def _about(observation: JsonObject) -> list[str]:
    return [each.get("reference", "") for name in ("focus", "basedOn") for each in observation.get(name, ())]


def _suds(observation: JsonObject) -> dict[str, float]:
    """Distress by its code, from 0 to 100; it is also rated from 0 to 10, which the range says."""
    highest = [each.get("high", {}).get("value") for each in observation.get("referenceRange", ())]
    factor = 10 if highest and highest[0] == 10 else 1
    found = {}
    for component in observation.get("component", ()):
        value = course.number(component)
        for system, code in course.coded(component):
            if value is not None and system == MEASURE:
                found[code] = _plain(min(max(value[0] * factor, Decimal(0)), Decimal(_WHOLE_SUDS)))
    return found


def attained(
    goals: Iterable[JsonObject], observations: Iterable[JsonObject], zone: tzinfo, phrases: Phrases
) -> AttainmentSeries:
    """The ratings of goals by those who rated each the most often, after what it was reported to be in the beginning."""
    found = sorted(filter(None, map(attainment.rating, observations)), key=lambda each: each.at)
    lines = []
    for goal in goals:
        own = _by_one_rater([each for each in found if each.goal == f"Goal/{goal.get('id')}"])
        points = tuple(
            Point(course.local_day(course.Point(each.at, each.recorded, Decimal(0)), zone), each.level) for each in own
        )
        if points:
            lines.append(GoalLine((goal.get("description") or {}).get("text", ""), points))
    return AttainmentSeries(phrases("goals.title"), tuple(lines))


def _by_one_rater(found: Sequence[attainment.Rating]) -> list[attainment.Rating]:
    by_rater = {
        rater: list(rated)
        for rater, rated in groupby(sorted(found, key=lambda each: each.rater), lambda each: each.rater)
    }
    baseline = by_rater.pop("reported", [])
    own = max(by_rater.values(), key=len, default=[])
    return sorted([*(each for each in baseline if not own or each.at < own[0].at), *own], key=lambda each: each.at)


def adherence_by(by: str, groups: Mapping[str, Count], partial_weight: Decimal, phrases: Phrases) -> AdherenceBy:
    """How much of what was planned was done, by weekday, hour or kind of activity."""
    bars = tuple(
        Bar(_group_name(by, name, phrases), _plain(count.achieved(partial_weight)), count.planned)
        for name, count in groups.items()
        if count.planned
    )
    return AdherenceBy(phrases(f"by.{by}.title"), bars)


def _group_name(by: str, name: str, phrases: Phrases) -> str:
    if by == "weekday":
        return phrases(f"weekday.{adherence.WEEKDAYS.index(name) + 1}").capitalize()
    if by == "hour":
        return f"{name}:00"
    return displays("homework-activity-type", phrases.language).get(name, name)


def twelve_weeks(today: date) -> tuple[date, date]:
    """The weeks that a calendar shows unless it is asked for others: this one and the eleven before it."""
    monday = today - timedelta(days=today.weekday())
    return monday - timedelta(weeks=11), monday + timedelta(days=6)


def _end(values: Iterable[float | None]) -> float:
    highest = max((value for value in values if value is not None), default=10)
    return next((each for each in _ROUND if highest <= each), highest)


def _plain(value: Decimal | float) -> float:
    """The number as an integer where it is one: so it is written in JSON."""
    return int(value) if value == int(value) else float(value)
