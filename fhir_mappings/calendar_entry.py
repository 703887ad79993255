"""An assignment as an entry of a calendar, still without the calendar's syntax. Docs: docs/reminders.md, "In a calendar" """

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings import reminder
from fhir_mappings.lifecycle import is_assignment
from fhir_mappings.occurrence import OCCURRENCE, made_until, named
from schemas import dates

_STATES: Final[Mapping[str, str]] = {
    "requested": "open", "received": "open", "accepted": "open", "ready": "open", "in-progress": "begun",
    "completed": "done",
}  # fmt: skip
"""What a calendar shows of; all else was called off, and leaves it."""
STATUSES: Final = ",".join(_STATES)
WHOLE_DAYS: Final = timedelta(hours=20)
"""From this length a window is shown as days, not as an appointment that fills them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to do. `uid` stays while the thing does, `sequence` rises with its versions; times are aware, in the zone.

    `state` is open, begun or done; an `end` of None is open.
    """

    uid: str
    sequence: int
    title: str
    state: str
    start: datetime | None
    end: datetime | None
    changed: datetime
    done: datetime | None

    @property
    def is_whole_days(self) -> bool:
        """Whether it is for a day or days rather than for a time."""
        return self.start is None or self.end is None or self.end - self.start >= WHOLE_DAYS


def entry(task: Mapping[str, Any], version: int, changed: datetime, zone: ZoneInfo) -> Entry | None:
    """The entry of a Task; None of one that is no open or done assignment, of a head whose parts are shown instead."""
    state = _STATES.get(str(task.get("status")))
    is_head = made_until(task) is not None
    if state is None or is_head or task.get("intent") == "proposal" or not is_assignment(task):
        return None
    window = reminder.window(task, zone)
    return Entry(
        named(task, OCCURRENCE) or str(task.get("id")),
        version - 1,
        _title(task),
        state,
        window.lo.astimezone(zone) if window.lo != dates.PAST else None,
        window.hi.astimezone(zone) if window.hi != dates.FUTURE else None,
        changed,
        _done(task, changed) if state == "done" else None,
    )


def _title(task: Mapping[str, Any]) -> str:
    code = task.get("code", {})
    shown = (coding.get("display") for coding in code.get("coding", ()))
    return str(code.get("text") or next(filter(None, shown), None) or task.get("description") or "")


def _done(task: Mapping[str, Any], changed: datetime) -> datetime:
    ended = task.get("executionPeriod", {}).get("end")
    return dates.interval(ended).lo if ended is not None else changed
