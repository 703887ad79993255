"""A QuestionnaireResponse checked against its Questionnaire. https://hl7.org/fhir/R4/questionnaireresponse.html#link

The response must be valid R4 by itself; this looks only at what the Questionnaire asks. No sentence repeats an answer,
so that none can carry health data into a log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from fhir_mappings.expressions import Behaviour
from fhir_mappings.questionnaire.compiled import Bound, CompiledQuestionnaire, Files, Item
from fhir_mappings.questionnaire.enablement import Enabled
from fhir_mappings.questionnaire.values import compare, span, value_name
from schemas.outcome import Issue

_LISTED: Final = 12
"""As many options or items does a sentence list."""

Chain = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """How much is asked of a response in one status."""

    limits: bool
    """Options, ranges and lengths hold; otherwise only the types of answers."""
    whole: bool
    """Required items are answered, and disabled ones are not."""


_TYPES_ONLY: Final = Rules(limits=False, whole=False)
_DRAFT: Final = Rules(limits=True, whole=False)
_WHOLE: Final = Rules(limits=True, whole=True)
_UNDATED: Final = "1970-01-01T00:00:00.000Z"
_RULES: Final[Mapping[str, Rules]] = {
    "completed": _WHOLE,
    "amended": _WHOLE,
    "in-progress": _DRAFT,
    "stopped": _TYPES_ONLY,
    "entered-in-error": _TYPES_ONLY,
}


def check_response(
    response: Mapping[str, Any], questionnaire: CompiledQuestionnaire, now: str | None = None
) -> list[Issue]:
    """Every fault of the response against the Questionnaire, each with its place and what would be right.

    `now` (a FHIR instant) is what the form's expressions call now() and today(); without it, when the response was authored.
    completed and amended: everything. in-progress: as a draft may be unfinished, required items may be missing and
    answers to disabled items may stay. stopped and entered-in-error: structure and types only.
    """
    rules = _RULES.get(response.get("status", ""), _WHOLE)
    try:
        behaviour = _behaviour(response, questionnaire, now) if rules.whole else None
    except OverflowError as fault:
        return [Issue("error", "too-costly", str(fault), ("QuestionnaireResponse",), "expression-not-evaluated")]
    expressed = behaviour.enabled if behaviour is not None and behaviour.form.decides else None
    decides = rules.whole and (questionnaire.enablement or expressed)
    check = _Check(questionnaire, rules, Enabled(questionnaire.enablement, expressed) if decides else None)
    check.container(response, questionnaire, "QuestionnaireResponse", (response,))
    return check.issues if behaviour is None else [*check.issues, *behaviour.broken()]


def _behaviour(response: Mapping[str, Any], questionnaire: CompiledQuestionnaire, now: str | None) -> Behaviour | None:
    if questionnaire.expressions is None:
        return None
    return Behaviour(questionnaire.expressions, response, now or str(response.get("authored", "")) or _UNDATED)


@dataclass(slots=True)
class _Check:
    questionnaire: CompiledQuestionnaire
    rules: Rules
    enabled: Enabled | None
    issues: list[Issue] = field(default_factory=list)

    def fault(self, code: str, details: str, link_id: str, sentence: str, expression: str) -> None:
        self.issues.append(Issue("error", code, f"Item '{link_id[:100]}': {sentence}", (expression,), details))

    def container(
        self, container: Mapping[str, Any], definition: CompiledQuestionnaire | Item, path: str, chain: Chain
    ) -> None:
        """The items in a response, a group or an answer, against those the Questionnaire has there."""
        previous: Item | None = None
        answered: set[str] = set()
        for index, raw in enumerate(container.get("item", ())):
            here = f"{path}.item[{index}]"
            item = definition.children.get(raw["linkId"])
            if item is None:
                self.stranger(raw["linkId"], definition, here)
                continue
            if previous is not None and item.place <= previous.place:
                self.out_of_order(item, previous, here)
            else:
                previous = item
            if self.item(raw, item, here, chain):
                answered.add(item.link_id)
        if self.rules.whole:
            for item in definition.required_children:
                if item.link_id not in answered:
                    self.missing(item, container, path, chain)

    def item(self, raw: Mapping[str, Any], item: Item, path: str, chain: Chain) -> bool:
        """Check one item of the response; whether it counts as answered."""
        if self.enabled is not None and self.enabled.decide(item.link_id, chain) is False:
            if _has_answer(raw):
                sentence = "it is not enabled by the answers to other items (enableWhen); leave it out"
                self.fault("business-rule", "answer-disabled", item.link_id, sentence, path)
            return True
        if item.type == "group":
            return self.group(raw, item, path, chain)
        if item.type == "display":
            if "answer" in raw or "item" in raw:
                self.fault("structure", "item-not-answerable", item.link_id, "it is a display; give no answer", path)
            return True
        return self.question(raw, item, path, chain)

    def group(self, raw: Mapping[str, Any], item: Item, path: str, chain: Chain) -> bool:
        if "answer" in raw:
            sentence = "it is a group; give no answer, only items"
            self.fault("structure", "item-not-answerable", item.link_id, sentence, path + ".answer")
        self.container(raw, item, path, (*chain, raw))
        return _has_answer(raw) or not item.children

    def question(self, raw: Mapping[str, Any], item: Item, path: str, chain: Chain) -> bool:
        if "item" in raw:
            sentence = "it is a question; nest further items in its answer (answer.item)"
            self.fault("structure", "item-misplaced", item.link_id, sentence, path + ".item")
        answers: Sequence[Mapping[str, Any]] = raw.get("answer", ())
        if len(answers) > 1 and not item.repeats:
            self.fault("structure", "answer-repeated", item.link_id, "give one answer only", path + ".answer[1]")
        valued = False
        for index, answer in enumerate(answers):
            name = value_name(answer)
            if name is not None:
                valued = True
                self.value(name, answer[name], item, path, index)
            if "item" in answer or (item.required_children and name is not None):
                self.container(answer, item, f"{path}.answer[{index}]", (*chain, answer))
        return valued

    def value(self, name: str, value: Any, item: Item, path: str, index: int) -> None:
        """Check the value of one answer: its type, then whatever the item limits."""
        if name not in item.value_names:
            right = " or ".join(item.value_names)
            sentence = f"answer an item of type {item.type} with {right}, not with {name}"
            self.fault("value", "answer-type", item.link_id, sentence, f"{path}.answer[{index}].value")
        elif self.rules.limits and not item.plain:
            for code, details, sentence in beyond(name, value, item):
                self.fault(code, details, item.link_id, sentence, f"{path}.answer[{index}].value")

    def stranger(self, link_id: str, definition: CompiledQuestionnaire | Item, path: str) -> None:
        """An item that the Questionnaire does not have, or has elsewhere."""
        if link_id in self.questionnaire.items:
            above = self.questionnaire.ancestors[link_id]
            place = f"in item '{above[-1]}'" if above else "at the top level of the response"
            self.fault("structure", "item-misplaced", link_id, f"it belongs {place}", path + ".linkId")
            return
        names = [f"'{name}'" for name in definition.children]
        listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
        sentence = f"the Questionnaire has no such item; here it has {listed or 'none'}"
        self.fault("structure", "item-unknown", link_id, sentence, path + ".linkId")

    def out_of_order(self, item: Item, previous: Item, path: str) -> None:
        if item is not previous:
            sentence = f"it comes before '{previous.link_id}'; give the items in the order of the Questionnaire"
            self.fault("structure", "item-order", item.link_id, sentence, path)
        elif item.type != "group":
            sentence = "give the question once, with all of its answers in one item"
            self.fault("structure", "item-repeated", item.link_id, sentence, path)
        elif not item.repeats:
            self.fault("structure", "item-repeated", item.link_id, "the group does not repeat; give it once", path)

    def missing(self, item: Item, container: Mapping[str, Any], path: str, chain: Chain) -> None:
        """A required item without an answer, at its own place if it is there and at its container's if not."""
        if item.type == "display" or (
            self.enabled is not None and self.enabled.decide(item.link_id, chain) is not True
        ):
            return
        items = enumerate(container.get("item", ()))
        here = next((f"{path}.item[{index}]" for index, raw in items if raw["linkId"] == item.link_id), path)
        sentence = "it is required; answer one of its items" if item.type == "group" else "it is required; answer it"
        self.fault("required", "answer-missing", item.link_id, sentence, here)


def _has_answer(raw: Mapping[str, Any]) -> bool:
    """Whether there is an answer anywhere in an item of the response."""
    if any(value_name(answer) or any(map(_has_answer, answer.get("item", ()))) for answer in raw.get("answer", ())):
        return True
    return any(map(_has_answer, raw.get("item", ())))


def beyond(name: str, value: Any, item: Item) -> list[tuple[str, str, str]]:
    """Issue code, error code and sentence for each limit of the item that a value of the right type breaks."""
    found: list[tuple[str, str, str]] = []
    options = item.options
    written = item.type == "open-choice" and name == "valueString"
    if options is not None and not written and not options.offers(name, value):
        found.append(("code-invalid", "answer-not-an-option", _choose(item)))
    if item.low is not None and _breaks(">=", name, value, item.low):
        found.append(("value", "answer-too-small", f"the least answer is {item.low.text}"))
    if item.high is not None and _breaks("<=", name, value, item.high):
        found.append(("value", "answer-too-large", f"the greatest answer is {item.high.text}"))
    if item.max_length is not None and len(_text(value)) > item.max_length:
        found.append(("too-long", "answer-too-long", f"answer with at most {item.max_length} characters"))
    if item.min_length is not None and isinstance(value, str) and len(value) < item.min_length:
        found.append(("value", "answer-too-short", f"answer with at least {item.min_length} characters"))
    if item.decimal_places is not None and _decimal_places(value) > item.decimal_places:
        sentence = f"answer with at most {item.decimal_places} digits after the decimal point"
        found.append(("value", "answer-decimal-places", sentence))
    if item.files is not None and name == "valueAttachment":
        found += _beyond_files(value, item.files)
    return found


def _beyond_files(attachment: Mapping[str, Any], files: Files) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    kind = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
    if files.kinds and kind not in files.kinds and f"{kind.partition('/')[0]}/*" not in files.kinds:
        found.append(
            ("value", "answer-file-type", f"send a file of type {' or '.join(files.kinds)}, named in contentType")
        )
    if files.megabytes is not None and _bytes(attachment) > files.megabytes * 1_000_000:
        found.append(("too-long", "answer-file-size", f"send a file of at most {files.megabytes} MB"))
    return found


def _bytes(attachment: Mapping[str, Any]) -> int:
    """How large the file is: what is sent along counts, else what is said of it."""
    data = "".join(str(attachment.get("data", "")).split())
    return len(data) * 3 // 4 - data[-2:].count("=") if data else int(attachment.get("size", 0))


def _choose(item: Item) -> str:
    labels = list(item.options.labels.values()) if item.options else []
    shown = ", ".join(labels[:_LISTED]) + (", ..." if len(labels) > _LISTED else "")
    return f"the answer is none of its options; choose from {shown}"


def _breaks(operator: str, name: str, value: Any, bound: Bound) -> bool:
    covered = span(name, value)
    return covered is not None and covered[0] == bound.kind and not compare(operator, covered[1], bound.span)


def _text(value: Any) -> str:
    """The characters that maxLength counts; it limits what a person writes, not codes or files."""
    return "" if isinstance(value, (dict, bool)) else str(value)


def _decimal_places(value: Any) -> int:
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0
