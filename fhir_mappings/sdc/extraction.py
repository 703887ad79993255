"""What the ways of extracting have in common: the response walked beside its form, names, and entries of the transaction.

https://hl7.org/fhir/uv/sdc/extraction.html
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fhir_mappings.expressions import FORM_ITEM, ITEM, RESPONSE
from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, environment, evaluate
from fhir_mappings.sdc import names
from fhir_mappings.sdc.names import extensions, part, value
from fhir_mappings.sdc.weights import Weights
from schemas import ids as legal_ids

JsonObject = dict[str, Any]
_HEADERS: Final = ("ifNoneMatch", "ifModifiedSince", "ifMatch", "ifNoneExist")
ENTRIES: Final = 500
"""The most that one response becomes."""


class ExtractFault(ValueError):
    """A form that says something about extraction that cannot be done: where (FHIRPath) and why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of a response: what is there, the element of the form it answers, and what can be named."""

    focus: Value
    row: Mapping[str, Any]
    where: str
    """Where the element stands in the form."""
    env: Environment


def root(questionnaire: Mapping[str, Any], response: Mapping[str, Any], now: str, ids: Callable[[], str]) -> Spot:
    """The place of the response as a whole. Raises OverflowError when there is too much to look at."""
    focus = Value(RESPONSE, response)
    weigh = Weights(questionnaire, response)
    env = environment(now, weigh, resource=focus, rootResource=focus, questionnaire=questionnaire)
    return Spot(focus, questionnaire, "Questionnaire", _allocated(questionnaire, env, ids))


def below(spot: Spot, ids: Callable[[], str]) -> Iterator[Spot]:
    """The answered places right below a place, in the order of the response; of a repeating question one for each answer."""
    rows = {row["linkId"]: row for row in spot.row.get("item", ())}
    held = [spot.focus.data, *spot.focus.data.get("answer", ())]
    for raw in (each for holder in held for each in holder.get("item", ())):
        row = rows.get(raw["linkId"])
        if row is None or not _is_answered(raw):
            continue
        answers = raw.get("answer", ())
        for one in [raw] if len(answers) < 2 else [{**raw, "answer": [answer]} for answer in answers]:
            env = spot.env.with_variables(qitem=Value(FORM_ITEM, row))
            yield Spot(Value(ITEM, one), row, names.item_place(row["linkId"]), _allocated(row, env, ids))


def _is_answered(item: Mapping[str, Any]) -> bool:
    answers = item.get("answer", ())
    if any(name.startswith("value") for answer in answers for name in answer):
        return True
    return any(_is_answered(each) for holder in (item, *answers) for each in holder.get("item", ()))


def _allocated(row: Mapping[str, Any], env: Environment, ids: Callable[[], str]) -> Environment:
    """The ids that an element allocates, anew for each place."""
    for said in extensions(row, names.ALLOCATE_ID):
        name = value(said)
        if isinstance(name, str) and name:
            env = env.with_variables(**{name: f"urn:uuid:{ids()}"})
    return env


def said_by(text: str, focus: Any, env: Environment, where: str) -> list[Value]:
    """What an expression gives. Raises ExtractFault."""
    try:
        return evaluate(text, focus, env, where)
    except ExpressionFault as fault:
        raise ExtractFault(fault.where, str(fault)) from fault


def text_said(extension: Mapping[str, Any], name: str, spot: Spot, where: str) -> str | None:
    """The text that an expression inside of an extension gives, None without one."""
    expression = part(extension, name)
    if not isinstance(expression, str):
        return None
    found = said_by(expression, spot.focus, spot.env, f"{where}.extension('{name}')")
    return str(found[0].data) if found else None


def entry(
    resource: JsonObject, extension: Mapping[str, Any], spot: Spot, where: str, ids: Callable[[], str]
) -> JsonObject:
    """The entry that creates a resource, or updates the one whose id it has. Raises ExtractFault."""
    kind = resource["resourceType"]
    own = text_said(extension, "resourceId", spot, where)
    if own is not None:
        resource = {
            "resourceType": kind,
            "id": own.removeprefix(f"{kind}/"),
            **{k: v for k, v in resource.items() if k != "id"},
        }
    known = resource.get("id")
    if known is not None and not legal_ids.is_legal(str(known)):
        raise ExtractFault(where, f"The id of the {kind} is none that a resource can have")
    request = {"method": "PUT", "url": f"{kind}/{known}"} if known else {"method": "POST", "url": kind}
    for name in _HEADERS:
        text = text_said(extension, name, spot, where)
        if text:
            request[name] = text
    url = text_said(extension, "fullUrl", spot, where) or f"urn:uuid:{ids()}"
    return {"fullUrl": url, "resource": resource, "request": request}
