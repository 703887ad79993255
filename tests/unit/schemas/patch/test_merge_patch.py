"""JSON Merge Patch: the examples of RFC 7396 appendix A that concern objects, and what must never happen."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from schemas.patch.fault import PatchInapplicable, PatchMalformed
from schemas.patch.merge_patch import merge_patch


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": "text"}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": None}]}, {"a": [{"b": None}]}),
    ],
)
def test_merges_as_the_rfc_says(before: dict[str, Any], patch: dict[str, Any], after: dict[str, Any]) -> None:
    kept = copy.deepcopy(before)
    assert merge_patch(before, patch) == after
    assert before == kept


def test_keeps_the_order_of_members_and_the_digits_of_decimals() -> None:
    after = merge_patch({"z": Decimal("0.010"), "a": 1}, {"b": Decimal("2.50"), "z": Decimal("0.0100")})
    assert [(name, str(value)) for name, value in after.items()] == [("z", "0.0100"), ("a", "1"), ("b", "2.50")]


def test_refuses_a_patch_that_is_no_object() -> None:
    with pytest.raises(PatchMalformed, match="JSON object"):
        merge_patch({"resourceType": "Task"}, [])


def test_refuses_to_change_the_identity() -> None:
    with pytest.raises(PatchInapplicable, match="id from '1' to None"):
        merge_patch({"resourceType": "Task", "id": "1"}, {"id": None})


def test_shares_nothing_with_the_patch() -> None:
    patch: dict[str, Any] = {"a": {"b": []}}
    after = merge_patch({}, patch)
    after["a"]["b"].append(1)
    assert patch == {"a": {"b": []}}
