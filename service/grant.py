"""Grant: what a caller may do, as a question on types and as SQL on rows. No rule means nothing is seen.

https://build.fhir.org/ig/HL7/smart-app-launch/scopes-and-launch-context.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from schemas import ids, tokens
from schemas.registry import REGISTRY
from schemas.scopes import Scope, parse
from service import circle, labels
from service.circle import Own
from service.errors import Forbidden
from service.oauth.token import Access

INTERACTIONS: Final[dict[str, str]] = {
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "search-type": "s",
    "search-system": "s",
    "search-compartment": "s",
    "history-type": "s",
    "history-system": "s",
    "everything": "r",
    "validate": "r",
    "meta": "r",
    "create": "c",
    "update": "u",
    "patch": "u",
    "delete": "d",
}
"""The letter of SMART's cruds that each interaction asks for."""
UPSERT: Final = "U"
"""A create by update, as a letter: it needs `u` of the scope, and makes only rows of which `c` could, circles considered."""
Limit = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]
"""What rows one rule is about: a search that finds them, and the circles that they are in."""
_WHOLE: Final[Limit] = ((), ())


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing allowed: letters of cruds on one type or `*`, to the rows that `constraint` (a search) finds.

    `circles` (service.circle) must all hold; none of them is the whole tenant.
    """

    type: str
    letters: frozenset[str]
    constraint: tuple[tuple[str, str], ...] = ()
    circles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What Grants of one kind share, without whose they are: SQL is compiled once for each. One object a shape.

    `hidden` are the labels (service.labels) that hide a row, `own_hidden` those that hide one of the Patient's own record,
    None where the caller is no Patient.
    """

    rules: tuple[Rule, ...]
    hidden: tuple[str, ...] = ()
    own_hidden: tuple[str, ...] | None = None

    @property
    def is_constrained(self) -> bool:
        """Whether its SQL has values of one tenant in it."""
        return any(rule.constraint for rule in self.rules)

    @property
    def is_client(self) -> bool:
        """Whether it is of persons who are no practitioners: clients, and who acts for them.

        Of a Group they see only their own membership, of a Task they change only the progress.
        """
        return bool(self.rules) and all(
            rule.circles and not set(rule.circles) & set(circle.CARE) for rule in self.rules
        )

    @property
    def circles(self) -> frozenset[str]:
        """All circles of the rules."""
        return frozenset(each for rule in self.rules for each in rule.circles)

    def limits(self, letter: str, type_name: str) -> tuple[Limit, ...] | None:
        """What rows the rules allow `letter` on, any of these; `()` means every row, None means no row."""
        found = dict.fromkeys(
            (rule.constraint, rule.circles)
            for rule in self.rules
            if letter.lower() in rule.letters and rule.type in (type_name, "*")
        )
        if not found:
            return None
        return () if _WHOLE in found else tuple(found)


@lru_cache(maxsize=4096)
def _shape(rules: tuple[Rule, ...], hidden: tuple[str, ...], own_hidden: tuple[str, ...] | None) -> Shape:
    return Shape(rules, hidden, own_hidden)


@dataclass(frozen=True, slots=True)
class Grant:
    """The rules of one caller; `client_id` names the app, `user` the person who uses it (`Practitioner/123`).

    `patient` is the id of the Patient whose record it is about, `actor` the storage key of the person; `purpose` is BTG where
    the glass was broken. `key` tells apart what one caller may do from another time, for cursors and idempotency keys.
    """

    client_id: str
    rules: tuple[Rule, ...] = ()
    key: str = field(default="")
    hidden: tuple[str, ...] = ()
    own_hidden: tuple[str, ...] | None = None
    user: str | None = None
    patient: str | None = None
    purpose: str | None = None
    shape: Shape = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.rules, self.hidden, self.own_hidden))

    @property
    def caller(self) -> str:
        """Who asks: the app, and the person and record where there are any."""
        return " ".join([self.client_id, *filter(None, (self.user, self.patient and f"Patient/{self.patient}"))])

    def shows(self, type_name: str) -> bool:
        """Whether some rule lets this caller read or find some rows of the type."""
        return self.permits("r", type_name) or self.permits("s", type_name)

    def permits(self, letter: str, type_name: str) -> bool:
        """Whether some rule lets this caller do `letter` (of cruds) on some rows of the type."""
        return self.shape.limits(letter, type_name) is not None

    def require(self, letter: str, type_name: str) -> None:
        """Raise Forbidden unless `permits`."""
        if not self.permits(letter, type_name):
            level = "system" if self.user is None else "user"
            raise Forbidden(
                f"The access token has no scope that allows this on {type_name}; "
                f"it would need for example {level}/{type_name}.{letter}"
            )

    def limits(self, letter: str, type_name: str) -> tuple[Limit, ...] | None:
        """As `Shape.limits`."""
        return self.shape.limits(letter, type_name)

    def value(self, own: Own, tenant_id: int) -> Any:
        """What an `Own` of this caller stands for in the tenant."""
        return _value(own, tenant_id, self.user or "", self.patient or "", self.hidden, self.own_hidden or ())

    def values(self, symbols: Iterable[Any], tenant_id: int) -> list[Any]:
        """The values to bind: those of the caller's where an Own stands."""
        return [self.value(each, tenant_id) if type(each) is Own else each for each in symbols]


@lru_cache(maxsize=16384)
def _value(
    own: Own, tenant_id: int, user: str, patient: str, hidden: tuple[str, ...], own_hidden: tuple[str, ...]
) -> Any:
    kind, _, actor = user.partition("/")
    match own.what:
        case "patient":
            return ids.key(tenant_id, "Patient", patient)
        case "actor":
            return ids.key(tenant_id, kind, actor)
        case "hidden":
            return labels.all_tokens(tenant_id, hidden)
        case "hidden-own":
            return labels.all_tokens(tenant_id, own_hidden)
        case "member-salt":
            group, patients = REGISTRY.types["Group"], REGISTRY.types["Patient"]
            return tokens.reference_salt(tenant_id, group.id, group.search["member"].id, patients.id)
        case "patient-tokens":
            return _references(tenant_id, own.type, circle.patient_codes(own.type), "Patient", patient)
        case "actor-tokens":
            codes = ("owner",) if kind == "RelatedPerson" else circle.actor_codes(own.type)
            return _references(tenant_id, own.type, codes, kind, actor)
    raise AssertionError(own)


def _references(tenant_id: int, type_name: str, codes: Iterable[str], target: str, target_id: str) -> list[int]:
    kind, to, key = REGISTRY.types[type_name], REGISTRY.types[target].id, ids.key(tenant_id, target, target_id)
    return [tokens.reference(tenant_id, kind.id, kind.search[code].id, to, key) for code in codes]


@lru_cache(maxsize=8192)
def of(access: Access, tenant_id: int, break_glass: bool = False) -> Grant:
    """The Grant that an access token stands for; with `break_glass` as far as an emergency goes.

    Raises Forbidden when the token does not allow that.
    """
    kind, user_id = _person(access.fhir_user)
    if break_glass and not (kind == "Practitioner" and access.break_glass):
        raise Forbidden(
            "Break-the-glass is for practitioners who have the right to it; an administrator can give it",
            details_code="break-the-glass-refused",
        )
    reach = "tenant" if break_glass else access.reach
    rules = tuple(made for scope in parse(access.scope) if (made := _rule(scope, access, kind, user_id, reach)))
    is_patient = kind == "Patient"
    # Who speaks for a client, without naming them, is no member of staff.
    is_staff = kind == "Practitioner" or (not kind and any(not rule.circles for rule in rules))
    purpose = "BTG" if break_glass else None
    key = "\n".join(
        [access.scope, access.fhir_user or "", access.patient or "", reach, *access.clearance, purpose or ""]
    )
    return Grant(
        access.client_id,
        rules,
        key,
        labels.hidden_in_emergency(access.clearance) if break_glass else labels.hidden(access.clearance, is_staff),
        labels.HIDDEN_FROM_OWN if is_patient else None,
        f"{kind}/{user_id}" if kind else None,
        user_id if is_patient else access.patient,
        purpose,
    )


def _person(fhir_user: str | None) -> tuple[str, str]:
    """(type, id) of the person; nobody for what is no such reference."""
    kind, _, user_id = (fhir_user or "").partition("/")
    return (kind, user_id) if kind in _CIRCLES and ids.is_legal(user_id) else ("", "")


_CIRCLES: Final = {"Patient": circle.PATIENT, "Practitioner": "", "RelatedPerson": circle.CONSENT}
"""The circle of each type that a person can be; a practitioner's is what the tenant says."""


def _rule(scope: Scope, access: Access, kind: str, user_id: str, reach: str) -> Rule | None:
    own = _CIRCLES.get(kind) or reach
    if scope.level == "system":
        # Persons have no system scopes, whatever a token says.
        return None if access.fhir_user is not None else Rule(scope.type, scope.interactions, scope.constraint)
    if access.fhir_user is not None and (not kind or (kind == "Practitioner" and reach not in circle.CARE)):
        return None
    if scope.level == "user":
        circles: tuple[str, ...] = (own,) if kind else ()
    elif access.patient is None or (kind == "Patient" and access.patient != user_id):
        circles = ()
    else:
        circles = tuple(dict.fromkeys((circle.PATIENT, own))) if kind else (circle.PATIENT,)
    return Rule(scope.type, scope.interactions, scope.constraint, circles) if circles else None


@lru_cache(maxsize=4096)
def from_scope(client_id: str, scope: str) -> Grant:
    """The Grant of a backend client's `system/` scopes, with every clearance; other levels give nothing here."""
    rules = tuple(
        Rule(each.type, each.interactions, each.constraint) for each in parse(scope) if each.level == "system"
    )
    return Grant(client_id, rules, scope)


NOBODY: Final = Grant("")
"""The grant of a request without a token."""
