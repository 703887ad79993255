"""Totals of instruments: the cases in tests/cases/scoring, a sum written plainly, and what holds of every scale.

A case with a `source` is published; one without is our own arithmetic.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
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
from schemas.instrument import ANSWER, Code, Given, Instrument, Item, Scale
from schemas.instruments import instruments
from schemas.validate import validate

FOLDER = Path(__file__).parents[2] / "cases" / "scoring"
LOINC = "http://loinc.org"
FORMS = {
    resource["url"].rsplit("/", 1)[1]: resource
    for resource in library.seed()
    if resource["resourceType"] == "Questionnaire"
}
BY_ID = {instrument.id: instrument for instrument in instruments().values()}
SCALES = [(instrument.id, scale) for instrument in BY_ID.values() for scale in instrument.scales]
Token = str | int | Decimal | None


def _cases() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.json")):
        read = json.decode(file.read_bytes())
        assert read["instrument"] == file.stem
        for case in read["cases"]:
            yield pytest.param(file.stem, case, id=f"{file.stem}: {case['name']}")


def coded(item: Item, token: str) -> dict[str, str]:
    """The Coding that a case means: an answer of the item by its code, else a LOINC code or one of ours."""
    known = next((code for code in item.answers if code[1] == token), None)
    system = LOINC if token.startswith("LA") else ANSWER
    return {"system": known[0] if known else system, "code": token}


def answered(item: Item, token: Token) -> dict[str, Any]:
    if isinstance(token, str):
        return {"valueCoding": coded(item, token)}
    return {"valueInteger": token} if isinstance(token, int) else {"valueDecimal": token}


def form_of(instrument: Instrument, answers: Sequence[Token]) -> dict[str, Any]:
    """The form of the library; of a licensed instrument one as a tenant might load it, for these answers."""
    if not instrument.licensed:
        return FORMS[instrument.id]
    kinds = {str: "choice", int: "integer", Decimal: "decimal"}
    items = [
        {
            "linkId": code[1],
            "code": [{"system": code[0], "code": code[1]}],
            "type": kinds.get(type(token), "decimal" if isinstance(token, Decimal) else "integer"),
        }
        for code, token in zip(instrument.items, [*answers, *[None] * len(instrument.items)], strict=False)
    ]
    panel = {"system": instrument.panel[0], "code": instrument.panel[1]}
    return {
        "resourceType": "Questionnaire", "status": "active", "url": "https://clinic.example/form", "copyright": "ours",
        "code": [panel], "item": items,
    }  # fmt: skip


def respond(form: dict[str, Any], instrument: Instrument, answers: Sequence[Token], **more: Any) -> dict[str, Any]:
    """A completed response, the instrument's items answered in order."""
    links = {
        (item["code"][0]["system"], item["code"][0]["code"]): item["linkId"] for item in form["item"] if "code" in item
    }
    items = [
        {"linkId": links[item.code], "answer": [answered(item, token)]}
        for item, token in zip(instrument.items.values(), answers, strict=False)
        if token is not None
    ]
    head = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": {"reference": "Patient/p1"}}
    body = {**head, "questionnaire": form["url"], "authored": "2026-01-14T20:20:00Z", **more}
    return {**body, "item": items} if items else body


def observed(form: dict[str, Any], response: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    numbers = count(1)
    derived = derive(
        response,
        compile_questionnaire(form),
        response_reference="QuestionnaireResponse/r1",
        ids=lambda: f"id{next(numbers)}",
        now="2026-01-14T20:20:05Z",
        assembler="Device/hearth",
        **more,
    )
    return [each for each in derived if each["resourceType"] == "Observation"]


def totals_of(instrument: Instrument, derived: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """By code of the scale: the number, and the band in words."""
    found = {}
    for each in derived:
        code = each["code"]["coding"][0]
        if (code["system"], code["code"]) in {scale.code for scale in instrument.scales}:
            value = each["valueInteger"] if "valueInteger" in each else each["valueQuantity"]["value"]
            assert code["code"] not in found
            found[code["code"]] = [value, each["interpretation"][0]["text"] if "interpretation" in each else None]
    return found


@pytest.mark.parametrize(("name", "case"), list(_cases()))
def test_published_and_edge_totals(name: str, case: dict[str, Any]) -> None:
    instrument = BY_ID[name]
    form = form_of(instrument, case["answers"])
    response = respond(form, instrument, case["answers"])

    assert check_response(response, compile_questionnaire(form)) == []
    derived = observed(form, response, active=[name], sex=case.get("sex"))
    assert totals_of(instrument, derived) == case["totals"]
    assert [issue for each in derived for issue in validate(each)] == []


def test_every_instrument_with_a_total_has_cases_with_a_source() -> None:
    read = {file.stem: json.decode(file.read_bytes())["cases"] for file in FOLDER.glob("*.json")}
    assert read.keys() == {instrument.id for instrument in BY_ID.values() if instrument.scales}
    ours = {name for name, cases in read.items() if not any("source" in case for case in cases)}
    # The lines of ORS and SRS: nothing with numbers was found.
    assert ours == {"ors", "srs"}


# --- what holds of every scale -------------------------------------------------------------------------------------------


def _drawn(data: st.DataObject, scale: Scale) -> dict[Code, list[Given]]:
    return {
        item: [data.draw(st.sampled_from([given for given, value in points.items() if value is not None]))]
        for item, points in scale.points.items()
    }


def _most(points: Mapping[Given, Any]) -> Given:
    return max(points, key=lambda given: points[given] or 0)


each_scale = pytest.mark.parametrize(
    ("name", "scale"), SCALES, ids=[f"{name} {scale.code[1]}" for name, scale in SCALES]
)


@each_scale
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_total_is_the_plain_sum_in_range_whatever_the_order(name: str, scale: Scale, data: st.DataObject) -> None:
    answers = _drawn(data, scale)
    total = score(scale, answers)
    assert total is not None
    assert total.value == sum(scale.points[item][given[0]] or 0 for item, given in answers.items())
    assert scale.low <= total.value <= scale.high
    assert total.estimated == 0
    turned = dict(data.draw(st.permutations(list(answers.items()))))
    assert score(scale, turned) == total


@each_scale
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_total_never_falls_when_an_answer_counts_more(name: str, scale: Scale, data: st.DataObject) -> None:
    answers = _drawn(data, scale)
    item = data.draw(st.sampled_from(sorted(scale.points)))
    points = scale.points[item]
    before = points[answers[item][0]] or 0
    more = data.draw(
        st.sampled_from([given for given, value in points.items() if value is not None and value >= before])
    )
    low, high = score(scale, answers), score(scale, answers | {item: [more]})
    assert low is not None
    assert high is not None
    assert high.value - low.value == (points[more] or 0) - before
    if low.band and high.band:
        assert high.band.low >= low.band.low


@each_scale
def test_every_total_that_can_be_is_in_one_band(name: str, scale: Scale) -> None:
    for bands in filter(None, (scale.bands, *scale.bands_by_sex.values())):
        for total in range(scale.low, scale.high + 1):
            assert sum(band.low <= total <= band.high for band in bands) == 1


@each_scale
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_more_missing_than_the_source_allows_gives_no_total(name: str, scale: Scale, data: st.DataObject) -> None:
    needed = [item for item in scale.points if item not in scale.only]
    answers = _drawn(data, scale)
    gone = data.draw(st.sets(st.sampled_from(needed), min_size=scale.may_miss + 1))
    left = {item: given for item, given in answers.items() if item not in gone}
    if scale.skips:  # of who drinks: the first items say that nothing is passed over
        for item in [item for item in scale.points if item in left][:3]:
            left[item] = [_most(scale.points[item])]
    assert score(scale, left) is None


@each_scale
def test_an_item_answered_twice_or_in_unknown_words_gives_no_total(name: str, scale: Scale) -> None:
    answers: dict[Code, list[Given]] = {item: [next(iter(points))] for item, points in scale.points.items()}
    item = next(iter(answers))
    assert score(scale, answers) is not None
    assert score(scale, answers | {item: answers[item] * 2}) is None
    assert score(scale, answers | {item: [("", "")]}) is None


# --- the result ----------------------------------------------------------------------------------------------------------


def test_an_unknown_answer_gives_no_total() -> None:
    phq = BY_ID["phq-9"]
    response = respond(FORMS["phq-9"], phq, ["LA6569-3"] * 8 + ["LA18938-3"])
    assert totals_of(phq, observed(FORMS["phq-9"], response)) == {}


def test_a_licensed_instrument_is_not_scored_until_it_is_active() -> None:
    isi = BY_ID["isi"]
    answers: list[Token] = [1] * 7
    form = form_of(isi, answers)
    response = respond(form, isi, answers)
    assert observed(form, response) == observed(form, response, active=["ors"]) == []
    assert len(observed(form, response, active=["isi"])) == 1


def test_several_totals_stand_under_one_panel() -> None:
    pcl = BY_ID["pcl-5"]
    derived = observed(FORMS["pcl-5"], respond(FORMS["pcl-5"], pcl, ["moderately"] * 20))
    *totals, panel = derived
    assert panel["code"]["coding"][0]["code"] == "101697-1"
    assert panel["hasMember"] == [{"reference": f"Observation/{each['id']}"} for each in totals]
    assert [each["valueInteger"] for each in totals] == [40, 10, 4, 14, 12]
    assert observed(FORMS["pcl-5"], respond(FORMS["pcl-5"], pcl, [])) == []


def test_a_total_with_decimals_is_a_quantity_of_score_and_says_what_was_estimated() -> None:
    core = BY_ID["core-10"]
    answers: list[Token] = [2] * 9
    (total,) = observed(form_of(core, answers), respond(form_of(core, answers), core, answers), active=["core-10"])
    assert total["valueQuantity"] == {
        "value": Decimal("20.0"), "unit": "score", "system": "http://unitsofmeasure.org", "code": "{score}",
    }  # fmt: skip
    assert "CORE System Trust" in total["method"]["text"]


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
