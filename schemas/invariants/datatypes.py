"""Invariants of the datatypes. https://hl7.org/fhir/R4/datatypes.html"""

from typing import Final

from schemas import dates
from schemas.invariants.rule import UCUM, Holds, Json, Rule, exactly_one, has, has_choice, needs, not_both, some_of


def _in_order(earlier: object, later: object) -> bool:
    """Whether one date cannot be known to be after the other; dates of different precision may overlap."""
    if not isinstance(earlier, str) or not isinstance(later, str):
        return True
    if len(earlier) == len(later) and earlier[-1] == later[-1] and (len(earlier) <= 10 or earlier[-1] == "Z"):
        return earlier <= later
    return dates.interval(earlier).lo < dates.interval(later).hi


def in_order(first: str, second: str) -> Holds:
    """`first` is not after `second`, where both are there."""
    return lambda value: _in_order(value.get(first), value.get(second))


def ext_1(value: Json) -> bool:
    return ("extension" in value) != has_choice(value, "value")


def rng_2(value: Json) -> bool:
    low, high = value.get("low"), value.get("high")
    if low is None or high is None or "value" not in low or "value" not in high:
        return True
    same = all(low.get(name) == high.get(name) for name in ("system", "code", "unit"))
    return not same or bool(low["value"] <= high["value"])


def rat_1(value: Json) -> bool:
    return ("numerator" in value) == ("denominator" in value) and ("numerator" in value or "extension" in value)


def _not_negative(name: str) -> Holds:
    return lambda value: value.get(name, 0) >= 0


def tim_9(value: Json) -> bool:
    return not has(value, "offset") or (has(value, "when") and not {"C", "CM", "CD", "CV"} & set(value.get("when", ())))


def drt_1(value: Json) -> bool:
    return not has(value, "code") or (value.get("system") == UCUM and has(value, "value"))


def _ucum_unit(value: Json) -> bool:
    return (has(value, "code") or not has(value, "value")) and (not has(value, "system") or value.get("system") == UCUM)


def cnt_3(value: Json) -> bool:
    return _ucum_unit(value) and value.get("code", "1") == "1" and "." not in str(value.get("value", ""))


def age_1(value: Json) -> bool:
    return _ucum_unit(value) and bool(value.get("value", 1) > 0)


def trd_1(value: Json) -> bool:
    return not ("data" in value and has_choice(value, "timing"))


def trd_3(value: Json) -> bool:
    kind = value.get("type", "")
    if kind == "named-event":
        return has(value, "name")
    if kind == "periodic":
        return has_choice(value, "timing")
    return not kind.startswith("data-") or "data" in value


_CODE_SYSTEM: Final = Rule("qty-3", "A unit's code needs its system", needs("code", "system"))

DATATYPES: Final[dict[str, tuple[Rule, ...]]] = {
    "Extension": (Rule("ext-1", "An extension has either a value or extensions of its own", ext_1),),
    "Period": (Rule("per-1", "start must not be after end", in_order("start", "end")),),
    "Quantity": (_CODE_SYSTEM,),
    "SimpleQuantity": (
        _CODE_SYSTEM,
        Rule("sqty-1", "There is no comparator here", lambda value: not has(value, "comparator")),
    ),
    "Duration": (_CODE_SYSTEM, Rule("drt-1", "A duration's code is a UCUM unit of time with a value", drt_1)),
    "Distance": (_CODE_SYSTEM, Rule("dis-1", "A distance has a UCUM code when it has a value", _ucum_unit)),
    "Count": (_CODE_SYSTEM, Rule("cnt-3", "A count is a whole number with the UCUM code 1", cnt_3)),
    "Age": (_CODE_SYSTEM, Rule("age-1", "An age is above 0, with a UCUM code", age_1)),
    "Ratio": (Rule("rat-1", "A ratio has numerator and denominator, or an extension and neither", rat_1),),
    "Range": (Rule("rng-2", "low must not be above high", rng_2),),
    "Attachment": (Rule("att-1", "Attachment.data needs contentType", needs("data", "contentType")),),
    "ContactPoint": (Rule("cpt-2", "A contact's value needs its system", needs("value", "system")),),
    "Expression": (Rule("exp-1", "An expression needs expression or reference", some_of("expression", "reference")),),
    "Timing.repeat": (
        Rule("tim-1", "duration needs durationUnit", needs("duration", "durationUnit")),
        Rule("tim-2", "period needs periodUnit", needs("period", "periodUnit")),
        Rule("tim-4", "duration must not be negative", _not_negative("duration")),
        Rule("tim-5", "period must not be negative", _not_negative("period")),
        Rule("tim-6", "periodMax needs period", needs("periodMax", "period")),
        Rule("tim-7", "durationMax needs duration", needs("durationMax", "duration")),
        Rule("tim-8", "countMax needs count", needs("countMax", "count")),
        Rule("tim-9", "offset needs when, and not C, CM, CD or CV", tim_9),
        Rule("tim-10", "Say timeOfDay or when, not both", not_both("timeOfDay", "when")),
    ),
    "TriggerDefinition": (
        Rule("trd-1", "Say data or timing, not both", trd_1),
        Rule("trd-2", "condition needs data", needs("condition", "data")),
        Rule("trd-3", "A named event needs name, a periodic one timing, a data event data", trd_3),
    ),
    "DataRequirement.codeFilter": (
        Rule("drq-1", "Say path or searchParam, one of them", exactly_one("path", "searchParam")),
    ),
    "DataRequirement.dateFilter": (
        Rule("drq-2", "Say path or searchParam, one of them", exactly_one("path", "searchParam")),
    ),
}
