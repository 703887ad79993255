"""How many minutes of homework are due in a week. https://hl7.org/fhir/R4/datatypes.html#Timing"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from fhir_mappings.occurrence import made_until, requests
from schemas import dates

WEEK: Final = timedelta(days=7)
LIVE: Final = frozenset(("requested", "received", "accepted", "ready", "in-progress"))
"""The states of what a client still has before them."""
_MINUTES: Final = {"s": Decimal(1) / 60, "min": Decimal(1), "h": Decimal(60), "d": Decimal(1440)}


def minutes(request: Mapping[str, Any]) -> Decimal:
    """How long each time takes by its prescription; 0 where that does not say it."""
    repeat = request.get("occurrenceTiming", {}).get("repeat", {})
    return Decimal(repeat.get("duration", 0)) * _MINUTES.get(repeat.get("durationUnit", ""), Decimal(0))


def week(tasks: Iterable[Mapping[str, Any]], prescribed: Mapping[str, Mapping[str, Any]], now: datetime) -> int:
    """The minutes of all that is due within the seven days from `now`; `prescribed` are the requests by their ids.

    The head of a series or of steps is left out: its parts are counted.
    """
    due = (task for task in tasks if made_until(task) is None and task.get("status") in LIVE and _is_due(task, now))
    named = (next((prescribed[each] for each in requests(task) if each in prescribed), {}) for task in due)
    return round(sum((minutes(each) for each in named), Decimal(0)))


def _is_due(task: Mapping[str, Any], now: datetime) -> bool:
    end = task.get("restriction", {}).get("period", {}).get("end")
    return end is not None and now < dates.interval(end).hi <= now + WEEK
