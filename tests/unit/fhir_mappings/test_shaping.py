"""Proposals for the therapist: when the rules speak, and when they do not."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import shaping
from fhir_mappings.adherence import DONE, LEFT_OUT, NOT_DONE, OPEN, PARTLY, Occurrence
from schemas import dates
from schemas.validate import validate

HEAD = {
    "resourceType": "Task",
    "id": "head",
    "status": "in-progress",
    "intent": "order",
    "for": {"reference": "Patient/p"},
    "owner": {"reference": "Patient/p"},
    "requester": {"reference": "Practitioner/t"},
    "basedOn": [{"reference": "ServiceRequest/s"}],
}


def step(at: int, outcome: str = DONE, barriers: tuple[str, ...] = (), **rated: int) -> shaping.Step:
    when = dates.interval(f"2026-01-{at + 1:02d}").lo
    occurrence = Occurrence(f"o{at}", "head", when.date(), when, None, outcome, barriers=barriers)
    values = {name: Decimal(value) for name, value in rated.items()}
    return shaping.Step(occurrence, **values, rated=f"Observation/r{at}" if rated else None)  # type: ignore[arg-type]


def proposed(steps: list[shaping.Step], missed: int = 3) -> list[str]:
    return [each.rule.id for each in shaping.proposals(steps, missed)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step(0, peak=40), step(1, peak=35)], ["distress-low"]),
        ([step(0, peak=40), step(1, peak=41)], []),
        ([step(0, peak=35)], []),
        ([step(0, before=60, peak=30), step(1, peak=30)], []),
        ([step(0, peak=80, after=40), step(1, peak=70, after=30)], ["distress-eased"]),
        ([step(0, peak=80, after=41), step(1, peak=70, after=30)], []),
        ([step(0, peak=80), step(1, peak=70, after=30)], []),
        ([step(0, before=80, after=40), step(1, before=70, after=30)], ["distress-eased"]),
        ([step(at, mastery=7) for at in range(3)], ["mastered"]),
        ([step(0, mastery=7), step(1, mastery=6), step(2, mastery=9)], []),
        ([step(at, mastery=9) for at in range(2)], []),
        ([step(at, peak=90, after=75) for at in range(3)], ["distress-stays-high"]),
        ([step(at, peak=90, after=60) for at in range(3)], []),
        ([step(at, peak=90) for at in range(2)], []),
        ([step(at, NOT_DONE) for at in range(3)], ["not-done"]),
        ([step(at, NOT_DONE) for at in range(2)], []),
        ([step(0, NOT_DONE), step(1, NOT_DONE, ("time",)), step(2, NOT_DONE)], ["not-done-too-long"]),
        ([step(0, NOT_DONE), step(1, NOT_DONE), step(2, NOT_DONE, ("privacy",))], ["not-done-other-way"]),
        ([step(0, NOT_DONE, ("illness",)), step(1, NOT_DONE), step(2, NOT_DONE)], ["not-done"]),
        ([], []),
    ],
)
def test_rules_speak_when_their_state_is_there(steps: list[shaping.Step], expected: list[str]) -> None:
    assert proposed(steps) == expected


def test_what_is_paused_or_open_neither_helps_nor_hinders() -> None:
    rated = [step(0, peak=30), step(1, LEFT_OUT), step(2, PARTLY, peak=30), step(3, OPEN)]
    assert proposed(rated) == ["distress-low"]
    assert proposed([step(0, NOT_DONE), step(1, LEFT_OUT), step(2, NOT_DONE), step(3, NOT_DONE), step(4, OPEN)]) == [
        "not-done"
    ]


def test_something_not_done_in_between_is_no_row() -> None:
    assert proposed([step(0, peak=30), step(1, NOT_DONE), step(2, peak=30)]) == []
    assert proposed([step(0, NOT_DONE), step(1, NOT_DONE), step(2), step(3, NOT_DONE)]) == []


def test_the_tenant_says_after_how_many() -> None:
    assert proposed([step(0, NOT_DONE), step(1, NOT_DONE)], missed=2) == ["not-done"]
    assert proposed([step(at, NOT_DONE) for at in range(4)], missed=5) == []


OUTCOMES = st.sampled_from([DONE, PARTLY, NOT_DONE, LEFT_OUT, OPEN])


@given(st.lists(st.tuples(OUTCOMES, st.integers(0, 100), st.integers(0, 10)), max_size=12))
def test_there_is_one_proposal_at_most_and_it_names_its_state(seen: list[tuple[str, int, int]]) -> None:
    steps = [step(at, outcome, peak=peak, mastery=mastery) for at, (outcome, peak, mastery) in enumerate(seen)]
    found = shaping.proposals(steps, 3)
    assert len(found) <= 1
    settled = [each.occurrence.id for each in steps if each.occurrence.outcome not in (LEFT_OUT, OPEN)]
    for each in found:
        assert each.last == settled[-1]
        assert len(each.evidence) == len(each.steps)
        easier = each.rule.proposes != "step-up"
        assert easier == (each.rule.id.startswith("not-done") or each.rule.id == "distress-stays-high")


def rating(occurrence: str, high: int | None = 100, **values: int) -> dict[str, Any]:
    parts = [
        {"code": {"coding": [{"system": shaping.MEASURE, "code": code.replace("_", "-")}]}, "valueInteger": value}
        for code, value in values.items()
    ]
    body = {"resourceType": "Observation", "id": f"of-{occurrence}", "focus": [{"reference": f"Task/{occurrence}"}]}
    return {**body, "component": parts} | ({"referenceRange": [{"high": {"value": high}}]} if high else {})


def test_ratings_belong_to_the_occurrence_they_are_about() -> None:
    occurrences = [each.occurrence for each in (step(0), step(1), step(2))]
    found = shaping.steps(
        occurrences,
        [
            rating("o0", suds_pre=70, suds_peak=80, suds_post=40),
            rating("o1", high=10, suds_peak=4),
            rating("o9", suds_peak=1),
        ],
    )
    assert [(each.before, each.peak, each.after) for each in found] == [
        (70, 80, 40),
        (None, 40, None),
        (None, None, None),
    ]
    assert [each.rated for each in found] == ["Observation/of-o0", "Observation/of-o1", None]


def test_a_mastery_of_ten_stays_ten() -> None:
    made = {
        **rating("o0", high=10),
        "code": {"coding": [{"system": shaping.MEASURE, "code": "mastery"}]},
        "valueInteger": 8,
    }
    assert shaping.steps([step(0).occurrence], [made])[0].mastery == 8


def test_a_proposal_is_a_valid_task_for_the_therapist_that_clients_do_not_see() -> None:
    found = shaping.proposals([step(0, peak=40), step(1, peak=35)], 3)[0]
    made = shaping.task(found, HEAD, requester="Device/hearth", now="2026-01-05T10:00:00Z")
    assert validate(made) == []
    assert (made["intent"], made["status"], made["owner"]) == ("proposal", "requested", {"reference": "Practitioner/t"})
    assert made["focus"] == {"reference": "Task/head"}
    assert made["reasonReference"] == {"reference": "Observation/r1"}
    assert shaping.STAFF_ONLY in made["meta"]["security"]
    assert made["identifier"][0]["value"] == "head/distress-low/o1"


def test_the_rules_have_ids_of_their_own_and_know_their_tests() -> None:
    rules = shaping.rules()
    assert len({rule.id for rule in rules}) == len(rules) == 7
    assert {rule.proposes for rule in rules} == set(shaping.KINDS)
