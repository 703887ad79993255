"""Computed answers that a response lacks. https://hl7.org/fhir/uv/sdc/StructureDefinition-sdc-questionnaire-calculatedExpression.html

A response that is stored stays as its author wrote it: an answer that differs from what the form computes is the author's
own. What is missing is computed for what is derived from the response, such as its Observations, and for nothing else.
"""

from collections.abc import Mapping
from typing import Any, Final

from fhir_mappings.expressions import ITEM, Behaviour, FormExpressions, at_item, scope, within
from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, evaluate
from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire, Item
from fhir_mappings.questionnaire.enablement import Enabled
from fhir_mappings.questionnaire.values import value_name
from fhir_mappings.sdc.answers import answers

_ROUNDS: Final = 5
"""How often what was computed may lead to something more that can be computed."""

Chain = tuple[Mapping[str, Any], ...]


def with_calculated(response: Mapping[str, Any], questionnaire: CompiledQuestionnaire, now: str) -> Mapping[str, Any]:
    """The response with the answers that the form computes where it has none; itself where there are none such."""
    form = questionnaire.expressions
    if form is None or not form.calculates:
        return response
    try:
        for _ in range(_ROUNDS):
            filled = _Round(form, questionnaire, response, now).container(response, questionnaire, None, (response,))
            if filled == response:
                break
            response = filled
    except OverflowError:
        return response
    return response


class _Round:
    """One look at all items in their order."""

    def __init__(
        self, form: FormExpressions, questionnaire: CompiledQuestionnaire, response: Mapping[str, Any], now: str
    ) -> None:
        self.form = form
        self.env = scope(form, response, now)
        expressed = Behaviour(form, response, now).enabled if form.decides else None
        self.enabled = Enabled(questionnaire.enablement, expressed)

    def container(
        self,
        container: Mapping[str, Any],
        definition: CompiledQuestionnaire | Item,
        env: Environment | None,
        chain: Chain,
    ) -> dict[str, Any]:
        """The same container, with the items that were computed at their places."""
        env = env or self.env
        held: dict[str, list[Mapping[str, Any]]] = {}
        for raw in container.get("item", ()):
            held.setdefault(raw["linkId"], []).append(raw)
        items: list[Mapping[str, Any]] = []
        for item in definition.children.values():
            given = held.pop(item.link_id, [])
            if self.enabled.decide(item.link_id, chain) is False:
                items += given
            elif item.type == "group":
                items += self.group(item, given, env, chain)
            else:
                items += self.question(item, given, env, chain)
        items += [raw for left in held.values() for raw in left]
        return {**container, "item": items} if items else dict(container)

    def group(
        self, item: Item, given: list[Mapping[str, Any]], env: Environment, chain: Chain
    ) -> list[Mapping[str, Any]]:
        made: list[Mapping[str, Any]] = []
        for raw in given or [{"linkId": item.link_id}]:
            filled = self.container(raw, item, within(self.form, env, raw), (*chain, raw))
            if given or "item" in filled:
                made.append(filled)
        return made

    def question(
        self, item: Item, given: list[Mapping[str, Any]], env: Environment, chain: Chain
    ) -> list[Mapping[str, Any]]:
        raw: Mapping[str, Any] = given[0] if given else {"linkId": item.link_id}
        spot = self.form.spots.get(item.link_id)
        here = within(self.form, env, raw)
        answered = [dict(answer) for answer in raw.get("answer", ())]
        if spot is not None and spot.calculated is not None and not any(map(value_name, answered)):
            focus = Value(ITEM, raw)
            try:
                found = evaluate(spot.calculated.text, focus, at_item(env, spot, focus), spot.calculated.where)
            except ExpressionFault:
                found = []
            answered = list(answers(found, item)) or answered
        if not answered:
            return list(given)
        if item.children:
            answered = [self.container(answer, item, here, (*chain, answer)) for answer in answered]
        return [{**raw, "answer": answered}, *given[1:]]
