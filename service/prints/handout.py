"""An assignment as a sheet to take home. https://hl7.org/fhir/R4/task.html

Whose it is, who gave it and what it is measured for are not on it: it may lie on a kitchen table. What the therapist
wrote for this client comes first; what is as the library has it is said in the client's language where the library can.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any, Final

from schemas.library import BASE
from service.prints import dose, markdown
from service.prints.document import Block, Bulleted, Document, Facts, Lines, Section, Text
from service.prints.translation import Said, said
from service.prints.wording import Wording, wording
from service.prints.worksheet import worksheet

JsonObject = Mapping[str, Any]
_TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
_MATERIALS: Final = ("material", "alternative-format", "example")
_ARTIFACTS: Final = ("documentation", "citation", "justification")
_PAPER: Final = "print"
"""How the library names the format that a handout is."""
_NOTE_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class Homework:
    """What a handout is made from: any of an assignment, its prescription, what it came from, and its form."""

    task: JsonObject = field(default_factory=dict)
    request: JsonObject = field(default_factory=dict)
    activity: JsonObject = field(default_factory=dict)
    form: JsonObject = field(default_factory=dict)


def handout(homework: Homework, language: str, zone: tzinfo, discreet: bool = False) -> Document:
    """The sheet, in a language of words.LANGUAGES; `discreet` leaves out the title, which may say too much."""
    say = wording(language)
    title = _title(homework, language)
    lead = _text(homework, "description", "", language)
    sections = [*_sections(homework, say, zone, title.text, discreet)]
    return Document(
        title=say("handout.discreet") if discreet else title.text or say("handout.discreet"),
        language=language,
        kind=say("handout.kind"),
        lead=say("handout.encouragement") if discreet else "",
        sections=((Section("", (Text(lead.text),), _other(lead, say)),) if lead and not discreet else ())
        + tuple(sections),
        title_language="" if discreet else _other(title, say),
        small=tuple(text for text in (homework.form.get("copyright", ""),) if text),
    )


def _sections(homework: Homework, say: Wording, zone: tzinfo, title: str, discreet: bool) -> Iterator[Section]:
    for name, code, member in (("why", "rationale", "purpose"), ("how", "instruction", "usage")):
        text = _text(homework, member, code, say.language)
        if text:
            yield Section(say(f"handout.{name}"), markdown.blocks(text.text), _other(text, say))
    when = _when(homework, say, zone)
    place = next(_inputs(homework.task, ("setting",), "valueString"), "")
    if place and not discreet:
        when.append((say("handout.where"), place))
    if when:
        yield Section(say("handout.when"), (Facts(tuple(when)),))
    materials = tuple(_materials(homework, say.language))
    if materials:
        yield Section(say("handout.materials"), (Bulleted(materials),))
    if homework.form:
        yield _form(homework.form, say, title, discreet)
    notes: tuple[Block, ...] = (Lines(say("handout.notes.question"), _NOTE_LINES),)
    yield Section(say("handout.notes"), notes)


def _form(form: JsonObject, say: Wording, title: str, discreet: bool) -> Section:
    """The form; its own title where that says more than the sheet's."""
    own = form.get("language", "")
    heading = said(form, "title", say.language, own)
    description = said(form, "description", say.language, own)
    blocks = worksheet(form, say)
    if description and not discreet:
        blocks = (*markdown.blocks(description.text), *blocks)
    named = heading.text and heading.text != title and not discreet
    return Section(heading.text if named else say("handout.form"), blocks, _other(heading, say))


def _title(homework: Homework, language: str) -> Said:
    library = [
        said(source, "title", language, source.get("language", "")) for source in (homework.activity, homework.form)
    ]
    own = (homework.task.get("code") or {}).get("text", "")
    originals = (homework.activity.get("title"), homework.form.get("title"), "")
    if own not in originals:
        return Said(own, homework.task.get("language", ""))
    return next((each for each in library if each), Said(own, ""))


def _text(homework: Homework, member: str, code: str, language: str) -> Said:
    """A text of the assignment if it was written for this client, else the library's in the language."""
    task = homework.task
    own = task.get(member, "") if not code else next(_inputs(task, (code,), "valueMarkdown", "valueString"), "")
    if code == "instruction":
        own = own or homework.request.get("patientInstruction", "")
    activity = homework.activity
    if own and own != activity.get(member):
        return Said(own, task.get("language", ""))
    found = said(activity, member, language, activity.get("language", ""))
    return found or (said(homework.form, member, language, homework.form.get("language", "")) if not task else found)


def _when(homework: Homework, say: Wording, zone: tzinfo) -> list[tuple[str, str]]:
    timing = next(_inputs(homework.task, ("schedule",), "valueTiming"), None)
    timing = timing or homework.request.get("occurrenceTiming") or homework.activity.get("timingTiming") or {}
    period = (homework.task.get("restriction") or {}).get("period") or {}
    rows = [(say("handout.how-often"), dose.in_words(timing, say))]
    if homework.request.get("asNeededBoolean") or "asNeededCodeableConcept" in homework.request:
        rows.append((say("handout.when"), say("dose.as-needed")))
    first, last = (_day(period.get(member, ""), zone) for member in ("start", "end"))
    if first is not None and first == last:
        rows.append((say("handout.day"), say.day(first)))
    else:
        rows += [(say("handout.from"), say.day(first))] if first else []
        rows += [(say("handout.until"), say.day(last))] if last else []
    return [row for row in rows if row[1]]


def _day(moment: str, zone: tzinfo) -> date | None:
    """The day of a date or time where the client is; None for what is less precise than a day."""
    try:
        if len(moment) <= len("2026-01-01"):
            return date.fromisoformat(moment)
        return datetime.fromisoformat(moment).astimezone(zone).date()
    except ValueError:
        return None


def _materials(homework: Homework, language: str) -> Iterator[str]:
    task = homework.task
    for value in _inputs(task, _MATERIALS, "valueAttachment", "valueUrl", "valueUri", "valueString", "valueReference"):
        if isinstance(value, Mapping):
            yield _named(value.get("title") or value.get("display") or "", value.get("url", ""))
        else:
            yield str(value)
    known = {value.get("url") for value in _inputs(task, _MATERIALS, "valueAttachment")}
    for artifact in homework.activity.get("relatedArtifact", ()):
        url = artifact.get("url") or (artifact.get("document") or {}).get("url", "")
        in_hand = artifact.get("label") == _PAPER
        if artifact.get("type") in _ARTIFACTS and not in_hand and url not in known - {None}:
            own = homework.activity.get("language", "")
            name = (
                said(artifact, "display", language, own).text or artifact.get("citation") or artifact.get("label", "")
            )
            yield _named(markdown.plain(name), url)


def _named(name: str, url: str) -> str:
    return f"{name} ({url})" if name and url else name or url


def _inputs(task: JsonObject, codes: tuple[str, ...], *members: str) -> Iterator[Any]:
    """What a Task's inputs of these kinds hold."""
    for each in task.get("input", ()):
        codings = (each.get("type") or {}).get("coding", ())
        if any(coding.get("system") == _TASK_IO and coding.get("code") in codes for coding in codings):
            yield from (each[member] for member in members if member in each)


def _other(text: Said, say: Wording) -> str:
    """The language of a text where it is not the document's."""
    own = text.language.partition("-")[0].lower()
    return text.language if own and own != say.language else ""
