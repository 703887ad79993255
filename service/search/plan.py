"""How a search is driven: which test leads to the rows, in which order they come, and in how many arms.

One test drives and all others filter. A driver whose index continues with the date yields rows in order, so that a page costs
what it shows; every other driver gathers its matches first and sorts them, behind a fence that keeps PostgreSQL from walking an
ordered index in the hope of a match. Values that sit in two columns (the first code in k1, further ones in sel) or a comma list
on an ordered index become one arm each, disjoint, so that every arm stays ordered.

Without `_sort` the order is: newest clinical date first where the type has one and something narrows the search; oldest
change first for `_lastUpdated` alone, as a client that follows changes wants it; else newest id first.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from service.index import layout
from service.search.query import (
    AllOf,
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
    Range,
    Sort,
    Span,
    String,
    Test,
    Typed,
    Updated,
)

ORDERED: Final[dict[str, frozenset[str]]] = {
    "Observation": frozenset(("k1",)),
    "QuestionnaireResponse": frozenset(("k1",)),
    "Task": frozenset(("k2",)),
    "CarePlan": frozenset(("k2",)),
    "Goal": frozenset(("k2",)),
}
"""The hot columns of each type that an index leads with and continues with (d0, id)."""
INDEXED: Final[dict[str, frozenset[str]]] = {**ORDERED, "Task": frozenset(("k1", "k2"))}
"""The hot columns that an index finds at all; in other types they only filter."""
FURTHER: Final = frozenset(("Observation",))
"""Types with an index of the rows that have more codes than the one in k1, by patient."""
LONG: Final[dict[str, frozenset[str]]] = {
    "Observation": frozenset(("k1", "patient")),
    "QuestionnaireResponse": frozenset(("k1",)),
}
"""Types with an index of the rows that span more than a day, by which column: of all others a date bounds the start."""
MOST_ARMS: Final = 8
_RANKS: Final = {"ident": 1, "patient": 3, "sel": 5, "k1": 6, "k2": 7}


class Arm(NamedTuple):
    """A part of the matches, disjoint from the other parts. `ordered`: the driver's index yields them in order."""

    tests: tuple[Test, ...]
    ordered: bool


def rank(test: Test, type_name: str) -> int | None:
    """How good a driver the test is, 0 the best; None when no index answers it."""
    match test:
        case Identity():
            return 0
        case Place(column="k1" | "k2" as column):
            return _RANKS[column] if column in INDEXED.get(type_name, ()) else None
        case Place(column=column):
            return _RANKS.get(column)
        case Membership(test=inner):
            return rank(inner, type_name)
        case Listed():
            return 2
        case Chain(column="patient") | Has():
            return 4
        case Chain() | PartOf():
            return 5
        case String(how=how):
            return 8 if how != "contains" else 10
        case Range(prefix=prefix):
            return 9 if prefix in ("eq", "ap") else 10 if prefix != "ne" else None
        case HotDate(prefix=prefix):
            return 11 if type_name == "AuditEvent" and prefix != "ne" else None
        case Updated():
            return 12
        case AllOf(tests=tests):
            return min((found for each in tests if (found := rank(each, type_name)) is not None), default=None)
        case AnyOf(tests=tests):
            ranks = [found for each in tests if (found := rank(each, type_name)) is not None]
            if not tests or len(ranks) < len(tests):
                return None
            # What an identifier shares between its column and sel are few rows in both.
            return 1 if 1 in ranks else max(ranks)
    return None


def default_order(typed: Typed) -> tuple[Sort, ...]:
    """The order of a search that asks for none."""
    ranks = [found for test in typed.tests if (found := rank(test, typed.type)) is not None]
    dated = layout.hot(typed.type).d0
    if dated is not None and (typed.type == "AuditEvent" or (ranks and 0 < min(ranks) < 12)):
        return (Sort(dated, "d0", True),)
    if ranks and min(ranks) == 12:
        return (Sort("_lastUpdated", "updated", False),)
    return (Sort("_id", "id", True),)


def arms(typed: Typed, sorts: Sequence[Sort]) -> tuple[Arm, ...]:
    """The arms of one type's search in this order."""
    ranked = [(found, at) for at, test in enumerate(typed.tests) if (found := rank(test, typed.type)) is not None]
    by_date = len(sorts) == 1 and sorts[0].by == "d0" and sorts[0].descending
    if not ranked:
        return (Arm(typed.tests, sorts[0].by in ("id", "updated") or (by_date and typed.type == "AuditEvent")),)
    best, at = min(ranked)
    if best >= 11:
        return (Arm(typed.tests, sorts[0].by == "updated" or (by_date and best == 11)),)
    if not by_date:
        return (Arm(typed.tests, False),)
    if _is_of_owner(typed):
        return (Arm(typed.tests, True),)
    rest = (*typed.tests[:at], *typed.tests[at + 1 :])
    split = [each for arm in _split(typed, typed.tests[at], rest) for each in _by_code(typed.type, arm)]
    return tuple(each for arm in split for each in _by_length(typed.type, arm))


def _split(typed: Typed, driver: Test, rest: tuple[Test, ...]) -> list[Arm]:
    """An arm for each alternative of the driver, when an ordered index answers one of them."""
    found = _alternatives(typed.type, driver)
    if not any(_is_ordered(typed.type, each) for each in found):
        return [Arm((driver, *rest), False)]
    # Values of one column exclude each other by themselves; a row can be in several columns.
    return [
        Arm((each, *_others(found[:at], each), *rest), _is_ordered(typed.type, each)) for at, each in enumerate(found)
    ]


def _is_of_owner(typed: Typed) -> bool:
    """Whether an owner's Tasks of one status are wanted, which their index has in order."""
    columns = {test.column for test in typed.tests if isinstance(test, Place) and test.size == 1}
    return typed.type == "Task" and {"k1", "k2"} <= columns and not columns & {"patient", "ident", "sel"}


def _by_code(type_name: str, arm: Arm) -> list[Arm]:
    """A patient's rows by code: those with it in k1, which the patient's index holds, apart from the few with further ones."""
    driver = arm.tests[0]
    if type_name not in FURTHER or not arm.ordered or not isinstance(driver, Place) or driver.column != "patient":
        return [arm]
    for at, test in enumerate(arm.tests):
        if isinstance(test, AnyOf) and all(
            isinstance(each, Place) and each.column in ("k1", "sel") for each in test.tests
        ):
            first = [each for each in test.tests if isinstance(each, Place) and each.column == "k1"]
            further = [each for each in test.tests if each not in first]
            if len(first) == 1 and further:
                rest = (*arm.tests[:at], *arm.tests[at + 1 :])
                others = (Further(), AnyOf(tuple(further)), Negated(first[0]))
                return [Arm((*rest, first[0]), True), Arm((*rest, *others), True)]
    return [arm]


def _by_length(type_name: str, arm: Arm) -> list[Arm]:
    """The rows that started after a date less a day, which an index bounds, apart from the few that span more than a day."""
    driver = arm.tests[0]
    if not arm.ordered or not isinstance(driver, Place) or driver.column not in LONG.get(type_name, ()):
        return [arm]
    by_code = any(
        (isinstance(each, Place) and each.column == "k1") or isinstance(each, Further) for each in arm.tests[1:]
    )
    if driver.column == "patient" and by_code:
        return [arm]  # the code leaves few rows to look at, and is tested within the index
    dates = [each for each in arm.tests if isinstance(each, HotDate) and each.prefix in ("gt", "ge", "ap")]
    if not dates:
        return [arm]
    return [Arm((*arm.tests, Span(dates[0].lo, is_long)), True) for is_long in (False, True)]


def _others(before: Sequence[Test], test: Test) -> list[Test]:
    column = test.column if isinstance(test, Place) else None
    return [Negated(each) for each in before if not (isinstance(each, Place) and each.column == column)]


def _alternatives(type_name: str, test: Test) -> list[Test]:
    if isinstance(test, AnyOf):
        return [each for inner in test.tests for each in _alternatives(type_name, inner)]
    if isinstance(test, Place) and test.column in ORDERED.get(type_name, ()) and 1 < test.size <= MOST_ARMS:
        return [test._replace(at=at + 1) for at in range(test.size)]
    return [test]


def _is_ordered(type_name: str, test: Test) -> bool:
    if not isinstance(test, Place):
        return False
    if test.column == "patient":
        return layout.hot(type_name).d0 is not None
    return test.column in ORDERED.get(type_name, ()) and (test.size == 1 or test.at > 0)
