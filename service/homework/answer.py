"""Answers: checked against their Questionnaire; of completed ones the scores, the Provenance and the Task follow.

They follow in the transaction of the answer itself, under the service's own authority: whoever may send an answer need not
be allowed to write scores. https://hl7.org/fhir/uv/sdc/extraction.html
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from fhir_mappings.assignment import OPEN, answered_task, complete_task
from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import CompiledQuestionnaire, check_response, compile_questionnaire
from fhir_mappings.sdc.calculated import with_calculated
from schemas import dates, ids, json
from schemas.outcome import Issue, error
from service.call import Call
from service.errors import Unprocessable
from service.homework import instruments, risk
from service.homework.asking import asking
from service.homework.authority import found, under_labels
from service.homework.planned import Planned
from service.search.find import Found, find
from service.store import Change, Store

JsonObject = dict[str, Any]
ASSEMBLER: Final = "Device/hearth"
CAUSE: Final = "QuestionnaireResponse"
"""The type of which a write has consequences that its AuditEvent names."""
SCORED: Final = ("completed", "amended")


async def faults(call: Call, store: Store, resource: JsonObject) -> list[Issue]:
    """What `followed` would refuse, or say, about a resource, for $validate."""
    if resource.get("resourceType") == "Questionnaire":
        return await instruments.faults(store, resource)
    if resource.get("resourceType") != "QuestionnaireResponse" or "questionnaire" not in resource:
        return []
    found = await _questionnaire(call, store, resource, ())
    if found is None:
        return [_unknown(resource)]
    return await _checked(call, resource, found) or await instruments.unscored(store, found)


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Check the answer and plan what follows from it. Raises Unprocessable when it breaks its Questionnaire."""
    response = change.resource
    if response is None or "questionnaire" not in response:
        return
    questionnaire = await _questionnaire(call, store, response, planned.of("Questionnaire"))
    if questionnaire is None:
        raise Unprocessable(issues=[_unknown(response)], about=(change.type, change.id))
    issues = await _checked(call, response, questionnaire)
    if issues:
        raise Unprocessable(issues=issues, about=(change.type, change.id))
    done = await _complete(call, store, change, planned) if response["status"] in SCORED else None
    await _score(call, store, change, questionnaire, done, planned)
    await risk.answered(call, store, change, questionnaire, done, planned)


async def _checked(call: Call, response: JsonObject, questionnaire: CompiledQuestionnaire) -> list[Issue]:
    if questionnaire.expressions is None:
        issues = check_response(response, questionnaire)
    else:  # somebody's program, which may take its time
        issues = await asyncio.to_thread(check_response, response, questionnaire, dates.instant(call.now))
    return [issue for issue in issues if issue.severity == "error"]


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
    settled = change.resource["status"] in SCORED
    active = await instruments.active(change, questionnaire, planned) if settled else ()
    sex = await instruments.sex(call, store, change.resource, questionnaire, planned) if settled else None
    made = derive(
        await _computed(call, change.resource, questionnaire),
        questionnaire,
        response_reference=f"QuestionnaireResponse/{change.id}",
        ids=lambda: str(ids.new(call.now.timestamp())),
        now=dates.instant(call.now),
        assembler=ASSEMBLER,
        previous=[each.resource(store.codec) for each in earlier.values()],
        focus=task,
        active=active,
        sex=sex,
    )
    for resource in made:
        known = earlier.get(resource["id"])
        planned.put(resource["resourceType"], resource["id"], resource, None if known is None else known.stored)


async def _computed(call: Call, response: JsonObject, questionnaire: CompiledQuestionnaire) -> Mapping[str, Any]:
    """The response with what its form computes and it does not say: only for what is derived, never written back."""
    if questionnaire.expressions is None or not questionnaire.expressions.calculates:
        return response
    return await asyncio.to_thread(with_calculated, response, questionnaire, dates.instant(call.now))


async def _earlier(call: Call, store: Store, change: Change) -> dict[str, Found]:
    """The Observations that an earlier version of the response gave, by their id."""
    params = [("derived-from", f"QuestionnaireResponse/{change.id}"), ("status:not", "entered-in-error")]
    return {each.id: each for each in await found(call, store, "Observation", params, 1000)}


async def _complete(call: Call, store: Store, change: Change, planned: Planned) -> str | None:
    """Complete the Task that asked for this answer and hang the answer on it; the reference to it, None without one."""
    assert change.resource is not None
    response = {**change.resource, "id": change.id}
    writing = {each.id: each.resource for each in planned.of("Task")}
    held = {each.id: each for each in await asking(call, store, response, OPEN) if each.id not in writing}
    tasks = [{**task, "id": task_id} for task_id, task in writing.items() if task is not None]
    for each in held.values():
        task = each.resource(store.codec)
        planned.seen["Task", each.id] = (task, each.stored)  # the head among them is told next
        tasks.append(task)
    answered = answered_task(tasks, response)
    if answered is None:
        return None
    task_id = str(answered["id"])
    done = complete_task(answered, f"QuestionnaireResponse/{change.id}", now=dates.instant(call.now))
    # Where the same transaction writes the Task, both are one version of it.
    planned.put("Task", task_id, done, held[task_id].stored if task_id in held else None)
    return f"Task/{task_id}"
