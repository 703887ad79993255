"""The plain filter by hand-made cases, and that a comparison notices one row too many or too few."""

import random
from typing import Any

import pytest

from tests.security.circles import PAST, consent, deny, labelled, observation, of_type, permit, team, to
from tests.security.reference import generator, world
from tests.security.reference.comparison import Comparison
from tests.security.reference.filter import Filter
from tests.security.reference.world import Resource, Version

BASE = "http://hearth.test/fhir"
ANN, BEN, DR, MUM = "Patient/ann", "Patient/ben", "Practitioner/dr", "RelatedPerson/mum"
PEOPLE: tuple[Resource, ...] = (
    {"resourceType": "Patient", "id": "ann"},
    {"resourceType": "Patient", "id": "ben"},
    {"resourceType": "Practitioner", "id": "dr"},
    {"resourceType": "RelatedPerson", "id": "mum", "patient": to(ANN)},
    observation(ANN, "hers"),
    observation(BEN, "his"),
)


def seen(*more: Resource, scope: str = "user/*.rs", **access: Any) -> set[str]:
    """The Observations that a token sees among PEOPLE and `more`."""
    held = world.of(BASE, *PEOPLE, *more)
    return {each["id"] for each in Filter(held, generator.access(scope, **access)).visible("rs", "Observation")}


@pytest.mark.parametrize(
    ("more", "access", "expected"),
    [
        ((), {"scope": "system/*.rs"}, {"hers", "his"}),
        ((), {"scope": "system/*.rs", "fhir_user": DR}, set()),
        ((), {"scope": "system/Task.rs"}, set()),
        ((), {"fhir_user": ANN}, {"hers"}),
        ((), {"fhir_user": ANN, "scope": "patient/*.rs"}, set()),
        ((), {"fhir_user": ANN, "scope": "patient/*.rs", "patient": "ann"}, {"hers"}),
        ((), {"fhir_user": DR, "reach": "care-team"}, set()),
        ((), {"fhir_user": DR, "reach": "tenant"}, {"hers", "his"}),
        ((team(ANN, DR, name="t"),), {"fhir_user": DR, "reach": "care-team"}, {"hers"}),
        ((team(ANN, DR, name="t", status="inactive"),), {"fhir_user": DR, "reach": "care-team"}, set()),
        ((team(ANN, DR, name="t", period={"end": PAST}),), {"fhir_user": DR, "reach": "care-team"}, set()),
        (
            (team(ANN, DR, name="t"), team(BEN, DR, name="u")),
            {"fhir_user": DR, "reach": "care-team", "scope": "patient/*.rs", "patient": "ann"},
            {"hers"},
        ),
        (
            (
                team(BEN, "PractitionerRole/r", name="t"),
                {"resourceType": "PractitionerRole", "id": "r", "practitioner": to(DR)},
            ),
            {"fhir_user": DR, "reach": "care-team"},
            {"his"},
        ),
        ((), {"fhir_user": MUM}, set()),
        ((consent(ANN, permit(MUM), "c"),), {"fhir_user": MUM}, {"hers"}),
        ((consent(ANN, permit(MUM, period={"end": PAST}), "c"),), {"fhir_user": MUM}, set()),
        ((consent(ANN, permit(MUM, **of_type("Task")), "c"),), {"fhir_user": MUM}, set()),
        ((consent(ANN, permit(MUM), "c"), consent(ANN, deny(MUM), "d")), {"fhir_user": MUM}, set()),
        ((consent(ANN, permit(MUM), "c"), consent(ANN, deny(), "d")), {"fhir_user": MUM}, set()),
        ((consent(BEN, permit(MUM), "c"),), {"fhir_user": MUM}, set()),
        ((observation(ANN, "hers", **labelled("HIV")),), {"scope": "system/*.rs"}, {"his"}),
        (
            (observation(ANN, "hers", **labelled("HIV")),),
            {"scope": "system/*.rs", "clearance": ("HIV",)},
            {"hers", "his"},
        ),
        ((observation(ANN, "hers", **labelled("HIV")),), {"fhir_user": ANN}, {"hers"}),
        ((observation(ANN, "hers", **labelled("PSYTHPN")),), {"fhir_user": ANN}, set()),
        (
            (observation(ANN, "hers", **labelled("client-only")),),
            {"scope": "system/*.rs", "clearance": ("client-only",)},
            {"his"},
        ),
        ((observation(ANN, "hers", **labelled("client-only")),), {"fhir_user": ANN}, {"hers"}),
        ((observation(ANN, "hers", status="amended"),), {"scope": "system/Observation.rs?status=final"}, {"his"}),
        ((observation(BEN, "his", performer=[to(ANN)]),), {"fhir_user": ANN}, {"hers", "his"}),
        ((observation(BEN, "his", performer=[to(ANN)], **labelled("HIV")),), {"fhir_user": ANN}, {"hers"}),
    ],
)
def test_the_plain_filter_says_who_sees_what(
    more: tuple[Resource, ...], access: dict[str, Any], expected: set[str]
) -> None:
    assert seen(*more, **access) == expected


class OneMore(Filter):
    """Lets one row through that it should not."""

    def sees(self, letter: str, version: Version | None) -> bool:
        return super().sees(letter, version) or (version is not None and version.id == "his")


class OneLess(Filter):
    """Keeps back one row that it should show."""

    def sees(self, letter: str, version: Version | None) -> bool:
        return super().sees(letter, version) and not (version is not None and version.id == "hers")


@pytest.mark.parametrize("wrong", [OneMore, OneLess])
async def test_a_comparison_notices_one_row(house: Any, api: Any, wrong: type[Filter]) -> None:
    for each in PEOPLE:
        assert (await api.put(f"{each['resourceType']}/{each['id']}", json=each)).status_code == 201
    access, held = generator.access("user/*.rs", fhir_user=ANN), await world.load(house)
    async with house.client(await generator.token(house, access)) as http:
        for path in ("addresses", "histories", "system_search", "orders", "compartments"):
            found = {}
            for kind in (Filter, wrong):
                comparison = Comparison(held, kind(held, access), http, _Choosing())
                await getattr(comparison, path)()
                found[kind] = comparison.found
            assert not found[Filter], path
            assert found[wrong], path


class _Choosing(random.Random):
    """Chooses what is about Observations, where there is a choice."""

    def sample(self, population: Any, k: int, **_: Any) -> list[Any]:
        about = [each for each in population if "Observation" in str(each)]
        return [*about, *(each for each in population if each not in about)][:k]
