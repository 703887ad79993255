"""The values of one statement and the `$n` that stand for them: no value is ever written into SQL."""

from collections.abc import Iterable
from typing import Any


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
