"""An access token as a Grant: which circles its rules have, what is hidden, and the SQL that persons of one kind share."""

import re
from datetime import timedelta
from typing import Any, Final

import pytest

from schemas import dates
from schemas.registry import REGISTRY
from service import circle, labels
from service.errors import Forbidden
from service.grant import UPSERT, Grant, of
from service.oauth.token import Access
from service.search.visible import predicate

EXPIRES: Final = dates.clock() + timedelta(hours=1)
HELD: Final = [each.name for each in REGISTRY.types.values() if each.storable]
EVERY: Final = "patient/*.cruds user/*.cruds user/Observation.rs?code=x user/Questionnaire.rs?url=http://x"
KINDS: Final[dict[str, tuple[str | None, dict[str, Any]]]] = {
    "client": ("Patient/p", {"patient": "p"}),
    "client of no context": ("Patient/p", {}),
    "app in a context": (None, {"patient": "p"}),
    "by team": ("Practitioner/d", {"reach": "care-team"}),
    "by encounter": ("Practitioner/d", {"reach": "encounter", "patient": "p"}),
    "of the tenant": ("Practitioner/d", {"reach": "tenant", "patient": "p"}),
    "relative": ("RelatedPerson/r", {}),
    "relative in a context": ("RelatedPerson/r", {"patient": "p"}),
}


def granted(user: str | None, scope: str = EVERY, *, glass: bool = False, **access: Any) -> Grant:
    return of(Access("app", scope, EXPIRES, fhir_user=user, **access), 7, glass)


def circles(grant: Grant) -> set[tuple[str, ...]]:
    return {rule.circles for rule in grant.rules}


@pytest.mark.parametrize(
    ("user", "scope", "access", "expected"),
    [
        (None, "system/*.rs", {}, {()}),
        (None, "system/*.rs patient/*.rs user/*.rs", {}, {()}),
        (None, "patient/*.rs", {"patient": "p"}, {("patient",)}),
        (None, "user/*.rs", {"patient": "p"}, set()),
        ("Patient/p", "system/*.rs", {}, set()),
        ("Patient/p", "patient/*.rs", {}, set()),
        ("Patient/p", "patient/*.rs", {"patient": "p"}, {("patient",)}),
        ("Patient/p", "patient/*.rs", {"patient": "q"}, set()),
        ("Patient/p", "user/*.rs", {"patient": "q"}, {("patient",)}),
        ("Practitioner/d", "user/*.rs", {"reach": "care-team"}, {("care-team",)}),
        ("Practitioner/d", "patient/*.rs", {"reach": "care-team", "patient": "p"}, {("patient", "care-team")}),
        ("Practitioner/d", "user/*.rs patient/*.rs", {"reach": ""}, set()),
        ("Practitioner/d", "user/*.rs", {"reach": "patient"}, set()),
        ("RelatedPerson/r", "user/*.rs", {}, {("consent",)}),
        ("RelatedPerson/r", "patient/*.rs", {"patient": "p"}, {("patient", "consent")}),
        ("Person/x", "user/*.rs patient/*.rs", {"patient": "p"}, set()),
        ("Patient/a b", "user/*.rs", {}, set()),
        ("https://elsewhere.example/Patient/p", "user/*.rs", {}, set()),
    ],
)
def test_each_level_has_its_circles(
    user: str | None, scope: str, access: dict[str, Any], expected: set[tuple[str, ...]]
) -> None:
    assert circles(granted(user, scope, **access)) == expected


def test_a_client_in_another_s_context_is_still_themselves() -> None:
    assert granted("Patient/p", "user/*.rs", patient="q").patient == "p"


def test_what_is_hidden_is_what_the_clearance_does_not_show() -> None:
    others = set(labels.HIDING) - {"staff-only"}
    assert set(granted(None, "system/*.rs").hidden) == others
    assert set(granted(None, "system/*.rs", clearance=("HIV", "client-only")).hidden) == others - {"HIV"}
    assert set(granted("Practitioner/d").hidden) == others
    for user, scope in (("Patient/p", "user/*.rs"), ("RelatedPerson/r", "user/*.rs"), (None, "patient/*.rs")):
        assert set(granted(user, scope, patient="p", clearance=("staff-only",)).hidden) == set(labels.HIDING)
    assert granted("Patient/p").own_hidden == labels.HIDDEN_FROM_OWN
    assert granted("Practitioner/d", patient="p").own_hidden is None


def test_the_glass_is_broken_by_who_may() -> None:
    opened = granted("Practitioner/d", glass=True, reach="care-team", break_glass=True)
    assert circles(opened) == {("tenant",)}
    assert set(opened.hidden) == {"PSYTHPN", "HIPAAPsyNotes", "client-only"}
    assert opened.purpose == "BTG"
    for user, access in (("Practitioner/d", {}), ("Patient/p", {"break_glass": True}), (None, {"break_glass": True})):
        with pytest.raises(Forbidden):
            granted(user, glass=True, **access)


@pytest.mark.parametrize("kind", KINDS)
def test_persons_of_one_kind_share_their_statements(kind: str) -> None:
    user, access = KINDS[kind]
    other = {**access, "patient": "other"} if "patient" in access else access
    other_user = f"{user.partition('/')[0]}/other" if user is not None else None
    assert granted(user, **access).shape is granted(other_user, **other).shape


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("scope", [EVERY, "patient/*.cruds", "user/*.cruds"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_bound_and_used(kind: str, scope: str, written: bool) -> None:
    """PostgreSQL refuses a parameter that no part of the statement says the type of."""
    user, access = KINDS[kind]
    grant = granted(user, scope, **access)
    for type_name in HELD:
        for letter in ("c", "r", "u", "d", "s", UPSERT):
            values: list[Any] = [7]
            sql = predicate(grant, letter, type_name, 7, "r", values, written=written)
            slots = {int(slot) for slot in re.findall(r"\$(\d+)", sql)} - {1}
            assert slots == set(range(2, len(values) + 1)), (type_name, letter, sql)
            assert "None" not in sql


@pytest.mark.parametrize("kind", KINDS)
def test_no_person_goes_to_the_whole_of_a_clinical_type(kind: str) -> None:
    user, access = KINDS[kind]
    grant = granted(user, scope="patient/*.cruds user/*.cruds", clearance=tuple(labels.HIDING), **access)
    tenants = kind == "of the tenant"
    for type_name in set(HELD) - circle.SHARED:
        for letter in "cruds":
            sql = predicate(grant, letter, type_name, 7, "r", [7])
            assert tenants or ("patient" in sql or "refk" in sql or "sel" in sql or sql == "false"), (
                type_name,
                letter,
                sql,
            )
    for type_name in circle.SHARED:
        assert predicate(grant, "r", type_name, 7, "r", [7]).startswith("not r.flt && ")


def test_types_outside_every_compartment_are_nobody_s() -> None:
    for user, access in KINDS.values():
        for type_name in ("Binary", "Bundle", "Device", "Subscription"):
            for letter in "cruds":
                assert predicate(granted(user, **access), letter, type_name, 7, "r", [7]) == "false"
