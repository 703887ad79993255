"""Functions and operators of expressions that fhirpathpy lacks, has wrong, or does not bound. https://hl7.org/fhirpath/N1/#functions

weight(), ordinal() and answers() are of SDC: https://hl7.org/fhir/uv/sdc/expressions.html#fhirpath
"""

import json as stdlib
import re
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]
from fhirpathpy.engine import util
from fhirpathpy.engine.invocations import math
from fhirpathpy.engine.nodes import FP_DateTime, FP_Quantity, FP_Time, ResourceNode
from fhirpathpy.models import models

from fhir_mappings.fhirpath import Budget

R4: Final[Any] = models["r4"]
BUDGET: Final = "hearth budget"
ENVIRONMENT: Final = "hearth environment"
"""Where an evaluation keeps both."""
_ITEMS: Final = 5_000
"""The most in one collection."""
_TEXT: Final = 50_000
"""The most characters of a text that an expression makes."""
_BITS: Final = 1_024
_DIGITS: Final = 100
"""The largest numbers that an expression makes: a whole one in bits, any other by the places before or behind its point."""
_PATTERN: Final = 200
_MATCHED: Final = 2_000
"""Characters of a regular expression, and of the text it is held against."""
_WAYS: Final = 20_000_000
_REPEATED: Final = re.compile(r"(?<!\\)(?:\\\\)*(?:[*+]|\{\d*,\d*\})")
_CHOICE: Final = re.compile(r"[?|]")
_REPEATED_GROUP: Final = re.compile(r"\)\s*(?:[*+]|\{)")
_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_UNITS: Final = {
    "'a'": "years", "'mo'": "months", "'wk'": "weeks", "'d'": "days", "'h'": "hours", "'min'": "minutes",
    "'s'": "seconds", "'ms'": "milliseconds",
}  # fmt: skip
_data: Final[Callable[[Any], Any]] = util.get_data
_made: Final[Callable[..., Any]] = ResourceNode.create_node
_is_number: Final[Callable[[Any], bool]] = util.is_number
_moment: Final[Callable[[str], Any]] = FP_DateTime
_time: Final[Callable[[str], Any]] = FP_Time


def require_small(result: Any, budget: Budget) -> None:
    """Raise OverflowError for a result that is too large, and count what a long text costs."""
    if not isinstance(result, list):
        return
    if len(result) > _ITEMS:
        raise OverflowError(f"it makes a collection of more than {_ITEMS}")
    budget.spend(len(result) >> 4)
    if len(result) == 1:
        only = result[0]
        if isinstance(only, str):
            budget.spend(len(only) >> 8)
            if len(only) > _TEXT:
                raise OverflowError(f"it makes a text of more than {_TEXT} characters")
        elif _is_beyond(only):
            raise OverflowError("it makes a number that is too large or too small")


def _is_beyond(number: Any) -> bool:
    """Whether a number has more digits than any measure; some operations on such take minutes."""
    if isinstance(number, Decimal):
        return not number.is_finite() or (number != 0 and abs(number.adjusted()) > _DIGITS)
    return isinstance(number, int) and number.bit_length() > _BITS


def _where(ctx: Any, data: Any, criterion: Any) -> list[Any]:
    kept = []
    for at, each in enumerate(data):
        ctx["$index"] = at
        if _is_true(criterion(each)):
            kept.append(each)
    return kept


def _is_true(found: Any) -> bool:
    one = _data(found[0]) if isinstance(found, list) and len(found) == 1 else found
    if isinstance(one, list) and len(one) > 1:
        raise ValueError("it asks whether several things at once are true")
    return one is True


def _exists(ctx: Any, data: Any, criterion: Any = None) -> bool:
    return bool(data if criterion is None else _where(ctx, data, criterion))


def _all(ctx: Any, data: Any, criterion: Any) -> bool:
    return len(_where(ctx, data, criterion)) == len(data)


def _repeat(ctx: Any, data: Any, projection: Any) -> list[Any]:
    seen: set[str] = set()
    found: list[Any] = []
    waiting = list(data)
    while waiting:
        for each in projection(waiting.pop(0)):
            key = stdlib.dumps(_data(each), sort_keys=True, default=str)
            if key not in seen:
                seen.add(key)
                found.append(each)
                waiting.append(each)
        if len(found) > _ITEMS:
            require_small(found, ctx[BUDGET])
    return found


def _numbers(data: Any) -> list[Any]:
    found = [_data(each) for each in data]
    if not all(_is_number(each) for each in found):
        raise TypeError
    return found


def _average(ctx: Any, data: Any) -> Any:
    found = _numbers(data)
    return Decimal(sum(found)) / len(found) if found else []


def _least(ctx: Any, data: Any) -> Any:
    return min((_data(each) for each in data), default=[])


def _most(ctx: Any, data: Any) -> Any:
    return max((_data(each) for each in data), default=[])


def _weights(ctx: Any, data: Any) -> list[Any]:
    weigh = ctx[ENVIRONMENT].weigh
    found = [None if weigh is None else weigh(_data(each)) for each in data]
    return [each for each in found if each is not None]


def _answers(ctx: Any, data: Any) -> list[Any]:
    """The values of all answers below, at any depth."""
    found: list[Any] = []
    for each in data:
        _gather(_data(each), found)
    return found


def _gather(element: Any, found: list[Any]) -> None:
    if not isinstance(element, dict):
        return
    for item in element.get("item", ()):
        for answer in item.get("answer", ()):
            for name, value in answer.items():
                if name.startswith("value"):
                    kind = R4["path2Type"].get(f"QuestionnaireResponse.item.answer.{name}", name[5:])
                    found.append(_made(value, kind))
            _gather(answer, found)
        _gather(item, found)


def _rounded(ctx: Any, data: Any, places: Any = 0) -> Any:
    if not data or places == []:
        return []
    (number,) = _numbers(data)
    if not 0 <= places <= _DIGITS:
        raise TypeError
    return Decimal(number).quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)


def _divided(ctx: Any, number: Any, by: Any) -> Any:
    return Decimal(number) / Decimal(by) if by else []


def _plus(ctx: Any, left: Any, right: Any) -> Any:
    return _sum(ctx, left, right, 1, math.plus)


def _minus(ctx: Any, left: Any, right: Any) -> Any:
    return _sum(ctx, left, right, -1, math.minus)


def _sum(ctx: Any, left: Any, right: Any, sign: int, otherwise: Callable[..., Any]) -> Any:
    """A date or time with a duration added, at the precision and in the zone that it has; else as the engine does it."""
    start, span = _data(left[0]) if len(left) == 1 else None, _data(right[0]) if len(right) == 1 else None
    text = str(getattr(start, "asStr", start))
    if not isinstance(span, FP_Quantity) or not _DATE.fullmatch(text):
        return otherwise(ctx, left, right)
    unit = _UNITS.get(FP_Quantity.timeUnitsToUCUM.get(span.unit, span.unit))
    if unit is None:
        raise TypeError
    amount = int(span.value * sign) * (1 if unit != "milliseconds" else 1000)
    moved = _read(text) + relativedelta(**{"microseconds" if unit == "milliseconds" else unit: amount})
    return _moment(_written(moved, text))


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text + "-01-01"[{4: 0, 7: 3}.get(len(text), 6) :])


def _written(moved: datetime, like: str) -> str:
    if len(like) <= 10:
        return moved.isoformat()[: len(like)]
    text = moved.isoformat(timespec="milliseconds" if "." in like else "seconds")
    return text.replace("+00:00", "Z") if like.endswith("Z") else text


def _text_of(ctx: Any, data: Any) -> Any:
    one = _data(data[0]) if len(data) == 1 else None
    if one is None or isinstance(one, dict):
        return []
    return str(one).lower() if isinstance(one, bool) else str(getattr(one, "asStr", one))


def _has_value(ctx: Any, data: Any) -> bool:
    return len(data) == 1 and not isinstance(_data(data[0]), dict)


def _traced(ctx: Any, data: Any, *_: Any) -> Any:
    return data  # what goes into a log is no client's to say


def _now(ctx: Any, data: Any) -> Any:
    return _moment(ctx[ENVIRONMENT].now)


def _today(ctx: Any, data: Any) -> Any:
    return _moment(ctx[ENVIRONMENT].now[:10])


def _time_of_day(ctx: Any, data: Any) -> Any:
    return _time(ctx[ENVIRONMENT].now[11:].rstrip("Z"))


def _single_text(data: Any) -> str | None:
    found = [_data(each) for each in data]
    if not found:
        return None
    if len(found) > 1 or not isinstance(found[0], str):
        raise TypeError
    return found[0]


def _pattern(text: str, pattern: Any) -> re.Pattern[str]:
    """A regular expression that is done in reasonable time, by the ways in which it could be tried in the worst case."""
    if not isinstance(pattern, str) or len(pattern) > _PATTERN or len(text) > _MATCHED:
        raise ValueError(
            f"its regular expression has more than {_PATTERN} characters, or its text more than {_MATCHED}"
        )
    ways: int = (len(text) + 1) ** (len(_REPEATED.findall(pattern)) + 1) << len(_CHOICE.findall(pattern))
    if _REPEATED_GROUP.search(pattern) or ways > _WAYS:
        raise ValueError("it has a regular expression with too many repetitions and choices, or with repeated groups")
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        raise ValueError("it has a regular expression that cannot be read") from None


def _matches(ctx: Any, data: Any, pattern: Any) -> Any:
    text = _single_text(data)
    return [] if text is None or pattern == [] else _pattern(text, pattern).search(text) is not None


def _replace_matches(ctx: Any, data: Any, pattern: Any, replacement: Any) -> Any:
    text = _single_text(data)
    if text is None or pattern == [] or replacement == []:
        return []
    made = re.sub(r"\$(\d+)", r"\\\1", replacement)
    if len(made) * len(text) > _TEXT * 10:
        raise OverflowError("it makes a text that is too long")
    return _pattern(text, pattern).sub(made, text)


def _replace(ctx: Any, data: Any, pattern: Any, replacement: Any) -> Any:
    text = _single_text(data)
    if text is None or pattern == [] or replacement == []:
        return []
    if len(text) + (text.count(pattern) + 1) * len(replacement) > _TEXT:
        raise OverflowError("it makes a text that is too long")
    return text.replace(pattern, replacement)


def _join(ctx: Any, data: Any, separator: Any = "") -> Any:
    texts = [_data(each) for each in data]
    if sum(len(each) + len(separator) for each in texts) > _TEXT:
        raise OverflowError("it makes a text that is too long")
    return separator.join(texts) if texts else []


def _unresolvable(ctx: Any, data: Any) -> Any:
    raise ValueError("it asks to resolve() a reference; give what it needs in a variable instead")


FUNCTIONS: Final[dict[str, dict[str, Any]]] = {
    "where": {"fn": _where, "arity": {1: ["Expr"]}},
    "exists": {"fn": _exists, "arity": {0: [], 1: ["Expr"]}},
    "all": {"fn": _all, "arity": {1: ["Expr"]}},
    "repeat": {"fn": _repeat, "arity": {1: ["Expr"]}},
    "sum": {"fn": lambda ctx, data: sum(_numbers(data))},
    "avg": {"fn": _average},
    "min": {"fn": _least},
    "max": {"fn": _most},
    "round": {"fn": _rounded, "arity": {0: [], 1: ["Number"]}},
    "toString": {"fn": _text_of},
    "/": {"fn": _divided, "arity": {2: ["Number", "Number"]}, "nullable": True},
    "+": {"fn": _plus, "arity": {2: ["Any", "Any"]}, "nullable": True},
    "-": {"fn": _minus, "arity": {2: ["Any", "Any"]}, "nullable": True},
    "weight": {"fn": _weights},
    "ordinal": {"fn": _weights},
    "answers": {"fn": _answers},
    "hasValue": {"fn": _has_value},
    "trace": {"fn": _traced, "arity": {1: ["String"], 2: ["String", "Expr"]}},
    "now": {"fn": _now},
    "today": {"fn": _today},
    "timeOfDay": {"fn": _time_of_day},
    "matches": {"fn": _matches, "arity": {1: ["String"]}, "nullable_input": True},
    "replaceMatches": {"fn": _replace_matches, "arity": {2: ["String", "String"]}, "nullable_input": True},
    "replace": {"fn": _replace, "arity": {2: ["String", "String"]}, "nullable_input": True},
    "join": {"fn": _join, "arity": {0: [], 1: ["String"]}},
    "resolve": {"fn": _unresolvable},
}
