"""The values at the end of a search parameter's path. https://hl7.org/fhir/R4/searchparameter-definitions.html#SearchParameter.expression"""

from collections.abc import Callable, Sequence
from typing import Any

from schemas.registry import Step

JsonObject = dict[str, Any]


def follow(node: Any, steps: tuple[Step, ...]) -> list[Any]:
    """The values at the end of `steps`, arrays flattened, nulls left out."""
    found = [node]
    for step in steps:
        reached: list[Any] = []
        for value in found:
            child = value.get(step.name) if isinstance(value, dict) else None
            if isinstance(child, list):
                reached.extend(child)
            elif child is not None:
                reached.append(child)
        if step.where is not None:
            name, wanted = step.where
            reached = [value for value in reached if isinstance(value, dict) and value.get(name) == wanted]
        found = [value for value in reached if value is not None]
    return found


def reacher(steps: tuple[Step, ...]) -> Callable[[JsonObject], Sequence[Any]]:
    """`follow` of these steps in a resource. Most paths have one step or two, and cost a third without its loops."""
    if len(steps) > 2 or any(step.where is not None for step in steps):
        return lambda resource: follow(resource, steps)
    first, last = steps[0].name, steps[-1].name
    if len(steps) == 1:
        return lambda resource: _values(resource.get(first))

    def reach(resource: JsonObject) -> Sequence[Any]:
        outer = resource.get(first)
        if type(outer) is dict:
            return _values(outer.get(last))
        if outer is None:
            return ()
        return [value for each in outer if type(each) is dict for value in _values(each.get(last))]

    return reach


def _values(child: Any) -> Sequence[Any]:
    if child is None:
        return ()
    if type(child) is not list:
        return (child,)
    return [value for value in child if value is not None] if None in child else child
