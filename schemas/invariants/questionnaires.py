"""Invariants of Questionnaire and QuestionnaireResponse. https://hl7.org/fhir/R4/questionnaire-definitions.html"""

from collections.abc import Iterator
from typing import Final

from schemas.invariants.rule import Holds, Json, Rule, each_broken, has, not_both

_OPTIONS: Final = frozenset(
    ["choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity"]
)
_LENGTHS: Final = frozenset(["boolean", "decimal", "integer", "string", "text", "url", "open-choice"])


def que_1(value: Json) -> bool:
    kind = value.get("type")
    if kind == "group":
        return "item" in value
    return kind != "display" or "item" not in value


def que_2_faults(value: Json) -> Iterator[str]:
    """Places of a linkId that some item before has."""
    seen: set[str] = set()
    for path, link_id in _link_ids(value):
        if link_id in seen:
            yield f"{path}.linkId"
        seen.add(link_id)


def _link_ids(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    for index, item in enumerate(value.get("item", ())):
        place = f"{path}.item[{index}]"
        if "linkId" in item:
            yield place, item["linkId"]
        yield from _link_ids(item, place)


def _without(kinds: tuple[str, ...], *names: str) -> Holds:
    """An item of these kinds has none of these elements."""
    return lambda value: value.get("type") not in kinds or not any(has(value, name) for name in names)


def que_5(value: Json) -> bool:
    return value.get("type") in _OPTIONS or not (has(value, "answerOption") or has(value, "answerValueSet"))


def que_7(value: Json) -> bool:
    return value.get("operator") != "exists" or has(value, "answerBoolean")


def que_10(value: Json) -> bool:
    return value.get("type") in _LENGTHS or not has(value, "maxLength")


def que_12(value: Json) -> bool:
    """R4's expression lets two conditions pass without enableBehavior; its text does not."""
    return len(value.get("enableWhen", ())) <= 1 or has(value, "enableBehavior")


def que_13(value: Json) -> bool:
    return value.get("repeats") is True or len(value.get("initial", ())) <= 1


QUESTIONNAIRES: Final[dict[str, tuple[Rule, ...]]] = {
    "Questionnaire": (each_broken("que-2", "Each linkId may stand once in a questionnaire", que_2_faults),),
    "Questionnaire.item": (
        Rule("que-1", "A group needs items; a display has none", que_1),
        Rule("que-3", "A display has no code", _without(("display",), "code")),
        Rule("que-4", "Say answerOption or answerValueSet, not both", not_both("answerOption", "answerValueSet")),
        Rule("que-5", "Items of this type have no answerOption or answerValueSet", que_5),
        Rule("que-6", "A display has neither required nor repeats", _without(("display",), "required", "repeats")),
        Rule("que-8", "A group or display has no initial value", _without(("group", "display"), "initial")),
        Rule("que-9", "A display has no readOnly", _without(("display",), "readOnly")),
        Rule("que-10", "Items of this type have no maxLength", que_10),
        Rule(
            "que-11", "With answerOption, say initialSelected instead of initial", not_both("answerOption", "initial")
        ),
        Rule("que-12", "More than one enableWhen needs enableBehavior", que_12),
        Rule("que-13", "Only a repeating item has more than one initial value", que_13),
    ),
    "Questionnaire.item.enableWhen": (Rule("que-7", "The operator exists needs answerBoolean", que_7),),
    "QuestionnaireResponse.item": (
        Rule(
            "qrs-1",
            "An item has answers or items; items below an answer go into the answer",
            not_both("answer", "item"),
        ),
    ),
}
