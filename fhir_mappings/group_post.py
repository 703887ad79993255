"""What somebody writes for a whole group, and what each member gets of it. https://hl7.org/fhir/R4/communication.html

A post is a Communication to a Group. It waits (`preparation`) until a therapist lets it out (`completed`); then each member
has one of their own, that names nobody but themselves. Docs: docs/homework.md, "Groups".
"""

from collections.abc import Mapping
from typing import Any, Final

from fhir_mappings.observation import labels
from schemas import references
from schemas.library import BASE

JsonObject = dict[str, Any]
POST: Final = f"{BASE}/NamingSystem/group-post"
"""Identifiers of what a member gets of a post: `{post id}/{Patient id}`."""
_KEPT: Final = ("language", "category", "priority", "medium", "topic", "payload", "note")
"""What a member gets as it was written."""
_REFERENCES: Final = ("subject", "sender", "recipient", "inResponseTo")
_WORDS: Final = ("payload", "note", "topic")
"""What nobody has any more once it was taken back."""
_STAFF: Final = ("Practitioner/", "PractitionerRole/")


def local(message: Mapping[str, Any] | None, base: str) -> JsonObject | None:
    """The message with references to what is here as `Type/id`, however they are written."""
    if message is None:
        return None
    named = {name: message[name] for name in _REFERENCES if name in message}
    return {**message, **{name: _local(value, base) for name, value in named.items()}}


def _local(value: Any, base: str) -> Any:
    if isinstance(value, list):
        return [_local(each, base) for each in value]
    found = references.literal(value.get("reference", ""))
    if found is None or found.base not in (None, base):
        return value
    return {**value, "reference": f"{found.type}/{found.id}"}


def group_of(message: Mapping[str, Any] | None) -> str | None:
    """The id of the Group that it is for."""
    return next((each.removeprefix("Group/") for each in _recipients(message) if each.startswith("Group/")), None)


def author_of(message: Mapping[str, Any] | None) -> str | None:
    """The Patient in whose record it is, as a reference."""
    whose = str((message or {}).get("subject", {}).get("reference", ""))
    return whose if whose.startswith("Patient/") else None


def is_out(message: Mapping[str, Any] | None) -> bool:
    """Whether the group has it."""
    return (message or {}).get("status") == "completed"


def goes_past(message: Mapping[str, Any] | None) -> str | None:
    """The element by which it would get into another Patient's record, if one does."""
    said = (message or {}).get("sender", {}).get("reference", "")
    for element, named in (("recipient", _recipients(message)), ("sender", [str(said)])):
        if any(each.startswith("Patient/") and each != author_of(message) for each in named):
            return element
    return None


def _recipients(message: Mapping[str, Any] | None) -> list[str]:
    return [str(each.get("reference", "")) for each in (message or {}).get("recipient", ())]


def name(post_id: str, patient: str) -> str:
    """What is unique about what one member gets of a post."""
    return f"{post_id}/{patient.removeprefix('Patient/')}"


def post_of(message: Mapping[str, Any]) -> str | None:
    """The id of the post that a member's Communication is of."""
    found = (str(each.get("value", "")) for each in message.get("identifier", ()) if each.get("system") == POST)
    return next((each.partition("/")[0] for each in found), None)


def told(post: Mapping[str, Any], post_id: str, patient: str, now: str, answers: str | None) -> JsonObject:
    """What one member gets: the words, and of a member who wrote them only a name that they gave themselves.

    `answers` is what the member has of the post that this one answers, as a reference.
    """
    whose = {"reference": patient}
    return {
        "resourceType": "Communication",
        "meta": labels(post),
        "identifier": [{"system": POST, "value": name(post_id, patient)}],
        "partOf": [{"reference": f"Communication/{post_id}"}],
        **({"inResponseTo": [{"reference": answers}]} if answers else {}),
        "status": "completed" if is_out(post) else "entered-in-error",
        "subject": whose,
        "recipient": [dict(whose)],
        "sent": post.get("sent", now),
        **_sender(post.get("sender", {})),
        **{member: post[member] for member in _KEPT if member in post and (is_out(post) or member not in _WORDS)},
    }


def _sender(sender: Mapping[str, Any]) -> JsonObject:
    if str(sender.get("reference", "")).startswith(_STAFF):
        return {"sender": dict(sender)}
    return {"sender": {"display": sender["display"]}} if "display" in sender else {}
