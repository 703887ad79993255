"""Parts of resources keep what makes them true and say that they are parts."""

import copy
from decimal import Decimal
from typing import Any

import pytest

from schemas.registry import REGISTRY
from schemas.subset import SUBSETTED, elements, summary, unknown_elements

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "2", "tag": [{"system": "urn:x", "code": "a"}]},
    "text": {"status": "generated", "div": "<div>Ada</div>"},
    "extension": [{"url": "urn:e", "valueString": "x"}],
    "name": [{"use": "official", "family": "Byron", "given": ["Ada", None], "_given": [None, {"id": "g"}]}],
    "birthDate": "1970-03",
    "_birthDate": {"extension": [{"url": "urn:e", "valueTime": "10:00:00"}]},
    "maritalStatus": {"text": "married"},
    "contact": [{"name": {"family": "B"}, "gender": "female"}],
    "managingOrganization": {"extension": [{"url": "urn:absent", "valueCode": "unknown"}]},
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}], "text": "PHQ-9"},
    "valueQuantity": {"value": Decimal("0.010"), "unit": "mg"},
    "method": {"text": "m"},
    "component": [
        {"code": {"text": "c"}, "valueInteger": 1, "interpretation": [{"text": "i"}]},
        {"code": {"text": "d"}, "modifierExtension": [{"url": "urn:not", "valueBoolean": True}], "valueInteger": 2},
    ],
}


def members(part: dict[str, Any]) -> list[str]:
    return list(part)


def test_elements_keeps_what_was_asked_for_and_what_is_mandatory() -> None:
    part = elements(OBSERVATION, ["method"])
    assert members(part) == ["resourceType", "id", "meta", "status", "code", "method"]
    assert part["meta"] == {"tag": [SUBSETTED]}


def test_elements_adds_its_tag_to_the_ones_there() -> None:
    part = elements(PATIENT, ["birthDate"])
    assert part["meta"] == {"versionId": "2", "tag": [{"system": "urn:x", "code": "a"}, SUBSETTED]}
    assert elements(part, ["birthDate"]) == part


def test_elements_brings_the_extensions_of_a_primitive_along() -> None:
    assert members(elements(PATIENT, ["birthDate"])) == ["resourceType", "id", "meta", "birthDate", "_birthDate"]


@pytest.mark.parametrize("name", ["value", "value[x]", "valueQuantity", "Observation.value"])
def test_elements_finds_a_choice_by_each_of_its_names(name: str) -> None:
    assert elements(OBSERVATION, [name])["valueQuantity"] == {"value": Decimal("0.010"), "unit": "mg"}


def test_elements_goes_into_an_element() -> None:
    part = elements(PATIENT, ["name.given"])
    assert part["name"] == [{"given": ["Ada", None], "_given": [None, {"id": "g"}]}]
    assert elements(PATIENT, ["name.given", "name.family"])["name"][0].keys() == {"family", "given", "_given"}
    assert elements(PATIENT, ["name.given", "name"])["name"] == PATIENT["name"]


def test_elements_keeps_what_is_mandatory_or_changes_the_meaning_inside_an_element() -> None:
    part = elements(OBSERVATION, ["component.valueInteger"])
    assert part["component"] == [
        {"code": {"text": "c"}, "valueInteger": 1},
        {"code": {"text": "d"}, "modifierExtension": [{"url": "urn:not", "valueBoolean": True}], "valueInteger": 2},
    ]


def test_unknown_elements_are_named() -> None:
    names = [
        "value",
        "valueQuantity",
        "component.value",
        "Observation.code.coding.system",
        "valu",
        "code.nope",
        "value.unit",
    ]
    assert unknown_elements("Observation", names) == ("valu", "code.nope")


def test_summary_keeps_the_elements_that_r4_marks() -> None:
    part = summary(PATIENT, "true")
    assert members(part) == ["resourceType", "id", "meta", "name", "birthDate", "_birthDate", "managingOrganization"]
    assert part["name"] == PATIENT["name"]


def test_summary_leaves_no_element_empty() -> None:
    assert summary(PATIENT, "true")["managingOrganization"] == PATIENT["managingOrganization"]


def test_summary_goes_into_nested_elements_and_keeps_their_modifiers_whole() -> None:
    part = summary(OBSERVATION, "true")
    assert part["component"] == [
        {"code": {"text": "c"}, "valueInteger": 1},
        {"code": {"text": "d"}, "modifierExtension": [{"url": "urn:not", "valueBoolean": True}], "valueInteger": 2},
    ]
    assert "method" not in part


def test_summary_text_is_the_narrative_and_what_is_mandatory() -> None:
    assert members(summary(PATIENT, "text")) == ["resourceType", "id", "meta", "text"]
    assert members(summary(OBSERVATION, "text")) == ["resourceType", "id", "meta", "status", "code"]


def test_summary_data_is_all_but_the_narrative() -> None:
    assert members(summary(PATIENT, "data")) == [name for name in PATIENT if name != "text"]


def test_summary_false_is_the_resource_itself() -> None:
    assert summary(PATIENT, "false") is PATIENT


@pytest.mark.parametrize("mode", ["true", "text", "data"])
def test_a_part_says_that_it_is_one_and_leaves_the_resource_alone(mode: Any) -> None:
    before = copy.deepcopy(PATIENT)
    assert SUBSETTED in summary(PATIENT, mode)["meta"]["tag"]
    elements(PATIENT, ["name"])
    assert before == PATIENT


def test_the_registry_knows_summary_elements_of_every_type() -> None:
    assert all(any(element.summary for element in REGISTRY.elements[name]) for name in REGISTRY.types)
