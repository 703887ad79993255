"""What an EHR says of a launch: read strictly, explained without repeating it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import launch

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*launch.Launch.model_fields, "other"])


def read(**body: Any) -> launch.Launch:
    return launch.read(json.dumps(body).encode())


def test_an_empty_launch_is_one() -> None:
    assert read() == launch.Launch()


@pytest.mark.parametrize("patient", ["p1", "Patient/p1"])
def test_a_patient_is_named_by_id_or_reference(patient: str) -> None:
    assert read(patient=patient).patient == "Patient/p1"


def test_every_resource_of_this_server_is_found() -> None:
    found = read(
        user="Practitioner/d1", patient="p1", encounter="e1",
        fhirContext=[{"reference": "Task/t1"}, {"canonical": "https://e.org/Questionnaire/q"}],
    )  # fmt: skip
    assert found.references() == (("Practitioner", "d1"), ("Patient", "p1"), ("Encounter", "e1"), ("Task", "t1"))


@pytest.mark.parametrize(
    ("item", "entry"),
    [
        ({"reference": "Task/t1"}, {"reference": "Task/t1", "type": "Task"}),
        ({"reference": "Task/t1", "role": "launch"}, {"reference": "Task/t1", "role": "launch", "type": "Task"}),
        ({"canonical": "https://e.org/q|1"}, {"canonical": "https://e.org/q|1"}),
        ({"identifier": {"value": "1"}, "type": "Goal"}, {"identifier": {"value": "1"}, "type": "Goal"}),
        ({"reference": "Patient/p2", "role": "urn:x:sibling"},
         {"reference": "Patient/p2", "role": "urn:x:sibling", "type": "Patient"}),
    ],
)  # fmt: skip
def test_an_entry_says_its_type_where_that_is_known(item: dict[str, Any], entry: dict[str, Any]) -> None:
    assert read(fhirContext=[item]).fhirContext[0].entry() == entry


def told(raw: bytes) -> str:
    """What is wrong with the bytes; empty where nothing is. No other error comes out."""
    try:
        launch.read(raw)
    except launch.LaunchFault as fault:
        return str(fault) or "nothing"
    return ""


@given(st.dictionaries(names, anything, max_size=3))
def test_whatever_is_wrong_is_told_as_oauth_can_say_it(body: dict[str, Any]) -> None:
    sentence = told(json.dumps(body).encode())
    assert sentence != "nothing"
    assert all(" " <= char <= "~" and char not in '"\\' for char in sentence)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_without_another_error(raw: bytes) -> None:
    told(raw)
