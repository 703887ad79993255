"""Homework given: new, instead of something else, or in smaller pieces. Docs: docs/homework-api.md."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from fhir_mappings.homework_api import fit, parts, prescribe
from fhir_mappings.homework_api.assignment import kind
from fhir_mappings.homework_api.element import id_of, ids_of
from fhir_mappings.homework_api.people import language
from fhir_mappings.homework_api.verbs import Saying, noted
from fhir_mappings.lifecycle import TERMINAL
from fhir_mappings.prescription import Assignment
from schemas import ids
from schemas.homework.assignments import NewAssignment
from schemas.library import BASE
from service.call import Reply
from service.errors import BadRequest, Unprocessable
from service.homework_api.ask import Ask, Write, changed
from service.homework_api.assignments import set_requests, told
from service.interactions import conditional

JsonObject = dict[str, Any]
_CATEGORY: Final = f"{BASE}/CodeSystem/careplan-category|therapy-homework"
_REQUEST_POINTERS: Final = {
    "": "#",
    "occurrence": "#/dose",
    "occurrence.repeat.bounds": "#/due",
    "occurrenceTiming": "#/dose",
    "occurrenceTiming.repeat.boundsPeriod": "#/due",
    "patientInstruction": "#/instructions",
    "encounter": "#/session",
    "extension": "#/goals",
    "subject": "#/client",
    "requester": "#/therapist",
}
_TASK_POINTERS: Final = {
    "": "#",
    "status": "#/publish",
    "instantiatesCanonical": "#/activity",
    "restriction": "#/due",
    "reasonReference": "#/goals",
    "input": "#/form",
    "input.where(type.coding.code='rationale')": "#/why",
    "input.where(type.coding.code='instruction')": "#/instructions",
    "encounter": "#/session",
    "groupIdentifier": "#/set",
    "for": "#/client",
    "requester": "#/therapist",
}


async def create(ask: Ask) -> Reply:
    """New homework, in the client's plan."""
    if ask.body.group is not None:
        whose = await ask.named("Group", ask.body.group, "#/group")
    else:
        whose = await ask.named("Patient", ask.client(ask.body.client, "#/client"), "#/client")
    found = await _activity(ask, ask.body)
    return await _told(ask, await _given(ask, ask.body, found, whose), found, whose)


async def _told(ask: Ask, task: JsonObject, activity: JsonObject, whose: JsonObject) -> Reply:
    """What was given, to a therapist with what may not suit this client."""
    found = () if ask.is_client else fit.cautions(activity, whose, ask.call.now.date())
    return await told(ask, task, 201, found)


async def _activity(ask: Ask, new: NewAssignment, known: Mapping[str, Any] | None = None) -> JsonObject:
    """What is to be done: of the library, or as it was, each with what is said anew."""
    found = await ask.named("ActivityDefinition", new.activity, "#/activity") if new.activity else known
    form = await ask.named("Questionnaire", new.form, "#/form") if new.form else None
    return prescribe.activity(new, found, form)


async def _given(
    ask: Ask, new: NewAssignment, activity: JsonObject, whose: JsonObject, instead_of: JsonObject | None = None
) -> JsonObject:
    """Write the homework and list it in the plan; the Task. With `instead_of` that Task ends in the same step."""
    assignment = prescribe.agreed(
        new,
        activity,
        whose=f"{whose['resourceType']}/{whose['id']}",
        giver=_giver(ask, new),
        now=ask.now,
        language=language(whose),
    )
    wanted = (("subject", assignment.patient), ("category", _CATEGORY), ("status", "active"))

    async def act() -> list[JsonObject]:
        request_url, task_url = (f"urn:uuid:{ids.new(ask.call.now.timestamp())}" for _ in range(2))
        request = prescribe.request(assignment, new)
        before = None if instead_of is None else await ask.resource("Task", instead_of["id"])
        if before is not None and (old := ids_of(before.get("basedOn", ()), "ServiceRequest")):
            request["replaces"] = [{"reference": f"ServiceRequest/{each}"} for each in old]
        task = prescribe.task(assignment, new, request_url, None if before is None else before["id"])
        return await ask.write(
            [
                Write(task, None, task_url, _TASK_POINTERS),
                Write(request, None, request_url, _REQUEST_POINTERS),
                *([] if assignment.is_group else [await _planned(ask, assignment, request_url, wanted)]),
                *([] if before is None else await _ended(ask, before)),
            ]
        )

    # One at a time for each client, so that all their homework gets into one plan.
    plans = replace(ask.call, type="CarePlan")
    return (await ask.again(lambda: conditional.alone(plans, ask.store, wanted, act)))[0]


async def _planned(ask: Ask, assignment: Assignment, request_url: str, wanted: conditional.Criteria) -> Write:
    """The client's plan with the homework in it, made where there is none yet; a group has no plan of its own."""
    plan = await ask.one("CarePlan", wanted)
    if plan is None:
        return Write(prescribe.plan(assignment, [request_url]))
    return changed(prescribe.listed(plan, [request_url]), plan)


def _giver(ask: Ask, new: NewAssignment) -> str:
    """Who gives it: the practitioner or client who asks, or whom an app names."""
    if ask.author is not None and (ask.is_client or new.therapist is None):
        return ask.author
    if new.therapist is None:
        raise BadRequest(
            "Say which practitioner gives it",
            code="required",
            expression=("#/therapist",),
            details_code="missing-member",
        )
    return f"Practitioner/{new.therapist}"


async def _ended(ask: Ask, before: JsonObject) -> list[Write]:
    after = noted(parts.replaced(before, ask.body.reason), ask.body.note, Saying(ask.now, ask.author))
    return [
        changed(after, before, {"": "#/reason"}),
        *await set_requests(ask, before, ("active", "draft", "on-hold"), "revoked"),
    ]


async def instead(ask: Ask) -> Reply:
    """Something else instead, with the thread kept: the new one says what it replaces, the old one that it went on."""
    ask.require_version()
    task = await ask.resource("Task", ask.ids["id"])
    ask.require_current(task)
    client = id_of(task.get("for"), "Patient")
    if client is None or task.get("partOf"):
        raise Unprocessable(
            "Replace the whole of it: a client's assignment that is no part of another", details_code="not-whole"
        )
    request = await _prescription(ask, task)
    new = parts.instead(task, request, ask.body)
    if new.therapist is None and ask.author is None:
        new = new.model_copy(update={"therapist": id_of(task.get("requester"), "Practitioner")})
    made = await _activity(ask, new, None if ask.body.activity else await _as_it_was(ask, task))
    whose = await ask.resource("Patient", client)
    return await _told(ask, await _given(ask, new, made, whose, task), made, whose)


async def _prescription(ask: Ask, task: JsonObject) -> JsonObject | None:
    found = ids_of(task.get("basedOn", ()), "ServiceRequest")
    return await ask.seen("ServiceRequest", found[0]) if found else None


async def _as_it_was(ask: Ask, task: JsonObject) -> JsonObject:
    """What the library says of an assignment, or what it would say of one in somebody's own words."""
    url, _, version = str(task.get("instantiatesCanonical", "")).partition("|")
    if url and ask.call.grant.permits("s", "ActivityDefinition"):
        params = [("url", url), *([("version", version)] if version else []), ("_sort", "-_lastUpdated")]
        found = await ask.one("ActivityDefinition", params)
        if found is not None:
            return found
    return {"code": task["code"], **parts.depends(task)}


async def split(ask: Ask) -> Reply:
    """Smaller pieces, each an assignment that is a part of this one."""
    said = ask.body

    async def make(task: JsonObject) -> list[Write]:
        if task["status"] in TERMINAL:
            raise Unprocessable("This assignment is over; replace it instead", details_code="task-transition")
        if kind(task, await _prescription(ask, task)) != "single":
            raise Unprocessable("Only what is done once can be split", details_code="not-whole")
        after = noted(task, said.note, Saying(ask.now, ask.author))
        steps = [
            Write(parts.step(task, number, each, ask.now), pointers={"": f"#/steps/{number - 1}"})
            for number, each in enumerate(said.steps, 1)
        ]
        return [*([changed(after, task)] if after is not task else []), *steps]

    written = await ask.change("Task", ask.ids["id"], make)
    return await told(
        ask, written[0] if written[0]["id"] == ask.ids["id"] else await ask.resource("Task", ask.ids["id"])
    )
