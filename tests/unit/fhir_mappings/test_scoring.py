"""Totals of instruments, by the cases in tests/cases/scoring and by a sum written plainly."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import check_response, compile_questionnaire
from fhir_mappings.scoring import score
from schemas import instrument_file, json, library

FOLDER = Path(__file__).parents[2] / "cases" / "scoring"
LOINC = "http://loinc.org"
FORMS = {
    resource["url"].rsplit("/", 1)[1]: resource
    for resource in library.seed()
    if resource["resourceType"] == "Questionnaire"
}
POINTS = {"LA6568-5": 0, "LA6569-3": 1, "LA6570-1": 2, "LA18938-3": 2, "LA6571-9": 3}
TOTALS = {"phq-9": ("44261-6", 9), "gad-7": ("70274-6", 7)}


def _cases() -> list[Any]:
    files = [json.decode(file.read_bytes()) for file in sorted(FOLDER.glob("*.json"))]
    return [
        pytest.param(file["questionnaire"], case, id=f"{file['questionnaire']}: {case['name']}")
        for file in files
        for case in file["cases"]
    ]


def respond(form: str, answers: list[str | None], **more: Any) -> dict[str, Any]:
    """A completed response to a form of the library, its scored items answered in order."""
    asked = [item["linkId"] for item in FORMS[form]["item"] if item["type"] == "choice"]
    items = [
        {"linkId": link_id, "answer": [{"valueCoding": {"system": LOINC, "code": code}}]}
        for link_id, code in zip(asked, answers, strict=False)
        if code is not None
    ]
    head = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": {"reference": "Patient/p1"}}
    body = {**head, "questionnaire": FORMS[form]["url"], "authored": "2026-01-14T20:20:00Z", **more}
    return {**body, "item": items} if items else body


def total_of(form: str, response: dict[str, Any]) -> dict[str, Any] | None:
    numbers = count(1)
    derived = derive(
        response,
        compile_questionnaire(FORMS[form]),
        response_reference="QuestionnaireResponse/r1",
        ids=lambda: f"id{next(numbers)}",
        now="2026-01-14T20:20:05Z",
        assembler="Device/hearth",
    )
    code = TOTALS[form][0]
    totals = [r for r in derived if r["resourceType"] == "Observation" and r["code"]["coding"][0]["code"] == code]
    assert len(totals) < 2
    return totals[0] if totals else None


@pytest.mark.parametrize(("form", "case"), _cases())
def test_published_and_edge_totals(form: str, case: dict[str, Any]) -> None:
    response = respond(form, case["answers"])

    assert check_response(response, compile_questionnaire(FORMS[form])) == []
    total = total_of(form, response)
    if case["total"] is None:
        assert total is None
    else:
        assert total is not None
        assert total["valueInteger"] == case["total"]
        assert total["interpretation"] == [{"text": case["interpretation"]}]


@settings(max_examples=200, deadline=None)
@given(data=st.data(), form=st.sampled_from(sorted(TOTALS)))
def test_a_total_is_the_plain_sum_of_any_valid_answers(data: st.DataObject, form: str) -> None:
    items = [item for item in FORMS[form]["item"] if item["type"] == "choice"][: TOTALS[form][1]]
    codes = [
        data.draw(st.sampled_from([option["valueCoding"]["code"] for option in item["answerOption"]])) for item in items
    ]
    response = respond(form, codes)

    assert check_response(response, compile_questionnaire(FORMS[form])) == []
    total = total_of(form, response)
    assert total is not None
    assert total["valueInteger"] == sum(POINTS[code] for code in codes)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), form=st.sampled_from(sorted(TOTALS)))
def test_no_answer_less_ever_gives_a_total(data: st.DataObject, form: str) -> None:
    number = TOTALS[form][1]
    codes: list[str | None] = [data.draw(st.sampled_from(["LA6568-5", "LA6569-3", "LA6571-9"])) for _ in range(number)]
    for missing in data.draw(st.sets(st.integers(0, number - 1), min_size=1)):
        codes[missing] = None

    assert total_of(form, respond(form, codes)) is None


def test_an_item_answered_twice_gives_no_total() -> None:
    response = respond("phq-9", ["LA6569-3"] * 9)
    response["item"].insert(1, response["item"][0])

    assert total_of("phq-9", response) is None


def test_an_unknown_answer_gives_no_total() -> None:
    assert total_of("phq-9", respond("phq-9", ["LA6569-3"] * 8 + ["LA18938-3"])) is None


def test_a_scale_multiplies_and_reverses_where_its_file_says_so() -> None:
    file = {
        "id": "x",
        "title": "X",
        "system": "urn:x",
        "panel": {"code": "p", "display": "P"},
        "copyright": "",
        "answerLists": {
            "l": [{"code": "no", "display": "No", "score": 0}, {"code": "yes", "display": "Yes", "score": 4}]
        },
        "items": [{"code": "a", "display": "A", "answers": "l"}, {"code": "b", "display": "B", "answers": "l"}],
        "scales": [
            {
                "code": "t",
                "display": "T",
                "items": ["a", {"code": "b", "reverse": True}],
                "method": "sum",
                "multiplier": 2,
                "missing": "no-total",
                "low": 0,
                "high": 16,
                "bands": [],
            }
        ],
        "usedAlone": [],
    }
    (scale,) = instrument_file.load(file).scales

    made = score(scale, {("urn:x", "a"): [("urn:x", "yes")], ("urn:x", "b"): [("urn:x", "no")]})

    assert made is not None
    assert (made.value, made.band, made.interpretation) == (16, None, None)
