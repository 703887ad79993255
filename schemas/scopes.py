"""SMART scopes: `system/Observation.rs?category=vital-signs`, versions 1 and 2 of the grammar, and their intersection.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self
from urllib.parse import parse_qsl, quote

LETTERS: Final = "cruds"
_VERSION_1: Final = {"read": frozenset("rs"), "write": frozenset("cud"), "*": frozenset(LETTERS)}
# After `?` stands what RFC 6749 lets a scope consist of: printable ASCII but space, quote and backslash.
_GRAMMAR: Final = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})\."
    r"(?:(?P<version_1>read|write|\*)|(?P<letters>(?=[cruds])c?r?u?d?s?)(?:\?(?P<query>[!#-\[\]-~]+))?)"
)


PERSONAL: Final = (
    "openid",
    "fhirUser",
    "offline_access",
    "online_access",
    "launch",
    "launch/patient",
    "launch/encounter",
    "launch/task",
    "launch/questionnaire",
)
"""What an app can ask of a person besides clinical scopes: who they are, how long it lasts, what it is about."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Letters of cruds on a type or `*`, on the rows that satisfy each (parameter, value) of `constraint`."""

    level: str
    type: str
    interactions: frozenset[str]
    constraint: tuple[tuple[str, str], ...] = ()

    def covers(self, other: Self) -> bool:
        """Whether all that `other` allows is allowed by this one too."""
        return (
            self.level == other.level
            and self.type in ("*", other.type)
            and self.interactions >= other.interactions
            and set(self.constraint) <= set(other.constraint)
        )

    def intersect(self, other: Self) -> "Scope | None":
        """What both allow, None when that is nothing."""
        interactions = self.interactions & other.interactions
        if self.level != other.level or not interactions:
            return None
        types = {self.type, other.type} - {"*"} or {"*"}
        if len(types) > 1:
            return None
        return Scope(self.level, types.pop(), interactions, _canonical((*self.constraint, *other.constraint)))

    def __str__(self) -> str:
        letters = "".join(letter for letter in LETTERS if letter in self.interactions)
        query = "&".join(f"{quote(name, safe=':.')}={quote(value, safe='$*,/:;@|')}" for name, value in self.constraint)
        return f"{self.level}/{self.type}.{letters}{'?' if query else ''}{query}"


def parse_one(text: str) -> Scope | None:
    """One scope; None for what is not a clinical scope, such as `openid`, or not understood."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        return None
    interactions = _VERSION_1[match["version_1"]] if match["version_1"] else frozenset(match["letters"])
    constraint: list[tuple[str, str]] = []
    if match["query"]:
        try:
            constraint = parse_qsl(match["query"], keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError:
            return None
        if not all(name and value for name, value in constraint):
            return None  # a search ignores a parameter without value: the scope would allow more than it says
    return Scope(match["level"], match["type"], interactions, _canonical(constraint))


def _canonical(constraint: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(set(constraint)))


def parse(text: str) -> tuple[Scope, ...]:
    """The clinical scopes of a space-separated list, in order; anything else in it is passed over."""
    return tuple(scope for word in text.split() if (scope := parse_one(word)) is not None)


@lru_cache(maxsize=1024)
def narrow(requested: str, registered: str) -> str:
    """The scopes that `requested` asks for and `registered` allows, as requested where allowed in full."""
    allowed = parse(registered)
    granted: dict[str, None] = {}
    for word in requested.split():
        scope = parse_one(word)
        if scope is None:
            continue
        shared = _union(both for item in allowed if (both := scope.intersect(item)) is not None)
        # As written, so that a client which compares finds what it asked for, version 1 spelling included.
        granted.update(dict.fromkeys([word] if scope in shared else map(str, shared)))
    return " ".join(granted)


@lru_cache(maxsize=1024)
def narrow_for_person(requested: str, allowed: str) -> str:
    """As `narrow`, of what a person can give: `patient/` and `user/` scopes and those of PERSONAL, in the order requested.

    The client's registration and the person's choice at consent are both an `allowed`. A `launch/` scope may have a role
    (`launch/task?role=...`), which changes nothing here: the context says itself which role each resource has.
    """
    known = {_without_role(word) for word in allowed.split()}
    granted: dict[str, None] = {}
    for word in requested.split():
        if _without_role(word) in PERSONAL:
            granted.update({word: None} if _without_role(word) in known else {})
        elif not word.startswith("system/"):
            granted.update(dict.fromkeys(narrow(word, allowed).split()))
    return " ".join(granted)


def _without_role(word: str) -> str:
    return word.partition("?role=")[0] if word.startswith("launch/") else word


def _union(scopes: Iterable[Scope]) -> list[Scope]:
    """The same permissions in as few scopes: letters of like scopes together, none that another one covers."""
    letters: dict[tuple[str, str, tuple[tuple[str, str], ...]], frozenset[str]] = {}
    for scope in scopes:
        key = (scope.level, scope.type, scope.constraint)
        letters[key] = letters.get(key, frozenset()) | scope.interactions
    merged = [Scope(level, type_name, found, rows) for (level, type_name, rows), found in letters.items()]
    return [one for one in merged if not any(other.covers(one) for other in merged if other is not one)]
