"""Answer values: which value[x] an item type takes, equality and order between values. https://hl7.org/fhir/R4/datatypes.html"""

from collections.abc import Hashable, Mapping
from typing import Any, Final

from schemas import dates

VALUE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "boolean": ("valueBoolean",),
    "decimal": ("valueDecimal",),
    "integer": ("valueInteger",),
    "date": ("valueDate",),
    "dateTime": ("valueDateTime",),
    "time": ("valueTime",),
    "string": ("valueString",),
    "text": ("valueString",),
    "url": ("valueUri",),
    "choice": ("valueCoding",),
    "open-choice": ("valueCoding", "valueString"),
    "attachment": ("valueAttachment",),
    "reference": ("valueReference",),
    "quantity": ("valueQuantity",),
}
"""The value[x] that answers an item of each type; groups and displays take none."""

_KINDS: Final[Mapping[str, str]] = {
    "Integer": "number",
    "Decimal": "number",
    "Date": "date",
    "DateTime": "date",
    "Instant": "date",
    "Time": "time",
    "String": "string",
    "Uri": "string",
}

Span = tuple[Any, Any]
"""The first and the last point that a value covers; both are the same for all but dates."""


def value_name(holder: Mapping[str, Any]) -> str | None:
    """The name of the value[x] in an answer, answerOption or extension; None when it has none."""
    for name in holder:
        if name.startswith("value"):
            return name
    return None


def identity(name: str, value: Any) -> Hashable:
    """What two values share when they are the same answer: of a Coding system and code, of a Reference its address."""
    if name == "valueCoding":
        return name, value.get("system"), value.get("code") or value.get("display")
    if name == "valueReference":
        return name, value.get("reference")
    if name == "valueQuantity":
        return name, value.get("value"), _unit(value)
    kind = _KINDS.get(name[5:], name)
    return kind, dates.interval(value) if kind == "date" else value


def _unit(quantity: Mapping[str, Any]) -> Hashable:
    return quantity.get("system"), quantity.get("code") or quantity.get("unit")


def span(name: str, value: Any) -> tuple[Hashable, Span] | None:
    """The kind of a value and the points it covers, or None when values of its type have no order.

    Only values of the same kind compare. A date covers all its instants, so 2026-05 runs to the end of May; Quantities
    compare only in the same unit.
    """
    if name == "valueQuantity":
        number = value.get("value")
        return None if number is None else (("quantity", _unit(value)), (number, number))
    kind = _KINDS.get(name[5:])
    if kind is None:
        return None
    if kind == "date":
        covered = dates.interval(value)
        return kind, (covered.lo, covered.hi - covered.lo.resolution)
    return kind, (value, value)


def compare(operator: str, left: Span, right: Span) -> bool:
    """Whether `left` stands to `right` as the operator of an enableWhen says."""
    if operator == ">":
        return bool(left[0] > right[1])
    if operator == "<":
        return bool(left[1] < right[0])
    if operator == ">=":
        return bool(left[0] >= right[0])
    return bool(left[1] <= right[1])
