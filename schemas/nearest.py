"""The names that somebody who wrote an unknown one may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """Up to `count` of `candidates` that look most like `name`, best first, whatever their case."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    return tuple(by_folded[found] for found in get_close_matches(name.casefold(), by_folded, count, 0.6))


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A sentence to append to a refusal, starting with a space; empty when nothing is near."""
    found = nearest(name, candidates)
    return f" Did you mean {' or '.join(repr(each) for each in found)}?" if found else ""
