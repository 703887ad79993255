"""$adherence-change: whether doing homework and a change of scores went together, of one client or across clients.

https://hl7.org/fhir/R4/operations.html Docs: docs/insight.md, "Adherence and change".
Of one client each pair is the time between two scores; across clients it is a client's whole course. Across clients nobody is
named, and a group below the tenant's `minimum_group` is not counted at all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fhir_mappings import adherence as counts
from fhir_mappings import course
from fhir_mappings.correlation import MINIMUM, Correlation, between_scores, pearson, whole_course
from fhir_mappings.zones import zone_of
from schemas import words
from schemas.instrument import Code
from service.call import Call, Reply
from service.errors import BadRequest, Forbidden
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from service.interactions.read import existing
from service.operations.adherence import assignments, due
from service.operations.chart import language_of
from service.operations.parameters import Asked, asked
from service.operations.parts import answer, parts, typed
from service.operations.stats import tokens
from service.operations.trend import observations, read_codes
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
Pairs = list[tuple[float, float]]
_NAMES: Final = ("code", "start", "end", "language")
_MOST: Final = 20_000
_WIDE: Final = frozenset(("tenant",))
"""The circle of a practitioner who may see the whole tenant."""


async def adherence_change(call: Call, store: Store) -> Reply:
    """A Parameters with n, r, its 95 % interval and a caution; without r where there is too little to say."""
    call.grant.require("s", "Task")
    call.grant.require("s", "Observation")
    call.grant.require("r", "Patient")
    given = asked(call, _NAMES)
    (code,) = _one(read_codes(given))
    choices = await policy.known(store.connection, store.tenant_id)
    if call.id is None:
        _require_wide(call)
        said, least = words.part("insight", language_of(given, {})), max(choices.minimum_group, MINIMUM)
        pairs = await _across(call, store, code, given, choices)
        few = said["caution.group"] if len(pairs) < least else None
    else:
        patient = store.resource(await existing(store, "Patient", call.id))
        said, least = words.part("insight", language_of(given, patient)), MINIMUM
        pairs, few = await _of_one(call, store, patient, code, given, choices), None
    rows = [typed("code", "Coding", {"system": code[0], "code": code[1]}), *_figures(pairs, least, few, said)]
    return Reply(200, answer(rows), type="Patient", id=call.id, patient=call.id)


def _one(codes: Sequence[Code]) -> Sequence[Code]:
    if len(codes) != 1:
        raise BadRequest("Ask about one code at a time", expression=("code",))
    return codes


def _require_wide(call: Call) -> None:
    """Across clients only who may see all of them asks: what others saw would be a picture of a few."""
    if call.grant.patient is not None or not call.grant.shape.circles <= _WIDE:
        raise Forbidden(
            "This is for who may see all clients of the practice; ask about one with Patient/[id]/$adherence-change"
        )


def _figures(pairs: Pairs, least: int, few: str | None, said: Mapping[str, str]) -> list[JsonObject]:
    if few is not None:
        return parts(minimum=least, caution=few.format(minimum=least))
    found = pearson(pairs, least)
    if found is None:
        name = "too-few" if len(pairs) < least else "same"
        return parts(n=len(pairs), minimum=least, caution=said[f"caution.{name}"].format(n=len(pairs), minimum=least))
    return parts(n=found.n, minimum=least, r=found.r, low=found.low, high=found.high, caution=_caution(found, said))


def _caution(found: Correlation, said: Mapping[str, str]) -> str:
    caution = said["caution"].format(n=found.n)
    return caution if found.is_clear else f"{caution} {said['caution.unclear']}"


async def _of_one(
    call: Call, store: Store, patient: JsonObject, code: Code, given: Asked, choices: HomeworkPolicy
) -> Pairs:
    points = course.courses(await observations(call, store, str(call.id), (code,), given), (code,)).get(code, [])
    tasks = await assignments(call, store, str(call.id), given)
    found = counts.occurrences(tasks, zone_of(patient, choices.zone))
    return list(between_scores(points, found, choices.partial_weight))


async def _across(call: Call, store: Store, code: Code, given: Asked, choices: HomeworkPolicy) -> Pairs:
    """A pair for each client who has two scores and anything planned between them."""
    bounds = [
        ("date", f"{mark}{given.text(name)}") for mark, name in (("ge", "start"), ("le", "end")) if given.date(name)
    ]
    settled = ",".join(sorted(course.SETTLED))
    scores = await _by_patient(
        call, store, "Observation", [("combo-code", tokens((code,))), ("status", settled), *bounds]
    )
    tasks = await _by_patient(call, store, "Task", [("intent:not", "proposal"), *due(given)])
    zone, made = zone_of(None, choices.zone), []
    for patient, found in scores.items():
        points = course.courses(found, (code,)).get(code, [])
        pair = whole_course(points, counts.occurrences(tasks.get(patient, ()), zone), choices.partial_weight)
        if pair is not None:
            made.append(pair)
    return made


async def _by_patient(
    call: Call, store: Store, type_name: str, params: list[tuple[str, str]]
) -> dict[str, list[JsonObject]]:
    found = await find(call, store, type_name, params, "s", _MOST + 1)
    if len(found) > _MOST:
        raise BadRequest(f"There are more than {_MOST} of {type_name}; ask about a shorter time", code="too-costly")
    made: dict[str, list[JsonObject]] = {}
    for each in found:
        resource = each.resource(store.codec)
        whose = resource.get("for" if type_name == "Task" else "subject", {}).get("reference", "")
        made.setdefault(whose, []).append(resource)
    return made
