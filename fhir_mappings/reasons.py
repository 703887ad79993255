"""Why a Task is as it is, where the server says it: Task.statusReason, in words that blame nobody.

https://hl7.org/fhir/R4/task-definitions.html#Task.statusReason
A pause says in it until when it lasts, and of a part that rests with its head what it was before: both go when the status does.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.library import BASE

JsonObject = dict[str, Any]
BARRIER: Final = f"{BASE}/CodeSystem/homework-barrier"
REASON: Final = f"{BASE}/CodeSystem/homework-reason"
PAUSED_UNTIL: Final = f"{BASE}/StructureDefinition/paused-until"
"""Extension of statusReason (valueDateTime): when what is on hold goes on by itself."""
FORMER_STATUS: Final = f"{BASE}/StructureDefinition/former-status"
"""Extension of statusReason (valueCode): what a part was before it rested with its head."""
CODES: Final = {
    "window-elapsed": (BARRIER, "The time for it passed"),
    "stopped": (REASON, "No longer asked for"),
    "closed": (REASON, "The whole of it is finished"),
    "replanned": (REASON, "Planned anew"),
    "paused": (REASON, "It was a pause"),
    "carried-over": (REASON, "Taken up again in a new assignment"),
    "split": (REASON, "Made into smaller steps"),
    "left-group": (REASON, "No longer part of the group"),
}
"""By code: its system and what it is called there."""


def of(code: str) -> JsonObject:
    """A statusReason of the server's."""
    system, display = CODES[code]
    return {"coding": [{"system": system, "code": code, "display": display}]}


def is_of(task: Mapping[str, Any], code: str) -> bool:
    """Whether the server gave this reason."""
    codings = task.get("statusReason", {}).get("coding", ())
    return any((each.get("system"), each.get("code")) == (CODES[code][0], code) for each in codings)


def paused_until(task: Mapping[str, Any]) -> str | None:
    """When what is on hold goes on by itself, a FHIR date or dateTime."""
    found = _extension(task, PAUSED_UNTIL)
    return None if found is None or task.get("status") != "on-hold" else str(found.get("valueDateTime", "")) or None


def until(reason: JsonObject, moment: str) -> JsonObject:
    """The reason of a pause that ends at `moment`."""
    kept = [each for each in reason.get("extension", ()) if each.get("url") != PAUSED_UNTIL]
    return {**reason, "extension": [*kept, {"url": PAUSED_UNTIL, "valueDateTime": moment}]}


def suspended(part: Mapping[str, Any], head: Mapping[str, Any], now: str) -> JsonObject:
    """The part, resting with its head for the head's reason."""
    reason = {key: value for key, value in head.get("statusReason", {}).items() if key != "extension"}
    former = {"url": FORMER_STATUS, "valueCode": part["status"]}
    return {
        **part,
        "status": "on-hold",
        "statusReason": {**(reason or of("paused")), "extension": [former]},
        "lastModified": now,
    }


def rests_with_head(part: Mapping[str, Any]) -> bool:
    """Whether the part is on hold because its head is, or was."""
    return part.get("status") == "on-hold" and _extension(part, FORMER_STATUS) is not None


def resumed(part: Mapping[str, Any], now: str) -> JsonObject:
    """What was on hold, as it was before."""
    former = (_extension(part, FORMER_STATUS) or {}).get("valueCode")
    started = "start" in part.get("executionPeriod", {})
    kept = {key: value for key, value in part.items() if key != "statusReason"}
    return {**kept, "status": former or ("in-progress" if started else "ready"), "lastModified": now}


def _extension(task: Mapping[str, Any], url: str) -> Mapping[str, Any] | None:
    reason = task.get("statusReason", {})
    return next((each for each in reason.get("extension", ()) if each.get("url") == url), None)
