"""The seeded library: valid R4, whole, and the same on every start."""

import re
import uuid
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from schemas import json, library
from schemas.instruments import instrument_for
from schemas.validate import validate

RESOURCES = list(library.seed())
BY_URL = {resource["url"]: resource for resource in RESOURCES}
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"


def _named(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']} {resource['url'].rsplit('/', 1)[1]}"


def _codings(value: Any) -> list[tuple[str, str, str | None]]:
    if isinstance(value, list):
        return [coding for child in value for coding in _codings(child)]
    if not isinstance(value, dict):
        return []
    here = [(value["system"], value["code"], value.get("display"))] if {"system", "code"} <= value.keys() else []
    return here + [coding for child in value.values() for coding in _codings(child)]


@pytest.mark.parametrize("resource", RESOURCES, ids=_named)
def test_every_resource_is_read_by_a_typed_model(resource: dict[str, Any]) -> None:
    get_fhir_model_class(resource["resourceType"]).model_validate_json(json.encode(resource))


@pytest.mark.parametrize("resource", RESOURCES, ids=_named)
def test_every_resource_is_valid_r4(resource: dict[str, Any]) -> None:
    assert validate(resource) == []


def test_the_library_has_the_forms_and_the_common_kinds_of_homework() -> None:
    names = {_named(resource) for resource in RESOURCES}

    assert names >= {
        f"Questionnaire {name}"
        for name in ("phq-9", "gad-7", "thought-record", "activity-log", "exposure-record", "gratitude-journal")
    }
    assert names >= {
        f"ActivityDefinition {name}"
        for name in (
            "thought-record",
            "mood-and-activity-log",
            "graded-exposure",
            "behavioural-activation",
            "progressive-muscle-relaxation",
            "mindful-breathing",
            "gratitude-journal",
            "sleep-diary",
            "reading",
            "phq-9",
            "gad-7",
        )
    }


def test_ids_are_the_same_on_every_start_and_differ_by_version() -> None:
    assert [resource["id"] for resource in library.seed()] == [resource["id"] for resource in RESOURCES]
    assert len({resource["id"] for resource in RESOURCES}) == len(RESOURCES)
    assert all(uuid.UUID(resource["id"]).version == 5 for resource in RESOURCES)
    assert library.ids() == {resource["id"]: resource["resourceType"] for resource in RESOURCES}
    assert library.seed_id("https://example.org/q|1") != library.seed_id("https://example.org/q|2")


def test_canonicals_say_where_a_resource_belongs() -> None:
    for resource in RESOURCES:
        assert re.fullmatch(rf"{library.BASE}/{resource['resourceType']}/[a-z0-9-]+", resource["url"])
        assert re.fullmatch(r"[A-Z][A-Za-z0-9_]{1,254}", resource["name"])


def test_every_local_code_is_defined_with_the_display_it_is_shown_by() -> None:
    systems = {
        resource["url"]: {concept["code"]: concept["display"] for concept in resource["concept"]}
        for resource in RESOURCES
        if resource["resourceType"] == "CodeSystem"
    }
    for resource in RESOURCES:
        for system, code, display in _codings(resource):
            if system.startswith(library.BASE):
                assert code in systems[system]
                assert display in (None, systems[system][code])


@pytest.mark.parametrize("name", ["phq-9", "gad-7"])
def test_a_form_asks_what_its_instrument_scores_and_shows_the_same_points(name: str) -> None:
    form = BY_URL[f"{library.BASE}/Questionnaire/{name}"]
    instrument = instrument_for((coding["system"], coding["code"]) for coding in form["code"])
    assert instrument is not None
    asked = {
        (item["code"][0]["system"], item["code"][0]["code"]): item for item in form["item"] if item["type"] == "choice"
    }

    assert list(asked) == list(instrument.items)
    assert form["copyright"] == instrument.copyright
    (scale,) = instrument.scales
    for code, points in scale.points.items():
        offered = [option["valueCoding"] for option in asked[code]["answerOption"]]
        assert [coding["extension"][0]["valueDecimal"] for coding in offered] == [0, 1, 2, 3]
        assert [points[(coding["system"], coding["code"])] for coding in offered] == [0, 1, 2, 3]
        assert all(coding["extension"][0]["url"] == ORDINAL for coding in offered)
