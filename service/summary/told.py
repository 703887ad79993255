"""A session summary in words: from what was gathered to the document that pages and PDFs are set from.

https://hl7.org/fhir/R4/composition.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from fhir_mappings import adherence, course
from fhir_mappings import summary as facts
from fhir_mappings.adherence import Occurrence
from fhir_mappings.summary import Course, Series, Words
from schemas import concepts, dates, words
from schemas.measures import Deviation, measures
from service.homework.policy import HomeworkPolicy
from service.operations.trend import deviation
from service.pictures.phrases import phrases
from service.pictures.records import band_text
from service.prints.summary import (
    Assigned,
    Barrier,
    ClientWords,
    MeasureChange,
    Proposal,
    RaisedFlag,
    SummaryDocument,
)
from service.summary.gather import Gathered, Held, titles, totals

JsonObject = dict[str, Any]
_MOST_WORDS: Final = 40


@dataclass(frozen=True, slots=True)
class Told:
    """A summary: the document, the courses with their changes, and the references that each section is about."""

    document: SummaryDocument
    courses: Sequence[Course]
    about: Mapping[str, Sequence[str]]


def told(gathered: Gathered, choices: HomeworkPolicy, language: str) -> Told:
    """The summary in one of our languages."""
    say, time = words.part("insight", language), gathered.time
    first, last = (
        time.start.astimezone(time.zone).date(),
        (time.until - timedelta.resolution).astimezone(time.zone).date(),
    )
    occurrences = [
        each
        for each in adherence.occurrences((held.body for held in gathered.tasks), time.zone)
        if first <= each.day <= last
    ]
    series = facts.series(occurrences, (each.body for each in gathered.ratings), say["not-named"])
    courses = _courses(gathered, choices)
    said = list(_words(gathered))[-_MOST_WORDS:]
    flags = [each for each in gathered.flags if facts.raised(each.body, time.since)]
    # One that was said yes to is answered; its Task stays accepted.
    proposals = [each for each in gathered.reviews if _waits(each.body)]
    document = SummaryDocument(
        language=language,
        client=_name(gathered.patient.body),
        until=last,
        since=first,
        assigned=tuple(_assigned(each, say) for each in series),
        words=tuple(ClientWords(each.text, each.about, facts.day(each.at, time.zone)) for each in said),
        barriers=tuple(_barriers(occurrences, language)),
        measures=tuple(_measure(each, gathered, say, language) for each in courses),
        flags=tuple(_flag(each.body, gathered) for each in flags),
        proposals=tuple(_proposal(each.body, series, say) for each in proposals),
        discuss=tuple(_discuss(gathered, series, courses, say)),
    )
    about = {
        "flags": [each.reference for each in flags],
        "assigned": [source for each in series for source in each.sources],
        "words": list(dict.fromkeys(each.source for each in said)),
        "barriers": [f"Task/{each.id}" for each in occurrences if each.barriers],
        "measures": [point.source for each in courses for point in (each.before, each.latest) if point is not None],
        "proposals": [each.reference for each in proposals],
        "discuss": [each.reference for each in _unreviewed(gathered)],
    }
    return Told(document, courses, about)


def _name(patient: JsonObject) -> str:
    name: JsonObject = next(iter(patient.get("name", ())), {})
    return str(
        name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")]).strip() or patient.get("id")
    )


def _courses(gathered: Gathered, choices: HomeworkPolicy) -> list[Course]:
    points = course.courses((each.body for each in gathered.scores), totals())
    own: dict[str, Deviation] = {}
    for measure in measures().values():
        found = deviation(choices, measure.id)
        if found is not None:
            own[measure.id] = found
    return facts.measured(points, measures(), titles(), own, gathered.time.since)


def _words(gathered: Gathered) -> Iterator[Words]:
    """What the client wrote, oldest first."""
    found = [each for held in gathered.tasks for each in facts.task_words(held.body)]
    for held in gathered.responses:
        canonical = held.body.get("questionnaire", "")
        asked = gathered.forms.get(canonical) or gathered.forms.get(canonical.partition("|")[0])
        found += facts.client_words(held.body, asked)
    yield from sorted(found, key=lambda each: each.at or gathered.time.start)


def _assigned(series: Series, say: Mapping[str, str]) -> Assigned:
    count = series.count
    remarks = []
    if series.helpfulness is not None:
        remarks.append(say["remark.helpful"].format(value=series.helpfulness))
    if series.distress is not None:
        remarks.append(say["remark.distress"].format(first=series.distress[0], last=series.distress[1]))
    return Assigned(series.title, count.planned, count.done, count.partly, count.left_out, "; ".join(remarks))


def _barriers(occurrences: Sequence[Occurrence], language: str) -> Iterator[Barrier]:
    """What got in the way, by assignment."""
    named = concepts.displays("homework-barrier", language)
    titles: dict[tuple[str, str], list[Occurrence]] = {}
    for each in occurrences:
        for code in each.barriers:
            titles.setdefault((each.title, code), []).append(each)
    for (title, code), found in titles.items():
        yield Barrier(named.get(code, code), len(found), title)


def _measure(found: Course, gathered: Gathered, say: Mapping[str, str], language: str) -> MeasureChange:
    zone = gathered.time.zone
    before = found.before
    return MeasureChange(
        found.title,
        found.latest.value,
        course.local_day(found.latest, zone),
        "" if found.band is None else band_text(found.band, phrases(language)),
        None if before is None else before.value,
        None if before is None else course.local_day(before, zone),
        meaning(found, say),
    )


def meaning(found: Course, say: Mapping[str, str]) -> str:
    """The change that is told, in words."""
    if found.finding is None:
        return ""
    return say.get(f"rule.{found.finding.rule.kind}.{found.finding.interpretation}", found.finding.rule.text)


def _flag(flag: JsonObject, gathered: Gathered) -> RaisedFlag:
    code = flag.get("code", {})
    text = code.get("text") or next((each.get("display", "") for each in code.get("coding", ())), "")
    start = flag.get("period", {}).get("start")
    on = None if not start else facts.day(dates.interval(start).lo, gathered.time.zone)
    return RaisedFlag(text, on, flag.get("status") != "active")


def _waits(task: JsonObject) -> bool:
    return task.get("intent") == "proposal" and task.get("status") in ("requested", "received")


def _proposal(task: JsonObject, series: Sequence[Series], say: Mapping[str, str]) -> Proposal:
    """What is proposed of which assignment, and why: in the reader's language where a rule of ours says so."""
    kinds, rules = (
        [each.get("code", "") for each in task.get(name, {}).get("coding", ())] for name in ("code", "reasonCode")
    )
    title = next((say[f"proposal.{code}"] for code in kinds if f"proposal.{code}" in say), say["proposal.step-up"])
    looked_at = {row.get("valueReference", {}).get("reference") for row in task.get("input", ())}
    about = next((each.title for each in series if looked_at & set(each.sources)), None)
    why = next((say[f"proposal.why.{code}"] for code in rules if f"proposal.why.{code}" in say), None)
    return Proposal(f"{title} ({about})" if about else title, why or str(task.get("description", "")))


def _unreviewed(gathered: Gathered) -> list[Held]:
    wanted = {each["id"] for each in facts.to_review(held.body for held in gathered.tasks)}
    return [held for held in gathered.tasks if held.body["id"] in wanted]


def _is(held: Held, code: str) -> bool:
    return any(each.get("code") == code for each in held.body.get("code", {}).get("coding", ()))


def _discuss(
    gathered: Gathered, series: Sequence[Series], courses: Sequence[Course], say: Mapping[str, str]
) -> Iterator[str]:
    """What to talk about: changes first, then what was done, then what got in the way."""
    if any(_is(each, "plan-review") for each in gathered.reviews):
        yield say["discuss.plan"]
    for taken in courses:
        if taken.finding is not None:
            yield say["discuss.change"].format(measure=taken.title, meaning=meaning(taken, say))
    ready = {each.reference for each in _unreviewed(gathered)}
    done = list(dict.fromkeys(each.title for each in series if ready & set(each.sources)))
    if done:
        yield say["discuss.review"].format(titles=", ".join(done))
    for each in series:
        if each.count.not_done > each.count.done:
            yield say["discuss.barrier"].format(title=each.title)
        elif each.helpfulness is not None and each.helpfulness >= 3:
            yield say["discuss.helpful"].format(title=each.title)
