"""What a write means for therapy homework: answers are checked against their Questionnaire, completed ones are scored.

The total, the item results, the Provenance and the Task follow in the transaction of the answer itself, under the service's
own authority: whoever may send an answer need not be allowed to write scores.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from fhir_mappings.assignment import complete_task, matches
from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire import CompiledQuestionnaire, check_response, compile_questionnaire
from schemas import dates, ids, json
from schemas.outcome import Issue, error
from service.call import Call
from service.errors import Unprocessable
from service.grant import Grant, Rule
from service.search.find import Found, find
from service.store import Change, Store

JsonObject = dict[str, Any]
ASSEMBLER: Final = "Device/hearth"
OPEN: Final = "requested,accepted,ready,in-progress,on-hold"
_SCORED: Final = ("completed", "amended")
_SERVICE: Final = Grant("hearth", (Rule("*", frozenset("cruds")),), "hearth")
"""The authority under which the service looks up what an answer belongs to."""


async def followed(call: Call, store: Store, changes: Sequence[Change]) -> list[Change]:
    """The planned changes, then what follows from them. Raises Unprocessable when an answer breaks its Questionnaire."""
    result = list(changes)
    for change in changes:
        if change.type == "QuestionnaireResponse" and change.resource is not None:
            await _answer(call, store, change, result)
    return result


async def faults(call: Call, store: Store, resource: JsonObject) -> list[Issue]:
    """What `followed` would refuse about a resource, for $validate."""
    if resource.get("resourceType") != "QuestionnaireResponse":
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
        raise Unprocessable(issues=[_unknown(response)])
    issues = _checked(response, questionnaire)
    if issues:
        raise Unprocessable(issues=issues)
    if response["status"] in _SCORED:
        await _score(call, store, change, questionnaire, result)
        await _complete(call, store, change, result)


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
    found = await _find(call, store, "Questionnaire", params, 1)
    return _compiled(found[0].json(store.codec)) if found else None


@lru_cache(maxsize=256)
def _compiled(content: bytes) -> CompiledQuestionnaire:
    return compile_questionnaire(json.decode(content))


async def _find(call: Call, store: Store, type_name: str, params: Sequence[tuple[str, str]], limit: int) -> list[Found]:
    return await find(replace(call, grant=_SERVICE), store, type_name, tuple(params), "s", limit)


async def _score(
    call: Call, store: Store, change: Change, questionnaire: CompiledQuestionnaire, result: list[Change]
) -> None:
    assert change.resource is not None
    made = derive(
        change.resource,
        questionnaire,
        response_reference=f"QuestionnaireResponse/{change.id}",
        ids=lambda: str(ids.new(call.now.timestamp())),
        now=dates.instant(call.now),
        assembler=ASSEMBLER,
    )
    earlier = await _earlier(call, store, change) if change.before is not None else {}
    for resource in made:
        known = earlier.pop(_code(resource), None) if resource["resourceType"] == "Observation" else None
        if known is None:
            result.append(store.change(resource["resourceType"], resource["id"], resource, call.now, by_service=True))
        else:
            _amend(call, store, known, resource, made, result)
    for known in earlier.values():
        withdrawn = {**known.resource(store.codec), "status": "entered-in-error"}
        result.append(store.change("Observation", known.id, withdrawn, call.now, known.stored, by_service=True))


def _amend(
    call: Call, store: Store, known: Found, resource: JsonObject, made: list[JsonObject], result: list[Change]
) -> None:
    """The result that there is already keeps its id; a changed one becomes `amended`, and the Provenance names it."""
    sent_id = resource["id"]
    for each in made:
        for target in each.get("target", ()):
            if target.get("reference") == f"Observation/{sent_id}":
                target["reference"] = f"Observation/{known.id}"
    same = {**resource, "id": known.id, "status": known.resource(store.codec).get("status")}
    if not store.is_same(known.stored, same):
        amended = {**resource, "id": known.id, "status": "amended"}
        result.append(store.change("Observation", known.id, amended, call.now, known.stored, by_service=True))


async def _earlier(call: Call, store: Store, change: Change) -> dict[str, Found]:
    """The Observations that an earlier version of the answer gave, by their code."""
    params = [("derived-from", f"QuestionnaireResponse/{change.id}"), ("status:not", "entered-in-error")]
    found = await _find(call, store, "Observation", params, 100)
    return {_code(each.resource(store.codec)): each for each in found}


def _code(observation: JsonObject) -> str:
    coding = observation.get("code", {}).get("coding") or [{}]
    return f"{coding[0].get('system')}|{coding[0].get('code')}"


async def _complete(call: Call, store: Store, change: Change, result: list[Change]) -> None:
    """The open Task that asked for this answer gets it as output and is completed."""
    response = change.resource
    assert response is not None
    reference, now = f"QuestionnaireResponse/{change.id}", dates.instant(call.now)
    response = {**response, "id": change.id}
    for at, planned in enumerate(result):
        if planned.type == "Task" and planned.resource is not None and matches(planned.resource, response):
            done = complete_task(planned.resource, reference, now=now)
            if done != planned.resource:
                result[at] = store.change("Task", planned.id, done, call.now, planned.before)
            return
    requests = [each.get("reference", "") for each in response.get("basedOn", ())]
    wanted = ",".join(each for each in requests if each.startswith(("ServiceRequest/", "CarePlan/")))
    if not wanted:
        return
    for found in await _find(call, store, "Task", [("based-on", wanted), ("status", OPEN), ("_sort", "due,_id")], 50):
        task = found.resource(store.codec)
        if matches(task, response):
            done = complete_task(task, reference, now=now)
            result.append(store.change("Task", found.id, done, call.now, found.stored, by_service=True))
            return
