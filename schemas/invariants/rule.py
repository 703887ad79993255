"""What an invariant is, and the shapes that most of them have."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]
Holds = Callable[[Json], bool]
Where = Callable[[Json], Iterable[str]]

UCUM: Final = "http://unitsofmeasure.org"


def _here(_: Json) -> tuple[str, ...]:
    return ("",)


@dataclass(frozen=True, slots=True)
class Rule:
    """One invariant of one type: `says` what would be right; `where` it is broken, as paths below the element."""

    key: str
    says: str
    holds: Holds
    where: Where = _here


def each_broken(key: str, says: str, faulty: Where) -> Rule:
    """An invariant that is broken at the places that `faulty` finds."""
    return Rule(key, says, lambda value: not any(True for _ in faulty(value)), faulty)


def has(value: Json, name: str) -> bool:
    """Whether an element is there, be it by its extensions only."""
    return name in value or f"_{name}" in value


def has_choice(value: Json, stem: str) -> bool:
    """Whether a choice element is there, of whatever type."""
    length = len(stem)
    return any(key[:length] == stem and key[length : length + 1].isupper() for key in value) or any(
        key.startswith(f"_{stem}") and key[length + 1 : length + 2].isupper() for key in value
    )


def needs(name: str, other: str) -> Holds:
    """Where `name` is, `other` must be."""
    return lambda value: not has(value, name) or has(value, other)


def not_both(name: str, other: str) -> Holds:
    return lambda value: not (has(value, name) and has(value, other))


def exactly_one(name: str, other: str) -> Holds:
    return lambda value: has(value, name) != has(value, other)


def some_of(*names: str) -> Holds:
    return lambda value: any(has(value, name) for name in names)


def items(value: Json, *path: str) -> list[Json]:
    """The objects at the end of `path`, through arrays."""
    found: list[Any] = [value]
    for name in path:
        found = [child for each in found for child in _as_list(each.get(name))]
    return found


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def repeated(values: Sequence[Any]) -> list[int]:
    """Places of values that stand earlier already."""
    seen: set[Any] = set()
    again = []
    for index, value in enumerate(values):
        if value in seen:
            again.append(index)
        seen.add(value)
    return again
