"""Pearson's r and Fisher's interval, by published cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.correlation import interval, pearson


@pytest.mark.parametrize(
    ("r", "n", "low", "high"),
    [
        # https://www.statology.org/fisher-z-transformation/ (bounds of z rounded on the way)
        (0.56, 60, 0.3568, 0.7126),
        # https://small-s.science/tag/correlation
        (0.50, 50, 0.2574879, 0.6832563),
        # https://stats.stackexchange.com/questions/18887
        (0.684848, 10, 0.097071, 0.918445),
    ],
)
def test_the_interval_is_the_published_one(r: float, n: int, low: float, high: float) -> None:
    assert interval(r, n) == pytest.approx((low, high), abs=5e-4)


def test_says_nothing_of_few_pairs_or_of_a_side_that_never_changes() -> None:
    assert pearson([(1, 2), (2, 3), (3, 4)]) is None
    assert pearson([(1, 2), (2, 3), (3, 4), (4, 6)], minimum=0) is not None
    assert pearson([(1, 2), (2, 3), (3, 4), (4, 6)], minimum=5) is None
    assert pearson([(1, 2)] * 9) is None


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 27)), min_size=5, max_size=40))
def test_r_lies_in_its_interval_and_does_not_care_for_sides(pairs: list[tuple[int, int]]) -> None:
    found = pearson([(float(one), float(other)) for one, other in pairs])
    turned = pearson([(float(other), float(one)) for one, other in pairs])
    assert (found is None) == (turned is None)
    if found is not None and turned is not None:
        assert -1 <= found.low <= found.r <= found.high <= 1
        assert found.r == pytest.approx(turned.r, abs=0.002)
        assert found.n == len(pairs)
