"""Invariants of StructureDefinition and ElementDefinition. https://hl7.org/fhir/R4/structuredefinition-definitions.html

Not here is eld-11, whose expression is true of everything.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from schemas.invariants.rule import (
    Holds,
    Json,
    Rule,
    Where,
    each_broken,
    has,
    has_choice,
    items,
    needs,
    repeated,
    some_of,
)

_HL7: Final = "http://hl7.org/fhir/StructureDefinition"
_NAME: Final = r"[^\s.,:;'\"/|?!@#$%&*()\[\]{}]{1,64}"
_ELEMENT_PATH: Final = re.compile(rf"{_NAME}(?:\.{_NAME}(?:\[x\])?(?:\:[^\s.]+)?)*")
_SLICE_NAME: Final = re.compile(r"[a-zA-Z0-9/\-_\[\]@]+")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_TYPE_CODE: Final = re.compile(r"[a-zA-Z0-9.]+|http://hl7\.org/fhirpath/System\.[A-Z][A-Za-z]+")
_ALONE: Final = ("type", "maxLength", "binding")
_ALONE_CHOICES: Final = ("defaultValue", "fixed", "pattern", "minValue", "maxValue")


def _views(value: Json) -> Iterator[tuple[str, int, Json]]:
    """Every element definition, with the view that it stands in."""
    for view in ("snapshot", "differential"):
        for index, element in enumerate(value.get(view, {}).get("element", ())):
            yield view, index, element


def _is_root(element: Json) -> bool:
    return "." not in element.get("path", "")


def _elements(key: str, says: str, is_faulty: Callable[[Json, str, int, Json], bool], view: str = "") -> Rule:
    """An invariant over element definitions, of one view or of both."""

    def faulty(value: Json) -> Iterator[str]:
        for name, index, element in _views(value):
            if view in ("", name) and is_faulty(value, name, index, element):
                yield f".{name}.element[{index}]"

    return each_broken(key, says, faulty)


def _unique(key: str, view: str, name: str, says: str, unless: str = "") -> Rule:
    def faulty(value: Json) -> Iterator[str]:
        if not unless or value.get("derivation") != unless:
            for index in repeated([each.get(name) for each in items(value, view, "element") if name in each]):
                yield f".{view}.element[{index}].{name}"

    return each_broken(key, says, faulty)


def sdf_4(value: Json) -> bool:
    return value.get("abstract") is True or has(value, "baseDefinition")


def sdf_5(value: Json) -> bool:
    return value.get("type") != "Extension" or value.get("derivation") == "specialization" or has(value, "context")


def sdf_8(value: Json) -> bool:
    elements = items(value, "snapshot", "element")
    if not elements:
        return True
    root = elements[0].get("path", "")
    named = value.get("kind") == "logical" or root == value.get("type")
    return named and all(each.get("path", "").startswith(f"{root}.") for each in elements[1:])


def sdf_8a(value: Json) -> bool:
    elements = items(value, "differential", "element")
    if not elements:
        return True
    first = elements[0].get("path", "")
    named = value.get("kind") == "logical" or first.startswith(value.get("type", ""))
    root = first.partition(".")[0]
    return named and all(each.get("path", "").startswith(f"{root}.") for each in elements[1:])


def _root_has_no_type(view: str) -> Holds:
    def holds(value: Json) -> bool:
        elements = items(value, view, "element")
        typed = bool(elements) and _is_root(elements[0]) and "type" in elements[0]
        return value.get("kind") == "logical" or not typed

    return holds


def _is_official(value: Json) -> bool:
    return bool(value.get("url", "").startswith(_HL7))


def _odd_type(value: Json, view: str, index: int, element: Json) -> bool:
    codes = [each.get("code", "") for each in element.get("type", ())]
    return _is_official(value) and not all(_TYPE_CODE.fullmatch(code) for code in codes)


def eld_2(value: Json) -> bool:
    highest = value.get("max", "*")
    return "min" not in value or highest == "*" or (_is_number(highest) and bool(value["min"] <= int(highest)))


def eld_3(value: Json) -> bool:
    highest = value.get("max", "*")
    return highest == "*" or _is_number(highest)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def eld_5(value: Json) -> bool:
    alone = not any(has(value, name) for name in _ALONE) and not any(has_choice(value, stem) for stem in _ALONE_CHOICES)
    return not has(value, "contentReference") or (alone and "example" not in value)


def _one_type(stem: str) -> Holds:
    return lambda value: len(value.get("type", ())) <= 1 or not has_choice(value, stem)


def eld_12(value: Json) -> bool:
    return bool(value.get("valueSet", "http:").startswith(("http:", "https", "urn:")))


def eld_16(value: Json) -> bool:
    return "sliceName" not in value or _SLICE_NAME.fullmatch(value["sliceName"]) is not None


def eld_19(value: Json) -> bool:
    return _ELEMENT_PATH.fullmatch(value.get("path", "a")) is not None


def _all_different(name: str, key: str) -> Where:
    def faulty(value: Json) -> Iterator[str]:
        for index in repeated([each.get(key) for each in value.get(name, ())]):
            yield f".{name}[{index}].{key}"

    return faulty


def _is_pointer(value: Json) -> bool:
    return value.get("code") in ("Reference", "canonical")


def _lacks(*names: str) -> Callable[[Json, str, int, Json], bool]:
    return lambda value, view, index, element: not all(has(element, name) for name in names)


def _root_with(*names: str) -> Callable[[Json, str, int, Json], bool]:
    return lambda value, view, index, element: _is_root(element) and any(has(element, name) for name in names)


STRUCTURES: Final[dict[str, tuple[Rule, ...]]] = {
    "StructureDefinition": (
        _unique("sdf-1", "snapshot", "path", "Each path may stand once, but in a constraint", unless="constraint"),
        Rule("sdf-4", "Only an abstract definition has no baseDefinition", sdf_4),
        Rule("sdf-5", "An extension's definition needs context", sdf_5),
        Rule("sdf-6", "A definition needs snapshot or differential", some_of("snapshot", "differential")),
        Rule("sdf-8", "The snapshot starts with the type itself; every other path lies below it", sdf_8),
        Rule("sdf-8a", "The differential's paths lie below the type", sdf_8a),
        _elements(
            "sdf-9", "The root element has no label, code or requirements", _root_with("label", "code", "requirements")
        ),
        _elements(
            "sdf-11",
            "The snapshot's first path is the type",
            lambda value, view, index, element: (
                index == 0 and value.get("kind") != "logical" and element.get("path") != value.get("type")
            ),
            "snapshot",
        ),
        _elements("sdf-14", "Every element needs an id", _lacks("id")),
        Rule("sdf-15", "The first element of the snapshot has no type", _root_has_no_type("snapshot")),
        Rule("sdf-15a", "The first element of the differential has no type", _root_has_no_type("differential")),
        _unique("sdf-16", "snapshot", "id", "Each element id may stand once"),
        _unique("sdf-17", "differential", "id", "Each element id may stand once"),
        Rule(
            "sdf-18",
            "Only an extension's definition has contextInvariant",
            lambda value: not has(value, "contextInvariant") or value.get("type") == "Extension",
        ),
        _elements("sdf-19", "Types are those of FHIR or FHIRPath", _odd_type),
        _elements(
            "sdf-21",
            "Only a specialization has default values",
            lambda value, view, index, element: (
                has_choice(element, "defaultValue") and value.get("derivation") != "specialization"
            ),
            "differential",
        ),
        _elements(
            "sdf-22",
            "FHIR's own definitions have no default values",
            lambda value, view, index, element: has_choice(element, "defaultValue") and _is_official(value),
        ),
        _elements("sdf-23", "The root element has no sliceName", _root_with("sliceName")),
        _elements("sdf-20", "The root element has no slicing", _root_with("slicing"), "differential"),
        _elements(
            "sdf-3",
            "Elements of a snapshot need definition, min and max",
            _lacks("definition", "min", "max"),
            "snapshot",
        ),
        _elements("sdf-8b", "Elements of a snapshot need base", _lacks("base"), "snapshot"),
        _elements(
            "sdf-10",
            "A binding needs valueSet or description",
            lambda value, view, index, element: (
                not some_of("valueSet", "description")(element.get("binding", {"valueSet": ""}))
            ),
            "snapshot",
        ),
    ),
    "StructureDefinition.mapping": (Rule("sdf-2", "A mapping needs name or uri", some_of("name", "uri")),),
    "ElementDefinition": (
        Rule("eld-2", "min must not be above max", eld_2),
        Rule("eld-3", "max is * or a number from 0", eld_3),
        Rule("eld-5", "With contentReference there is no type, value, length or binding", eld_5),
        Rule("eld-6", "A fixed value needs one type", _one_type("fixed")),
        Rule("eld-7", "A pattern needs one type", _one_type("pattern")),
        Rule(
            "eld-8",
            "Say a pattern or a fixed value, not both",
            lambda value: not (has_choice(value, "pattern") and has_choice(value, "fixed")),
        ),
        each_broken("eld-13", "Each type may stand once", _all_different("type", "code")),
        each_broken("eld-14", "Each constraint's key may stand once", _all_different("constraint", "key")),
        Rule(
            "eld-15",
            "Say a default value or meaningWhenMissing, not both",
            lambda value: not (has_choice(value, "defaultValue") and has(value, "meaningWhenMissing")),
        ),
        Rule("eld-16", "sliceName has letters, digits and / - _ [ ] @ only", eld_16),
        Rule(
            "eld-18",
            "A modifier needs isModifierReason",
            lambda value: value.get("isModifier") is not True or has(value, "isModifierReason"),
        ),
        Rule("eld-19", "A path is names joined by dots", eld_19),
        Rule("eld-22", "sliceIsConstraining needs sliceName", needs("sliceIsConstraining", "sliceName")),
    ),
    "ElementDefinition.binding": (Rule("eld-12", "valueSet starts with http:, https: or urn:", eld_12),),
    "ElementDefinition.slicing": (
        Rule("eld-1", "Slicing needs discriminator or description", some_of("discriminator", "description")),
    ),
    "ElementDefinition.type": (
        Rule(
            "eld-4",
            "Only a Reference or canonical has aggregation",
            lambda value: "aggregation" not in value or _is_pointer(value),
        ),
        Rule(
            "eld-17",
            "Only a Reference or canonical has targetProfile",
            lambda value: "targetProfile" not in value or _is_pointer(value),
        ),
    ),
}
