"""What to begin a session with, out of what is held: the client's words, how assignments went, what scores have done.

https://hl7.org/fhir/R4/composition.html Docs: docs/insight.md, "Session summary".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from statistics import fmean
from typing import Any, Final

from fhir_mappings import adherence, change, course
from fhir_mappings.adherence import DONE, TASK_IO, Count, Occurrence
from fhir_mappings.change import Finding
from fhir_mappings.course import Point, coded, number, rounded
from fhir_mappings.lifecycle import business_status
from fhir_mappings.shaping import MEASURE
from schemas import dates
from schemas.instrument import Code
from schemas.measures import Deviation, Measure

SAID: Final = frozenset(("completed", "amended"))
"""QuestionnaireResponse.status of what a client has handed in."""
_WORDS: Final = frozenset(("reflection", "teach-back"))
_TELLING: Final = ("remission", "reliable-recovery", "response", "meaningful", "reliable", "recovery", "rci")
"""Which kind of change is told where several hold."""


@dataclass(frozen=True, slots=True)
class Words:
    """Something that a client wrote: about what, when, and where it stands."""

    text: str
    about: str
    at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class Form:
    """What a response is an answer to: its title and its questions by linkId."""

    title: str
    questions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """One assignment in the time looked at: how it went, what was rated in it, and the Tasks it is made of."""

    title: str
    count: Count
    helpfulness: Decimal | None
    distress: tuple[Decimal, Decimal] | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """One measure: the latest score, the one it is compared with, its band, and the change that is told, if any."""

    code: Code
    title: str
    latest: Point
    before: Point | None
    band: str | None
    finding: Finding | None


def form(questionnaire: Mapping[str, Any]) -> Form:
    """The title and questions of a Questionnaire."""
    return Form(str(questionnaire.get("title", "")), dict(_questions(questionnaire)))


def _questions(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in container.get("item", ()):
        if "text" in item:
            yield item["linkId"], item["text"]
        yield from _questions(item)


def client_words(response: Mapping[str, Any], asked: Form | None) -> Iterator[Words]:
    """The answers in a response that are the client's own words, in the order of the form."""
    if response.get("status") in SAID:
        at = dates.interval(response["authored"]).lo if "authored" in response else None
        title = "" if asked is None else asked.title
        questions: Mapping[str, str] = {} if asked is None else asked.questions
        source = f"QuestionnaireResponse/{response.get('id', '')}"
        for about, text in _answered(response, questions):
            yield Words(text, ": ".join(filter(None, (title, about))), at, source)


def _answered(container: Mapping[str, Any], questions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for item in container.get("item", ()):
        about = item.get("text") or questions.get(item.get("linkId", ""), "")
        for answer in item.get("answer", ()):
            text = answer.get("valueString", "").strip()
            if text:
                yield about, text
            yield from _answered(answer, questions)
        yield from _answered(item, questions)


def task_words(task: Mapping[str, Any]) -> Iterator[Words]:
    """Reflections and the client's own notes on an assignment."""
    source = f"Task/{task.get('id', '')}"
    about = str(task.get("code", {}).get("text") or task.get("description", ""))
    ended = task.get("executionPeriod", {}).get("end") or task.get("lastModified")
    at = dates.interval(ended).lo if ended else None
    for row in task.get("output", ()):
        text = row.get("valueMarkdown") or row.get("valueString") or ""
        if text.strip() and _WORDS & {each.get("code") for each in _codings(row.get("type"), TASK_IO)}:
            yield Words(text.strip(), about, at, source)
    for note in task.get("note", ()):
        author = note.get("authorReference", {}).get("reference", "")
        if author.startswith(("Patient/", "RelatedPerson/")) and note.get("text", "").strip():
            yield Words(note["text"].strip(), about, dates.interval(note["time"]).lo if "time" in note else at, source)
    reason = task.get("statusReason", {}).get("text", "").strip()
    if reason and task.get("status") in ("rejected", "failed", "on-hold"):
        yield Words(reason, about, at, source)


def _codings(concept: Mapping[str, Any] | None, system: str) -> list[Mapping[str, Any]]:
    return [each for each in (concept or {}).get("coding", ()) if each.get("system") == system]


def series(found: Iterable[Occurrence], ratings: Iterable[Mapping[str, Any]], unnamed: str) -> list[Series]:
    """The assignments in the time looked at, in the order in which they began."""
    groups: dict[str, list[Occurrence]] = {}
    for each in found:
        groups.setdefault(each.series, []).append(each)
    rated = _by_task(ratings)
    return [_series(group, rated, unnamed) for group in groups.values()]


def _by_task(ratings: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, Decimal]]]:
    found: dict[str, list[tuple[str, Decimal]]] = {}
    for observation in ratings:
        values = list(_rated(observation))
        for focus in observation.get("focus", ()):
            found.setdefault(focus.get("reference", "").removeprefix("Task/"), []).extend(values)
    return found


def _rated(observation: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    for element in (observation, *observation.get("component", ())):
        value = number(element)
        if value is not None:
            yield from ((code, value[0]) for system, code in coded(element) if system == MEASURE)


def _series(group: Sequence[Occurrence], rated: Mapping[str, list[tuple[str, Decimal]]], unnamed: str) -> Series:
    values = [each for occurrence in group for each in rated.get(occurrence.id, ())]
    helpful = [value for code, value in values if code == "helpfulness"]
    distress = [value for code, value in values if code in ("suds", "suds-peak")]
    distress = distress or [value for code, value in values if code == "suds-post"]
    titles = (each.title for each in group if each.title)
    return Series(
        next(titles, unnamed),
        adherence.count(group),
        rounded(fmean(helpful), 1) if helpful else None,
        (distress[0], distress[-1]) if len(distress) > 1 else None,
        tuple(f"Task/{each.id}" for each in group),
    )


def measured(
    courses: Mapping[Code, Sequence[Point]],
    known: Mapping[Code, Measure],
    titles: Mapping[Code, str],
    deviations: Mapping[str, Deviation],
    since: datetime | None,
) -> list[Course]:
    """Each measure that was taken in the time looked at: now, before that time, and what changed since the beginning."""
    made = []
    for code, points in courses.items():
        if not points or (since is not None and points[-1].at < since):
            continue
        earlier = [each for each in points[:-1] if since is None or each.at < since] or list(points[:-1])
        measure = known.get(code)
        found = change.findings(points, measure, deviations.get(measure.id)) if measure else []
        title = measure.title if measure else titles.get(code, code[1])
        band = course.band(course.bands(code), points[-1].value)
        made.append(Course(code, title, points[-1], earlier[-1] if earlier else None, band, _told(found)))
    return made


def _told(found: Sequence[Finding]) -> Finding | None:
    holding = {each.rule.kind: each for each in found if each.holds and each.interpretation}
    return next((holding[kind] for kind in _TELLING if kind in holding), None)


def to_review(tasks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The assignments that were done and not talked about yet."""
    return [
        task
        for task in tasks
        if adherence.outcome(task) == DONE and business_status(task) not in ("reviewed", "carried-over")
    ]


def raised(flag: Mapping[str, Any], since: datetime | None) -> bool:
    """Whether a flag is open, or was raised in the time looked at."""
    start = flag.get("period", {}).get("start")
    if flag.get("status") == "entered-in-error":
        return False
    return flag.get("status") == "active" or (since is not None and bool(start) and dates.interval(start).lo >= since)


def day(at: datetime | None, zone: Any) -> date | None:
    """The day on the client's own calendar."""
    return None if at is None else at.astimezone(zone).date()
