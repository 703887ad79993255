"""Answers to any form, as a made-up client gives them: what the course says where it says something, else something likely."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from schemas import dates

JsonObject = dict[str, Any]
Given = Mapping[str, Any]
"""By linkId or code of an item: the answer that the course says."""
_MIN: Final = "http://hl7.org/fhir/StructureDefinition/minValue"
_MAX: Final = "http://hl7.org/fhir/StructureDefinition/maxValue"
_SAID: Final = (
    "I noticed it was easier once I had begun.",
    "Hard to start, fine after a few minutes.",
    "My first thought was that it would not work. It went better than that.",
    "A walk around the block before dinner.",
    "Called somebody I had not spoken to for a while.",
    "The same worry as yesterday, but it passed sooner.",
    "I was tired and did a short one.",
    "I would like to talk about this one on our next day.",
    "I told myself it does not have to be perfect.",
    "Felt tense in the shoulders, calmer at the end.",
)
_NEVER: Final = ("attachment", "display", "reference", "url", "question")
_CALCULATED: Final = "calculatedExpression"


def answered(form: Mapping[str, Any], at: datetime, chance: Random, given: Given) -> list[JsonObject]:
    """The items of a response to the form, given at that time; an item that waits for another one's answer stays open."""
    return list(_items(form.get("item", ()), at, chance, given))


def _items(items: Sequence[Mapping[str, Any]], at: datetime, chance: Random, given: Given) -> Iterator[JsonObject]:
    for item in items:
        if "enableWhen" in item or item.get("readOnly") or item["type"] in _NEVER or _is_calculated(item):
            continue
        if item["type"] == "group":
            inner = list(_items(item.get("item", ()), at, chance, given))
            if inner:
                yield {"linkId": item["linkId"], "item": inner}
            continue
        if not item.get("required") and not _said(item, given) and chance.random() < 0.35:
            continue
        answer = _answer(item, at, chance, given)
        if answer is not None:
            yield {"linkId": item["linkId"], "answer": [answer]}


def _is_calculated(item: Mapping[str, Any]) -> bool:
    return any(each["url"].endswith(_CALCULATED) for each in item.get("extension", ()))


def _said(item: Mapping[str, Any], given: Given) -> list[Any]:
    names = [item["linkId"], *(each.get("code") for each in item.get("code", ()))]
    return [given[name] for name in names if name in given]


def _answer(item: Mapping[str, Any], at: datetime, chance: Random, given: Given) -> JsonObject | None:
    kind, said = item["type"], _said(item, given)
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
        text = said[0] if said else chance.choice(_SAID)
        return {"valueString": text[: item.get("maxLength", len(text))].rstrip()}
    if kind == "dateTime":
        return {"valueDateTime": dates.instant(at - timedelta(minutes=chance.randint(1, 90)))}
    if kind == "date":
        return {"valueDate": at.date().isoformat()}
    return {"valueTime": said[0] if said else f"{chance.randint(6, 22):02d}:{chance.choice((0, 15, 30, 45)):02d}:00"}


def _named(kind: str) -> str:
    return "valueDecimal" if kind == "decimal" else "valueInteger"


def _bounds(item: Mapping[str, Any]) -> tuple[int, int]:
    """From where to where a number goes; what has no end ends at 30."""
    found = {each["url"]: each.get("valueInteger", each.get("valueDecimal")) for each in item.get("extension", ())}
    low = int(found.get(_MIN) or 0)
    high = found.get(_MAX)
    return low, low + 30 if high is None else min(int(high), low + 100)
