"""The place of a row in an order, as a cursor carries it."""

from datetime import datetime

from schemas import dates
from service.search import order
from service.search.query import Sort


def test_keeps_the_place_of_a_row_without_a_date() -> None:
    """The driver answers -infinity as a moment without a zone."""
    keys = order.keys("Task", (Sort("period", "d0", True),))

    packed = order.packed(keys[:1], [datetime.min])  # noqa: DTZ901

    assert order.unpacked(keys[:1], packed) == (dates.PAST,)
