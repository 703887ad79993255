"""How far a head has got: its parts counted, and the state that follows from them. https://hl7.org/fhir/R4/task.html

The ratio is in Task.output: done (a part counts a part) of all that is planned, to the end of the series where it has one, else
as far as it is planned by now. What was paused, declined, replaced, stopped or entered in error is not planned any more.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from fhir_mappings import adherence, reasons
from fhir_mappings.lifecycle import BUSINESS_STATUS, UNSEEN
from schemas.library import BASE

JsonObject = dict[str, Any]
_TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
_UCUM: Final = {"system": "http://unitsofmeasure.org", "code": "1"}
_NOT_BEGUN: Final = frozenset(("accepted", "ready"))


class Tally(NamedTuple):
    """What was done, in which parts count as parts, and how much was planned."""

    done: Decimal = Decimal(0)
    planned: int = 0


def is_planned(task: Mapping[str, Any]) -> bool:
    """Whether a part belongs to what is planned: it is not paused, declined, replaced, stopped or entered in error."""
    return task.get("status") not in UNSEEN and adherence.outcome(task) != adherence.LEFT_OUT


def weight(task: Mapping[str, Any], partial: Decimal) -> Decimal:
    """What a part adds to what is done: 1, or `partial` where a part of it is done."""
    if task.get("status") != "completed":
        return Decimal(0)
    return partial if adherence.outcome(task) == adherence.PARTLY else Decimal(1)


def moved(tally: Tally, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, partial: Decimal) -> Tally:
    """The tally once a part that was `before` is `after`; None where there is none."""
    done, planned = tally
    for task, sign in ((before, -1), (after, 1)):
        if task is not None and is_planned(task):
            done += sign * weight(task, partial)
            planned += sign
    return Tally(max(done, Decimal(0)), max(planned, 0))


def tally_of(head: Mapping[str, Any]) -> Tally:
    """What the head says of its parts."""
    for row in head.get("output", ()):
        if _is_progress(row):
            ratio = row["valueRatio"]
            done, planned = (ratio.get(name, {}).get("value", 0) for name in ("numerator", "denominator"))
            return Tally(Decimal(str(done)), int(planned))
    return Tally()


def told(head: JsonObject, tally: Tally) -> JsonObject:
    """The head with this tally in its output; the same object where it says so already."""
    if tally == tally_of(head):
        return head
    # 1.50 and 1.5 are one number, of which the shorter is told.
    ratio = {
        "numerator": {"value": tally.done.normalize() if tally.done % 1 else int(tally.done), **_UCUM},
        "denominator": {"value": tally.planned, **_UCUM},
    }
    row = {"type": {"coding": [{"system": _TASK_IO, "code": "progress"}]}, "valueRatio": ratio}
    kept = [each for each in head.get("output", ()) if not _is_progress(each)]
    return {**head, "output": [*kept, row]}


def _is_progress(row: Mapping[str, Any]) -> bool:
    codes = {(each.get("system"), each.get("code")) for each in row.get("type", {}).get("coding", ())}
    return (_TASK_IO, "progress") in codes and "valueRatio" in row


def begun(head: JsonObject, now: str) -> JsonObject:
    """The head once a part of it is begun."""
    if head.get("status") not in _NOT_BEGUN:
        return head
    period = {"start": now, **head.get("executionPeriod", {})}
    return {**head, "status": "in-progress", "executionPeriod": period, "lastModified": now}


def ended(head: JsonObject, now: str) -> JsonObject:
    """The head once nothing of it is open: completed where anything was done or begun, else not this time."""
    tally = tally_of(head)
    over = {key: value for key, value in head.items() if key != "statusReason"} | {"lastModified": now}
    if not tally.done and "start" not in head.get("executionPeriod", {}):
        said = {"status": "cancelled", "statusReason": reasons.of("window-elapsed")}
        return {**over, **said, **(business("missed") if tally.planned else {})}
    period = {"start": now, **head.get("executionPeriod", {}), "end": now}
    word = "done" if tally.done >= tally.planned else "partially-done"
    return {**over, "status": "completed", **business(word), "executionPeriod": period}


def business(code: str) -> JsonObject:
    """Task.businessStatus as a member to be merged in."""
    return {"businessStatus": {"coding": [{"system": BUSINESS_STATUS, "code": code}]}}
