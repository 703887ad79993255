"""Responses against their Questionnaires, by the cases in tests/cases/questionnaire."""

from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.questionnaire import check_response, compile_questionnaire
from schemas import json

FOLDER = Path(__file__).parents[2] / "cases" / "questionnaire"


def _cases() -> list[Any]:
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        content = json.decode(file.read_bytes())
        questionnaire = compile_questionnaire(content["questionnaire"])
        found += [pytest.param(questionnaire, case, id=f"{file.stem}: {case['name']}") for case in content["cases"]]
    return found


def _response(case: dict[str, Any]) -> dict[str, Any]:
    head = {"resourceType": "QuestionnaireResponse", "questionnaire": "https://example.org/Questionnaire/q"}
    return {**head, "status": case.get("status", "completed"), "item": case["item"]}


@pytest.mark.parametrize(("questionnaire", "case"), _cases())
def test_faults_are_found_at_their_place(questionnaire: Any, case: dict[str, Any]) -> None:
    found = check_response(_response(case), questionnaire)

    assert [[issue.details_code, *issue.expression] for issue in found] == case["issues"]
    assert all(issue.severity == "error" for issue in found)


def test_a_sentence_names_the_item_and_what_would_be_right_but_never_the_answer() -> None:
    questionnaire = compile_questionnaire(
        {
            "resourceType": "Questionnaire",
            "item": [
                {
                    "linkId": "mood",
                    "type": "choice",
                    "answerOption": [{"valueCoding": {"system": "urn:x", "code": "low", "display": "Low"}}],
                }
            ],
        }
    )
    answer = {"valueCoding": {"system": "urn:x", "code": "secret-diagnosis"}}

    (issue,) = check_response(_response({"item": [{"linkId": "mood", "answer": [answer]}]}), questionnaire)

    assert issue.diagnostics == "Item 'mood': the answer is none of its options; choose from urn:x|low (Low)"
    assert issue.code == "code-invalid"


def test_a_response_of_unknown_status_must_be_whole() -> None:
    required = {"item": [{"linkId": "a", "type": "string", "required": True}]}

    found = check_response({"status": "nonsense"}, compile_questionnaire(required))

    assert [issue.details_code for issue in found] == ["answer-missing"]


def test_a_long_chain_of_conditions_is_left_undecided_rather_than_followed_without_end() -> None:
    items: list[dict[str, Any]] = [{"linkId": "0", "type": "string"}]
    for number in range(1, 3000):
        condition = {"question": str(number - 1), "operator": "exists", "answerBoolean": True}
        items.append({"linkId": str(number), "type": "string", "enableWhen": [condition]})
    questionnaire = compile_questionnaire({"item": items})
    answered = [{"linkId": str(number), "answer": [{"valueString": "x"}]} for number in (1, 2999)]

    found = check_response(_response({"item": answered}), questionnaire)

    assert [issue.expression for issue in found] == [("QuestionnaireResponse.item[0]",)]
