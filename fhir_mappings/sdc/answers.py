"""Results of expressions as answers to items. https://hl7.org/fhir/uv/sdc/expressions.html#exp-extensions

A result should be of the type of its question; what FHIRPath converts by itself is converted, a resource answers a
reference, and a code the option that has it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from fhir_mappings.fhirpath import Value
from fhir_mappings.questionnaire.compiled import Item

Answer = dict[str, Any]
_DATE: Final = 10
"""Characters of a full date."""


def answers(values: Iterable[Value], item: Item) -> list[Answer]:
    """The answers that values give to an item; a value of a type that it does not take gives none."""
    found = [answer for value in values for answer in _answers(value, item)]
    return found if item.repeats else found[:1]


def _answers(value: Value, item: Item) -> Iterator[Answer]:
    for name in item.value_names:
        for made in _MADE[name](value, item):
            yield {name: made}
            return


def _number(value: Value, item: Item) -> Iterator[Any]:
    if isinstance(value.data, Decimal | int) and not isinstance(value.data, bool):
        yield value.data


def _integer(value: Value, item: Item) -> Iterator[Any]:
    for number in _number(value, item):
        if number == int(number):
            yield int(number)


def _boolean(value: Value, item: Item) -> Iterator[Any]:
    if isinstance(value.data, bool):
        yield value.data


def _string(value: Value, item: Item) -> Iterator[Any]:
    if isinstance(value.data, str):
        yield value.data
    elif isinstance(value.data, Decimal | int) and not isinstance(value.data, bool) and item.type in ("string", "text"):
        yield str(value.data)
    elif value.type == "CodeableConcept" and "text" in value.data:
        yield value.data["text"]


def _date(value: Value, item: Item) -> Iterator[Any]:
    if value.type in ("date", "dateTime", "instant"):
        yield value.data[:_DATE]


def _date_time(value: Value, item: Item) -> Iterator[Any]:
    if value.type in ("date", "dateTime", "instant"):
        yield value.data


def _of_type(*types: str) -> Callable[[Value, Item], Iterator[Any]]:
    def made(value: Value, item: Item) -> Iterator[Any]:
        if value.type in types:
            yield value.data

    return made


def _coding(value: Value, item: Item) -> Iterator[Any]:
    if value.type == "Coding":
        yield value.data
    elif value.type == "CodeableConcept":
        codings = value.data.get("coding", ())
        offered = [each for each in codings if item.options is None or item.options.offers("valueCoding", each)]
        yield from offered[:1]
    elif isinstance(value.data, str) and item.options is not None:
        for kind, system, code in (key for key in item.options.labels if isinstance(key, tuple) and len(key) == 3):
            if kind == "valueCoding" and code == value.data:
                yield {"system": system, "code": code} if system else {"code": code}


def _quantity(value: Value, item: Item) -> Iterator[Any]:
    if value.type in ("Quantity", "Age", "Duration", "Count", "Distance", "SimpleQuantity"):
        yield value.data
    for number in _number(value, item):
        unit = item.unit or {}
        named = {"unit": unit.get("display", unit["code"])} if "code" in unit else {}
        yield {"value": number, **named, **{name: unit[name] for name in ("system", "code") if name in unit}}


def _reference(value: Value, item: Item) -> Iterator[Any]:
    if value.type == "Reference":
        yield value.data
    elif isinstance(value.data, Mapping) and "resourceType" in value.data and "id" in value.data:
        yield {"reference": f"{value.data['resourceType']}/{value.data['id']}"}


_MADE: Final[Mapping[str, Callable[[Value, Item], Iterator[Any]]]] = {
    "valueBoolean": _boolean,
    "valueDecimal": _number,
    "valueInteger": _integer,
    "valueDate": _date,
    "valueDateTime": _date_time,
    "valueTime": _of_type("time"),
    "valueString": _string,
    "valueUri": _of_type("uri", "url", "canonical", "string", "oid", "uuid"),
    "valueCoding": _coding,
    "valueAttachment": _of_type("Attachment"),
    "valueReference": _reference,
    "valueQuantity": _quantity,
}
