"""The instruments of the package, and the files that are refused."""

import re
from pathlib import Path
from typing import Any

import pytest

from schemas import json, library
from schemas.instrument import Instrument, Trigger
from schemas.instrument_file import InstrumentFault, load
from schemas.instruments import instrument_for, instruments, triggers

ROOT = Path(__file__).parents[3]
LOINC = "http://loinc.org"
SEED = list(library.seed())
FORMS = {each["url"].rsplit("/", 1)[1]: each for each in SEED if each["resourceType"] == "Questionnaire"}
REASONS = {
    concept["code"] for each in SEED if each["url"] == f"{library.BASE}/CodeSystem/risk" for concept in each["concept"]
}


def _check_digit(code: str) -> bool:
    """Whether a LOINC code ends in its modulus 10 check digit (LOINC Users' Guide, appendix A).

    The letters LA of an answer code add 5 to it before an even number of figures and 2 before an odd one.
    """
    number, _, digit = code.removeprefix("LA").partition("-")
    letters = 0 if number == code.partition("-")[0] else (2 if len(number) % 2 else 5)
    doubled = [int(figure) * (2 if place % 2 == 0 else 1) for place, figure in enumerate(reversed(number))]
    return (letters - sum(sum(divmod(figure, 10)) for figure in doubled)) % 10 == int(digit)


def test_every_loinc_code_has_its_check_digit() -> None:
    for instrument in instruments().values():
        codes = [instrument.panel, *instrument.also, *instrument.items, *(scale.code for scale in instrument.scales)]
        codes += [answer for item in instrument.items.values() for answer in item.answers]
        wrong = [code for system, code in codes if system == LOINC and not _check_digit(code)]
        assert wrong == [], instrument.id


def test_the_check_digit_test_finds_a_swapped_digit() -> None:
    assert _check_digit("44261-6")
    assert not _check_digit("44621-6")


def test_a_loinc_code_is_of_loinc_and_a_name_of_ours() -> None:
    for instrument in instruments().values():
        codes = [instrument.panel, *instrument.items, *(scale.code for scale in instrument.scales)]
        for system, code in [*codes, *(answer for item in instrument.items.values() for answer in item.answers)]:
            assert (system == LOINC) is bool(re.fullmatch(r"(LA)?\d+-\d", code)), code


@pytest.mark.parametrize("instrument", instruments().values(), ids=lambda each: each.id)
def test_an_instrument_says_where_it_is_from_and_by_which_right(instrument: Instrument) -> None:
    assert instrument.sources
    assert all(re.match("https?://", source) for source in instrument.sources)
    assert instrument.copyright
    assert instrument.id in (ROOT / "docs" / "instruments.md").read_text()


@pytest.mark.parametrize("instrument", instruments().values(), ids=lambda each: each.id)
def test_a_licensed_instrument_has_no_words_and_no_form(instrument: Instrument) -> None:
    if instrument.licensed:
        assert instrument.id not in FORMS
        assert all(re.search(r" item \d+(, .+)?$", item.display) for item in instrument.items.values())
        return
    form = FORMS[instrument.id]
    assert form["copyright"] == instrument.copyright
    asked = {(item["code"][0]["system"], item["code"][0]["code"]): item for item in form["item"] if "code" in item}
    assert list(asked) == list(instrument.items)
    for code, item in instrument.items.items():
        offered = [option["valueCoding"] for option in asked[code]["answerOption"]]
        known = [item.answers[coding["system"], coding["code"]] for coding in offered]
        assert [answer.display for answer in known] == [coding["display"] for coding in offered]
        points = [coding.get("extension", [{}])[0].get("valueDecimal") for coding in offered]
        assert points == [answer.score for answer in known]
        assert {answer.score for answer in known} == {answer.score for answer in item.answers.values()}


@pytest.mark.parametrize("trigger", triggers().values(), ids=lambda each: each.item[1])
def test_what_tells_of_risk_has_a_reason_that_is_defined_and_says_more_with_a_higher_answer(trigger: Trigger) -> None:
    assert trigger.reason in REASONS
    levels = [trigger.levels[number] for number in sorted(each for each in trigger.levels if isinstance(each, int))]
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert set(levels) <= {0, 1, 2, 3}
    assert trigger.level(("urn:other", "x")) == 1


def test_phq9_and_gad7_are_found_by_their_panels() -> None:
    phq, gad = (instrument_for([("urn:other", "x"), (LOINC, code)]) for code in ("44249-1", "69737-5"))

    assert phq is not None
    assert gad is not None
    assert [(scale.code[1], scale.low, scale.high) for scale in phq.scales + gad.scales] == [
        ("44261-6", 0, 27),
        ("70274-6", 0, 21),
    ]
    assert instrument_for([(LOINC, "44250-9")]) is None


def test_gad7_scores_more_days_than_not_as_two() -> None:
    gad = instruments()[(LOINC, "69737-5")]

    points = gad.scales[0].points[(LOINC, "68509-9")]

    assert points[(LOINC, "LA18938-3")] == points[(LOINC, "LA6570-1")] == 2


FILE: dict[str, Any] = {
    "id": "x",
    "title": "X",
    "system": "urn:x",
    "panel": {"code": "p", "display": "P"},
    "copyright": "",
    "answerLists": {"l": [{"code": "0", "display": "0", "score": 0}, {"code": "1", "display": "1", "score": 1}]},
    "items": [{"code": "a", "display": "A", "answers": "l"}],
    "scales": [
        {
            "code": "t",
            "display": "T",
            "items": ["a"],
            "method": "sum",
            "missing": "no-total",
            "low": 0,
            "high": 1,
            "bands": [{"low": 0, "high": 0, "text": "none"}, {"low": 1, "high": 1, "text": "some"}],
        }
    ],
    "usedAlone": [],
}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("prorate",), True, "prorate is not understood"),
        (("scales", 0, "method"), "mean", "only method 'sum'"),
        (("scales", 0, "missing"), "prorate", "'no-total' or"),
        (("scales", 0, "items"), ["b"], "which is not given"),
        (("scales", 0, "high"), 2, "runs from 0 to 1"),
        (("scales", 0, "bands", 1, "low"), 2, "should start at 1"),
        (("scales", 0, "bands"), [{"low": 0, "high": 0, "text": "none"}], "should end at 1"),
        (("items", 0, "answers"), "other", "answer list 'other'"),
        (("items", 0, "required"), True, "required is not understood"),
        (("answerLists", "l", 0, "score"), None, "each of its answers needs a score"),
        (("usedAlone",), ["b"], "usedAlone names the item b"),
        (("panel", "also"), [{"code": "q", "display": "Q"}], "also q: display is not understood"),
        (("answerLists", "l"), {"low": 0, "high": 1, "step": 1, "words": []}, "words is not understood"),
        (("scales", 0, "missing"), {"mean": 1}, "missing is"),
        (("scales", 0, "missing"), {"mean": 1, "source": "x", "most": 2}, "most is not understood"),
        (("scales", 0, "items"), [{"code": "a", "only": "other"}], "only is female or male"),
        (("scales", 0, "bandsBySex"), {"female": []}, "bandsBySex are of female and male"),
        (("scales", 0, "skips"), [{"when": {"b": ["0"]}, "zero": ["a"]}], "a skip names the item b"),
        (("scales", 0, "skips"), [{"when": {"a": ["2"]}, "zero": ["a"]}], "a skip names an answer of a"),
        (("scales", 0, "skips"), [{"when": {"a": ["0"]}, "zero": ["a"], "but": 1}], "but is not understood"),
        (("risk",), [{"item": "a", "reason": "r", "levels": {"2": 1}}], "risk of a names the answers"),
        (("risk",), [{"item": "b", "reason": "r", "levels": {}}], "risk names the item b"),
    ],
)
def test_a_file_that_scoring_would_not_honour_is_refused(path: tuple[Any, ...], value: Any, says: str) -> None:
    file = json.decode(json.encode(FILE))
    holder = file
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value

    with pytest.raises(InstrumentFault, match=says):
        load(file)
    assert load(FILE).id == "x"
