"""Patient/$everything: the patient, then what is in the patient's compartment, one index range per table.

https://hl7.org/fhir/R4/patient-operation-everything.html
What refers to the patient in another way than by the patient column comes from the token index, behind each table's range.
AuditEvents are no part of the record, and a Group would show its other members: both are left out.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas import dates, ids, tokens
from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY
from service.index import layout
from service.index.layout import partition
from service.search import order, ordered
from service.search.order import Key, beyond, order_by
from service.search.parse import TOLERATED, Limits
from service.search.sql import COLUMNS
from service.search.text import Malformed
from service.search.where import Frame

LEFT_OUT: Final = frozenset(("AuditEvent", "Group"))
KEYS: Final = (Key("{a}.d0", "time", True, False), Key("{a}.id", "uuid", True, False))
_KNOWN: Final = ("start", "end", "_since", "_type", "_count", "_cursor")


class Asked(NamedTuple):
    """The parameters of the operation, read."""

    types: tuple[str, ...]
    start: datetime | None = None
    end: datetime | None = None
    since: datetime | None = None
    size: int = 0
    cursor: str | None = None


class Shape(NamedTuple):
    """A statement apart from its values: which of the bounds there are, and the part at which the page starts."""

    types: tuple[str, ...]
    start: bool
    end: bool
    since: bool
    part: int
    placed: bool
    limit: int


def types() -> tuple[str, ...]:
    """The types whose resources can be part of a patient's record here, the patient first."""
    found = [name for name, each in REGISTRY.types.items() if each.storable and "Patient" in each.compartments]
    return ("Patient", *(name for name in found if name != "Patient" and name not in LEFT_OUT))


def read(params: Sequence[tuple[str, str]], limits: Limits, strict: bool) -> Asked:
    """The parameters as sent. Raises Malformed."""
    asked = Asked(types(), size=limits.most)
    for name, value in params:
        try:
            asked = _read(asked, name, value, limits)
        except Malformed:
            if strict or name == "_cursor":
                raise
    return asked


def _read(asked: Asked, name: str, value: str, limits: Limits) -> Asked:
    if name in TOLERATED:
        return asked
    if name == "start":
        return asked._replace(start=ordered.interval(value).lo)
    if name == "end":
        return asked._replace(end=ordered.interval(value).hi)
    if name == "_since":
        return asked._replace(since=ordered.interval(value).lo)
    if name == "_cursor":
        return asked._replace(cursor=value)
    if name == "_count":
        if not (value.isascii() and value.isdigit() and int(value[:9]) > 0):
            raise Malformed(f"_count is a number from 1 to {limits.most}, not {value[:40]!r}")
        return asked._replace(size=min(int(value[:9]), limits.most))
    if name == "_type":
        named = tuple(dict.fromkeys(each for each in value.split(",") if each))
        for each in named:
            if each not in types():
                hint = did_you_mean(each, types())
                raise Malformed(f"{each[:40]!r} is no type of a patient's record here.{hint}")
        return asked._replace(types=named)
    hint = did_you_mean(name, _KNOWN)
    raise Malformed(
        f"$everything has no parameter {name[:40]!r}.{hint} It takes {', '.join(_KNOWN[:5])}", "not-supported"
    )


@lru_cache(maxsize=256)
def _references() -> tuple[tuple[int, int], ...]:
    """(type id, parameter id) of the references that put a resource into the compartment and are not in its column."""
    return tuple(
        (REGISTRY.types[name].id, REGISTRY.types[name].search[code].id)
        for name in types()
        for code in REGISTRY.types[name].compartments["Patient"]
        if code != "_id" and not layout.is_patient_column(name, code)
    )


def values(tenant_id: int, patient_id: str, asked: Asked) -> list[Any]:
    """What a statement binds, the place of the page apart."""
    key = ids.key(tenant_id, "Patient", patient_id)
    target = REGISTRY.types["Patient"].id
    referring = [tokens.reference(tenant_id, type_id, param, target, key) for type_id, param in _references()]
    return [tenant_id, key, referring, asked.start or dates.PAST, asked.end or dates.FUTURE, asked.since or dates.PAST]


def page(shape: Shape, frame: Frame) -> str:
    """The rows of a page, part by part; each carries its part and the keys of the order within."""
    parts = [
        f"({_select(shape, frame, names, part, by_column)})"
        for part, (names, by_column) in enumerate(_parts(shape.types))
        if part >= shape.part
    ]
    if len(parts) == 1:  # limited by itself, and not to be limited twice
        return parts[0]
    # An Append yields its arms one after the other, and none is begun before the page needs it.
    return f"{' union all '.join(parts)} limit {shape.limit}" if parts else "select where $1::int is null"


def _parts(names: Sequence[str]) -> list[tuple[tuple[str, ...], bool]]:
    """(types of one table, whether by the patient column), in the order of a page."""
    by_table: dict[str, list[str]] = {}
    for name in names:
        by_table.setdefault(partition(name), []).append(name)
    found = sorted(by_table.values(), key=lambda group: "Patient" not in group)
    return [(tuple(group), by_column) for group in found for by_column in (True, False)]


def _select(shape: Shape, frame: Frame, names: Sequence[str], part: int, by_column: bool) -> str:
    table = f"{partition(names[0])} r"
    where = ["r.tenant_id = $1", _visible(frame, names), "not r.deleted"]
    # k1 has an index only where it is hot: asked in any other table, it would be read from end to end.
    by_token = (
        "(r.sel && $3::bigint[] or r.k1 = any($3::bigint[]))" if _refers_by_k1(names) else "r.sel && $3::bigint[]"
    )
    where.append("r.patient = $2" if by_column else by_token)
    if not by_column:
        where.append("r.patient is distinct from $2")
    if shape.start:
        where.append("(r.d1 is null or r.d1 > $4)")
    if shape.end:
        where.append("r.d0 < $5")
    if shape.since:
        where.append("r.updated >= $6")
    if shape.placed and part == shape.part:
        where.append(beyond(KEYS, ("r.d0", "r.id"), False, (False, False), (7, 8)))
    shown = ", ".join(f"r.{column}" for column in COLUMNS)
    by = order_by(KEYS, ("r.d0", "r.id"), False)
    return (
        f"select {shown}, r.d0 as s0, {part} as part from {table} where {' and '.join(where)}"
        f" order by {by} limit {shape.limit}"
    )


def _refers_by_k1(names: Sequence[str]) -> bool:
    """Whether the hot column k1 of one of the types holds a reference that puts a resource into the compartment."""
    return any(layout.hot(name).k1 in REGISTRY.types[name].compartments["Patient"] for name in names)


def _visible(frame: Frame, names: Sequence[str]) -> str:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(frame.seen(name, "r", "r")[1], []).append(str(REGISTRY.types[name].id))
    parts = [f"(r.type_id in ({', '.join(numbers)}) and {seen})" for seen, numbers in groups.items() if seen != "false"]
    return f"({' or '.join(parts)})" if parts else "false"


class Place(NamedTuple):
    """The row a page starts behind: its part and the values of the keys within."""

    part: int
    values: tuple[Any, ...]


def packed(row: Any) -> list[str | int]:
    """The place of a row as it stands in a cursor."""
    return [row["part"], *order.packed(KEYS, (row["s0"], row["id"]))]


def place(payload: Sequence[str | int]) -> Place:
    """The place that a cursor carries."""
    return Place(int(payload[0]), order.unpacked(KEYS, payload[1:]))
