"""What a response says, by the codes of the items it answers. https://hl7.org/fhir/R4/questionnaireresponse.html"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire, Item
from fhir_mappings.questionnaire.values import value_name
from schemas.instrument import Code, Given


def by_item(response: Mapping[str, Any], questionnaire: CompiledQuestionnaire) -> dict[Code, list[Mapping[str, Any]]]:
    """The answers to each coded item, at any depth, by each of its codes."""
    found: dict[Code, list[Mapping[str, Any]]] = {}
    for item, answer in _answered(response, questionnaire.children):
        for code in item.codes:
            found.setdefault(code, []).append(answer)
    return found


def _answered(container: Mapping[str, Any], children: Mapping[str, Item]) -> Iterator[tuple[Item, Mapping[str, Any]]]:
    for raw in container.get("item", ()):
        item = children.get(raw["linkId"])
        if item is None:
            continue
        for answer in raw.get("answer", ()):
            yield item, answer
            if "item" in answer:
                yield from _answered(answer, item.children)
        if "item" in raw:
            yield from _answered(raw, item.children)


def codings(response: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every Coding that was chosen, whatever was asked."""
    for raw in response.get("item", ()):
        for answer in raw.get("answer", ()):
            if "valueCoding" in answer:
                yield answer["valueCoding"]
            yield from codings(answer)
        yield from codings(raw)


def given(answer: Mapping[str, Any]) -> Given:
    """An answer as instruments know it: system and code, or a number; of words only that they are some answer."""
    name = value_name(answer)
    value: Any = None if name is None else answer[name]
    if name == "valueCoding":
        return value.get("system", ""), value.get("code", "")
    if isinstance(value, int | Decimal):
        return int(value) if isinstance(value, bool) else value
    return "", ""
