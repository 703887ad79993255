"""Invariants of Bundle, Parameters and of every resource that contains others. https://hl7.org/fhir/R4/bundle.html"""

from collections.abc import Iterator
from typing import Any, Final

from schemas.invariants.rule import Holds, Json, Rule, each_broken, has, has_choice, some_of

_REQUESTED: Final = frozenset(["batch", "transaction", "history"])
_ANSWERED: Final = frozenset(["batch-response", "transaction-response", "history"])


def _entries_have(name: str, kinds: frozenset[str]) -> Rule:
    """Entries have `name` in these kinds of Bundle, and only there."""

    def faulty(value: Json) -> Iterator[str]:
        for index, entry in enumerate(value.get("entry", ())):
            if (name in entry) != (value.get("type") in kinds):
                yield f".entry[{index}].{name}"

    key = {"request": "bdl-3", "response": "bdl-4"}[name]
    return each_broken(
        key, f"Every entry has {name} in a Bundle of type {', '.join(sorted(kinds))}, none has it in others", faulty
    )


def bdl_2_faults(value: Json) -> Iterator[str]:
    for index, entry in enumerate(value.get("entry", ()) if value.get("type") != "searchset" else ()):
        if "search" in entry:
            yield f".entry[{index}].search"


def bdl_7_faults(value: Json) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(value.get("entry", ()) if value.get("type") != "history" else ()):
        if "fullUrl" in entry:
            meta = entry.get("resource", {}).get("meta")
            version = str(meta.get("versionId", "")) if isinstance(meta, dict) else ""
            if (entry["fullUrl"], version) in seen:
                yield f".entry[{index}].fullUrl"
            seen.add((entry["fullUrl"], version))


def _first_is(kind: str, resource_type: str) -> Holds:
    """The first entry of a Bundle of this kind holds a resource of this type."""

    def holds(value: Json) -> bool:
        if value.get("type") != kind:
            return True
        entries = value.get("entry", ())
        return bool(entries) and entries[0].get("resource", {}).get("resourceType") == resource_type

    return holds


def bdl_9(value: Json) -> bool:
    identifier = value.get("identifier", {})
    return value.get("type") != "document" or (has(identifier, "system") and has(identifier, "value"))


def parameter_inv_1(value: Json) -> bool:
    filled = has_choice(value, "value") + ("resource" in value)
    return filled == 0 if "part" in value else filled == 1


def _contained(key: str, says: str, *path: str) -> Rule:
    """No contained resource has the element at `path`."""

    def faulty(value: Json) -> Iterator[str]:
        for index, each in enumerate(value.get("contained", ())):
            found: Any = each
            for name in path:
                found = found.get(name) if isinstance(found, dict) else None
            if found is not None:
                yield f".contained[{index}].{'.'.join(path)}"

    return each_broken(key, says, faulty)


def dom_3_faults(value: Json) -> Iterator[str]:
    """Places of contained resources that nothing refers to, and that do not refer to what contains them."""
    if "contained" not in value:
        return
    said = set(_strings(value))
    for index, each in enumerate(value["contained"]):
        if f"#{each.get('id')}" not in said and "#" not in _strings(each):
            yield f".contained[{index}]"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child)


BUNDLES: Final[dict[str, tuple[Rule, ...]]] = {
    "DomainResource": (
        _contained("dom-2", "A contained resource contains no others", "contained"),
        each_broken("dom-3", "Each contained resource must be referred to, as #id", dom_3_faults),
        _contained("dom-4", "A contained resource has no version", "meta", "versionId"),
        _contained("dom-4", "A contained resource has no time of update", "meta", "lastUpdated"),
        _contained("dom-5", "A contained resource has no security labels", "meta", "security"),
    ),
    "Bundle": (
        Rule(
            "bdl-1",
            "Only a searchset or history has total",
            lambda value: not has(value, "total") or value.get("type") in ("searchset", "history"),
        ),
        each_broken("bdl-2", "Only entries of a searchset have search", bdl_2_faults),
        _entries_have("request", _REQUESTED),
        _entries_have("response", _ANSWERED),
        each_broken("bdl-7", "fullUrl and version must be unique in a Bundle", bdl_7_faults),
        Rule("bdl-9", "A document needs an identifier with system and value", bdl_9),
        Rule(
            "bdl-10",
            "A document needs a timestamp",
            lambda value: value.get("type") != "document" or "timestamp" in value,
        ),
        Rule("bdl-11", "The first entry of a document is a Composition", _first_is("document", "Composition")),
        Rule("bdl-12", "The first entry of a message is a MessageHeader", _first_is("message", "MessageHeader")),
    ),
    "Bundle.entry": (
        Rule("bdl-5", "An entry needs resource, request or response", some_of("resource", "request", "response")),
        Rule("bdl-8", "fullUrl names no version", lambda value: "/_history/" not in value.get("fullUrl", "")),
    ),
    "Parameters.parameter": (Rule("inv-1", "A parameter has one of value, resource and part", parameter_inv_1),),
}
