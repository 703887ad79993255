"""Dates, numbers and quantities: prefixes, precision and intervals. https://hl7.org/fhir/R4/search.html#prefix"""

import re
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from schemas import dates, tokens
from schemas.registry import REGISTRY, SearchParam
from service.index import layout
from service.index.values import micros
from service.search.query import AllOf, AnyOf, HotDate, Range, Test, Updated
from service.search.reader import Reader, any_of
from service.search.text import Malformed, alternatives, split, unescape

MODIFIERS: Final = ("missing",)
PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_PREFIX: Final = re.compile(r"([a-z]{2})(?=[-+\d.])")
_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,2})?")
_LOST_PLUS: Final = re.compile(r"(.*T.*) (\d\d:\d\d)")
_TICK: Final = timedelta(milliseconds=1)


class Numbers(NamedTuple):
    """A number as sent: its own value and the interval that its digits stand for."""

    value: Decimal
    low: Decimal
    high: Decimal


def prefix(text: str) -> tuple[str, str]:
    """(prefix, the rest); eq where none is written. Raises Malformed for an unknown one."""
    found = _PREFIX.match(text)
    if found is None:
        return "eq", text
    if found[1] not in PREFIXES:
        raise Malformed(f"{found[1]!r} is no prefix; the prefixes are {', '.join(PREFIXES)}")
    return found[1], text[2:]


def interval(text: str) -> dates.Interval:
    """The interval of a date as sent. Raises Malformed."""
    # Clients forget to encode the plus of a zone, and a decoder makes a space of it.
    mended = _LOST_PLUS.fullmatch(text)
    try:
        return dates.interval(f"{mended[1]}+{mended[2]}" if mended else text)
    except ValueError as fault:
        raise Malformed(str(fault)) from None


def read_date(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one date parameter as sent. Raises Malformed."""
    return any_of([date(reader, type_name, param, unescape(item)) for item in alternatives(value)])


def date(reader: Reader, type_name: str, param: SearchParam, item: str, codes: tuple[int, ...] = ()) -> Test:
    """The test for one date; with `codes` only for values on whose row all of those arrays' tokens ride."""
    wanted, (lo, hi) = _date_bounds(reader, item)
    column = layout.hot(type_name).d0 == param.code and not codes
    tests: list[Test] = []
    if column:
        tests.append(HotDate(wanted, reader.binder.add(lo), reader.binder.add(hi)))
    if not column or not param.single:
        slots = reader.binder.add(micros(lo)), reader.binder.add(micros(hi))
        tests.append(Range(param.id, wanted, *slots, True, codes))
    return any_of(tests)


def _date_bounds(reader: Reader, item: str) -> tuple[str, dates.Interval]:
    wanted, rest = prefix(item)
    lo, hi = interval(rest)
    if wanted == "ap":
        # A tenth of the time between now and then, as the specification recommends.
        margin = max(abs(reader.now - lo), abs(hi - reader.now)) / 10
        lo, hi = _shift(lo, -margin), _shift(hi, margin)
    return wanted, dates.Interval(lo, hi)


def _shift(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return dates.PAST if by < timedelta() else dates.FUTURE


def read_updated(reader: Reader, value: str) -> Test:
    """The test on _lastUpdated, an instant cut to milliseconds, which covers one millisecond. Raises Malformed."""
    return any_of([_updated(reader, *_date_bounds(reader, unescape(item))) for item in alternatives(value)])


def _updated(reader: Reader, wanted: str, bounds: dates.Interval) -> Test:
    lo, hi = bounds

    def compare(operator: str, moment: datetime) -> Test:
        return Updated(operator, reader.binder.add(moment))

    last = _shift(hi, -_TICK)  # of the instants that lie within the interval whole
    if wanted == "eq":
        return AllOf((compare(">=", lo), compare("<=", last)))
    if wanted == "ne":
        return AnyOf((compare("<", lo), compare(">", last)))
    if wanted == "ap":
        return AllOf((compare("<", hi), compare(">", _shift(lo, -_TICK))))
    return {
        "gt": lambda: compare(">", last),
        "ge": lambda: compare(">=", lo) if last >= lo else compare(">", last),
        "lt": lambda: compare("<", lo),
        "le": lambda: compare("<=", last) if last >= lo else compare("<", lo),
        "sa": lambda: compare(">=", hi),
        "eb": lambda: compare("<=", _shift(lo, -_TICK)),
    }[wanted]()


def number(text: str) -> Numbers:
    """A number and the interval of all that round to it: 5.40 is 5.395 up to 5.405. Raises Malformed."""
    if _NUMBER.fullmatch(text) is None:
        raise Malformed(f"{text[:40]!r} is no number; write for example 5, 5.40 or 5.4e-3")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Malformed(f"{text[:40]!r} is no number") from None
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    half = Decimal(5).scaleb(exponent - 1)
    return Numbers(value, value - half, value + half)


def read_number(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one number parameter as sent. Raises Malformed."""
    return any_of([_measure(reader, param, unescape(item), ()) for item in alternatives(value)])


def read_quantity(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one quantity parameter as sent: `number`, `number|system|code` or `number||code`. Raises Malformed."""
    parts = layout.combined(type_name, param.code)
    if parts is not None:
        search = REGISTRY.types[type_name].search
        return any_of([read_quantity(reader, type_name, search[part], modifier, value) for part in parts])
    return any_of([quantity(reader, type_name, param, item) for item in alternatives(value)])


def quantity(reader: Reader, type_name: str, param: SearchParam, item: str, codes: tuple[int, ...] = ()) -> Test:
    """The test for one quantity; with `codes` only for values on whose row all of those arrays' tokens ride."""
    parts = [unescape(part) for part in split(item, "|")]
    if len(parts) not in (1, 3):
        raise Malformed(f"{item!r} is no quantity; write number, number|system|code or number||code")
    if len(parts) == 3 and not parts[2]:
        raise Malformed(f"{item!r} has no unit; write number|system|code, number||code or the number alone")
    if len(parts) == 3:
        text = f"{parts[1]}|{parts[2]}" if parts[1] else f"*|{parts[2]}"
        unit = tokens.token(reader.tenant_id, REGISTRY.types[type_name].id, param.id, text)
        codes = (*codes, reader.array([unit]))
    return _measure(reader, param, parts[0], codes)


def _measure(reader: Reader, param: SearchParam, item: str, codes: tuple[int, ...]) -> Test:
    wanted, rest = prefix(item)
    found = number(rest)
    low = high = found.value
    if wanted in ("eq", "ne"):
        low, high = found.low, found.high
    elif wanted == "ap":
        margin = abs(found.value) / 10
        low, high = min(found.low, found.value - margin), max(found.high, found.value + margin)
    slots = reader.binder.add(low), reader.binder.add(high)
    return Range(param.id, wanted, *slots, False, codes)
