"""Checks of objects and arrays. https://hl7.org/fhir/R4/json.html"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from schemas.invariants.rule import Rule
from schemas.nearest import did_you_mean
from schemas.validation.faults import OK, Check, Fault, Faults, below, structure, wrong_shape
from schemas.validation.primitives import unknown_code

_ITEM: Final = re.compile(r"\[(\d+)\]")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MALFORMED: Final = (AttributeError, TypeError, KeyError, IndexError, ValueError, ArithmeticError)


class Choice(NamedTuple):
    """One choice element: its name, the JSON names it may have, whether one of them must be there."""

    name: str
    keys: frozenset[str]
    required: bool


class Members:
    """What an object may hold: filled once, after the check that uses it is made, as types contain themselves."""

    __slots__ = ("checks", "choices", "key", "required", "stems")

    def __init__(self, key: str) -> None:
        self.key = key
        self.checks: dict[str, Check] = {}
        self.stems: dict[str, str] = {}
        self.required: list[str] = []
        self.choices: list[Choice] = []

    def add(self, name: str, stem: str, check: Check) -> None:
        """A member `name` of the JSON, `stem` in FHIRPath."""
        self.checks[name] = check
        self.stems[name] = stem

    def require(self, name: str) -> None:
        self.required.append(name)

    def choose(self, choice: Choice) -> None:
        self.choices.append(choice)


def object_check(members: Members, rules: tuple[Rule, ...]) -> Check:
    """A check of an object with these members; its invariants come last."""
    checks, required, choices = members.checks, members.required, members.choices

    def check(value: Any) -> Faults:
        if type(value) is not dict or not value:
            return wrong_shape(value, "an object")
        faults = OK
        for name, child in value.items():
            member = checks.get(name)
            if member is None:
                faults += _unknown(members, name)
            elif found := member(child):
                faults += below(f".{members.stems[name]}", _unpadded(value, name, found))
        for name in required:
            if name not in value and f"_{name}" not in value:
                faults += (Fault("required", "missing-element", f"{members.key} needs {name!r}", f".{name}"),)
        for choice in choices:
            present = choice.keys & value.keys()
            if len(present) > 1 or (choice.required and not present):
                faults += _choice_faults(members.key, choice, present)
        if len(value) == 1 and "id" in value:
            faults += (Fault("invariant", "ele-1", "An element needs a value or children besides its id"),)
        for rule in rules:
            if faults:
                faults += _broken_if_askable(rule, value)
            elif not rule.holds(value):
                faults = _broken(rule, value)
        return faults

    return check


def _unknown(members: Members, name: str) -> Faults:
    shown = name if _PLAIN_NAME.fullmatch(name) else f"`{name[:64]}`"
    candidates = [each for each in members.checks if not each.startswith("_") and each != "resourceType"]
    text = f"{members.key} has no element of this name.{did_you_mean(name, candidates)}"
    return structure("unknown-element", text, f".{shown}")


def _unpadded(value: dict[str, Any], name: str, faults: Faults) -> Faults:
    """`faults` without the nulls that only keep a list of primitives in step with the list of its extensions."""
    partner = value.get(name[1:] if name.startswith("_") else f"_{name}")
    if not isinstance(partner, list):
        return faults
    return tuple(fault for fault in faults if not (fault.details == "null" and _fills(partner, fault.path)))


def _fills(partner: list[Any], path: str) -> bool:
    match = _ITEM.fullmatch(path)
    return match is not None and int(match[1]) < len(partner) and partner[int(match[1])] is not None


def _choice_faults(key: str, choice: Choice, present: Iterable[str]) -> Faults:
    names = sorted({name.removeprefix("_") for name in present})
    if len(names) > 1:
        return structure("too-many-choices", f"Only one of {', '.join(names)} may be there", f".{choice.name}")
    if names:
        return OK
    allowed = sorted(name for name in choice.keys if not name.startswith("_"))
    some = ", ".join(allowed[:8]) + (", …" if len(allowed) > 8 else "")
    return (Fault("required", "missing-element", f"{key} needs one of {some}", f".{choice.name}"),)


def _broken_if_askable(rule: Rule, value: dict[str, Any]) -> Faults:
    """The fault of `rule` where it can be asked at all: what other faults are about may have any shape."""
    try:
        return OK if rule.holds(value) else _broken(rule, value)
    except _MALFORMED:
        return OK


def _broken(rule: Rule, value: dict[str, Any]) -> Faults:
    return tuple(Fault("invariant", rule.key, rule.says, path) for path in rule.where(value))


def list_check(check: Check) -> Check:
    """A check of an array whose items pass `check`."""

    def many(value: Any) -> Faults:
        if type(value) is not list or not value:
            return wrong_shape(value, "an array")
        faults = OK
        for index, item in enumerate(value):
            if found := check(item):
                faults += below(f"[{index}]", found)
        return faults

    return many


def constant(wanted: str) -> Check:
    """A check of a member that has one possible value."""
    wrong = structure("wrong-resource-type", f"resourceType must be {wanted!r} here")
    return lambda value: OK if value == wanted else wrong


def opaque(value: Any) -> Faults:
    """A resource that somebody else checks."""
    return OK if isinstance(value, dict) and value else wrong_shape(value, "an object")


def closed_concept(structure_check: Check, value_set: str, codes: Mapping[str, Iterable[str]]) -> Check:
    """A check of a CodeableConcept with a required binding: one coding at least must be of the value set."""
    pairs = frozenset((system, code) for system, of_system in codes.items() for code in of_system)

    def check(value: Any) -> Faults:
        faults = structure_check(value)
        codings = value.get("coding", ()) if not faults else ()
        if faults or any((each.get("system"), each.get("code")) in pairs for each in codings):
            return faults
        sent = next((each.get("code", "") for each in codings), "")
        return (unknown_code(sent, value_set, [code for _, code in pairs]),)

    return check
