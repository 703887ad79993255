"""Courses and rules of change, by published cases and by properties."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import change, course
from schemas import json, measures
from schemas.validate import validate

CASES = json.decode((Path(__file__).parents[2] / "cases" / "change" / "rules.json").read_bytes())
BY_ID = {measure.id: measure for measure in measures.measures().values()}
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def points(scores: list[Any]) -> list[course.Point]:
    """A score a week."""
    made = []
    for at, score in enumerate(scores):
        when = START + timedelta(weeks=at)
        made.append(course.Point(when, when.isoformat(), Decimal(score), "", f"Observation/{at}"))
    return made


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES["cases"]])
def test_rules_find_what_was_published(case: dict[str, Any]) -> None:
    found = {each.rule.id: each for each in change.findings(points(case["scores"]), BY_ID[case["measure"]])}
    for rule, said in case.get("holds", {}).items():
        assert (found[rule].holds, found[rule].interpretation) == (True, said), rule
    for rule in case.get("not", ()):
        assert (found[rule].holds, found[rule].interpretation) == (False, None), rule
    assert not found.keys() & set(case.get("absent", ()))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES["rci"]])
def test_the_reliable_change_index_is_the_published_one(case: dict[str, Any]) -> None:
    deviation = measures.Deviation(Decimal(case["sd"]), Decimal(case["r"]))
    figure = change.rci(Decimal(case["start"]), Decimal(case["end"]), deviation)
    assert round(figure, 2) == case["rci"]
    assert (abs(figure) > Decimal("1.96")) == case["reliable"]


def test_the_threshold_of_the_gad_7_is_the_published_one() -> None:
    deviation = BY_ID["gad-7"].deviation
    assert deviation is not None
    assert change.threshold(deviation, Decimal("1.96")) == Decimal("5.59")


def test_an_index_without_a_usable_deviation_is_refused() -> None:
    for sd, r in ((0, "0.8"), (-1, "0.8"), (5, 1), (5, "1.2"), (5, "-0.1")):
        with pytest.raises(ValueError, match="standard deviation"):
            change.rci(Decimal(10), Decimal(5), measures.Deviation(Decimal(sd), Decimal(r)))


def test_a_tenants_deviation_adds_an_index_to_a_measure_without_one() -> None:
    own = measures.Deviation(Decimal(6), Decimal("0.84"))
    without = {each.rule.id for each in change.findings(points([20, 8]), BY_ID["phq-9"])}
    found = {each.rule.id: each for each in change.findings(points([20, 8]), BY_ID["phq-9"], own)}
    assert found.keys() - without == {"phq-9-rci"}
    assert found["phq-9-rci"].figure == Decimal("-3.536")
    assert found["phq-9-rci"].interpretation == "B"


def test_a_tenants_deviation_replaces_the_measures() -> None:
    own = measures.Deviation(Decimal(20), Decimal("0.5"))
    found = {each.rule.id: each for each in change.findings(points([12, 4]), BY_ID["gad-7"], own)}
    assert not found["gad-7-rci"].holds


def test_higher_is_better_where_the_measure_says_so() -> None:
    rule = {"id": "w", "version": "1", "kind": "reliable", "points": 10, "text": "", "source": ""}
    body = {
        "id": "who",
        "system": "s",
        "code": "c",
        "title": "W",
        "better": "higher",
        "deviation": None,
        "rules": [rule],
    }
    measure = measures.load(body)
    assert change.findings(points([40, 50]), measure)[0].interpretation == "B"
    assert change.findings(points([50, 40]), measure)[0].interpretation == "W"


@given(st.lists(st.integers(0, 27), min_size=2, max_size=12))
def test_no_rule_says_better_of_a_rise_or_worse_of_a_fall(scores: list[int]) -> None:
    for found in change.findings(points(scores), BY_ID["phq-9"]):
        assert found.holds == (found.interpretation is not None)
        if found.interpretation == "B":
            assert found.end.value < found.start.value
        if found.interpretation == "W":
            assert found.end.value > found.start.value


@given(st.integers(0, 27), st.integers(0, 27))
def test_a_course_turned_round_turns_a_reliable_change_round(one: int, other: int) -> None:
    turned = {"B": "W", "W": "B", None: None}
    forth = change.findings(points([one, other]), BY_ID["phq-9"])[0]
    back = change.findings(points([other, one]), BY_ID["phq-9"])[0]
    assert back.interpretation == turned[forth.interpretation]


def test_recovery_on_several_measures_needs_all_below_caseness() -> None:
    phq, gad = BY_ID["phq-9"].code, BY_ID["gad-7"].code
    known = measures.measures()
    both = change.recovered({phq: points([15, 6]), gad: points([12, 5])}, known)
    assert both is not None
    assert both.holds
    one = change.recovered({phq: points([15, 6]), gad: points([12, 8])}, known)
    assert one is not None
    assert not one.holds
    assert change.recovered({phq: points([5, 4]), gad: points([3, 2])}, known) is None
    assert change.recovered({phq: points([15, 6])}, known) is None


def test_a_finding_is_a_valid_observation_with_its_rule_in_method() -> None:
    found = change.findings(points([20, 8]), BY_ID["phq-9"])[0]
    made = change.observation(found, {"reference": "Patient/p"})
    assert validate(made) == []
    assert made["method"]["coding"][0]["code"] == "phq-9-reliable-change"
    assert made["interpretation"][0]["coding"][0]["code"] == "B"
    assert made["valueQuantity"]["value"] == -12
    assert [each["reference"] for each in made["derivedFrom"]] == ["Observation/0", "Observation/1"]


def observation(when: str, **members: Any) -> dict[str, Any]:
    body = {"resourceType": "Observation", "id": when, "status": "final", "effectiveDateTime": when}
    return {**body, "code": {"coding": [{"system": "s", "code": "c"}]}, **members}


SUDS = [
    {"code": {"coding": [{"system": "s", "code": "pre"}]}, "valueInteger": 70},
    {"code": {"coding": [{"system": "s", "code": "post"}]}, "valueInteger": 30},
]


def test_a_course_has_integers_quantities_and_components_in_order_of_time() -> None:
    found = course.courses(
        [
            observation("2026-02-01", valueQuantity={"value": Decimal("7.50"), "code": "kg"}),
            observation("2026-01-01", valueInteger=9),
            observation(
                "2026-03-01", component=[{"code": {"coding": [{"system": "s", "code": "c"}]}, "valueInteger": 5}]
            ),
        ],
        [("s", "c")],
    )
    assert [(str(each.value), each.unit) for each in found["s", "c"]] == [("9", ""), ("7.50", "kg"), ("5", "")]


def test_a_panel_gives_the_courses_of_its_components() -> None:
    found = course.courses([observation("2026-02-01", component=SUDS)], [("s", "c")])
    assert {code: [int(each.value) for each in points] for code, points in found.items()} == {
        ("s", "pre"): [70],
        ("s", "post"): [30],
    }


@pytest.mark.parametrize(
    "members",
    [
        {"status": "entered-in-error", "valueInteger": 1},
        {"status": "cancelled", "valueInteger": 1},
        {"status": "preliminary", "valueInteger": 1},
        {"valueString": "9"},
        {"valueQuantity": {"value": 9, "comparator": "<"}},
        {"valueInteger": 9, "modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]},
        {"valueInteger": 9, "effectiveDateTime": None},
        {"dataAbsentReason": {"text": "asked but declined"}},
    ],
)
def test_what_does_not_count_is_left_out(members: dict[str, Any]) -> None:
    assert course.courses([observation("2026-02-01", **members)], [("s", "c")]) == {("s", "c"): []}


def test_the_slope_is_the_change_a_week() -> None:
    found = course.summary(points([20, 18, 16, 14]))
    assert found is not None
    assert (found.n, found.mean, found.low, found.high, found.slope) == (4, 17, 14, 20, -2)
    assert course.summary([]) is None
    same = course.summary([points([5])[0]] * 2)
    assert same is not None
    assert same.slope is None


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30))
def test_the_mean_lies_between_the_ends(scores: list[int]) -> None:
    found = course.summary(points(scores))
    assert found is not None
    assert found.low - 1 <= found.mean <= found.high + 1
    assert found.n == len(scores)


def test_buckets_follow_the_persons_calendar() -> None:
    late = course.Point(datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "2026-03-01T23:30:00Z", Decimal(4))
    auckland, utc = (course.buckets([late], "day", ZoneInfo(name))[0] for name in ("Pacific/Auckland", "UTC"))
    assert (utc.start, auckland.start) == (date(2026, 3, 1), date(2026, 3, 2))
    day_only = course.Point(datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01", Decimal(4))
    assert course.buckets([day_only], "day", ZoneInfo("America/New_York"))[0].start == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("size", "start", "end"),
    [("week", date(2026, 1, 26), date(2026, 2, 1)), ("month", date(2026, 1, 1), date(2026, 1, 31))],
)
def test_weeks_begin_on_monday_and_months_end_with_their_last_day(size: str, start: date, end: date) -> None:
    when = datetime(2026, 1, 31, 12, tzinfo=UTC)
    found = course.buckets([course.Point(when, when.isoformat(), Decimal(4))], size, UTC)
    assert (found[0].start, found[0].end) == (start, end)


@given(st.lists(st.integers(0, 27), min_size=1, max_size=40), st.sampled_from(course.BUCKETS))
def test_every_point_is_in_one_bucket(scores: list[int], size: str) -> None:
    found = course.buckets(points(scores), size, UTC)
    assert sum(each.n for each in found) == len(scores)
    assert [each.start for each in found] == sorted({each.start for each in found})


def test_a_total_has_the_bands_of_its_instrument() -> None:
    found = course.bands(("http://loinc.org", "44261-6"))
    assert [(int(each.low), each.text) for each in found][:2] == [(0, "minimal"), (5, "mild")]
    assert course.band(found, Decimal(12)) == "moderate"
    assert course.band(found, Decimal(99)) is None
    assert course.bands(("http://loinc.org", "nothing")) == ()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"better": "up"}, "lower"),
        ({"colour": "red"}, "colour"),
        ({"deviation": {"sd": 1, "r": 1, "source": "", "n": 5}}, "not understood"),
        ({"rules": [{"id": "x", "version": "1", "kind": "magic", "text": "", "source": ""}]}, "magic"),
        ({"rules": [{"id": "x", "version": "1", "kind": "reliable", "text": "", "source": ""}]}, "points is missing"),
        (
            {"rules": [{"id": "x", "version": "1", "kind": "rci", "z": 2, "text": "", "source": ""}]},
            "needs a deviation",
        ),
    ],
)
def test_a_measure_that_says_something_unknown_is_refused(fault: dict[str, Any], said: str) -> None:
    body = {"id": "m", "system": "s", "code": "c", "title": "M", "better": "lower", "deviation": None, "rules": []}
    with pytest.raises(measures.MeasureFault, match=said):
        measures.load({**body, **fault})


def test_every_rule_has_a_source_and_an_id_of_its_own() -> None:
    rules = [rule for measure in measures.measures().values() for rule in measure.rules]
    assert len({rule.id for rule in rules}) == len(rules) > 10
    assert all(rule.source and rule.text for rule in rules)
