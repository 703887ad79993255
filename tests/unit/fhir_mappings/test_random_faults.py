"""Any fault planted into any valid response is found at its place, and the check costs little."""

import copy
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import check_response, compile_questionnaire
from schemas import library

OPTIONS = ("x", "y", "z")
SCALARS = {
    "boolean": ("valueBoolean", st.booleans()),
    "integer": ("valueInteger", st.integers(0, 10)),
    "string": ("valueString", st.text(min_size=1, max_size=8)),
    "date": ("valueDate", st.dates().map(str)),
    "choice": ("valueCoding", st.sampled_from(OPTIONS).map(lambda code: {"system": "urn:x", "code": code})),
}


def _definition(draw: Any, link_id: str, depth: int) -> dict[str, Any]:
    kind = draw(st.sampled_from([*SCALARS, "group"] if depth < 3 else list(SCALARS)))
    item: dict[str, Any] = {"linkId": link_id, "type": kind, "repeats": draw(st.booleans())}
    if kind == "group":
        item["item"] = [_definition(draw, f"{link_id}.{n}", depth + 1) for n in range(draw(st.integers(1, 3)))]
    if kind == "choice":
        item["answerOption"] = [{"valueCoding": {"system": "urn:x", "code": code}} for code in OPTIONS]
    if kind == "integer":
        item["extension"] = [{"url": "http://hl7.org/fhir/StructureDefinition/maxValue", "valueInteger": 10}]
    return item


def _answered(draw: Any, definitions: list[dict[str, Any]], path: str, places: list[Any]) -> list[dict[str, Any]]:
    """A valid response to all of these items; `places` collects each answered question with its path."""
    items: list[dict[str, Any]] = []
    for definition in definitions:
        for _ in range(draw(st.integers(1, 2)) if definition["repeats"] and definition["type"] == "group" else 1):
            here = f"{path}.item[{len(items)}]"
            item: dict[str, Any] = {"linkId": definition["linkId"]}
            items.append(item)
            if definition["type"] == "group":
                item["item"] = _answered(draw, definition["item"], here, places)
            else:
                name, value = SCALARS[definition["type"]]
                times = draw(st.integers(1, 3)) if definition["repeats"] else 1
                item["answer"] = [{name: draw(value)} for _ in range(times)]
                places.append((definition, item, here))
    return items


@st.composite
def _filled(draw: Any) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    questionnaire = {"item": [_definition(draw, str(n), 1) for n in range(draw(st.integers(1, 4)))]}
    places: list[Any] = []
    items = _answered(draw, questionnaire["item"], "QuestionnaireResponse", places)
    return questionnaire, {"status": "completed", "item": items}, places


@settings(max_examples=150, deadline=None)
@given(filled=_filled())
def test_a_valid_response_has_no_fault(filled: Any) -> None:
    questionnaire, response, _ = filled

    assert check_response(response, compile_questionnaire(questionnaire)) == []


FAULTS = ("type", "option", "range", "unknown", "repeated")


@settings(max_examples=300, deadline=None)
@given(filled=_filled(), data=st.data())
def test_a_planted_fault_is_found_at_its_place_and_nothing_else_is(filled: Any, data: st.DataObject) -> None:
    questionnaire, response, places = filled
    if not places:
        return
    definition, item, here = data.draw(st.sampled_from(places))
    index = data.draw(st.integers(0, len(item["answer"]) - 1))
    answer, value = item["answer"][index], f"{here}.answer[{index}].value"
    fault = data.draw(st.sampled_from(FAULTS))
    expected: list[tuple[str, str]] = []
    if fault == "option" and definition["type"] == "choice":
        answer["valueCoding"]["code"] = "other"
        expected = [("answer-not-an-option", value)]
    elif fault == "range" and definition["type"] == "integer":
        answer["valueInteger"] = 11
        expected = [("answer-too-large", value)]
    elif fault == "unknown":
        item["linkId"] = "unknown"
        expected = [("item-unknown", f"{here}.linkId")]
    elif fault == "repeated" and not definition["repeats"]:
        item["answer"].append(copy.deepcopy(answer))
        expected = [("answer-repeated", f"{here}.answer[1]")]
    elif fault == "type":
        answer.clear()
        answer["valueTime"] = "10:00:00"
        expected = [("answer-type", value)]

    found = check_response(response, compile_questionnaire(questionnaire))

    assert [(issue.details_code, issue.expression[0]) for issue in found] == expected


def test_checking_and_deriving_a_phq9_costs_at_most_a_quarter_of_a_millisecond() -> None:
    form = next(resource for resource in library.seed() if resource["url"].endswith("/Questionnaire/phq-9"))
    questionnaire = compile_questionnaire(form)
    items = [
        {"linkId": item["linkId"], "answer": [item["answerOption"][1]]}
        for item in form["item"]
        if item["type"] == "choice"
    ]
    response = {"status": "completed", "subject": {"reference": "Patient/p1"}, "item": items}

    def once() -> float:
        begun = time.process_time()
        for _ in range(200):
            check_response(response, questionnaire)
            derive(response, questionnaire, response_reference="x", ids=lambda: "y", now="z", assembler="a")
        return (time.process_time() - begun) / 200

    assert len(derive(response, questionnaire, response_reference="x", ids=lambda: "y", now="z", assembler="a")) == 4
    assert min(once() for _ in range(5)) < 0.00025
