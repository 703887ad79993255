"""Whatever is broken in a valid resource is found where it was broken."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.json import decode
from schemas.registry import REGISTRY, Element
from schemas.validate import validate

CASES = Path(__file__).parents[2] / "cases"
VALID = [decode(file.read_bytes()) for file in sorted((CASES / "examples").glob("*.json"))]
Spot = tuple[str, Any, str | int, Element | None]
"""FHIRPath of a value, the JSON that holds it, its key there, and its definition unless it is one of an array."""


def json_names(key: str) -> dict[str, tuple[Element, str]]:
    names = {}
    for element in REGISTRY.elements[key]:
        for datatype in element.types:
            shown = "Quantity" if datatype.endswith("Quantity") else datatype
            names[element.name.replace("[x]", shown[0].upper() + shown[1:])] = (element, datatype)
    return names


def spots(value: Any, key: str, path: str) -> Iterator[Spot]:
    """Every place in `value` that its tables describe."""
    for name, (element, datatype) in json_names(key).items():
        if name in value:
            place = f"{path}.{element.name.removesuffix('[x]')}"
            yield place, value, name, element
            child = value[name]
            items = [(f"{place}[{at}]", child, at) for at in range(len(child))] if element.many else []
            for item_place, holder, at in items:
                yield item_place, holder, at, None
            for item_place, holder, at in items or [(place, value, name)]:
                if datatype in REGISTRY.elements:
                    yield from spots(holder[at], datatype, item_place)


@st.composite
def broken(draw: st.DrawFn) -> tuple[Any, str]:
    """A resource that was valid, and where it is broken now."""
    resource = copy.deepcopy(draw(st.sampled_from(VALID)))
    name = resource["resourceType"]
    place, holder, at, element = draw(st.sampled_from(list(spots(resource, name, name))))
    ways = ["null", "empty", "type", "unknown"]
    if element is not None and element.min and len(holder) > 1:
        ways.append("missing")
    way = draw(st.sampled_from(ways))
    if way == "missing":
        del holder[at]
    elif way == "unknown":
        if not isinstance(holder[at], dict):
            holder, at, place = resource, "", name
            resource["zzz"] = 1
        else:
            holder[at]["zzz"] = 1
        place += ".zzz"
    else:
        holder[at] = {"null": None, "empty": draw(st.sampled_from(["", [], {}])), "type": wrong_type(holder[at])}[way]
    return resource, place


def wrong_type(value: Any) -> Any:
    return {"deep": {"er": 1}} if not isinstance(value, dict) else "text"


@settings(max_examples=600, deadline=None)
@given(broken())
def test_finds_what_was_broken(case: tuple[Any, str]) -> None:
    resource, place = case
    assert any(issue.expression[0].startswith(place) for issue in validate(resource))


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_judges_any_json_without_stumbling(data: st.DataObject) -> None:
    resource = copy.deepcopy(data.draw(st.sampled_from(VALID)))
    name = resource["resourceType"]
    for _ in range(data.draw(st.integers(1, 3))):
        _, holder, at, _ = data.draw(st.sampled_from(list(spots_of_sound(resource, name))))
        holder[at] = data.draw(ANY_JSON)
    assert all(issue.severity == "error" and issue.diagnostics for issue in validate(resource))


def spots_of_sound(value: Any, key: str) -> Iterator[Spot]:
    """The top-level places, which stay there whatever was put below them."""
    for name, (element, _) in json_names(key).items():
        if name in value:
            yield name, value, name, element
            if isinstance(value[name], dict):
                yield from ((name, value[name], each, None) for each in value[name])
            if isinstance(value[name], list):
                yield from ((name, value[name], at, None) for at in range(len(value[name])))
