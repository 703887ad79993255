"""Expressions in forms: which items are enabled, and what must hold of the answers. https://hl7.org/fhir/uv/sdc/behavior.html

A form is looked through once, when it is compiled; one without expressions has None and costs nothing. An expression is
evaluated for its item in the response: %context is that item, %resource the response, %questionnaire and %qitem the form
and its item, variables those of the item and of what it stands in. Queries and launch contexts have no value here: a
response is judged by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, environment, evaluate, holds, text_of
from fhir_mappings.sdc.names import (
    CALCULATED,
    CONSTRAINT,
    ENABLE_WHEN,
    TARGET_CONSTRAINT,
    VARIABLE,
    extension,
    extensions,
    item_place,
    part,
    value,
)
from fhir_mappings.sdc.weights import Weights
from schemas.outcome import Issue

RESPONSE: Final = "QuestionnaireResponse"
ITEM: Final = "QuestionnaireResponse.item"
FORM_ITEM: Final = "Questionnaire.item"
_FHIRPATH: Final = "text/fhirpath"

Chain = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """An Expression and where it stands in the form."""

    expression: Mapping[str, Any]
    where: str

    @property
    def name(self) -> str | None:
        return self.expression.get("name")

    @property
    def text(self) -> str:
        """Raises ExpressionFault for a language that is not evaluated."""
        return text_of(self.expression, self.where)


@dataclass(frozen=True, slots=True)
class Constraint:
    """What must hold, `severity` error, or should."""

    written: Written
    key: str
    human: str
    severity: str


@dataclass(frozen=True, slots=True)
class Spot:
    """The expressions of one item of a form, or of its root."""

    row: Mapping[str, Any]
    variables: tuple[Written, ...] = ()
    calculated: Written | None = None
    enable_when: Written | None = None
    constraints: tuple[Constraint, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.variables or self.calculated or self.enable_when or self.constraints)


@dataclass(frozen=True, slots=True)
class FormExpressions:
    """All expressions of a form; `spots` are its items that have any, by linkId."""

    questionnaire: Mapping[str, Any]
    root: Spot
    spots: Mapping[str, Spot]
    calculates: bool
    decides: bool
    """Whether any item is enabled by an expression."""


def compile_expressions(questionnaire: Mapping[str, Any]) -> FormExpressions | None:
    """The expressions of a form; None where it has none that say something of a response."""
    root = _spot(questionnaire, "Questionnaire")
    spots = {row["linkId"]: spot for row, spot in _spots(questionnaire) if not spot.is_empty}
    if root.is_empty and not spots:
        return None
    return FormExpressions(
        questionnaire,
        root,
        MappingProxyType(spots),
        any(spot.calculated for spot in spots.values()),
        any(spot.enable_when for spot in spots.values()),
    )


def _spots(parent: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Spot]]:
    for row in parent.get("item", ()):
        yield row, _spot(row, item_place(row["linkId"]))
        yield from _spots(row)


def _spot(row: Mapping[str, Any], where: str) -> Spot:
    def one(url: str) -> Written | None:
        found = value(extension(row, url))
        return Written(found, f"{where}.extension('{url}')") if isinstance(found, dict) else None

    variables = [value(each) for each in extensions(row, VARIABLE)]
    return Spot(
        row,
        tuple(
            Written(each, f"{where}.extension('{VARIABLE}')")
            for each in variables
            if isinstance(each, dict) and each.get("language") == _FHIRPATH and each.get("name")
        ),
        one(CALCULATED),
        one(ENABLE_WHEN),
        tuple(_constraints(row, where)),
    )


def _constraints(row: Mapping[str, Any], where: str) -> Iterator[Constraint]:
    for url in (TARGET_CONSTRAINT, CONSTRAINT):
        for said in extensions(row, url):
            expression = part(said, "expression")
            if isinstance(expression, str):  # the earlier extension has bare FHIRPath
                expression = {"language": _FHIRPATH, "expression": expression}
            if not isinstance(expression, dict):
                continue
            key, severity = str(part(said, "key") or "constraint"), part(said, "severity")
            human = str(part(said, "human") or f"the answers do not fulfil the form's rule {key}")
            yield Constraint(Written(expression, f"{where}.extension('{url}')"), key, human, str(severity or "error"))


def scope(form: FormExpressions, response: Mapping[str, Any], now: str) -> Environment:
    """What the expressions at the root of the form can name. Raises OverflowError when there is too much to look at."""
    env = environment(
        now,
        Weights(form.questionnaire, response),
        resource=Value(RESPONSE, response),
        questionnaire=form.questionnaire,
    )
    return with_variables(env, form.root, Value(RESPONSE, response))


def with_variables(env: Environment, spot: Spot, focus: Value) -> Environment:
    """The names of a spot added. A variable that cannot be had has no value: whatever needs it says so."""
    for written in spot.variables:
        try:
            env = env.with_variables(**{str(written.name): evaluate(written.text, focus, env, written.where)})
        except ExpressionFault:
            continue
    return env


def within(form: FormExpressions, env: Environment, item: Mapping[str, Any]) -> Environment:
    """The names of an item of the response, added to those of what it stands in."""
    spot = form.spots.get(item["linkId"])
    return env if spot is None else at_item(env, spot, Value(ITEM, item))


def at_item(env: Environment, spot: Spot, focus: Value) -> Environment:
    """The same where the item's expressions are known."""
    return with_variables(env.with_variables(qitem=Value(FORM_ITEM, spot.row)), spot, focus)


@dataclass(slots=True)
class Behaviour:
    """One response under the expressions of its form. Raises OverflowError when it is too large."""

    form: FormExpressions
    response: Mapping[str, Any]
    now: str
    faults: dict[str, Issue] = field(default_factory=dict)
    """By place: the expressions that cannot be evaluated."""
    _root: Environment = field(init=False)

    def __post_init__(self) -> None:
        self._root = scope(self.form, self.response, self.now)

    def enabled(self, link_id: str, chain: Chain) -> bool | None:
        """Whether the expression of an item in the last container of `chain` enables it; None where nobody can tell."""
        spot = self.form.spots.get(link_id)
        if spot is None or spot.enable_when is None:
            return True
        env = self._root
        for container in chain[1:]:
            env = within(self.form, env, container) if "linkId" in container else env
        here = next((item for item in chain[-1].get("item", ()) if item["linkId"] == link_id), {"linkId": link_id})
        focus = Value(ITEM, here)
        try:
            return holds(spot.enable_when.text, focus, at_item(env, spot, focus), spot.enable_when.where)
        except ExpressionFault as fault:
            self._note(fault, link_id)
            return None

    def broken(self) -> Iterator[Issue]:
        """Every constraint that does not hold, with the place of its item, and last what could not be evaluated."""
        yield from self._judged(self.form.root, None, self._root, Value(RESPONSE, self.response), RESPONSE)
        yield from self._within(self.response, self._root, RESPONSE)
        yield from self.faults.values()

    def _within(self, container: Mapping[str, Any], env: Environment, path: str) -> Iterator[Issue]:
        for index, item in enumerate(container.get("item", ())):
            here, inner = f"{path}.item[{index}]", env
            spot = self.form.spots.get(item["linkId"])
            if spot is not None:
                focus = Value(ITEM, item)
                inner = at_item(env, spot, focus)
                yield from self._judged(spot, item["linkId"], inner, focus, here)
            yield from self._within(item, inner, here)
            for at, answer in enumerate(item.get("answer", ())):
                yield from self._within(answer, inner, f"{here}.answer[{at}]")

    def _judged(self, spot: Spot, link_id: str | None, env: Environment, focus: Value, path: str) -> Iterator[Issue]:
        for constraint in spot.constraints:
            written = constraint.written
            try:
                if holds(written.text, focus, env, written.where):
                    continue
            except ExpressionFault as fault:
                self._note(fault, link_id)
                continue
            named = f"Item '{link_id}': " if link_id else ""
            yield Issue(constraint.severity, "business-rule", named + constraint.human, (path,), "answer-constraint")

    def _note(self, fault: ExpressionFault, link_id: str | None) -> None:
        named = f"Item '{link_id}': " if link_id else ""
        sentence = f"{named}{fault}; so nobody can tell whether the answers are complete"
        self.faults[fault.where] = Issue("error", "processing", sentence, (fault.where,), "expression-not-evaluated")
