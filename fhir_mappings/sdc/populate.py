"""A response begun: what is known already, filled in. https://hl7.org/fhir/uv/sdc/populate.html

`populating` is a generator: it yields each Query that it needs answered and takes the resources that it finds, so that it
does no I/O itself. An answer comes from the item's initialExpression, else from the newest Observation of its code within
its observationLinkPeriod, else from its initial value; an extension says which. What cannot be filled in is left to the
person, with an issue that says why: a form is never refused for that.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from fhir_mappings.expressions import FORM_ITEM, ITEM, RESPONSE
from fhir_mappings.fhirpath import Environment, ExpressionFault, Value, environment, evaluate, text_of
from fhir_mappings.questionnaire.check import beyond
from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire, Item
from fhir_mappings.sdc import names
from fhir_mappings.sdc.answers import Answer, answers
from fhir_mappings.sdc.calculated import with_calculated
from fhir_mappings.sdc.names import extension, extensions, item_place, part, value
from fhir_mappings.sdc.queries import LANGUAGE, Query, query
from fhir_mappings.sdc.weights import Weights
from schemas import dates
from schemas.library import BASE
from schemas.outcome import Issue

JsonObject = dict[str, Any]
ORIGIN: Final = f"{BASE}/StructureDefinition/answer-origin"
"""On an answer that was filled in: initial, expression or observation."""
_DAYS: Final = {"a": 366, "mo": 31, "wk": 7, "d": 1}
_HOURS: Final = {"h": 1.0, "min": 1 / 60}
_MOST: Final = 50
"""Repetitions of a group."""

Asking = Generator[Query, Sequence[JsonObject], Any]
"""Yields queries and is sent what they find."""


@dataclass(frozen=True, slots=True)
class Populated:
    """The begun response, and what there is to say about it."""

    response: JsonObject
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a response begins with: `contexts` are resources by their name, `local` whether the records are looked through."""

    subject: str
    now: str
    contexts: Mapping[str, Any]
    local: bool = True


def populating(
    questionnaire: Mapping[str, Any], form: CompiledQuestionnaire, beginning: Beginning
) -> Generator[Query, Sequence[JsonObject], Populated]:
    """The response to begin with. Raises OverflowError when there is more than expressions may look at."""
    response = _begun(questionnaire, beginning)
    work = _Populating(questionnaire, beginning)
    env = environment(
        beginning.now,
        Weights(questionnaire, response),
        **dict(beginning.contexts),
        questionnaire=questionnaire,
        resource=Value(RESPONSE, response),
    )
    env = yield from work.root(env)
    items = yield from work.items(questionnaire, form, env)
    if items:
        response["item"] = items
    whole = with_calculated(response, form, beginning.now)
    return Populated(dict(whole), tuple(work.issues))


def _begun(questionnaire: Mapping[str, Any], beginning: Beginning) -> JsonObject:
    url, version = questionnaire.get("url"), questionnaire.get("version")
    body: JsonObject = {"resourceType": RESPONSE}
    if url:
        body["questionnaire"] = f"{url}|{version}" if version else url
    body |= {"status": "in-progress", "subject": {"reference": beginning.subject}}
    encounter = beginning.contexts.get("encounter")
    if isinstance(encounter, Mapping) and "id" in encounter:
        body["encounter"] = {"reference": f"Encounter/{encounter['id']}"}
    return body | {"authored": beginning.now}


@dataclass(slots=True)
class _Populating:
    questionnaire: Mapping[str, Any]
    beginning: Beginning
    issues: list[Issue] = field(default_factory=list)

    def note(self, why: str, where: str, code: str = "processing") -> None:
        self.issues.append(Issue("warning", code, why, (where,), "not-populated"))

    def root(self, env: Environment) -> Generator[Query, Sequence[JsonObject], Environment]:
        """What the form as a whole gives names to: launch contexts, source queries, variables."""
        for said in extensions(self.questionnaire, names.LAUNCH_CONTEXT):
            name = part(said, "name")
            name = name.get("code") if isinstance(name, Mapping) else name
            if isinstance(name, str) and name not in env.variables:
                env = env.with_variables(**{name: []})
                where = f"Questionnaire.extension('{names.LAUNCH_CONTEXT}')"
                self.note(f"The form asks for the context {name!r}, which was not given", where, "incomplete")
        if extension(self.questionnaire, names.SOURCE_MAP) is not None:
            where = f"Questionnaire.extension('{names.SOURCE_MAP}')"
            self.note("StructureMaps are not executed here", where, "not-supported")
        env = yield from self.source_queries(env)
        return (
            yield from self.named(self.questionnaire, env, Value(RESPONSE, {"resourceType": RESPONSE}), "Questionnaire")
        )

    def source_queries(self, env: Environment) -> Generator[Query, Sequence[JsonObject], Environment]:
        """Batches that the form contains: each becomes a variable of its id, a Bundle of what each query finds."""
        contained = {f"#{each.get('id')}": each for each in self.questionnaire.get("contained", ())}
        where = f"Questionnaire.extension('{names.SOURCE_QUERIES}')"
        for said in extensions(self.questionnaire, names.SOURCE_QUERIES):
            reference = value(said)
            batch = contained.get(reference.get("reference", "")) if isinstance(reference, Mapping) else None
            if batch is None:
                self.note("Source queries are answered where the form contains them", where, "not-supported")
                continue
            entries = []
            for entry in batch.get("entry", ()):
                found = yield from self.asked(str(entry.get("request", {}).get("url", "")), [], env, where)
                entries.append({"resource": _searchset(found)})
            name = str(batch["id"])
            env = env.with_variables(**{name: {"resourceType": "Bundle", "type": "batch-response", "entry": entries}})
        return env

    def named(
        self, row: Mapping[str, Any], env: Environment, focus: Value, where: str
    ) -> Generator[Query, Sequence[JsonObject], Environment]:
        """The variables of an element, and of the root also its population context."""
        for said in extensions(row, names.VARIABLE):
            expression, place = value(said), f"{where}.extension('{names.VARIABLE}')"
            name = expression.get("name") if isinstance(expression, Mapping) else None
            if name:
                found = yield from self.values(expression, focus, env, place, whole=True)
                env = env.with_variables(**{name: found})
        return env

    def values(
        self, expression: Any, focus: Value, env: Environment, where: str, whole: bool = False
    ) -> Generator[Query, Sequence[JsonObject], list[Value]]:
        """What an expression gives, in FHIRPath or as a query; `whole` leaves what a query finds in its Bundle."""
        try:
            text = text_of(expression, where, ("text/fhirpath", LANGUAGE))
            if expression.get("language") != LANGUAGE:
                return evaluate(text, focus, env, where)
            found = yield from self.asked(text, focus, env, where)
        except ExpressionFault as fault:
            self.note(str(fault), fault.where)
            return []
        resources = [_searchset(found)] if whole and "?" in text else found
        return [Value(each["resourceType"], each) for each in resources]

    def asked(
        self, text: str, focus: Any, env: Environment, where: str
    ) -> Generator[Query, Sequence[JsonObject], list[JsonObject]]:
        if not self.beginning.local:
            return []
        try:
            wanted = query(text, focus, env, where)
        except ExpressionFault as fault:
            self.note(str(fault), fault.where)
            return []
        if wanted is None:
            return []
        return list((yield wanted))

    def items(
        self, parent: Mapping[str, Any], definition: CompiledQuestionnaire | Item, env: Environment
    ) -> Generator[Query, Sequence[JsonObject], list[JsonObject]]:
        """The items with answers, of those in a form, a group or a question."""
        found: list[JsonObject] = []
        for row in parent.get("item", ()):
            item = definition.children[row["linkId"]]
            focus = Value(ITEM, {"linkId": item.link_id})
            here = env.with_variables(qitem=Value(FORM_ITEM, row))
            here = yield from self.named(row, here, focus, item_place(item.link_id))
            if item.type == "group":
                found += yield from self.group(row, item, here, focus)
            elif item.type != "display":
                found += yield from self.question(row, item, here, focus)
        return found

    def group(
        self, row: Mapping[str, Any], item: Item, env: Environment, focus: Value
    ) -> Generator[Query, Sequence[JsonObject], list[JsonObject]]:
        """The group, once, or once for each thing that its population context gives."""
        expression = value(extension(row, names.POPULATION_CONTEXT))
        places: list[Environment] = [env]
        if isinstance(expression, Mapping):
            where = item_place(item.link_id, names.POPULATION_CONTEXT)
            given = yield from self.values(expression, focus, env, where)
            if len(given) > 1 and not item.repeats:
                self.note(f"Item '{item.link_id}': its context is several things, but it does not repeat", where)
                given = []
            name = str(expression.get("name") or item.link_id)
            places = [env.with_variables(**{name: each}) for each in given[:_MOST]]
        found = []
        for place in places:
            items = yield from self.items(row, item, place)
            if items:
                found.append(_made(row, {"item": items}))
        return found

    def question(
        self, row: Mapping[str, Any], item: Item, env: Environment, focus: Value
    ) -> Generator[Query, Sequence[JsonObject], list[JsonObject]]:
        given = yield from self.answers(row, item, env, focus)
        if item.children and given:
            below = yield from self.items(row, item, env)
            given = [{**answer, "item": below} if below else answer for answer in given]
        return [_made(row, {"answer": given})] if given else []

    def answers(
        self, row: Mapping[str, Any], item: Item, env: Environment, focus: Value
    ) -> Generator[Query, Sequence[JsonObject], list[Answer]]:
        expression = value(extension(row, names.INITIAL))
        if isinstance(expression, Mapping):
            where = item_place(item.link_id, names.INITIAL)
            found = yield from self.values(expression, focus, env, where)
            return self.fitting(found, item, "expression", where)
        period = value(extension(row, names.LINK_PERIOD))
        if isinstance(period, Mapping) and item.codes:
            found = yield from self.observed(item, period)
            if found:
                return self.fitting(found, item, "observation", item_place(item.link_id, names.LINK_PERIOD))
        return [_marked(each, "initial") for each in _initial(row)]

    def observed(self, item: Item, period: Mapping[str, Any]) -> Generator[Query, Sequence[JsonObject], list[Value]]:
        """The value of the newest Observation of the item's code, not older than the period."""
        if not self.beginning.local:
            return []
        codes = ",".join(f"{system}|{code}" for system, code in item.codes)
        since = _before(self.beginning.now, period)
        params = [("subject", self.beginning.subject), ("code", codes), ("status", "final,amended,corrected")]
        params += [("date", f"ge{since}")] if since is not None else []
        newest = yield Query("Observation", (*params, ("_sort", "-date"), ("_count", "1")))
        for observation in newest[:1]:
            for name, said in observation.items():
                if name.startswith("value"):
                    return [Value(_type_of(name), said)]
        return []

    def fitting(self, values: Sequence[Value], item: Item, origin: str, where: str) -> list[Answer]:
        """The values as answers, without those that the item does not take."""
        if len(values) > 1 and not item.repeats:
            self.note(f"Item '{item.link_id}': there are {len(values)} values, but it takes one", where)
            return []
        made = answers(values, item)
        if len(made) < len(values):
            self.note(f"Item '{item.link_id}': a value is not of the type {item.type}", where)
        kept = []
        for answer in made:
            (name, one), *_ = answer.items()
            faults = beyond(name, one, item)
            if faults:
                self.note(f"Item '{item.link_id}': {faults[0][2]}", where, faults[0][0])
            else:
                kept.append(_marked(answer, origin))
        return kept


def _made(row: Mapping[str, Any], content: JsonObject) -> JsonObject:
    text = {"text": row["text"]} if "text" in row else {}
    return {"linkId": row["linkId"], **text, **content}


def _marked(answer: Mapping[str, Any], origin: str) -> Answer:
    return {"extension": [{"url": ORIGIN, "valueCode": origin}], **answer}


def _initial(row: Mapping[str, Any]) -> list[Answer]:
    chosen = [each for each in row.get("answerOption", ()) if each.get("initialSelected")]
    given = [*row.get("initial", ()), *chosen]
    return [{name: said for name, said in each.items() if name.startswith("value")} for each in given]


def _searchset(resources: Sequence[JsonObject]) -> JsonObject:
    entries = [{"resource": each} for each in resources]
    return {"resourceType": "Bundle", "type": "searchset", **({"entry": entries} if entries else {})}


def _before(now: str, period: Mapping[str, Any]) -> str | None:
    code, amount = period.get("code", period.get("unit")), period.get("value")
    if amount is None:
        return None
    if code in _DAYS:
        span = timedelta(days=min(int(amount) * _DAYS[code], 40_000))
    elif code in _HOURS:
        span = timedelta(hours=min(float(amount) * _HOURS[code], 960_000))
    else:
        return None
    moment: datetime = dates.interval(now).lo
    return dates.instant(moment - span)


def _type_of(name: str) -> str:
    """The type of a value[x] by its name."""
    kind = name.removeprefix("value")
    return kind if kind in ("Quantity", "CodeableConcept", "Range", "Ratio", "Period") else kind[0].lower() + kind[1:]
