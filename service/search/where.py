"""Tests as SQL conditions on an aliased row. Every table of resources is named by `Frame.rows`, and by nothing else.

Prefixes follow the interval semantics of https://hl7.org/fhir/R4/search.html#prefix: a resource's interval against the
parameter's, both half-open for dates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from schemas.registry import REGISTRY
from schemas.tokens import reference_sql
from service.index.layout import PARTITIONS, partition
from service.search.query import (
    AllOf,
    Always,
    AnyOf,
    Chain,
    Further,
    Has,
    HotDate,
    Identity,
    Listed,
    Membership,
    Negated,
    PartOf,
    Place,
    Present,
    Range,
    Span,
    String,
    Test,
    Updated,
    Words,
)
from service.search.string import INDEXED

Visible = Callable[[str, str, str], str]
"""(letter of cruds, type, alias) -> the SQL condition under which the caller may see that row."""
_LONE: Final = frozenset(types[0] for types in PARTITIONS.values() if len(types) == 1)
_ARRAYS: Final = frozenset(("sel", "flt"))
_EMPTIED: Final = frozenset(("k1", "k2", "ident", "patient"))

# {lo}, {hi}: the resource's interval; {p}, {q}: the parameter's. Bounds that follow from others help the index.
_DATES: Final = {
    "eq": "{lo} >= {p} and {lo} < {q} and {hi} <= {q}",
    "ne": "({lo} < {p} or {hi} > {q})",
    "gt": "{hi} > {q}",
    "ge": "({lo} >= {p} or {hi} > {q})",
    "lt": "{lo} < {p}",
    "le": "{lo} < {q} and ({lo} < {p} or {hi} <= {q})",
    "sa": "{lo} >= {q}",
    "eb": "{lo} < {p} and {hi} <= {p}",
    "ap": "{lo} < {q} and {hi} > {p}",
}
# Numbers are closed intervals; of eq and ne the parameter's own interval is half-open, of the others it is one number.
_NUMBERS: Final = {
    "eq": "{lo} >= {p} and {hi} < {q}",
    "ne": "({lo} < {p} or {hi} >= {q})",
    "gt": "{hi} > {p}",
    "ge": "{hi} >= {p}",
    "lt": "{lo} < {p}",
    "le": "{lo} <= {p}",
    "sa": "{lo} > {p}",
    "eb": "{hi} < {p}",
    "ap": "{lo} <= {q} and {hi} >= {p}",
}
_STRINGS: Final = {
    "starts": "left({a}.norm, {n}) >= {0} and left({a}.norm, {n}) < {1}",
    "exact": "left({a}.norm, {n}) = {0} and {a}.value = {1}",
    "contains": "strpos({a}.norm, {0}) > 0",
    "uri": "left({a}.norm, {n}) = {0} and {a}.norm = {1}",
    "below": "left({a}.norm, {n}) >= {0} and left({a}.norm, {n}) < {1} and starts_with({a}.norm, {2})",
    "above": "left({a}.norm, {n}) = any({0}::text[]) and starts_with({1}, {a}.norm)",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What every table of one statement stands in: `visible` is the caller's Grant as SQL.

    `members` gives the tokens of the memberships in Groups that the caller may know of, as SQL; None for who may know all.
    `hiding` gives what hides a row from a caller whom nothing but labels limits, None for others and where nothing is hidden.
    """

    visible: Visible
    members: Callable[[], str] | None = None
    hiding: Callable[[str, str, str], str | None] = lambda letter, type_name, alias: None

    def rows(
        self, type_name: str, alias: str, letters: str = "s", test: Test | None = None, *, whole: bool = False
    ) -> tuple[str, list[str]]:
        """(table and alias, conditions) for the rows of a type that are there and that the caller may see.

        The caller may see what one of `letters` of cruds allows. Where `test` asks for a column that a deletion empties,
        nothing is said about deletion, nor about the type where it has a partition of its own: the index alone can answer.
        With `whole` nothing is said of who may see what.
        """
        where = [f"{alias}.tenant_id = $1"]
        is_live = test is not None and is_positive(test)
        if not is_live or type_name not in _LONE:
            where.append(f"{alias}.type_id = {REGISTRY.types[type_name].id}")
        if not is_live:
            where.append(f"not {alias}.deleted")
        if whole:
            return f"{partition(type_name)} {alias}", where
        table, seen = self.seen(type_name, alias, letters)
        if seen != "true":
            where.append(seen)
        return table, where

    def seen(self, type_name: str, alias: str, letters: str) -> tuple[str, str]:
        """(table and alias, what makes a row of the type visible): true for every row, false for none."""
        found = sorted({self.visible(letter, type_name, alias) for letter in letters})
        found = [each for each in found if each != "false"] or ["false"]
        seen = "true" if "true" in found else found[0] if len(found) == 1 else f"({' or '.join(found)})"
        return f"{partition(type_name)} {alias}", seen

    def condition(self, test: Test, type_name: str, alias: str) -> str:
        """The SQL of `test` on a row of `type_name` called `alias`; what the test does not find may be null."""
        render = cast(Callable[[Frame, Any, str, str], str], _RENDER[type(test)])
        return render(self, test, type_name, alias)

    def inner(
        self, test: Test, type_name: str, alias: str, columns: str, extra: str = "", only: Sequence[str] = ()
    ) -> str:
        """A subselect of the visible rows of a type for which `test` holds; `extra` joins to them, `only` limits that."""
        # One select for each alternative: each is answered by an index of its own.
        tests = test.tests if isinstance(test, AnyOf) and test.tests else (test,)
        selects = []
        for each in tests:
            table, where = self.rows(type_name, alias, test=each)
            where.append(self.condition(each, type_name, alias))
            selects.append(f"select {columns} from {table}{extra} where {' and '.join([*where, *only])}")
        return " union all ".join(selects)


def is_positive(test: Test) -> bool:
    """Whether the test asks for a value of a column that a deletion empties."""
    return isinstance(test, Place) and test.column in _EMPTIED


def _place(frame: Frame, test: Place, type_name: str, alias: str) -> str:
    return place(test, alias)


def place(test: Place, alias: str) -> str:
    """The SQL that a column holds a value of the slot."""
    column = f"{alias}.{test.column}"
    if test.column in _ARRAYS:
        slot = f"array[${test.slot}::bigint]" if test.size == 1 else f"${test.slot}::bigint[]"
        return f"{column} {'@>' if test.size == 1 else '&&'} {slot}"
    if test.size == 1:
        return f"{column} = ${test.slot}"
    if test.at:
        return f"{column} = (${test.slot}::bigint[])[{test.at}]"
    return f"{column} = any(${test.slot}::{'uuid' if test.column == 'patient' else 'bigint'}[])"


def _any(frame: Frame, test: AnyOf, type_name: str, alias: str) -> str:
    return f"({' or '.join(frame.condition(each, type_name, alias) for each in test.tests)})"


def _all(frame: Frame, test: AllOf, type_name: str, alias: str) -> str:
    return f"({' and '.join(frame.condition(each, type_name, alias) for each in test.tests)})"


def _negated(frame: Frame, test: Negated, type_name: str, alias: str) -> str:
    return f"({frame.condition(test.test, type_name, alias)}) is not true"


def _hot(frame: Frame, test: HotDate, type_name: str, alias: str) -> str:
    terms = {"lo": f"{alias}.d0", "hi": f"{alias}.d1", "p": f"${test.lo}", "q": f"${test.hi}"}
    # Without a date d0 is -infinity and d1 null, so that whatever is said of d1 is not true.
    has_date = f"{alias}.d1 is not null and " if test.prefix in ("lt", "le", "ge", "sa", "ne") else ""
    return f"({has_date}{_DATES[test.prefix].format(**terms)})"


def _range(frame: Frame, test: Range, type_name: str, alias: str) -> str:
    inner = f"{alias}v"
    terms = {"lo": f"{inner}.lo", "hi": f"{inner}.hi", "p": f"${test.lo}::numeric", "q": f"${test.hi}::numeric"}
    compared = (_DATES if test.half_open else _NUMBERS)[test.prefix].format(**terms)
    return _side("resource_range", inner, test.param, compared, test.codes, type_name, alias)


def _string(frame: Frame, test: String, type_name: str, alias: str) -> str:
    inner = f"{alias}v"
    slots = [f"${slot}" if test.how == "above" and at == 0 else f"${slot}::text" for at, slot in enumerate(test.slots)]
    compared = _STRINGS[test.how].format(*slots, a=inner, n=INDEXED)
    return _side("resource_string", inner, test.param, compared, test.codes, type_name, alias)


def _side(table: str, inner: str, param: int, compared: str, codes: tuple[int, ...], type_name: str, alias: str) -> str:
    ride = "".join(f" and {inner}.codes @> ${slot}::bigint[]" for slot in codes)
    return (
        f"exists (select from {table} {inner} where {inner}.tenant_id = $1"
        f" and {inner}.type_id = {REGISTRY.types[type_name].id} and {inner}.param = {param}"
        f" and {inner}.id = {alias}.id and {compared}{ride})"
    )


def _words(frame: Frame, test: Words, type_name: str, alias: str) -> str:
    return f"strpos({alias}.words, ${test.slot}) > 0"


def _present(frame: Frame, test: Present, type_name: str, alias: str) -> str:
    return f"{alias}.present & {test.mask} <> 0"


def _identity(frame: Frame, test: Identity, type_name: str, alias: str) -> str:
    return f"{alias}.id = any(${test.slot}::uuid[])"


def _updated(frame: Frame, test: Updated, type_name: str, alias: str) -> str:
    return f"{alias}.updated {test.operator} ${test.slot}"


def _chain(frame: Frame, test: Chain, type_name: str, alias: str) -> str:
    inner = f"{alias}c"
    if test.column == "patient":
        return f"{alias}.patient in ({frame.inner(test.test, test.type, inner, f'{inner}.id')})"
    found = _referring(frame, test, inner)
    return f"{alias}.k1 = any({found})" if test.column == "k1" else f"{alias}.sel && {found}"


def _referring(frame: Frame, test: Chain, inner: str) -> str:
    """The tokens of references to what a chain leads to."""
    made = reference_sql(f"{inner}.id", f"${test.salt}::bigint")
    return f"array({frame.inner(test.test, test.type, inner, made)})"


def _part_of(frame: Frame, test: PartOf, type_name: str, alias: str) -> str:
    inner = f"{alias}w"
    made = reference_sql(f"{inner}.id", f"${test.salt}::bigint")
    whole = frame.condition(test.test, "Task", inner)
    return (
        f"{alias}.sel && array(select {made} from resource_task {inner} where {inner}.tenant_id = $1"
        f" and {inner}.type_id = {REGISTRY.types['Task'].id} and not {inner}.deleted and {whole})"
    )


def _has(frame: Frame, test: Has, type_name: str, alias: str) -> str:
    inner = f"{alias}h"
    if test.key is None:
        return f"{alias}.id in ({frame.inner(test.test, test.type, inner, f'{inner}.patient')})"
    referred = f" cross join lateral unnest({inner}.ref, {inner}.refk) {inner}r(id, k)"
    found = frame.inner(test.test, test.type, inner, f"{inner}r.id", referred, [f"{inner}r.k = {test.key}"])
    return f"{alias}.id in ({found})"


def _membership(frame: Frame, test: Membership, type_name: str, alias: str) -> str:
    if frame.members is None or isinstance(test.test, Always):
        return frame.condition(test.test, type_name, alias)
    if isinstance(test.test, Has):
        # Of Patients those of others are out of sight; who else is a member is nobody's to know.
        return frame.condition(test.test, type_name, alias) if type_name == "Patient" else "false"
    asked = test.test.tests if isinstance(test.test, AnyOf) else (test.test,)
    own = frame.members()
    found = [
        f"{alias}.sel && array(select unnest({_member_tokens(frame, each, alias)}) intersect select unnest({own}))"
        for each in asked
    ]
    return f"({' or '.join(found)})"


def _member_tokens(frame: Frame, test: Test, alias: str) -> str:
    if isinstance(test, Place):
        return f"array[${test.slot}::bigint]" if test.size == 1 else f"${test.slot}::bigint[]"
    assert isinstance(test, Chain)
    return _referring(frame, test, f"{alias}c")


def _listed(frame: Frame, test: Listed, type_name: str, alias: str) -> str:
    inner = f"{alias}l"
    referred = f" cross join lateral unnest({inner}.ref, {inner}.refk) {inner}r(id, k)"
    found = frame.inner(Identity(test.slot), "List", inner, f"{inner}r.id", referred, [f"{inner}r.k = {test.key}"])
    return f"{alias}.id in ({found})"


def _further(frame: Frame, test: Further, type_name: str, alias: str) -> str:
    return f"{alias}.present < 0"


def _span(frame: Frame, test: Span, type_name: str, alias: str) -> str:
    # Written as the partial indexes are.
    bound = f"${test.slot}::timestamptz - interval '1 day'"
    if test.is_long:
        return f"{alias}.d1 - {alias}.d0 > interval '1 day' and {alias}.d0 < {bound}"
    return f"{alias}.d0 >= {bound}"


def _always(frame: Frame, test: Always, type_name: str, alias: str) -> str:
    return "true" if test.truth else "false"


_RENDER: Final[dict[type, Callable[..., str]]] = {
    Place: _place,
    AnyOf: _any,
    AllOf: _all,
    Negated: _negated,
    HotDate: _hot,
    Range: _range,
    String: _string,
    Words: _words,
    Present: _present,
    Identity: _identity,
    Updated: _updated,
    Chain: _chain,
    Has: _has,
    Membership: _membership,
    PartOf: _part_of,
    Listed: _listed,
    Further: _further,
    Span: _span,
    Always: _always,
}
