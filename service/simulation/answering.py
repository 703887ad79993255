"""Answers to any form, as a made-up client gives them: what the course says where it says something, else something likely."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from schemas import dates
from service.simulation import words

JsonObject = dict[str, Any]
Given = Mapping[str, Any]
"""By linkId or code of an item: the answer that the course says."""
_MIN: Final = "http://hl7.org/fhir/StructureDefinition/minValue"
_MAX: Final = "http://hl7.org/fhir/StructureDefinition/maxValue"
_NEVER: Final = ("attachment", "display", "reference", "url", "question")
_CALCULATED: Final = "calculatedExpression"
_PASSED_OVER: Final = 0.35
"""The share of optional questions that nobody answers."""


def answered(
    form: Mapping[str, Any], at: datetime, chance: Random, given: Given, language: str = "en"
) -> list[JsonObject]:
    """The items of a response to the form, given at that time, words in the language of the client.

    An item that waits for an answer is asked once it is there; what waits for anything more intricate stays open.
    """
    return list(_Answering(at, chance, given, words.NOTICED[language]).items(form.get("item", ())))


@dataclass(frozen=True, slots=True)
class _Answering:
    """A form being filled in; `before` is what was answered already, by linkId."""

    at: datetime
    chance: Random
    given: Given
    sayings: Sequence[str]
    before: dict[str, Any] = field(default_factory=dict)

    def items(self, items: Sequence[Mapping[str, Any]]) -> Iterator[JsonObject]:
        for item in items:
            if item["type"] in _NEVER or item.get("readOnly") or _is_calculated(item) or not self._is_asked(item):
                continue
            if item["type"] == "group":
                inner = list(self.items(item.get("item", ())))
                if inner:
                    yield {"linkId": item["linkId"], "item": inner}
            elif item.get("required") or _said(item, self.given) or self.chance.random() >= _PASSED_OVER:
                answer = _answer(item, self)
                if answer is not None:
                    self.before[item["linkId"]] = next(iter(answer.values()))
                    yield {"linkId": item["linkId"], "answer": [answer]}

    def _is_asked(self, item: Mapping[str, Any]) -> bool:
        conditions = item.get("enableWhen", ())
        return not conditions or (len(conditions) == 1 and self._holds(conditions[0]))

    def _holds(self, condition: Mapping[str, Any]) -> bool:
        there, operator = condition["question"] in self.before, condition["operator"]
        if operator == "exists":
            return there is condition["answerBoolean"]
        value = self.before.get(condition["question"])
        if not there or "answerCoding" in condition:
            return False
        expected = next(each for name, each in condition.items() if name.startswith("answer"))
        return bool(value == expected if operator == "=" else operator == ">" and value > expected)


def _is_calculated(item: Mapping[str, Any]) -> bool:
    return any(each["url"].endswith(_CALCULATED) for each in item.get("extension", ()))


def _said(item: Mapping[str, Any], given: Given) -> list[Any]:
    names = [item["linkId"], *(each.get("code") for each in item.get("code", ()))]
    return [given[name] for name in names if name in given]


def _answer(item: Mapping[str, Any], form: _Answering) -> JsonObject | None:
    kind, said, chance = item["type"], _said(item, form.given), form.chance
    if kind in ("choice", "open-choice"):
        options = [each["valueCoding"] for each in item.get("answerOption", ()) if "valueCoding" in each]
        if not options:
            return None
        return {"valueCoding": options[said[0]] if said else chance.choice(options)}
    if kind in ("integer", "decimal", "quantity"):
        low, high = _bounds(item)
        number = said[0] if said else chance.randint(low, high)
        return {"valueQuantity": {"value": number}} if kind == "quantity" else {_named(kind): number}
    if kind == "boolean":
        return {"valueBoolean": bool(said[0]) if said else chance.random() < 0.5}
    if kind in ("string", "text"):
        text = said[0] if said else chance.choice(form.sayings)
        return {"valueString": text[: item.get("maxLength", len(text))].rstrip()}
    if kind == "dateTime":
        return {"valueDateTime": dates.instant(form.at - timedelta(minutes=chance.randint(1, 90)))}
    if kind == "date":
        return {"valueDate": form.at.date().isoformat()}
    return {"valueTime": said[0] if said else f"{chance.randint(6, 22):02d}:{chance.choice((0, 15, 30, 45)):02d}:00"}


def _named(kind: str) -> str:
    return "valueDecimal" if kind == "decimal" else "valueInteger"


def _bounds(item: Mapping[str, Any]) -> tuple[int, int]:
    """From where to where a number goes; what has no end ends at 30."""
    found = {each["url"]: each.get("valueInteger", each.get("valueDecimal")) for each in item.get("extension", ())}
    low = int(found.get(_MIN) or 0)
    high = found.get(_MAX)
    return low, low + 30 if high is None else min(int(high), low + 100)
