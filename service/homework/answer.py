"""Answers: checked against their Questionnaire; of completed ones the scores, the Provenance and the Task follow.

They follow in the transaction of the answer itself, under the service's own authority: whoever may send an answer need not
be allowed to write scores. https://hl7.org/fhir/uv/sdc/extraction.html
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from fhir_mappings.assignment import OPEN, answered_task, complete_task
from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import CompiledQuestionnaire, check_response, compile_questionnaire
from schemas import dates, ids, json
from schemas.outcome import Issue, error
from service.call import Call
from service.errors import Unprocessable
from service.homework.authority import found, under_labels
from service.homework.planned import Planned
from service.search.find import Found, find
from service.store import Change, Store

JsonObject = dict[str, Any]
ASSEMBLER: Final = "Device/hearth"
CAUSE: Final = "QuestionnaireResponse"
"""The type of which a write has consequences that its AuditEvent names."""
_OPEN: Final = ",".join(sorted(OPEN))
SCORED: Final = ("completed", "amended")


async def faults(call: Call, store: Store, resource: JsonObject) -> list[Issue]:
    """What `followed` would refuse about a resource, for $validate."""
    if resource.get("resourceType") != "QuestionnaireResponse" or "questionnaire" not in resource:
        return []
    found = await _questionnaire(call, store, resource, ())
    return [_unknown(resource)] if found is None else _checked(resource, found)


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Check the answer and plan what follows from it. Raises Unprocessable when it breaks its Questionnaire."""
    response = change.resource
    if response is None or "questionnaire" not in response:
        return
    questionnaire = await _questionnaire(call, store, response, planned.of("Questionnaire"))
    if questionnaire is None:
        raise Unprocessable(issues=[_unknown(response)], about=(change.type, change.id))
    issues = _checked(response, questionnaire)
    if issues:
        raise Unprocessable(issues=issues, about=(change.type, change.id))
    done = await _complete(call, store, change, planned) if response["status"] in SCORED else None
    await _score(call, store, change, questionnaire, done, planned)


def _checked(response: JsonObject, questionnaire: CompiledQuestionnaire) -> list[Issue]:
    return [issue for issue in check_response(response, questionnaire) if issue.severity == "error"]


def _unknown(response: JsonObject) -> Issue:
    return error(
        "not-found",
        f"No Questionnaire {response['questionnaire']} is held here, so the answers cannot be checked; create it first",
        "QuestionnaireResponse.questionnaire",
        details_code="questionnaire-unknown",
    )


async def _questionnaire(
    call: Call, store: Store, response: JsonObject, pending: Sequence[Change]
) -> CompiledQuestionnaire | None:
    canonical = str(response["questionnaire"])
    if canonical.startswith("#"):
        contained = (each for each in response.get("contained", ()) if each.get("id") == canonical[1:])
        return next((compile_questionnaire(each) for each in contained), None)
    url, _, version = canonical.partition("|")
    for change in pending:
        sent = change.resource or {}
        if sent.get("url") == url and version in ("", sent.get("version")):
            return compile_questionnaire(sent)
    params = [("url", url), ("status:not", "retired"), ("_sort", "-_lastUpdated")]
    params[1:2] = [("version", version)] if version else params[1:2]
    forms = replace(call, grant=under_labels(call.grant.hidden))
    held = await find(forms, store, "Questionnaire", tuple(params), "s", 1)
    return _compiled(held[0].json(store.codec)) if held else None


@lru_cache(maxsize=256)
def _compiled(content: bytes) -> CompiledQuestionnaire:
    return compile_questionnaire(json.decode(content))


async def _score(
    call: Call,
    store: Store,
    change: Change,
    questionnaire: CompiledQuestionnaire,
    task: str | None,
    planned: Planned,
) -> None:
    """The results of the answers; those of an earlier version of the response are amended or withdrawn."""
    assert change.resource is not None
    earlier = await _earlier(call, store, change) if change.before is not None else {}
    if change.resource["status"] not in SCORED and not earlier:
        return
    made = derive(
        change.resource,
        questionnaire,
        response_reference=f"QuestionnaireResponse/{change.id}",
        ids=lambda: str(ids.new(call.now.timestamp())),
        now=dates.instant(call.now),
        assembler=ASSEMBLER,
        previous=[each.resource(store.codec) for each in earlier.values()],
        focus=task,
    )
    for resource in made:
        known = earlier.get(resource["id"])
        planned.put(resource["resourceType"], resource["id"], resource, None if known is None else known.stored)


async def _earlier(call: Call, store: Store, change: Change) -> dict[str, Found]:
    """The Observations that an earlier version of the response gave, by their id."""
    params = [("derived-from", f"QuestionnaireResponse/{change.id}"), ("status:not", "entered-in-error")]
    return {each.id: each for each in await found(call, store, "Observation", params, 1000)}


async def _complete(call: Call, store: Store, change: Change, planned: Planned) -> str | None:
    """Complete the Task that asked for this answer and hang the answer on it; the reference to it, None without one."""
    assert change.resource is not None
    response = {**change.resource, "id": change.id}
    writing = {each.id: each.resource for each in planned.of("Task")}
    held = {each.id: each for each in await _asking(call, store, response) if each.id not in writing}
    tasks = [{**task, "id": task_id} for task_id, task in writing.items() if task is not None]
    tasks += [each.resource(store.codec) for each in held.values()]
    answered = answered_task(tasks, response)
    if answered is None:
        return None
    task_id = str(answered["id"])
    done = complete_task(answered, f"QuestionnaireResponse/{change.id}", now=dates.instant(call.now))
    # Where the same transaction writes the Task, both are one version of it.
    planned.put("Task", task_id, done, held[task_id].stored if task_id in held else None)
    return f"Task/{task_id}"


async def _asking(call: Call, store: Store, response: JsonObject) -> list[Found]:
    """The open Tasks that share a request or plan with the response, or have its draft as output already."""
    requests = [each.get("reference", "") for each in response.get("basedOn", ())]
    wanted = ",".join(each for each in requests if each.startswith(("ServiceRequest/", "CarePlan/")))
    if wanted:
        return await found(call, store, "Task", [("based-on", wanted), ("status", _OPEN)], 200)
    return await found(
        call, store, "Task", [("output", f"QuestionnaireResponse/{response['id']}"), ("status", _OPEN)], 50
    )
