"""Values put into a resource by path, as dynamicValue and definition-based extraction say it. https://hl7.org/fhir/R4/activitydefinition-definitions.html#ActivityDefinition.dynamicValue.path

A path is FHIRPath of the simple kind: names, indexes, as() or ofType() behind a choice, and extension('url'). What is on the
way is made; what a value is not of the type of its element, but can be said in it, is converted. Nothing else changes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from fhir_mappings.fhirpath import Value
from schemas.members import member, members
from schemas.registry import REGISTRY, Element

JsonObject = dict[str, Any]
_STEP: Final = re.compile(
    r"(?P<name>[A-Za-z_]\w*)(?:\[x\])?(?::[\w\-/\[\]]+)?"
    r"(?:\.(?:as|ofType)\((?:FHIR\.)?(?P<type>\w+)\)|\((?P<url>'[^']+'|\"[^\"]+\")\))?(?:\[(?P<index>\d{1,3})\])?(?:\.|$)"
)
_DEEPEST: Final = 20
_TEXTS: Final = frozenset(
    ("string", "markdown", "code", "id", "uri", "url", "canonical", "oid", "uuid", "base64Binary")
)
_NUMBERS: Final = frozenset(("decimal", "integer", "positiveInt", "unsignedInt"))
_TIMES: Final = frozenset(("date", "dateTime", "instant"))
_AMOUNTS: Final = frozenset(("Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration", "MoneyQuantity"))


class PlacingFault(ValueError):
    """A path that the type does not have, or a value that does not fit there; says which and what would be right."""


@dataclass(frozen=True, slots=True)
class Step:
    """One element to go into. `type` chooses one of a choice, `url` is that of an extension."""

    name: str
    index: int | None = None
    type: str | None = None
    url: str | None = None


def read(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises PlacingFault."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or len(steps) == _DEEPEST:
            raise PlacingFault(f"The path {path[:100]!r} is not one of names, [indexes], as(Type) and extension('url')")
        url, index = match["url"], match["index"]
        steps.append(Step(match["name"], None if index is None else int(index), match["type"], url and url[1:-1]))
        at = match.end()
    if not steps or path.endswith("."):
        raise PlacingFault(f"The path {path[:100]!r} names no element")
    return tuple(steps)


def has(type_name: str, path: str) -> bool:
    """Whether a type has the element that a path begins with."""
    try:
        _element(type_name, read(path)[0])
    except PlacingFault:
        return False
    return True


def placed(resource: Mapping[str, Any], path: str, values: Sequence[Value]) -> JsonObject:
    """A copy of the resource with the values at the path, in place of what was there. Raises PlacingFault.

    No value leaves it as it is. An element that repeats takes all values, any other exactly one.
    """
    name = str(resource["resourceType"])
    steps = read(path)
    if steps[0] == Step(name):
        steps = steps[1:]
    made: JsonObject = copied(resource)
    if values:
        put(made, name, steps, values)
    return made


def copied(node: Any) -> Any:
    """A copy of JSON that shares nothing that can change."""
    if isinstance(node, Mapping):
        return {name: copied(child) for name, child in node.items()}
    return [copied(child) for child in node] if isinstance(node, list) else node


def put(node: JsonObject, type_name: str, steps: Sequence[Step], values: Sequence[Value], add: bool = False) -> None:
    """Put values into an element of `node`, which is of the type; with `add` behind what is there. Raises PlacingFault."""
    for step in steps[:-1]:
        node, type_name = entered(node, type_name, step)
    if not steps:
        raise PlacingFault("The path names a resource, not an element of it")
    last = steps[-1]
    element, datatype = _element(type_name, last)
    if last.url is not None:
        raise PlacingFault("An extension has a value; write extension('url').value")
    found = [_fitting(element, datatype, value, type_name) for value in values]
    if not element.many:
        if len(found) != 1:
            raise PlacingFault(f"{type_name}.{element.name} takes one value, not {len(found)}")
        name, one = found[0]
        _clear(node, element)
        node[name] = one
        return
    name = found[0][0]
    many = [one for _, one in found]
    held = node.setdefault(name, [])
    if last.index is not None:
        if last.index > len(held) or len(many) != 1:
            raise PlacingFault(f"{type_name}.{element.name}[{last.index}] is not the next of {len(held)}")
        held[last.index : last.index + 1] = many
    else:
        node[name] = [*held, *many] if add else many


def entered(node: JsonObject, type_name: str, step: Step, fresh: bool = False) -> tuple[JsonObject, str]:
    """The element that a step leads to, and its type; made where it is not there, and where it repeats with `fresh`."""
    element, datatype = _element(type_name, step)
    name, inner = _inner(node, element, datatype, step, type_name)
    if not element.many:
        return node.setdefault(name, {}), inner
    held: list[JsonObject] = node.setdefault(name, [])
    if step.url is not None:
        one = next((each for each in held if each.get("url") == step.url), None)
        if one is None:
            one = {"url": step.url}
            held.append(one)
        return one, inner
    at = len(held) if fresh else step.index if step.index is not None else 0
    if at > len(held):
        raise PlacingFault(f"{type_name}.{element.name}[{at}] is not the next of {len(held)}")
    if at == len(held):
        held.append({})
    return held[at], inner


def _inner(node: Mapping[str, Any], element: Element, datatype: str | None, step: Step, owner: str) -> tuple[str, str]:
    """Member name and type of an element that is gone into: of a choice the one that is said, or that is there."""
    if datatype is None and element.is_choice:
        datatype = next((each for each in element.types if member(element, each) in node), None)
        if datatype is None:
            raise PlacingFault(f"{owner}.{element.name} is a choice; write {step.name}.as(Type)")
    datatype = datatype or element.types[0]
    if datatype not in REGISTRY.elements:
        raise PlacingFault(f"{owner}.{element.name} is a {datatype} and has no elements")
    return member(element, datatype), datatype


def _element(type_name: str, step: Step) -> tuple[Element, str | None]:
    """The element of a step, and which of its types the step chooses."""
    for element in REGISTRY.elements.get(type_name, ()):
        if element.name == step.name:
            return element, None
        if element.name == f"{step.name}[x]":
            if step.type is None:
                return element, None
            chosen = next((each for each in element.types if each.lower() == step.type.lower()), None)
            if chosen is None:
                raise PlacingFault(f"{type_name}.{element.name} can be {', '.join(element.types)}, not {step.type}")
            return element, chosen
    known = members(type_name).get(step.name)
    if known is None:
        raise PlacingFault(f"{type_name} has no element {step.name!r}")
    return known


def _clear(node: JsonObject, element: Element) -> None:
    for each in element.types:
        node.pop(member(element, each), None)
        node.pop("_" + member(element, each), None)


def _fitting(element: Element, datatype: str | None, value: Value, owner: str) -> tuple[str, Any]:
    """Member name and JSON of a value in an element."""
    candidates = [datatype] if datatype is not None else element.types
    # First a type that is the value's own, then those that it can be said in.
    for each in sorted(candidates, key=lambda name: name != value.type):
        made = as_type(value, each)
        if made is not None:
            return member(element, each), made
    raise PlacingFault(f"{owner}.{element.name} takes {' or '.join(candidates)}, not {value.type}")


def as_type(value: Value, datatype: str) -> Any:
    """The value said in another type; None where it cannot be."""
    if value.type == datatype:
        return copied(value.data)
    if datatype == "Resource" and isinstance(value.data, Mapping) and "resourceType" in value.data:
        return copied(value.data)
    for source, targets, made in _CONVERSIONS:
        if datatype in targets and source(value):
            return made(value.data)
    return None


def _is_text(value: Value) -> bool:
    return isinstance(value.data, str) and value.type not in ("time",)


def _is_number(value: Value) -> bool:
    return isinstance(value.data, Decimal | int) and not isinstance(value.data, bool)


def _is_whole(value: Value) -> bool:
    return _is_number(value) and value.data == int(value.data)


def _is_resource(value: Value) -> bool:
    return isinstance(value.data, Mapping) and "resourceType" in value.data and "id" in value.data


def _is_reference_text(value: Value) -> bool:
    return isinstance(value.data, str) and bool(re.match(r"[A-Z][A-Za-z]+/|urn:|#|https?://", value.data))


def _of(*types: str) -> Callable[[Value], bool]:
    return lambda value: value.type in types


_CONVERSIONS: Final[tuple[tuple[Callable[[Value], bool], frozenset[str], Callable[[Any], Any]], ...]] = (
    (_is_text, _TEXTS, lambda text: text),
    (_is_whole, _NUMBERS - {"decimal"}, int),
    (_is_number, frozenset(("decimal",)), lambda number: number),
    (_of(*_TIMES), frozenset(("date",)), lambda text: text[:10]),
    (_of(*_TIMES), _TIMES, lambda text: text),
    (_is_resource, frozenset(("Reference",)), lambda held: {"reference": f"{held['resourceType']}/{held['id']}"}),
    (_is_reference_text, frozenset(("Reference",)), lambda text: {"reference": text}),
    (_of("Coding"), frozenset(("CodeableConcept",)), lambda coding: {"coding": [copied(coding)]}),
    (_of("string", "markdown"), frozenset(("CodeableConcept",)), lambda text: {"text": text}),
    (_of("CodeableConcept"), frozenset(("Coding",)), lambda concept: copied((concept.get("coding") or [None])[0])),
    (_of("Coding"), frozenset(("code",)), lambda coding: coding.get("code")),
    (_of("string", "markdown"), frozenset(("Annotation",)), lambda text: {"text": text}),
    (_of(*_AMOUNTS), _AMOUNTS, copied),
    (_is_number, frozenset(("Quantity", "SimpleQuantity")), lambda number: {"value": number}),
)
