"""From one FHIR value to what is compared: token texts, words, strings and intervals, by datatype.

https://hl7.org/fhir/R4/search.html#token and the sections beside it.
"""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from schemas import dates

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
POSITIVE: Final = Decimal("Infinity")
NEGATIVE: Final = Decimal("-Infinity")


def fold(text: str) -> str:
    """`text` without case, accents and runs of white space: what a string search compares."""
    if text.isascii():
        return " ".join(text.lower().split())
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join(bare.casefold().split())


def micros(moment: datetime) -> Decimal:
    """Microseconds since 1970, infinite where a period is open."""
    if moment <= dates.PAST:
        return NEGATIVE
    if moment >= dates.FUTURE:
        return POSITIVE
    span = moment - _EPOCH
    return Decimal(span.days * 86_400_000_000 + span.seconds * 1_000_000 + span.microseconds)


def token_texts(value: Any, datatype: str) -> Iterator[tuple[str, bool]]:
    """(token text, whether it names a single code) of one value: `system|code`, `*|code`, and `system|` for the rest."""
    if datatype == "CodeableConcept":
        for coding in value.get("coding", ()):
            yield from coded(coding.get("system"), coding.get("code"))
    elif datatype == "Coding":
        yield from coded(value.get("system"), value.get("code"))
    elif datatype == "Identifier":
        yield from coded(value.get("system"), value.get("value"))
        yield from _of_type(value)
    elif datatype == "ContactPoint":
        if "value" in value:
            yield f"*|{value['value']}", True
    elif datatype == "boolean":
        yield ("*|true" if value else "*|false"), True
    elif datatype == "dateTime":  # Patient.deceasedDateTime: there is one, so the answer is yes
        yield "*|true", True
    elif isinstance(value, (str, int)):
        yield f"*|{value}", True


def coded(system: str | None, code: str | None) -> Iterator[tuple[str, bool]]:
    """The token texts of one coding."""
    if code is not None:
        yield f"{system or ''}|{code}", True
        yield f"*|{code}", True
    if system is not None:
        yield f"{system}|", False


def _of_type(identifier: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    for coding in identifier.get("type", {}).get("coding", ()):
        if "code" in coding and "value" in identifier:
            yield f"type:{coding.get('system', '')}|{coding['code']}|{identifier['value']}", True


def words(value: Any, datatype: str) -> Iterator[str]:
    """The human text beside a code, for the :text modifier."""
    if datatype == "CodeableConcept":
        if "text" in value:
            yield value["text"]
        for coding in value.get("coding", ()):
            if "display" in coding:
                yield coding["display"]
    elif datatype == "Coding" and "display" in value:
        yield value["display"]
    elif datatype == "Identifier" and "text" in value.get("type", {}):
        yield value["type"]["text"]


_PARTS: Final = {
    "HumanName": ("text", "family", "given", "prefix", "suffix"),
    "Address": ("text", "line", "city", "district", "state", "postalCode", "country"),
    "CodeableConcept": ("text",),
}


def strings(value: Any, datatype: str) -> Iterator[str]:
    """The strings that a string parameter finds in one value."""
    if isinstance(value, str):
        yield value
        return
    for part in _PARTS.get(datatype, ()):
        found = value.get(part)
        if isinstance(found, list):
            yield from (item for item in found if isinstance(item, str))
        elif isinstance(found, str):
            yield found


def intervals(value: Any, datatype: str) -> Iterator[dates.Interval]:
    """The time that a date, dateTime, instant, Period or Timing covers."""
    if datatype in ("date", "dateTime", "instant"):
        yield dates.interval(value)
    elif datatype == "Period":
        if "start" in value or "end" in value:
            yield dates.period(value.get("start"), value.get("end"))
    elif datatype == "Timing":
        # Of a schedule only the outer limits count.
        repeat = value.get("repeat", {})
        bounds = repeat.get("boundsPeriod", {})
        spans = [dates.interval(event) for event in value.get("event", ()) if event]
        if "start" in bounds or "end" in bounds:
            spans.append(dates.period(bounds.get("start"), bounds.get("end")))
        if spans:
            yield dates.Interval(min(span.lo for span in spans), max(span.hi for span in spans))


def numbers(value: Any, datatype: str) -> Iterator[tuple[Decimal, Decimal, tuple[str, ...]]]:
    """(low, high, unit texts) of a number, Quantity, Money, Range or SampledData; both ends belong to it."""
    if isinstance(value, (int, Decimal)):
        yield Decimal(value), Decimal(value), ()
    elif datatype == "Range":
        low, high = value.get("low", {}), value.get("high", {})
        units = _units(low) or _units(high)
        yield Decimal(low.get("value", NEGATIVE)), Decimal(high.get("value", POSITIVE)), units
    elif datatype == "Money" and "value" in value:
        number = Decimal(value["value"])
        currency = value.get("currency")
        texts = (f"urn:iso:std:iso:4217|{currency}", f"*|{currency}") if currency else ()
        yield number, number, texts
    elif isinstance(value, dict) and "value" in value:
        number = Decimal(value["value"])
        comparator = value.get("comparator")
        low = NEGATIVE if comparator in ("<", "<=") else number
        high = POSITIVE if comparator in (">", ">=") else number
        yield low, high, _units(value)


def _units(quantity: dict[str, Any]) -> tuple[str, ...]:
    system, code, unit = quantity.get("system"), quantity.get("code"), quantity.get("unit")
    texts = []
    if code is not None:
        texts += [f"{system or ''}|{code}", f"*|{code}"]
    if unit is not None and unit != code:
        texts.append(f"*|{unit}")
    return tuple(texts)
