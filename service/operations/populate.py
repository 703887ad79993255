"""Questionnaire/$populate: a response begun with what is known. https://hl7.org/fhir/uv/sdc/OperationDefinition-Questionnaire-populate.html

Nothing is stored. Docs: docs/fhir-operations.md, "$populate".
"""

import asyncio
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final

from fhir_mappings.questionnaire import compile_questionnaire
from fhir_mappings.sdc.populate import Beginning, Populated, populating
from fhir_mappings.sdc.queries import Query
from schemas import dates, json, references
from schemas.outcome import Issue, outcome
from service.call import Call, Reply
from service.errors import BadRequest, HearthError, NotFound
from service.interactions.routes import is_held
from service.operations.definitions import absent, held, seen, seen_if_allowed, too_large
from service.operations.parameters import Asked, asked, malformed
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
_NAMES: Final = ("questionnaire", "questionnaireRef", "canonical", "subject", "context", "launchContext", "local")
_RESERVED: Final = ("resource", "rootResource", "questionnaire", "qitem", "context", "subject")
_MOST: Final = 100
"""Resources that a query finds, and queries of one form."""
_Asking = Generator[Query, Sequence[JsonObject], Populated]


async def populate(call: Call, store: Store) -> Reply:
    """A Parameters with the `response`, in progress, and `issues` where something could not be filled in."""
    given = asked(call, _NAMES)
    questionnaire = await _form(call, store, given)
    subject = given.reference("subject", ("Patient", "Group", "Practitioner", "RelatedPerson"))
    if subject is None:
        raise BadRequest("Give the subject, such as Patient/123", code="required", details_code="parameter-malformed")
    local = given.value("local") is None or given.flag("local")
    contexts = await _contexts(call, store, given, subject, local)
    form = compile_questionnaire(questionnaire)
    asking = populating(questionnaire, form, Beginning(subject, dates.instant(call.now), contexts, local))
    try:
        made, issues = await _answered(call, store, asking)
    except OverflowError as fault:
        raise too_large(fault) from fault
    parameters: list[JsonObject] = [{"name": "response", "resource": made.response}]
    if made.issues or issues:
        parameters.append({"name": "issues", "resource": outcome((*made.issues, *issues))})
    patient = subject.removeprefix("Patient/") if subject.startswith("Patient/") else None
    body = {"resourceType": "Parameters", "parameter": parameters}
    return Reply(200, json.encode(body), type="Questionnaire", id=call.id, patient=patient)


async def _form(call: Call, store: Store, given: Asked) -> JsonObject:
    sent = [name for name in ("questionnaire", "questionnaireRef", "canonical") if given.values(name)]
    if call.id is not None:
        if sent:
            raise malformed(sent[0], f"{sent[0]} is not possible where the address names the form")
        return await seen(call, store, f"Questionnaire/{call.id}")
    if len(sent) != 1:
        raise malformed("questionnaire", "Send one of questionnaire, questionnaireRef and canonical")
    resource = given.value("questionnaire")
    if isinstance(resource, Mapping):
        found = given.resource("questionnaire", ("Questionnaire",))
        assert found is not None
        return found
    call.grant.require("s", "Questionnaire")
    reference = given.reference("questionnaireRef", ("Questionnaire",))
    if reference is not None:
        return await seen(call, store, reference)
    canonical = given.text("canonical") or given.text("questionnaire") or ""
    held_form = await held(call, store, canonical, ("Questionnaire",))
    if held_form is None:
        raise absent(canonical, sent[0])
    return held_form


async def _contexts(call: Call, store: Store, given: Asked, subject: str, local: bool) -> dict[str, Any]:
    """The resources that expressions can name: the subject, who uses the app, and what was sent or named."""
    contexts: dict[str, Any] = {}
    resource = await seen(call, store, subject)
    contexts["subject"] = resource
    if subject.startswith("Patient/"):
        contexts["patient"] = resource
    if call.grant.user is not None:
        contexts["user"] = await seen_if_allowed(call, store, call.grant.user)
    for said in (*given.values("context"), *given.values("launchContext")):
        name, content = (said.get("name"), said.get("content")) if isinstance(said, Mapping) else (None, None)
        if not isinstance(name, str) or not isinstance(content, Mapping):
            raise malformed("context", "A context has a name and a content: a resource, or a reference to one")
        if name in _RESERVED:
            raise malformed("context", f"A context cannot be called {name}: that name has its own meaning")
        contexts[name] = await _content(call, store, content, local)
    return contexts


async def _content(call: Call, store: Store, content: Mapping[str, Any], local: bool) -> Any:
    if "resourceType" in content:
        return content
    found = references.literal(str(content.get("reference", "")))
    if found is None or found.base is not None:
        raise malformed("context", "The content of a context is a resource, or a reference such as Encounter/123")
    if not local:
        return {"resourceType": found.type, "id": found.id}
    return await seen(call, store, f"{found.type}/{found.id}")


async def _answered(call: Call, store: Store, asking: _Asking) -> tuple[Populated, list[Issue]]:
    """Run the population, answering its queries under the caller's Grant."""
    issues: list[Issue] = []
    known: dict[Query, list[JsonObject]] = {}
    found: list[JsonObject] | None = None
    while True:
        step = await asyncio.to_thread(_advanced, asking, found)
        if isinstance(step, Populated):
            return step, issues
        if step not in known:
            known[step] = [] if len(known) >= _MOST else await _found(call, store, step, issues)
        found = known[step]


def _advanced(asking: _Asking, found: list[JsonObject] | None) -> Query | Populated:
    try:
        return next(asking) if found is None else asking.send(found)
    except StopIteration as end:
        populated: Populated = end.value
        return populated


async def _found(call: Call, store: Store, query: Query, issues: list[Issue]) -> list[JsonObject]:
    """What the caller may see of it; a query that is wrong or not allowed finds nothing, with an issue."""
    try:
        if not is_held(query.type):
            raise NotFound(f"{query.type[:64]} is no resource type held here", code="not-supported")
        if query.id is not None:
            return [await seen(call, store, f"{query.type}/{query.id}")]
        call.grant.require("s", query.type)
        found = await find(call, store, query.type, query.params, "s", _MOST)
    except HearthError as refusal:
        issues += [
            Issue("warning", each.code, f"A query on {query.type} was not answered: {each.diagnostics}", (), "not-populated")
            for each in refusal.issues
        ]  # fmt: skip
        return []
    return [each.resource(store.codec) for each in found]
