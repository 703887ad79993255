"""The values of one statement and the `$n` that stand for them: no value is ever written into SQL."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

_SLOT: Final = re.compile(r"\$(\d+)")


class Binder:
    """Collects values in the order of their numbers; a number may stand in the SQL as often as wanted."""

    __slots__ = ("values",)

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.values: list[Any] = list(values)

    def add(self, value: Any) -> int:
        """The number of `value`, counted from 1."""
        self.values.append(value)
        return len(self.values)

    def bind(self, value: Any) -> str:
        """`$n` for `value`."""
        return f"${self.add(value)}"


def used(texts: Iterable[str], values: Sequence[Any], first: int) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The SQL with its slots behind `first` renumbered without gaps, and the values of those it names.

    PostgreSQL refuses a statement with a parameter that nothing in it gives a type to.
    """
    made = tuple(texts)
    named = sorted({number for text in made for each in _SLOT.findall(text) if (number := int(each)) > first})
    numbers = {number: first + at for at, number in enumerate(named, 1)}
    dense = tuple(_SLOT.sub(lambda found: f"${numbers.get(int(found[1]), found[1])}", text) for text in made)
    return dense, tuple(values[number - 1] for number in named)
