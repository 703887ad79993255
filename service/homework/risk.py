"""Answers that tell of risk: a Flag, a review for a clinician and words for the client, at the first save. Decision 0013.

They follow in the transaction of the answer, whatever hides it, and say by code what asks for a look, never what was said.
https://hl7.org/fhir/R4/flag.html
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from fhir_mappings import risk
from fhir_mappings.observation import codes
from fhir_mappings.questionnaire import CompiledQuestionnaire
from fhir_mappings.risk import Event, Reason
from schemas import dates, words
from schemas.instruments import instrument_for
from schemas.outcome import Issue
from service import audit, labels
from service.call import Call
from service.errors import Unprocessable
from service.homework.asking import asking
from service.homework.authority import SERVICE, found
from service.homework.instruments import patient_of
from service.homework.planned import Planned
from service.homework.policy import HomeworkPolicy
from service.index.subject import patient_of as subject_of
from service.search.find import Found
from service.store import Change, Store

JsonObject = dict[str, Any]
SENDER: Final = "Device/hearth"
_STAFF: Final = ("Practitioner/", "PractitionerRole/", "Organization/", "CareTeam/")
_SCORED: Final = ("completed", "amended")
_REFUSED: Final = frozenset(("rejected", "failed"))


async def answered(
    call: Call, store: Store, change: Change, questionnaire: CompiledQuestionnaire, task: str | None, planned: Planned
) -> None:
    """Plan what follows from what the answers tell of risk; `task` is the one that they complete, if they do."""
    response = change.resource
    assert response is not None
    reasons = (*risk.told(response, questionnaire), *await _above(change, questionnaire, planned))
    if not reasons:
        return
    event = _event(call, change, response)
    reviews = await _reviews(call, store, event) if change.before is not None else []
    if all(any(risk.covers(each, [reason]) for _, each in reviews) for reason in reasons):
        return
    policy = await planned.policy()
    held = next((each for each in reviews if each[1].get("status") in risk.OPEN), None)
    if held is not None:
        due = _due(call, reasons, policy)
        planned.put("Task", held[0].id, risk.raised(held[1], reasons, due=due, now=event.now), held[0].stored)
        return
    owner = await _owner(call, store, {**response, "id": change.id}, task, planned)
    await _alert(call, store, change, event, reasons, owner, planned)


async def follow_task(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """What follows from a Task that is not safe to do, and from the steps of a review. Raises Unprocessable."""
    after = change.resource
    if after is None or risk.is_review(after):
        await _step(call, store, change, planned)
    elif risk.names_safety(after):
        before = None if change.before is None else store.current(change.before)
        if not risk.names_safety(before):
            event = _event(call, change, {**after, "subject": after.get("for", {})})
            owner = _person(after) or await _anybody(call, store, after.get("for", {}), planned)
            await _alert(call, store, change, event, [Reason("barrier-safety", 1)], owner, planned)


async def _above(change: Change, questionnaire: CompiledQuestionnaire, planned: Planned) -> tuple[Reason, ...]:
    assert change.resource is not None
    if change.resource.get("status") not in _SCORED or instrument_for(questionnaire.codes) is None:
        return ()
    thresholds = (await planned.policy()).thresholds
    return risk.above(_derived(change, planned).values(), thresholds) if thresholds else ()


def _derived(change: Change, planned: Planned) -> dict[str, JsonObject]:
    """The Observations that follow from the response, by reference."""
    source = {"reference": f"{change.type}/{change.id}"}
    return {
        f"Observation/{each.id}": each.resource
        for each in planned.of("Observation")
        if each.resource is not None and source in each.resource.get("derivedFrom", ())
    }


def _event(call: Call, change: Change, resource: Mapping[str, Any]) -> Event:
    said = f"{change.type}/{change.id}"
    subject = resource.get("subject") or resource.get("source") or {"display": "Nobody was named"}
    hidden = labels.CLIENT_ONLY in labels.carried(resource)
    # Of what is hidden not even the id is told, and what is hidden now may be shown later: the key is the same for both.
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, said))
    return Event(key, said, subject, resource.get("encounter"), hidden, dates.instant(call.now))


async def _reviews(call: Call, store: Store, event: Event) -> list[tuple[Found, JsonObject]]:
    """The reviews that were made of the same response before, newest first."""
    params = [("identifier", f"{risk.REVIEW}|{event.key}"), ("status:not", "entered-in-error")]
    held = await found(call, store, "Task", [*params, ("_sort", "-_lastUpdated")], 20)
    return [(each, each.resource(store.codec)) for each in held]


def _due(call: Call, reasons: Sequence[Reason], policy: HomeworkPolicy) -> str:
    hours = policy.risk_hours if risk.level_of(reasons) == 1 else policy.risk_urgent_hours
    return dates.instant(call.now + timedelta(hours=hours))


async def _owner(call: Call, store: Store, response: JsonObject, task: str | None, planned: Planned) -> str | None:
    """Who assigned what was answered; else whom the tenant or the record names."""
    done = None if task is None else planned.resource("Task", task.removeprefix("Task/"))
    tasks = [done] if done is not None else [each.resource(store.codec) for each in await asking(call, store, response)]
    named = next((person for each in tasks if (person := _person(each))), None)
    return named or await _anybody(call, store, response.get("subject", {}), planned)


def _person(task: Mapping[str, Any]) -> str | None:
    """The member of staff who assigned the Task, or has it."""
    references = (str(task.get(name, {}).get("reference", "")) for name in ("requester", "owner"))
    return next((each for each in references if each.startswith(_STAFF)), None)


async def _anybody(call: Call, store: Store, subject: Mapping[str, Any], planned: Planned) -> str | None:
    on_call = (await planned.policy()).on_call
    return on_call or await care_team(call, store, subject)


async def care_team(call: Call, store: Store, subject: Mapping[str, Any]) -> str | None:
    """The team in whose care the client is."""
    params = [("patient", str(subject.get("reference", ""))), ("status", "active"), ("_sort", "-_lastUpdated")]
    teams = await found(call, store, "CareTeam", params, 1) if subject.get("reference") else []
    return f"CareTeam/{teams[0].id}" if teams else None


async def _alert(
    call: Call,
    store: Store,
    change: Change,
    event: Event,
    reasons: Sequence[Reason],
    owner: str | None,
    planned: Planned,
) -> None:
    """Plan the Flag, the review, the client's words and their Provenance, and have the caller told."""
    policy = await planned.policy()
    about = {"subject": event.subject}
    language, text = _words(policy, await patient_of(call, store, about, planned) or {})
    flag_id = planned.create(risk.flag(event, reasons, SENDER))
    item = _observed(change, reasons, planned)
    due = _due(call, reasons, policy)
    review = risk.review(event, reasons, author=SENDER, owner=owner, due=due, flag_id=flag_id, item=item)
    made = [f"Flag/{flag_id}", f"Task/{planned.create(review)}"]
    readers = _readers(event, change.resource or {})
    if readers:
        made.append(f"Communication/{planned.create(risk.crisis(event, text, language, readers, SENDER))}")
    planned.create(risk.provenance(event, made, SENDER))
    planned.note(change, Issue("information", "informational", text, (), "crisis-information"))


def _observed(change: Change, reasons: Sequence[Reason], planned: Planned) -> str | None:
    """The Observation of the answer that tells the most."""
    wanted = max(reasons, key=lambda reason: reason.level).item
    if wanted is None:
        return None
    derived = _derived(change, planned).items()
    return next((reference for reference, each in derived if wanted in codes(each.get("code", {}))), None)


def _readers(event: Event, resource: Mapping[str, Any]) -> list[str]:
    """The client, and who answered for them."""
    said = (event.subject, resource.get("source", {}))
    references = [str(each.get("reference", "")) for each in said]
    return list(dict.fromkeys(each for each in references if each.startswith(("Patient/", "RelatedPerson/"))))


def _words(policy: HomeworkPolicy, patient: Mapping[str, Any]) -> tuple[str, str]:
    """What the client reads, in the language they read best: the tenant's words, else ours."""
    spoken = sorted(patient.get("communication", ()), key=lambda each: not each.get("preferred", False))
    tags = [coding.get("code", "") for each in spoken for coding in each.get("language", {}).get("coding", ())]
    for language in (tag.partition("-")[0].lower() for tag in (*tags, patient.get("language", ""), "en")):
        if language in policy.crisis:
            return language, policy.crisis[language]
        if language in words.LANGUAGES:
            return language, words.part("risk", language)["crisis"]
    raise AssertionError("English is a language of ours")


async def _step(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """What a step of a review brings about: nobody declines it, who takes it is on record, its end ends its Flag."""
    if change.before is None or call.grant is SERVICE:
        return
    before = store.current(change.before)
    if not risk.is_review(before):
        return
    after = change.resource
    was, status = (before or {}).get("status"), (after or {}).get("status")
    if after is None or (status in _REFUSED and status != was):
        raise _kept(change)
    if status == "cancelled" and not after.get("statusReason"):
        raise _unsaid(change)
    if was in risk.WAITING and status not in risk.WAITING | {"entered-in-error"}:
        planned.audits.append(_acknowledged(call, change))
    if status != was and status in risk.ENDED | {"entered-in-error"}:
        await _lower(call, store, after, "inactive" if status in risk.ENDED else "entered-in-error", planned)


async def _lower(call: Call, store: Store, review: Mapping[str, Any], status: str, planned: Planned) -> None:
    flag_id = risk.flag_of(review)
    held = await found(call, store, "Flag", [("_id", flag_id)], 1) if flag_id else []
    for each in held:
        flag = each.resource(store.codec)
        if flag.get("status") == "active":
            planned.put("Flag", each.id, risk.lowered(flag, status, dates.instant(call.now)), each.stored)


def _kept(change: Change) -> Unprocessable:
    sentence = (
        "A review of a client's safety is not declined or deleted: hand it over by changing its owner, or end it as "
        "completed, cancelled or entered-in-error"
    )
    about = (change.type, change.id)
    return Unprocessable(
        sentence, code="business-rule", expression=("Task.status",), details_code="review-kept", about=about
    )


def _unsaid(change: Change) -> Unprocessable:
    return Unprocessable(
        "Say with a statusReason why nobody needs to look at this any more",
        code="business-rule",
        expression=("Task.statusReason",),
        details_code="status-reason-required",
        about=(change.type, change.id),
    )


def _acknowledged(call: Call, change: Change) -> audit.AuditRecord:
    assert change.resource is not None
    return audit.event(
        "risk-acknowledged",
        tenant_id=call.tenant_id,
        client_id=call.grant.client_id,
        user=call.grant.user,
        purpose=call.grant.purpose,
        address=call.address,
        recorded=call.now,
        outcome=audit.SUCCESS,
        type=change.type,
        id=change.id,
        version=change.version,
        query=None,
        request_id=call.request_id,
        patient=subject_of(change.type, change.id, change.resource, call.base),
    )
