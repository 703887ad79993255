"""Goal attainment scaling: the check values of the formula, levels, ratings and where goals stand."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import attainment
from schemas.validate import validate

LEVEL_CODES = {level: code for code, level in attainment.LEVELS.items()}
PATIENT = {"reference": "Patient/p"}


@pytest.mark.parametrize(
    ("levels", "weights", "expected"),
    [
        ([0], [1], "50"),
        ([1], [1], "60"),
        ([0, 1, -1], [1, 1, 1], "50"),
        ([2, 2], [1, 1], "74.807"),
        ([-2, -2, -2], [1, 1, 1], "22.614"),
        ([-1, -1], [1, 1], "37.597"),
        ([1, 0, -1], [3, 2, 1], "54.407"),
    ],
)
def test_t_scores_are_the_check_values(levels: list[int], weights: list[int], expected: str) -> None:
    found = attainment.t_score(list(zip(levels, map(Decimal, weights), strict=True)))
    assert found == Decimal(expected)


def test_there_is_no_t_score_without_a_goal_that_counts() -> None:
    assert attainment.t_score([]) is None
    assert attainment.t_score([(1, Decimal(0))]) is None
    assert attainment.t_score([(1, Decimal(-1)), (1, Decimal(2))]) is None


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 9).map(Decimal)), min_size=1, max_size=8))
def test_better_is_higher_and_the_opposite_is_as_far_from_fifty(levels: list[tuple[int, Decimal]]) -> None:
    found = attainment.t_score(levels)
    opposite = attainment.t_score([(-level, weight) for level, weight in levels])
    assert found is not None
    assert opposite is not None
    assert abs(found + opposite - 100) <= Decimal("0.002")
    if levels[0][0] < 2:
        higher = attainment.t_score([(levels[0][0] + 1, levels[0][1]), *levels[1:]])
        assert higher is not None
        assert higher > found


@given(st.integers(-2, 2), st.integers(1, 6))
def test_the_same_weight_for_all_is_no_weight(level: int, times: int) -> None:
    heavy = attainment.t_score([(level, Decimal(times))] * 3)
    assert heavy == attainment.t_score([(level, Decimal(1))] * 3)


def rated(goal: str, rater: str, level: int, when: str, **members: Any) -> dict[str, Any]:
    chosen = {"coding": [{"system": "http://loinc.org", "code": LEVEL_CODES[level]}]}
    return {
        "resourceType": "Observation",
        "id": f"{goal}-{rater}-{when[:10]}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": rater}]},
        "subject": PATIENT,
        "focus": [{"reference": f"Goal/{goal}"}],
        "effectiveDateTime": when,
        "valueCodeableConcept": chosen,
        **members,
    }


def ratings(*observations: dict[str, Any]) -> list[attainment.Rating]:
    return [found for each in observations if (found := attainment.rating(each)) is not None]


@pytest.mark.parametrize(
    "members",
    [
        {"status": "entered-in-error"},
        {"focus": [{"reference": "Task/t"}]},
        {"focus": []},
        {"code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}},
        {"valueCodeableConcept": {"text": "better"}},
        {"effectiveDateTime": None},
    ],
)
def test_what_is_no_rating_is_none(members: dict[str, Any]) -> None:
    assert attainment.rating(rated("g", "107334-5", 1, "2026-02-01", **members)) is None


def test_a_goal_stands_where_its_latest_rating_says() -> None:
    found = ratings(
        rated("g", "107332-9", -2, "2026-01-01"),
        rated("g", "107334-5", 1, "2026-03-01"),
        rated("g", "107334-5", -1, "2026-02-01"),
        rated("g", "107333-7", 0, "2026-03-02"),
        rated("other", "107334-5", 2, "2026-03-01"),
    )
    standing = attainment.standings(found, {"Goal/g": Decimal(1)}, "patient")
    assert [(each.baseline.level, each.current.level, each.change) for each in standing] == [(-2, 1, 3)]
    assert attainment.scores(standing) == (Decimal(30), Decimal(60))


def test_a_time_can_be_asked_for() -> None:
    found = ratings(rated("g", "107334-5", -1, "2026-02-01"), rated("g", "107334-5", 1, "2026-03-01"))
    until = datetime(2026, 2, 15, tzinfo=UTC)
    assert attainment.standings(found, {"Goal/g": Decimal(1)}, "patient", until)[0].current.level == -1


def test_who_never_rated_a_goal_has_no_standing_of_it() -> None:
    found = ratings(rated("g", "107332-9", -2, "2026-01-01"))
    assert attainment.standings(found, {"Goal/g": Decimal(1)}, "patient") == []


@pytest.mark.parametrize(
    ("baseline", "current", "said"),
    [(-2, 0, "achieved"), (-2, -1, "improving"), (-1, -1, "no-change"), (-1, -2, "worsening")],
)
def test_suggests_what_the_ratings_speak_for(baseline: int, current: int, said: str) -> None:
    found = ratings(rated("g", "107334-5", baseline, "2026-02-01"), rated("g", "107334-5", current, "2026-03-01"))
    assert attainment.suggestion(attainment.standings(found, {"Goal/g": Decimal(1)}, "patient")[0]) == said


GOAL = {
    "resourceType": "Goal",
    "lifecycleStatus": "active",
    "description": {"text": "Talk to one new person a week"},
    "subject": PATIENT,
    "extension": [
        {
            "url": attainment.SCALING,
            "extension": [
                {"url": "level", "valueCoding": {"system": "http://loinc.org", "code": "LA34481-4"}},
                {"url": "progressText", "valueString": "One new person a week"},
            ],
        },
        {"url": attainment.WEIGHT, "valueDecimal": 6},
    ],
}


def test_reads_the_levels_and_the_weight_of_a_goal() -> None:
    assert validate(GOAL) == []
    assert attainment.levels(GOAL) == {0: "One new person a week"}
    assert attainment.weight(GOAL) == 6
    assert attainment.weight({"resourceType": "Goal"}) == 1


def test_a_t_score_is_a_valid_observation_derived_from_its_ratings() -> None:
    found = ratings(rated("a", "107334-5", 2, "2026-02-01"), rated("b", "107334-5", 2, "2026-03-01T10:00:00Z"))
    standing = attainment.standings(found, {"Goal/a": Decimal(1), "Goal/b": Decimal(1)}, "patient")
    made = attainment.t_observation(standing, PATIENT, [PATIENT])
    assert validate(made) == []
    assert made["valueQuantity"]["value"] == Decimal("74.807")
    assert made["effectiveDateTime"] == "2026-03-01T10:00:00Z"
    assert len(made["derivedFrom"]) == 2
