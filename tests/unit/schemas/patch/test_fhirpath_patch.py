"""FHIRPath Patch: every operation on every kind of element, with faults that say what would be right."""

import copy
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.json import decode, encode
from schemas.patch.fault import PatchFault, PatchInapplicable, PatchMalformed
from schemas.patch.fhirpath_patch import fhirpath_patch
from schemas.patch.path import Child, Condition, Index, Where, parse
from schemas.registry import REGISTRY

CASES = decode((Path(__file__).parents[3] / "cases" / "fhirpath_patch.json").read_bytes())
FAULTS = {"inapplicable": PatchInapplicable, "malformed": PatchMalformed}
SIMPLE = {
    "type": "valueCode",
    "path": "valueString",
    "name": "valueString",
    "index": "valueInteger",
    "source": "valueInteger",
    "destination": "valueInteger",
}


def parameters(*operations: dict[str, Any]) -> dict[str, Any]:
    """The Parameters resource of operations that are written shortly."""
    written = [
        {
            "name": "operation",
            "part": [
                {"name": name, **(value if name == "value" else {SIMPLE[name]: value})} for name, value in each.items()
            ],
        }
        for each in operations
    ]
    return {"resourceType": "Parameters", "parameter": written} if written else {"resourceType": "Parameters"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_does_what_the_case_says(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["resource"])
    patch = parameters(*case["patch"])
    if "fault" in case:
        with pytest.raises(PatchFault) as caught:
            fhirpath_patch(case["resource"], patch)
        assert type(caught.value) is FAULTS[case["fault"]]
        assert case["says"] in caught.value.message
        assert case.get("expression", caught.value.expression) == caught.value.expression
    else:
        # As bytes: the order of members and the digits of decimals count.
        assert encode(fhirpath_patch(case["resource"], patch)) == encode(case["expected"])
    assert case["resource"] == before


def test_names_the_operation_that_failed() -> None:
    good = {"type": "delete", "path": "Patient.name"}
    bad = {"type": "replace", "path": "Patient.name", "value": {"valueHumanName": {"text": "x"}}}
    with pytest.raises(PatchInapplicable, match=r"Operation 1 \(replace\): there is nothing"):
        fhirpath_patch({"resourceType": "Patient"}, parameters(good, bad))


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ([], "Parameters resource"),
        ({"resourceType": "Patient"}, "Parameters resource"),
        ({"resourceType": "Parameters", "parameter": {}}, "array"),
        ({"resourceType": "Parameters", "parameter": [{"name": "op"}]}, "'operation'"),
        ({"resourceType": "Parameters", "parameter": [{"name": "operation"}]}, "needs part"),
        ({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "pth"}]}]}, "'path'"),
        ({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [1]}]}, "no part"),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "type"}] * 2}]},
            "given twice",
        ),
        ({"resourceType": "Parameters", "parameter": [{}] * 1001}, "1001 operations"),
    ],
)
def test_refuses_what_is_no_patch(patch: Any, says: str) -> None:
    with pytest.raises(PatchMalformed, match=says):
        fhirpath_patch({"resourceType": "Patient"}, patch)


@pytest.mark.parametrize(
    "value", [{}, {"valueInteger": 1, "valueString": "x"}, {"valueHumanName": "x"}, {"valueHumanName": []}]
)
def test_refuses_a_value_that_is_not_one(value: dict[str, Any]) -> None:
    with pytest.raises(PatchMalformed, match=r"value\[x\]|one HumanName"):
        fhirpath_patch(
            {"resourceType": "Patient"}, parameters({"type": "add", "path": "Patient", "name": "name", "value": value})
        )


@pytest.mark.parametrize(
    "value", [{"valueInteger": -1}, {"valueInteger": True}, {"valueInteger": Decimal("1.0")}, {"valueString": "1"}]
)
def test_refuses_an_index_that_is_no_count(value: dict[str, Any]) -> None:
    patch = parameters({"type": "insert", "path": "Patient.name", "value": {"valueHumanName": {"text": "x"}}})
    patch["parameter"][0]["part"].append({"name": "index", **value})
    with pytest.raises(PatchMalformed, match="whole number"):
        fhirpath_patch({"resourceType": "Patient"}, patch)


def test_keeps_the_digits_of_decimals() -> None:
    patch = parameters(
        {
            "type": "add",
            "path": "Observation",
            "name": "value",
            "value": {"valueQuantity": {"value": Decimal("0.0100")}},
        }
    )
    after = fhirpath_patch({"resourceType": "Observation"}, patch)
    assert str(after["valueQuantity"]["value"]) == "0.0100"


def test_shares_nothing_with_the_patch() -> None:
    patch = parameters(
        {"type": "add", "path": "Patient", "name": "name", "value": {"valueHumanName": {"given": ["a"]}}}
    )
    after = fhirpath_patch({"resourceType": "Patient"}, patch)
    after["name"][0]["given"].append("b")
    assert patch == parameters(
        {"type": "add", "path": "Patient", "name": "name", "value": {"valueHumanName": {"given": ["a"]}}}
    )


def test_refuses_paths_that_look_at_too_much() -> None:
    patient = {"resourceType": "Patient", "identifier": [{"value": str(number)} for number in range(1000)]}
    patch = parameters(*[{"type": "delete", "path": "Patient.identifier.where(value = 'x')"}] * 1000)
    with pytest.raises(PatchInapplicable, match="use indexes"):
        fhirpath_patch(patient, patch)


def test_refuses_a_tree_deeper_than_json_may_be() -> None:
    nested = {
        "type": "add",
        "path": "Patient",
        "name": "extension",
        "value": {"part": [{"name": "url", "valueUri": "u"}]},
    }
    deeper = [{**nested, "path": "Patient" + ".extension[0]" * depth, "name": "extension"} for depth in range(1, 60)]
    with pytest.raises(PatchInapplicable, match="deeper than 100"):
        fhirpath_patch({"resourceType": "Patient"}, parameters(nested, *deeper))


@pytest.mark.parametrize("path", ["(" * 200 + "Patient", "Patient" + ".name" * 300, "Patient.name.where(" * 60])
def test_refuses_paths_without_end(path: str) -> None:
    with pytest.raises(PatchMalformed, match=r"brackets|characters|should have"):
        parse(path)


@given(st.text(alphabet="Patient.name[0]()where='ofType$this \\`!@1\n", max_size=40))
def test_any_text_is_a_path_or_a_fault(text: str) -> None:
    with suppress(PatchMalformed):
        assert parse(text)


@given(st.text())
def test_any_string_can_be_compared_with(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    condition = Condition(("family",), True, text)
    assert parse(f"Patient.name.where(family='{quoted}')") == (Child("Patient"), Child("name"), Where((condition,)))


def test_reads_the_escapes_of_a_string() -> None:
    (_, where) = parse(r"name.where(text = 'a\n\u00e9\'\\')")
    assert where == Where((Condition(("text",), True, "a\né'\\"),))


def test_reads_numbers_and_backticks() -> None:
    assert parse("`name`[12].where(a.b != 1.50)") == (
        Child("name"),
        Index(12),
        Where((Condition(("a", "b"), False, Decimal("1.50")),)),
    )


GIVEN = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([{"id": "1"}, None])), max_size=5)


@given(GIVEN, st.integers(0, 5), st.integers(0, 5))
def test_moving_there_and_back_changes_nothing(pairs: list[tuple[Any, Any]], source: int, destination: int) -> None:
    kept = [pair for pair in pairs if pair != (None, None)]
    name = {
        name: [pair[side] for pair in kept]
        for side, name in enumerate(("given", "_given"))
        if any(pair[side] is not None for pair in kept)
    }
    patient = {"resourceType": "Patient", "active": True, "name": [{"family": "f", **name}]}
    operation = {"type": "move", "path": "Patient.name[0].given"}
    there = {**operation, "source": source, "destination": destination}
    back = {**operation, "source": destination, "destination": source}
    if max(source, destination) < len(kept):
        assert encode(fhirpath_patch(patient, parameters(there, back))) == encode(patient)
    else:
        with pytest.raises(PatchInapplicable, match="beyond the end"):
            fhirpath_patch(patient, parameters(there, back))


@given(GIVEN.filter(bool), st.data())
def test_inserting_and_deleting_again_changes_nothing(pairs: list[tuple[Any, Any]], data: st.DataObject) -> None:
    values = [plain or "z" for plain, _ in pairs]
    patient = {"resourceType": "Patient", "name": [{"given": values, "family": "f"}]}
    index = data.draw(st.integers(0, len(values)))
    insert = {"type": "insert", "path": "Patient.name.given", "index": index, "value": {"valueString": "new"}}
    delete = {"type": "delete", "path": f"Patient.name.given[{index}]"}
    assert encode(fhirpath_patch(patient, parameters(insert, delete))) == encode(patient)


def test_no_choice_of_r4_repeats() -> None:
    """A list is edited under the name of its element, which a choice does not have."""
    assert not [
        (path, each.name) for path, row in REGISTRY.elements.items() for each in row if each.many and each.is_choice
    ]
