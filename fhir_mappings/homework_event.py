"""What happened to homework, in the words that webhooks use. Docs: docs/webhooks.md

An event follows from two versions of one resource, so that whoever looks at them finds the same.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from fhir_mappings import adherence
from fhir_mappings.lifecycle import UNSEEN, is_assignment

JsonObject = Mapping[str, Any]
_OF_TASK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "in-progress": "assignment.started",
        "completed": "assignment.completed",
        "rejected": "assignment.declined",
        "on-hold": "assignment.paused",
        "cancelled": "assignment.cancelled",
    }
)
_NOT_DONE: Final = frozenset(("failed", "cancelled"))
_OF_RESPONSE: Final[Mapping[str, str]] = MappingProxyType(
    {"completed": "response.submitted", "amended": "response.amended"}
)
EVENTS: Final = (
    "assignment.created", "assignment.started", "assignment.completed", "assignment.declined", "assignment.paused",
    "assignment.cancelled", "assignment.missed", "proposal.made", "response.submitted", "response.amended", "risk.raised",
)  # fmt: skip
"""All that can be listened to."""


class Event(NamedTuple):
    """One event: what happened, to which version of which resource."""

    event: str
    type: str
    id: str
    version: int


def events(type_name: str, before: JsonObject | None, after: JsonObject | None) -> tuple[str, ...]:
    """The events of a change from `before` (None: it is new) to `after` (None: it is deleted)."""
    read = _READ.get(type_name)
    return () if read is None or after is None else tuple(read(before or {}, after))


def _of_task(before: JsonObject, after: JsonObject) -> Iterator[str]:
    was, status = before.get("status"), str(after.get("status"))
    if status == was or not is_assignment(after):
        return
    if after.get("intent") == "proposal":
        if was is None:
            yield "proposal.made"
        return
    # An occurrence is no new assignment: its head was one.
    if (was is None or was in UNSEEN) and status not in UNSEEN and adherence.head_of(after) is None:
        yield "assignment.created"
    if status in _NOT_DONE and adherence.outcome(after) == adherence.NOT_DONE:
        yield "assignment.missed"
    elif status in _OF_TASK:
        yield _OF_TASK[status]


def _of_response(before: JsonObject, after: JsonObject) -> Iterator[str]:
    status = str(after.get("status"))
    if status != before.get("status") and status in _OF_RESPONSE:
        yield _OF_RESPONSE[status]


def _of_flag(before: JsonObject, after: JsonObject) -> Iterator[str]:
    codes = {coding.get("code") for category in after.get("category", ()) for coding in category.get("coding", ())}
    if "safety" in codes and after.get("status") == "active" != before.get("status"):
        yield "risk.raised"


_READ: Final[Mapping[str, Callable[[JsonObject, JsonObject], Iterator[str]]]] = {
    "Task": _of_task,
    "QuestionnaireResponse": _of_response,
    "Flag": _of_flag,
}
TYPES: Final = tuple(_READ)
"""The types whose changes are told of."""
