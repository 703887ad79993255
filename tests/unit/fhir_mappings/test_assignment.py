"""Which Task a response answers, and the Task completed by it."""

from typing import Any

import pytest

from fhir_mappings.assignment import answered_task, asked_for, complete_task, matches
from schemas import json
from schemas.validate import validate

NOW = "2026-01-14T20:20:05Z"
FORM = "https://hearth.health/fhir/Questionnaire/phq-9"
SDC = "http://hl7.org/fhir/uv/sdc/CodeSystem/temp"

TASK: dict[str, Any] = {
    "resourceType": "Task",
    "id": "t1",
    "extension": [{"url": "urn:kept", "valueDecimal": 1}],
    "basedOn": [{"reference": "ServiceRequest/s1"}],
    "status": "ready",
    "intent": "order",
    "for": {"reference": "Patient/p1"},
    "authoredOn": "2026-01-12T10:00:00Z",
    "lastModified": "2026-01-12T10:00:00Z",
    "restriction": {"period": {"start": "2026-01-12", "end": "2026-01-19"}},
    "input": [
        {"type": {"text": "why"}, "valueMarkdown": "because"},
        {"type": {"coding": [{"system": SDC, "code": "questionnaire"}]}, "valueCanonical": f"{FORM}|1.0.0"},
    ],
}
RESPONSE: dict[str, Any] = {
    "resourceType": "QuestionnaireResponse",
    "id": "r1",
    "basedOn": [{"reference": "CarePlan/c1"}, {"reference": "ServiceRequest/s1"}],
    "questionnaire": f"{FORM}|1.0.0",
    "status": "completed",
    "subject": {"reference": "Patient/p1"},
    "authored": "2026-01-14T20:20:00Z",
}


def _output(reference: str) -> list[dict[str, Any]]:
    return [{"type": {"text": "x"}, "valueReference": {"reference": reference}}]


def test_a_task_matches_a_response_to_its_form_based_on_the_same_request() -> None:
    assert list(asked_for(TASK)) == [f"{FORM}|1.0.0"]
    assert matches(TASK, RESPONSE)


@pytest.mark.parametrize("status", ["requested", "received", "accepted", "ready", "in-progress", "on-hold"])
def test_an_open_task_matches(status: str) -> None:
    assert matches({**TASK, "status": status}, RESPONSE)


@pytest.mark.parametrize("status", ["draft", "rejected", "cancelled", "failed", "completed", "entered-in-error"])
def test_a_task_that_is_closed_or_not_yet_given_does_not_match(status: str) -> None:
    assert not matches({**TASK, "status": status}, RESPONSE)


@pytest.mark.parametrize(
    "changed",
    [
        {"questionnaire": "https://hearth.health/fhir/Questionnaire/gad-7|1.0.0"},
        {"questionnaire": f"{FORM}|2.0.0"},
        {"questionnaire": f"{FORM}-other"},
        {"questionnaire": ""},
        {"basedOn": [{"reference": "ServiceRequest/s2"}]},
        {"basedOn": [{"reference": "CarePlan/s1"}]},
        {"basedOn": [{"reference": "https://elsewhere.example.org/fhir/ServiceRequest/s1"}]},
        {"basedOn": []},
        {"subject": {"reference": "Patient/p2"}},
    ],
)
def test_another_form_version_request_or_person_does_not_match(changed: dict[str, Any]) -> None:
    assert not matches(TASK, {**RESPONSE, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"questionnaire": FORM},
        {"basedOn": [{"reference": "ServiceRequest/s1/_history/3"}]},
        {"subject": {"display": "somebody"}},
    ],
)
def test_what_is_left_open_or_said_otherwise_still_matches(changed: dict[str, Any]) -> None:
    assert matches(TASK, {**RESPONSE, **changed})


def test_a_task_that_pins_no_version_takes_any() -> None:
    task = {**TASK, "input": [{"type": {"text": "form"}, "valueCanonical": FORM}]}

    assert matches(task, RESPONSE)


def test_a_saved_draft_matches_by_the_output_that_lists_it() -> None:
    response = {**RESPONSE, "basedOn": []}

    assert matches({**TASK, "output": _output("QuestionnaireResponse/r1")}, response)
    assert not matches({**TASK, "output": _output("QuestionnaireResponse/r2")}, response)


def test_a_task_without_a_form_matches_nothing() -> None:
    assert not matches({name: value for name, value in TASK.items() if name != "input"}, RESPONSE)


def _occurrence(name: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    window = {"period": {"start": start, "end": end}}
    return {**TASK, "id": name, "partOf": [{"reference": "Task/t1"}], "restriction": window, **more}


def test_of_a_series_the_occurrence_whose_window_it_falls_into_is_answered() -> None:
    days = [_occurrence(f"day{day}", f"2026-01-{day}", f"2026-01-{day}") for day in (13, 14, 15)]

    found = answered_task([TASK, *days], RESPONSE)

    assert found is not None
    assert found["id"] == "day14"


def test_of_overlapping_occurrences_the_one_begun_and_then_the_earliest_due_is_answered() -> None:
    late, early = _occurrence("a", "2026-01-12", "2026-01-19"), _occurrence("b", "2026-01-12", "2026-01-16")
    begun = {**late, "id": "c", "status": "in-progress"}

    assert (answered_task([late, early], RESPONSE) or {})["id"] == "b"
    assert (answered_task([late, early, begun], RESPONSE) or {})["id"] == "c"


def test_the_task_that_holds_the_draft_wins_over_the_window() -> None:
    drafted = _occurrence("x", "2026-01-01", "2026-01-02", output=_output("QuestionnaireResponse/r1"))

    assert (answered_task([_occurrence("y", "2026-01-14", "2026-01-14"), drafted], RESPONSE) or {})["id"] == "x"


def test_no_task_is_answered_when_none_matches() -> None:
    assert answered_task([{**TASK, "status": "cancelled"}], RESPONSE) is None


def test_completing_sets_status_output_and_times_and_leaves_the_rest_as_it_was() -> None:
    before = json.encode(TASK)

    done = complete_task(TASK, "QuestionnaireResponse/r1", now=NOW)

    assert json.encode(TASK) == before
    assert validate(done) == []
    changed = {"status", "lastModified", "executionPeriod", "output"}
    assert [name for name in done if name not in changed] == [name for name in TASK if name not in changed]
    assert all(json.encode(done[name]) == json.encode(TASK[name]) for name in TASK if name not in changed)
    assert done["status"] == "completed"
    assert done["lastModified"] == NOW
    assert done["executionPeriod"] == {"start": NOW, "end": NOW}
    assert done["output"] == [
        {
            "type": {
                "coding": [
                    {"system": SDC, "code": "questionnaire-response"},
                    {
                        "system": "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs",
                        "code": "collect-information",
                    },
                ]
            },
            "valueReference": {"reference": "QuestionnaireResponse/r1"},
        }
    ]


def test_completing_keeps_the_start_and_the_outputs_that_are_there() -> None:
    begun = {**TASK, "executionPeriod": {"start": "2026-01-14T20:00:00Z"}, "output": _output("DocumentReference/d1")}

    done = complete_task(begun, "QuestionnaireResponse/r1", now=NOW)

    assert done["executionPeriod"] == {"start": "2026-01-14T20:00:00Z", "end": NOW}
    assert [row["valueReference"]["reference"] for row in done["output"]] == [
        "DocumentReference/d1",
        "QuestionnaireResponse/r1",
    ]


@pytest.mark.parametrize("listed", ["QuestionnaireResponse/r1", "QuestionnaireResponse/r1/_history/2"])
def test_a_response_that_is_listed_is_not_listed_twice(listed: str) -> None:
    done = complete_task({**TASK, "output": _output(listed)}, "QuestionnaireResponse/r1", now=NOW)

    assert done["output"] == _output(listed)


def test_completing_again_changes_nothing() -> None:
    done = complete_task(TASK, "QuestionnaireResponse/r1", now=NOW)

    assert complete_task(done, "QuestionnaireResponse/r1", now="2026-02-01T00:00:00Z") == done


def test_the_reason_of_a_pause_goes_with_the_pause() -> None:
    paused = {**TASK, "status": "on-hold", "statusReason": {"text": "holiday"}}

    assert "statusReason" not in complete_task(paused, "QuestionnaireResponse/r1", now=NOW)


def test_an_answer_does_not_do_the_whole_series() -> None:
    made = {"url": "https://hearth.health/fhir/StructureDefinition/parts-made", "valueDateTime": "2026-01-26"}
    head = {**TASK, "id": "head", "extension": [made]}
    assert answered_task([head], RESPONSE) is None
