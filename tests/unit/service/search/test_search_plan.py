"""How a search is driven: its arms and their order, as the indexes have them."""

from urllib.parse import parse_qsl

import pytest

from schemas import dates
from service.search import plan, sql
from service.search.parse import parse as read
from service.search.plan import Arm
from service.search.query import Further, Place, Query, Span, Typed


def planned(type_name: str, search: str) -> tuple[Typed, tuple[Arm, ...], str]:
    """(what is asked, its arms, what they are ordered by)."""
    asked = parse(type_name, search)
    order = sql.sorts(asked)
    signs = ",".join(f"{'-' if sort.descending else ''}{sort.by}" for sort in order)
    return asked.typed[0], plan.arms(asked.typed[0], order), signs


def parse(type_name: str, search: str) -> Query:
    params = parse_qsl(search, keep_blank_values=True)
    return read(params, (type_name,), tenant_id=1, base="https://hearth.test/fhir", now=dates.clock())


def drivers(arms: tuple[Arm, ...]) -> list[str]:
    """The first column that each arm asks for, with a mark where its index gives the order."""
    return [
        next((test.column for test in arm.tests if isinstance(test, Place)), "-") + ("+" if arm.ordered else "")
        for arm in arms
    ]


@pytest.mark.parametrize(
    ("type_name", "search", "columns", "order"),
    [
        ("Observation", "patient=1", ["patient+"], "-d0"),
        ("Observation", "patient=1&code=http://l|1", ["patient+", "patient+"], "-d0"),
        ("Observation", "patient=1&code=1", ["patient+"], "-d0"),
        ("Observation", "code=http://l|1", ["k1+", "sel"], "-d0"),
        ("Observation", "code=http://l|1,http://l|2", ["k1+", "k1+", "sel"], "-d0"),
        ("Observation", "code=1", ["sel"], "-d0"),
        ("Observation", "code=http://l|1&date=ge2024", ["k1+", "k1+", "sel"], "-d0"),
        ("Observation", "code=http://l|1&date=lt2024", ["k1+", "sel"], "-d0"),
        ("Observation", "patient=1&date=ge2024", ["patient+", "patient+"], "-d0"),
        ("Observation", "code=http://l|1&_sort=status", ["-"], "rank"),
        ("Observation", "identifier=http://i|1", ["-"], "-d0"),
        ("Observation", "subject=1", ["patient+", "sel"], "-d0"),
        ("Observation", "status=final", ["flt+"], "-id"),
        ("Observation", "_lastUpdated=ge2024", ["-+"], "updated"),
        ("Observation", "", ["-+"], "-id"),
        ("Task", "owner=Practitioner/1&status=completed", ["k1+"], "-d0"),
        ("Task", "owner=Practitioner/1", ["k1"], "-d0"),
        ("Task", "status=completed,requested", ["k2+", "k2+"], "-d0"),
        ("Task", "patient=1&status=completed", ["patient+"], "-d0"),
        ("Task", "owner=Practitioner/1&status=completed&patient=1", ["patient+"], "-d0"),
        ("QuestionnaireResponse", "questionnaire=http://q", ["k1+"], "-d0"),
        ("Patient", "name=x", ["-"], "-id"),
        ("Patient", "_id=1", ["-"], "-id"),
        ("AuditEvent", "date=ge2024", ["-+"], "-d0"),
        ("Condition", "code=http://s|1", ["sel"], "-d0"),
    ],
)
def test_drives_by_what_an_index_answers_best(type_name: str, search: str, columns: list[str], order: str) -> None:
    _, arms, by = planned(type_name, search)

    assert (drivers(arms), by) == (columns, order)


def test_a_patients_rows_with_further_codes_are_asked_for_apart() -> None:
    _, (first, further), _ = planned("Observation", "patient=1&code=http://l|1&date=ge2024")

    assert Further() not in first.tests
    assert Further() in further.tests


def test_rows_that_span_days_are_asked_for_apart() -> None:
    _, (short, long, _), _ = planned("Observation", "code=http://l|1&date=ge2024")

    assert [test.is_long for arm in (short, long) for test in arm.tests if isinstance(test, Span)] == [False, True]


def test_no_more_arms_than_are_cheap() -> None:
    codes = ",".join(f"http://l|{number}" for number in range(20))

    _, arms, _ = planned("Observation", f"code={codes}")

    assert drivers(arms) == ["-"]
