"""Whose resource it is: the Patient that its `patient` parameter names."""

from functools import lru_cache
from typing import Any

import msgspec

from schemas import ids, references
from schemas.registry import REGISTRY


class _Reference(msgspec.Struct):
    reference: str = ""


def patient_of(type_name: str, resource_id: str, resource: dict[str, Any], base: str) -> str | None:
    """The logical id of the one Patient here that a resource is about, None when there is none or several."""
    if type_name == "Patient":
        return resource_id
    name = _element(type_name)
    value = None if name is None else resource.get(name)
    return _local(value.get("reference", ""), base) if isinstance(value, dict) else None


def patient_in(type_name: str, resource_id: str, content: bytes, base: str) -> str | None:
    """As `patient_of` for stored bytes, of which only the one member is read."""
    if type_name == "Patient":
        return resource_id
    decoder = _decoder(type_name)
    if decoder is None:
        return None
    value = decoder.decode(content).subject
    return _local(value.reference, base) if isinstance(value, _Reference) else None


def patient_asked(params: tuple[tuple[str, str], ...], compartment: tuple[str, str] | None, base: str) -> str | None:
    """The one Patient that a search is about: its compartment's, or the value of `patient` or `subject`."""
    if compartment is not None:
        return compartment[1] if compartment[0] == "Patient" and ids.is_legal(compartment[1]) else None
    asked = set()
    for name, value in params:
        if name == "patient" and ids.is_legal(value):
            asked.add(value)
        elif name in ("patient", "subject", "subject:Patient"):
            asked.add(_local(value if "/" in value or name != "subject:Patient" else f"Patient/{value}", base) or "")
    return asked.pop() or None if len(asked) == 1 else None


def _local(reference: str, base: str) -> str | None:
    literal = references.literal(reference)
    is_here = literal is not None and literal.type == "Patient" and literal.base in (None, base)
    return literal.id if is_here and literal is not None else None


@lru_cache(maxsize=256)
def _element(type_name: str) -> str | None:
    """The element behind the `patient` parameter, where it can name one Patient only."""
    param = REGISTRY.types[type_name].search.get("patient")
    return None if param is None or not param.single else param.paths[0].steps[0].name


@lru_cache(maxsize=256)
def _decoder(type_name: str) -> Any:
    name = _element(type_name)
    if name is None:
        return None
    fields = [("subject", _Reference | None, None)]
    return msgspec.json.Decoder(msgspec.defstruct(f"Subjectof{type_name}", fields, rename={"subject": name}))
