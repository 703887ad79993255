"""Patient/[id]/$patterns: what comes up again and again in a client's answers. Docs: docs/insight.md, "Patterns"

https://hl7.org/fhir/R4/operations.html
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final

from fhir_mappings import course
from fhir_mappings import patterns as found_in
from fhir_mappings.course import rounded
from fhir_mappings.patterns import Noted, Pattern
from fhir_mappings.zones import zone_of
from schemas.instrument import Code
from service.call import Call, Reply
from service.homework import policy
from service.interactions.read import existing
from service.operations.parameters import asked
from service.operations.parts import answer, parameter, parts, typed
from service.operations.trend import observations, read_codes
from service.store import Store

JsonObject = dict[str, Any]
_NAMES: Final = ("code", "with", "start", "end", "bucket")


async def patterns(call: Call, store: Store) -> Reply:
    """A Parameters with a `pattern` for each code: its answers by how often they came up, when, and with what."""
    assert call.id is not None
    call.grant.require("r", "Patient")
    call.grant.require("s", "Observation")
    given = asked(call, _NAMES)
    codes = read_codes(given)
    others = read_codes(given, "with") if given.value("with") else ()
    size = given.choice("bucket", course.BUCKETS, "")
    patient = store.resource(await existing(store, "Patient", call.id))
    wanted = (*codes, *others)
    found = found_in.noted(await observations(call, store, call.id, wanted, given), wanted)
    choices = await policy.known(store.connection, store.tenant_id)
    zone = zone_of(patient, choices.zone)
    rows = [_of_code(code, found, others, size, zone) for code in codes]
    return Reply(200, answer(rows), type="Patient", id=call.id, patient=call.id)


def _of_code(code: Code, found: Sequence[Noted], others: Sequence[Code], size: str, zone: tzinfo) -> JsonObject:
    total = found_in.forms(found, code)
    return parameter(
        "pattern",
        _coding("code", code),
        *parts(forms=total),
        *(_answer(each, total, found, others, size, zone) for each in found_in.patterns(found, code)),
    )


def _answer(
    pattern: Pattern, total: int, found: Sequence[Noted], others: Sequence[Code], size: str, zone: tzinfo
) -> JsonObject:
    last = pattern.points[-1]
    return parameter(
        "answer",
        *_value(pattern),
        *parts(forms=len(pattern.forms), share=rounded(len(pattern.forms) / total)),
        typed("last", "DateTime", last.recorded),
        *(_bucket(each) for each in (course.buckets(pattern.points, size, zone) if size else ())),
        *(
            parameter("together", _coding("code", code), *_value(other), *parts(forms=times))
            for code in others
            for other, times in found_in.together(found, pattern, code)
        ),
    )


def _value(pattern: Pattern) -> list[JsonObject]:
    system, code = pattern.value
    if not system:
        return parts(value=pattern.display)
    return [typed("value", "Coding", {"system": system, "code": code, "display": pattern.display})]


def _coding(name: str, code: Code) -> JsonObject:
    return typed(name, "Coding", {"system": code[0], "code": code[1]})


def _bucket(found: course.Bucket) -> JsonObject:
    period = {"start": found.start.isoformat(), "end": found.end.isoformat()}
    return parameter("bucket", typed("period", "Period", period), *parts(times=found.n))
