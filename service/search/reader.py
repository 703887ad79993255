"""What one reading of parameters works with: whose search it is, the values so far, and how values become tests."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from schemas.registry import SearchParam
from service.search.binder import Binder
from service.search.query import AnyOf, Place, Test


class Expansion(NamedTuple):
    """Stands among the values for the tokens of codes that only the tenant's own terminology can tell."""

    modifier: str
    type: str
    param: SearchParam
    value: str


@dataclass(slots=True)
class Reader:
    """The tenant, the base address that makes a URL one of ours, the time, and the values in the order of their slots."""

    tenant_id: int
    base: str
    now: datetime
    binder: Binder = field(default_factory=lambda: Binder([None]))
    joined: int = 0
    """How many references the search follows so far."""

    def places(self, found: Iterable[tuple[str, Any]]) -> Test:
        """A test for (column, value) pairs: any of them. Columns that share their values share a slot."""
        by_column: dict[str, list[Any]] = {}
        for column, value in found:
            values = by_column.setdefault(column, [])
            if value not in values:
                values.append(value)
        slots: dict[tuple[Any, ...], int] = {}
        made = tuple(self._place(column, values, slots) for column, values in by_column.items())
        return made[0] if len(made) == 1 else AnyOf(made)

    def _place(self, column: str, values: list[Any], slots: dict[tuple[Any, ...], int]) -> Place:
        key = tuple(values)
        if key not in slots:
            slots[key] = self.binder.add(values[0] if len(values) == 1 else values)
        return Place(column, slots[key], len(values))

    def array(self, values: Sequence[Any]) -> int:
        """The slot of an array."""
        return self.binder.add(list(values))


def any_of(tests: Sequence[Test]) -> Test:
    """One test that holds when any of these does."""
    return tests[0] if len(tests) == 1 else AnyOf(tuple(tests))
