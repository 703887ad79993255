"""Parameters as sent to a Query: strict by default, so that a misspelt filter never shows more than was asked for.

A lenient caller (`Prefer: handling=lenient`) has what cannot be understood ignored, and is told so in the Bundle.
https://hl7.org/fhir/R4/search.html#errors
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from schemas.nearest import did_you_mean
from schemas.outcome import Issue, error
from schemas.registry import REGISTRY
from schemas.subset import unknown_elements
from service.errors import BadRequest
from service.search import include, order
from service.search.criterion import criterion
from service.search.query import Link, Query, Sort, Test, Typed
from service.search.reader import Expansion, Reader
from service.search.text import Malformed

TOLERATED: Final = ("_format", "_pretty", "_", "_totalMethod")
"""Parameters that mean nothing to a search: they are about the form of the answer, keep caches out, or are
what one client says of how to count."""
UNOFFERED: Final = {
    "_filter": "_filter is not offered; combine parameters, chains and _has instead",
    "_text": "_text is not offered; search the parameters of the type",
    "_content": "_content is not offered; search the parameters of the type",
    "_query": "Named queries are not offered",
    "_contained": "Contained resources are not searched by themselves",
    "_containedType": "Contained resources are not searched by themselves",
    "_score": "Results have no score",
}
TOTALS: Final = ("none", "estimate", "accurate")
MOST_PARAMS: Final = 200
SUMMARIES: Final = ("true", "text", "data", "count", "false")


class Limits(NamedTuple):
    """Entries on a page without `_count`, and at most."""

    usual: int = 50
    most: int = 1000


@dataclass(slots=True)
class _Draft:
    """A Query in the making."""

    reader: Reader
    types: tuple[str, ...]
    limits: Limits
    tests: dict[str, list[Test]]
    sort: tuple[Sort, ...] = ()
    count: int = -1
    total: str | None = None
    summary: str | None = None
    elements: tuple[str, ...] = ()
    links: dict[Link, None] = field(default_factory=dict)
    cursor: str | None = None


def parse(
    params: Sequence[tuple[str, str]],
    types: Sequence[str],
    *,
    tenant_id: int,
    base: str,
    now: datetime,
    strict: bool = True,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    within: Callable[[Reader, str], Test] | None = None,
) -> Query:
    """The search that `params` ask for on these types, inside of what `within` makes of each. Raises BadRequest."""
    reader = Reader(tenant_id, base, now)
    reader.binder.values[0] = tenant_id
    draft = _Draft(reader, tuple(types), limits, {name: [] for name in types})
    if within is not None:
        for name in types:
            draft.tests[name].append(within(reader, name))
    if len(params) > MOST_PARAMS:
        raise BadRequest(f"A search has at most {MOST_PARAMS} parameters", code="too-costly")
    faults: list[Issue] = []
    asked: list[tuple[str, str]] = []
    for name, value in params:
        mark = len(reader.binder.values)
        try:
            _read(draft, name, value)
            if name != "_cursor":
                asked.append((name, value))
        except Malformed as fault:
            del reader.binder.values[mark:]
            faults.append(error(fault.code, fault.sentence, _expression(types, name)))
    if faults and strict:
        raise BadRequest(issues=faults)
    return _query(draft, tuple(asked), faults)


def _expression(types: Sequence[str], name: str) -> str:
    return f"{types[0] if len(types) == 1 else ''}?{name[:120]}"


def _query(draft: _Draft, asked: tuple[tuple[str, str], ...], faults: list[Issue]) -> Query:
    is_count = draft.count == 0 or draft.summary == "count"
    return Query(
        typed=tuple(Typed(name, tuple(tests)) for name, tests in draft.tests.items()),
        values=tuple(draft.reader.binder.values),
        needs_terms=any(isinstance(value, Expansion) for value in draft.reader.binder.values),
        sort=draft.sort,
        count=draft.limits.usual if draft.count < 0 else draft.count,
        total="accurate" if is_count and draft.total != "estimate" else draft.total,
        summary="count" if is_count else draft.summary,
        elements=draft.elements,
        links=tuple(draft.links),
        cursor=draft.cursor,
        asked=asked,
        ignored=tuple(Issue("warning", each.code, each.diagnostics, each.expression) for each in faults),
    )


def _read(draft: _Draft, name: str, value: str) -> None:
    if "\x00" in value or not _is_text(value):
        raise Malformed("The value has a character that no text may have")
    head = name.partition(":")[0]
    control = _CONTROL.get(head)
    if control is not None:
        # Without a value these ask for nothing, and nothing more is shown for it.
        if value or head == "_cursor":
            control(draft, name, value)
        return
    if name in TOLERATED:
        return
    if head in UNOFFERED:
        raise Malformed(UNOFFERED[head], "not-supported")
    for type_name, tests in draft.tests.items():
        tests.append(criterion(draft.reader, type_name, name, value))


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)


def _plain(name: str) -> None:
    head, colon, modifier = name.partition(":")
    if colon:
        raise Malformed(
            f"{head} has no modifier :{modifier[:40]}; write _sort=-date to sort downwards", "not-supported"
        )


def _sort(draft: _Draft, name: str, value: str) -> None:
    _plain(name)
    draft.sort += order.read(draft.reader, draft.types, value)


def _count(draft: _Draft, name: str, value: str) -> None:
    _plain(name)
    if not (value.isascii() and value.isdigit()):
        raise Malformed(f"_count is a number from 0 to {draft.limits.most}, not {value[:40]!r}")
    draft.count = min(int(value[:9]), draft.limits.most)


def _one_of(value: str, allowed: tuple[str, ...], name: str) -> str:
    if value not in allowed:
        hint = did_you_mean(value, allowed)
        raise Malformed(f"{name} is one of {', '.join(allowed)}, not {value[:40]!r}.{hint}")
    return value


def _total(draft: _Draft, name: str, value: str) -> None:
    _plain(name)
    draft.total = _one_of(value, TOTALS, "_total")


def _summary(draft: _Draft, name: str, value: str) -> None:
    _plain(name)
    found = _one_of(value, SUMMARIES, "_summary")
    draft.summary = None if found == "false" else found


def _elements(draft: _Draft, name: str, value: str) -> None:
    _plain(name)
    names = tuple(each.strip() for each in value.split(",") if each.strip())
    unknown = set(names).intersection(*(unknown_elements(type_name, names) for type_name in draft.types))
    if unknown and not draft.links:
        raise Malformed(f"{' and '.join(draft.types)} has no element {', '.join(sorted(unknown))}")
    draft.elements += names


def _cursor(draft: _Draft, name: str, value: str) -> None:
    draft.cursor = value


def _include(draft: _Draft, name: str, value: str) -> None:
    head, _, modifier = name.partition(":")
    if modifier not in ("", "iterate", "recurse"):
        raise Malformed(f"{head} has no modifier :{modifier[:40]}; it takes :iterate", "not-supported")
    for item in value.split(","):
        found = include.read(draft.reader, item, head == "_revinclude", modifier != "", draft.types)
        draft.links.update(dict.fromkeys(found))


def types_asked(params: Sequence[tuple[str, str]], allowed: Sequence[str]) -> tuple[tuple[str, ...], list[Any]]:
    """(types that `_type` names, the parameters without it); all that are allowed, when it is not there."""
    rest = [(name, value) for name, value in params if name != "_type"]
    named = [each for name, value in params if name == "_type" for each in value.split(",") if each]
    held = [each.name for each in REGISTRY.types.values() if each.storable]
    for each in named:
        if each not in held:
            sentence = f"{each[:40]!r} is no resource type held here.{did_you_mean(each, held)}"
            raise BadRequest(sentence, expression=("?_type",))
    return tuple(dict.fromkeys(named)) or tuple(allowed), rest


_CONTROL: Final[dict[str, Callable[[_Draft, str, str], None]]] = {
    "_sort": _sort,
    "_count": _count,
    "_total": _total,
    "_summary": _summary,
    "_elements": _elements,
    "_include": _include,
    "_revinclude": _include,
    "_cursor": _cursor,
}
