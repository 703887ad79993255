"""The index row of a resource: hot columns, tokens, references, intervals, strings. One plan per type, compiled once."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Final

from schemas import dates, ids, references, tokens
from schemas.registry import REGISTRY, SearchParam, SearchPath, Step
from service import labels
from service.index import layout, values
from service.index.codes import coded
from service.index.paths import follow, reacher

JsonObject = dict[str, Any]
WORD_START: Final = "\x1e"
WORD_PARAM: Final = "\x1f"
"""Stands between the parameter and the text beside a code, folded, in `words`."""
WORD_CODE: Final = "\x1d"
"""Stands between the parameter and a code, identifier value or URL as it is, in `words`: for _sort and :below."""
FURTHER: Final = -(1 << 63)
"""The sign bit of `present`: the parameter in k1 has further codes, which are in `sel`."""
HIDING: Final = 1 << 62
"""The bit of `present` that says that the resource has a label which hides it from some; no parameter has this one."""
SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands where a row is made of everything but its time."""


@dataclass(slots=True)
class IndexRow:
    """What one version of a resource can be found by; the names are those of the columns. Filled once, by `build`."""

    d0: datetime = dates.PAST
    d1: datetime | None = None
    d2: datetime | None = None
    k1: int | None = None
    k2: int | None = None
    ident: int | None = None
    present: int = 0
    patient: uuid.UUID | None = None
    sel: list[int] = field(default_factory=list)
    flt: list[int] = field(default_factory=list)
    ref: list[uuid.UUID] = field(default_factory=list)
    refk: list[int] = field(default_factory=list)
    words: str | None = None
    strings: list[tuple[int, str, str, list[int]]] = field(default_factory=list)
    ranges: list[tuple[int, Decimal, Decimal, list[int]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the resource lives: the tenant, its base address, the resource's type and storage key."""

    tenant_id: int
    base: str
    type: str
    key: uuid.UUID


Collect = Callable[[IndexRow, JsonObject, Target], None]


def reference_key(param_id: int, target_type_id: int) -> int:
    """The number in `refk` that says by which parameter, and to which type, the id beside it in `ref` refers."""
    return param_id << 8 | target_type_id


def build(resource: JsonObject, target: Target) -> IndexRow:
    """The index row of `resource`, which has passed validation."""
    row = IndexRow()
    if target.type == "Patient":
        row.patient = target.key
    plan = _plan(target.type)
    for name in resource:
        for collect in plan.get(name, ()):
            collect(row, resource, target)
    for param_id, bit, text in _absent(target.type):
        if not row.present & bit:
            row.flt.append(tokens.token(target.tenant_id, REGISTRY.types[target.type].id, param_id, text))
    hiding = [labels.token(target.tenant_id, code) for code in labels.carried(resource)]
    if hiding:
        row.flt += hiding
        row.present |= HIDING
    return row


@lru_cache(maxsize=256)
def _absent(type_name: str) -> tuple[tuple[int, int, str], ...]:
    """(parameter, its bit, token) of the values that stand for an element that is not there."""
    search = REGISTRY.types[type_name].search.values()
    return tuple((param.id, 1 << param.bit, f"*|{param.absent}") for param in search if param.absent is not None)


@lru_cache(maxsize=256)
def _plan(type_name: str) -> dict[str, tuple[Collect, ...]]:
    """For each element at the top of the type, what to collect when it is there."""
    plan: dict[str, list[Collect]] = {}
    definition = REGISTRY.types[type_name]
    for param in definition.search.values():
        if layout.combined(type_name, param.code) is not None:
            continue
        if param.kind == "composite":
            for name, collect in _composites(type_name, param):
                plan.setdefault(name, []).append(collect)
            continue
        for path in param.paths:
            if path.steps:
                plan.setdefault(path.steps[0].name, []).append(_collector(type_name, param, path))
    return {name: tuple(collects) for name, collects in plan.items()}


def _collector(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    return {
        "token": _token,
        "reference": _reference,
        "date": _date,
        "string": _string,
        "uri": _uri,
        "number": _number,
        "quantity": _number,
    }[param.kind](type_name, param, path)


def _token(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    type_id, bit, reach, datatype = REGISTRY.types[type_name].id, 1 << param.bit, reacher(path.steps), path.datatype
    hot = layout.hot(type_name)
    column = "k1" if hot.k1 == param.code else "k2" if hot.k2 == param.code else None
    column = "ident" if param.code == "identifier" else column
    selective = layout.is_selective(param)
    has_words = datatype in ("CodeableConcept", "Coding", "Identifier")
    # Closed codes sort by rank; the others by what is kept here.
    is_open = param.codes is None and datatype not in ("boolean", "dateTime")
    code_mark = f"{WORD_START}{param.id}{WORD_CODE}"

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for value in reach(resource):
            row.present |= bit
            for made, single, code in coded(datatype, target.tenant_id, type_id, param.id, value):
                if column is not None and single and getattr(row, column) is None:
                    setattr(row, column, made)
                else:
                    (row.sel if selective and single else row.flt).append(made)
                    if column == "k1" and single and code is None:
                        row.present |= FURTHER
                if is_open and code is not None:
                    row.words = f"{row.words or ''}{code_mark}{code}"
            if has_words:
                for words in values.words(value, datatype):
                    row.words = f"{row.words or ''}{WORD_START}{param.id}{WORD_PARAM}{values.fold(words)}"

    return collect


@lru_cache(maxsize=4096)
def resident(tenant_id: int, base: str, written: str) -> tuple[str, int, uuid.UUID] | None:
    """(type, its number, key) of a reference to a resource here, None for any other. A resource names its patient often."""
    literal = references.literal(written)
    if literal is None or literal.base not in (None, base) or literal.type not in REGISTRY.types:
        return None
    return literal.type, REGISTRY.types[literal.type].id, ids.key(tenant_id, literal.type, literal.id)


def _reference(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    type_id, bit, reach = REGISTRY.types[type_name].id, 1 << param.bit, reacher(path.steps)
    column = "k1" if layout.hot(type_name).k1 == param.code else None
    in_patient = layout.is_patient_column(type_name, param.code)
    only = _narrowed(type_name, path)
    by_identifier = layout.identifier_column(type_name, param.code)

    def keep(row: IndexRow, made: int) -> None:
        if column is not None and row.k1 is None:
            row.k1 = made
        else:
            row.sel.append(made)

    def outside(row: IndexRow, value: JsonObject, written: str, target: Target) -> None:
        literal = references.literal(written) if written else None
        if only and not (literal is not None and literal.type in only) and value.get("type") not in only:
            return
        row.present |= bit
        if written and not written.startswith("#"):
            keep(row, tokens.token(target.tenant_id, type_id, param.id, f"url:{written}"))
        for text, single in values.token_texts(value.get("identifier", {}), "Identifier"):
            if single:
                made = tokens.token(target.tenant_id, type_id, param.id, f"identifier:{text}")
                (row.sel if by_identifier == "sel" else row.flt).append(made)

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for value in reach(resource):
            if isinstance(value, str):  # canonical or uri
                row.present |= bit
                for text in _canonical(value):
                    keep(row, tokens.token(target.tenant_id, type_id, param.id, text))
                row.words = f"{row.words or ''}{WORD_START}{param.id}{WORD_CODE}{value}"
                continue
            written = value.get("reference", "")
            here = resident(target.tenant_id, target.base, written) if written else None
            if here is None:
                outside(row, value, written, target)
                continue
            to_type, to, key = here
            if only and to_type not in only:
                continue
            row.present |= bit
            if in_patient and to_type == "Patient":
                row.patient = key
                continue
            keep(row, tokens.reference(target.tenant_id, type_id, param.id, to, key))
            row.ref.append(key)
            row.refk.append(reference_key(param.id, to))

    return collect


def _narrowed(type_name: str, path: SearchPath) -> tuple[str, ...]:
    """The types that the parameter picks out of those the element allows; none, when it takes all of them.

    A reference by identifier alone does not say its type, so it counts only where nothing is picked out.
    """
    allowed = REGISTRY.types[type_name].references.get(".".join(step.name for step in path.steps), ())
    return () if allowed and set(allowed) <= set(path.targets) else path.targets


def _canonical(value: str) -> Iterator[str]:
    url, _, version = value.partition("|")
    yield f"url:{url}"
    if version:
        yield f"url:{value}"


def _date(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    bit, datatype = 1 << param.bit, path.datatype
    hot = layout.hot(type_name)
    shared = _attachments(type_name, path)
    shared_bits, each = _bits(shared), _valued(path.steps, shared)

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for value, codes in each(resource, target):
            for lo, hi in values.intervals(value, datatype):
                row.present |= bit | shared_bits if codes else bit
                if hot.d0 == param.code and row.d1 is None:
                    row.d0, row.d1 = lo, hi
                elif hot.d2 == param.code and row.d2 is None:
                    row.d2 = lo
                    row.ranges.append((param.id, values.micros(lo), values.micros(hi), codes))
                else:
                    row.ranges.append((param.id, values.micros(lo), values.micros(hi), codes))

    return collect


def _number(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    type_id, bit, datatype = REGISTRY.types[type_name].id, 1 << param.bit, path.datatype
    shared = _attachments(type_name, path)
    shared_bits, each = _bits(shared), _valued(path.steps, shared)

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for value, codes in each(resource, target):
            for low, high, units in values.numbers(value, datatype):
                row.present |= bit | shared_bits if codes else bit
                made = [tokens.token(target.tenant_id, type_id, param.id, text) for text in units]
                row.ranges.append((param.id, low, high, made + codes))

    return collect


def _string(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    bit, datatype = 1 << param.bit, path.datatype
    shared = _attachments(type_name, path)
    shared_bits, each = _bits(shared), _valued(path.steps, shared)

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for value, codes in each(resource, target):
            for text in values.strings(value, datatype):
                row.present |= bit | shared_bits if codes else bit
                row.strings.append((param.id, values.fold(text), text, codes))

    return collect


def _uri(type_name: str, param: SearchParam, path: SearchPath) -> Collect:
    type_id, bit, reach = REGISTRY.types[type_name].id, 1 << param.bit, reacher(path.steps)
    in_row = param.code.startswith("_")

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for value in reach(resource):
            row.present |= bit
            if in_row:
                for text in _canonical(value):
                    row.flt.append(tokens.token(target.tenant_id, type_id, param.id, text))
                row.words = f"{row.words or ''}{WORD_START}{param.id}{WORD_CODE}{value}"
            else:
                row.strings.append((param.id, value, value, []))

    return collect


@dataclass(frozen=True, slots=True)
class _Shared:
    """A composite whose second component is this path: its first component's codes ride on the path's row."""

    param_id: int
    type_id: int
    bit: int
    focus: tuple[Step, ...]
    first: tuple[SearchPath, ...]


def _bits(shared: tuple[_Shared, ...]) -> int:
    """The presence bits of the composites that ride here."""
    return reduce(or_, (1 << each.bit for each in shared), 0)


def _attachments(type_name: str, path: SearchPath) -> tuple[_Shared, ...]:
    definition = REGISTRY.types[type_name]
    return tuple(
        _Shared(param.id, definition.id, param.bit, focus, param.components[0].paths)
        for param in definition.search.values()
        if param.kind == "composite" and carrier(type_name, param) is not None
        for focus in param.foci
        for second in param.components[1].paths
        if focus + second.steps == path.steps
    )


def carrier(type_name: str, composite: SearchParam) -> str | None:
    """The parameter on whose range or string rows a composite's codes ride, None when it has tokens of its own."""
    if layout.combined(type_name, composite.code) is not None or len(composite.components) != 2:
        return None
    wanted = {focus + path.steps for focus in composite.foci for path in composite.components[1].paths}
    for param in REGISTRY.types[type_name].search.values():
        if layout.combined(type_name, param.code) is not None:
            continue
        if param.kind in ("quantity", "date", "string", "number") and wanted & {path.steps for path in param.paths}:
            return param.code
    return None


def _valued(
    steps: tuple[Step, ...], shared: tuple[_Shared, ...]
) -> Callable[[JsonObject, Target], Sequence[tuple[Any, list[int]]]]:
    """For a resource the values at the end of `steps`, each with the tokens of the composites that ride on it."""
    if not shared:
        reach = reacher(steps)
        return lambda resource, _target: [(value, []) for value in reach(resource)]
    focus = shared[0].focus

    def found(resource: JsonObject, target: Target) -> list[tuple[Any, list[int]]]:
        made = []
        for node in follow(resource, focus):
            reached = follow(node, steps[len(focus) :])
            codes = _first(node, shared, target) if reached else []
            made += [(value, codes) for value in reached]
        return made

    return found


def _first(node: Any, shared: tuple[_Shared, ...], target: Target) -> list[int]:
    """The tokens of the composites' first components."""
    return [
        tokens.token(target.tenant_id, item.type_id, item.param_id, text)
        for item in shared
        for path in item.first
        for value in follow(node, path.steps)
        for text, _ in values.token_texts(value, path.datatype)
    ]


def _composites(type_name: str, param: SearchParam) -> Iterator[tuple[str, Collect]]:
    if carrier(type_name, param) is not None:
        return
    type_id, bit = REGISTRY.types[type_name].id, 1 << param.bit
    first, second = param.components[:2]

    def collect(row: IndexRow, resource: JsonObject, target: Target) -> None:
        for node in (node for focus in param.foci for node in follow(resource, focus)):
            ends = list(_texts(node, second.paths))
            for start in _texts(node, first.paths):
                row.present |= bit
                row.flt += [tokens.token(target.tenant_id, type_id, param.id, f"{start}${end}") for end in ends]

    names = {focus[0].name for focus in param.foci if focus}
    if () in param.foci:
        names |= {path.steps[0].name for path in second.paths if path.steps}
    for name in names:
        yield name, collect


def _texts(node: Any, paths: tuple[SearchPath, ...]) -> Iterator[str]:
    for path in paths:
        for value in follow(node, path.steps):
            if path.datatype == "Reference":
                literal = references.literal(value.get("reference", ""))
                if literal is not None:
                    yield f"{literal.type}/{literal.id}"
            else:
                yield from (text for text, _ in values.token_texts(value, path.datatype))
