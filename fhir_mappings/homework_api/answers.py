"""The items of a QuestionnaireResponse as flat answers, as `fill` takes them. https://hl7.org/fhir/R4/questionnaireresponse.html"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api import form as forms
from fhir_mappings.homework_api.fill import FILE, QUANTITY, VALUE, unit_of
from fhir_mappings.homework_api.form import Offered
from fhir_mappings.questionnaire.values import identity, value_name

JsonObject = dict[str, Any]
_Say = Callable[[Mapping[str, Any], Any], Any]


def answers(questionnaire: Mapping[str, Any] | None, response: Mapping[str, Any]) -> JsonObject:
    """The answers of a response; without its Questionnaire as far as it tells by itself."""
    held = forms.contained(questionnaire or {})
    rows = {row["linkId"]: row for row in _rows(questionnaire or {})}
    found: JsonObject = {}
    _read(response, rows, held, found)
    return found


def _rows(parent: Mapping[str, Any]) -> Iterator[JsonObject]:
    for row in parent.get("item", ()):
        yield row
        yield from _rows(row)


def _read(
    parent: Mapping[str, Any], rows: Mapping[str, JsonObject], held: Mapping[str, JsonObject], into: JsonObject
) -> None:
    items = parent.get("item", ())
    for item in items:
        key = item["linkId"]
        row = rows.get(key, {})
        if "answer" in item:
            _read_answers(item, row, rows, held, into)
        elif row.get("repeats", sum(each["linkId"] == key for each in items) > 1):
            inner: JsonObject = {}
            _read(item, rows, held, inner)
            into.setdefault(key, []).append(inner)
        else:
            _read(item, rows, held, into)


def _read_answers(
    item: Mapping[str, Any],
    row: Mapping[str, Any],
    rows: Mapping[str, JsonObject],
    held: Mapping[str, JsonObject],
    into: JsonObject,
) -> None:
    repeats = row.get("repeats", len(item["answer"]) > 1)
    found = []
    for answer in item["answer"]:
        value = _plain(row, answer, forms.offered(row, held))
        if repeats and row.get("item"):
            inner = {} if value is None else {VALUE: value}
            _read(answer, rows, held, inner)
            found.append(inner)
        else:
            found += [] if value is None else [value]
            _read(answer, rows, held, into)
    if repeats:
        into[item["linkId"]] = found
    elif found:
        into[item["linkId"]] = found[0]


def _plain(row: Mapping[str, Any], answer: Mapping[str, Any], offered: Sequence[Offered]) -> Any:
    name = value_name(answer)
    if name is None:
        return None
    value = answer[name]
    same = identity(name, value)
    for each in offered:
        if identity(each.name, each.fhir) == same:
            return each.value
    said = _SAID.get(name)
    return value if said is None else said(row, value)


def _say_coding(row: Mapping[str, Any], value: Mapping[str, Any]) -> Any:
    if value.keys() == {"code"} and row.get("type") != "open-choice":
        return value["code"]
    members = {"system": value.get("system"), "code": value.get("code"), "label": value.get("display")}
    return {name: text for name, text in members.items() if text}


def _say_file(_row: Mapping[str, Any], value: Mapping[str, Any]) -> JsonObject:
    names = {fhir: name for name, fhir in FILE.items()}
    return {names[name]: part for name, part in value.items() if name in names}


def _say_quantity(row: Mapping[str, Any], value: Mapping[str, Any]) -> Any:
    unit = forms.limit(row, "questionnaire-unit")
    if unit is not None and "value" in value and value == {"value": value["value"], **unit_of(unit)}:
        return value["value"]
    return {name: part for name, part in value.items() if name in QUANTITY}


def _say_reference(_row: Mapping[str, Any], value: Mapping[str, Any]) -> Any:
    return value.get("reference") or value.get("display")


_SAID: Final[Mapping[str, _Say]] = MappingProxyType(
    {
        "valueCoding": _say_coding,
        "valueAttachment": _say_file,
        "valueQuantity": _say_quantity,
        "valueReference": _say_reference,
    }
)
