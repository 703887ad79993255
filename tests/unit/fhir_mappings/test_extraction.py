"""What follows from a completed response: Observations, their labels, and the Provenance of them all."""

from itertools import count
from typing import Any

import pytest

from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import check_response, compile_questionnaire
from schemas import library
from schemas.validate import validate

LOINC = "http://loinc.org"
MEASURE = f"{library.BASE}/CodeSystem/homework-measure"
R_BH = [
    {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"},
    {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "BH"},
]
FORMS = {
    resource["url"].rsplit("/", 1)[1]: resource
    for resource in library.seed()
    if resource["resourceType"] == "Questionnaire"
}


def phq9(scores: list[int] | None = None, **more: Any) -> dict[str, Any]:
    chosen = scores or [2, 2, 2, 2, 1, 1, 2, 0, 0]
    asked = [item for item in FORMS["phq-9"]["item"] if item["type"] == "choice"]
    items = [
        {"linkId": item["linkId"], "answer": [{"valueCoding": item["answerOption"][score]["valueCoding"]}]}
        for item, score in zip(asked, chosen, strict=False)
    ]
    return _response("phq-9", items, **more)


def _response(form: str, items: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    head = {
        "resourceType": "QuestionnaireResponse",
        "id": "r1",
        "basedOn": [{"reference": "ServiceRequest/s1"}],
        "questionnaire": f"{FORMS[form]['url']}|1.0.0",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "authored": "2026-01-14T20:20:00Z",
        "author": {"reference": "Patient/p1"},
        "source": {"reference": "Patient/p1"},
    }
    body = {**head, **more}
    return {**{name: value for name, value in body.items() if value is not None}, "item": items}


def _derive(response: dict[str, Any], form: str = "phq-9", **more: Any) -> list[dict[str, Any]]:
    numbers = count(1)
    derived = derive(
        response,
        compile_questionnaire(FORMS[form]),
        response_reference="QuestionnaireResponse/r1",
        ids=lambda: f"id{next(numbers)}",
        now="2026-01-14T20:20:05Z",
        assembler="Device/hearth",
        **more,
    )
    assert [issue for resource in derived for issue in validate(resource)] == []
    return derived


def _codes(derived: list[dict[str, Any]]) -> list[str]:
    return [r["code"]["coding"][0]["code"] for r in derived if r["resourceType"] == "Observation"]


def test_a_phq9_total_has_the_shape_of_the_us_core_screening_profile() -> None:
    total, *_ = _derive(phq9())

    assert total == {
        "resourceType": "Observation",
        "id": "id1",
        "meta": {
            "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-screening-assessment"],
            "security": R_BH,
        },
        "basedOn": [{"reference": "ServiceRequest/s1"}],
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}
        ],
        "code": {
            "coding": [
                {
                    "system": LOINC,
                    "code": "44261-6",
                    "display": "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]",
                }
            ]
        },
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-01-14T20:20:00Z",
        "performer": [{"reference": "Patient/p1"}],
        "valueInteger": 12,
        "interpretation": [{"text": "moderate (10-14)"}],
        "derivedFrom": [{"reference": "QuestionnaireResponse/r1"}],
    }


def test_the_ninth_item_and_the_difficulty_stand_alone_with_the_answer_that_was_chosen() -> None:
    derived = _derive(phq9([0, 0, 0, 0, 0, 0, 0, 0, 1, 2]))

    assert _codes(derived) == ["44261-6", "44260-8", "69722-7"]
    ninth, difficulty = derived[1:3]
    assert ninth["valueCodeableConcept"]["coding"][0]["code"] == "LA6569-3"
    assert ninth["valueCodeableConcept"]["text"] == "Several days"
    assert difficulty["valueCodeableConcept"]["coding"][0]["code"] == "LA6575-0"


def test_a_missing_item_leaves_the_ninth_item_without_a_total() -> None:
    response = phq9([0] * 9)
    del response["item"][3]

    assert _codes(_derive(response)) == ["44260-8"]


def test_one_provenance_targets_all_that_was_derived() -> None:
    *observations, provenance = _derive(phq9([0] * 10))

    assert provenance == {
        "resourceType": "Provenance",
        "id": "id4",
        "meta": {"security": R_BH},
        "target": [{"reference": f"Observation/{observation['id']}"} for observation in observations],
        "recorded": "2026-01-14T20:20:05Z",
        "activity": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE"}]
        },
        "agent": [_agent("assembler", "Device/hearth"), _agent("author", "Patient/p1")],
        "entity": [{"role": "source", "what": {"reference": "QuestionnaireResponse/r1"}}],
    }


def _agent(kind: str, who: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    return {"type": {"coding": [{"system": system, "code": kind}]}, "who": {"reference": who}}


def test_who_enters_the_answers_of_another_is_named_as_enterer() -> None:
    total, *_, provenance = _derive(phq9(author={"reference": "Practitioner/t1"}))

    assert total["performer"] == [{"reference": "Patient/p1"}]
    assert provenance["agent"][1:] == [_agent("author", "Patient/p1"), _agent("enterer", "Practitioner/t1")]


def test_what_is_derived_carries_the_labels_of_the_response() -> None:
    labels = [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]
    private = {"system": f"{library.BASE}/CodeSystem/tag", "code": "client-only"}
    other = {"system": "https://example.org/workflow", "code": "inbox"}

    derived = _derive(phq9(meta={"security": labels, "tag": [other, private]}))

    assert all(resource["meta"]["security"] == labels for resource in derived)
    assert all(resource["meta"]["tag"] == [private] for resource in derived)


@pytest.mark.parametrize("status", ["in-progress", "stopped", "entered-in-error"])
def test_nothing_follows_from_a_response_that_is_not_completed(status: str) -> None:
    assert _derive(phq9(status=status)) == []


@pytest.mark.parametrize("subject", [None, {"reference": "#p"}, {"reference": "Practitioner/t1"}])
def test_nothing_follows_without_a_subject_that_an_observation_can_be_about(subject: Any) -> None:
    assert _derive(phq9(subject=subject)) == []


def test_only_references_that_are_legal_there_are_copied() -> None:
    based_on = [{"reference": "CarePlan/c1"}, {"reference": "urn:uuid:0b6f"}, {"reference": "#x"}]
    part_of = [{"reference": "Procedure/x"}, {"reference": "Observation/y"}]

    response = phq9(basedOn=based_on, partOf=part_of, source=None, author={"reference": "Device/d1"})
    total, *_ = _derive({**response, "encounter": {"reference": "Encounter/e1"}})

    assert total["basedOn"] == based_on[:2]
    assert total["partOf"] == part_of[:1]
    assert total["encounter"] == {"reference": "Encounter/e1"}
    assert "performer" not in total


def test_a_response_without_a_time_is_effective_now() -> None:
    total, *_ = _derive(phq9(authored=None))

    assert total["effectiveDateTime"] == "2026-01-14T20:20:05Z"


def _rating(link_id: str, value: int) -> dict[str, Any]:
    return {"linkId": link_id, "answer": [{"valueInteger": value}]}


def test_suds_before_peak_and_after_are_components_of_one_observation() -> None:
    suds = [_rating("suds-pre", 70), _rating("suds-peak", 85), _rating("suds-post", 40)]
    items = [
        {"linkId": "situation", "answer": [{"valueString": "A full bus"}]},
        _rating("suds-expected", 90),
        {"linkId": "suds", "item": suds},
    ]
    response = _response("exposure-record", items)
    assert check_response(response, compile_questionnaire(FORMS["exposure-record"])) == []

    observation, provenance = _derive(response, "exposure-record", focus="Task/t1")

    assert provenance["resourceType"] == "Provenance"
    assert observation["code"]["coding"][0]["code"] == "suds"
    assert [(c["code"]["coding"][0]["code"], c["valueInteger"]) for c in observation["component"]] == [
        ("suds-pre", 70),
        ("suds-peak", 85),
        ("suds-post", 40),
    ]
    assert observation["referenceRange"] == [{"low": {"value": 0}, "high": {"value": 100}, "text": "0-100 scale"}]
    assert observation["focus"] == [{"reference": "Task/t1"}]
    assert "profile" not in observation["meta"]
    assert not any(name.startswith("value") for name in observation)


def test_each_entry_of_an_activity_log_gives_its_own_ratings() -> None:
    def entry(activity: str, mood: int, pleasure: int | None) -> dict[str, Any]:
        rated = [_rating("mood", mood)] + ([_rating("pleasure", pleasure)] if pleasure is not None else [])
        return {"linkId": "entry", "item": [{"linkId": "activity", "answer": [{"valueString": activity}]}, *rated]}

    response = _response("activity-log", [entry("Walk", 6, 7), entry("Call", 8, None)])
    assert check_response(response, compile_questionnaire(FORMS["activity-log"])) == []

    derived = _derive(response, "activity-log")

    assert [(o["code"]["coding"][0]["code"], o["valueInteger"]) for o in derived[:-1]] == [
        ("mood", 6),
        ("pleasure", 7),
        ("mood", 8),
    ]
    assert derived[0]["code"]["coding"] == [{"system": MEASURE, "code": "mood", "display": "Mood"}]


def test_a_form_without_codes_gives_nothing() -> None:
    response = _response("thought-record", [{"linkId": "situation", "answer": [{"valueString": "x"}]}])

    assert _derive(response, "thought-record") == []


EXTRACT = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"
UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"


def _coded(link_id: str, type_name: str, mode: Any = True, **more: Any) -> dict[str, Any]:
    name = "valueCode" if isinstance(mode, str) else "valueBoolean"
    code = [{"system": "urn:x", "code": link_id}]
    extensions = [{"url": EXTRACT, name: mode}, *more.pop("extension", [])]
    return {"linkId": link_id, "type": type_name, "code": code, "extension": extensions, **more}


@pytest.mark.parametrize(
    ("type_name", "answer", "value"),
    [
        ("boolean", {"valueBoolean": True}, {"valueBoolean": True}),
        ("integer", {"valueInteger": 3}, {"valueInteger": 3}),
        ("string", {"valueString": "x"}, {"valueString": "x"}),
        ("url", {"valueUri": "urn:y"}, {"valueString": "urn:y"}),
        ("date", {"valueDate": "2026-01"}, {"valueDateTime": "2026-01"}),
        ("time", {"valueTime": "10:00:00"}, {"valueTime": "10:00:00"}),
        ("quantity", {"valueQuantity": {"value": 2}}, {"valueQuantity": {"value": 2}}),
        (
            "decimal",
            {"valueDecimal": 7.5},
            {"valueQuantity": {"value": 7.5, "unit": "hours", "system": "http://unitsofmeasure.org", "code": "h"}},
        ),
        (
            "choice",
            {"valueCoding": {"system": "urn:x", "code": "y", "display": "Y"}},
            {"valueCodeableConcept": {"coding": [{"system": "urn:x", "code": "y", "display": "Y"}], "text": "Y"}},
        ),
        ("open-choice", {"valueString": "own"}, {"valueCodeableConcept": {"text": "own"}}),
        ("attachment", {"valueAttachment": {"url": "urn:z"}}, None),
        ("reference", {"valueReference": {"reference": "Patient/x"}}, None),
    ],
)
def test_each_type_of_answer_becomes_the_value_an_observation_can_carry(
    type_name: str, answer: dict[str, Any], value: dict[str, Any] | None
) -> None:
    hours = {"system": "http://unitsofmeasure.org", "code": "h", "display": "hours"}
    item = _coded("a", type_name, extension=[{"url": UNIT, "valueCoding": hours}])
    response = _response("phq-9", [{"linkId": "a", "answer": [answer]}])

    derived = derive(
        response,
        compile_questionnaire({"item": [item]}),
        response_reference="QuestionnaireResponse/r1",
        ids=lambda: "x",
        now="2026-01-14T20:20:05Z",
        assembler="Device/hearth",
    )

    if value is None:
        assert derived == []
    else:
        assert {name: derived[0][name] for name in derived[0] if name.startswith("value")} == value


def _relate(items: list[dict[str, Any]], answers: list[dict[str, Any]], root: Any = None) -> list[dict[str, Any]]:
    numbers = count(1)
    extension = [{"url": EXTRACT, "valueBoolean": root}] if root is not None else []
    return derive(
        _response("phq-9", answers),
        compile_questionnaire({"item": items, "extension": extension}),
        response_reference="QuestionnaireResponse/r1",
        ids=lambda: f"id{next(numbers)}",
        now="2026-01-14T20:20:05Z",
        assembler="Device/hearth",
    )


def test_members_are_had_by_their_group_and_derived_ones_point_to_it() -> None:
    children = [
        _coded("m", "integer", "member"),
        _coded("d", "integer", "derived"),
        _coded("i", "integer", "independent"),
    ]
    group = _coded("g", "group", True, item=children)
    answers = [{"linkId": "g", "item": [_rating("m", 1), _rating("d", 2), _rating("i", 3)]}]

    parent, member, derived, independent, _ = _relate([group], answers)

    assert parent["hasMember"] == [{"reference": f"Observation/{member['id']}"}]
    assert derived["derivedFrom"][1] == {"reference": f"Observation/{parent['id']}"}
    assert len(member["derivedFrom"]) == len(independent["derivedFrom"]) == 1


def test_a_declaration_at_the_root_holds_for_every_coded_item_but_those_that_decline() -> None:
    plain = {"linkId": "p", "type": "integer", "code": [{"system": "urn:x", "code": "p"}]}
    uncoded = {"linkId": "u", "type": "integer"}

    derived = _relate(
        [plain, uncoded, _coded("n", "integer", False)], [_rating("p", 1), _rating("u", 2), _rating("n", 3)], True
    )

    assert _codes(derived) == ["p"]


def test_a_repeating_question_gives_one_observation_for_each_answer() -> None:
    answers = [{"linkId": "a", "answer": [{"valueInteger": 1}, {"valueInteger": 2}]}]

    derived = _relate([_coded("a", "integer", repeats=True)], answers)

    assert [observation["valueInteger"] for observation in derived[:-1]] == [1, 2]


def test_a_component_nested_in_an_answer_belongs_to_its_question() -> None:
    nested = _coded("c", "integer", "component")
    answers = [{"linkId": "a", "answer": [{"valueInteger": 1, "item": [_rating("c", 2)]}]}]

    observation, _ = _relate([_coded("a", "integer", item=[nested])], answers)

    assert observation["valueInteger"] == 1
    assert observation["component"][0]["valueInteger"] == 2


def test_the_same_answers_again_write_nothing() -> None:
    first = _derive(phq9([1] * 10))

    assert _derive(phq9([1] * 10, status="amended"), previous=first[:-1]) == []


def test_a_corrected_answer_amends_what_it_changes_under_the_same_id() -> None:
    first = _derive(phq9([1] * 10))

    total, provenance = _derive(phq9([2] + [1] * 9, status="amended"), previous=first[:-1])

    assert (total["id"], total["status"], total["valueInteger"]) == ("id1", "amended", 10)
    assert provenance["target"] == [{"reference": "Observation/id1"}]
    assert provenance["activity"]["coding"][0]["code"] == "UPDATE"


def test_an_answer_taken_back_withdraws_the_total() -> None:
    first = _derive(phq9([1] * 10))
    response = phq9([1] * 10, status="amended")
    del response["item"][0]

    withdrawn, _ = _derive(response, previous=first[:-1])

    assert withdrawn == {**first[0], "status": "entered-in-error"}


def test_a_response_entered_in_error_withdraws_everything_that_followed() -> None:
    *first, _ = _derive(phq9([1] * 10))

    *withdrawn, provenance = _derive(phq9([1] * 10, status="entered-in-error"), previous=first)

    assert [resource["status"] for resource in withdrawn] == ["entered-in-error"] * 3
    assert provenance["activity"]["coding"][0]["code"] == "NULLIFY"
    assert _derive(phq9([1] * 10, status="entered-in-error"), previous=withdrawn) == []


def test_a_total_withdrawn_before_comes_back_as_amended() -> None:
    total = {**_derive(phq9([1] * 9))[0], "status": "entered-in-error"}

    again = _derive(phq9([1] * 9, status="amended"), previous=[total])

    assert (again[0]["id"], again[0]["status"]) == (total["id"], "amended")


def test_ratings_keep_the_task_they_are_about_when_the_answer_is_corrected_later() -> None:
    def entry(mood: int) -> list[dict[str, Any]]:
        return [{"linkId": "entry", "item": [{"linkId": "mood", "answer": [{"valueInteger": mood}]}]}]

    response = _response("activity-log", entry(4))
    first = [r for r in _derive(response, "activity-log", focus="Task/t1") if r["resourceType"] == "Observation"]
    assert first[0]["focus"] == [{"reference": "Task/t1"}]

    assert _derive(response, "activity-log", previous=first) == []
    mood, _ = _derive(_response("activity-log", entry(6), status="amended"), "activity-log", previous=first)
    assert (mood["valueInteger"], mood["focus"]) == (6, [{"reference": "Task/t1"}])
