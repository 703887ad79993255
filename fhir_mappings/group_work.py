"""Homework of a group: each member's share of it, and what may be told of all shares together.

https://hl7.org/fhir/R4/group.html
The group's own Task is for those who lead it. Each member has a Task that names nobody else; of all of them only counts are
told, and only where the group is large enough that a count is nobody's.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from fhir_mappings import progress
from fhir_mappings.occurrence import MEMBER, child
from schemas import dates

JsonObject = dict[str, Any]
_PATIENT: Final = "Patient/"


def group_of(task: Mapping[str, Any]) -> str | None:
    """The id of the Group whose homework the Task is."""
    whose = str(task.get("for", {}).get("reference", ""))
    return whose.removeprefix("Group/") if whose.startswith("Group/") else None


def members(group: Mapping[str, Any], now: datetime) -> list[str]:
    """The ids of the Patients who are members now, or will be; who is inactive or has left is none."""
    if group.get("active") is False:
        return []
    named = [
        each.get("entity", {}).get("reference", "")
        for each in group.get("member", ())
        if not each.get("inactive") and not _has_left(each.get("period", {}), now)
    ]
    return list(dict.fromkeys(each.removeprefix(_PATIENT) for each in named if each.startswith(_PATIENT)))


def _has_left(period: Mapping[str, Any], now: datetime) -> bool:
    return "end" in period and dates.interval(period["end"]).hi <= now


def share(head: Mapping[str, Any], head_id: str, name: str, patient: str, now: str) -> JsonObject:
    """One member's Task of the group's homework; `name` is what is unique about it below the head."""
    made = child(head, head_id, MEMBER, name, now)
    whose = {"reference": _PATIENT + patient}
    made |= {"for": whose, "owner": dict(whose)}
    period = head.get("restriction", {}).get("period")
    return made if period is None else {**made, "restriction": {"period": period}}


class Together(NamedTuple):
    """What a group did: how many members have a share, how many have begun with it, what was done of all that is planned."""

    members: int
    begun: int
    done: Decimal
    planned: int


def together(shares: Sequence[Mapping[str, Any]], minimum: int, partial: Decimal) -> Together | None:
    """The shares counted, without names; None where fewer than `minimum` members have one.

    A share that is a series counts each of its times.
    """
    current = [each for each in shares if progress.is_planned(each)]
    if len({each.get("for", {}).get("reference") for each in current}) < minimum:
        return None
    done, planned = Decimal(0), 0
    for each in current:
        of_series = progress.tally_of(each)
        done += of_series.done if of_series.planned else progress.weight(each, partial)
        planned += of_series.planned or 1
    begun = sum(each.get("status") in ("in-progress", "completed") for each in current)
    return Together(len(current), begun, done, planned)


def counter(counts: Iterable[tuple[str, int]], size: int, minimum: int) -> int | None:
    """What the members of a group of `size` counted together (kind acts, say), from (member, count); None below `minimum`.

    It takes as many members who counted something, so that a sum of one or two does not tell what these did.
    """
    found = [(member, number) for member, number in counts if number]
    if size < minimum or len({member for member, _ in found}) < minimum:
        return None
    return sum(number for _, number in found)
