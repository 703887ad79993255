"""What a check finds. A good value costs nothing: checks answer an empty tuple, and paths are built on the way up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `path` leads from the value that was judged to the place, `local` is a #id that the root must hold."""

    code: str
    details: str
    text: str
    path: str = ""
    local: str | None = None


Faults = tuple[Fault, ...]
Check = Callable[[Any], Faults]
OK: Final[Faults] = ()

_JSON_NAMES: Final = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}


def below(prefix: str, faults: Faults) -> Faults:
    """`faults` as seen from one level up."""
    return tuple(replace(fault, path=prefix + fault.path) for fault in faults)


def structure(details: str, text: str, path: str = "") -> Faults:
    """One fault of the JSON's shape."""
    return (Fault("structure", details, text, path),)


def wrong_shape(value: Any, wanted: str) -> Faults:
    """Why `value` is not `wanted`, said in JSON's words."""
    if value is None:
        return structure("null", "null is no value in FHIR; leave the member out")
    if value == "" and isinstance(value, str):
        return structure("empty-string", "A string must not be empty; leave the member out")
    if value == [] and isinstance(value, list):
        return structure("empty-array", "An array must not be empty; leave the member out")
    if value == {} and isinstance(value, dict):
        return structure("empty-object", "An object must not be empty; leave the member out")
    found = _JSON_NAMES.get(type(value), "a number")
    return structure("wrong-type", f"This must be {wanted}, not {found}")
