"""The operations in a Parameters resource and the values they carry. https://hl7.org/fhir/R4/fhirpatch.html

A value is a value[x], a resource, or parts that spell an element out.
"""

from typing import Any, Final

from schemas.members import member
from schemas.nearest import did_you_mean
from schemas.patch import edit, tree
from schemas.patch.edit import Value
from schemas.patch.fault import PatchInapplicable, PatchMalformed
from schemas.patch.node import Node, find_element
from schemas.registry import REGISTRY, Element

PARTS: Final = ("type", "path", "name", "value", "index", "source", "destination")

# Parameters have no valueXhtml or valueDuration in a place for Quantity, and clients write valueString for a code.
_LIKE: Final = (
    frozenset({"String", "Code", "Id", "Markdown", "Uri", "Url", "Canonical", "Oid", "Uuid", "Xhtml"}),
    frozenset({"Date", "DateTime", "Instant"}),
    frozenset({"Integer", "PositiveInt", "UnsignedInt"}),
    frozenset({"Quantity", "SimpleQuantity", "MoneyQuantity", "Age", "Duration", "Distance", "Count"}),
)

Parts = dict[str, dict[str, Any]]


def parts(parameter: Any) -> Parts:
    """The parts of one operation by name."""
    if not isinstance(parameter, dict) or parameter.get("name") != "operation":
        raise PatchMalformed("each parameter of a patch has the name 'operation'")
    given = parameter.get("part")
    if not isinstance(given, list):
        raise PatchMalformed("an operation needs part: type, path and what the type asks for")
    found: Parts = {}
    for part in given:
        name = part.get("name") if isinstance(part, dict) else None
        if not isinstance(name, str) or name not in PARTS:
            raise PatchMalformed(f"there is no part {name!r}.{did_you_mean(str(name), PARTS)}")
        if name in found:
            raise PatchMalformed(f"the part {name!r} is given twice")
        found[name] = part
    return found


def text(given: Parts, name: str) -> str:
    """The string in part `name`."""
    value = _simple(given, name, "valueString")
    if not isinstance(value, str):
        raise PatchMalformed(f"the part {name!r} needs a string, as in valueString")
    return value


def number(given: Parts, name: str) -> int:
    """The count from 0 on in part `name`."""
    value = _simple(given, name, "valueInteger")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PatchMalformed(f"the part {name!r} needs a whole number from 0 on, as valueInteger")
    return value


def _simple(given: Parts, name: str, usual: str) -> Any:
    if name not in given:
        raise PatchMalformed(f"the part {name!r} is missing; give it as {usual}")
    return given[name].get(_value_name(given[name]))


def value_for(parameter: dict[str, Any], element: Element, where: str, room: int) -> Value:
    """The value that `parameter` gives to `element`, copied, at most `room` levels deep. `where` is its FHIRPath."""
    if "part" in parameter:
        datatype = _complex(element, where)
        return Value(member(element, datatype), _assembled(parameter["part"], datatype, where, room))
    if "resource" in parameter:
        if element.types != ("Resource",):
            raise PatchInapplicable(f"{where} holds no resource; it takes {_wanted(element)}", where)
        return Value(element.name, _object(tree.clone(parameter["resource"], room), "resource"))
    name = _value_name(parameter)
    datatype = _datatype(name.removeprefix("value"), element, where)
    plain, twin = parameter.get(name), parameter.get("_" + name)
    if plain is not None and (
        isinstance(plain, dict) is not (datatype in REGISTRY.elements) or isinstance(plain, list)
    ):
        raise PatchMalformed(f"{name} does not hold one {datatype}")
    return Value(member(element, datatype), tree.clone(plain, room), tree.clone(twin, room))


def _value_name(parameter: dict[str, Any]) -> str:
    """The name of the one value[x] in `parameter`."""
    plain = {name.removeprefix("_") for name in parameter}
    names = sorted(name for name in plain if name.startswith("value"))
    if len(names) != 1:
        raise PatchMalformed(f"the part {parameter.get('name')!r} needs one value[x]; it has {len(names)}")
    return names[0]


def _datatype(written: str, element: Element, where: str) -> str:
    """The type of `element` that value`written` is meant for."""
    if element.is_choice:
        # The choice is made by the type that was written; guessing would put words into the client's mouth.
        found = [each for each in element.types if member(element, each) == element.name.replace("[x]", written)]
        if not found and written == "Quantity":
            found = [each for each in element.types if each in _LIKE[-1]]
    else:
        found = [each for each in element.types if _alike(written, each[0].upper() + each[1:])]
    if len(found) != 1:
        raise PatchInapplicable(f"{where} cannot hold a value{written}; it takes {_wanted(element)}", where)
    return found[0]


def _alike(written: str, name: str) -> bool:
    return written == name or any(written in group and name in group for group in _LIKE)


def _wanted(element: Element) -> str:
    if element.types == ("Resource",):
        return "a resource"
    names = [f"value{name[0].upper()}{name[1:]}" for name in element.types if "." not in name]
    if len(names) > 12:
        return "a value[x] of Parameters"
    return " or ".join(names) or "its elements as parts"


def _complex(element: Element, where: str) -> str:
    """The type of an element that is given in parts."""
    found = [name for name in element.types if name in REGISTRY.elements]
    if len(found) != 1:
        raise PatchInapplicable(f"{where} cannot be given in parts; write {_wanted(element)}", where)
    return found[0]


def _assembled(given: Any, datatype: str, where: str, room: int) -> dict[str, Any]:
    """The element of `datatype` that the parts `given` spell out, in their order."""
    if not isinstance(given, list) or not given:
        raise PatchMalformed("a value in parts has at least one part")
    tree.check_room(room)
    built: dict[str, Any] = {}
    node = Node({"": built}, "", None, Element("", (datatype,)), datatype)
    for part in given:
        name = _object(part, "part").get("name")
        if not isinstance(name, str):
            raise PatchMalformed("each part of a value has the name of an element")
        element = find_element(node, name)
        value = value_for(part, element, f"{where}.{name}", room - (2 if element.many else 1))
        if element.many:
            edit.insert(built, edit.length(built, value.member), value)
        elif any(each in built for each in edit.holders(element)):
            raise PatchInapplicable(f"{where}.{name} is given twice, but does not repeat", where)
        else:
            edit.put(built, value)
    return built


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PatchMalformed(f"{name} is not an object")
    return value
