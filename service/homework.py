"""What a write means for therapy homework: answers are checked against their Questionnaire, completed ones are scored.

The total, the item results, the Provenance and the Task follow in the transaction of the answer itself, under the service's
own authority: whoever may send an answer need not be allowed to write scores.
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
from service.errors import Forbidden, Unprocessable
from service.grant import Grant, Rule
from service.search.find import Found, find
from service.store import Change, Store

JsonObject = dict[str, Any]
ASSEMBLER: Final = "Device/hearth"
CAUSE: Final = "QuestionnaireResponse"
"""The type of which a write has consequences."""
_OPEN: Final = ",".join(sorted(OPEN))
PROGRESS: Final = frozenset(("status", "statusReason", "businessStatus", "output", "note", "executionPeriod"))
"""What clients say of a Task, and nothing else."""
_PROGRESS: Final = ", ".join(sorted(PROGRESS))
_SCORED: Final = ("completed", "amended")
_EVERYTHING: Final = (Rule("*", frozenset("cruds")),)
_SERVICE: Final = Grant("hearth", _EVERYTHING, "hearth")
"""The authority under which the service looks up what an answer belongs to."""


@lru_cache(maxsize=256)
def _of_forms(hidden: tuple[str, ...]) -> Grant:
    """The service's authority where its caller learns what it found: scopes do not limit it, the caller's labels do."""
    return Grant("hearth", _EVERYTHING, "hearth", hidden)


async def followed(call: Call, store: Store, changes: Sequence[Change]) -> list[Change]:
    """The planned changes, then what follows from them.

    Raises Unprocessable when an answer breaks its Questionnaire, Forbidden for a change of a Task that is not a client's.
    """
    result = list(changes)
    for change in changes:
        if change.type == "Task" and call.grant.shape.is_client:
            require_client_change(change, None if change.before is None else store.current(change.before))
        if change.type == CAUSE and change.resource is not None:
            await _answer(call, store, change, result)
    return result


def require_client_change(change: Change, before: JsonObject | None) -> None:
    """Raise Forbidden unless a client, or who acts for one, may make this change of a Task; `before` is None for a new one.

    Every write of a Task under a client's circle passes here, by whatever interaction. What they may do now: report
    progress (PROGRESS), and make a Task of their own. Which status may follow which is to be asked here too.
    """
    if before is None:
        return
    after = change.resource
    if after is None:
        raise _fixed(change, "Task", "A client does not delete a Task; set its status")
    for name in sorted({*before, *after}):
        if name.removeprefix("_") not in PROGRESS and _said(name, before) != _said(name, after):
            raise _fixed(change, f"Task.{name}", f"A client changes no more of a Task than {_PROGRESS}")


def _said(name: str, task: JsonObject) -> Any:
    """What the element says; of `meta` what is not of the version."""
    value = task.get(name)
    if name == "meta" and value is not None:
        value = {key: part for key, part in value.items() if key not in ("versionId", "lastUpdated")}
    return value or None


def _fixed(change: Change, expression: str, sentence: str) -> Forbidden:
    named = (change.type, change.id)
    return Forbidden(sentence, expression=(expression,), details_code="task-field-fixed", about=named)


async def faults(call: Call, store: Store, resource: JsonObject) -> list[Issue]:
    """What `followed` would refuse about a resource, for $validate."""
    if resource.get("resourceType") != "QuestionnaireResponse" or "questionnaire" not in resource:
        return []
    found = await _questionnaire(call, store, resource, ())
    return [_unknown(resource)] if found is None else _checked(resource, found)


async def _answer(call: Call, store: Store, change: Change, result: list[Change]) -> None:
    response = change.resource
    assert response is not None
    if "questionnaire" not in response:
        return
    questionnaire = await _questionnaire(call, store, response, result)
    if questionnaire is None:
        raise Unprocessable(issues=[_unknown(response)], about=(change.type, change.id))
    issues = _checked(response, questionnaire)
    if issues:
        raise Unprocessable(issues=issues, about=(change.type, change.id))
    done = await _complete(call, store, change, result) if response["status"] in _SCORED else None
    await _score(call, store, change, questionnaire, done, result)


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
        if change.type == "Questionnaire" and sent.get("url") == url and version in ("", sent.get("version")):
            return compile_questionnaire(sent)
    params = [("url", url), ("status:not", "retired"), ("_sort", "-_lastUpdated")]
    params[1:2] = [("version", version)] if version else params[1:2]
    forms = replace(call, grant=_of_forms(call.grant.hidden))
    found = await find(forms, store, "Questionnaire", tuple(params), "s", 1)
    return _compiled(found[0].json(store.codec)) if found else None


@lru_cache(maxsize=256)
def _compiled(content: bytes) -> CompiledQuestionnaire:
    return compile_questionnaire(json.decode(content))


async def _find(call: Call, store: Store, type_name: str, params: Sequence[tuple[str, str]], limit: int) -> list[Found]:
    return await find(replace(call, grant=_SERVICE), store, type_name, tuple(params), "s", limit)


async def _score(
    call: Call,
    store: Store,
    change: Change,
    questionnaire: CompiledQuestionnaire,
    task: str | None,
    result: list[Change],
) -> None:
    """The results of the answers; those of an earlier version of the response are amended or withdrawn."""
    assert change.resource is not None
    earlier = await _earlier(call, store, change) if change.before is not None else {}
    if change.resource["status"] not in _SCORED and not earlier:
        return
    made = derive(
        change.resource,
        questionnaire,
        response_reference=f"QuestionnaireResponse/{change.id}",
        ids=lambda: str(ids.new(call.now.timestamp())),
        now=dates.instant(call.now),
        assembler=ASSEMBLER,
        previous=[found.resource(store.codec) for found in earlier.values()],
        focus=task,
    )
    for resource in made:
        known = earlier.get(resource["id"])
        before = None if known is None else known.stored
        result.append(
            store.change(resource["resourceType"], resource["id"], resource, call.now, before, by_service=True)
        )


async def _earlier(call: Call, store: Store, change: Change) -> dict[str, Found]:
    """The Observations that an earlier version of the response gave, by their id."""
    params = [("derived-from", f"QuestionnaireResponse/{change.id}"), ("status:not", "entered-in-error")]
    return {found.id: found for found in await _find(call, store, "Observation", params, 1000)}


async def _complete(call: Call, store: Store, change: Change, result: list[Change]) -> str | None:
    """Complete the Task that asked for this answer and hang the answer on it; the reference to it, None without one."""
    assert change.resource is not None
    response = {**change.resource, "id": change.id}
    planned = {each.id: at for at, each in enumerate(result) if each.type == "Task"}
    held = {found.id: found for found in await _asking(call, store, response) if found.id not in planned}
    tasks = [{**task, "id": each} for each, at in planned.items() if (task := result[at].resource) is not None]
    tasks += [found.resource(store.codec) for found in held.values()]
    answered = answered_task(tasks, response)
    if answered is None:
        return None
    done = complete_task(answered, f"QuestionnaireResponse/{change.id}", now=dates.instant(call.now))
    task_id = str(answered["id"])
    if task_id in held:
        result.append(store.change("Task", task_id, done, call.now, held[task_id].stored, by_service=True))
    else:  # the same transaction writes the Task: both changes are one version of it
        at = planned[task_id]
        result[at] = store.change("Task", task_id, done, call.now, result[at].before)
    return f"Task/{task_id}"


async def _asking(call: Call, store: Store, response: JsonObject) -> list[Found]:
    """The open Tasks that share a request or plan with the response, or have its draft as output already."""
    requests = [each.get("reference", "") for each in response.get("basedOn", ())]
    wanted = ",".join(each for each in requests if each.startswith(("ServiceRequest/", "CarePlan/")))
    if wanted:
        return await _find(call, store, "Task", [("based-on", wanted), ("status", _OPEN)], 200)
    return await _find(
        call, store, "Task", [("output", f"QuestionnaireResponse/{response['id']}"), ("status", _OPEN)], 50
    )
