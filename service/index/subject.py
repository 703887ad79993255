"""Whose resource it is: the Patient that its `patient` parameter names."""

from functools import lru_cache
from typing import Any

from schemas import references
from schemas.registry import REGISTRY, Step
from service.index.rows import follow


def patient_of(type_name: str, resource_id: str, resource: dict[str, Any]) -> str | None:
    """The logical id of the one Patient a resource is about, None when there is none or several."""
    if type_name == "Patient":
        return resource_id
    for steps in _paths(type_name):
        for value in follow(resource, steps):
            literal = references.literal(value.get("reference", ""))
            if literal is not None and literal.type == "Patient":
                return literal.id
    return None


@lru_cache(maxsize=256)
def _paths(type_name: str) -> tuple[tuple[Step, ...], ...]:
    param = REGISTRY.types[type_name].search.get("patient")
    return () if param is None or not param.single else tuple(path.steps for path in param.paths)
