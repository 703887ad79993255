import copy
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.json import decode
from schemas.outcome import outcome
from schemas.registry import REGISTRY
from schemas.validate import validate

CASES = Path(__file__).parents[2] / "cases"
EXAMPLES = sorted((CASES / "examples").glob("*.json"))
TASK = {"resourceType": "Task", "status": "ready", "intent": "order"}


def written_cases() -> list[Any]:
    return [
        pytest.param(case["resource"], case["faults"], id=f"{file.stem}: {case['name']}")
        for file in sorted((CASES / "validation").glob("*.json"))
        for case in decode(b'{"cases":' + file.read_bytes() + b"}")["cases"]
    ]


@pytest.mark.parametrize(("resource", "faults"), written_cases())
def test_finds_each_fault_at_its_place_and_no_other(resource: Any, faults: list[list[str]]) -> None:
    found = [[*issue.expression, issue.details_code] for issue in validate(resource)]
    assert sorted(found) == sorted(faults)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_finds_no_fault_in_the_worked_examples(file: Path) -> None:
    assert validate(decode(file.read_bytes())) == []


def test_leaves_what_it_judges_as_it_was() -> None:
    for file in EXAMPLES:
        resource = decode(file.read_bytes())
        before = copy.deepcopy(resource)
        validate(resource)
        assert resource == before


def test_names_the_allowed_codes_and_the_one_that_was_meant() -> None:
    (issue,) = validate(TASK | {"status": "complete"})
    assert issue.code == "code-invalid"
    assert "in-progress" in issue.diagnostics
    assert "Did you mean 'completed'" in issue.diagnostics


def test_names_the_element_that_was_meant() -> None:
    (issue,) = validate(TASK | {"ownr": {"reference": "Patient/1"}})
    assert "Did you mean 'owner'" in issue.diagnostics


def test_never_repeats_a_value_that_was_sent() -> None:
    secret = "Jane Roe"
    faulty = TASK | {"status": secret, "authoredOn": secret, "focus": {"reference": secret}, "priority": secret}
    issues = validate(faulty)
    assert len(issues) == 4
    assert not any(secret in issue.diagnostics for issue in issues)


def test_refuses_another_type_than_asked_for() -> None:
    (issue,) = validate(TASK, "Goal")
    assert (issue.expression, issue.details_code) == (("Goal.resourceType",), "wrong-resource-type")


@pytest.mark.parametrize(
    ("resource", "details"),
    [
        ([], "wrong-type"),
        ({}, "missing-resource-type"),
        ({"resourceType": 3}, "missing-resource-type"),
        ({"resourceType": "Taks"}, "unknown-type"),
        ({"resourceType": "Medication"}, "unsupported-type"),
    ],
)
def test_refuses_what_is_no_served_resource(resource: Any, details: str) -> None:
    assert [issue.details_code for issue in validate(resource)] == [details]


def test_leaves_entries_to_others_when_asked() -> None:
    entry = {"resource": {"resourceType": "Task"}, "request": {"method": "POST", "url": "Task"}}
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    assert validate(bundle, entries=False) == []
    assert len(validate(bundle)) == 2


def test_allows_references_by_search_where_they_are_resolved() -> None:
    flag = {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": "x"},
        "subject": {"reference": "Patient?_id=1"},
    }
    assert [issue.details_code for issue in validate(flag)] == ["reference-conditional"]
    assert validate(flag, conditional=True) == []
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "urn:x:1", "resource": flag}]}
    assert validate(bundle) == []


def test_judges_a_bundle_whose_entries_have_any_shape() -> None:
    entries = [
        {"fullUrl": "urn:x:1", "resource": {"resourceType": "Medication", "meta": shape}} for shape in ("a", [1])
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    assert [issue.details_code for issue in validate(bundle, entries=False)] == ["bdl-7"]
    assert [issue.details_code for issue in validate(bundle)] == ["bdl-7"]


def test_refuses_a_string_of_more_than_a_megabyte() -> None:
    (issue,) = validate(TASK | {"description": "x" * (1024 * 1024 + 1)})
    assert issue.details_code == "invalid-string"


def test_finds_a_fault_below_ninety_levels() -> None:
    deep: Any = {"url": "http://example.org/x", "valueDate": "never"}
    for _ in range(45):
        deep = {"url": "http://example.org/x", "extension": [deep]}
    (issue,) = validate(TASK | {"extension": [deep]})
    assert issue.expression[0].count(".extension[0]") == 46


def test_its_outcome_is_valid_itself() -> None:
    assert validate(outcome(validate({"resourceType": "Task", "foo": [None, ""]}))) == []


def test_every_type_of_the_registry_compiles() -> None:
    for name in REGISTRY.types:
        assert isinstance(validate({"resourceType": name}), list)


@pytest.mark.parametrize(("name", "limit"), [("task-occurrence-questionnaire", 0.15), ("phq-9", 0.3)])
def test_costs_little(name: str, limit: float) -> None:
    file = CASES / "examples" / f"{name}.json"
    resource = decode(file.read_bytes()) if file.exists() else phq9()
    validate(resource)
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        for _ in range(200):
            validate(resource)
        best = min(best, (time.process_time() - start) / 200)
    assert best * 1000 < limit


def phq9() -> dict[str, Any]:
    rated = {
        "system": "http://loinc.org",
        "code": "LA6569-3",
        "display": "Several days",
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/ordinalValue", "valueDecimal": 1}],
    }
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "https://hw.example.org/fhir/Questionnaire/phq-9|1.0.0",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "authored": "2026-01-14T20:20:00Z",
        "author": {"reference": "Patient/p1"},
        "item": [{"linkId": f"/{number}", "answer": [{"valueCoding": rated}]} for number in range(9)],
    }
