"""The order of results and the place of a page in it: sort keys as SQL, and what lies beyond a row by several keys.

Values that are missing come last in both directions; the id decides between equals, so that the order is total and a page
never repeats or loses a row. https://hl7.org/fhir/R4/search.html#sort
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY, SearchParam
from service.index import layout
from service.search import token
from service.search.query import Sort
from service.search.reader import Reader
from service.search.text import Malformed

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_TEXT: Final = 200
"""How much of a text is compared and goes into a cursor."""


class Key(NamedTuple):
    """One key: `sql` of a row called {a}, the type of its values, and whether they can be missing."""

    sql: str
    kind: str
    descending: bool
    nullable: bool


class Place(NamedTuple):
    """Where a page starts: behind the row with these values, or before it; the last value is the id."""

    backward: bool
    values: tuple[Any, ...]

    @property
    def missing(self) -> tuple[bool, ...]:
        """Which values are missing: a part of the statement's shape."""
        return tuple(value is None for value in self.values)


def read(reader: Reader, types: Sequence[str], value: str) -> tuple[Sort, ...]:
    """The keys of `_sort`. Raises Malformed, naming what can be sorted by."""
    return tuple(_read(reader, types, item) for item in value.split(",") if item)


def _read(reader: Reader, types: Sequence[str], item: str) -> Sort:
    descending = item.startswith("-")
    code, _, modifier = item.removeprefix("-").lstrip("+ ").partition(":")
    if code == "_id":
        return Sort(code, "id", descending)
    if code == "_lastUpdated":
        return Sort(code, "updated", descending)
    if len(types) > 1:
        raise Malformed("A search of several types is sorted by _lastUpdated or _id", "not-supported")
    param = REGISTRY.types[types[0]].search.get(code)
    if param is None or param.kind == "composite" or code == "_list":
        sortable = [
            each.code
            for each in REGISTRY.types[types[0]].search.values()
            if each.kind != "composite" and each.code != "_list"
        ]
        hint = did_you_mean(code, sortable)
        raise Malformed(f"{types[0]} cannot be sorted by {code!r}.{hint} Sortable are {', '.join(sortable)}")
    if modifier not in ("", "text") or (modifier and not _has_text(param)):
        raise Malformed(f"{modifier!r} is no way to sort by {code}; write {code} or -{code}", "not-supported")
    return _sort(reader, types[0], param, descending, modifier)


def _has_text(param: SearchParam) -> bool:
    return any(path.datatype in token.CODED for path in param.paths)


def _sort(reader: Reader, type_name: str, param: SearchParam, descending: bool, modifier: str) -> Sort:
    search, hot = REGISTRY.types[type_name].search, layout.hot(type_name)
    codes = layout.combined(type_name, param.code) or (param.code,)
    params = tuple(search[code].id for code in codes)
    if modifier == "text":
        return Sort(param.code, "text", descending, params)
    if param.kind == "date":
        by = "d0" if hot.d0 == param.code else "d2" if hot.d2 == param.code else "moment"
        return Sort(param.code, by, descending, params)
    if param.kind in ("number", "quantity"):
        return Sort(param.code, "number", descending, params)
    if param.kind == "string" or (param.kind == "uri" and not param.code.startswith("_")):
        return Sort(param.code, "string", descending, params)
    if param.kind == "reference" and any(path.datatype not in ("canonical", "uri") for path in param.paths):
        column = "patient" if layout.is_patient_column(type_name, param.code) else ""
        return Sort(param.code, "reference", descending, params, 0, column)
    closed = param.codes or (
        ("false", "true") if all(p.datatype in ("boolean", "dateTime") for p in param.paths) else ()
    )
    if param.kind != "token" or not closed:
        return Sort(param.code, "code", descending, params)
    found = [token.text(type_name, param.paths, code) for code in closed]
    made = [token.hashed(reader, type_name, param, each) for each in found if each is not None]
    where = token.columns(type_name, param.code, "any")
    return Sort(param.code, "rank", descending, params, reader.array(made), where[0] if len(where) == 1 else "flt")


def keys(type_name: str, sorts: Sequence[Sort]) -> tuple[Key, ...]:
    """The keys of the whole order, the id last."""
    made = [key for sort in sorts for key in _keys(type_name, sort)]
    if not any(key.kind == "uuid" and not key.nullable for key in made):
        made.append(Key("{a}.id", "uuid", made[-1].descending, False))
    return tuple(made)


def _keys(type_name: str, sort: Sort) -> list[Key]:
    down = sort.descending
    if sort.by == "d0":
        # Without a date d0 is -infinity, which comes last by itself only when the newest come first.
        undated = [] if down else [Key("({a}.d1 is null)::int", "rank", False, False)]
        return [*undated, Key("{a}.d0", "time", down, False)]
    sql, kind, nullable = _SQL[sort.by](type_name, sort)
    return [Key(sql, kind, down, nullable)]


def _moment(type_name: str, sort: Sort) -> tuple[str, str, bool]:
    return _least(type_name, sort, "resource_range", "lo", "lo"), "number", True


def _number(type_name: str, sort: Sort) -> tuple[str, str, bool]:
    return _least(type_name, sort, "resource_range", "lo", "hi"), "number", True


def _string(type_name: str, sort: Sort) -> tuple[str, str, bool]:
    text = f"left({{a}}o.norm, {_TEXT})"
    return _least(type_name, sort, "resource_string", text, text), "text", True


def _least(type_name: str, sort: Sort, table: str, least: str, most: str) -> str:
    """Of several values the one that comes first in the order."""
    value = most if sort.descending else least
    value = value if value.startswith("left") else f"{{a}}o.{value}"
    params = ", ".join(map(str, sort.params))
    return (
        f"(select {'max' if sort.descending else 'min'}({value}) from {table} {{a}}o where {{a}}o.tenant_id = $1"
        f" and {{a}}o.type_id = {REGISTRY.types[type_name].id} and {{a}}o.id = {{a}}.id and {{a}}o.param in ({params}))"
    )


def _words(mark: str) -> Callable[[str, Sort], tuple[str, str, bool]]:
    def made(type_name: str, sort: Sort) -> tuple[str, str, bool]:
        params = ", ".join(f"'{param}'" for param in sort.params)
        value = f"left(split_part({{a}}w, E'{mark}', 2), {_TEXT}) collate \"C\""
        sql = (
            f"(select {'max' if sort.descending else 'min'}({value}) from string_to_table({{a}}.words, E'\\x1e') {{a}}w"
            f" where strpos({{a}}w, E'{mark}') > 0 and split_part({{a}}w, E'{mark}', 1) in ({params}))"
        )
        return sql, "text", True

    return made


def _rank(type_name: str, sort: Sort) -> tuple[str, str, bool]:
    if sort.column in ("k1", "k2"):
        return f"array_position(${sort.slot}::bigint[], {{a}}.{sort.column})", "rank", True
    sql = (
        f"(select {'max' if sort.descending else 'min'}({{a}}o.at)::int from unnest(${sort.slot}::bigint[])"
        f" with ordinality {{a}}o(token, at) where {{a}}o.token = any({{a}}.flt))"
    )
    return sql, "rank", True


def _reference(type_name: str, sort: Sort) -> tuple[str, str, bool]:
    order = "desc" if sort.descending else "asc"
    sql = (
        f"(select {{a}}o.id from unnest({{a}}.ref, {{a}}.refk) {{a}}o(id, k) where {{a}}o.k >> 8 in"
        f" ({', '.join(map(str, sort.params))}) order by {{a}}o.id {order} limit 1)"
    )
    return (f"coalesce({{a}}.{sort.column}, {sql})" if sort.column else sql), "uuid", True


_SQL: Final[dict[str, Callable[[str, Sort], tuple[str, str, bool]]]] = {
    "id": lambda _, sort: ("{a}.id", "uuid", False),
    "updated": lambda _, sort: ("{a}.updated", "time", False),
    "d2": lambda _, sort: ("{a}.d2", "time", True),
    "moment": _moment,
    "number": _number,
    "string": _string,
    "code": _words("\\x1d"),
    "text": _words("\\x1f"),
    "rank": _rank,
    "reference": _reference,
}
CASTS: Final = {"time": "timestamptz", "uuid": "uuid", "rank": "int", "number": "numeric", "text": "text"}


def order_by(order: Sequence[Key], names: Sequence[str], backward: bool) -> str:
    """The ORDER BY list of the keys under these names."""
    parts = []
    for key, name in zip(order, names, strict=True):
        nulls = f" nulls {'first' if backward else 'last'}" if key.nullable else ""
        parts.append(f"{name} {'desc' if key.descending != backward else 'asc'}{nulls}")
    return ", ".join(parts)


def beyond(
    order: Sequence[Key], names: Sequence[str], backward: bool, missing: Sequence[bool], slots: Sequence[int]
) -> str:
    """The condition that a row comes after (before, when `backward`) the one whose values are in the slots."""
    alternatives: list[str] = []
    same: list[str] = []
    for key, name, is_missing, slot in zip(order, names, missing, slots, strict=True):
        value = f"${slot}::{CASTS[key.kind]}"
        sign = "<" if key.descending != backward else ">"
        if is_missing:
            later = f"{name} is not null" if backward else None
        elif key.nullable and not backward:
            later = f"({name} {sign} {value} or {name} is null)"
        else:
            later = f"{name} {sign} {value}"
        if later is not None:
            alternatives.append(" and ".join([*same, later]))
        same.append(f"{name} is null" if is_missing else f"{name} = {value}")
    either = f"({' or '.join(f'({each})' for each in alternatives)})" if alternatives else "false"
    if order[0].nullable:
        return either
    # Follows from the rest, but bounds the index.
    sign = "<=" if order[0].descending != backward else ">="
    return f"{names[0]} {sign} ${slots[0]}::{CASTS[order[0].kind]} and {either}"


def packed(order: Sequence[Key], values: Sequence[Any]) -> list[str | int]:
    """The values as they stand in a cursor."""
    return [_pack(key.kind, value) for key, value in zip(order, values, strict=True)]


def _pack(kind: str, value: Any) -> str | int:
    if value is None:
        return ""
    if kind == "time":
        # -infinity, which stands where there is no date, comes back from the driver as a moment without a zone.
        return int((value.replace(tzinfo=UTC) - _EPOCH) // _TICK)
    return int(value) if kind == "rank" else f"={value}"


def unpacked(order: Sequence[Key], values: Sequence[str | int]) -> tuple[Any, ...]:
    """The values that a cursor carries. Raises ValueError when it belongs to another order."""
    if len(values) != len(order):
        raise ValueError("another order")
    return tuple(_unpack(key.kind, value) for key, value in zip(order, values, strict=True))


def _unpack(kind: str, value: str | int) -> Any:
    if value == "":
        return None
    if isinstance(value, int):
        return _EPOCH + value * _TICK if kind == "time" else value
    return {"uuid": UUID, "number": Decimal, "text": str}[kind](value[1:])
