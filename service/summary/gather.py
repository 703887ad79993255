"""What a session summary is made of, each kind by one search under the caller's Grant. https://hl7.org/fhir/R4/search.html

What the caller may not search is not in it; of a kind that does not matter nothing is read. Bytes are kept as they are stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from fhir_mappings.adherence_observation import MEASURE
from fhir_mappings.course import SETTLED
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from fhir_mappings.summary import SAID, Form, form
from schemas import dates, json
from schemas.instrument import Code
from schemas.instruments import instruments
from schemas.library import localised
from schemas.measures import measures
from service.call import Call
from service.operations.stats import tokens
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
Params = list[tuple[str, str]]
_MOST: Final = 1_000
_RATINGS: Final = ("helpfulness", "suds", "suds-peak", "suds-post")
_REVIEWS: Final = ("review-proposal", "clinician-risk-review", "plan-review")
_WAITING: Final = "requested,received,accepted,ready,in-progress,on-hold"
_USUAL: Final = timedelta(days=28)
"""How far back a summary looks where no session is known of."""
_NOW: Final = timedelta(hours=4)
"""An Encounter that began less long ago than this is the session that is being prepared, not the last one."""


@dataclass(frozen=True, slots=True)
class Held:
    """A resource as it is stored, parsed, and its reference."""

    reference: str
    raw: bytes
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Time:
    """From the last session, where one is known of, until now; `zone` is that of the client."""

    since: datetime | None
    start: datetime
    until: datetime
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a summary is made of."""

    patient: Held
    time: Time
    tasks: Sequence[Held] = ()
    reviews: Sequence[Held] = ()
    scores: Sequence[Held] = ()
    ratings: Sequence[Held] = ()
    responses: Sequence[Held] = ()
    flags: Sequence[Held] = ()
    forms: Mapping[str, Form] = field(default_factory=dict)


async def last_session(call: Call, store: Store, patient: str) -> datetime | None:
    """When the last session that is known of began."""
    if not call.grant.permits("s", "Encounter"):
        return None
    before = dates.instant(call.now - _NOW)
    params = [("patient", patient), ("status:not", "cancelled,entered-in-error,planned"), ("date", f"lt{before}")]
    found = await find(call, store, "Encounter", [*params, ("_sort", "-date")], "s", 1)
    start = found[0].resource(store.codec).get("period", {}).get("start") if found else None
    return dates.interval(start).lo if start else None


def time_of(since: datetime | None, until: datetime, zone: tzinfo) -> Time:
    """The time to look at."""
    return Time(since, since or until - _USUAL, until, zone)


async def gathered(
    call: Call, store: Store, patient: Held, time: Time, requests: Iterable[str], language: str
) -> Gathered:
    """What there is of this time; of assignments only those based on `requests`, where any are given.

    Forms are told of in the language, where they are translated.
    """
    whose = ("patient", patient.reference.removeprefix("Patient/"))
    since = dates.instant(time.start)
    based = [("based-on", ",".join(requests))] if requests else []
    windows: Params = [("due", f"ge{since}"), ("due", f"le{dates.instant(time.until + timedelta(days=1))}")]

    async def of(type_name: str, *params: tuple[str, str]) -> list[Held]:
        return await _held(call, store, type_name, [whose, *params])

    tasks = await of("Task", ("intent:not", "proposal"), ("code:not", _codes(_REVIEWS)), *windows, *based)
    reviews = await of("Task", ("code", _codes(_REVIEWS)), ("status", _WAITING))
    settled = ("status", ",".join(sorted(SETTLED)))
    scores = await of("Observation", ("code", tokens(totals())), settled, ("_sort", "date"))
    rated = ",".join(f"{MEASURE}|{code}" for code in _RATINGS)
    ratings = await of("Observation", ("combo-code", rated), settled, ("date", f"ge{since}"), ("_sort", "date"))
    said = ("status", ",".join(sorted(SAID)))
    responses = await of("QuestionnaireResponse", said, ("authored", f"ge{since}"), ("_sort", "authored"))
    forms = await _forms(call, store, responses, language)
    flags = await of("Flag")
    return Gathered(patient, time, tasks, reviews, scores, ratings, responses, flags, forms)


def _codes(codes: Iterable[str]) -> str:
    return ",".join(f"{ACTIVITY_TYPE}|{code}" for code in codes)


@lru_cache(maxsize=1)
def totals() -> tuple[Code, ...]:
    """The codes of all totals that there are rules or bands for."""
    scales = (scale.code for instrument in instruments().values() for scale in instrument.scales)
    return tuple(dict.fromkeys([*measures(), *scales]))


@lru_cache(maxsize=1)
def titles() -> Mapping[Code, str]:
    """What the totals are called."""
    return {scale.code: scale.display for instrument in instruments().values() for scale in instrument.scales}


async def _held(call: Call, store: Store, type_name: str, params: Params) -> list[Held]:
    if not call.grant.permits("s", type_name):
        return []
    found = await find(call, store, type_name, params, "s", _MOST)
    return [of_bytes(f"{type_name}/{each.id}", each.json(store.codec)) for each in found]


def of_bytes(reference: str, raw: bytes) -> Held:
    """A stored resource, parsed."""
    body: JsonObject = json.parse(raw)
    return Held(reference, raw, body)


async def _forms(call: Call, store: Store, responses: Iterable[Held], language: str) -> dict[str, Form]:
    """The forms that are answered in responses whose items do not repeat their questions, by their canonicals."""
    named = {each.body.get("questionnaire", "") for each in responses if not _repeats(each.body)}
    urls = sorted({each.partition("|")[0] for each in named if each and not each.startswith("#")})
    letter = next((each for each in "sr" if call.grant.permits(each, "Questionnaire")), None)
    if not urls or letter is None:
        return {}
    wanted = ",".join(url.replace("\\", "\\\\").replace(",", "\\,") for url in urls)
    found = await find(call, store, "Questionnaire", [("url", wanted), ("_sort", "_lastUpdated")], letter, _MOST)
    made: dict[str, Form] = {}
    for each in found:
        url, version, read = _read(each.json(store.codec), language)
        made[url] = made[f"{url}|{version}"] = read
    return made


def _repeats(response: JsonObject) -> bool:
    return all("text" in item for item in response.get("item", ()))


@lru_cache(maxsize=256)
def _read(raw: bytes, language: str) -> tuple[str, str, Form]:
    body = localised(json.parse(raw), language)
    return body.get("url", ""), body.get("version", ""), form(body)
