"""SMART scopes: the grammar by cases, the intersection by properties."""

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.scopes import LETTERS, PERSONAL, Scope, narrow, narrow_for_person, parse, parse_one

CASES = json.loads((Path(__file__).parents[2] / "cases" / "scopes.json").read_text())
TYPES = ("Task", "Observation", "Patient")
CONSTRAINTS = (("category", "survey"), ("code", "http://loinc.org|44261-6"), ("name", "a&b=c ä"))

scopes = st.builds(
    lambda level, type_name, letters, constraint: Scope(level, type_name, letters, tuple(sorted(constraint))),
    st.sampled_from(("patient", "user", "system")),
    st.sampled_from(("*", *TYPES)),
    st.frozensets(st.sampled_from(LETTERS), min_size=1),
    st.sets(st.sampled_from(CONSTRAINTS)),
)
lists = st.lists(scopes, max_size=4).map(lambda items: " ".join(map(str, items)))


@pytest.mark.parametrize(("text", "canonical"), CASES["parse"])
def test_reads_the_grammar_and_nothing_else(text: str, canonical: str | None) -> None:
    scope = parse_one(text)
    assert (None if scope is None else str(scope)) == canonical


@pytest.mark.parametrize(("requested", "registered", "granted"), CASES["narrow"])
def test_grants_what_is_both_requested_and_registered(requested: str, registered: str, granted: str) -> None:
    assert narrow(requested, registered) == granted


@pytest.mark.parametrize(("requested", "allowed", "granted"), CASES["narrow_for_person"])
def test_a_person_gives_what_is_asked_and_registered_and_theirs_to_give(
    requested: str, allowed: str, granted: str
) -> None:
    assert narrow_for_person(requested, allowed) == granted


def test_passes_over_what_is_no_clinical_scope() -> None:
    assert [str(scope) for scope in parse("openid  system/Task.read launch offline_access")] == ["system/Task.rs"]


@given(scopes)
def test_a_scope_written_and_read_again_is_the_same(scope: Scope) -> None:
    assert parse_one(str(scope)) == scope


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for scope in parse(text):
        assert parse_one(str(scope)) == scope


def allows(text: str, access: tuple[str, str, str, frozenset[tuple[str, str]]]) -> bool:
    """Whether the scopes let through one access: level, type, letter, and which constraints the row satisfies."""
    level, type_name, letter, satisfied = access
    return any(
        scope.level == level
        and scope.type in ("*", type_name)
        and letter in scope.interactions
        and set(scope.constraint) <= satisfied
        for scope in parse(text)
    )


def accesses() -> list[tuple[str, str, str, frozenset[tuple[str, str]]]]:
    rows = [frozenset(), *(frozenset({one}) for one in CONSTRAINTS), frozenset(CONSTRAINTS[:2]), frozenset(CONSTRAINTS)]
    return list(product(("patient", "user", "system"), TYPES, LETTERS, rows))


@given(lists, lists)
def test_narrowing_allows_exactly_what_both_allow(requested: str, registered: str) -> None:
    granted = narrow(requested, registered)
    for access in accesses():
        assert allows(granted, access) == (allows(requested, access) and allows(registered, access))


@given(scopes, scopes)
def test_the_intersection_is_covered_by_both_and_the_same_from_either_side(one: Scope, other: Scope) -> None:
    both = one.intersect(other)
    assert both == other.intersect(one)
    if both is not None:
        assert one.covers(both)
        assert other.covers(both)


words = st.one_of(scopes.map(str), st.sampled_from((*PERSONAL, "profile", "__launch", "launch/task?role=urn:x")))
mixed = st.lists(words, max_size=6).map(" ".join)


@given(mixed, mixed)
def test_narrowing_twice_changes_nothing_more(requested: str, allowed: str) -> None:
    granted = narrow_for_person(requested, allowed)
    assert narrow_for_person(granted, allowed) == granted
    assert narrow_for_person(granted, requested) == granted
