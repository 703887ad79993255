"""Dates as clients send them. https://hl7.org/fhir/R4/search.html#date"""

from service.search.ordered import interval


def test_a_plus_that_became_a_space_is_the_zone_it_was() -> None:
    assert interval("2026-01-01T10:00:00 02:00") == interval("2026-01-01T08:00:00Z")
