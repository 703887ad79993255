"""A session summary as a document: first what cannot wait, then what happened, then what to talk about.

https://hl7.org/fhir/R4/composition.html
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from service.prints.document import Block, Bulleted, Document, Notice, Quote, Section, Table, Text
from service.prints.summary import Assigned, ClientWords, MeasureChange, RaisedFlag, SummaryDocument
from service.prints.wording import Wording, wording


def session(summary: SummaryDocument) -> Document:
    """The document; parts without content are left out."""
    say = wording(summary.language)
    sections = tuple(section for section in _sections(summary, say) if section.blocks)
    return Document(
        title=summary.client,
        language=summary.language,
        kind=say("summary.kind"),
        lead=_time(summary, say),
        sections=sections or (Section("", (Text(say("summary.nothing")),)),),
    )


def _time(summary: SummaryDocument, say: Wording) -> str:
    if summary.since is None:
        return say("summary.until", until=say.day(summary.until))
    return say("summary.since", since=say.day(summary.since), until=say.day(summary.until))


def _sections(summary: SummaryDocument, say: Wording) -> Iterator[Section]:
    yield Section(say("summary.flags"), tuple(Notice(_flag(each, say)) for each in summary.flags))
    yield Section(say("summary.assigned"), _assigned(summary.assigned, say))
    yield Section(say("summary.words"), tuple(_quote(each, say) for each in summary.words))
    barriers = tuple(
        f"{each.about}: {_times(each.text, each.count, say)}" if each.about else _times(each.text, each.count, say)
        for each in summary.barriers
    )
    yield Section(say("summary.barriers"), _list(barriers))
    yield Section(say("summary.measures"), _measures(summary.measures, say))
    proposals = tuple(f"{each.title}: {each.reason}" if each.reason else each.title for each in summary.proposals)
    yield Section(say("summary.proposals"), _list(proposals))
    yield Section(say("summary.discuss"), _list(summary.discuss))
    yield Section(say("summary.pictures"), summary.pictures)


def _list(items: tuple[str, ...]) -> tuple[Block, ...]:
    return (Bulleted(items),) if items else ()


def _flag(flag: RaisedFlag, say: Wording) -> str:
    seen = say("summary.flag.seen" if flag.acknowledged else "summary.flag.open")
    return ", ".join([flag.text, *([say.day(flag.on)] if flag.on else []), seen])


def _times(text: str, count: int, say: Wording) -> str:
    return text if count == 1 else say("summary.times", text=text, count=count)


def _quote(said: ClientWords, say: Wording) -> Quote:
    return Quote(
        said.text, ", ".join([*([said.about] if said.about else []), *([say.day(said.on)] if said.on else [])])
    )


def _assigned(assigned: tuple[Assigned, ...], say: Wording) -> tuple[Block, ...]:
    """A table; columns that would be empty throughout are left out."""
    rows = [
        (each.title, str(each.planned), str(each.done), str(each.partly or ""), str(each.paused or ""), each.remark)
        for each in assigned
    ]
    names = ("assignment", "planned", "done", "partly", "paused", "remark")
    return _table(say("summary.assigned"), names, rows, say)


def _measures(measures: tuple[MeasureChange, ...], say: Wording) -> tuple[Block, ...]:
    rows = [
        (
            each.title,
            _value(each.latest, each.latest_on, say) + (f": {each.band}" if each.band else ""),
            _value(each.before, each.before_on, say),
            "" if each.before is None else say.numbers.change(float(each.before), float(each.latest)),
            each.meaning,
        )
        for each in measures
    ]
    return _table(say("summary.measures"), ("measure", "now", "before", "change", "meaning"), rows, say)


def _value(value: Decimal | None, on: date | None, say: Wording) -> str:
    if value is None:
        return ""
    number = say.numbers.number(float(value))
    return number if on is None else say("summary.value", value=number, date=say.day(on))


def _table(caption: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]], say: Wording) -> tuple[Block, ...]:
    kept = [at for at in range(len(names)) if any(row[at] for row in rows)]
    head = tuple(say(f"summary.{names[at]}") for at in kept)
    return (Table(caption, head, tuple(tuple(row[at] for at in kept) for row in rows)),) if rows else ()
