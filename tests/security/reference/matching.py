"""What a search parameter finds, said plainly on JSON, for as many parameters as the comparison asks about. docs/search.md"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Resource = dict[str, Any]

TOKEN, REFERENCE, DATE, STRING = "token", "reference", "date", "string"
PARAMETERS: Final[dict[str, dict[str, tuple[str, tuple[str, ...]]]]] = {
    "Patient": {
        "family": (STRING, ("name.family",)),
        "gender": (TOKEN, ("gender",)),
        "birthdate": (DATE, ("birthDate",)),
        "identifier": (TOKEN, ("identifier",)),
        "general-practitioner": (REFERENCE, ("generalPractitioner",)),
    },
    "Observation": {
        "status": (TOKEN, ("status",)),
        "code": (TOKEN, ("code",)),
        "subject": (REFERENCE, ("subject",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "performer": (REFERENCE, ("performer",)),
        "date": (DATE, ("effectiveDateTime",)),
        "has-member": (REFERENCE, ("hasMember",)),
        "derived-from": (REFERENCE, ("derivedFrom",)),
        "encounter": (REFERENCE, ("encounter",)),
    },
    "Task": {
        "status": (TOKEN, ("status",)),
        "owner": (REFERENCE, ("owner",)),
        "patient": (REFERENCE, ("for>Patient",)),
        "subject": (REFERENCE, ("for",)),
        "part-of": (REFERENCE, ("partOf",)),
        "requester": (REFERENCE, ("requester",)),
        "authored-on": (DATE, ("authoredOn",)),
        "focus": (REFERENCE, ("focus",)),
    },
    "QuestionnaireResponse": {
        "status": (TOKEN, ("status",)),
        "subject": (REFERENCE, ("subject",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "author": (REFERENCE, ("author",)),
        "source": (REFERENCE, ("source",)),
        "authored": (DATE, ("authored",)),
    },
    "Goal": {
        "lifecycle-status": (TOKEN, ("lifecycleStatus",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "start-date": (DATE, ("startDate",)),
    },
    "CarePlan": {
        "status": (TOKEN, ("status",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "goal": (REFERENCE, ("goal",)),
        "performer": (REFERENCE, ("activity.detail.performer",)),
    },
    "Communication": {
        "status": (TOKEN, ("status",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "sender": (REFERENCE, ("sender",)),
        "recipient": (REFERENCE, ("recipient",)),
        "sent": (DATE, ("sent",)),
    },
    "DocumentReference": {
        "status": (TOKEN, ("status",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "author": (REFERENCE, ("author",)),
        "date": (DATE, ("date",)),
    },
    "Provenance": {
        "target": (REFERENCE, ("target",)),
        "agent": (REFERENCE, ("agent.who",)),
        "recorded": (DATE, ("recorded",)),
        "patient": (REFERENCE, ("target>Patient",)),
    },
    "Group": {"member": (REFERENCE, ("member.entity",)), "type": (TOKEN, ("type",))},
    "CareTeam": {
        "status": (TOKEN, ("status",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "participant": (REFERENCE, ("participant.member",)),
    },
    "Encounter": {
        "status": (TOKEN, ("status",)),
        "patient": (REFERENCE, ("subject>Patient",)),
        "participant": (REFERENCE, ("participant.individual",)),
    },
    "Consent": {"status": (TOKEN, ("status",)), "patient": (REFERENCE, ("patient",))},
    "RelatedPerson": {"patient": (REFERENCE, ("patient",)), "active": (TOKEN, ("active",))},
    "Questionnaire": {"status": (TOKEN, ("status",)), "title": (STRING, ("title",))},
    "Organization": {"name": (STRING, ("name",)), "active": (TOKEN, ("active",))},
    "Practitioner": {"family": (STRING, ("name.family",)), "active": (TOKEN, ("active",))},
    "PractitionerRole": {"practitioner": (REFERENCE, ("practitioner",)), "active": (TOKEN, ("active",))},
}
"""By type and code: the kind of parameter and the paths it takes its values from; `>Patient` keeps references to that type."""
EVERYWHERE: Final = {"_id": (TOKEN, ("id",)), "_security": (TOKEN, ("meta.security",)), "_tag": (TOKEN, ("meta.tag",))}

Seen = Callable[[str], Iterable[Resource]]
"""The resources of a type that may be searched."""


def parameter(type_name: str, code: str) -> tuple[str, tuple[str, ...]]:
    """The kind and paths of a parameter."""
    return EVERYWHERE.get(code) or PARAMETERS[type_name][code]


def values(resource: Resource, code: str, base: str) -> list[Any]:
    """What the resource has for a parameter; references as `Type/id`."""
    kind, paths = parameter(resource["resourceType"], code)
    found: list[Any] = []
    for path in paths:
        dotted, _, only = path.partition(">")
        items: list[Any] = [resource]
        for name in dotted.split("."):
            items = [each[name] for each in items if isinstance(each, dict) and name in each]
            items = [one for each in items for one in (each if isinstance(each, list) else [each])]
        if kind == REFERENCE:
            items = [each.get("reference", "").removeprefix(f"{base}/") for each in items]
            items = [each for each in items if each and each.startswith(f"{only}/" if only else "")]
        found += items
    return found


def matches_all(resource: Resource, criteria: Iterable[tuple[str, str]], base: str, seen: Seen | None = None) -> bool:
    """Whether all of the criteria hold."""
    return all(matches(resource, name, value, base, seen) for name, value in criteria)


def matches(resource: Resource, name: str, value: str, base: str, seen: Seen | None = None) -> bool:
    """Whether one (parameter, value) holds; chains and `_has` are followed through what `seen` gives."""
    if name.startswith("_has:"):
        _, of, by, rest = name.split(":", 3)
        me = f"{resource['resourceType']}/{resource['id']}"
        return any(
            me in values(each, by, base) and matches(each, rest, value, base, seen) for each in (seen or _none)(of)
        )
    if "." in name:
        head, _, rest = name.partition(".")
        code, _, target = head.partition(":")
        named = values(resource, code, base)
        types = {each.partition("/")[0] for each in named} if not target else {target}
        return any(
            f"{of}/{each['id']}" in named and matches(each, rest, value, base, seen)
            for of in sorted(types)
            if rest.startswith("_") or rest.partition(":")[0].partition(".")[0] in PARAMETERS.get(of, {})
            for each in (seen or _none)(of)
        )
    code, _, modifier = name.partition(":")
    held = values(resource, code, base)
    if modifier == "missing":
        return (not held) is (value == "true")
    kind, _ = parameter(resource["resourceType"], code)
    found = any(_FINDS[kind](each, wanted, modifier) for each in held for wanted in value.split(","))
    return not found if modifier == "not" else found


def _none(_: str) -> Iterable[Resource]:
    return ()


def _token(held: Any, wanted: str, _: str) -> bool:
    system, bar, code = wanted.rpartition("|")
    if isinstance(held, bool):
        return code == ("true" if held else "false")
    if isinstance(held, str):
        return held == code
    codings = held.get("coding", [held])
    for coding in codings:
        said = coding.get("code", coding.get("value"))
        if said == code and (not bar or coding.get("system", "") == system):
            return True
    return False


def _reference(held: str, wanted: str, modifier: str) -> bool:
    if modifier:
        return held == f"{modifier}/{wanted}"
    return held == wanted or ("/" not in wanted and held.partition("/")[2] == wanted)


def _string(held: str, wanted: str, modifier: str) -> bool:
    if modifier == "exact":
        return held == wanted
    return held.lower().startswith(wanted.lower())


def _date(held: str, wanted: str, _: str) -> bool:
    prefix, text = (wanted[:2], wanted[2:]) if re.match("[a-z]{2}", wanted) else ("eq", wanted)
    low, high = span(held)
    start, end = span(text)
    return {
        "eq": start <= low and high <= end,
        "ge": start <= low or high > end,
        "gt": high > end,
        "le": low < start or high <= end,
        "lt": low < start,
    }[prefix]


_FINDS: Final[dict[str, Callable[[Any, str, str], bool]]] = {
    TOKEN: _token,
    REFERENCE: _reference,
    STRING: _string,
    DATE: _date,
}


def span(text: str) -> tuple[datetime, datetime]:
    """The time that a date of any precision covers, its end excluded."""
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
    if len(text) == 7:
        start = datetime.fromisoformat(f"{text}-01").replace(tzinfo=UTC)
        return start, (start + timedelta(days=32)).replace(day=1)
    start = datetime.fromisoformat(text)
    if len(text) == 10:
        return start.replace(tzinfo=UTC), start.replace(tzinfo=UTC) + timedelta(days=1)
    return start, start + timedelta(seconds=1)
