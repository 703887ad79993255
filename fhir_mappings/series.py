"""What a head plans of its series: which occurrences are to be made next, and which a change of the Timing takes back.

https://hl7.org/fhir/R4/task.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from fhir_mappings import progress, reasons, slots
from fhir_mappings.occurrence import ALL, made, made_until, occurrence, window
from fhir_mappings.progress import Tally, tally_of
from fhir_mappings.slots import Slot
from fhir_mappings.timing import Schedule, edges, read
from schemas import dates

JsonObject = dict[str, Any]
LIVE: Final = frozenset(("accepted", "ready", "in-progress"))
"""States of a head in which its occurrences are made."""
OPEN: Final = frozenset(("requested", "received", "accepted", "ready", "in-progress"))
"""States of a part that somebody still has to do something about."""
_FORESEEN: Final = timedelta(days=731)
"""Of a series that is longer than this what is made counts as planned, not what will be."""


class Extension(NamedTuple):
    """The head once more of it is planned, and the slots to be made."""

    head: JsonObject
    slots: list[Slot]


def schedule(head: Mapping[str, Any], request: Mapping[str, Any], zone: ZoneInfo) -> Schedule:
    """When the head is to be done. Raises TimingFault. The window of the head itself has the last word on when it ends."""
    timing = request.get("occurrenceTiming", {})
    period = head.get("restriction", {}).get("period", {})
    said = (period.get("start"), request.get("authoredOn"), head.get("authoredOn"))
    found = read(timing, zone, next((each for each in said if each), "1970-01-01"))
    return replace(found, end=edges(period["end"], zone)[1]) if "end" in period else found


def extended(head: JsonObject, schedule_: Schedule, until: datetime, now: datetime) -> Extension:
    """The head with its occurrences planned `until` then: what is over by `now` is not made any more, and not planned."""
    said = made_until(head)
    if said == ALL:
        return Extension(head, [])
    since = dates.PAST if said is None else dates.interval(said).lo
    found = slots.slots(schedule_, since, until)
    alive = [slot for slot in found if slot.end > now]
    tally = tally_of(head)
    if said is None:
        planned = tally.planned + len(alive) + ahead(schedule_, until)
    else:
        planned = tally.planned + (len(alive) - len(found) if is_foreseen(schedule_) else len(alive))
    return Extension(planned_until(head, schedule_, until, Tally(tally.done, max(planned, 0))), alive)


def planned_until(head: JsonObject, schedule_: Schedule, until: datetime, tally: Tally) -> JsonObject:
    """The head, saying until when its occurrences are made, and how much is planned."""
    over = schedule_.end <= until or slots.is_over(schedule_, until)
    return progress.told(made(head, ALL if over else dates.instant(until)), tally)


def is_foreseen(schedule_: Schedule) -> bool:
    """Whether all of the series counts as planned from its first day."""
    return schedule_.count is not None or schedule_.end - _FORESEEN <= schedule_.start


def ahead(schedule_: Schedule, since: datetime) -> int:
    """How many slots are still to be made from `since` on, of a series that is foreseen; else 0."""
    return len(slots.slots(schedule_, since, dates.FUTURE)) if is_foreseen(schedule_) else 0


class Part(NamedTuple):
    """A part of a head: its id and the Task as it is planned by now."""

    id: str
    task: JsonObject


class Replanned(NamedTuple):
    """What a changed Timing makes of a series: the head, the parts that are changed, and the slots to be made."""

    head: JsonObject
    changed: list[Part]
    slots: list[Slot]


def replanned(
    head: JsonObject, parts: Mapping[str, Part], schedule_: Schedule, until: datetime, now: datetime, partial: Decimal
) -> Replanned:
    """The series by its new schedule: only what lies ahead and is untouched is taken back, moved or made.

    `parts` are all parts of the head by the key of their slot.
    """
    wanted = {slot.key: slot for slot in slots.slots(schedule_, now, until) if slot.start > now}
    stamp = dates.instant(now)
    changed = [
        Part(part.id, told)
        for key, part in parts.items()
        if (told := _replanned(part.task, wanted.get(key), schedule_.zone, now, stamp)) is not part.task
    ]
    kept = {part.id: part.task for part in parts.values()} | {part.id: part.task for part in changed}
    free = [slot for key, slot in wanted.items() if key not in parts]
    tally = Tally()
    for task in kept.values():
        tally = progress.moved(tally, None, task, partial)
    tally = Tally(tally.done, tally.planned + len(free) + ahead(schedule_, until))
    return Replanned(planned_until(head, schedule_, until, tally), changed, free)


def _replanned(task: JsonObject, slot: Slot | None, zone: ZoneInfo, now: datetime, stamp: str) -> JsonObject:
    again = reasons.is_of(task, "replanned")
    if not again and not is_untouched(task, now):
        return task
    if slot is None:
        left = {"status": "cancelled", "statusReason": reasons.of("replanned"), "lastModified": stamp}
        return task if again else {**task, **left}
    due = {**task.get("restriction", {}), "period": window(slot, zone)}
    if again:
        kept = {key: value for key, value in task.items() if key != "statusReason"}
        return {**kept, "status": "ready", "restriction": due, "lastModified": stamp}
    return task if due == task.get("restriction") else {**task, "restriction": due, "lastModified": stamp}


def is_untouched(task: Mapping[str, Any], now: datetime) -> bool:
    """Whether an occurrence lies ahead and nobody has done or said anything about it."""
    if any(name in task for name in ("executionPeriod", "output", "note")):
        return False
    if task.get("status") not in ("requested", "accepted", "ready") and not reasons.rests_with_head(task):
        return False
    start = task.get("restriction", {}).get("period", {}).get("start")
    return start is not None and dates.interval(start).lo > now


def occurrences(
    head: JsonObject, head_id: str, slots_: Iterable[Slot], zone: ZoneInfo, now: datetime
) -> list[tuple[Slot, JsonObject]]:
    """The Tasks of slots."""
    stamp = dates.instant(now)
    return [(slot, occurrence(head, head_id, slot, zone, stamp)) for slot in slots_]


def is_over(task: Mapping[str, Any], now: datetime) -> bool:
    """Whether the window of a Task has ended."""
    end = task.get("restriction", {}).get("period", {}).get("end")
    return end is not None and dates.interval(end).hi <= now
