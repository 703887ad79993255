"""What may not suit a client about an activity: told where it is sure, and nothing where it is not known."""

from datetime import date
from typing import Any

import pytest

from fhir_mappings.homework_api.fit import cautions
from schemas import library

TODAY = date(2026, 5, 17)
LIBRARY = {
    each["url"].rpartition("/")[2]: each for each in library.seed() if each["resourceType"] == "ActivityDefinition"
}
ADULT = "It is meant for 18 years and older, and the client is {}"
TEEN = "It is meant for 11 to 17 years, and the client is {}"


def client(born: str | None = None, speaks: str | None = None) -> dict[str, Any]:
    spoken = [{"language": {"coding": [{"code": speaks}]}}] if speaks else []
    return ({"birthDate": born} if born else {}) | {"communication": spoken}


@pytest.mark.parametrize(
    ("activity", "born", "said"),
    [
        ("phq-9", "2008-05-17", []),
        ("phq-9", "2008-05-18", [ADULT.format(17)]),
        ("phq-9", "2010", [ADULT.format(15)]),
        ("phq-9", "2008", []),
        ("phq-9", "2008-05", []),
        ("phq-9", "2008-06", [ADULT.format(17)]),
        ("phq-9", None, []),
        ("phq-9-teen", "2008-05-17", [TEEN.format(18)]),
        ("phq-9-teen", "2008-05-18", []),
        ("phq-9-teen", "2016-01-01", [TEEN.format(10)]),
        ("sleep-diary", "1980-01-01", []),
    ],
)
def test_an_age_outside_of_what_it_is_meant_for_is_told(activity: str, born: str | None, said: list[str]) -> None:
    assert list(cautions(LIBRARY[activity], client(born), TODAY)) == said


@pytest.mark.parametrize(
    ("speaks", "told"), [("es", False), ("es-MX", False), ("EN", False), ("est", True), ("nl", True)]
)
def test_a_language_that_it_is_not_there_in_is_told(speaks: str, told: bool) -> None:
    found = cautions(LIBRARY["thought-record"], client(speaks=speaks), TODAY)
    assert bool(found) == told
    assert all(each == f"It is there in en, es, de, and the client prefers {speaks}" for each in found)


def test_words_of_ones_own_and_groups_suit_everybody() -> None:
    assert cautions({"title": "Call a friend"}, client("2020-01-01", "fr"), TODAY) == ()
    assert cautions(LIBRARY["phq-9"], {"resourceType": "Group"}, TODAY) == ()
