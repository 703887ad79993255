"""Parts of resources as plain values: whose id a reference names, which word a concept has. https://hl7.org/fhir/R4/datatypes.html"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemas import references

JsonObject = dict[str, Any]


def id_of(reference: Mapping[str, Any] | None, type_name: str) -> str | None:
    """The id in a reference to a resource of this type."""
    found = references.literal((reference or {}).get("reference", ""))
    return found.id if found is not None and found.type == type_name else None


def ids_of(many: Iterable[Mapping[str, Any]], type_name: str) -> tuple[str, ...]:
    """The ids in the references to resources of this type."""
    return tuple(found for each in many if (found := id_of(each, type_name)) is not None)


def target(reference: Mapping[str, Any] | None) -> str | None:
    """`Type/id` of a reference, whatever version of it is named."""
    found = references.literal((reference or {}).get("reference", ""))
    return None if found is None else f"{found.type}/{found.id}"


def to(type_name: str, resource_id: str) -> JsonObject:
    """A Reference."""
    return {"reference": f"{type_name}/{resource_id}"}


def code(concept: Mapping[str, Any] | None, system: str) -> str | None:
    """The code that a CodeableConcept has of a code system."""
    found = (each.get("code") for each in (concept or {}).get("coding", ()) if each.get("system") == system)
    return next(found, None)


def words(concept: Mapping[str, Any] | None) -> str | None:
    """A CodeableConcept in words."""
    said = concept or {}
    displays = (each["display"] for each in said.get("coding", ()) if each.get("display"))
    return said.get("text") or next(displays, None)


def extensions(element: Mapping[str, Any], url: str) -> Iterator[JsonObject]:
    """The extensions of this address."""
    return (each for each in element.get("extension", ()) if each.get("url") == url)


def role(entry: Mapping[str, Any], system: str) -> str | None:
    """What a Task.input or Task.output is, by a code of this system."""
    return code(entry.get("type"), system)


def present(**members: Any) -> JsonObject:
    """The members that say something."""
    return {name: value for name, value in members.items() if value not in (None, (), [], {}, "")}
