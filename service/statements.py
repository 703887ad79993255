"""Every statement on resource rows outside search; each names its tenant, and its table as a literal.

`CATALOGUE` is what the tests read to prove the first claim.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from schemas.registry import REGISTRY
from service.index.layout import partition

INDEX: Final = ("d0", "d1", "d2", "k1", "k2", "ident", "present", "patient", "sel", "flt", "ref", "refk", "words")
"""The columns that `index.rows.build` fills, in the order they are bound."""
ROW: Final = ("tenant_id", "type_id", "id", "version", "updated", "fid", "enc", "content", *INDEX)
"""The columns of a new resource, in the order they are bound."""
_HISTORY: Final = "updated, txn, id, tenant_id, version, type_id, enc, deleted, fid, content"
_KINDS: Final = {
    "sel": "bigint[]", "flt": "bigint[]", "ref": "uuid[]", "refk": "integer[]", "id": "uuid", "patient": "uuid",
    "updated": "timestamptz", "d0": "timestamptz", "d1": "timestamptz", "d2": "timestamptz", "k1": "bigint", "k2": "bigint",
    "ident": "bigint", "present": "bigint", "words": "text", "fid": "text", "content": "bytea", "enc": "smallint",
    "version": "integer", "tenant_id": "integer", "type_id": "smallint",
}  # fmt: skip
SIDE: Final = 12
"""How many arrays carry the string rows (six) and the range rows (six)."""


Seen = tuple[str, tuple[str, ...]]
"""A type, and what makes a row of it visible as `r`, and the current row of a version of it as `n`."""


def _of(type_name: str, alias: str = "r") -> str:
    return f"{alias}.tenant_id = $1 and {alias}.type_id = {REGISTRY.types[type_name].id}"


@lru_cache(maxsize=512)
def read(type_name: str, visible: str = "true") -> str:
    """$1 tenant, $2 key: the current version, deleted or not."""
    return (
        f"select version, updated, deleted, enc, content, fid from {partition(type_name)} r"
        f" where {_of(type_name)} and r.id = $2 and {visible}"
    )


@lru_cache(maxsize=512)
def versions(type_name: str, visible: str = "true", only: str = "", past: str = "") -> str:
    """$1 tenant, $2 key, then what `only` and `past` bind: the versions of a resource whose current version may be seen.

    `past` holds only for versions that are no longer current.
    """
    seen = f" and exists (select from {partition(type_name)} r where {_of(type_name)} and r.id = $2 and {visible})"
    return (
        f"select version, updated, deleted, enc, content, fid from {partition(type_name)} r"
        f" where {_of(type_name)} and r.id = $2 and {visible}{only}"
        f" union all select version, updated, deleted, enc, content, fid from resource_history r"
        f" where {_of(type_name)} and r.id = $2{only}{past}{'' if visible == 'true' else seen}"
    )


@lru_cache(maxsize=128)
def hold(type_name: str) -> str:
    """$1 tenant, $2 key: the current version, which nobody replaces until the transaction ends."""
    return f"select r.version from {partition(type_name)} r where {_of(type_name)} and r.id = $2 for share"


def vread(type_name: str, visible: str = "true") -> str:
    """$1 tenant, $2 key, $3 version: that version."""
    return versions(type_name, visible, " and r.version = $3")


def history(type_name: str, visible: str = "true", alive: str = "") -> str:
    """$1 tenant, $2 key, $3 since, $4 before, $5 below this version, $6 limit: newest first, and whether each created.

    With `alive`, a moment's parameter, only versions that nothing had replaced by then.
    """
    only = " and r.updated >= $3 and r.updated < $4 and r.version < $5"
    past = _not_replaced(partition(type_name), alive) if alive else ""
    found = f"{versions(type_name, visible, only, past)} order by version desc limit $6"
    of = f"p.type_id = {REGISTRY.types[type_name].id} and p.id = $2"
    return f"select v.*, {_created(of)} from ({found}) v order by v.version desc"


def _created(of: str) -> str:
    """Whether version `v` made the resource, or made it anew: there was none before it, or that was a deletion."""
    before = f"p.tenant_id = $1 and {of} and p.version = v.version - 1 and p.deleted"
    return f"v.version = 1 or exists (select from resource_history p where {before})"


def _not_replaced(table: str, alive: str) -> str:
    """That the version after `r` came later than `alive`, and not just then."""
    after = f"n.tenant_id = $1 and n.type_id = r.type_id and n.id = r.id and n.version = r.version + 1 and n.updated <= {alive}"
    return "".join(f" and not exists (select from {name} n where {after})" for name in (table, "resource_history"))


@lru_cache(maxsize=256)
def changes(arms: tuple[Seen, ...], place: tuple[str, ...] | None, limit: str, alive: str = "") -> str:
    """$1 tenant, $2 since, $3 before: the versions of many types' resources, each with what makes it visible, newest first.

    Types of which the same makes a row visible share one arm, so that the whole system costs two index ranges. `alive` as in
    `history`.
    """
    behind = (
        ""
        if place is None
        else (
            f" and (r.updated, r.type_id, r.id, r.version) < ({place[0]}::timestamptz, {place[1]}::int, {place[2]}::uuid,"
            f" {place[3]}::int)"
        )
    )
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, visible in arms:
        groups.setdefault(visible, []).append(name)
    shown = {visible: names for visible, names in groups.items() if visible[0] != "false"} or groups
    selects = [_changes(names, visible, behind, limit, alive) for visible, names in shown.items()]
    order = "updated desc, type_id desc, id desc, version desc"
    found = f"{' union all '.join(selects)} order by {order} limit {limit}"
    created = _created("p.type_id = v.type_id and p.id = v.id")
    return f"select v.*, {created} from ({found}) v order by {order}"


def _changes(names: list[str], visible: tuple[str, ...], behind: str, limit: str, alive: str) -> str:
    tables = {partition(name) for name in names}
    table = tables.pop() if len(tables) == 1 else "resource"
    columns = "r.type_id, r.id, r.version, r.updated, r.deleted, r.enc, r.content, r.fid"
    numbers = ", ".join(str(REGISTRY.types[name].id) for name in names)
    span = f"r.tenant_id = $1 and r.type_id in ({numbers}) and r.updated >= $2 and r.updated < $3{behind}"
    order = f"order by r.updated desc, r.type_id desc, r.id desc, r.version desc limit {limit}"
    current, of_current = visible
    if of_current != "true":  # of a version that was replaced the one that is current now decides
        inner = f"n.tenant_id = $1 and n.type_id = r.type_id and n.id = r.id and {of_current}"
        of_current = f"exists (select from {table} n where {inner})"
    past = _not_replaced(table, alive) if alive else ""
    return (
        f"(select {columns} from {table} r where {span} and {current} {order}) union all"
        f" (select {columns} from resource_history r where {span}{past} and {of_current} {order})"
    )


def _bound(columns: tuple[str, ...], first: int, cast: bool = False) -> str:
    return ", ".join(f"${first + at}{'::' + _KINDS[name] if cast else ''}" for at, name in enumerate(columns))


@lru_cache(maxsize=128)
def insert(rows: int, side: bool, again: bool = False) -> str:
    """`rows` new resources in one statement; with `side`, their string and range rows in SIDE arrays behind them.

    With `again` resources that are there already are left as they are.
    """
    width = len(ROW)
    tuples = ", ".join(f"({_bound(ROW, row * width + 1)})" for row in range(rows))
    main = f"insert into resource ({', '.join(ROW)}) values {tuples}{' on conflict do nothing' if again else ''}"
    return f"with main as ({main}), {_side(rows * width + 1)} select 1" if side else main


def _side(first: int) -> str:
    strings = ", ".join(
        f"${first + at}::{kind}[]" for at, kind in enumerate(("int", "int", "uuid", "text", "text", "text"))
    )
    ranges = ", ".join(
        f"${first + 6 + at}::{kind}[]" for at, kind in enumerate(("int", "int", "uuid", "numeric", "numeric", "text"))
    )
    return (
        "strings as (insert into resource_string (tenant_id, type_id, param, id, norm, value, codes)"
        f" select $1, t, p, i, n, v, c::bigint[] from unnest({strings}) s(t, p, i, n, v, c)),"
        " ranges as (insert into resource_range (tenant_id, type_id, param, id, lo, hi, codes)"
        f" select $1, t, p, i, l, h, c::bigint[] from unnest({ranges}) s(t, p, i, l, h, c))"
    )


@lru_cache(maxsize=512)
def change(type_name: str, side: bool, audit: bool, visible: str = "true") -> str:
    """$1 tenant, $2 key, $3 the version it must have, $4 updated, $5 enc, $6 content (null deletes), then INDEX.

    The version that was goes to the history in the same statement. With `side` the string and range rows are replaced; with
    `audit` one more resource is written, only if this one was. No row comes back when the version was another.
    """
    first = 7
    sets = ", ".join(f"{name} = ${first + at}" for at, name in enumerate(INDEX))
    number = REGISTRY.types[type_name].id
    parts = [
        f"changed as (update {partition(type_name)} r set version = r.version + 1, updated = $4,"
        f" txn = pg_current_xact_id()::text::bigint, enc = $5, content = $6::bytea, deleted = $6::bytea is null, {sets}"
        f" where {_of(type_name)} and r.id = $2 and r.version = $3 and {visible}"
        f" returning {', '.join('old.' + name.strip() for name in _HISTORY.split(','))})",
        f"kept as (insert into resource_history ({_HISTORY}) select {_HISTORY} from changed)",
    ]
    place = first + len(INDEX)
    if side:
        parts += [
            f"{table} as (delete from resource_{table[3:]} x where x.tenant_id = $1 and x.type_id = {number} and x.id = $2"
            f" and exists (select from changed))"
            for table in ("no_string", "no_range")
        ]
        parts.append(_side(place))
        place += SIDE
    if audit:
        parts.append(
            f"audit as (insert into resource ({', '.join(ROW)}) select {_bound(ROW, place, cast=True)} from changed)"
        )
    return f"with {', '.join(parts)} select version from changed"


CATALOGUE: Final[dict[str, Callable[[str], str]]] = {
    "read": read,
    "hold": hold,
    "vread": vread,
    "history": history,
    "history at": lambda type_name: history(type_name, alive="$7"),
    "changes": lambda type_name: changes(((type_name, ("true", "true")),), ("$4", "$5", "$6", "$7"), "$8"),
    "changes at": lambda type_name: changes(((type_name, ("true", "true")),), None, "$5", "$4"),
    "insert": lambda _: insert(2, True),
    "change": lambda type_name: change(type_name, True, True),
    "delete": lambda type_name: change(type_name, False, True),
}
"""Each statement of this module as it runs on a type."""
