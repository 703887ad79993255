"""Plays the examples of the documents against a practice, in their order, on a clock of their own."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from schemas.homework.examples import Example, filled, found

START: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SECRETS: Final = ("secret", "push_secret")
_SHOWN: Final = "whsec_shown-this-once"
_FEED: Final = re.compile(r"/calendar/[A-Za-z0-9_-]{20,}\.ics")
_PLACE: Final = re.compile(r"http://hearth\.test/t/[a-z0-9]+/")
_CURSOR: Final = re.compile(r"^[A-Za-z0-9_-]{30,}\.[0-9a-z]+$")


@contextmanager
def clock(engine: Any) -> Iterator[None]:
    """A minute passes with each look at the clock."""
    ticks = itertools.count()
    kept, engine.clock = engine.clock, lambda: START + timedelta(minutes=next(ticks))
    try:
        yield
    finally:
        engine.clock = kept


async def played(
    examples: tuple[Example, ...], actors: dict[str, httpx.AsyncClient]
) -> AsyncIterator[tuple[Example, httpx.Response]]:
    """Each example with the answer that it gets; what one gave is in the requests after it."""
    known: dict[str, Any] = {}
    for each in examples:
        request = {"json": filled(each.body, known)} if each.body is not None else {}
        answer = await actors[each.actor].request(
            each.method,
            filled(each.send.partition(" ")[2], known),
            headers={name: filled(value, known) for name, value in each.headers.items()},
            **request,
        )
        if answer.status_code < 400:
            known |= {name: found(answer.json(), path) for name, path in each.keep.items()}
        yield each, answer


def shown(value: Any) -> Any:
    """An answer as the documents show it: without secrets, at an address that is nobody's."""
    if isinstance(value, dict):
        return {name: _SHOWN if name in _SECRETS else shown(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shown(each) for each in value]
    if not isinstance(value, str):
        return value
    return _FEED.sub("/calendar/shown-this-once.ics", _PLACE.sub("https://hearth.example/", value))


def settled(value: Any, names: dict[str, str]) -> Any:
    """The value with an ordinal for each id that the server made, so that two runs can be compared."""
    if isinstance(value, dict):
        return {
            # What a summary speaks of has the order of ids where times are alike, and those are made anew in each run.
            name: sorted(part.partition("/")[0] for part in each) if name == "about" else settled(each, names)
            for name, each in value.items()
            if name != "instance"
        }
    if isinstance(value, list):
        return [settled(each, names) for each in value]
    if not isinstance(value, str):
        return value
    if _CURSOR.fullmatch(value):
        return "a cursor"
    return _ID.sub(lambda found: names.setdefault(found[0], f"id-{len(names)}"), value)
