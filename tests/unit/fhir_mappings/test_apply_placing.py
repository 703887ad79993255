"""Values put in by path: what is there afterwards, and what is not touched."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.fhirpath import Value, environment, evaluate
from fhir_mappings.placing import PlacingFault, placed
from schemas import json
from schemas.registry import REGISTRY
from schemas.validate import validate

SAMPLES: dict[str, Any] = {
    "string": "text",
    "markdown": "text",
    "boolean": True,
    "integer": 3,
    "positiveInt": 3,
    "unsignedInt": 3,
    "date": "2026-01-12",
    "dateTime": "2026-01-12T10:00:00Z",
    "instant": "2026-01-12T10:00:00Z",
    "uri": "https://example.org/x",
    "url": "https://example.org/x",
    "canonical": "https://example.org/x",
    "Reference": {"display": "somebody"},
    "CodeableConcept": {"text": "text"},
    "Coding": {"code": "x"},
    "Quantity": {"value": 3},
    "Duration": {"value": 3},
    "Period": {"start": "2026-01-12"},
    "Identifier": {"value": "x"},
    "Annotation": {"text": "text"},
}
"""A value of each type that is right wherever the type is; codes have their lists, so they are left out."""
BASES: dict[str, Any] = {
    "Task": {"resourceType": "Task", "status": "ready", "intent": "order"},
    "ServiceRequest": {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {}},
    "CarePlan": {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {}},
    "Goal": {"resourceType": "Goal", "lifecycleStatus": "active", "description": {}, "subject": {}},
    "CommunicationRequest": {"resourceType": "CommunicationRequest", "status": "active"},
}
for _base in BASES.values():
    for _name in ("subject", "description"):
        if _name in _base:
            _base[_name] = {"display" if _name == "subject" else "text": "x"}


def paths(key: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Path and type of every element below a type that a sample can be put into; of choices each with as()."""
    for element in REGISTRY.elements[key]:
        plain = element.name.removesuffix("[x]")
        if element.name in (
            "id",
            "extension",
            "modifierExtension",
            "meta",
            "contained",
            "text",
            "implicitRules",
            "language",
        ):
            continue
        for datatype in element.types:
            name = f"{plain}.as({datatype})" if element.is_choice else plain
            if datatype in SAMPLES:
                yield name, datatype
            elif datatype in REGISTRY.elements and depth < 1:
                for below, kind in paths(datatype, depth + 1):
                    yield f"{name}.{below}", kind


PLACES = [(key, path, kind) for key in BASES for path, kind in paths(key)]


def other_members(resource: Any, path: str) -> dict[str, Any]:
    first = path.split(".")[0].split("[")[0]
    return {name: value for name, value in resource.items() if not name.startswith(first)}


@settings(deadline=None)  # the first one loads the engine
@given(st.sampled_from(PLACES))
def test_what_was_put_in_is_found_by_the_same_path_and_nothing_else_changes(place: tuple[str, str, str]) -> None:
    key, path, kind = place
    base = BASES[key]
    before = json.encode(base)
    made = placed(base, path, [Value(kind, SAMPLES[kind])])
    found = evaluate(path, made, environment("2026-01-12T10:00:00.000Z"), "here")
    assert [each.data for each in found] == [SAMPLES[kind]]
    assert other_members(made, path) == other_members(base, path)
    assert json.encode(base) == before
    assert [each for each in validate(made) if each.code == "structure"] == []


@given(st.sampled_from(PLACES))
def test_putting_the_same_in_twice_is_putting_it_in_once(place: tuple[str, str, str]) -> None:
    key, path, kind = place
    values = [Value(kind, SAMPLES[kind])]
    once = placed(BASES[key], path, values)
    assert placed(once, path, values) == once


@given(st.sampled_from(PLACES), st.sampled_from(PLACES))
def test_values_at_places_apart_do_not_touch_each_other(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    first, second = (each[1].split(".")[0].split("[")[0] for each in (one, other))
    if one[0] != other[0] or first == second:
        return
    values = [[Value(kind, SAMPLES[kind])] for _, _, kind in (one, other)]
    forward = placed(placed(BASES[one[0]], one[1], values[0]), other[1], values[1])
    backward = placed(placed(BASES[one[0]], other[1], values[1]), one[1], values[0])
    assert forward == backward


@given(st.text(alphabet="abs.[]()'x0fornte", max_size=40))
def test_any_text_is_a_path_or_a_fault_that_says_so(text: str) -> None:
    with suppress(PlacingFault):
        made = placed(BASES["Task"], text, [Value("string", "x")])
        assert made != BASES["Task"]


@given(st.sampled_from(PLACES))
def test_no_value_leaves_everything_as_it_is(place: tuple[str, str, str]) -> None:
    assert placed(BASES[place[0]], place[1], []) == BASES[place[0]]


TASK = BASES["Task"]
CASES = [
    ("for", Value("Patient", {"resourceType": "Patient", "id": "1"}), {"for": {"reference": "Patient/1"}}),
    ("owner", Value("string", "Patient/1"), {"owner": {"reference": "Patient/1"}}),
    ("code", Value("Coding", {"code": "x"}), {"code": {"coding": [{"code": "x"}]}}),
    ("code", Value("string", "Walk"), {"code": {"text": "Walk"}}),
    ("code.coding", Value("Coding", {"code": "x"}), {"code": {"coding": [{"code": "x"}]}}),
    ("priority", Value("string", "urgent"), {"priority": "urgent"}),
    ("restriction.repetitions", Value("decimal", 3), {"restriction": {"repetitions": 3}}),
    ("restriction.period.start", Value("date", "2026-01-01"), {"restriction": {"period": {"start": "2026-01-01"}}}),
    ("note", Value("string", "hello"), {"note": [{"text": "hello"}]}),
    ("note[0].text", Value("string", "hello"), {"note": [{"text": "hello"}]}),
    ("input[0].value", Value("Quantity", {"value": 2}), {"input": [{"valueQuantity": {"value": 2}}]}),
    ("input.valueMarkdown", Value("string", "x"), {"input": [{"valueMarkdown": "x"}]}),
    ("Task.description", Value("string", "x"), {"description": "x"}),
    (
        "extension('https://example.org/a').value",
        Value("integer", 2),
        {"extension": [{"url": "https://example.org/a", "valueInteger": 2}]},
    ),
    (
        "meta.security",
        Value("Coding", {"system": "s", "code": "R"}),
        {"meta": {"security": [{"system": "s", "code": "R"}]}},
    ),
]


@pytest.mark.parametrize(("path", "value", "added"), CASES, ids=lambda case: str(case)[:40])
def test_a_value_becomes_what_its_element_takes(path: str, value: Value, added: Any) -> None:
    assert placed(TASK, path, [value]) == {**TASK, **added}


@pytest.mark.parametrize(
    ("path", "values", "why"),
    [
        ("nowhere", [Value("string", "x")], "no element 'nowhere'"),
        ("status.x", [Value("string", "x")], "has no elements"),
        ("input.value.start", [Value("date", "2026")], "is a choice"),
        ("input.value.as(Task)", [Value("date", "2026")], "not Task"),
        ("note[2].text", [Value("string", "x")], "not the next of 0"),
        ("description", [Value("string", "x"), Value("string", "y")], "takes one value, not 2"),
        ("description", [Value("boolean", True)], "takes string, not boolean"),
        ("for", [Value("integer", 1)], "takes Reference, not integer"),
        ("Task", [Value("string", "x")], "names a resource"),
        ("a..b", [Value("string", "x")], "is not one of"),
        ("", [Value("string", "x")], "names no element"),
        ("note.where(text='x').text", [Value("string", "x")], "is not one of"),
    ],
)
def test_a_path_or_value_that_does_not_fit_is_named(path: str, values: list[Value], why: str) -> None:
    with pytest.raises(PlacingFault) as refused:
        placed(TASK, path, values)
    assert why in str(refused.value)


def test_all_values_go_into_an_element_that_repeats_in_place_of_what_was_there() -> None:
    task = {**TASK, "note": [{"text": "old"}]}
    made = placed(task, "note", [Value("string", "a"), Value("string", "b")])
    assert made["note"] == [{"text": "a"}, {"text": "b"}]


def test_a_choice_changes_its_type() -> None:
    request = {**BASES["ServiceRequest"], "occurrenceTiming": {"repeat": {"frequency": 1}}}
    made = placed(request, "occurrence", [Value("dateTime", "2026-01-01")])
    assert made["occurrenceDateTime"] == "2026-01-01"
    assert "occurrenceTiming" not in made
