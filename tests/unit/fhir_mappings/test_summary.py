"""What a session summary picks out: the client's words, how series went, which change is told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fhir_mappings import adherence, summary
from fhir_mappings.course import Point
from fhir_mappings.shaping import MEASURE
from schemas.library import BASE
from schemas.measures import measures

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PHQ9 = ("http://loinc.org", "44261-6")
FORM = {
    "title": "Thought record",
    "item": [{"linkId": "g", "type": "group", "item": [{"linkId": "q", "text": "What went through your mind?"}]}],
}


def response(*items: dict[str, Any], **members: Any) -> dict[str, Any]:
    body = {"resourceType": "QuestionnaireResponse", "id": "r", "status": "completed", "authored": "2026-01-05"}
    return {**body, "item": list(items), **members}


def said(link: str, *texts: str, **members: Any) -> dict[str, Any]:
    return {"linkId": link, "answer": [{"valueString": text} for text in texts], **members}


def test_words_come_with_the_question_they_answer() -> None:
    body = response({"linkId": "g", "item": [said("q", "I failed", "or not")]})
    found = list(summary.client_words(body, summary.form(FORM)))
    assert [(each.text, each.about) for each in found] == [
        ("I failed", "Thought record: What went through your mind?"),
        ("or not", "Thought record: What went through your mind?"),
    ]
    assert found[0].source == "QuestionnaireResponse/r"


def test_a_response_that_repeats_its_questions_needs_no_form() -> None:
    found = list(summary.client_words(response(said("x", "Well", text="How was it?")), None))
    assert [(each.text, each.about) for each in found] == [("Well", "How was it?")]


@pytest.mark.parametrize("status", ["in-progress", "stopped", "entered-in-error"])
def test_what_was_not_handed_in_is_not_told(status: str) -> None:
    assert list(summary.client_words(response(said("x", "Well"), status=status), None)) == []


def test_empty_words_and_numbers_are_no_words() -> None:
    number = {"linkId": "n", "answer": [{"valueInteger": 7}]}
    assert list(summary.client_words(response(said("x", "  "), number), None)) == []


def task(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "id": "t", "status": "completed", "description": "Breathe", **members}


def io(code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": code}]}


def test_reflections_and_the_clients_own_notes_are_words() -> None:
    body = task(
        output=[{"type": io("reflection"), "valueMarkdown": "It helped"}, {"type": io("document"), "valueString": "x"}],
        note=[
            {"authorReference": {"reference": "Patient/p"}, "text": "Not at work", "time": "2026-01-06"},
            {"authorReference": {"reference": "Practitioner/t"}, "text": "Well done"},
            {"text": "of nobody"},
        ],
    )
    assert [each.text for each in summary.task_words(body)] == ["It helped", "Not at work"]


@pytest.mark.parametrize(
    ("status", "told"), [("failed", True), ("rejected", True), ("on-hold", True), ("cancelled", False)]
)
def test_reasons_in_words_are_told_where_the_client_gave_them(status: str, told: bool) -> None:
    body = task(status=status, statusReason={"text": "Too much this week"})
    assert bool(list(summary.task_words(body))) == told


def rated(of: str, **values: int) -> dict[str, Any]:
    parts = [
        {"code": {"coding": [{"system": MEASURE, "code": code.replace("_", "-")}]}, "valueInteger": value}
        for code, value in values.items()
    ]
    return {"resourceType": "Observation", "focus": [{"reference": f"Task/{of}"}], "component": parts}


def occurrence(name: str, day: int, series: str = "s", title: str = "Breathe") -> adherence.Occurrence:
    at = START + timedelta(days=day)
    return adherence.Occurrence(name, series, at.date(), at, None, adherence.DONE, title)


def test_a_series_has_its_count_and_what_was_rated_in_it() -> None:
    found = summary.series(
        [occurrence("a", 0), occurrence("b", 1), occurrence("c", 2, "other", "")],
        [
            rated("a", helpfulness=4, suds_pre=70, suds_post=60),
            rated("b", helpfulness=3, suds_post=20),
            rated("x", suds_post=1),
        ],
        "Homework",
    )
    assert [(each.title, each.count.done) for each in found] == [("Breathe", 2), ("Homework", 1)]
    assert (found[0].helpfulness, found[0].distress) == (Decimal("3.5"), (60, 20))
    assert found[0].sources == ("Task/a", "Task/b")
    assert (found[1].helpfulness, found[1].distress) == (None, None)


def points(*scores: int) -> list[Point]:
    times = [START + timedelta(weeks=number) for number in range(len(scores))]
    return [Point(at, at.isoformat(), Decimal(score)) for at, score in zip(times, scores, strict=True)]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ((20, 4), "remission"),
        ((20, 9), "reliable-recovery"),
        ((20, 13), "reliable"),
        ((14, 9), "recovery"),
        ((20, 18), None),
    ],
)
def test_the_change_that_says_most_is_told(scores: tuple[int, ...], told: str | None) -> None:
    (found,) = summary.measured({PHQ9: points(*scores)}, measures(), {}, {}, None)
    assert (found.finding.rule.kind if found.finding else None) == told


def test_a_measure_is_compared_with_what_was_before_the_time_looked_at() -> None:
    since = START + timedelta(weeks=2)
    (found,) = summary.measured({PHQ9: points(20, 18, 12, 11)}, measures(), {}, {}, since)
    assert (found.before, found.latest.value) == (points(20, 18)[1], 11)
    later = since + timedelta(weeks=9)
    assert summary.measured({PHQ9: points(20, 18)}, measures(), {}, {}, later) == []


def test_open_flags_and_those_raised_lately_are_told() -> None:
    closed = {"status": "inactive", "period": {"start": "2026-01-10"}}
    assert summary.raised({"status": "active"}, None)
    assert summary.raised(closed, START)
    assert not summary.raised(closed, START + timedelta(days=30))
    assert not summary.raised({"status": "entered-in-error", "period": {"start": "2026-01-10"}}, START)
