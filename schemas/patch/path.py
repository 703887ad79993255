"""The part of FHIRPath that patches may use: steps, indexers and simple filters. https://hl7.org/fhir/R4/fhirpatch.html

Patient.name[0].given, Observation.component.where(code.text = 'a' and value = 3).value, (Task.input.value as Range),
.first(), .last(), .ofType(Quantity), .as(Quantity), .extension('url')
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from schemas.patch.fault import PatchMalformed

MAX_CHARACTERS: Final = 1_000
MAX_BRACKETS: Final = 50

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<date>@[0-9T:.Z+-]+)|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>\$this|[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)|(?P<mark>!=|[.()\[\]=]))",
    re.ASCII,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES: Final = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Child:
    """The elements of a name; a choice by its name without a type."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """One element of a list, counted from 0; -1 is the last."""

    number: int


@dataclass(frozen=True, slots=True)
class OfType:
    """Only elements of a FHIR type."""

    datatype: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`names`, followed from the filtered element, equal `value` (or not); no names is the element itself."""

    names: tuple[str, ...]
    equal: bool
    value: str | Decimal | bool


@dataclass(frozen=True, slots=True)
class Where:
    """Only elements that meet all conditions."""

    conditions: tuple[Condition, ...]


Step = Child | Index | OfType | Where


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Step, ...]:
    """The steps of a path, the name of the type in front among them. Raises PatchMalformed."""
    if len(text) > MAX_CHARACTERS:
        raise PatchMalformed(f"path has {len(text)} characters; at most {MAX_CHARACTERS} are read")
    if text.count("(") > MAX_BRACKETS:
        raise PatchMalformed(f"path has more than {MAX_BRACKETS} brackets")
    parser = _Parser(text)
    steps = parser.path()
    if parser.take("as"):
        steps += (OfType(parser.type_name()),)
    if not parser.done:
        raise parser.fault("the end of the path or '.'")
    return steps


def name_of(steps: tuple[Step, ...]) -> str:
    """The steps as FHIRPath again, for the expression of a fault."""
    return "".join(_TEXTS[type(step)](step) for step in steps).removeprefix(".")


def _where_text(step: Where) -> str:
    return f".where({' and '.join('.'.join(each.names) or '$this' for each in step.conditions)} ...)"


_TEXTS: Final[dict[type, Callable[..., str]]] = {
    Child: lambda step: f".{step.name}",
    Index: lambda step: f"[{step.number}]" if step.number >= 0 else ".last()",
    OfType: lambda step: f".ofType({step.datatype})",
    Where: _where_text,
}


class _Parser:
    """Reads one path from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise PatchMalformed(f"path cannot be read from character {position} on: {text[position:]!r}")
            self._tokens.append((str(match.lastgroup), match.group().strip()))
            position = match.end()

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    def take(self, token: str) -> bool:
        """Whether `token` comes next; if so it is passed."""
        found = not self.done and self._tokens[self._at] == ("name" if token.isalpha() else "mark", token)
        self._at += found
        return found

    def fault(self, wanted: str) -> PatchMalformed:
        found = "its end" if self.done else repr(self._tokens[self._at][1])
        return PatchMalformed(f"path {self._text!r} should have {wanted} where {found} is")

    def path(self) -> tuple[Step, ...]:
        steps = self._bracketed() if self.take("(") else (Child(self._name()),)
        while True:
            if self.take("["):
                steps += (Index(self._index()),)
                self._must("]")
            elif self.take("."):
                steps += self._step()
            else:
                return steps

    def type_name(self) -> str:
        name = self._name()
        return self._name() if name == "FHIR" and self.take(".") else name

    def _bracketed(self) -> tuple[Step, ...]:
        steps = self.path()
        if self.take("as"):
            steps += (OfType(self.type_name()),)
        self._must(")")
        return steps

    def _step(self) -> tuple[Step, ...]:
        name = self._name()
        if not self.take("("):
            return (Child(name),)
        function = _FUNCTIONS.get(name)
        if function is None:
            raise PatchMalformed(f"path {self._text!r} calls {name}(); a patch may use {', '.join(_FUNCTIONS)}")
        steps = function(self)
        self._must(")")
        return steps

    def _must(self, token: str) -> None:
        if not self.take(token):
            raise self.fault(f"{token!r}")

    def _next(self, kind: str, wanted: str) -> str:
        if self.done or self._tokens[self._at][0] != kind:
            raise self.fault(wanted)
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _name(self) -> str:
        return self._next("name", "a name").strip("`")

    def _index(self) -> int:
        digits = self._next("number", "a whole number from 0 on")
        if not digits.isdecimal() or len(digits) > 9:
            self._at -= 1
            raise self.fault("a whole number from 0 on")
        return int(digits)

    def _string(self) -> str:
        return _unescaped(self._next("text", "a string in single quotes"))

    def _where(self) -> tuple[Step, ...]:
        conditions = [self._condition()]
        while self.take("and"):
            conditions.append(self._condition())
        return (Where(tuple(conditions)),)

    def _condition(self) -> Condition:
        names = [self._name()]
        while self.take("."):
            names.append(self._name())
        equal = self.take("=")
        if not equal:
            self._must("!=")
        return Condition(tuple(names[1:] if names[0] == "$this" else names), equal, self._literal())

    def _literal(self) -> str | Decimal | bool:
        if self.take("true"):
            return True
        if self.take("false"):
            return False
        kind, token = ("", "") if self.done else self._tokens[self._at]
        if kind not in ("text", "number", "date"):
            raise self.fault("a string, a number, a date or true or false")
        self._at += 1
        return Decimal(token) if kind == "number" else token[1:] if kind == "date" else _unescaped(token)

    def _of_type(self) -> tuple[Step, ...]:
        return (OfType(self.type_name()),)

    def _extension(self) -> tuple[Step, ...]:
        return (Child("extension"), Where((Condition(("url",), True, self._string()),)))


_FUNCTIONS: Final[dict[str, Callable[[_Parser], tuple[Step, ...]]]] = {
    "where": _Parser._where,
    "first": lambda _: (Index(0),),
    "last": lambda _: (Index(-1),),
    "ofType": _Parser._of_type,
    "as": _Parser._of_type,
    "extension": _Parser._extension,
}


def _unescaped(token: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(character, token[1:-1])
