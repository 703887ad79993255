"""Objects of the homework API to FHIR and back: what is said comes back as it was said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fhir_mappings.homework_api import answers, dose, fill, form, goal, prescribe, results
from fhir_mappings.homework_api.assignment import assignment, barrier, state
from fhir_mappings.homework_api.verbs import reason
from schemas import library
from schemas.homework import assignments as models
from schemas.homework import results as rated
from schemas.homework.model import written
from schemas.homework.vocabulary import BARRIERS, TYPES
from schemas.validate import validate

NOW = "2026-11-23T09:00:00.000Z"
META = {"versionId": "3", "lastUpdated": NOW}
FORMS = [each for each in library.seed() if each["resourceType"] == "Questionnaire"]
words = st.text("abc xyz.,äé", min_size=1, max_size=20).filter(lambda text: text.strip() == text)
days = st.dates(datetime(2026, 1, 1).date(), datetime(2027, 1, 1).date()).map(str)  # noqa: DTZ001
ids = st.uuids().map(str)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def stored(resource: dict[str, Any], name: str = "x1") -> dict[str, Any]:
    return {**resource, "id": name, "meta": {**resource.get("meta", {}), **META}}


def valid(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource, which is valid R4."""
    assert list(validate(resource)) == []
    return resource


doses = st.builds(
    models.Dose,
    times=st.integers(1, 100),
    every=st.integers(1, 100),
    unit=st.sampled_from(["day", "week", "month"]),
    minutes=optional(st.integers(1, 1440)),
    days=optional(st.lists(st.sampled_from(["monday", "friday", "sunday"]), min_size=1, unique=True).map(tuple)),
    count=optional(st.integers(1, 1000)),
) | st.builds(models.Dose, at=st.lists(st.sampled_from(["07:30", "19:00:30"]), min_size=1, unique=True).map(tuple)) | st.builds(
    models.Dose, when=st.lists(st.sampled_from(["morning", "bedtime", "meals"]), min_size=1, unique=True).map(tuple)
)  # fmt: skip


@given(doses)
def test_a_dose_comes_back_as_it_was_said(said: models.Dose) -> None:
    assert dose.dose({"repeat": dose.repeat(said)}) == said


new_assignments = st.builds(
    models.NewAssignment,
    client=st.just("robin"),
    title=words,
    type=st.sampled_from(TYPES),
    why=optional(words),
    instructions=optional(words),
    dose=optional(doses),
    due=optional(st.just("2027-12-24")),
    starts=optional(days),
    goals=optional(st.lists(ids, min_size=1, max_size=3, unique=True).map(tuple)),
    set=optional(words),
    session=optional(ids),
    materials=optional(
        st.lists(
            st.builds(
                models.Material,
                title=optional(words),
                url=st.sampled_from(["https://x.example/a", "http://y.example/b.mp3"]),
                content_type=optional(st.just("audio/mpeg")),
                alternative=st.booleans(),
            ),
            min_size=1,
            max_size=3,
        ).map(tuple)
    ),
    publish=st.sampled_from(["ready", "offer", "draft"]),
)


@given(new_assignments)
def test_an_assignment_comes_back_as_it_was_given(new: models.NewAssignment) -> None:
    activity = prescribe.activity(new, None, None)
    agreed = prescribe.agreed(
        new, activity, whose="Patient/robin", giver="Practitioner/kim", now="2026-11-23", language="en"
    )
    request = stored(valid(prescribe.request(agreed, new)), "r1")
    task = stored(valid(prescribe.task(agreed, new, "ServiceRequest/r1")), "t1")
    valid(prescribe.plan(agreed, ["ServiceRequest/r1"]))

    told = assignment(task, request, datetime(2026, 11, 23, 9, tzinfo=UTC))

    for name in ("client", "title", "type", "why", "instructions", "dose", "due", "goals", "set", "session"):
        assert getattr(told, name) == getattr(new, name), name
    assert sorted(told.materials or (), key=str) == sorted(new.materials or (), key=str)
    assert told.starts == agreed.start
    assert told.state in {"ready": ("due", "upcoming"), "offer": ("offered",), "draft": ("draft",)}[new.publish]
    assert told.kind == ("single" if new.dose is None or new.dose.count == 1 else "series")
    assert (told.fhir["task"], told.fhir["request"]) == ("Task/t1", "ServiceRequest/r1")
    written(told)


def scaled(kind: str) -> st.SearchStrategy[int]:
    least, most = rated.SCALES[kind]
    return st.integers(least, most or 10_000)


new_ratings = st.sampled_from(sorted(rated.SCALES)).flatmap(
    lambda kind: st.builds(
        rated.NewRating,
        kind=st.just(kind),
        value=scaled(kind),
        what=optional(words) if kind == "frequency" else st.none(),
        at=optional(days),
        assignment=optional(ids),
    )
) | st.builds(
    rated.NewRating, kind=st.just("suds"), before=optional(scaled("suds")), peak=scaled("suds"), after=optional(scaled("suds"))
)  # fmt: skip


@given(new_ratings)
def test_a_rating_comes_back_as_it_was_given(new: rated.NewRating) -> None:
    made = valid(results.observation(new, client="robin", author="Patient/robin", now=NOW))

    told = results.rating(stored(made))

    for name in ("kind", "value", "before", "peak", "after", "what", "assignment"):
        assert getattr(told, name) == getattr(new, name), name
    assert (told.at, told.client, told.by) == (new.at or NOW, "robin", "Patient/robin")


new_goals = st.builds(
    rated.NewGoal,
    text=words,
    state=st.sampled_from(["proposed", "planned", "active", "on-hold", "completed", "cancelled", "rejected"]),
    starts=optional(days),
    due=optional(days),
    levels=optional(
        st.lists(st.builds(rated.Level, level=st.integers(-2, 2), text=words), min_size=1, unique_by=lambda each: each.level)
        .map(tuple)
    ),
)  # fmt: skip


@given(new_goals)
def test_a_goal_comes_back_as_it_was_set(new: rated.NewGoal) -> None:
    told = goal.goal(stored(valid(goal.resource(new, "robin"))))
    for name in ("text", "state", "starts", "due", "levels"):
        assert getattr(told, name) == getattr(new, name), name


@given(
    new_goals,
    st.builds(rated.ChangedGoal, text=optional(words), due=optional(days), attainment=optional(st.just("achieved"))),
)
def test_what_is_not_said_anew_of_a_goal_stays(new: rated.NewGoal, change: rated.ChangedGoal) -> None:
    told = goal.goal(stored(valid(goal.changed(goal.resource(new, "robin"), change))))
    assert told.text == (change.text or new.text)
    assert told.due == (change.due or new.due)
    assert told.attainment == change.attainment
    assert told.levels == new.levels


@given(st.integers(-2, 2), st.sampled_from(["Patient/robin", "Practitioner/kim", None]))
def test_a_level_of_attainment_comes_back_as_it_was_given(level: int, author: str | None) -> None:
    made = goal.attainment(rated.Attained(level=level), "g1", client="robin", author=author, now=NOW)
    told = goal.attained(stored(valid(made)))
    assert told is not None
    assert (told.level, told.goal, told.by) == (level, "g1", author)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": words,
    "long-text": words,
    "number": st.integers(0, 1000),
    "decimal": st.decimals(0, 10, places=2),
    "yes-no": st.booleans(),
    "date": days,
    "date-time": st.just("2026-11-23T09:00:00Z"),
    "time": st.just("09:00:00"),
    "link": st.just("https://x.example"),
    "file": st.fixed_dictionaries({"url": st.just("https://x.example/a.png"), "content_type": st.just("image/png")}),
    "quantity": st.fixed_dictionaries({"value": st.integers(1, 9), "unit": st.just("cm")}),
    "reference": st.just("Patient/robin"),
    "choice": st.just("free"),
    "choice-or-text": words,
}


def answered(questions: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Answers to some of the questions of a level, as a form lists them."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    flat = []
    for each in questions:
        inner = answered(each.questions or ())
        if each.kind == "info":
            continue
        if each.kind == "group":
            if each.repeats:
                drawn[each.key] = st.lists(inner.filter(bool), min_size=1, max_size=2)
            else:
                flat.append(inner)
            continue
        one = st.sampled_from([option.value for option in each.options]) if each.options else _VALUES[each.kind]
        if each.repeats and each.questions:
            one = st.tuples(one, inner).map(lambda pair: {"value": pair[0], **pair[1]})
        elif each.questions:
            flat.append(st.just({}))
        drawn[each.key] = st.lists(one, min_size=1, max_size=2) if each.repeats else one
    return st.tuples(st.fixed_dictionaries({}, optional=drawn), *flat).map(
        lambda parts: {name: value for part in parts for name, value in part.items()}
    )


@pytest.mark.parametrize("questionnaire", FORMS, ids=lambda each: f"{each['name']} {each['version']}")
def test_answers_come_back_as_they_were_given(questionnaire: dict[str, Any]) -> None:
    @given(answered(form.form(questionnaire).questions))
    def comes_back(said: dict[str, Any]) -> None:
        filled = fill.fill(questionnaire, said)
        assert filled.faults == []
        response = {"resourceType": "QuestionnaireResponse", "status": "in-progress"}
        response |= {"item": filled.items} if filled.items else {}
        valid(response)
        assert answers.answers(questionnaire, response) == said

    comes_back()


MINI = {
    "resourceType": "Questionnaire",
    "id": "mini",
    "status": "active",
    "item": [
        {"linkId": "a", "type": "integer", "text": "A", "prefix": "1."},
        {"linkId": "b/c", "type": "choice", "answerOption": [{"valueString": "yes"}, {"valueInteger": 2}]},
        {"linkId": "many", "type": "string", "repeats": True, "item": [{"linkId": "why", "type": "string"}]},
        {"linkId": "g", "type": "group", "repeats": True, "item": [{"linkId": "x", "type": "boolean"}]},
        {"linkId": "d", "type": "display", "text": "Words"},
    ],
}


@pytest.mark.parametrize(
    ("said", "pointer", "code"),
    [
        ({"a": "1"}, "#/answers/a", "answer-type"),
        ({"a": True}, "#/answers/a", "answer-type"),
        ({"a": [1]}, "#/answers/a", "answer-type"),
        ({"b/c": "no"}, "#/answers/b~1c", "answer-not-an-option"),
        ({"many": "x"}, "#/answers/many", "answer-type"),
        ({"many": ["x", 3]}, "#/answers/many/1", "answer-type"),
        ({"many": [{"value": 3}]}, "#/answers/many/0/value", "answer-type"),
        ({"many": [{"value": "x", "whi": "y"}]}, "#/answers/many/0/whi", "item-unknown"),
        ({"g": {"x": True}}, "#/answers/g", "answer-type"),
        ({"g": [1]}, "#/answers/g/0", "answer-type"),
        ({"g": [{"x": 1}]}, "#/answers/g/0/x", "answer-type"),
        ({"x": True}, "#/answers/x", "item-unknown"),
        ({"d": "Words"}, "#/answers/d", "item-unknown"),
    ],
)
def test_what_is_no_answer_is_pointed_at(said: dict[str, Any], pointer: str, code: str) -> None:
    (fault,) = fill.fill(MINI, said).faults
    assert (fault.pointer, fault.code) == (pointer, code)


def test_the_nearest_key_is_named() -> None:
    (fault,) = fill.fill(MINI, {"manny": ["x"]}).faults
    assert fault.sentence.endswith("Did you mean 'many'?")


def test_answers_can_be_told_without_their_form() -> None:
    filled = fill.fill(MINI, {"a": 1, "many": ["x", "y"], "g": [{"x": True}, {"x": False}]})
    told = answers.answers(None, {"item": filled.items})
    assert told == {"a": 1, "many": ["x", "y"], "g": [{"x": True}, {"x": False}]}


def at(status: str, start: str | None, end: str | None, business: str | None = None) -> dict[str, Any]:
    period = {"start": start, "end": end}
    coding = {"system": f"{library.BASE}/CodeSystem/homework-business-status", "code": business}
    return {
        "status": status,
        "restriction": {"period": {name: value for name, value in period.items() if value}},
        **({"businessStatus": {"coding": [coding]}} if business else {}),
    }


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (at("draft", None, None), "draft"),
        (at("requested", None, "2026-11-01"), "offered"),
        (at("ready", "2026-11-24", None), "upcoming"),
        (at("accepted", "2026-11-23", "2026-11-23"), "due"),
        (at("ready", None, "2026-11-22"), "overdue"),
        (at("ready", None, "2026-11-23T09:00:00Z"), "due"),
        (at("ready", None, "2026-11-23T08:59:59Z"), "overdue"),
        (at("ready", None, None), "anytime"),
        (at("in-progress", None, None), "anytime"),
        (at("in-progress", None, "2026-11-24"), "started"),
        (at("in-progress", None, "2026-11-22"), "overdue"),
        (at("on-hold", None, "2026-11-22"), "paused"),
        (at("completed", None, None, "done"), "done"),
        (at("completed", None, None, "partially-done"), "partly-done"),
        (at("completed", None, None, "reviewed"), "done"),
        (at("rejected", None, None), "declined"),
        (at("failed", None, None), "not-finished"),
        (at("cancelled", None, None), "withdrawn"),
        (at("cancelled", None, None, "missed"), "missed"),
        (at("entered-in-error", None, None), "in-error"),
    ],
)
def test_where_it_stands_follows_from_status_window_and_time(task: dict[str, Any], expected: str) -> None:
    assert state(task, datetime(2026, 11, 23, 9, tzinfo=UTC) + timedelta(0)) == expected


@pytest.mark.parametrize("code", BARRIERS)
def test_a_barrier_comes_back_as_it_was_said(code: str) -> None:
    for said in (models.Barrier(code=code), models.Barrier(code=code, text="so"), models.Barrier(text="so")):
        assert barrier(reason(said)) == said


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "mood"},
        {"kind": "mood", "value": 11},
        {"kind": "mood", "before": 1},
        {"kind": "suds", "value": 1, "before": 1},
        {"kind": "suds", "value": 5, "what": "x"},
        {"kind": "frequency", "value": -1},
    ],
)
def test_a_rating_that_is_on_no_scale_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rated.NewRating(**body)


def test_a_score_is_told_with_its_band() -> None:
    observation = {
        "id": "o1",
        "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6", "display": "PHQ-9 total"}]},
        "valueInteger": 12,
        "interpretation": [{"text": "moderate (10-14)"}],
        "effectiveDateTime": NOW,
        "subject": {"reference": "Patient/robin"},
        "derivedFrom": [{"reference": "QuestionnaireResponse/q1"}],
    }
    told = results.score(observation)
    assert (told.measure, told.value, told.band, told.answers) == ("44261-6", Decimal(12), "moderate (10-14)", "q1")
