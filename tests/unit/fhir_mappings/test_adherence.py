"""Adherence: what counts, what is left out, and what it is grouped by."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import adherence, correlation
from fhir_mappings.adherence import DONE, LEFT_OUT, NOT_DONE, OPEN, PARTLY
from fhir_mappings.course import Point
from schemas.library import BASE

HALF = Decimal("0.5")
PATIENT = {"reference": "Patient/p"}
TYPE = {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "relaxation"}], "text": "Relax"}
HOW = {
    DONE: {"status": "completed"},
    PARTLY: {"status": "completed", "business": "partially-done"},
    NOT_DONE: {"status": "cancelled", "business": "missed"},
    LEFT_OUT: {"status": "on-hold"},
    OPEN: {"status": "ready"},
}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{BASE}/CodeSystem/{system}", "code": code}]}


def task(number: int = 1, *, status: str = "completed", business: str | None = None, **members: Any) -> dict[str, Any]:
    """The occurrence of a day, with a window of its own."""
    start = datetime(2026, 1, 4, 18, tzinfo=UTC) + timedelta(days=number)
    end = start + timedelta(hours=4)
    body = {
        "resourceType": "Task",
        "id": f"t{number:03d}",
        "status": status,
        "intent": "order",
        "code": TYPE,
        "for": PATIENT,
        "owner": PATIENT,
        "restriction": {"period": {"start": start.isoformat(), "end": end.isoformat()}},
        **members,
    }
    return body | ({"businessStatus": concept("homework-business-status", business)} if business else {})


@pytest.mark.parametrize(
    ("status", "business", "expected"),
    [
        ("completed", None, DONE),
        ("completed", "reviewed", DONE),
        ("completed", "partially-done", PARTLY),
        ("failed", None, NOT_DONE),
        ("cancelled", "missed", NOT_DONE),
        ("cancelled", None, LEFT_OUT),
        ("cancelled", "carried-over", LEFT_OUT),
        ("completed", "carried-over", DONE),
        ("failed", "carried-over", LEFT_OUT),
        ("on-hold", None, LEFT_OUT),
        ("rejected", None, LEFT_OUT),
        ("requested", None, OPEN),
        ("accepted", None, OPEN),
        ("ready", "reminded", OPEN),
        ("in-progress", "started", OPEN),
    ],
)
def test_every_state_is_counted_as_what_it_means(status: str, business: str | None, expected: str) -> None:
    assert adherence.outcome(task(status=status, business=business)) == expected


@pytest.mark.parametrize(
    "members",
    [
        {"status": "draft"},
        {"status": "entered-in-error"},
        {"intent": "proposal"},
        {"code": concept("homework-activity-type", "clinician-risk-review")},
        {"restriction": {}},
        {"owner": {"reference": "Practitioner/x"}, "code": {"text": "call back"}},
    ],
)
def test_what_is_no_homework_of_the_clients_is_not_there(members: dict[str, Any]) -> None:
    assert adherence.occurrences([task(**members)], UTC) == []


def of(outcomes: list[str]) -> list[adherence.Occurrence]:
    return adherence.occurrences([task(at, **HOW[each]) for at, each in enumerate(outcomes)], UTC)  # type: ignore[arg-type]


def test_a_part_counts_as_a_part_and_what_is_left_out_does_not() -> None:
    found = adherence.count(of([DONE, DONE, PARTLY, NOT_DONE, LEFT_OUT, OPEN]))
    assert found == adherence.Count(2, 1, 1, 1, 1)
    assert (found.planned, found.achieved(HALF), found.share(HALF)) == (4, Decimal("2.5"), Decimal("0.62"))


def test_nothing_planned_is_no_share() -> None:
    assert adherence.count(of([LEFT_OUT, OPEN])).share(HALF) is None


@given(st.lists(st.sampled_from([DONE, PARTLY, NOT_DONE, LEFT_OUT, OPEN]), max_size=30))
def test_pauses_never_change_the_share(outcomes: list[str]) -> None:
    found = adherence.count(of(outcomes))
    without = adherence.count(of([each for each in outcomes if each not in (LEFT_OUT, OPEN)]))
    assert found.share(HALF) == without.share(HALF)
    assert found.share(HALF) is None or 0 <= found.share(HALF) <= 1  # type: ignore[operator]
    assert found.planned + found.left_out + found.open == len(outcomes)


@given(
    st.lists(st.sampled_from([DONE, PARTLY, NOT_DONE, LEFT_OUT, OPEN]), max_size=30),
    st.sampled_from(sorted(adherence.BY)),
)
def test_groups_of_one_each_add_up_to_the_whole(outcomes: list[str], by: str) -> None:
    found = of(outcomes)
    groups = adherence.grouped(found, by)
    if by in ("activity", "assignment", "hour", "week", "weekday"):
        assert sum(each.planned for each in groups.values()) == adherence.count(found).planned


def test_a_head_lends_its_occurrences_what_they_do_not_say_and_is_none_itself() -> None:
    goal = {"url": adherence.GOAL, "valueReference": {"reference": "Goal/g"}}
    setting = {"type": concept("homework-task-io", "setting"), "valueCoding": {"code": "work"}}
    head = task(0, status="in-progress", extension=[goal], input=[setting]) | {"id": "head"}
    part = task(3, partOf=[{"reference": "Task/head"}], code={"coding": [{"system": "s", "code": "form"}]})
    found = adherence.occurrences([part, head], UTC)
    assert [(each.id, each.series, each.activities, each.goals, each.settings) for each in found] == [
        ("t003", "head", ("relaxation",), ("Goal/g",), ("work",))
    ]


def ratio(done: int, of: int) -> dict[str, Any]:
    value = {"numerator": {"value": done}, "denominator": {"value": of}}
    return {"type": concept("homework-task-io", "progress"), "valueRatio": value}


def test_a_head_without_its_occurrences_is_not_counted() -> None:
    assert adherence.occurrences([task(0, output=[ratio(3, 7)])], UTC) == []


def test_the_head_of_a_members_series_in_a_group_is_none_either() -> None:
    member = task(0, output=[ratio(3, 7)], partOf=[{"reference": "Task/group"}]) | {"id": "member"}
    found = adherence.occurrences([member, task(1, partOf=[{"reference": "Task/member"}])], UTC)
    assert [(each.id, each.series) for each in found] == [("t001", "member")]
    assert adherence.occurrences([member], UTC) == []


def test_an_assignment_for_several_times_counts_each_of_them() -> None:
    body = task(0, status="in-progress", output=[ratio(3, 5)])
    body["restriction"]["repetitions"] = 5
    open_yet = adherence.count(adherence.occurrences([body], UTC))
    assert open_yet == adherence.Count(done=3, open=2)
    over = adherence.count(adherence.occurrences([{**body, "status": "completed"}], UTC))
    assert (over.done, over.not_done) == (3, 2)


def test_is_grouped_by_the_clients_own_calendar() -> None:
    found = adherence.occurrences([task(1)], ZoneInfo("Pacific/Auckland"))
    assert list(adherence.grouped(found, "weekday")) == ["tuesday"]
    assert list(adherence.grouped(found, "hour")) == ["07"]
    assert found[0].day == date(2026, 1, 6)
    utc = adherence.occurrences([task(1)], UTC)
    assert list(adherence.grouped(utc, "weekday")) == ["monday"]
    assert list(adherence.grouped(utc, "week")) == ["2026-01-05"]


def test_a_window_of_a_whole_day_has_no_hour() -> None:
    day = {"period": {"start": "2026-01-05", "end": "2026-01-05"}}
    found = adherence.occurrences([task(restriction=day)], ZoneInfo("America/New_York"))
    assert (found[0].day, found[0].hour) == (date(2026, 1, 5), None)
    assert adherence.grouped(found, "hour") == {}


def test_weekdays_come_from_monday_on() -> None:
    assert list(adherence.grouped(of([DONE] * 7), "weekday")) == list(adherence.WEEKDAYS)


def test_formats_and_settings_are_codes_or_words() -> None:
    chosen = [
        {"type": concept("homework-task-io", "chosen-format"), "valueCodeableConcept": {"text": "on paper"}},
        {"type": concept("homework-task-io", "reflection"), "valueMarkdown": "It rained"},
    ]
    found = adherence.occurrences(
        [task(1, output=chosen), task(2, output=[{**chosen[0], "valueString": "audio"}])], UTC
    )
    assert list(adherence.grouped(found, "format")) == ["audio", "on paper"]


def test_a_pause_does_not_end_a_row_and_something_not_done_does() -> None:
    found = of([DONE, DONE, DONE, NOT_DONE, DONE, LEFT_OUT, PARTLY, OPEN])
    assert adherence.streaks(found) == adherence.Streaks(current=2, best=3)
    assert adherence.streaks([]) == adherence.Streaks(0, 0)


def test_barriers_are_what_people_said_and_not_what_the_server_did() -> None:
    said = [
        task(1, status="failed", statusReason=concept("homework-barrier", "time")),
        task(2, status="on-hold", statusReason=concept("homework-barrier", "illness")),
        task(3, status="failed", statusReason=concept("homework-barrier", "time")),
        task(4, status="cancelled", business="missed", statusReason=concept("homework-barrier", "window-elapsed")),
    ]
    found = adherence.occurrences(said, UTC)
    assert adherence.barriers(found) == {"time": 2, "illness": 1}
    assert adherence.grouped(found, "barrier")["time"].not_done == 2


def score(day: int, value: int) -> Point:
    when = datetime(2026, 1, 4, 12, tzinfo=UTC) + timedelta(days=day)
    return Point(when, when.isoformat(), Decimal(value))


def test_pairs_what_was_done_between_two_scores_with_their_change() -> None:
    found = of([DONE, DONE, NOT_DONE, DONE, LEFT_OUT, LEFT_OUT])
    points = [score(0, 20), score(2, 15), score(4, 14), score(6, 13)]
    assert list(correlation.between_scores(points, found, HALF)) == [(1.0, -5.0), (0.5, -1.0)]
    assert correlation.whole_course(points, found, HALF) == (0.75, -7.0)
    assert correlation.whole_course(points[:1], found, HALF) is None
    assert correlation.whole_course(points[2:], found, HALF) is None
