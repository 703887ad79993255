from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.expressions import compile_expressions
from fhir_mappings.questionnaire import check_response, compile_questionnaire
from schemas import json
from schemas.validate import validate

CASES = json.decode((Path(__file__).parents[2] / "cases/sdc/behaviour.json").read_bytes())


def form_of(case: Any) -> Any:
    form = {"resourceType": "Questionnaire", "status": "active", **case["form"]}
    assert validate(form) == []
    return form


def given() -> list[Any]:
    return [
        pytest.param(case, response, id=f"{case['name']} {number}")
        for case in CASES
        for number, response in enumerate(case["responses"], 1)
    ]


@pytest.mark.parametrize(("case", "response"), given())
def test_behaviour(case: Any, response: Any) -> None:
    sent = {
        "resourceType": "QuestionnaireResponse",
        "status": response.get("status", "completed"),
        "authored": "2026-01-12T08:00:00Z",
        "item": [{"linkId": link_id, "answer": [answer]} for link_id, answer in response["answers"].items()],
    }
    found = check_response(sent, compile_questionnaire(form_of(case)))
    assert [(each.details_code, *each.expression) for each in found] == [tuple(each[:2]) for each in response["issues"]]
    for issue, (_, _, *texts) in zip(found, response["issues"], strict=True):
        assert issue.severity == response.get("severity", "error")
        assert all(text in issue.diagnostics for text in texts)


def test_a_constraint_in_a_repeating_group_is_about_each_repetition() -> None:
    rule = {
        "url": "http://hl7.org/fhir/StructureDefinition/targetConstraint",
        "extension": [
            {"url": "key", "valueId": "k"},
            {"url": "severity", "valueCode": "error"},
            {"url": "human", "valueString": "after is less"},
            {
                "url": "expression",
                "valueExpression": {
                    "language": "text/fhirpath",
                    "expression": "%before >= item.where(linkId='after').answer.value",
                },
            },
        ],
    }
    before = {
        "url": "http://hl7.org/fhir/StructureDefinition/variable",
        "valueExpression": {
            "name": "before",
            "language": "text/fhirpath",
            "expression": "item.where(linkId='before').answer.value",
        },
    }
    items = [{"linkId": name, "type": "integer"} for name in ("before", "after")]
    form = {"item": [{"linkId": "g", "type": "group", "repeats": True, "extension": [before, rule], "item": items}]}

    def group(first: int, second: int) -> Any:
        answers = {"before": first, "after": second}
        return {"linkId": "g", "item": [{"linkId": k, "answer": [{"valueInteger": v}]} for k, v in answers.items()]}

    response = {"status": "completed", "item": [group(70, 40), group(30, 60)]}
    found = check_response(response, compile_questionnaire(form))
    assert [each.expression for each in found] == [("QuestionnaireResponse.item[1]",)]


def test_a_form_without_expressions_has_none() -> None:
    assert compile_expressions({"item": [{"linkId": "a", "type": "integer", "extension": [{"url": "x"}]}]}) is None


def test_more_than_can_be_looked_at_is_refused() -> None:
    form = compile_questionnaire(form_of(CASES[1]))
    items = [{"linkId": "in-bed", "answer": [{"valueDecimal": 1}] * 60_000}]
    found = check_response({"status": "completed", "item": items}, form)
    assert [(each.code, each.details_code) for each in found] == [("too-costly", "expression-not-evaluated")]
