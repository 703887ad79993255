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


def _assign(name: str, **members: Any) -> dict[str, Any]:
    numbers = count(1)
    said: dict[str, Any] = {
        "patient": "Patient/p1",
        "practitioner": "Practitioner/t1",
        "activity": ACTIVITIES[name],
        "start": "2026-01-12",
        "end": "2026-01-19",
        "now": "2026-01-12T10:50:00Z",
    }
    agreed = Assignment(**said | members)
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
    assert {row["type"]["coding"][0]["code"] for row in task["input"]} == {
        "questionnaire",
        "rationale",
        "instruction",
        "alternative-format",
    }


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


def _inputs(task: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [row for row in task["input"] if row["type"]["coding"][0]["code"] == code]


def test_what_was_agreed_on_besides_is_said_where_it_belongs() -> None:
    recording = {"contentType": "audio/mpeg", "url": "https://media.example.org/calm.mp3", "title": "Calm"}
    bundle = _assign(
        "gratitude-journal",
        dose={"repeat": {"boundsPeriod": {"start": "2020-01-01"}, "period": 2, "periodUnit": "d", "when": ["EVE"]}},
        goals=("Goal/one", "Goal/two"),
        encounter="Encounter/e",
        set="session-3",
        materials=(recording,),
    )
    made = _resources(bundle)
    assert validate(bundle) == []
    assert made["ServiceRequest"]["occurrenceTiming"]["repeat"] == {
        "boundsPeriod": {"start": "2026-01-12", "end": "2026-01-19"},
        "period": 2,
        "periodUnit": "d",
        "when": ["EVE"],
    }
    goals = [{"reference": "Goal/one"}, {"reference": "Goal/two"}]
    for body in (made["ServiceRequest"], made["Task"]):
        assert [each["valueReference"] for each in body["extension"]] == goals
        assert body["encounter"] == {"reference": "Encounter/e"}
    assert made["Task"]["reasonReference"] == goals[0]
    assert made["Task"]["groupIdentifier"]["value"] == "session-3"
    assert [row["valueAttachment"] for row in _inputs(made["Task"], "material")] == [recording]


def test_other_ways_to_do_it_and_examples_go_with_the_assignment() -> None:
    documents = [
        {"type": "documentation", "label": "audio", "display": "To listen", "url": "https://media.example.org/a.mp3"},
        {"type": "documentation", "label": "voice", "display": "Spoken"},
        {"type": "documentation", "label": "as a song", "display": "Sung"},
        {"type": "documentation", "label": "example", "display": "Today I liked the sun"},
        {"type": "documentation", "document": {"url": "https://media.example.org/b.pdf"}, "display": "A leaflet"},
    ]
    activity = {"title": "Write", "code": {"coding": []}, "relatedArtifact": documents}
    bundle = _assign("reading", activity=activity)
    task = _resources(bundle)["Task"]
    audio, voice, song = _inputs(task, "alternative-format")
    assert audio["valueAttachment"] == {"url": "https://media.example.org/a.mp3", "title": "To listen"}
    assert voice["valueCodeableConcept"]["coding"][0]["code"] == "voice"
    assert song["valueCodeableConcept"] == {"text": "Sung"}
    assert [row["valueString"] for row in _inputs(task, "example")] == ["Today I liked the sun"]
    assert _inputs(task, "material")[0]["valueAttachment"]["title"] == "A leaflet"


def test_a_client_is_given_it_in_their_language() -> None:
    made = _resources(_assign("gratitude-journal", language="es"))
    english = _resources(_assign("gratitude-journal"))
    assert made["Task"]["language"] == "es"
    assert made["ServiceRequest"]["patientInstruction"] != english["ServiceRequest"]["patientInstruction"]
    assert made["Task"]["instantiatesCanonical"] == english["Task"]["instantiatesCanonical"]


def test_what_a_group_gets_is_owned_by_who_leads_it() -> None:
    bundle = _assign("gratitude-journal", patient="Group/g")
    made = _resources(bundle)
    assert validate(bundle) == []
    assert made["Task"]["for"] == {"reference": "Group/g"}
    assert made["Task"]["owner"] == {"reference": "Practitioner/t1"}
    assert made["Task"]["restriction"]["recipient"] == [{"reference": "Group/g"}]
    assert "performer" not in made["ServiceRequest"]
