"""Checks compiled from the element tables: one closure a type, made when first needed. https://hl7.org/fhir/R4/json.html"""

from typing import Any, Final

from schemas.invariants.table import INVARIANTS
from schemas.registry import REGISTRY, Element
from schemas.validation import objects
from schemas.validation.faults import Check, Faults
from schemas.validation.foreign import foreign_resource
from schemas.validation.objects import Choice, Members, list_check, object_check
from schemas.validation.primitives import PRIMITIVES, closed_code, mime_type
from schemas.validation.targets import reference_check, resolved

_PLAIN: Final = frozenset({"id", "xhtml"})
"""Primitive types that no extension can stand beside."""


class Compiler:
    """Makes and keeps the checks. Without `entries`, resources inside of a Bundle are left to somebody else."""

    def __init__(self, *, entries: bool = True) -> None:
        self._entries = entries
        self._objects: dict[str, Check] = {}
        self._resources: dict[str, Check] = {}

    def resource(self, name: str) -> Check:
        """The check of a whole resource: its references to #id must find what it contains."""
        if name not in self._resources:
            self._resources[name] = _rooted(self._object(name))
        return self._resources[name]

    def _object(self, key: str) -> Check:
        if key not in self._objects:
            members = Members(key)
            rules = INVARIANTS.get(key, ()) + (INVARIANTS["DomainResource"] if _is_domain_resource(key) else ())
            self._objects[key] = object_check(members, rules)
            self._fill(members)
        return self._objects[key]

    def _fill(self, members: Members) -> None:
        key = members.key
        if key in REGISTRY.types:
            members.add("resourceType", "resourceType", objects.constant(key))
            members.require("resourceType")
        for element in _elements(key):
            stem = element.name.removesuffix("[x]")
            names = {_json_name(element, datatype): datatype for datatype in element.types}
            for name, datatype in names.items():
                members.add(name, stem, self._listed(element, self._value(key, element, datatype)))
                if datatype in PRIMITIVES and datatype not in _PLAIN and (key, name) != ("Extension", "url"):
                    members.add(f"_{name}", stem, self._listed(element, self._object("Element")))
            if element.is_choice:
                members.choose(Choice(stem, frozenset(names) | {f"_{name}" for name in names}, element.min > 0))
            elif element.min:
                members.require(element.name)

    def _listed(self, element: Element, check: Check) -> Check:
        return list_check(check) if element.many else check

    def _value(self, key: str, element: Element, datatype: str) -> Check:
        if datatype == "Resource":
            return self._nested(key)
        if datatype == "Reference":
            return reference_check(self._object("Reference"), element.targets)
        if datatype == "code" and element.binding == "mimetypes":
            return mime_type
        if datatype == "code" and element.binding:
            lists = REGISTRY.codes[element.binding].values()
            return closed_code(element.binding, [code for codes in lists for code in codes])
        if datatype == "CodeableConcept" and element.binding:
            return objects.closed_concept(self._object(datatype), element.binding, REGISTRY.codes[element.binding])
        return PRIMITIVES.get(datatype) or self._object(datatype)

    def _nested(self, key: str) -> Check:
        if key == "Bundle.entry" and not self._entries:
            return objects.opaque
        find = self._object if _is_domain_resource(key) else self.resource

        def check(value: Any) -> Faults:
            name = value.get("resourceType") if type(value) is dict else None
            if type(name) is str and name in REGISTRY.types:
                return find(name)(value)
            return foreign_resource(value)

        return check


def _rooted(check: Check) -> Check:
    def root(value: Any) -> Faults:
        faults = check(value)
        if any(fault.local is not None for fault in faults):
            contained = value.get("contained", ())
            return resolved(faults, [each["id"] for each in contained if isinstance(each, dict) and "id" in each])
        return faults

    return root


def _elements(key: str) -> tuple[Element, ...]:
    if key == "Element":
        return tuple(each for each in REGISTRY.elements["Extension"] if each.name in ("id", "extension"))
    return REGISTRY.elements[key]


def _is_domain_resource(key: str) -> bool:
    return key in REGISTRY.types and any(each.name == "contained" for each in REGISTRY.elements[key])


def _json_name(element: Element, datatype: str) -> str:
    shown = "Quantity" if datatype.endswith("Quantity") else datatype
    return element.name.replace("[x]", shown[0].upper() + shown[1:])
