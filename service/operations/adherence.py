"""Patient/[id]/$adherence: how much of what was planned was done, by what may have helped. Docs: docs/insight.md, "Adherence".

https://hl7.org/fhir/R4/operations.html
Clients see their own. Nothing in the answer blames: what is left out, is left out.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from fhir_mappings import adherence as counts
from fhir_mappings.adherence import Count, Occurrence
from fhir_mappings.zones import zone_of
from schemas import dates, words
from service.call import Call, Reply
from service.errors import BadRequest, NotFound
from service.homework import policy
from service.interactions.read import existing
from service.operations.chart import language_of
from service.operations.parameters import Asked, asked, malformed
from service.operations.parts import answer, parameter, parts, typed
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
_NAMES: Final = ("by", "start", "end", "care-plan", "language")
_MOST: Final = 10_000


async def adherence(call: Call, store: Store) -> Reply:
    """A Parameters with the counts of the time asked about, rows of done in a row, barriers, and a `group` for each of `by`."""
    assert call.id is not None
    call.grant.require("r", "Patient")
    call.grant.require("s", "Task")
    given = asked(call, _NAMES)
    by = _by(given)
    patient = store.resource(await existing(store, "Patient", call.id))
    choices = await policy.known(store.connection, store.tenant_id)
    tasks = await assignments(call, store, call.id, given)
    found = within(counts.occurrences(tasks, zone_of(patient, choices.zone)), given)
    said = words.part("insight", language_of(given, patient))
    weight = choices.partial_weight
    rows = [
        *_period(found),
        *_count(counts.count(found), weight),
        parameter("inARow", **_streaks(counts.streaks(found))),
        *(parameter("barrier", code=code, times=times) for code, times in counts.barriers(found).items()),
        *(
            parameter("group", *_count(count, weight), by=name, value=value)
            for name in by
            for value, count in counts.grouped(found, name).items()
        ),
        *parts(text=sentence(counts.count(found), said), note=said["adherence.note"]),
    ]
    return Reply(200, answer(rows), type="Patient", id=call.id, patient=call.id)


def _by(given: Asked) -> tuple[str, ...]:
    found = given.texts("by")
    for each in found:
        if each not in counts.BY:
            raise malformed("by", f"by={each[:64]} is none of {', '.join(counts.BY)}")
    return tuple(dict.fromkeys(found))


async def assignments(call: Call, store: Store, patient: str, given: Asked) -> list[JsonObject]:
    """The patient's Tasks that the caller may see, those of `care-plan` where it is given, whose windows reach into the time.

    Raises NotFound for a plan that the caller may not see, BadRequest for more Tasks than are counted.
    """
    params = [("patient", patient), ("intent:not", "proposal"), *due(given), *await _of_plan(call, store, given)]
    found = await find(call, store, "Task", params, "s", _MOST + 1)
    if len(found) > _MOST:
        raise BadRequest(f"There are more than {_MOST} assignments; ask about a shorter time", code="too-costly")
    return [each.resource(store.codec) for each in found]


def due(given: Asked) -> list[tuple[str, str]]:
    """The search for windows in the time asked about, with a day to spare: a day begins elsewhere when it ends here."""
    start, end = given.date("start"), given.date("end")
    bounds = [] if start is None else [("due", f"ge{dates.instant(_moved(start.lo, -1))}")]
    return bounds if end is None else [*bounds, ("due", f"le{dates.instant(_moved(end.hi, 1))}")]


def _moved(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError:
        return moment


async def _of_plan(call: Call, store: Store, given: Asked) -> list[tuple[str, str]]:
    """The search for what a CarePlan's requests ask for."""
    named = given.reference("care-plan", ("CarePlan",))
    if named is None:
        return []
    call.grant.require("r", "CarePlan")
    stored = await store.read("CarePlan", named.partition("/")[2])
    if stored is None or stored.deleted:
        raise NotFound(f"There is no {named[:80]} here", expression=("care-plan",))
    activities = (each.get("reference", {}).get("reference", "") for each in store.resource(stored).get("activity", ()))
    requests = [each for each in activities if each.startswith("ServiceRequest/")]
    return [("based-on", ",".join([named, *requests]))]


def within(found: Iterable[Occurrence], given: Asked) -> list[Occurrence]:
    """The occurrences whose day is in the time asked about, on the client's own calendar."""
    start, end = given.date("start"), given.date("end")
    first = date.min if start is None else start.lo.date()
    last = date.max if end is None else (end.hi - timedelta.resolution).date()
    return [each for each in found if first <= each.day <= last]


def _period(found: list[Occurrence]) -> list[JsonObject]:
    if not found:
        return []
    return [
        typed(
            "period", "Period", {"start": found[0].day.isoformat(), "end": max(each.day for each in found).isoformat()}
        )
    ]


def _count(found: Count, weight: Decimal) -> list[JsonObject]:
    return parts(
        planned=found.planned,
        done=found.done,
        partly=found.partly,
        notDone=found.not_done,
        leftOut=found.left_out,
        open=found.open,
        share=found.share(weight),
    )


def _streaks(found: counts.Streaks) -> Mapping[str, int]:
    return {"now": found.current, "best": found.best}


def sentence(found: Count, said: Mapping[str, str]) -> str:
    """The count in words."""
    name = "partly" if found.partly and found.planned else "share" if found.planned else "nothing"
    return said[f"adherence.{name}"].format(done=found.done, planned=found.planned, partly=found.partly)
