"""JSON Patch: the RFC's examples, an independent implementation, and what must never happen."""

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.json import decode
from schemas.patch.fault import PatchFault, PatchInapplicable, PatchMalformed, PatchTestFailed
from schemas.patch.json_patch import json_patch

CASES = decode((Path(__file__).parents[3] / "cases" / "json_patch.json").read_bytes())
FAULTS = {"test": PatchTestFailed, "inapplicable": PatchInapplicable, "malformed": PatchMalformed}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_does_what_the_case_says(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["document"])
    if "fault" in case:
        with pytest.raises(PatchFault) as caught:
            json_patch(case["document"], case["patch"])
        assert type(caught.value) is FAULTS[case["fault"]]
    else:
        after = json_patch(case["document"], case["patch"])
        assert after == case["expected"]
        assert list(after) == list(case["expected"])
    assert case["document"] == before


def test_keeps_the_digits_of_a_decimal() -> None:
    after = json_patch(
        {"a": Decimal("0.010")},
        [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/c", "value": Decimal("1.0")}],
    )
    assert {name: str(value) for name, value in after.items()} == {"a": "0.010", "b": "0.010", "c": "1.0"}


def test_names_the_operation_and_the_element_that_failed() -> None:
    patient = {"resourceType": "Patient", "name": [{"given": ["Ada"]}]}
    with pytest.raises(PatchInapplicable) as caught:
        json_patch(
            patient,
            [{"op": "test", "path": "/name/0/given/0", "value": "Ada"}, {"op": "remove", "path": "/name/0/family"}],
        )
    assert caught.value.message.startswith("Operation 1 (remove): there is nothing at /name/0/family")
    assert caught.value.expression == "Patient.name[0].family"


@pytest.mark.parametrize("member", ["id", "resourceType"])
def test_refuses_to_change_the_identity(member: str) -> None:
    with pytest.raises(PatchInapplicable, match=member):
        json_patch({"resourceType": "Task", "id": "1"}, [{"op": "replace", "path": f"/{member}", "value": "2"}])


def test_does_not_tell_the_stored_value_when_a_test_fails() -> None:
    with pytest.raises(PatchTestFailed) as caught:
        json_patch({"note": "secret"}, [{"op": "test", "path": "/note", "value": "guess"}])
    assert "secret" not in str(caught.value)


def test_refuses_a_document_that_doubles_itself() -> None:
    operations = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 90
    with pytest.raises(PatchInapplicable, match=r"copy more than|deeper than"):
        json_patch({"a": [{"b": 1}] * 10}, operations)


def test_refuses_to_copy_without_end() -> None:
    operations = [{"op": "copy", "from": "/a", "path": f"/b{number}"} for number in range(1000)]
    with pytest.raises(PatchInapplicable, match="copy more than"):
        json_patch({"a": [1] * 2000}, operations)


def test_refuses_a_tree_deeper_than_json_may_be() -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"d": deep}
    pointer = "/d" * 60
    with pytest.raises(PatchInapplicable, match="deeper than 100"):
        json_patch({"d": deep}, [{"op": "replace", "path": pointer, "value": deep}])


def test_refuses_more_operations_than_the_limit() -> None:
    with pytest.raises(PatchMalformed, match="1001 operations"):
        json_patch({}, [{"op": "test", "path": "", "value": {}}] * 1001)


def test_shares_nothing_with_the_resource_or_the_patch() -> None:
    resource: dict[str, Any] = {"a": {"b": []}}
    value: dict[str, Any] = {"c": []}
    after = json_patch(
        resource, [{"op": "add", "path": "/v", "value": value}, {"op": "copy", "from": "/v", "path": "/w"}]
    )
    after["a"]["b"].append(1)
    after["v"]["c"].append(1)
    assert (resource, value, after["w"]) == ({"a": {"b": []}}, {"c": []}, {"c": []})


NAMES = st.sampled_from(["a", "b", "0", "1", "-", "a/b", "m~n", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(["", "x", "é"])
    | st.sampled_from([Decimal("0.10"), Decimal("0.1")])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
POINTERS = st.lists(NAMES, max_size=3).map(
    lambda tokens: "".join("/" + t.replace("~", "~0").replace("/", "~1") for t in tokens)
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
            "path": POINTERS,
            "from": POINTERS,
            "value": VALUES,
        }
    ),
    max_size=4,
)


class Refused(Exception):
    """The plain implementation below has no answer."""


def plain(document: Any, operation: dict[str, Any]) -> Any:
    """One operation, written another way: get and set are recursive and rebuild the tree."""
    path, source = _tokens(operation["path"]), _tokens(operation["from"])
    match operation["op"]:
        case "add":
            return put(document, path, operation["value"])
        case "remove":
            return drop(document, path)
        case "replace":
            get(document, path)
            return replaced(document, path, operation["value"])
        case "copy":
            return put(document, path, get(document, source))
        case "move":
            value = get(document, source)
            if path == source:
                return document
            if path[: len(source)] == source:
                raise Refused
            return put(drop(document, source), path, value)
        case "test":
            if canonical(get(document, path)) != canonical(operation["value"]):
                raise Refused
            return document


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return ("object", {name: canonical(child) for name, child in value.items()})
    if isinstance(value, list):
        return ("array", [canonical(child) for child in value])
    return ("boolean" if isinstance(value, bool) else "scalar", value)


def get(document: Any, path: list[str]) -> Any:
    if not path:
        return document
    if isinstance(document, dict) and path[0] in document:
        return get(document[path[0]], path[1:])
    if isinstance(document, list) and path[0] in map(str, range(len(document))):
        return get(document[int(path[0])], path[1:])
    raise Refused


def change(document: Any, path: list[str], leaf: Any) -> Any:
    if not path:
        raise Refused
    if len(path) == 1:
        return leaf(document, path[0])
    inner = change(get(document, path[:1]), path[1:], leaf)
    if isinstance(document, dict):
        return {name: inner if name == path[0] else child for name, child in document.items()}
    return [inner if str(place) == path[0] else child for place, child in enumerate(document)]


def put(document: Any, path: list[str], value: Any) -> Any:
    def leaf(parent: Any, name: str) -> Any:
        if isinstance(parent, dict):
            return {**parent, name: value}
        if isinstance(parent, list) and name == "-":
            return [*parent, value]
        if isinstance(parent, list) and name in map(str, range(len(parent) + 1)):
            return [*parent[: int(name)], value, *parent[int(name) :]]
        raise Refused

    return value if not path else change(document, path, leaf)


def replaced(document: Any, path: list[str], value: Any) -> Any:
    def leaf(parent: Any, name: str) -> Any:
        if isinstance(parent, dict):
            return {**parent, name: value}
        return [value if str(place) == name else child for place, child in enumerate(parent)]

    return value if not path else change(document, path, leaf)


def drop(document: Any, path: list[str]) -> Any:
    def leaf(parent: Any, name: str) -> Any:
        get(parent, [name])
        if isinstance(parent, dict):
            return {other: child for other, child in parent.items() if other != name}
        return [child for place, child in enumerate(parent) if str(place) != name]

    return change(document, path, leaf)


@given(DOCUMENTS, OPERATIONS)
def test_agrees_with_a_plain_implementation(document: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(document)
    try:
        expected: Any = document
        for operation in operations:
            expected = plain(expected, operation)
        if not isinstance(expected, dict):
            raise Refused
    except Refused:
        with pytest.raises(PatchFault):
            json_patch(document, operations)
    else:
        after = json_patch(document, operations)
        assert repr(after) == repr(expected)
    assert repr(document) == repr(before)


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_of_two_documents_leads_from_one_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert canonical(json_patch(old, difference(old, new, ""))) == canonical(new)


def difference(old: Any, new: Any, pointer: str) -> list[dict[str, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        operations: list[dict[str, Any]] = []
        for name in [*old, *(name for name in new if name not in old)]:
            place = pointer + "/" + name.replace("~", "~0").replace("/", "~1")
            if name not in new:
                operations.append({"op": "remove", "path": place})
            elif name not in old:
                operations.append({"op": "add", "path": place, "value": new[name]})
            else:
                operations += difference(old[name], new[name], place)
        return operations
    if isinstance(old, list) and isinstance(new, list):
        both = min(len(old), len(new))
        changes = [step for place in range(both) for step in difference(old[place], new[place], f"{pointer}/{place}")]
        cuts = [{"op": "remove", "path": f"{pointer}/{place}"} for place in reversed(range(both, len(old)))]
        return changes + cuts + [{"op": "add", "path": f"{pointer}/-", "value": value} for value in new[both:]]
    return [] if canonical(old) == canonical(new) else [{"op": "replace", "path": pointer, "value": new}]
