"""One time of a series as a Task of its own: what it has from the head, and what is its own. https://hl7.org/fhir/R4/task.html

docs/homework.md, "Series". An occurrence is named by its head, its day on the client's calendar and its name within that day,
so that whoever makes it makes the same.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings.slots import Slot
from schemas import dates, ids
from schemas.library import BASE

JsonObject = dict[str, Any]
OCCURRENCE: Final = f"{BASE}/NamingSystem/occurrence"
"""Identifiers of occurrences: `{head id}/{local date}/{slot}`."""
MEMBER: Final = f"{BASE}/NamingSystem/group-member"
"""Identifiers of what a member of a group does of the group's homework: `{head id}/{Patient id}`."""
STEP: Final = f"{BASE}/NamingSystem/homework-step"
"""Identifiers of the smaller steps that an assignment was made into: `{head id}/{number}`."""
PARTS: Final = (OCCURRENCE, MEMBER, STEP)
REPLACES: Final = "http://hl7.org/fhir/StructureDefinition/task-replaces"
_COPIED: Final = (
    "language", "contained", "instantiatesCanonical", "instantiatesUri", "basedOn", "groupIdentifier", "priority", "code",
    "description", "focus", "for", "encounter", "authoredOn", "requester", "performerType", "owner", "location", "reasonCode",
    "reasonReference", "insurance", "input",
)  # fmt: skip
"""What an occurrence has from its head; the rest of it says where the head stands."""
_LABELS: Final = ("profile", "security", "tag")
PARTS_MADE: Final = f"{BASE}/StructureDefinition/parts-made"
"""Extension of a head: until when its occurrences are made (valueDateTime), or what is made of it (valueCode ALL, MEMBERS)."""
ALL: Final = "all"
MEMBERS: Final = "members"
_SECOND: Final = timedelta(seconds=1)


def identity(tenant_id: int, system: str, value: str) -> str:
    """The id of the Task with this identifier: the same for every worker that makes it."""
    return str(ids.key(tenant_id, "Task", f"{system}|{value}"))


def named(task: Mapping[str, Any], system: str) -> str | None:
    """The value of the Task's identifier of this system."""
    found = (each.get("value") for each in task.get("identifier", ()) if each.get("system") == system)
    return next(found, None)


def is_occurrence(task: Mapping[str, Any]) -> bool:
    """Whether it is one time of a series."""
    return named(task, OCCURRENCE) is not None


def is_part(task: Mapping[str, Any]) -> bool:
    """Whether it is a part that its head follows."""
    return any(each.get("system") in PARTS for each in task.get("identifier", ()))


def made_until(head: Mapping[str, Any]) -> str | None:
    """Until when the parts of a head are made, or ALL or MEMBERS; None of a Task that is no head."""
    for each in head.get("extension", ()):
        if each.get("url") == PARTS_MADE:
            return str(each.get("valueDateTime") or each.get("valueCode"))
    return None


def made(head: JsonObject, until: str) -> JsonObject:
    """The head, saying that its parts are made until then, or ALL, or MEMBERS."""
    if made_until(head) == until:
        return head
    value = {"valueCode": until} if until in (ALL, MEMBERS) else {"valueDateTime": until}
    kept = [each for each in head.get("extension", ()) if each.get("url") != PARTS_MADE]
    return {**head, "extension": [*kept, {"url": PARTS_MADE, **value}]}


def parents(task: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the Tasks that it is a part of."""
    return _ids(task.get("partOf", ()), "Task/")


def requests(task: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the ServiceRequests that it is based on."""
    return _ids(task.get("basedOn", ()), "ServiceRequest/")


def _ids(references: Any, start: str) -> Iterator[str]:
    for each in references:
        text = each.get("reference", "")
        if text.startswith(start):
            yield text.removeprefix(start).partition("/")[0]


def child(head: Mapping[str, Any], head_id: str, system: str, name: str, now: str) -> JsonObject:
    """A part of what the head asks for, ready to be done; the head's `restriction` and what came of it are not its own."""
    made: JsonObject = {"resourceType": "Task"}
    labels = {key: head["meta"][key] for key in _LABELS if key in head.get("meta", {})}
    if labels:
        made["meta"] = labels
    extensions = [each for each in head.get("extension", ()) if each.get("url") not in (REPLACES, PARTS_MADE)]
    if extensions:
        made["extension"] = extensions
    made |= {key: head[key] for key in _COPIED if key in head}
    made |= {
        "identifier": [{"system": system, "value": f"{head_id}/{name}"}],
        "partOf": [{"reference": f"Task/{head_id}"}],
        "status": "ready",
        "intent": "instance-order",
        "lastModified": now,
    }
    return made


def occurrence(head: Mapping[str, Any], head_id: str, slot: Slot, zone: ZoneInfo, now: str) -> JsonObject:
    """The Task of one slot."""
    made = child(head, head_id, OCCURRENCE, slot.key, now)
    recipients = {key: value for key, value in head.get("restriction", {}).items() if key == "recipient"}
    return {**made, "restriction": {**recipients, "period": window(slot, zone)}}


def window(slot: Slot, zone: ZoneInfo) -> JsonObject:
    """When it is due, by the client's clock: its end is the last second that counts, as a Period's end is."""
    period = {"start": written(slot.start, zone)}
    return period if slot.end == dates.FUTURE else {**period, "end": written(slot.end - _SECOND, zone)}


def written(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as a FHIR dateTime, as clocks in the zone show it."""
    return moment.astimezone(zone).isoformat(timespec="seconds")
