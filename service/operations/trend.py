"""Patient/[id]/$trend: the course of measures, and what published rules say of its change. Docs: docs/insight.md, "Trend".

https://hl7.org/fhir/R4/operations.html
"""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any, Final

from fhir_mappings import change, course
from fhir_mappings.course import Point
from fhir_mappings.zones import zone_of
from schemas.instrument import Code
from schemas.measures import Deviation, measures
from service.call import Call, Reply
from service.errors import BadRequest
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from service.interactions.read import existing
from service.operations.parameters import Asked, asked, malformed
from service.operations.parts import answer, parameter, parts, typed
from service.operations.stats import tokens
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
_NAMES: Final = ("code", "start", "end", "bucket")
_MOST: Final = 5_000
_CODES: Final = 10


async def trend(call: Call, store: Store) -> Reply:
    """A Parameters with a `measure` for each code: figures, bands, points, buckets where asked for, and what has changed."""
    assert call.id is not None
    call.grant.require("r", "Patient")
    call.grant.require("s", "Observation")
    given = asked(call, _NAMES)
    codes = read_codes(given)
    size = given.choice("bucket", course.BUCKETS, "")
    patient = store.resource(await existing(store, "Patient", call.id))
    found = course.courses(await observations(call, store, call.id, codes, given), codes)
    choices = await policy.of(store.connection, store.tenant_id)
    zone = zone_of(patient, choices.zone)
    rows = [_measure(code, points, size, zone, choices) for code, points in found.items()]
    recovery = change.recovered(found, measures())
    if recovery is not None:
        rows.append(_recovery(recovery))
    return Reply(200, answer(rows), type="Patient", id=call.id, patient=call.id)


def read_codes(given: Asked, name: str = "code") -> tuple[Code, ...]:
    """The codes asked for, each as `system|code`. Raises BadRequest."""
    found = []
    for text in given.texts(name):
        system, _, code = text.rpartition("|")
        if not system or not code:
            raise malformed(name, f"Write {name} with its system, such as http://loinc.org|44261-6, not {text[:64]!r}")
        found.append((system, code))
    if not 0 < len(found) <= _CODES:
        raise malformed(name, f"Give 1 to {_CODES} of {name}, such as http://loinc.org|44261-6")
    return tuple(dict.fromkeys(found))


async def observations(call: Call, store: Store, patient: str, codes: Iterable[Code], given: Asked) -> list[JsonObject]:
    """The Observations of these codes that the caller may see, within `start` and `end`, oldest first."""
    bounds = [
        ("date", f"{mark}{given.text(name)}") for mark, name in (("ge", "start"), ("le", "end")) if given.date(name)
    ]
    settled = ",".join(sorted(course.SETTLED))
    params = [("patient", patient), ("combo-code", tokens(codes)), ("status", settled), *bounds, ("_sort", "date")]
    found = await find(call, store, "Observation", params, "s", _MOST + 1)
    if len(found) > _MOST:
        raise BadRequest(f"There are more than {_MOST} of these; ask about a shorter time", code="too-costly")
    return [each.resource(store.codec) for each in found]


def _measure(code: Code, points: Sequence[Point], size: str, zone: tzinfo, choices: HomeworkPolicy) -> JsonObject:
    measure, bands = measures().get(code), course.bands(code)
    found = change.findings(points, measure, deviation(choices, measure.id)) if measure else []
    return parameter(
        "measure",
        typed("code", "Coding", {"system": code[0], "code": code[1]}),
        *parts(title=None if measure is None else measure.title),
        *_figures(course.summary(points)),
        *(parameter("band", low=each.low, high=each.high, text=each.text) for each in bands),
        *(_point("point", each, bands) for each in points),
        *(_bucket(each) for each in (course.buckets(points, size, zone) if size else ())),
        *(_change(each) for each in found),
    )


def deviation(choices: HomeworkPolicy, measure: str) -> Deviation | None:
    """The tenant's own deviation for a measure."""
    own = choices.deviations.get(measure)
    return None if own is None else Deviation(own.sd, own.r, "set by this practice")


def _figures(found: course.Summary | None) -> list[JsonObject]:
    if found is None:
        return parts(n=0)
    return parts(
        n=found.n, mean=found.mean, deviation=found.sd, lowest=found.low, highest=found.high, slopePerWeek=found.slope
    )


def _point(name: str, point: Point, bands: Sequence[course.Band]) -> JsonObject:
    return parameter(
        name,
        typed("date", "DateTime", point.recorded),
        *parts(value=point.value, unit=point.unit, band=course.band(bands, point.value)),
        typed("source", "Reference", {"reference": point.source}),
    )


def _bucket(found: course.Bucket) -> JsonObject:
    period = {"start": found.start.isoformat(), "end": found.end.isoformat()}
    figures = parts(n=found.n, mean=found.mean, lowest=found.low, highest=found.high)
    return parameter("bucket", typed("period", "Period", period), *figures)


def _change(found: change.Finding) -> JsonObject:
    said = found.interpretation
    return parameter(
        "change",
        *parts(kind=found.rule.kind, holds=found.holds, difference=found.difference, figure=found.figure),
        *([typed("interpretation", "CodeableConcept", change.interpretation(said))] if said else ()),
        typed("rule", "CodeableConcept", change.method(found.rule)),
        *parts(basis=found.rule.source),
        _point("from", found.start, ()),
        _point("to", found.end, ()),
    )


def _recovery(found: change.Recovery) -> JsonObject:
    named = [typed("measure", "Coding", {"system": each.code[0], "code": each.code[1]}) for each in found.measures]
    return parameter("recovery", *parts(holds=found.holds), *named)
