"""Flat answers as the items of a QuestionnaireResponse. https://hl7.org/fhir/R4/questionnaireresponse.html

A key for each question, whatever groups it stands in. Of a group that repeats the key has a list of objects, and so has a
question that repeats and has questions of its own; there `value` is the answer itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api import form as forms
from fhir_mappings.homework_api.form import Offered
from schemas.nearest import did_you_mean

JsonObject = dict[str, Any]
VALUE: Final = "value"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an answer: its pointer, a sentence, and the code of docs/errors.md."""

    pointer: str
    sentence: str
    code: str


@dataclass(slots=True)
class Filled:
    """The items of a response; `places` are the pointers of the answers by their FHIRPath."""

    items: list[JsonObject] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)


class _Malformed(Exception):
    """An answer that is no value of its question."""


def fill(questionnaire: Mapping[str, Any], answers: Mapping[str, Any]) -> Filled:
    """The items that these answers are, in the order of the Questionnaire, with what cannot be understood in them."""
    filled = Filled()
    filler = _Filler(filled, forms.contained(questionnaire))
    scope = _Scope(answers, "#/answers")
    filled.items = filler.items(questionnaire, scope, "QuestionnaireResponse")
    filler.unknown(questionnaire, scope)
    return filled


@dataclass(slots=True)
class _Scope:
    """The answers of one level, where they stand, and which of them were used."""

    answers: Mapping[str, Any]
    pointer: str

    def at(self, key: str) -> str:
        """The pointer of a key."""
        return f"{self.pointer}/{key.replace('~', '~0').replace('/', '~1')}"


@dataclass(slots=True)
class _Filler:
    filled: Filled
    held: Mapping[str, JsonObject]

    def items(self, parent: Mapping[str, Any], scope: _Scope, path: str) -> list[JsonObject]:
        found: list[JsonObject] = []
        for row in parent.get("item", ()):
            found.extend(self._row(row, scope, path, len(found)))
        return found

    def _row(self, row: Mapping[str, Any], scope: _Scope, path: str, start: int) -> Iterator[JsonObject]:
        key = row["linkId"]
        if row["type"] == "display":
            return
        if row["type"] == "group" and row.get("repeats"):
            yield from self._group(row, scope, path, start)
            return
        place = f"{path}.item[{start}]"
        if row["type"] == "group":
            children = self.items(row, scope, place)
            if children:
                yield {"linkId": key, "item": children}
            return
        answers = self._answers(row, scope, place)
        if answers:
            self.filled.places[place] = scope.at(key)
            yield {"linkId": key, "answer": answers}

    def _group(self, row: Mapping[str, Any], scope: _Scope, path: str, start: int) -> Iterator[JsonObject]:
        for inner in self._objects(row, scope):
            place = f"{path}.item[{start}]"
            children = self.items(row, inner, place)
            self.unknown(row, inner)
            if children:
                self.filled.places[place] = inner.pointer
                start += 1
                yield {"linkId": row["linkId"], "item": children}

    def _objects(self, row: Mapping[str, Any], scope: _Scope) -> Iterator[_Scope]:
        sent, pointer = scope.answers.get(row["linkId"], ()), scope.at(row["linkId"])
        if not isinstance(sent, list | tuple):
            self._mind(pointer, "This group repeats: send a list of objects", "answer-type")
            return
        for at, each in enumerate(sent):
            if isinstance(each, dict):
                yield _Scope(each, f"{pointer}/{at}")
            else:
                self._mind(f"{pointer}/{at}", "Send an object with the answers of the group", "answer-type")

    def _answers(self, row: Mapping[str, Any], scope: _Scope, place: str) -> list[JsonObject]:
        key = row["linkId"]
        if key not in scope.answers:
            return []
        sent, pointer, repeats = scope.answers[key], scope.at(key), row.get("repeats", False)
        if isinstance(sent, list | tuple) is not repeats:
            self._mind(
                pointer, "Send a list: this question repeats" if repeats else "Send one answer, no list", "answer-type"
            )
            return []
        found: list[JsonObject] = []
        for at, value in enumerate(sent if repeats else [sent]):
            where = f"{pointer}/{at}" if repeats else pointer
            inner = _Scope(value, where) if repeats and row.get("item") and isinstance(value, dict) else scope
            if inner is not scope:
                value, where = inner.answers.get(VALUE), inner.at(VALUE)
                self.unknown(row, inner, VALUE)
            try:
                answer = _answer(row, value, forms.offered(row, self.held))
            except _Malformed as fault:
                self._mind(where, str(fault), "answer-not-an-option" if row["type"] == "choice" else "answer-type")
                continue
            within = f"{place}.answer[{len(found)}]"
            self.filled.places[within] = where
            if row.get("item") and (not repeats or inner is not scope):
                children = self.items(row, inner, within)
                answer |= {"item": children} if children else {}
            found.append(answer)
        return found

    def unknown(self, parent: Mapping[str, Any], scope: _Scope, *more: str) -> None:
        """Note the keys that no question has."""
        known = [*_keys(parent), *more]
        for key in scope.answers:
            if key not in known:
                sentence = f"The form asks no question {key[:80]!r}.{did_you_mean(key, known)}"
                self._mind(scope.at(key), sentence, "item-unknown")

    def _mind(self, pointer: str, sentence: str, code: str) -> None:
        self.filled.faults.append(Fault(pointer, sentence, code))


def _keys(parent: Mapping[str, Any]) -> Iterator[str]:
    """The keys of one level of answers."""
    for row in parent.get("item", ()):
        is_list = row.get("repeats", False)
        if row["type"] != "display" and (row["type"] != "group" or is_list):
            yield row["linkId"]
        if not (is_list and (row["type"] == "group" or row.get("item"))):
            yield from _keys(row)


def _answer(row: Mapping[str, Any], value: Any, offered: Sequence[Offered]) -> JsonObject:
    if row["type"] in ("choice", "open-choice"):
        return _chosen(row, value, offered)
    name, wanted, make = _TYPES[row["type"]]
    made = make(row, value)
    if made is None:
        raise _Malformed(f"Send {wanted}")
    return {name: made}


def _chosen(row: Mapping[str, Any], value: Any, offered: Sequence[Offered]) -> JsonObject:
    for each in offered:
        if type(value) is type(each.value) and value == each.value:
            return {each.name: each.fhir}
    if isinstance(value, dict) and (not offered or row["type"] == "open-choice"):
        members = {"system": value.get("system"), "code": value.get("code"), "display": value.get("label")}
        if (
            value
            and value.keys() <= {"system", "code", "label"}
            and all(isinstance(each, str) for each in value.values())
        ):
            return {"valueCoding": {name: text for name, text in members.items() if text}}
    if isinstance(value, str) and value:
        if row["type"] == "open-choice":
            return {"valueString": value}
        if not offered:
            return {"valueCoding": {"code": value}}
    listed = [str(each.value) for each in offered]
    near = did_you_mean(value, listed) if isinstance(value, str) else ""
    told = "; ".join(f"{each.value} ({each.label})" for each in offered[:20])
    raise _Malformed(f"None of the options; choose from {told}.{near}" if offered else "Send the code of an option")


def _text(_row: Mapping[str, Any], value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _whole(_row: Mapping[str, Any], value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(_row: Mapping[str, Any], value: Any) -> Any:
    return None if isinstance(value, bool | str | dict) else value


def _flag(_row: Mapping[str, Any], value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _file(_row: Mapping[str, Any], value: Any) -> JsonObject | None:
    if not isinstance(value, dict) or not value or value.keys() - FILE.keys():
        return None
    return {FILE[name]: part for name, part in value.items()}


def _quantity(row: Mapping[str, Any], value: Any) -> JsonObject | None:
    unit = forms.limit(row, "questionnaire-unit")
    if isinstance(value, dict):
        return dict(value) if value.keys() <= QUANTITY and value else None
    if _number(row, value) is None or unit is None:
        return None
    return {"value": value, **unit_of(unit)}


def unit_of(coding: Mapping[str, Any]) -> JsonObject:
    """The members of a Quantity in the unit that a question names."""
    members = {
        "unit": coding.get("display") or coding.get("code"),
        "system": coding.get("system"),
        "code": coding.get("code"),
    }
    return {name: text for name, text in members.items() if text}


def _reference(_row: Mapping[str, Any], value: Any) -> JsonObject | None:
    return {"reference": value} if isinstance(value, str) and value else None


FILE: Final = MappingProxyType(
    {
        "content_type": "contentType",
        "language": "language",
        "data": "data",
        "url": "url",
        "size": "size",
        "hash": "hash",
        "title": "title",
        "created": "creation",
    }
)
QUANTITY: Final = frozenset(("value", "unit", "system", "code", "comparator"))
_Make = Callable[[Mapping[str, Any], Any], Any]
_TYPES: Final[Mapping[str, tuple[str, str, _Make]]] = MappingProxyType(
    {
        "string": ("valueString", "a text", _text),
        "text": ("valueString", "a text", _text),
        "integer": ("valueInteger", "a whole number", _whole),
        "decimal": ("valueDecimal", "a number", _number),
        "boolean": ("valueBoolean", "true or false", _flag),
        "date": ("valueDate", "a day as 2026-12-24", _text),
        "dateTime": ("valueDateTime", "a day, or a time with its zone", _text),
        "time": ("valueTime", "a time of day as 18:30:00", _text),
        "url": ("valueUri", "an address", _text),
        "attachment": ("valueAttachment", f"an object with {', '.join(FILE)}", _file),
        "quantity": ("valueQuantity", "an object with value and unit", _quantity),
        "reference": ("valueReference", "a FHIR reference", _reference),
    }
)
