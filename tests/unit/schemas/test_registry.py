import json
from pathlib import Path
from typing import Any

import pytest

from schemas.generate.corrections import CUSTOM_SEARCH, FIRST_TYPE_IDS, TYPES
from schemas.generate.ids import extended
from schemas.registry import REGISTRY, SearchParam, SearchPath

ROOT = Path(__file__).parents[3]
PUBLISHED: dict[str, dict[str, dict[str, Any]]] = json.loads((ROOT / "tests/cases/search_parameters.json").read_text())


def written(path: SearchPath) -> str:
    return ".".join(step.name + (f"[{step.where[0]}={step.where[1]}]" if step.where else "") for step in path.steps)


def places(param: SearchParam, expected: list[str]) -> set[str]:
    """The paths as the standard writes them: a choice that it leaves open is written without its type."""
    found = set()
    for path in param.paths:
        stem = written(path).removesuffix(path.datatype[0].upper() + path.datatype[1:])
        found.add(stem if stem in expected else written(path))
    return found


@pytest.mark.parametrize(
    ("type_name", "code", "expected"),
    [(name, code, facts) for name, of_type in PUBLISHED.items() for code, facts in of_type.items()],
    ids=[f"{name}.{code}" for name, of_type in PUBLISHED.items() for code in of_type],
)
def test_knows_each_published_search_parameter(type_name: str, code: str, expected: dict[str, Any]) -> None:
    param = REGISTRY.types[type_name].search[code]
    assert param.kind == expected["kind"]
    if "paths" in expected:
        assert places(param, expected["paths"]) == set(expected["paths"])
    if "of" in expected:
        assert {path.targets for path in param.paths} == {(expected["of"],)}


def test_has_no_search_parameter_that_r4_does_not_publish() -> None:
    custom = {(name, code) for name, code, _, _ in CUSTOM_SEARCH}
    ours = {
        (name, code) for name in PUBLISHED for code in REGISTRY.types[name].search if not code.startswith("_")
    } - custom
    assert ours == {(name, code) for name, of_type in PUBLISHED.items() for code in of_type}


def test_covers_fifty_one_types_of_which_two_are_never_stored() -> None:
    assert len(REGISTRY.types) == len(TYPES) == 51
    assert {each.name for each in REGISTRY.types.values() if not each.storable} == {"Parameters", "OperationOutcome"}


@pytest.mark.parametrize(("type_name", "code", "kind"), [row[:3] for row in CUSTOM_SEARCH])
def test_has_the_custom_search_parameters(type_name: str, code: str, kind: str) -> None:
    param = REGISTRY.types[type_name].search[code]
    assert (param.kind, param.url) == (kind, f"https://hearth.health/fhir/SearchParameter/{type_name}-{code}")


def test_every_stored_type_has_the_global_parameters() -> None:
    names = {"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source", "_list"}
    assert all(names <= set(each.search) for each in REGISTRY.types.values() if each.storable)


def test_numbers_are_unique_and_fit_where_they_are_stored() -> None:
    ids = [each.id for each in REGISTRY.types.values()]
    assert len(set(ids)) == len(ids)
    for each in REGISTRY.types.values():
        bits = [param.bit for param in each.search.values()]
        assert len(set(bits)) == len(bits)
        assert all(0 <= bit <= 62 for bit in bits)


def test_the_first_types_keep_their_numbers() -> None:
    assert {name: REGISTRY.types[name].id for name in FIRST_TYPE_IDS} == FIRST_TYPE_IDS


def test_one_code_has_one_number_in_all_types() -> None:
    numbers = {(param.code, param.id) for each in REGISTRY.types.values() for param in each.search.values()}
    assert len(numbers) == len({code for code, _ in numbers}) == len({number for _, number in numbers})


def test_generating_again_changes_no_number() -> None:
    ids = json.loads((ROOT / "schemas/data/r4/ids.json").read_text())
    search: dict[str, dict[str, Any]] = {
        each.name: {code: {} for code in each.search} for each in REGISTRY.types.values() if each.storable
    }
    assert extended(ids, search) == ids
    more = extended(ids, search | {"Task": search["Task"] | {"aaa": {}}})
    assert {**more["parameters"], "aaa": 0} == {**ids["parameters"], "aaa": 0}
    assert more["parameters"]["aaa"] == max(ids["parameters"].values()) + 1


def test_a_task_is_in_the_compartment_of_its_patient_and_its_owner() -> None:
    assert dict(REGISTRY.types["Task"].compartments) == {"Patient": ("patient", "owner"), "RelatedPerson": ("owner",)}


def test_compartments_are_those_of_r4() -> None:
    assert REGISTRY.types["Encounter"].compartments["Patient"] == ("patient",)
    assert REGISTRY.types["CareTeam"].compartments["Patient"] == ("patient", "participant")
    assert REGISTRY.types["Patient"].compartments["Patient"] == ("_id", "link")
    assert REGISTRY.types["QuestionnaireResponse"].compartments["RelatedPerson"] == ("author", "source")
    assert "Patient" not in REGISTRY.types["Questionnaire"].compartments


def test_the_known_departures_of_the_package_are_set_right() -> None:
    def element(path: str) -> Any:
        parent, _, name = path.rpartition(".")
        return next((each for each in REGISTRY.elements[parent] if each.name == name), None)

    assert element("Binary.url") is None
    assert element("DetectedIssue.status").binding == "observation-status"
    assert "Group" in element("MeasureReport.subject").targets
    assert "Organization" not in element("MeasureReport.subject").targets
    assert element("AuditEvent.source.observer").targets == element("AuditEvent.agent.who").targets
    assert "Subscription" not in element("AuditEvent.source.observer").targets
    assert "order-detail" not in REGISTRY.types["ServiceRequest"].search
    assert "status" not in REGISTRY.types["DetectedIssue"].search


def test_a_closed_token_names_its_codes() -> None:
    assert "entered-in-error" in (REGISTRY.types["Task"].search["status"].codes or ())
    assert REGISTRY.types["Task"].search["code"].codes is None


def test_single_follows_the_cardinality_along_the_path() -> None:
    search = REGISTRY.types["Observation"].search
    assert search["subject"].single
    assert search["status"].single
    assert search["date"].single
    assert not search["performer"].single
    assert not search["component-value-quantity"].single
    assert not search["code"].single


def test_a_composite_says_where_its_instances_stand() -> None:
    combo = REGISTRY.types["Observation"].search["combo-code-value-quantity"]
    assert [[step.name for step in focus] for focus in combo.foci] == [[], ["component"]]
    assert [(part.code, part.kind) for part in combo.components] == [
        ("combo-code", "token"),
        ("combo-value-quantity", "quantity"),
    ]


def test_names_the_targets_of_references() -> None:
    references = REGISTRY.types["Task"].references
    assert references["partOf"] == ("Task",)
    assert references["input.valueReference"] == ()
    assert "Patient" in references["restriction.recipient"]


@pytest.mark.parametrize(("written", "meant"), [("stauts", "status"), ("subjct", "subject"), ("Owner", "owner")])
def test_offers_the_nearest_name(written: str, meant: str) -> None:
    assert REGISTRY.nearest(written, REGISTRY.types["Task"].search)[0] == meant
