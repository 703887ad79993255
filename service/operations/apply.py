"""ActivityDefinition/$apply and PlanDefinition/$apply. https://hl7.org/fhir/R4/activitydefinition-operation-apply.html

Nothing is stored. Docs: docs/fhir-operations.md, "$apply".
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fhir_mappings import apply as applying
from fhir_mappings import apply_plan
from fhir_mappings.apply import ApplyFault, Setting
from fhir_mappings.apply_variables import MEASURE, MEASURES, value_of
from fhir_mappings.fhirpath import Environment, Value, environment
from schemas import dates, ids, json
from service.call import Call, Reply
from service.errors import BadRequest, Unprocessable
from service.operations.definitions import absent, held, seen, seen_if_allowed, too_large, unknown, valid
from service.operations.parameters import Asked, asked, malformed
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
_OWN: Final = {"ActivityDefinition": "activityDefinition", "PlanDefinition": "planDefinition"}
_CODED: Final = ("userType", "userLanguage", "userTaskContext", "setting", "settingContext")
_NAMES: Final = ("subject", "encounter", "practitioner", "organization", *_CODED, "intent", "bundle")
_DEFINITIONS: Final = ("ActivityDefinition", "PlanDefinition", "Questionnaire")
_MOST: Final = 100
"""Definitions in one plan."""


async def apply(call: Call, store: Store) -> Reply:
    """The request that an activity becomes, or the CarePlan with everything in it that a plan becomes.

    With `bundle=true` a transaction that creates them as resources of their own. Raises Unprocessable for a definition that
    cannot be applied.
    """
    kind = str(call.type)
    given = asked(call, (*_NAMES, _OWN[kind]))
    definition = await _definition(call, store, given, kind)
    definitions = await _named(call, store, definition) if kind == "PlanDefinition" else {}
    setting = await _setting(call, store, given, [definition, *definitions.values()])
    is_bundle = given.flag("bundle")
    try:
        made = await asyncio.to_thread(_applied, kind, definition, definitions, setting, is_bundle)
    except ApplyFault as fault:
        raise Unprocessable(
            str(fault), code="processing", expression=(fault.where,), details_code="definition-not-applied"
        ) from fault
    subject_type, _, subject = setting.subject.partition("/")
    patient = subject if subject_type == "Patient" else None
    return Reply(200, valid(made, kind), type=kind, id=call.id, patient=patient)


def _applied(
    kind: str,
    definition: JsonObject,
    definitions: Mapping[str, JsonObject],
    setting: Setting,
    is_bundle: bool,
) -> JsonObject:
    if kind == "PlanDefinition":
        found = apply_plan.plan(definition, setting, definitions)
        return apply_plan.bundled(found, setting) if is_bundle else apply_plan.contained(found)
    made = applying.activity(definition, setting)
    return applying.transaction(applying.entries(made, setting)) if is_bundle else made.request


async def _definition(call: Call, store: Store, given: Asked, kind: str) -> JsonObject:
    """The definition at the address, or the one that is sent or named. Raises BadRequest when there is none or two."""
    name = _OWN[kind]
    sent = given.value(name)
    if call.id is not None:
        if sent is not None:
            raise malformed(name, f"{name} is not possible where the address names the definition")
        return await seen(call, store, f"{kind}/{call.id}")
    if sent is None:
        raise malformed(name, f"Send {name}: the definition, or its canonical")
    if not isinstance(sent, str):
        resource = given.resource(name, (kind,))
        assert resource is not None
        return resource
    call.grant.require("s", kind)
    found = await held(call, store, sent, (kind,))
    if found is None:
        raise absent(sent, name)
    return found


async def _named(call: Call, store: Store, plan: JsonObject) -> dict[str, JsonObject]:
    """Every definition that a plan names, and that those plans name, by its canonical as written."""
    found = {f"#{each.get('id')}": each for each in plan.get("contained", ())}
    waiting = list(dict.fromkeys(apply_plan.canonicals(plan)))
    while waiting:
        canonical = waiting.pop()
        if canonical in found:
            continue
        if len(found) == _MOST:
            raise Unprocessable(f"The plan names more than {_MOST} definitions", code="too-costly")
        definition = await held(call, store, canonical, _DEFINITIONS)
        if definition is None:
            raise unknown(canonical, "PlanDefinition.action.definitionCanonical")
        found[canonical] = definition
        waiting += apply_plan.canonicals(definition)
    return found


async def _setting(call: Call, store: Store, given: Asked, definitions: list[JsonObject]) -> Setting:
    if len(given.values("subject")) > 1:
        raise malformed("subject", "Give one subject; apply the definition for each of several")
    subject = given.reference("subject", ("Patient", "Group"))
    if subject is None:
        raise BadRequest("Give the subject, such as Patient/123", code="required", details_code="parameter-malformed")
    resource = await seen(call, store, subject)
    practitioner = given.reference("practitioner", ("Practitioner", "PractitionerRole"))
    if practitioner is None and (call.grant.user or "").startswith("Practitioner/"):
        practitioner = call.grant.user
    organization = given.reference("organization", ("Organization",))
    encounter = given.reference("encounter", ("Encounter",))
    people = {"practitioner": practitioner, "organization": organization, "encounter": encounter}
    known = {name: await seen_if_allowed(call, store, each) for name, each in people.items() if each is not None}
    measures = await _measures(call, store, subject, definitions)
    coded = {name: _concept(given, name) for name in _CODED}
    now = dates.instant(call.now)
    return Setting(
        subject,
        _environment(now, resource, known, measures, coded),
        now,
        lambda: str(ids.new(call.now.timestamp())),
        given.choice("intent", ("proposal", "plan", "order"), "proposal"),
        practitioner,
        organization,
        encounter,
        _language(coded["userLanguage"], resource),
        resource,
    )


def _environment(
    now: str,
    subject: JsonObject,
    known: Mapping[str, JsonObject],
    measures: Mapping[str, Any],
    coded: Mapping[str, Any],
) -> Environment:
    variables: dict[str, Any] = {"practitioner": [], "organization": [], "encounter": [], **known, **measures}
    for name, each in coded.items():
        variables[name] = [] if each is None else Value("CodeableConcept", each)
    patient = subject if subject["resourceType"] == "Patient" else []
    try:
        return environment(now, None, subject=subject, patient=patient, **variables)
    except OverflowError as fault:
        raise too_large(fault) from fault


def _concept(given: Asked, name: str) -> JsonObject | None:
    value = given.value(name)
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise malformed(name, f"{name} is a CodeableConcept, or a code")
    return {"coding": [{"code": value}]}


def _language(asked_for: JsonObject | None, subject: JsonObject) -> str | None:
    """The language asked for, or the one that the client prefers."""
    preferred = (each.get("language") for each in subject.get("communication", ()) if each.get("preferred"))
    concept = asked_for or next((each for each in preferred if each), None) or {}
    codings = concept.get("coding", ())
    return next((each["code"] for each in codings if "code" in each), None)


async def _measures(call: Call, store: Store, subject: str, definitions: list[JsonObject]) -> dict[str, Any]:
    """The newest value of each measure that the definitions ask for and the caller may see; empty without one."""
    text = json.encode(definitions)
    found: dict[str, Any] = {name: [] for name in MEASURES}
    if not subject.startswith("Patient/") or not call.grant.permits("s", "Observation"):
        return found
    for name, code in MEASURES.items():
        if f"%{name}".encode() in text:
            newest = [("patient", subject), ("combo-code", f"{MEASURE}|{code}"), ("status:not", "entered-in-error")]
            for each in await find(call, store, "Observation", [*newest, ("_sort", "-date")], "s", 1):
                value = value_of(each.resource(store.codec), code)
                found[name] = [] if value is None else value
    return found
