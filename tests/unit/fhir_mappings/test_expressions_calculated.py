from typing import Any

import pytest

from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import compile_questionnaire
from fhir_mappings.sdc.calculated import with_calculated
from schemas import json
from schemas.validate import validate

NOW = "2026-01-12T10:00:00.000Z"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
CORE = "http://hl7.org/fhir/StructureDefinition/"


def calculated(expression: str, language: str = "text/fhirpath") -> dict[str, Any]:
    return {
        "url": SDC + "calculatedExpression",
        "valueExpression": {"language": language, "expression": expression},
    }


def weighed(code: str, weight: int, url: str = "itemWeight") -> dict[str, Any]:
    extension = [{"url": CORE + url, "valueDecimal": weight}]
    return {"valueCoding": {"system": "urn:test", "code": code, "extension": extension}}


def question(link_id: str, *weights: int, url: str = "ordinalValue") -> dict[str, Any]:
    options = [weighed(code, weight, url) for code, weight in zip("abc", weights, strict=True)]
    return {"linkId": link_id, "type": "choice", "answerOption": options}


TOTAL = {
    "linkId": "total",
    "type": "integer",
    "readOnly": True,
    "code": [{"system": "http://loinc.org", "code": "1-8"}],
    "extension": [calculated("%resource.item.answer.value.ofType(Coding).weight().sum()")],
}
FORM = {
    "resourceType": "Questionnaire",
    "status": "active",
    "extension": [{"url": SDC + "observationExtract", "valueBoolean": True}],
    "item": [question("low", 0, 1, 3), question("reversed", 3, 1, 0), {**TOTAL}],
}


def response(*items: Any) -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "authored": "2026-01-12T09:00:00Z",
        "item": list(items),
    }


def chosen(link_id: str, code: str, **more: Any) -> dict[str, Any]:
    return {"linkId": link_id, "answer": [{"valueCoding": {"system": "urn:test", "code": code, **more}}]}


def answer(filled: Any, link_id: str) -> Any:
    return next((each["answer"] for each in filled["item"] if each["linkId"] == link_id), None)


def test_a_total_that_the_response_lacks_is_computed_from_the_weights_of_each_question() -> None:
    assert validate(FORM) == []
    filled = with_calculated(response(chosen("low", "c"), chosen("reversed", "a")), compile_questionnaire(FORM), NOW)
    assert answer(filled, "total") == [{"valueInteger": 6}]
    assert validate(filled) == []


def test_a_total_that_the_author_wrote_is_the_authors() -> None:
    own = {"linkId": "total", "answer": [{"valueInteger": 99}]}
    filled = with_calculated(response(chosen("low", "c"), own), compile_questionnaire(FORM), NOW)
    assert answer(filled, "total") == [{"valueInteger": 99}]


def test_what_was_computed_leads_to_an_observation_and_the_response_stays_as_it_was() -> None:
    sent = response(chosen("low", "b"), chosen("reversed", "b"))
    before = json.encode(sent)
    questionnaire = compile_questionnaire(FORM)
    numbers = iter("123456789")
    made = derive(
        with_calculated(sent, questionnaire, NOW),
        questionnaire,
        response_reference="QuestionnaireResponse/1",
        ids=lambda: next(numbers),
        now=NOW,
        assembler="Device/hearth",
    )
    assert [each["valueInteger"] for each in made if each["resourceType"] == "Observation"] == [2]
    assert json.encode(sent) == before


def test_the_weight_on_the_answer_itself_goes_before_that_of_the_form() -> None:
    own = [{"url": CORE + "itemWeight", "valueDecimal": 40}]
    filled = with_calculated(response(chosen("low", "c", extension=own)), compile_questionnaire(FORM), NOW)
    assert answer(filled, "total") == [{"valueInteger": 40}]


@pytest.mark.parametrize("function", ["weight", "ordinal"])
def test_weights_come_from_a_contained_value_set_or_code_system(function: str) -> None:
    concept = {"code": "b", "extension": [{"url": CORE + "ordinalValue", "valueDecimal": 7}]}
    include = {"system": "urn:test", "concept": [concept, {"code": "c"}]}
    contained = [
        {"resourceType": "ValueSet", "id": "vs", "status": "active", "compose": {"include": [include]}},
        {
            "resourceType": "CodeSystem",
            "id": "cs",
            "url": "urn:test",
            "status": "active",
            "content": "complete",
            "concept": [{"code": "c", "property": [{"code": "itemWeight", "valueDecimal": 9}]}],
        },
    ]
    items = [
        {"linkId": "q", "type": "choice", "answerValueSet": "#vs"},
        {"linkId": "total", "type": "decimal", "extension": [calculated(f"%resource.item.answer.value.{function}()")]},
    ]
    form = {"resourceType": "Questionnaire", "status": "active", "contained": contained, "item": items}
    for code, weight in (("b", 7), ("c", 9)):
        filled = with_calculated(response(chosen("q", code)), compile_questionnaire(form), NOW)
        assert answer(filled, "total") == [{"valueDecimal": weight}]


def test_one_computed_answer_leads_to_the_next_whatever_their_order() -> None:
    first = calculated("%resource.item.item.where(linkId='second').answer.value * 2")
    second = calculated("%resource.item.where(linkId='given').answer.value + 1")
    group = [
        {"linkId": "first", "type": "integer", "extension": [first]},
        {"linkId": "second", "type": "integer", "extension": [second]},
    ]
    form = {"item": [{"linkId": "given", "type": "integer"}, {"linkId": "scores", "type": "group", "item": group}]}
    sent = response({"linkId": "given", "answer": [{"valueInteger": 4}]})
    filled = with_calculated(sent, compile_questionnaire(form), NOW)
    scores = {each["linkId"]: each["answer"][0]["valueInteger"] for each in filled["item"][1]["item"]}
    assert scores == {"first": 10, "second": 5}


@pytest.mark.parametrize(
    "expression",
    [calculated("%patient.age"), calculated("1 +"), calculated("'text'"), calculated("Total", "text/cql")],
)
def test_what_cannot_be_computed_is_left_out(expression: Any) -> None:
    form = {"item": [{"linkId": "a", "type": "integer"}, {"linkId": "b", "type": "integer", "extension": [expression]}]}
    sent = response({"linkId": "a", "answer": [{"valueInteger": 4}]})
    assert with_calculated(sent, compile_questionnaire(form), NOW) == sent


def test_an_endless_computation_ends() -> None:
    grows = calculated("%resource.item.answer.value.sum() + 1")
    form = {"item": [{"linkId": "a", "type": "integer", "extension": [grows]}]}
    assert answer(with_calculated(response(), compile_questionnaire(form), NOW), "a") == [{"valueInteger": 1}]


def test_a_disabled_item_is_not_computed() -> None:
    hidden = {**TOTAL, "enableWhen": [{"question": "low", "operator": "exists", "answerBoolean": False}]}
    form = compile_questionnaire({**FORM, "item": [question("low", 0, 1, 3), hidden]})
    assert answer(with_calculated(response(chosen("low", "c")), form, NOW), "total") is None
