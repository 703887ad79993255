"""Scopes as a person reads them: what an app could see, what it could change, for how long, and what it learns.

https://hl7.org/fhir/smart-app-launch/STU2.2/best-practices.html
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from schemas.scopes import LETTERS, Scope, parse_one

Kind = Literal["read", "write", "identity", "time", "learns", "other"]
_READ: Final = frozenset("rs")
_WRITE: Final = frozenset("cud")
_PERSONAL: Final[Mapping[str, Kind]] = {
    "openid": "identity",
    "fhirUser": "identity",
    "offline_access": "time",
    "online_access": "time",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A scope, or the half of one that only reads or only writes, in a sentence; `level` is patient, user or empty."""

    scope: str
    kind: Kind
    level: str
    sentence: str
    detail: str = ""


def said(scopes: Iterable[str], words: Mapping[str, str]) -> list[Said]:
    """What the scopes allow, in their order, nothing twice; `words` are those of a language."""
    parts = {part: None for scope in scopes for part in halves(scope)}
    return [_said(part, words) for part in parts]


def halves(scope: str) -> tuple[str, ...]:
    """A scope that both reads and writes as one of each, so that a person can allow either; any other as it is."""
    found = parse_one(scope)
    if found is None or not (found.interactions & _READ and found.interactions & _WRITE):
        return (scope,)
    return tuple(str(replace(found, interactions=found.interactions & half)) for half in (_READ, _WRITE))


def whole(asked: Iterable[str], chosen: Collection[str]) -> list[str]:
    """What of `asked` a person chose by its halves, as the app wrote it where both were."""
    kept: dict[str, None] = {}
    for scope in asked:
        parts = [part for part in halves(scope) if part in chosen]
        kept.update(dict.fromkeys([scope] if len(parts) == len(halves(scope)) else parts))
    return list(kept)


def _said(scope: str, words: Mapping[str, str]) -> Said:
    found = parse_one(scope)
    if found is not None:
        return _clinical(scope, found, words)
    name = scope.partition("?role=")[0]
    sentence = words.get(f"scope.{name}")
    if name.partition("/")[0] == "launch":
        other = words["scope.launch.other"].format(name=name.partition("/")[2])
        return Said(scope, "learns", "", sentence or other)
    if name not in _PERSONAL:
        return Said(scope, "other", "", words["scope.other"].format(name=scope))
    return Said(scope, _PERSONAL[name], "", str(sentence), words.get(f"scope.{name}.detail", ""))


def _clinical(scope: str, found: Scope, words: Mapping[str, str]) -> Said:
    letters = "".join(letter for letter in LETTERS if letter in found.interactions)
    things = words.get(f"scope.type.{found.type}") or words["scope.type.other"].format(name=found.type)
    sentence = words[f"scope.can.{letters}"].format(things=things)
    kind: Kind = "read" if found.interactions <= _READ else "write"
    details = [_only(found.constraint, words)] if found.constraint else []
    details += [words["scope.type.*.detail"]] if found.type == "*" else []
    return Said(scope, kind, found.level, _begun(sentence), " ".join(map(_begun, details)))


def _only(constraint: Iterable[tuple[str, str]], words: Mapping[str, str]) -> str:
    conditions = [
        words["scope.condition"].format(parameter=_parameter(name, words), values=_values(value, words))
        for name, value in constraint
    ]
    return words["scope.only"].format(conditions=_listed(conditions, "list.and", words)) + "."


def _parameter(name: str, words: Mapping[str, str]) -> str:
    return words.get(f"scope.parameter.{name}", name)


def _values(value: str, words: Mapping[str, str]) -> str:
    """The codes of a token search without their systems, which tell people nothing; other values as they are."""
    codes = [each.rpartition("|")[2] or each for each in value.split(",")]
    return _listed([words.get(f"scope.value.{code}", code) for code in codes], "list.or", words)


def _listed(items: list[str], by: str, words: Mapping[str, str]) -> str:
    *most, last = items
    return words[by].format(first=", ".join(most), last=last) if most else last


def _begun(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
