"""What tells of risk, by code, whatever the form; and the papers that follow from it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import risk
from fhir_mappings.questionnaire import compile_questionnaire
from fhir_mappings.risk import Event, Reason
from schemas import library
from schemas.instrument import ANSWER, INSTRUMENT
from schemas.instruments import triggers
from schemas.validate import validate

LOINC = "http://loinc.org"
EVENT = Event("k", "QuestionnaireResponse/r", {"reference": "Patient/p"}, None, False, "2026-01-14T20:20:00Z")
DEVICE = "Device/hearth"


def told(
    code: str, value: dict[str, Any], kind: str = "choice", system: str = LOINC, **more: Any
) -> list[tuple[str, int]]:
    """The reasons and levels of a form of one item, deep within groups."""
    item = {"linkId": "i", "type": kind, "code": [{"system": system, "code": code}]}
    group = {"linkId": "g", "type": "group", "item": [{"linkId": "h", "type": "group", "item": [item]}]}
    answer = {"linkId": "i", "answer": [value]}
    response = {"status": "completed", "item": [{"linkId": "g", "item": [{"linkId": "h", "item": [answer]}]}]} | more
    form = {"resourceType": "Questionnaire", "status": "active", "item": [group]}
    return [(each.code, each.level) for each in risk.told(response, compile_questionnaire(form))]


def coding(code: str, system: str = LOINC) -> dict[str, Any]:
    return {"valueCoding": {"system": system, "code": code}}


@pytest.mark.parametrize(
    ("code", "value", "kind", "system", "level"),
    [
        ("44260-8", coding("LA6568-5"), "choice", LOINC, 0),
        ("44260-8", coding("LA6569-3"), "choice", LOINC, 1),
        ("44260-8", coding("LA6571-9"), "choice", LOINC, 3),
        ("44260-8", {"valueInteger": 0}, "integer", LOINC, 0),
        ("44260-8", {"valueInteger": 2}, "integer", LOINC, 2),
        ("44260-8", coding("yes", "urn:own"), "choice", LOINC, 1),
        ("44260-8", {"valueString": "a little"}, "open-choice", LOINC, 1),
        ("phq-9-teen-12", coding("LA33-6"), "choice", INSTRUMENT, 2),
        ("phq-9-teen-12", {"valueBoolean": False}, "boolean", INSTRUMENT, 0),
        ("phq-9-teen-13", {"valueBoolean": True}, "boolean", INSTRUMENT, 1),
        ("epds-10", coding("1", ANSWER), "choice", INSTRUMENT, 1),
        ("epds-10", {"valueInteger": 3}, "integer", INSTRUMENT, 3),
        ("core-10-6", {"valueInteger": 4}, "integer", INSTRUMENT, 3),
        ("93246-7", coding("LA33-6"), "choice", LOINC, 1),
        ("93248-3", coding("LA33-6"), "choice", LOINC, 2),
        ("93250-9", {"valueBoolean": True}, "boolean", LOINC, 3),
        ("93269-9", coding("LA32-8"), "choice", LOINC, 0),
        ("44255-8", coding("LA6571-9"), "choice", LOINC, 0),
    ],
)
def test_a_level_is_that_of_the_answer(code: str, value: dict[str, Any], kind: str, system: str, level: int) -> None:
    found = told(code, value, kind, system)
    assert [each for _, each in found] == ([level] if level else [])


# HL7/us-behavioral-health-profiles: QuestionnaireResponse-C-SSRS-example-1, every item no, the risk level low.
def test_a_published_c_ssrs_in_which_all_is_no_tells_of_nothing() -> None:
    for code in ("93246-7", "93247-5", "93248-3", "93249-1", "93250-9", "93267-3", "93269-9"):
        assert told(code, coding("LA32-8")) == []


@pytest.mark.parametrize(
    ("status", "found"), [("in-progress", 1), ("amended", 1), ("stopped", 1), ("entered-in-error", 0)]
)
def test_drafts_and_what_was_given_up_count_and_errors_do_not(status: str, found: int) -> None:
    assert len(told("44260-8", coding("LA6569-3"), status=status)) == found


def test_a_barrier_of_safety_counts_in_any_form() -> None:
    assert told("mine", coding("safety", risk.BARRIER), system="urn:own") == [("barrier-safety", 1)]
    assert told("mine", coding("safety", "urn:own"), system="urn:own") == []


def test_a_total_counts_from_its_threshold_on() -> None:
    totals: list[dict[str, Any]] = [
        {"code": {"coding": [{"code": "44261-6"}]}, "valueInteger": 20},
        {"code": {"coding": [{"code": "x"}]}},
    ]
    assert risk.above(totals, {"44261-6": 20}) == (Reason("total", 1),)
    assert risk.above(totals, {"44261-6": 21, "x": 0}) == ()
    quantity = [{"code": {"coding": [{"code": "core-10-total"}]}, "valueQuantity": {"value": 25}}]
    assert risk.above(quantity, {"core-10-total": 25}) == (Reason("total", 1),)


def review(level: int = 1, *codes: str, event: Event = EVENT) -> dict[str, Any]:
    reasons = [Reason(code, level) for code in codes or ("phq-item-9",)]
    made = risk.review(
        event,
        reasons,
        author=DEVICE,
        owner="Practitioner/t",
        due="2026-01-15T20:20:00Z",
        flag_id="f",
        item="Observation/o",
    )
    return {"id": "t", **made}


@given(
    levels=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    again=st.lists(st.integers(1, 3), min_size=1, max_size=4),
)
def test_a_review_covers_what_it_was_raised_to_and_never_gets_less_urgent(levels: list[int], again: list[int]) -> None:
    codes = ("phq-item-9", "total", "c-ssrs-screener", "barrier-safety")
    first = [Reason(code, level) for code, level in zip(codes, levels, strict=False)]
    more = [Reason(code, level) for code, level in zip(reversed(codes), again, strict=False)]
    made: dict[str, Any] = {"id": "t"} | risk.review(
        EVENT, first, author=DEVICE, owner=None, due="2026-01-15T20:20:00Z", flag_id="f", item=None
    )
    raised = risk.raised(made, more, due="2026-01-15T00:20:00Z", now="2026-01-14T21:00:00Z")
    assert risk.covers(made, first)
    assert risk.covers(raised, [*first, *more])
    assert risk.level_in(raised) == max(levels + again)
    assert raised["restriction"]["period"]["end"] <= made["restriction"]["period"]["end"]
    assert risk.flag_of(raised) == "f"
    assert validate(raised) == []


def test_papers_are_valid_and_repeat_no_answer() -> None:
    reasons = [Reason("phq-item-9", 3, (LOINC, "44260-8"))]
    made = [
        {"id": "f", **risk.flag(EVENT, reasons, DEVICE)},
        review(3),
        {"id": "c", **risk.crisis(EVENT, "Words.", "en", ["Patient/p"], DEVICE)},
        {"id": "b", **risk.breach(review(), ["Practitioner/t"], DEVICE, EVENT.now)},
        {"id": "p", **risk.provenance(EVENT, ["Flag/f"], DEVICE)},
        risk.escalated(review(), "b", "2026-01-16T00:00:00Z", "CareTeam/c", EVENT.now),
        risk.lowered({"id": "f", **risk.flag(EVENT, reasons, DEVICE)}, "inactive", "2026-01-15T00:00:00Z"),
    ]
    for each in made:
        assert validate(each) == []
        assert "44260-8" not in str(each)
        staff = {"code": "staff-only", "system": "https://hearth.health/fhir/CodeSystem/sensitivity"}
        assert (staff in each["meta"]["security"]) is (each["id"] != "c")


def test_nothing_points_to_what_is_hidden() -> None:
    hidden = Event("k", "QuestionnaireResponse/r", {"reference": "Patient/p"}, None, True, EVENT.now)
    for each in (review(3, event=hidden), risk.provenance(hidden, ["Flag/f"], DEVICE)):
        assert "QuestionnaireResponse" not in str(each)
        assert "Observation" not in str(each)


def test_each_breach_is_counted() -> None:
    late = review()
    assert risk.breaches(late) == 0
    once = risk.escalated(late, "c1", "2026-01-16T00:00:00Z", None, EVENT.now)
    assert (risk.breaches(once), once["owner"]) == (1, {"reference": "Practitioner/t"})
    assert risk.breaches(risk.escalated(once, "c2", "2026-01-17T00:00:00Z", "CareTeam/c", EVENT.now)) == 2


def test_reasons_are_read_as_the_code_system_shows_them() -> None:
    (system,) = [each for each in library.seed() if each["url"] == risk.RISK]
    shown = {concept["code"]: concept["display"] for concept in system["concept"]}
    assert {code: shown[code] for code in risk.REASONS} == risk.REASONS
    assert {trigger.reason for trigger in triggers().values()} <= risk.REASONS.keys()
    text = review(1, "phq-item-9", "total")["reasonCode"]["text"]
    assert text == "Needs a clinician's review: PHQ-9 item 9, Total above the threshold"
