"""JSON in and out without loss: decimals keep their digits, duplicate keys and lone surrogates are faults. https://hl7.org/fhir/R4/json.html"""

import json as stdlib
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 100


class Spelled(Decimal):
    """A number written otherwise than str() would write it, such as 1.50E2 or 0.0000001; `text` goes out as it came in."""

    __slots__ = ("text",)
    text: str


def _number(text: str) -> Decimal:
    value = Decimal(text)
    if str(value) == text:
        return value
    spelled = Spelled(value)
    spelled.text = text
    return spelled


def _spelling(value: Any) -> msgspec.Raw:
    if isinstance(value, Spelled):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} is no JSON")


_decoder: Final = msgspec.json.Decoder(float_hook=_number)
_encoder: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_spelling)
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_MARK: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_STEPS: Final = 100_000
"""Up to how many brackets a step for each is the faster way to find the depth."""
_SEARCHED: Final = 1 << 20
"""How far the place where the depth is exceeded is looked for."""
# Every key is followed by `"` and `:`, so this finds at least as many as there are keys.
_KEY_END: Final = re.compile(rb'"[ \t\r\n]*:')
_TOO_LARGE: Final = "A number has more digits, or a larger exponent, than any number of FHIR"
encode: Final = _encoder.encode


class JsonFault(ValueError):
    """The bytes are not the JSON object that FHIR asks for; `position` is a byte offset or None."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def decode(raw: bytes) -> Any:
    """The JSON value in `raw`, numbers with a fraction or exponent as Decimal. Raises JsonFault."""
    try:
        value = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _explain(raw) from None
    except RecursionError:
        raise _too_deep(raw) from None
    except (ValueError, ArithmeticError):
        raise JsonFault(_TOO_LARGE) from None
    brackets = raw.count(b"{") + raw.count(b"[")
    if brackets > MAX_DEPTH and (_has_levels(value) if brackets < _STEPS else _is_too_deep(raw)):
        raise _too_deep(raw)
    # Compact JSON without needless escapes reads back as it was sent, which a double key would not.
    if encode(value) != raw:
        keys = len(_KEY_END.findall(raw))
        if keys and keys != _count_keys(value):
            _check_duplicates(raw)
    return value


def parse(stored: bytes) -> Any:
    """The value of JSON that `encode` wrote, unchecked."""
    return _decoder.decode(stored)


def _count_keys(value: Any) -> int:
    count, waiting = 0, [value]
    while waiting:
        node = waiting.pop()
        if type(node) is dict:
            count += len(node)
            node = node.values()
        waiting += [child for child in node if type(child) is dict or type(child) is list]
    return count


def _has_levels(value: Any) -> bool:
    """Whether there are more than MAX_DEPTH levels of objects and arrays, at a step for each of them."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _is_too_deep(raw: bytes) -> bool:
    """Whether brackets are left of valid JSON when those of the innermost level are taken away MAX_DEPTH times.

    Millions of brackets cost a scan for each level that there is, and no step of Python's for each bracket.
    """
    brackets = _STRING.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _too_deep(raw: bytes) -> JsonFault:
    depth, position = 0, None
    for match in _MARK.finditer(raw[:_SEARCHED]):
        mark = match.group()
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if depth > MAX_DEPTH:
            position = match.start()
            break
    where = "" if position is None else f" (byte {position})"
    return JsonFault(f"The JSON is nested deeper than {MAX_DEPTH} levels{where}", position)


def _check_duplicates(raw: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen = dict(pairs)
        if len(seen) != len(pairs):
            names = [name for name, _ in pairs]
            double = next(name for name in names if names.count(name) > 1)
            raise JsonFault(f"The JSON object has the key {double!r} more than once; each key may stand once")
        return seen

    stdlib.loads(raw, object_pairs_hook=unique)


def _explain(raw: bytes) -> JsonFault:
    """Why `raw` was refused, with the byte position where the standard library's parser names one."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return JsonFault("The body starts with a byte order mark; send plain UTF-8", 0)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        return JsonFault(f"The body is not UTF-8: byte {fault.start} cannot be read", fault.start)
    try:
        stdlib.loads(text, parse_constant=_no_constant)
    except stdlib.JSONDecodeError as fault:
        position = len(text[: fault.pos].encode())
        return JsonFault(
            f"The body is not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno} (byte {position})",
            position,
        )
    except JsonFault as fault:
        return fault
    except RecursionError:
        return _too_deep(raw)
    except ValueError:
        return JsonFault(_TOO_LARGE)
    return JsonFault("The body has a lone surrogate escape; write the character in UTF-8 or as a pair of escapes")


def _no_constant(name: str) -> Any:
    raise JsonFault(f"The body is not JSON: {name} is not a JSON number")
