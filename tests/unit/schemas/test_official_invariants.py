import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models
from fhirpathpy.parser import parse

from schemas.invariants.table import INVARIANTS
from schemas.registry import REGISTRY
from schemas.validate import validate

CASES = Path(__file__).parents[2] / "cases"
OFFICIAL: dict[str, dict[str, str]] = json.loads((CASES / "invariants.json").read_text())

NOT_ASKED = {
    "ele-1": "the engine has no hasValue() of elements",
    "txt-1": "the engine has no htmlChecks()",
    "txt-2": "the engine has no htmlChecks()",
    "ctm-1": "the engine has no server to resolve() with",
    "rng-2": "the engine does not compare quantities",
}
DIFFERENT = {
    "a period whose ends lie in different zones": "the engine compares the hours as written",
    "two conditions without enableBehavior": "que-12 says more than one in its text, more than two in its expression",
    "a path with a space": "eld-19 is not anchored, and the engine searches instead of matching",
    "a contained resource that refers to its container": "dom-3 allows the reference # that ref-1 forgets",
    "an element without id": "sdf-14 says it, and sdf-17 again",
}
PATCHES = (
    (re.compile(r"\.trace\('\w+'(?:, \w+)?\)"), ""),  # prints
    (re.compile(r"\.hasValue\(\)"), ".exists()"),  # is not implemented
    (re.compile(r"answer is Boolean"), "answer is boolean"),  # is another type to the engine
    (re.compile(r"descendants\(\)\.as\("), "descendants().ofType("),  # refuses more than one item
    (re.compile(r"\bAppointment\."), ""),  # knows the type's name at the root of an evaluation only
    (re.compile(r"^reference\.startsWith"), "reference.empty() or reference.startsWith"),  # is empty without one
)


@cache
def parsed(expression: str) -> Any:
    for pattern, replacement in PATCHES:
        expression = pattern.sub(replacement, expression)
    return parse(expression)


def holds(expression: str, value: Any, base: str, context: dict[str, Any]) -> bool:
    """Whether the official expression is true of `value`; an empty answer is no yes."""
    node = ResourceNode.create_node(value, base)
    return fhirpathpy.apply_parsed_path(node, parsed(expression), context, models["r4"]) == [True]


def officially_broken(resource: Any) -> set[str]:
    """Keys of the official invariants that do not hold somewhere in `resource`."""
    return set(_broken_in_resource(resource, resource))


def _broken_in_resource(resource: Any, root: Any) -> Iterator[str]:
    name = resource["resourceType"]
    if name not in REGISTRY.elements:
        return
    if any(each.name == "contained" for each in REGISTRY.elements[name]):
        yield from _broken_here("DomainResource", resource, name, _context(resource, root))
    yield from _broken(name, resource, resource, root)


def _context(resource: Any, root: Any) -> dict[str, Any]:
    return {
        "resource": ResourceNode.create_node(resource, resource["resourceType"]),
        "rootResource": ResourceNode.create_node(root, root["resourceType"]),
    }


def _broken_here(key: str, value: Any, base: str, context: dict[str, Any]) -> Iterator[str]:
    for name, expression in OFFICIAL.get(key, {}).items():
        if name not in NOT_ASKED and not holds(expression, value, base, context):
            yield name


def _broken(key: str, value: Any, resource: Any, root: Any) -> Iterator[str]:
    context = _context(resource, root)
    yield from _broken_here(key, value, key, context)
    for element in REGISTRY.elements[key]:
        for datatype in element.types:
            shown = "Quantity" if datatype.endswith("Quantity") else datatype
            name = element.name.replace("[x]", shown[0].upper() + shown[1:])
            for each in _list(value.get(name)):
                yield from _broken_here(f"{key}.{element.name}", each, datatype, context)
                if datatype == "Resource":
                    yield from _broken_in_resource(each, root if key in REGISTRY.types else each)
                elif datatype in REGISTRY.elements:
                    yield from _broken(datatype, each, resource, root)
            for each in _list(value.get(f"_{name}")):
                for extension in each.get("extension", ()) if each else ():
                    yield from _broken("Extension", extension, resource, root)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] * (value is not None)


def cases() -> Iterator[Any]:
    for file in sorted((CASES / "examples").glob("*.json")):
        yield pytest.param(json.loads(file.read_text()), id=file.stem)
    for file in sorted((CASES / "validation").glob("*.json")):
        for case in json.loads(file.read_text()):
            if case["name"] not in DIFFERENT and _is_of_sound_shape(case["resource"]):
                yield pytest.param(case["resource"], id=case["name"])


def _is_of_sound_shape(resource: Any) -> bool:
    """The engine stumbles over what is no FHIR at all."""
    return all(issue.code == "invariant" for issue in validate(resource))


@pytest.mark.parametrize("resource", list(cases()))
def test_agrees_with_the_official_expressions(resource: Any) -> None:
    ours = {issue.details_code for issue in validate(resource)} - set(NOT_ASKED)
    assert ours == officially_broken(resource)


def test_every_official_invariant_is_ours_and_is_planted_in_some_case() -> None:
    vacuous = {"eld-11", "ppc-2", "ppc-3", "ppc-4", "ppc-5"}
    checked_elsewhere = {"ele-1", "ref-1", "txt-1", "txt-2"}
    official = {key for of_path in OFFICIAL.values() for key in of_path}
    ours = {rule.key for rules in INVARIANTS.values() for rule in rules}
    assert ours == official - vacuous - checked_elsewhere
    planted = json.loads((CASES / "validation" / "invariants.json").read_text())
    assert ours <= {key for case in planted for _, key in case["faults"]}
