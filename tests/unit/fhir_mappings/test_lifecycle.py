"""The states of an assignment against the table of who may bring which about (tests/cases/lifecycle.json)."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from fhir_mappings import lifecycle
from fhir_mappings.lifecycle import Actor

CASES: Final = Path(__file__).parents[2] / "cases" / "lifecycle.json"
MOVES: Final[dict[str, dict[str, str]]] = json.loads(CASES.read_text())["moves"]
ACTORS: Final = {"C": Actor.CLIENT, "T": Actor.THERAPIST, "S": Actor.SERVICE, "CT": Actor.SYSTEM}
PAIRS: Final = [(was, to, who) for was in MOVES for to in MOVES if was != to for who in ACTORS]


def task(status: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "status": status, "intent": "order", "owner": {"reference": "Patient/ann"}} | more


@pytest.mark.parametrize(("was", "to", "who"), PAIRS)
def test_a_state_follows_another_only_where_the_table_says_so_and_by_whom(was: str, to: str, who: str) -> None:
    after = task(to, statusReason={"text": "because"})
    found = list(lifecycle.faults(task(was), after, ACTORS[who]))
    if set(who) & set(MOVES[was].get(to, "")):
        assert found == []
    else:
        (fault,) = found
        assert (fault.expression, fault.details_code) == ("Task.status", "task-transition")
        assert was in fault.sentence
        assert to in fault.sentence
        for possible in lifecycle.allowed(was, ACTORS[who]):
            assert possible in fault.sentence


@pytest.mark.parametrize("status", sorted(lifecycle.REASONED))
def test_a_state_that_needs_a_reason_is_refused_without_one(status: str) -> None:
    was = next(each for each in MOVES if status in MOVES[each])
    (fault,) = lifecycle.faults(task(was), task(status), Actor.SYSTEM)
    assert fault.details_code == "status-reason-required"
    # It is asked for with the change of state, not again with every later change.
    assert list(lifecycle.faults(task(status), task(status, note=[{"text": "x"}]), Actor.SYSTEM)) == []


def test_what_was_begun_before_a_pause_goes_on_where_it_was() -> None:
    begun = {"executionPeriod": {"start": "2026-01-01"}}
    (fault,) = lifecycle.faults(task("on-hold", **begun), task("ready", **begun), Actor.CLIENT)
    assert "in-progress" in fault.sentence
    assert list(lifecycle.faults(task("on-hold", **begun), task("in-progress", **begun), Actor.CLIENT)) == []


@pytest.mark.parametrize("status", ["draft", "accepted", "in-progress", "completed", "entered-in-error"])
def test_a_client_begins_an_assignment_as_requested_or_ready(status: str) -> None:
    assert [each.details_code for each in lifecycle.faults(None, task(status), Actor.CLIENT)] == ["task-transition"]
    assert list(lifecycle.faults(None, task(status), Actor.THERAPIST)) == []


@pytest.mark.parametrize("code", ["agreed", "reminded", "missed", "reviewed", "carried-over"])
def test_a_client_says_of_where_it_stands_only_what_is_theirs(code: str) -> None:
    stands = {"businessStatus": {"coding": [{"system": lifecycle.BUSINESS_STATUS, "code": code}]}}
    (fault,) = lifecycle.faults(task("ready"), task("ready", **stands), Actor.CLIENT)
    assert fault.details_code == "task-field-fixed"
    assert list(lifecycle.faults(task("ready", **stands), task("in-progress", **stands), Actor.CLIENT)) == []
    assert list(lifecycle.faults(task("ready"), task("ready", **stands), Actor.THERAPIST)) == []


@pytest.mark.parametrize("status", ["failed", "cancelled", "rejected"])
def test_of_what_is_over_a_client_changes_only_the_notes(status: str) -> None:
    ended = task(status, statusReason={"text": "x"})
    assert list(lifecycle.faults(ended, {**ended, "note": [{"text": "later"}]}, Actor.CLIENT)) == []
    output = [{"type": {"text": "x"}, "valueString": "x"}]
    (fault,) = lifecycle.faults(ended, {**ended, "output": output}, Actor.CLIENT)
    assert fault.expression == "Task.output"


@pytest.mark.parametrize(
    ("changed", "is_one"),
    [
        ({}, True),
        ({"owner": {"reference": "RelatedPerson/mum"}}, True),
        ({"owner": {"reference": "Practitioner/thera"}}, False),
        ({"owner": None}, False),
        ({"owner": None, "code": {"coding": [{"system": lifecycle.ACTIVITY_TYPE, "code": "reading"}]}}, True),
        ({"code": {"coding": [{"system": lifecycle.ACTIVITY_TYPE, "code": "clinician-risk-review"}]}}, False),
        ({"owner": None, "code": {"coding": [{"system": "http://example.org", "code": "reading"}]}}, False),
    ],
)
def test_an_assignment_is_what_a_client_does(changed: dict[str, Any], is_one: bool) -> None:
    made = {name: value for name, value in task("ready", **changed).items() if value is not None}
    assert lifecycle.is_assignment(made) is is_one


NOW: Final = "2026-03-01T10:00:00.000Z"


@pytest.mark.parametrize(
    ("was", "to", "said", "period"),
    [
        ("ready", "in-progress", {}, {"start": NOW}),
        ("ready", "in-progress", {"start": "2026-02-01"}, {"start": "2026-02-01"}),
        ("ready", "completed", {}, {"start": NOW, "end": NOW}),
        ("in-progress", "completed", {"start": "2026-02-01"}, {"start": "2026-02-01", "end": NOW}),
        (
            "in-progress",
            "failed",
            {"start": "2026-02-01", "end": "2026-02-02"},
            {"start": "2026-02-01", "end": "2026-02-02"},
        ),
        ("ready", "on-hold", {}, {}),
        ("in-progress", "in-progress", {}, {}),
    ],
)
def test_times_follow_from_the_state_where_they_are_not_said(
    was: str, to: str, said: dict[str, str], period: dict[str, str]
) -> None:
    after = task(to, **({"executionPeriod": said} if said else {}))
    timed = lifecycle.timed(task(was), after, NOW)
    assert timed.get("executionPeriod", {}) == period
    assert ("lastModified" in timed) is (was != to)
    assert lifecycle.timed(None, after, NOW) is after
