"""Formats of the primitive types. https://hl7.org/fhir/R4/datatypes.html#primitive"""

import binascii
import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from schemas.nearest import did_you_mean
from schemas.validation.faults import OK, Check, Fault, Faults, wrong_shape
from schemas.validation.narrative import narrative_fault

MAX_STRING: Final = 1024 * 1024
MAX_DIGITS: Final = 1000
"""Of a decimal, on each side of the point; R4 asks for 18, and what compares numbers has an end somewhere."""
_MAX_BITS: Final = (10**MAX_DIGITS).bit_length()
MAX_LISTED: Final = 20
"""Codes of a longer list are not all named in a fault."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_YEAR: Final = r"(?!0000)[0-9]{4}"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_DAY: Final = r"(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE: Final = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"


def _value_fault(details: str, text: str) -> Faults:
    return (Fault("value", details, text),)


def _text_fault(value: Any, name: str, advice: str) -> Faults:
    if not isinstance(value, str) or not value:
        return wrong_shape(value, "a string")
    if _CONTROL.search(value):
        return _value_fault("control-character", "Control characters other than tab and line ends are not allowed")
    return _value_fault(f"invalid-{name.lower()}", advice)


def _string(value: Any) -> Faults:
    if type(value) is str and value.isprintable() and 0 < len(value) <= MAX_STRING:
        return OK
    if isinstance(value, str) and 0 < len(value) <= MAX_STRING and not _CONTROL.search(value):
        return OK
    return _text_fault(value, "string", f"A string may have {MAX_STRING} characters at most")


def _pattern(name: str, pattern: str, advice: str) -> Check:
    matches = re.compile(pattern).fullmatch

    def check(value: Any) -> Faults:
        if type(value) is str and matches(value):
            return OK
        return _text_fault(value, name, advice)

    return check


def _dated(name: str, pattern: str, advice: str) -> Check:
    matches = re.compile(pattern).fullmatch

    def check(value: Any) -> Faults:
        if type(value) is not str or not (match := matches(value)):
            return _text_fault(value, name, advice)
        day = match[1]
        # Every month has 28 days, so the calendar is asked about the last three only.
        if day and day > "28" and not _is_on_calendar(value):
            return _value_fault(f"invalid-{name.lower()}", "There is no such day in that month")
        return OK

    return check


def _is_on_calendar(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _boolean(value: Any) -> Faults:
    return OK if value is True or value is False else wrong_shape(value, "true or false")


def _whole(lowest: int, advice: str) -> Check:
    def check(value: Any) -> Faults:
        if type(value) is int and lowest <= value <= 2147483647:
            return OK
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, float)):
            return wrong_shape(value, "a number")
        return _value_fault("invalid-integer", advice)

    return check


def _decimal(value: Any) -> Faults:
    if type(value) is int:
        fits = value.bit_length() <= _MAX_BITS
    elif isinstance(value, Decimal) and value.is_finite():
        fits = value.adjusted() < MAX_DIGITS and _places(value) <= MAX_DIGITS
    else:
        return wrong_shape(value, "a number")
    return (
        OK if fits else _value_fault("invalid-decimal", f"Use at most {MAX_DIGITS:,} digits on each side of the point")
    )


def _places(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)


def _base64(value: Any) -> Faults:
    if type(value) is not str or not value:
        return wrong_shape(value, "a string")
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        # R4 allows white space, the strict decoder does not.
        return OK if _is_spaced_base64(value) else _value_fault("invalid-base64binary", "This is not base64")
    return OK


def _is_spaced_base64(value: str) -> bool:
    try:
        return bool(binascii.a2b_base64("".join(value.split()), strict_mode=True))
    except ValueError:
        return False


def _xhtml(value: Any) -> Faults:
    if type(value) is not str or not value or _CONTROL.search(value):
        return _text_fault(value, "xhtml", "")
    fault = narrative_fault(value)
    return _value_fault("invalid-narrative", fault) if fault else OK


_NO_SPACE: Final = r"[^\s\x00-\x1f]+"
_URI: Final = "Write a URI, without white space"

PRIMITIVES: Final[dict[str, Check]] = {
    "string": _string,
    "markdown": _string,
    "boolean": _boolean,
    "integer": _whole(-2147483648, "Write a whole number of 32 bits, without fraction or exponent"),
    "unsignedInt": _whole(0, "Write a whole number from 0 to 2147483647"),
    "positiveInt": _whole(1, "Write a whole number from 1 to 2147483647"),
    "decimal": _decimal,
    "base64Binary": _base64,
    "xhtml": _xhtml,
    "code": _pattern(
        "code", rf"{_NO_SPACE}(?: {_NO_SPACE})*", "A code has no white space but single spaces inside of it"
    ),
    "id": _pattern("id", r"[A-Za-z0-9\-.]{1,64}", "An id has 1 to 64 of the characters A-Z a-z 0-9 - and ."),
    "uri": _pattern("uri", _NO_SPACE, _URI),
    "url": _pattern("url", _NO_SPACE, _URI),
    "canonical": _pattern(
        "canonical", _NO_SPACE, "Write a canonical URL, without white space, with |version if needed"
    ),
    "oid": _pattern("oid", r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+", "Write an OID as urn:oid:1.2.3"),
    "uuid": _pattern(
        "uuid",
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "Write a UUID as urn:uuid: and 36 characters in lower case",
    ),
    "date": _dated("date", rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?", "Write a date as YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": _dated(
        "dateTime",
        rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_CLOCK}{_ZONE})?)?)?",
        "Write YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone, Z or +hh:mm",
    ),
    "instant": _dated(
        "instant",
        rf"{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_ZONE}",
        "Write an instant as YYYY-MM-DDThh:mm:ss.sss with a zone, Z or +hh:mm",
    ),
    "time": _pattern("time", _CLOCK, "Write a time as hh:mm:ss, without a zone"),
}

mime_type: Final = _pattern(
    "mime-type", r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+*-]+(?:\s*;.*)?", "Write a MIME type such as text/plain"
)


def closed_code(value_set: str, codes: Iterable[str]) -> Check:
    """A check of a code with a required binding."""
    allowed = frozenset(codes)
    is_code: Callable[[Any], Faults] = PRIMITIVES["code"]

    def check(value: Any) -> Faults:
        if type(value) is str and value in allowed:
            return OK
        return is_code(value) or (unknown_code(value, value_set, allowed),)

    return check


def unknown_code(value: str, value_set: str, allowed: Iterable[str]) -> Fault:
    """The fault of a code outside of its required value set; names what is allowed, never what was sent."""
    codes = sorted(allowed)
    listed = f"one of {', '.join(codes)}" if len(codes) <= MAX_LISTED else f"one of the {len(codes)} in {value_set}"
    return Fault("code-invalid", "unknown-code", f"The code must be {listed}.{did_you_mean(value, codes)}")
