"""Token parameters: `system|code`, `|code`, `code`, `system|`. https://hl7.org/fhir/R4/search.html#token"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from schemas import tokens
from schemas.registry import REGISTRY, SearchParam, SearchPath
from service.index import layout
from service.index.rows import WORD_PARAM, WORD_START
from service.index.values import fold
from service.search.query import Always, Negated, Place, Test, Words
from service.search.reader import Expansion, Reader, any_of
from service.search.text import Malformed, alternatives, split, unescape

MODIFIERS: Final = ("missing", "text", "not", "in", "not-in", "above", "below")
IDENTIFIER_MODIFIERS: Final = (*MODIFIERS, "of-type")
CODED: Final = frozenset(("CodeableConcept", "Coding", "Identifier"))
SPECIAL_VALUES: Final = "http://terminology.hl7.org/CodeSystem/special-values"


class Text(NamedTuple):
    """What is hashed into a token, and its form: exact `system|code`, any `*|code`, system `system|`, or typed."""

    form: str
    text: str


class Spot(NamedTuple):
    """Where the indexer keeps a token parameter: the column of its first value, where the rest goes, and whether there is one.

    `first` are the forms that the column may hold; `only` says that what the column may hold is nowhere else.
    """

    column: str | None
    rest: str
    first: frozenset[str]
    only: bool


@lru_cache(maxsize=4096)
def spot(type_name: str, code: str) -> Spot:
    """Where the values of a token parameter are; the counterpart of what `index.rows` does with them."""
    param = REGISTRY.types[type_name].search[code]
    hot = layout.hot(type_name)
    column = {hot.k1: "k1", hot.k2: "k2", "identifier": "ident"}.get(code)
    kinds = {path.datatype for path in param.paths}
    first = frozenset((["exact"] if kinds & CODED else []) + (["any"] if kinds - CODED else []))
    rest = "sel" if layout.is_selective(param) else "flt"
    return Spot(column, rest, first, param.single and len(first) == 1)


def columns(type_name: str, code: str, form: str) -> tuple[str, ...]:
    """The columns in which a token of this form can be."""
    where = spot(type_name, code)
    if form == "system":
        return ("flt",)
    if where.column is None or form not in where.first:
        return (where.rest,)
    return (where.column,) if where.only else (where.column, where.rest)


def read(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one parameter as sent. Raises Malformed."""
    parts = layout.combined(type_name, param.code)
    if parts is not None:
        search = REGISTRY.types[type_name].search
        plain = None if modifier in ("not", "not-in") else modifier
        plain = "in" if modifier == "not-in" else plain
        test = any_of([read(reader, type_name, search[part], plain, value) for part in parts])
    elif modifier == "text":
        return _words(reader, param, value)
    elif modifier in ("in", "not-in", "above", "below"):
        test = _expanded(reader, type_name, param, "in" if modifier == "not-in" else modifier, value)
    else:
        texts = [
            typed(param, item) if modifier == "of-type" else text(type_name, param.paths, item)
            for item in alternatives(value)
        ]
        test = places(reader, type_name, param, [each for each in texts if each is not None])
    return Negated(test) if modifier in ("not", "not-in") else test


def places(reader: Reader, type_name: str, param: SearchParam, texts: Iterable[Text]) -> Test:
    """The test that a row has one of these tokens under `param`."""
    found = list(_tokens(reader, type_name, param, texts))
    return reader.places(found) if found else Always(False)


def _tokens(reader: Reader, type_name: str, param: SearchParam, texts: Iterable[Text]) -> Iterator[tuple[str, int]]:
    for each in texts:
        made = hashed(reader, type_name, param, each)
        for column in columns(type_name, param.code, each.form):
            yield column, made


def hashed(reader: Reader, type_name: str, param: SearchParam, each: Text) -> int:
    """The token under `param`."""
    return tokens.token(reader.tenant_id, REGISTRY.types[type_name].id, param.id, each.text)


def text(type_name: str, paths: tuple[SearchPath, ...], value: str) -> Text | None:
    """What one value as sent is hashed from, None when no such token can exist. Raises Malformed."""
    parts = [unescape(part) for part in split(value, "|")]
    if len(parts) == 1:
        return Text("any", f"*|{parts[0]}")
    system, code = parts[0], "|".join(parts[1:])
    if not code:
        if not system:
            raise Malformed(f"'{value}' names neither a system nor a code; write system|code, |code, code or system|")
        return Text("system", f"{system}|")
    kinds = {path.datatype for path in paths}
    if kinds & CODED:
        # Of a parameter on both codes and plain values only the codes have systems.
        return Text("exact", f"{system}|{code}")
    if not system or system in _systems(type_name, paths, code):
        return Text("any", f"*|{code}")
    if kinds & {"code", "boolean", "dateTime"}:
        return None
    raise Malformed(f"This parameter's values have no system; write {code} instead of {value}")


def _systems(type_name: str, paths: tuple[SearchPath, ...], code: str) -> frozenset[str]:
    """The code systems that `code` belongs to where an element holds a mere code."""
    return frozenset(system for path in paths for system, codes in _bound(type_name, path).items() if code in codes)


@lru_cache(maxsize=1024)
def _bound(type_name: str, path: SearchPath) -> dict[str, tuple[str, ...]]:
    if path.datatype in ("boolean", "dateTime"):
        return {SPECIAL_VALUES: ("true", "false")}
    key, binding = type_name, None
    for step in path.steps:
        element = next((each for each in REGISTRY.elements[key] if each.name == step.name), None)
        if element is None:
            return {}
        key, binding = element.types[0], element.binding
    return dict(REGISTRY.codes.get(binding or "", {}))


def typed(param: SearchParam, value: str) -> Text:
    """The token of an identifier by its type, for :of-type: `system|code|value`."""
    parts = [unescape(part) for part in split(value, "|")]
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise Malformed(f"{param.code}:of-type takes type-system|type-code|value, not {value!r}")
    return Text("typed", "type:" + "|".join(parts))


def _words(reader: Reader, param: SearchParam, value: str) -> Test:
    if not {path.datatype for path in param.paths} & CODED:
        raise Malformed(f"{param.code} holds mere codes, which have no text to search by :text", "not-supported")
    found = [fold(unescape(item)) for item in alternatives(value)]
    if not all(found):
        raise Malformed("The text has no character that a search could compare")
    return any_of([Words(reader.binder.add(f"{WORD_START}{param.id}{WORD_PARAM}{each}")) for each in found])


def _expanded(reader: Reader, type_name: str, param: SearchParam, modifier: str, value: str) -> Test:
    tests: list[Test] = []
    for item in alternatives(value):
        slot = reader.binder.add(Expansion(modifier, type_name, param, unescape(item)))
        forms = ("exact", "any", "system")
        names = dict.fromkeys(column for form in forms for column in columns(type_name, param.code, form))
        # The size only says that the slot has an array; how long it is shows when the terminology was read.
        tests += [Place(column, slot, 0) for column in names]
    return any_of(tests)
