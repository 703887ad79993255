"""How much of what was planned was done: occurrences counted, in part too, and grouped by what may have helped.

https://hl7.org/fhir/R4/task.html
Nobody is policed by it. A pause, a refusal and what the therapist stopped are left out of the count, what is still open is not
counted yet, and a part counts as a part. Docs: docs/insight.md, "Adherence".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from fhir_mappings.course import rounded
from fhir_mappings.lifecycle import ACTIVITY_TYPE, UNSEEN, business_status, is_assignment
from schemas import dates
from schemas.library import BASE

DONE: Final = "done"
PARTLY: Final = "partly"
NOT_DONE: Final = "not-done"
OPEN: Final = "open"
LEFT_OUT: Final = "left-out"
"""Paused, declined, replaced, or stopped by the therapist: no part of what was planned in the end."""
BARRIER: Final = f"{BASE}/CodeSystem/homework-barrier"
TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
GOAL: Final = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"
_NO_BARRIER: Final = frozenset(("window-elapsed",))
"""Reasons that the server gives: they say nothing of what got in the way."""
_WHOLE_DAY: Final = timedelta(hours=20)
_LONGEST_DAY: Final = timedelta(hours=26)
"""A day on which the clocks go back has 25 hours."""
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_OUTCOMES: Final = {"completed": DONE, "failed": NOT_DONE, "rejected": LEFT_OUT, "on-hold": LEFT_OUT}


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One planned piece of homework: on which day (and from which hour, where its window is shorter than a day), how it went.

    The sets say what it is grouped by; `series` is the id of the head it is a part of, or its own. `times` is how many it
    stands for: one, but for an assignment to be done several times at any time.
    """

    id: str
    series: str
    day: date
    at: datetime
    hour: int | None
    outcome: str
    title: str = ""
    times: int = 1
    done: int = 0
    activities: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    barriers: tuple[str, ...] = ()
    is_long: bool = False
    """Whether there is more than one day for it, so that it is of no weekday."""


@dataclass(frozen=True, slots=True)
class Count:
    """What came of some occurrences. `planned` are those that were decided on by now: done, partly done, not done."""

    done: int = 0
    partly: int = 0
    not_done: int = 0
    left_out: int = 0
    open: int = 0

    @property
    def planned(self) -> int:
        """The denominator."""
        return self.done + self.partly + self.not_done

    def achieved(self, partial_weight: Decimal) -> Decimal:
        """The numerator: a part counts `partial_weight`."""
        return self.done + partial_weight * self.partly

    def share(self, partial_weight: Decimal) -> Decimal | None:
        """Achieved of planned, from 0 to 1; None where nothing was planned."""
        return rounded(self.achieved(partial_weight) / self.planned) if self.planned else None


@dataclass(frozen=True, slots=True)
class Streaks:
    """How many occurrences in a row were done at least in part: now, and at best. What is left out does not end a row."""

    current: int
    best: int


@dataclass(slots=True)
class _Tally:
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: str, times: int) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + times

    @property
    def count(self) -> Count:
        return Count(*(self.counts.get(each, 0) for each in (DONE, PARTLY, NOT_DONE, LEFT_OUT, OPEN)))


def occurrences(tasks: Iterable[Mapping[str, Any]], zone: tzinfo) -> list[Occurrence]:
    """The occurrences among a client's Tasks, oldest first. Heads of series lend theirs what these do not say themselves."""
    held = [(task, head_of(task)) for task in tasks if is_assignment(task) and task.get("intent") != "proposal"]
    by_id = {task.get("id", ""): task for task, _ in held}
    heads = {head for _, head in held}
    made = [
        _occurrence(task, head, by_id.get(head or "", {}), zone)
        for task, head in held
        if task.get("id") not in heads and not is_head(task)
    ]
    return sorted((each for each in made if each is not None), key=lambda each: (each.at, each.id))


def head_of(task: Mapping[str, Any]) -> str | None:
    """The id of the head that a Task is an occurrence of."""
    found = (each.get("reference", "") for each in task.get("partOf", ()))
    return next((each.removeprefix("Task/") for each in found if each.startswith("Task/")), None)


def is_head(task: Mapping[str, Any]) -> bool:
    """Whether it is the head of a series, as far as it says itself: it says how far its parts got, which are counted."""
    return progress(task) is not None and "repetitions" not in task.get("restriction", {})


def progress(task: Mapping[str, Any]) -> tuple[int, int] | None:
    """(done, of how many) that a Task says of itself in its output `progress`."""
    for output in task.get("output", ()):
        ratio = output.get("valueRatio")
        if ratio and "progress" in _codes(output.get("type"), TASK_IO):
            return (
                int(ratio.get("numerator", {}).get("value", 0)),
                int(ratio.get("denominator", {}).get("value", 0)),
            )
    return None


def outcome(task: Mapping[str, Any]) -> str:
    """How an assignment went."""
    said = business_status(task)
    status = str(task.get("status"))
    if status == "completed":  # also where a next one took its place: what was done stays done
        return PARTLY if said == "partially-done" else DONE
    if said == "carried-over":
        return LEFT_OUT
    if status == "cancelled":
        return NOT_DONE if said == "missed" else LEFT_OUT
    return _OUTCOMES.get(status, OPEN)


def _occurrence(
    task: Mapping[str, Any], series: str | None, head: Mapping[str, Any], zone: tzinfo
) -> Occurrence | None:
    window = task.get("restriction", {}).get("period", {})
    moment = window.get("start") or task.get("executionPeriod", {}).get("start") or task.get("authoredOn")
    if moment is None or task.get("status") in UNSEEN:
        return None
    at = dates.interval(moment).lo
    local = at.astimezone(zone) if "T" in moment else at
    task_id = str(task.get("id", ""))
    done, times = _repeated(task)
    return Occurrence(
        task_id,
        series or task_id,
        local.date(),
        at,
        local.hour if _is_short(window) else None,
        outcome(task),
        _title(task) or _title(head),
        times,
        done,
        _activities(task) or _activities(head),
        _goals(task) or _goals(head),
        _settings(task) or _settings(head),
        _formats(task) or _formats(head),
        _barriers(task),
        _is_long(window),
    )


def _repeated(task: Mapping[str, Any]) -> tuple[int, int]:
    """(done, times) of an assignment to be done several times, at any time; (0, 1) of any other."""
    times = int(task.get("restriction", {}).get("repetitions", 1))
    found = progress(task) if times > 1 else None
    return (0, 1) if found is None else (min(found[0], times), times)


def _is_long(window: Mapping[str, Any]) -> bool:
    start, end = window.get("start"), window.get("end")
    return bool(start and end) and dates.interval(str(end)).hi - dates.interval(str(start)).lo > _LONGEST_DAY


def _is_short(window: Mapping[str, Any]) -> bool:
    start, end = window.get("start", ""), window.get("end", "")
    return "T" in start and "T" in end and dates.interval(end).lo - dates.interval(start).lo < _WHOLE_DAY


def _title(task: Mapping[str, Any]) -> str:
    code = task.get("code", {})
    own = next((each.get("display") for each in code.get("coding", ()) if each.get("system") == ACTIVITY_TYPE), None)
    return str(code.get("text") or task.get("description") or own or "")


def _activities(task: Mapping[str, Any]) -> tuple[str, ...]:
    return _codes(task.get("code"), ACTIVITY_TYPE)


def _goals(task: Mapping[str, Any]) -> tuple[str, ...]:
    named = [each.get("valueReference", {}) for each in task.get("extension", ()) if each.get("url") == GOAL]
    named.append(task.get("reasonReference", {}))
    found = (each.get("reference", "") for each in named)
    return tuple(dict.fromkeys(each for each in found if each.startswith("Goal/")))


def _settings(task: Mapping[str, Any]) -> tuple[str, ...]:
    return _said(task.get("input", ()), "setting")


def _formats(task: Mapping[str, Any]) -> tuple[str, ...]:
    return _said(task.get("output", ()), "chosen-format")


def _said(rows: Iterable[Mapping[str, Any]], code: str) -> tuple[str, ...]:
    """What the inputs or outputs of one type say: a code, or words."""
    found = []
    for row in rows:
        if code in _codes(row.get("type"), TASK_IO):
            concept = row.get("valueCodeableConcept", {})
            codings = [row.get("valueCoding"), *concept.get("coding", ())]
            coded = next((each["code"] for each in codings if each and "code" in each), None)
            found.append(coded or row.get("valueCode") or row.get("valueString") or concept.get("text"))
    return tuple(dict.fromkeys(str(each) for each in found if each))


def _barriers(task: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(each for each in _codes(task.get("statusReason"), BARRIER) if each not in _NO_BARRIER)


def _codes(concept: Mapping[str, Any] | None, system: str) -> tuple[str, ...]:
    codings = (concept or {}).get("coding", ())
    return tuple(each["code"] for each in codings if each.get("system") == system and "code" in each)


def count(found: Iterable[Occurrence]) -> Count:
    """All of them together."""
    tally = _Tally()
    for each in found:
        _add(tally, each)
    return tally.count


def _add(tally: _Tally, each: Occurrence) -> None:
    if each.times == 1:
        tally.add(each.outcome, 1)
        return
    tally.add(DONE, each.done)
    rest = NOT_DONE if each.outcome in (DONE, PARTLY, NOT_DONE) else each.outcome
    tally.add(rest, each.times - each.done)


BY: Final[Mapping[str, Callable[[Occurrence], Iterable[str]]]] = {
    "activity": lambda each: each.activities,
    "assignment": lambda each: (each.series,),
    "barrier": lambda each: each.barriers,
    "format": lambda each: each.formats,
    "goal": lambda each: each.goals,
    "hour": lambda each: () if each.hour is None else (f"{each.hour:02d}",),
    "setting": lambda each: each.settings,
    "week": lambda each: (str(each.day - timedelta(days=each.day.weekday())),),
    "weekday": lambda each: (WEEKDAYS[each.day.weekday()],) if not each.is_long else (),
}
"""What occurrences can be grouped by; one without such a thing is in no group, one with several is in each."""


def grouped(found: Iterable[Occurrence], by: str) -> dict[str, Count]:
    """The counts of each group, in the order of their names, weekdays from Monday."""
    tallies: dict[str, _Tally] = {}
    for each in found:
        for name in BY[by](each):
            _add(tallies.setdefault(name, _Tally()), each)
    order = WEEKDAYS.index if by == "weekday" else str
    return {name: tallies[name].count for name in sorted(tallies, key=order)}


def streaks(found: Sequence[Occurrence]) -> Streaks:
    """The rows of done in time's order."""
    current = best = 0
    for each in found:
        if each.outcome in (DONE, PARTLY):
            current += 1
            best = max(best, current)
        elif each.outcome == NOT_DONE:
            current = 0
    return Streaks(current, best)


def barriers(found: Iterable[Occurrence]) -> dict[str, int]:
    """What got in the way, and how often it was named, most often first."""
    named: dict[str, int] = {}
    for each in found:
        for code in each.barriers:
            named[code] = named.get(code, 0) + 1
    return dict(sorted(named.items(), key=lambda item: (-item[1], item[0])))
