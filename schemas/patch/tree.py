"""JSON trees as patches need them: copies that share nothing, equality by value, names of places."""

from typing import Any

from schemas.json import MAX_DEPTH
from schemas.patch.fault import PatchInapplicable


def clone(value: Any, room: int = MAX_DEPTH) -> Any:
    """A copy sharing no object or array with `value`; refuses one deeper than `room` levels."""
    if isinstance(value, dict):
        check_room(room)
        return {
            name: clone(child, room - 1) if isinstance(child, (dict, list)) else child for name, child in value.items()
        }
    if isinstance(value, list):
        check_room(room)
        return [clone(child, room - 1) if isinstance(child, (dict, list)) else child for child in value]
    return value


def check_room(room: int) -> None:
    """Refuses an object or array where no level of nesting is left."""
    if room <= 0:
        raise PatchInapplicable(f"the patch would nest the resource deeper than {MAX_DEPTH} levels")


def size(value: Any) -> int:
    """How many values the tree holds, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(size, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(size, value))
    return 1


def equal(left: Any, right: Any) -> bool:
    """Equality of RFC 6902 section 4.6: numbers by value, objects by member, `true` is not 1."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(equal(child, right[name]) for name, child in left.items())
        )
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def expression(resource: Any, tokens: list[str]) -> str:
    """FHIRPath to the place that JSON Pointer `tokens` name: name, 0, given becomes Patient.name[0].given."""
    root = resource.get("resourceType") if isinstance(resource, dict) else None
    text = root if isinstance(root, str) else "Resource"
    for step in tokens:
        if step != "-":
            text += f"[{step}]" if step.isdecimal() else f".{step}"
    return text
