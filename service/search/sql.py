"""Statements of a search: the page, the count, and what a plan estimates. One shape is compiled once; values are bound.

Every statement takes the query's values first, then those of the page's place; what a Grant adds comes last. Slots that one
statement does not use are left out of it, so that its numbers are dense.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from service.grant import Grant
from service.search import order, plan
from service.search.binder import Binder
from service.search.order import Key
from service.search.plan import Arm
from service.search.query import Query, Sort, Typed
from service.search.visible import hiding, members, visible
from service.search.where import Frame, is_positive

LIMITS: Final = (1, 2, 3, 6, 11, 21, 51, 101, 201, 501, 1001)
"""Rows that statements are made for: a number in the SQL is one that the planner knows, and few numbers are few plans."""
COLUMNS: Final = ("type_id", "id", "fid", "enc", "content")
FOUND: Final = ("type_id", "id", "version", "updated", "deleted", "enc", "content", "fid")
LINKED: Final = ("patient", "ref", "refk")
"""Columns that includes follow."""
_SLOT: Final = re.compile(r"\$(\d+)")


class Shape(NamedTuple):
    """A statement apart from its values: `values` says how many there are, `missing` which of the place's are null."""

    typed: tuple[Typed, ...]
    sort: tuple[Sort, ...]
    values: int
    letter: str
    limit: int
    columns: tuple[str, ...] = COLUMNS
    backward: bool = False
    missing: tuple[bool, ...] | None = None


class Statement(NamedTuple):
    """SQL, which of all values it binds, and those that the Grant added."""

    sql: str
    picks: tuple[int, ...]
    constants: tuple[Any, ...]

    def bound(self, *values: Sequence[Any]) -> list[Any]:
        """The values to bind, from those of the query and the place."""
        every = [value for part in values for value in part]
        every += self.constants
        return [every[pick] for pick in self.picks]


class Cache:
    """Statements by shape and kind of Grant, at most `size` of them: callers who differ in who they are share them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._made: dict[Any, Statement] = {}

    def get(
        self, make: Callable[[Any, Frame], str], shape: Any, values: int, grant: Grant, tenant_id: int
    ) -> Statement:
        """The statement of `shape`, which numbers `values` values itself."""
        key = (make, shape, grant.shape, tenant_id if grant.shape.is_constrained else 0)
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= self._size:
                self._made.clear()
            found = self._made[key] = compiled(make, shape, values, grant, tenant_id)
        if found.constants:
            return found._replace(constants=tuple(grant.values(found.constants, tenant_id)))
        return found


STATEMENTS: Final = Cache(4096)


def compiled(make: Callable[[Any, Frame], str], shape: Any, values: int, grant: Grant, tenant_id: int) -> Statement:
    """`make(shape)` under the Grant, its slots renumbered without gaps; among its constants are the caller's Owns."""
    binder = Binder([None] * values)
    binder.values[0] = tenant_id
    frame = Frame(
        lambda letter, type_name, alias: visible(grant, letter, type_name, tenant_id, alias, binder),
        members(grant.shape, binder),
        lambda letter, type_name, alias: hiding(grant.shape, letter, type_name, alias, binder),
    )
    sql = make(shape, frame)
    numbers = {number: at + 1 for at, number in enumerate(sorted({int(found) for found in _SLOT.findall(sql)}))}
    dense = _SLOT.sub(lambda found: f"${numbers[int(found[1])]}", sql)
    return Statement(dense, tuple(number - 1 for number in numbers), tuple(binder.values[values:]))


def sorts(query: Query) -> tuple[Sort, ...]:
    """The keys to order by, as asked or by default."""
    if query.sort:
        return query.sort
    if len(query.typed) == 1:
        return plan.default_order(query.typed[0])
    defaults = [plan.default_order(each)[0] for each in query.typed]
    is_followed = all(each.by == "updated" for each in defaults)
    return (Sort("_lastUpdated", "updated", not is_followed),)


def keys(shape: Shape) -> tuple[Key, ...]:
    """The order's keys for the statement."""
    return order.keys(shape.typed[0].type, shape.sort)


def names(found: Sequence[Key]) -> list[str]:
    """The columns that the keys have in a statement's rows."""
    return ["id" if key.sql == "{a}.id" else f"s{at}" for at, key in enumerate(found)]


def rows_for(count: int) -> int:
    """How many rows to ask for to get `count`."""
    return next((limit for limit in LIMITS if limit >= count), count)


def page(shape: Shape, frame: Frame) -> str:
    """The rows of a page, in order, as many as the shape's limit."""
    found = keys(shape)
    arms = [_arm(shape, frame, each.type, arm, found) for each in shape.typed for arm in plan.arms(each, shape.sort)]
    if len(arms) == 1:
        return arms[0]
    united = " union all ".join(f"({arm})" for arm in arms)
    by = order.order_by(found, [f"u.{name}" for name in names(found)], shape.backward)
    return f"select * from ({united}) u order by {by} limit {shape.limit}"


def _arm(shape: Shape, frame: Frame, type_name: str, arm: Arm, found: Sequence[Key]) -> str:
    table, where = frame.rows(type_name, "r", shape.letter)
    where += [frame.condition(test, type_name, "r") for test in arm.tests]
    values = [key.sql.format(a="r") for key in found]
    shown = [f"r.{column}" for column in shape.columns]
    shown += [f"{value} as {name}" for value, name in zip(values, names(found), strict=True) if name != "id"]
    if arm.ordered:
        where += _beyond(shape, found, values)
        by = order.order_by(found, values, shape.backward)
        return f"select {', '.join(shown)} from {table} where {' and '.join(where)} order by {by} limit {shape.limit}"
    fenced = [f"f.{name}" for name in names(found)]
    beyond = "".join(f" where {each}" for each in _beyond(shape, found, fenced))
    by = order.order_by(found, fenced, shape.backward)
    gathered = f"select {', '.join(shown)} from {table} where {' and '.join(where)} offset 0"
    return f"select f.* from ({gathered}) f{beyond} order by {by} limit {shape.limit}"


def _beyond(shape: Shape, found: Sequence[Key], columns: Sequence[str]) -> list[str]:
    if shape.missing is None:
        return []
    first = shape.values - len(found) + 1
    slots = range(first, first + len(found))
    return [order.beyond(found, columns, shape.backward, shape.missing, slots)]


def count(shape: Shape, frame: Frame) -> str:
    """The number of matches: one count an arm, so that each can be read from its index alone.

    What labels hide is in no such index: it is counted apart, from the index of the few rows that have them.
    """
    counts = []
    for each in shape.typed:
        hidden = frame.hiding(shape.letter, each.type, "r")
        for arm in plan.arms(each, shape.sort):
            matches = _matches(shape, frame, each.type, arm, whole=hidden is not None)
            counts.append(f" + (select count(*) {matches})")
            counts += [f" - (select count(*) {matches} and {hidden})"] if hidden is not None else []
    return f"select {''.join(counts)[3:]}"


def estimate(shape: Shape, frame: Frame) -> str:
    """The plan for all matches: its row count is an estimate that costs no reading."""
    parts = [f"select {_matches(shape, frame, each.type, Arm(each.tests, False))}" for each in shape.typed]
    return f"explain (format json) {' union all '.join(parts)}"


def _matches(shape: Shape, frame: Frame, type_name: str, arm: Arm, *, whole: bool = False) -> str:
    positive = next((test for test in arm.tests if is_positive(test)), None)
    table, where = frame.rows(type_name, "r", shape.letter, positive, whole=whole)
    where += [frame.condition(test, type_name, "r") for test in arm.tests]
    return f"from {table} where {' and '.join(where)}"
