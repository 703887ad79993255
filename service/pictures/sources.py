"""Where the numbers of a picture come from: searches under the caller's own Grant. https://hl7.org/fhir/R4/search.html

Who may not see Tasks gets a course without gaps and exposures without names; what a picture cannot do without is required.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from typing import Any, Final

from fhir_mappings import adherence, attainment, course
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from fhir_mappings.observation import LOINC
from fhir_mappings.shaping import MEASURE
from fhir_mappings.zones import zone_of
from schemas.instrument import Code
from schemas.measures import measures
from service.call import Call
from service.errors import BadRequest
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from service.operations.parameters import Asked, malformed
from service.operations.trend import deviation, observations, read_codes
from service.pictures import records
from service.pictures.phrases import Phrases
from service.pictures.series import (
    AdherenceBy,
    AdherenceCalendar,
    AttainmentSeries,
    ExposureSeries,
    RatingSeries,
    ScoreSeries,
    Series,
)
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
BY: Final = ("weekday", "hour", "activity")
_MOST: Final = 5_000
_GOALS: Final = 20
_EXPOSURES: Final = 120
_REQUESTS: Final = 50
_MOOD: Final[Code] = (MEASURE, "mood")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a picture is asked of: the call, its parameters, the Patient, and the language to say it in."""

    call: Call
    store: Store
    given: Asked
    patient: JsonObject
    phrases: Phrases
    choices: HomeworkPolicy

    @property
    def zone(self) -> tzinfo:
        """The client's time zone."""
        return zone_of(self.patient, self.choices.zone)

    @property
    def id(self) -> str:
        """The client's id."""
        return str(self.patient["id"])

    def day(self, name: str, otherwise: date) -> date:
        """A parameter that is a day. Raises BadRequest."""
        given = self.given.date(name)
        if given is None:
            return otherwise
        try:
            return date.fromisoformat((self.given.text(name) or "")[:10])
        except ValueError:
            raise malformed(name, f"{name} is a whole date here, such as 2026-01-31") from None


async def wanted(call: Call, store: Store, given: Asked, patient: JsonObject, phrases: Phrases) -> Wanted:
    """All that the sources need."""
    return Wanted(call, store, given, patient, phrases, await policy.known(store.connection, store.tenant_id))


async def score(want: Wanted) -> ScoreSeries:
    """The scores of the one code that is asked for."""
    codes = read_codes(want.given)
    if len(codes) > 1:
        raise malformed("code", "A picture of scores shows one of them; kind=rating shows several on one scale")
    found = await observations(want.call, want.store, want.id, codes, want.given)
    points = course.courses(found, codes)[codes[0]] if found else []
    measure = measures().get(codes[0])
    return records.score(
        codes[0],
        points,
        want.zone,
        want.phrases,
        unanswered=await _unanswered(want, found) if points else (),
        spread=deviation(want.choices, measure.id) if measure else None,
    )


async def _unanswered(want: Wanted, found: list[JsonObject]) -> list[date]:
    """The days between the first score and the last on which one was planned by the same requests and not given."""
    requests = {
        each.get("reference", "") for observation in found for each in observation.get("basedOn", ())
    }  # fmt: skip
    requests = {each for each in requests if each.startswith("ServiceRequest/")}
    if not requests or not want.call.grant.permits("s", "Task"):
        return []
    named = ",".join(sorted(requests)[:_REQUESTS])
    tasks = await _resources(want, "Task", [("based-on", named), ("status", "cancelled,failed")])
    missed = [each.day for each in adherence.occurrences(tasks, want.zone) if each.outcome == adherence.NOT_DONE]
    first, last = (course.when(each) for each in (found[0], found[-1]))
    assert first is not None
    assert last is not None
    return [day for day in missed if first[0].date() <= day <= last[0].date()]


async def rating(want: Wanted) -> RatingSeries:
    """Ratings of the codes asked for, else of mood."""
    codes = read_codes(want.given) if want.given.values("code") else (_MOOD,)
    found = await observations(want.call, want.store, want.id, codes, want.given)
    return records.ratings(course.courses(found, codes), want.zone, want.phrases)


async def adherence_calendar(want: Wanted) -> AdherenceCalendar:
    """The days with homework; unless asked for others, twelve weeks up to the end of this one."""
    start, end = _days(want)
    tasks = await _tasks(want, start)
    paused = frozenset(str(task["id"]) for task in tasks if task.get("status") == "on-hold")
    return records.calendar(adherence.occurrences(tasks, want.zone), paused, start, end, want.phrases)


async def adherence_by(want: Wanted) -> AdherenceBy:
    """What was done of what was planned, by weekday, hour or activity."""
    by = want.given.choice("by", BY, BY[0])
    start, end = _days(want)
    found = adherence.occurrences(await _tasks(want, start), want.zone)
    groups = adherence.grouped([each for each in found if start <= each.day <= end], by)
    return records.adherence_by(by, groups, want.choices.partial_weight, want.phrases)


def _days(want: Wanted) -> tuple[date, date]:
    first, last = records.twelve_weeks(want.call.now.astimezone(want.zone).date())
    start, end = want.day("start", first), want.day("end", last)
    if start > end:
        raise malformed("end", "end is before start")
    if end - start > timedelta(days=371):
        raise malformed("start", "A calendar has room for 53 weeks; ask for a shorter time")
    return start, end


async def _tasks(want: Wanted, start: date) -> list[JsonObject]:
    """The Tasks that were due since `start`, and those without a due date that were given since then."""
    since = (start - timedelta(days=1)).isoformat()
    who = ("patient", want.id)
    due = await _resources(want, "Task", [who, ("due", f"ge{since}")])
    return due + await _resources(want, "Task", [who, ("due:missing", "true"), ("authored-on", f"ge{since}")])


async def exposure(want: Wanted) -> ExposureSeries:
    """The exposures: ratings of distress with a peak, or of an assignment that is an exposure."""
    codes = ((MEASURE, "suds"),)
    found = await observations(want.call, want.store, want.id, codes, want.given)
    names: dict[str, str] = {}
    if found and want.call.grant.permits("s", "Task"):
        kind = f"{ACTIVITY_TYPE}|exposure-step"
        for task in await _resources(want, "Task", [("patient", want.id), ("code", kind)]):
            name = _step_name(task)
            names[f"Task/{task['id']}"] = name
            for each in task.get("basedOn", ()):
                names.setdefault(each.get("reference", ""), name)
    series = records.exposures(found, names, want.zone, want.phrases)
    if len(series.steps) > _EXPOSURES:
        raise malformed("start", f"There are more than {_EXPOSURES} exposures in this time; ask for a shorter one")
    return series


def _step_name(task: Mapping[str, Any]) -> str:
    """The situation that an exposure is about, else what the assignment is called."""
    for each in task.get("input", ()):
        codings = (each.get("type") or {}).get("coding", ())
        if any(coding.get("code") == "feared-situation" for coding in codings) and "valueString" in each:
            return str(each["valueString"])
    return str((task.get("code") or {}).get("text") or task.get("description") or "")


async def goal_attainment(want: Wanted) -> AttainmentSeries:
    """The ratings of the client's goals."""
    codes = tuple((LOINC, code) for code in attainment.RATERS)
    found = await observations(want.call, want.store, want.id, codes, want.given)
    goals = await _resources(want, "Goal", [("patient", want.id), ("_sort", "start-date")]) if found else []
    series = records.attained(goals, found, want.zone, want.phrases)
    if len(series.goals) > _GOALS:
        raise malformed("start", f"More than {_GOALS} goals were rated in this time; ask for a shorter one")
    return series


async def _resources(want: Wanted, type_name: str, params: list[tuple[str, str]]) -> list[JsonObject]:
    found = await find(want.call, want.store, type_name, params, "s", _MOST + 1)
    if len(found) > _MOST:
        raise BadRequest(f"There are more than {_MOST} of these; ask about a shorter time", code="too-costly")
    return [each.resource(want.store.codec) for each in found]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of picture: where it comes from, and which types the caller must be allowed to search."""

    source: Callable[[Wanted], Awaitable[Series]]
    needs: tuple[str, ...]


KINDS: Final[Mapping[str, Kind]] = {
    "score": Kind(score, ("Observation",)),
    "rating": Kind(rating, ("Observation",)),
    "adherence-calendar": Kind(adherence_calendar, ("Task",)),
    "adherence-by": Kind(adherence_by, ("Task",)),
    "exposure": Kind(exposure, ("Observation",)),
    "goal-attainment": Kind(goal_attainment, ("Goal", "Observation")),
}
