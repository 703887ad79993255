"""Resources of types that Hearth has no tables for: kept when they are sound JSON of FHIR. https://hl7.org/fhir/R4/json.html"""

from typing import Any

from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY
from schemas.validation.faults import OK, Faults, below, structure, wrong_shape


def foreign_resource(value: Any) -> Faults:
    """The faults of a resource whose type has no table, or is no type of R4 at all."""
    if not isinstance(value, dict) or not value:
        return wrong_shape(value, "an object")
    name = value.get("resourceType")
    if not isinstance(name, str):
        return structure("missing-resource-type", "A resource needs a resourceType", ".resourceType")
    if name not in REGISTRY.names:
        meant = did_you_mean(name, REGISTRY.names)
        return structure("unknown-type", f"R4 has no resource type of this name.{meant}", ".resourceType")
    return _sound(value)


def _sound(value: Any) -> Faults:
    if isinstance(value, dict) and value:
        found = [below(f".{name}", _sound(child)) for name, child in value.items()]
    elif isinstance(value, list) and value:
        found = [below(f"[{index}]", _sound(child)) for index, child in enumerate(value) if child is not None]
    else:
        return wrong_shape(value, "a value") if value is None or value in ("", [], {}) else OK
    return tuple(fault for faults in found for fault in faults)
