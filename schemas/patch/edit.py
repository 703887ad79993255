"""Changing one member of a JSON object, with the `_` twin of a primitive kept in step. https://hl7.org/fhir/R4/json.html#primitive"""

from dataclasses import dataclass
from typing import Any

from schemas.members import member
from schemas.registry import Element


@dataclass(frozen=True, slots=True)
class Value:
    """What an element is to hold under JSON name `member`; `twin` is the id and the extensions of a primitive."""

    member: str
    plain: Any
    twin: Any = None


def holders(element: Element) -> list[str]:
    """The members that may hold `element`: one for each of its types, each with its twin."""
    names = [member(element, datatype) for datatype in element.types]
    return names + ["_" + name for name in names]


def put(owner: dict[str, Any], value: Value) -> None:
    """Sets a member that does not repeat."""
    owner |= {name: item for name, item in _pair(value) if item is not None}


def replace(owner: dict[str, Any], old: str, value: Value) -> None:
    """Sets a member that does not repeat in the place of `old`, which may have another name."""
    after: dict[str, Any] = {}
    for name, item in owner.items():
        if name not in (old, "_" + old):
            after[name] = item
        elif value.member not in after:
            # The twin comes along with its value, wherever it stood.
            put(after, value)
    owner.clear()
    owner.update(after)


def length(owner: dict[str, Any], name: str) -> int:
    """How many values a member that repeats has."""
    return max(len(owner.get(name) or ()), len(owner.get("_" + name) or ()))


def insert(owner: dict[str, Any], index: int, value: Value) -> None:
    """Puts a value into a member that repeats."""
    count = length(owner, value.member)
    for name, item in _pair(value):
        items = owner.get(name)
        if items is None and item is None:
            continue
        items = owner.setdefault(name, [])
        items.extend([None] * (count - len(items)))
        items.insert(index, item)


def replace_at(owner: dict[str, Any], index: int, value: Value) -> None:
    """Puts a value in the place of another one of a member that repeats."""
    count = length(owner, value.member)
    for name, item in _pair(value):
        items = owner.get(name)
        if items is None and item is None:
            continue
        items = owner.setdefault(name, [])
        items.extend([None] * (count - len(items)))
        items[index] = item
        _drop_if_bare(owner, name)


def move(owner: dict[str, Any], name: str, source: int, destination: int) -> None:
    """Moves a value within a member that repeats; `destination` is its index afterwards."""
    count = length(owner, name)
    for each in (name, "_" + name):
        if each in owner:
            items = owner[each]
            items.extend([None] * (count - len(items)))
            items.insert(destination, items.pop(source))


def take(owner: dict[str, Any], name: str, index: int | None) -> None:
    """Removes a value, of a member that repeats the one at `index`."""
    for each in (name, "_" + name):
        if index is None:
            owner.pop(each, None)
        elif each in owner:
            del owner[each][index : index + 1]
            _drop_if_bare(owner, each)


def _drop_if_bare(owner: dict[str, Any], name: str) -> None:
    """Removes an array that holds nothing but the nulls which keep it in step."""
    if all(item is None for item in owner[name]):
        del owner[name]


def _pair(value: Value) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return (value.member, value.plain), ("_" + value.member, value.twin)
