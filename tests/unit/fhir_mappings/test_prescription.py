"""A library activity as CarePlan, ServiceRequest and Task in one transaction."""

from itertools import count
from typing import Any

import pytest

from fhir_mappings.assignment import asked_for, matches
from fhir_mappings.prescription import Assignment, assign, questionnaire_of
from schemas import library
from schemas.validate import validate

ACTIVITIES = {
    resource["url"].rsplit("/", 1)[1]: resource
    for resource in library.seed()
    if resource["resourceType"] == "ActivityDefinition"
}


def _assign(activity: str) -> dict[str, Any]:
    numbers = count(1)
    agreed = Assignment(
        patient="Patient/p1",
        practitioner="Practitioner/t1",
        activity=ACTIVITIES[activity],
        start="2026-01-12",
        end="2026-01-19",
        now="2026-01-12T10:50:00Z",
    )
    return assign(agreed, lambda: f"00000000-0000-4000-8000-{next(numbers):012d}")


def _resources(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}


@pytest.mark.parametrize("activity", sorted(ACTIVITIES))
def test_every_activity_of_the_library_can_be_assigned(activity: str) -> None:
    bundle = _assign(activity)

    assert validate(bundle) == []
    assert {entry["request"]["url"] for entry in bundle["entry"]} == {"CarePlan", "ServiceRequest", "Task"}


def test_the_plan_lists_the_request_and_the_request_does_not_point_back() -> None:
    bundle = _assign("phq-9")
    made = _resources(bundle)
    request_url = next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ServiceRequest")

    assert made["CarePlan"]["activity"] == [{"reference": {"reference": request_url}}]
    assert "basedOn" not in made["ServiceRequest"]
    assert made["Task"]["basedOn"] == [{"reference": request_url}]


def test_a_form_is_asked_for_in_the_words_of_both_guides() -> None:
    task = _resources(_assign("phq-9"))["Task"]

    assert [coding["code"] for coding in task["code"]["coding"]] == [
        "complete-questionnaire",
        "collect-information",
        "outcome-measure",
    ]
    assert list(asked_for(task)) == ["https://hearth.health/fhir/Questionnaire/phq-9|1.0.0"]
    assert {row["type"]["coding"][0]["code"] for row in task["input"]} == {"questionnaire", "rationale", "instruction"}


def test_an_activity_without_a_form_is_named_by_its_kind_alone() -> None:
    task = _resources(_assign("reading"))["Task"]

    assert questionnaire_of(ACTIVITIES["reading"]) is None
    assert [coding["code"] for coding in task["code"]["coding"]] == ["reading"]
    assert "focus" not in task


def test_the_request_says_how_often_within_the_window() -> None:
    timing = _resources(_assign("sleep-diary"))["ServiceRequest"]["occurrenceTiming"]

    assert timing["repeat"] == {
        "boundsPeriod": {"start": "2026-01-12", "end": "2026-01-19"},
        "frequency": 1,
        "period": 1,
        "periodUnit": "d",
        "when": ["MORN"],
        "duration": 5,
        "durationUnit": "min",
    }


def test_the_assignment_is_answered_by_a_response_based_on_its_request() -> None:
    task = _resources(_assign("gad-7"))["Task"]
    response = {"questionnaire": next(asked_for(task)), "basedOn": task["basedOn"], "subject": task["for"]}

    assert matches(task, response)
