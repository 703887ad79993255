"""A Questionnaire as a form for pen and paper. https://hl7.org/fhir/R4/questionnaire.html

Nothing is required of who writes by hand, and nothing is scored on the sheet: hidden and calculated items are left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.prints import markdown
from service.prints.document import Blank, Block, Boxes, Grid, Heading, Lines, Scale, Space, Text
from service.prints.translation import said
from service.prints.wording import Wording

JsonObject = Mapping[str, Any]
_FHIR: Final = "http://hl7.org/fhir/StructureDefinition/"
_UNSEEN: Final = (
    f"{_FHIR}questionnaire-hidden",
    "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-calculatedExpression",
)
_MOST_MARKS: Final = 11
_MOST_COLUMNS: Final = 6
_LEAST_ROWS: Final = 3
_LINES: Final = 4
_FRAME: Final = 60
_RANGE_SAID: Final = 200
"""Up to which limit a range helps; further ones only keep machines from nonsense."""
_SIGNS: Final = {"=": "", "!=": "≠ ", ">": "> ", "<": "< ", ">=": "≥ ", "<=": "≤ "}


@dataclass(frozen=True, slots=True)
class _Form:
    """A form being laid out: its texts by linkId, contained value sets, and what it is said in."""

    texts: Mapping[str, str]
    value_sets: Mapping[str, JsonObject]
    own: str
    wording: Wording

    def text(self, element: JsonObject, name: str = "text") -> str:
        return markdown.plain(said(element, name, self.wording.language, self.own).text)


def worksheet(questionnaire: JsonObject, wording: Wording) -> tuple[Block, ...]:
    """The blocks of a form, in the order of its items."""
    own = questionnaire.get("language", "")
    value_sets = {
        f"#{each.get('id')}": each
        for each in questionnaire.get("contained", ())
        if each.get("resourceType") == "ValueSet"
    }
    bare = _Form({}, value_sets, own, wording)
    texts = {item["linkId"]: bare.text(item) for item in _every(questionnaire.get("item", ()))}
    return tuple(_items(questionnaire.get("item", ()), _Form(texts, value_sets, own, wording)))


def _every(items: Sequence[JsonObject]) -> Iterator[JsonObject]:
    for item in items:
        yield item
        yield from _every(item.get("item", ()))


def _items(items: Sequence[JsonObject], form: _Form) -> Iterator[Block]:
    seen = [item for item in items if not _is_unseen(item)]
    at = 0
    while at < len(seen):
        alike = _alike(seen[at:], form)
        if len(alike) >= _LEAST_ROWS:
            options = tuple(_options(alike[0], form))
            rows = tuple(_question(item, form) for item in alike)
            yield Grid("", options, rows, form.wording("form.each"))
            at += len(alike)
            continue
        yield from _item(seen[at], form)
        at += 1


def _item(item: JsonObject, form: _Form) -> Iterator[Block]:
    kind = item.get("type", "")
    if kind == "group":
        yield from _group(item, form)
        return
    make = _BLOCKS.get(kind, _lines)
    block = make(item, form)
    if block is not None:
        yield block
    yield from _items(item.get("item", ()), form)


def _group(item: JsonObject, form: _Form) -> Iterator[Block]:
    text = _question(item, form)
    if text:
        yield Heading(text)
    hint = _hint(item, form)
    if hint:
        yield Text(hint)
    yield from _items(item.get("item", ()), form)


def _is_unseen(item: JsonObject) -> bool:
    return any(
        each.get("url") in _UNSEEN and each.get("valueBoolean", True) is not False for each in item.get("extension", ())
    )


def _alike(items: Sequence[JsonObject], form: _Form) -> list[JsonObject]:
    """The first items that are choices of one among the same few options, without conditions."""
    alike: list[JsonObject] = []
    options: list[str] = []
    for item in items:
        plain = item.get("type") == "choice" and not {"enableWhen", "repeats", "item"} & item.keys()
        mine = list(_options(item, form)) if plain else []
        if not mine or len(mine) > _MOST_COLUMNS or (alike and mine != options):
            break
        options = mine
        alike.append(item)
    return alike


def _question(item: JsonObject, form: _Form) -> str:
    return " ".join(part for part in (item.get("prefix", ""), form.text(item)) if part)


def _limit(item: JsonObject, name: str) -> float | None:
    for each in item.get("extension", ()):
        if each.get("url") == _FHIR + name:
            value = each.get("valueInteger", each.get("valueDecimal"))
            return None if value is None else float(value)
    return None


def _unit(item: JsonObject) -> str:
    for each in item.get("extension", ()):
        if each.get("url") == f"{_FHIR}questionnaire-unit":
            unit = each.get("valueCoding", {})
            return str(unit.get("display") or unit.get("code") or "")
    return ""


def _hint(item: JsonObject, form: _Form, *more: str) -> str:
    """What to know about an item: when it applies, how to answer it, whether there may be several."""
    parts = [_condition(each, form) for each in _conditions(item)]
    parts = [f"{part.rstrip('.')}." for part in parts if part] + [part for part in more if part]
    if item.get("repeats") and item.get("type") != "choice":
        parts.append(form.wording("form.more"))
    return " ".join(parts)


def _conditions(item: JsonObject) -> list[JsonObject]:
    """Those of an item, but for "if you answered" beside a condition of the answer itself."""
    conditions: list[JsonObject] = item.get("enableWhen", [])
    asked = {each.get("question") for each in conditions if each.get("operator") != "exists"}
    answered = ("exists", True)
    return [
        each
        for each in conditions
        if each.get("question") not in asked or (each.get("operator"), each.get("answerBoolean")) != answered
    ]


def _condition(condition: JsonObject, form: _Form) -> str:
    question = form.texts.get(condition.get("question", ""), "")
    if not question:
        return ""
    if condition.get("operator") == "exists":
        return form.wording("form.if-any" if condition.get("answerBoolean") else "form.if-none", question=question)
    sign = _SIGNS.get(condition.get("operator", "="), "")
    answer = next((value for name, value in condition.items() if name.startswith("answer")), "")
    return form.wording("form.if", question=question, answer=sign + _answer(answer, form))


def _answer(value: Any, form: _Form) -> str:
    if isinstance(value, bool):
        return form.wording("yes" if value else "no")
    if isinstance(value, Mapping):
        text = form.text(value, "display") or value.get("code") or value.get("value") or ""
        return str(text)
    return str(value)


def _options(item: JsonObject, form: _Form) -> Iterator[str]:
    for option in item.get("answerOption", ()):
        value = next((value for name, value in option.items() if name.startswith("value")), "")
        yield _answer(value, form)
    held = form.value_sets.get(item.get("answerValueSet", ""), {})
    for each in (held.get("expansion") or {}).get("contains", ()):
        yield _answer(each, form)
    if "expansion" not in held:
        for include in (held.get("compose") or {}).get("include", ()):
            yield from (_answer(concept, form) for concept in include.get("concept", ()))


def _lines(item: JsonObject, form: _Form) -> Block:
    return Lines(_question(item, form), _LINES if item.get("type") == "text" else 1, _hint(item, form))


def _number(item: JsonObject, form: _Form) -> Block:
    low, high = _limit(item, "minValue"), _limit(item, "maxValue")
    question, unit = _question(item, form), _unit(item)
    if low is None or high is None:
        return Blank(question, unit, _hint(item, form))
    marks = _marks(int(low), int(high)) if item.get("type") == "integer" else ()
    if marks:
        return Scale(question, marks, hint=_hint(item, form, form.wording("form.scale")))
    numbers = form.wording.numbers
    said_range = form.wording("form.range", low=numbers.number(low), high=numbers.number(high))
    return Blank(question, unit, _hint(item, form, said_range if high <= _RANGE_SAID else ""))


def _marks(low: int, high: int) -> tuple[int, ...]:
    """The numbers to mark one of: all of a short range, every tenth of one to 100."""
    if 0 < high - low < _MOST_MARKS:
        return tuple(range(low, high + 1))
    return tuple(range(low, high + 1, 10)) if (low, high) == (0, 100) else ()


def _choice(item: JsonObject, form: _Form) -> Block:
    options = tuple(_options(item, form))
    is_open = item.get("type") == "open-choice"
    if not options:
        return Lines(_question(item, form), 1, _hint(item, form))
    many = bool(item.get("repeats"))
    hint = _hint(item, form, form.wording("form.many" if many else "form.one"))
    return Boxes(_question(item, form), options, many, hint, form.wording("form.other") if is_open else "")


def _yes_or_no(item: JsonObject, form: _Form) -> Block:
    options = (form.wording("yes"), form.wording("no"))
    return Boxes(_question(item, form), options, hint=_hint(item, form))


def _display(item: JsonObject, form: _Form) -> Block | None:
    text = _question(item, form)
    return Text(" ".join(part for part in (_hint(item, form), text) if part)) if text else None


_BLOCKS: Final[Mapping[str, Callable[[JsonObject, _Form], Block | None]]] = {
    "display": _display,
    "integer": _number,
    "decimal": _number,
    "quantity": _number,
    "boolean": _yes_or_no,
    "choice": _choice,
    "open-choice": _choice,
    "date": lambda item, form: Blank(_question(item, form), hint=_hint(item, form, form.wording("form.date"))),
    "dateTime": lambda item, form: Blank(_question(item, form), hint=_hint(item, form, form.wording("form.date"))),
    "time": lambda item, form: Blank(_question(item, form), hint=_hint(item, form, form.wording("form.time"))),
    "attachment": lambda item, form: Space(_question(item, form), _FRAME, _hint(item, form, form.wording("form.draw"))),
}
