"""Ratings: their scales are those of the code system, what says none gets one, and what is off it is found."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.rating import ends_of, faults, with_scale
from schemas import library
from schemas.ratings import MEASURE, scales

CONCEPTS = {
    concept["code"]: concept["definition"]
    for resource in library.seed()
    if resource["url"] == MEASURE
    for concept in resource["concept"]
}


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": MEASURE, "code": code}]}


def rating(code: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": coded(code)} | members


@pytest.mark.parametrize("code", [code for code, said in CONCEPTS.items() if re.search(r"-?\d+[^.]* to -?\d+", said)])
def test_a_scale_is_the_one_that_the_code_systems_definition_says(code: str) -> None:
    if code == "homework-worry":  # a sum that its form computes
        assert code not in scales()
        return
    said = [int(number) for number in re.findall(r"-?\d+", CONCEPTS[code])]
    assert [*scales()[code]] == said


def test_every_scale_is_of_a_code_that_there_is() -> None:
    assert scales().keys() <= CONCEPTS.keys()


def test_a_rating_without_a_scale_gets_the_one_of_its_code() -> None:
    made = with_scale(rating("mood", valueInteger=7))
    assert made["referenceRange"] == [{"low": {"value": 0}, "high": {"value": 10}, "text": "0-10 scale"}]


@pytest.mark.parametrize(
    "left",
    [
        rating("mood", valueInteger=7, referenceRange=[{"text": "as ever"}]),
        rating("practice-minutes", valueInteger=7),
        rating("mood", dataAbsentReason={"text": "asked and declined"}),
        rating("suds", component=[{"code": coded("suds-pre"), "valueInteger": 7}, {"code": coded("mood")}]),
        {"resourceType": "Observation", "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}},
    ],
)
def test_what_has_a_scale_or_none_to_get_is_left_as_it_is(left: dict[str, Any]) -> None:
    assert with_scale(left) is left


def test_distress_before_and_afterwards_shares_the_scale_of_the_whole() -> None:
    parts = [{"code": coded(code), "valueInteger": 40} for code in ("suds-pre", "suds-peak", "suds-post")]
    made = with_scale(rating("suds", component=parts))
    assert made["referenceRange"][0]["text"] == "0-100 scale"
    assert list(faults(made)) == []


@given(code=st.sampled_from(sorted(scales())), value=st.integers(-200, 300))
def test_a_value_is_a_fault_exactly_off_its_scale(code: str, value: int) -> None:
    ends = scales()[code]
    for found in (rating(code, valueInteger=value), rating(code, valueQuantity={"value": value})):
        assert bool(list(faults(found))) is not (ends.low <= value <= ends.high)


def test_the_scale_that_an_observation_says_goes_before_that_of_its_code() -> None:
    ten = [{"low": {"value": 0}, "high": {"value": 10}}]
    found = rating("suds", referenceRange=ten, component=[{"code": coded("suds-pre"), "valueInteger": 11}])
    assert [each.expression for each in faults(found)] == ["Observation.component[0].valueInteger"]
    own = {
        "code": coded("suds-pre"),
        "valueInteger": 11,
        "referenceRange": [{"low": {"value": 0}, "high": {"value": 20}}],
    }
    assert list(faults(found | {"component": [own]})) == []
    assert ends_of(None) is None
