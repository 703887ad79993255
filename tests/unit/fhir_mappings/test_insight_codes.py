"""Codes that insight writes are in code systems of the library, each with its rule."""

from typing import Any

import pytest

from fhir_mappings import change, shaping
from fhir_mappings.adherence_observation import RULE, STAYS_HERE
from fhir_mappings.attainment import METHOD
from schemas import library
from schemas.measures import measures

SYSTEMS = {
    each["url"]: {concept["code"] for concept in each["concept"]}
    for each in library.seed()
    if each["resourceType"] == "CodeSystem"
}


@pytest.mark.parametrize("measure", list(measures().values()), ids=lambda measure: measure.id)
def test_every_rule_of_change_is_a_code(measure: Any) -> None:
    rules = {rule.id for rule in (*measure.rules, change.own_rci(measure))}
    assert rules <= SYSTEMS[change.RULES_SYSTEM]


def test_every_rule_of_shaping_and_kind_of_proposal_is_a_code() -> None:
    assert SYSTEMS[shaping.RULE_SYSTEM] == {rule.id for rule in shaping.rules()}
    assert SYSTEMS[f"{library.BASE}/CodeSystem/proposal-kind"] == set(shaping.KINDS)


@pytest.mark.parametrize("coding", [RULE["coding"][0], METHOD["coding"][0], STAYS_HERE])
def test_what_is_derived_says_how_in_codes_that_are_defined(coding: dict[str, str]) -> None:
    assert coding["code"] in SYSTEMS[coding["system"]]
