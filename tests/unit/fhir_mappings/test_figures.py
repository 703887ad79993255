"""Statistics by properties that any of them has; their values by published cases are in tests/http/test_stats.py."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import figures
from schemas.validate import validate

VALUES = st.lists(st.integers(-1000, 1000), min_size=1, max_size=40)
CODE = {"coding": [{"system": "s", "code": "c"}]}


def observations(values: list[int]) -> list[dict[str, Any]]:
    base = {"resourceType": "Observation", "status": "final", "code": CODE}
    return [
        {
            **base,
            "id": str(at),
            "effectiveDateTime": f"2026-01-01T{at // 60:02d}:{at % 60:02d}:00Z",
            "valueInteger": value,
        }
        for at, value in enumerate(values)
    ]


def computed(values: list[int]) -> dict[str, float | None]:
    (found,) = figures.measured(observations(values), [("s", "c")])
    made = figures.observation(found, figures.CODES, "Patient/p", {})
    assert validate({**made, "id": "x"}) == []
    parts = {part["code"].get("text", part["code"]["coding"][0]["code"]): part for part in made["component"]}
    return {name: _number(part) for name, part in parts.items()}


def _number(part: dict[str, Any]) -> float | None:
    value = part.get("valueQuantity", {}).get("value")
    return None if value is None else float(value)


@given(VALUES)
def test_percentiles_are_in_order_between_the_ends(values: list[int]) -> None:
    made = computed(values)
    order = ("minimum", "20-percent", "4-lower", "5-2", "median", "5-3", "4-upper", "80-percent", "maximum")
    found = [made[name] for name in order]
    assert None not in found
    assert found == sorted(found, key=float)  # type: ignore[arg-type]  # none is None
    assert (made["count"], made["total-count"]) == (len(values), len(values))


@given(VALUES, st.integers(-500, 500))
def test_a_shift_moves_the_mean_and_leaves_the_spread(values: list[int], shift: int) -> None:
    one, other = computed(values), computed([value + shift for value in values])
    assert other["average"] == pytest.approx(float(one["average"] or 0) + shift, abs=1e-5)
    for name in ("std-dev", "variance", "skew", "kurtosis", "4-dev", "gradient"):
        assert (one[name] is None) == (other[name] is None)
        if one[name] is not None:
            assert other[name] == pytest.approx(one[name], rel=1e-3, abs=1e-3)


def test_what_has_no_usable_value_counts_in_the_total_alone() -> None:
    made = [*observations([5, 7]), {**observations([9])[0], "modifierExtension": [{"url": "u", "valueBoolean": True}]}]
    made.append({key: value for key, value in observations([9])[0].items() if key != "valueInteger"})
    (found,) = figures.measured(made, [("", "c")])
    assert (len(found.points), found.total) == (2, 4)
