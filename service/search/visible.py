"""A Grant as SQL on the columns of a row: circles, what its constraint searches find, and the labels that hide.

Within a constraint the rows it looks up are those of the rule's circles, without hidden ones: a rule whose words the app
chooses tells nothing of what the person could not find. Scopes do not limit them: the rule speaks of the data.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from schemas import dates
from service import circle
from service.circle import Asked, Bind, Own
from service.grant import Grant, Limit, Shape
from service.index.rows import HIDING
from service.search.binder import Binder, used
from service.search.criterion import criterion
from service.search.reader import Expansion, Reader
from service.search.text import Malformed
from service.search.where import Frame, is_positive


def visible(grant: Grant, letter: str, type_name: str, tenant_id: int, alias: str, binder: Binder) -> str:
    """The condition under which `grant` allows `letter` (of cruds) on the row `alias` of that type.

    `true` for every row, `false` for none; $1 of the statement is the tenant. For a value of the caller's an Own is bound.
    """
    return _written(grant.shape, Asked(type_name, alias, letter, False), tenant_id, binder)


def predicate(
    grant: Grant, letter: str, type_name: str, tenant_id: int, alias: str, values: list[Any], *, written: bool = False
) -> str:
    """As `visible`, remembered, with the caller's values added to `values`, and of a row that this transaction wrote."""
    own = tenant_id if grant.shape.is_constrained else 0
    sql, symbols = _remembered(grant.shape, Asked(type_name, alias, letter, written), own, len(values))
    values += grant.values(symbols, tenant_id) if symbols else ()
    return sql


def predicates(
    grant: Grant, letter: str, type_names: tuple[str, ...], tenant_id: int, aliases: tuple[str, ...], values: list[Any]
) -> tuple[tuple[str, ...], ...]:
    """As `predicate` for several types, each under every one of the aliases; what is the same for types is the same SQL."""
    own = tenant_id if grant.shape.is_constrained else 0
    made, symbols = _of_types(grant.shape, letter, type_names, own, aliases, len(values))
    values += grant.values(symbols, tenant_id) if symbols else ()
    return made


@lru_cache(maxsize=256)
def _of_types(
    shape: Shape, letter: str, type_names: tuple[str, ...], tenant_id: int, aliases: tuple[str, ...], first: int
) -> tuple[tuple[tuple[str, ...], ...], tuple[Any, ...]]:
    binder = Binder([None] * first)
    made = tuple(
        tuple(_written(shape, Asked(name, alias, letter, False), tenant_id, binder) for alias in aliases)
        for name in type_names
    )
    dense, values = used((text for texts in made for text in texts), binder.values, first)
    width = len(aliases)
    return tuple(dense[at : at + width] for at in range(0, len(dense), width)), values


@lru_cache(maxsize=16384)
def _remembered(shape: Shape, asked: Asked, tenant_id: int, first: int) -> tuple[str, tuple[Any, ...]]:
    binder = Binder([None] * first)
    (sql,), values = used((_written(shape, asked, tenant_id, binder),), binder.values, first)
    return sql, values


def _written(shape: Shape, asked: Asked, tenant_id: int, binder: Binder) -> str:
    limits = shape.limits(asked.letter, asked.type)
    if limits is None:
        return "false"
    parts = [_any(limits, shape, asked, tenant_id, binder)] if limits else []
    if parts == ["false"]:
        return "false"
    parts = [part for part in parts if part != "true"] + _unhidden(shape, asked, _bind(binder))
    return " and ".join(parts) or "true"


def _any(limits: tuple[Limit, ...], shape: Shape, asked: Asked, tenant_id: int, binder: Binder) -> str:
    mark = len(binder.values)
    made = [_all(limit, shape, asked, tenant_id, binder) for limit in limits]
    if "true" in made:
        del binder.values[mark:]
        return "true"
    found = [each for each in made if each != "false"]
    return f"({' or '.join(found)})" if found else "false"


def _all(limit: Limit, shape: Shape, asked: Asked, tenant_id: int, binder: Binder) -> str:
    constraint, circles = limit
    mark = len(binder.values)
    within = circle.condition(circles, asked, _bind(binder))
    searched = _found(constraint, circles, shape, asked, tenant_id, binder) if constraint else "true"
    if "false" in (within, searched):
        del binder.values[mark:]
        return "false"
    return " and ".join(part for part in (within, searched) if part != "true") or "true"


def _found(
    constraint: tuple[tuple[str, str], ...],
    circles: tuple[str, ...],
    shape: Shape,
    asked: Asked,
    tenant_id: int,
    binder: Binder,
) -> str:
    """What the constraint's search finds; nothing, where it cannot be understood or needs more than one statement."""
    mark = len(binder.values)
    reader = Reader(tenant_id, "", dates.clock(), binder)
    try:
        tests = [criterion(reader, asked.type, name, value) for name, value in constraint]
    except Malformed:
        return "false"
    if any(isinstance(value, Expansion) for value in binder.values[mark:]):
        return "false"

    def inner(letter: str, type_name: str, alias: str) -> str:
        of = Asked(type_name, alias, "r", False)
        bind = _bind(binder)
        parts = [circle.condition(circles, of, bind), *_unhidden(shape, of, bind)]
        return "false" if "false" in parts else " and ".join(part for part in parts if part != "true") or "true"

    frame = Frame(inner, members(shape, binder))
    found = [f"({frame.condition(test, asked.type, asked.alias)})" for test in tests]
    if not any(is_positive(test) for test in tests):  # of a deletion it holds that a value is not so, or is missing
        found.append(f"not {asked.alias}.deleted")
    return f"({' and '.join(found)})"


def members(shape: Shape, binder: Binder) -> Callable[[], str] | None:
    """What `Frame.members` is for callers of this kind."""
    return (lambda: circle.member_tokens(shape.circles, _bind(binder))) if shape.is_client else None


def hiding(shape: Shape, letter: str, type_name: str, alias: str, binder: Binder) -> str | None:
    """What `Frame.hiding` is for callers of this kind."""
    if not shape.hidden or shape.limits(letter, type_name) != ():
        return None
    return f"{alias}.present & {HIDING} <> 0 and {alias}.flt && {_bind(binder)(Own('hidden'))}::bigint[]"


def _unhidden(shape: Shape, asked: Asked, bind: Bind) -> list[str]:
    """That no label hides the row."""
    alias = asked.alias
    if not shape.hidden:
        return []
    if shape.own_hidden is None or asked.type in circle.SHARED:
        return [_without(alias, "hidden", bind)]
    always = _without(alias, "hidden-own", bind)
    if not circle.has_column(asked.type):
        return [always]
    # To perform something in another Patient's record does not make it one's own.
    own = f"{alias}.patient is null or {alias}.patient = {bind(Own('patient'))}"
    return [always, f"({own} or {_without(alias, 'hidden', bind)})"]


def _without(alias: str, hidden: str, bind: Bind) -> str:
    return f"not {alias}.flt && {bind(Own(hidden))}::bigint[]"


def _bind(binder: Binder) -> Bind:
    """Binds each value of the caller's once."""

    def bound(own: Own) -> str:
        if own in binder.values:
            return f"${binder.values.index(own) + 1}"
        return binder.bind(own)

    return bound
