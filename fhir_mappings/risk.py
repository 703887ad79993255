"""What tells of risk, and what follows from it: a Flag, a review for a clinician, words for the client.

https://hl7.org/fhir/R4/flag.html. None of these repeats an answer: they say by code what asks for a look, and how soon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fhir_mappings import answers
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from fhir_mappings.observation import DEFAULT_LABELS
from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire
from schemas.instrument import Code
from schemas.instruments import triggers
from schemas.library import BASE

JsonObject = dict[str, Any]
RISK: Final = f"{BASE}/CodeSystem/risk"
BARRIER: Final = f"{BASE}/CodeSystem/homework-barrier"
REVIEW: Final = f"{BASE}/NamingSystem/risk-review"
"""The system of the identifier that the reviews of one response share."""
REVIEW_CODE: Final = "clinician-risk-review"
WAITING: Final = frozenset(("requested", "received"))
"""The states in which nobody has taken a review yet."""
OPEN: Final = WAITING | {"accepted", "ready", "in-progress", "on-hold"}
ENDED: Final = frozenset(("completed", "cancelled"))
"""The states that end a review and its Flag."""
_SENSITIVITY: Final = f"{BASE}/CodeSystem/sensitivity"
STAFF: Final = {"security": [*DEFAULT_LABELS, {"system": _SENSITIVITY, "code": "staff-only"}]}
"""The labels of what is for clinicians: whatever hides the answer, these do not."""
REASONS: Final[Mapping[str, str]] = {
    "phq-item-9": "PHQ-9 item 9",
    "phq-teen-item-12": "PHQ-9 Teen item 12",
    "phq-teen-item-13": "PHQ-9 Teen item 13",
    "epds-item-10": "EPDS item 10",
    "core-10-item-6": "CORE-10 item 6",
    "c-ssrs-screener": "C-SSRS screener",
    "barrier-safety": "Not safe to do",
    "total": "Total above the threshold",
}
"""Why somebody has to look, as clinicians read it."""
_PRIORITIES: Final = {1: "asap", 2: "stat", 3: "stat"}
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/communication-category"
_SAID: Final = frozenset(("in-progress", "completed", "amended", "stopped"))


class Reason(NamedTuple):
    """Why somebody has to look: a code of CodeSystem/risk, a level from 1 to 3, and the item if it was one."""

    code: str
    level: int
    item: Code | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Where it comes from. `key` is the same for all that comes of one response; `hidden` when it may not be pointed to."""

    key: str
    source: str
    subject: Mapping[str, Any]
    encounter: Mapping[str, Any] | None
    hidden: bool
    now: str


def told(response: Mapping[str, Any], questionnaire: CompiledQuestionnaire) -> tuple[Reason, ...]:
    """What the answers so far tell of, each reason once, at its highest level."""
    if response.get("status") not in _SAID:
        return ()
    found = [Reason("barrier-safety", 1)] if any(_is_safety(each) for each in answers.codings(response)) else []
    known = triggers()
    if any(code in known for item in questionnaire.items.values() for code in item.codes):
        for code, given in answers.by_item(response, questionnaire).items():
            trigger = known.get(code)
            if trigger is not None:
                level = max(trigger.level(answers.given(answer)) for answer in given)
                found.append(Reason(trigger.reason, level, code))
    return worst(reason for reason in found if reason.level)


def above(totals: Iterable[Mapping[str, Any]], thresholds: Mapping[str, int]) -> tuple[Reason, ...]:
    """The totals that have reached what a tenant calls a reason to look."""
    codes = {
        coding.get("code")
        for total in totals
        for coding in total.get("code", {}).get("coding", ())
        if _value(total) >= thresholds.get(coding.get("code", ""), float("inf"))
    }
    return (Reason("total", 1),) if codes else ()


def _value(total: Mapping[str, Any]) -> Any:
    return total.get("valueInteger", total.get("valueQuantity", {}).get("value", float("-inf")))


def worst(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each reason once, at its highest level."""
    found: dict[str, Reason] = {}
    for reason in reasons:
        if reason.code not in found or found[reason.code].level < reason.level:
            found[reason.code] = reason
    return tuple(found.values())


def names_safety(task: Mapping[str, Any] | None) -> bool:
    """Whether the reason given for a Task's state is that it is not safe to do."""
    return any(_is_safety(each) for each in (task or {}).get("statusReason", {}).get("coding", ()))


def _is_safety(coding: Mapping[str, Any]) -> bool:
    return coding.get("code") == "safety" and coding.get("system") == BARRIER


def is_review(task: Mapping[str, Any] | None) -> bool:
    """Whether the Task is a clinician's review of a risk."""
    codings = (task or {}).get("code", {}).get("coding", ())
    return any(each.get("code") == REVIEW_CODE and each.get("system") == ACTIVITY_TYPE for each in codings)


def level_of(reasons: Sequence[Reason]) -> int:
    """The highest level."""
    return max(reason.level for reason in reasons)


def flag(event: Event, reasons: Sequence[Reason], author: str) -> JsonObject:
    """The Flag in the record, for clinicians."""
    return {
        "resourceType": "Flag",
        "meta": STAFF,
        "identifier": [{"system": REVIEW, "value": event.key}],
        "status": "active",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "safety"}]}],
        "code": _because(reasons),
        "subject": dict(event.subject),
        "period": {"start": event.now},
        **({"encounter": event.encounter} if event.encounter else {}),
        "author": {"reference": author},
    }


def review(
    event: Event, reasons: Sequence[Reason], *, author: str, owner: str | None, due: str, flag_id: str, item: str | None
) -> JsonObject:
    """The Task that asks `owner` to look by `due`; `item` is the Observation of the answer, where there is one."""
    level = level_of(reasons)
    made: JsonObject = {
        "resourceType": "Task",
        "meta": STAFF,
        "identifier": [{"system": REVIEW, "value": event.key}],
        "status": "requested",
        "intent": "order",
        "priority": _PRIORITIES[level],
        "code": {"coding": [{"system": ACTIVITY_TYPE, "code": REVIEW_CODE}]},
        "description": "An answer asks for a clinician's look at how safe this client is.",
    }
    if not event.hidden:
        made["focus"] = {"reference": event.source}
    made["for"] = dict(event.subject)
    if event.encounter:
        made["encounter"] = event.encounter
    made |= {"authoredOn": event.now, "lastModified": event.now, "requester": {"reference": author}}
    if owner:
        made["owner"] = {"reference": owner}
    made["reasonCode"] = _because(reasons)
    if item and not event.hidden:
        made["reasonReference"] = {"reference": item}
    made["restriction"] = {"period": {"start": event.now, "end": due}}
    made["input"] = [
        {"type": _concept("risk-level"), "valueInteger": level},
        {"type": _concept("flag"), "valueReference": {"reference": f"Flag/{flag_id}"}},
    ]
    return made


def covers(review: Mapping[str, Any], reasons: Iterable[Reason]) -> bool:
    """Whether a review was made for all of this already."""
    known = {each.get("code") for each in review.get("reasonCode", {}).get("coding", ())}
    return all(reason.code in known and reason.level <= level_in(review) for reason in reasons)


def level_in(review: Mapping[str, Any]) -> int:
    """The level that a review was made with."""
    return int(_input(review, "risk-level").get("valueInteger", 1))


def flag_of(review: Mapping[str, Any]) -> str | None:
    """The id of the Flag that a review ends."""
    kind, _, found = _input(review, "flag").get("valueReference", {}).get("reference", "").partition("/")
    return found if kind == "Flag" else None


def raised(review: Mapping[str, Any], reasons: Sequence[Reason], *, due: str, now: str) -> JsonObject:
    """The review with what was told since: more reasons, and where the level rose, sooner, and to be taken anew."""
    known = [each["code"] for each in review["reasonCode"]["coding"] if each.get("code") in REASONS]
    level = level_of(reasons)
    made = {**review, "lastModified": now}
    made["reasonCode"] = _coded(dict.fromkeys([*known, *(each.code for each in reasons)]))
    if level <= level_in(review):
        return made
    end = review["restriction"]["period"]["end"]
    period = {**review["restriction"]["period"], "end": min(end, due)}
    others = [row for row in review["input"] if not _is(row, "risk-level")]
    return {
        **made,
        "status": "requested",
        "priority": _PRIORITIES[level],
        "restriction": {**review["restriction"], "period": period},
        "input": [{"type": _concept("risk-level"), "valueInteger": level}, *others],
    }


def crisis(event: Event, text: str, language: str, recipients: Sequence[str], author: str) -> JsonObject:
    """What the client reads at once: that help is there now, and that somebody will look."""
    made = _communication("crisis-information", event.subject, recipients, author, event.now, text)
    return {**made, "meta": {"security": list(DEFAULT_LABELS)}, "language": language, "priority": "urgent"}


def breach(review: Mapping[str, Any], recipients: Sequence[str], author: str, now: str) -> JsonObject:
    """What those read who should have looked by now."""
    text = "A review of a client's safety is past its time and nobody has taken it yet. Please look now."
    made = _communication("risk-escalation", review["for"], recipients, author, now, text)
    about = [{"reference": f"Task/{review['id']}"}]
    return {**made, "meta": STAFF, "priority": "stat", "about": about}


def breaches(review: Mapping[str, Any]) -> int:
    """How often it was told already that nobody has taken the review."""
    return sum(1 for row in review.get("output", ()) if _is(row, "risk-escalation"))


def escalated(review: Mapping[str, Any], communication: str, due: str, owner: str | None, now: str) -> JsonObject:
    """The review after a breach: it is due again at `due`, and `owner`'s where it is given to somebody else."""
    period = {**review["restriction"]["period"], "end": due}
    told = {"type": _concept("risk-escalation"), "valueReference": {"reference": f"Communication/{communication}"}}
    made = {
        **review,
        "lastModified": now,
        "priority": "stat",
        "restriction": {**review["restriction"], "period": period},
        "output": [*review.get("output", ()), told],
    }
    return {**made, "owner": {"reference": owner}} if owner else made


def lowered(flag: Mapping[str, Any], status: str, now: str) -> JsonObject:
    """The Flag once its review has ended."""
    return {**flag, "status": status, "period": {**flag.get("period", {}), "end": now}}


def provenance(event: Event, targets: Sequence[str], author: str) -> JsonObject:
    """Who made all this, and of what; of what is hidden only that it was made."""
    participant = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    made: JsonObject = {
        "resourceType": "Provenance",
        "meta": STAFF,
        "target": [{"reference": each} for each in targets],
        "recorded": event.now,
        "activity": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE"}]
        },
        "agent": [{"type": {"coding": [{"system": participant, "code": "assembler"}]}, "who": {"reference": author}}],
    }
    return made if event.hidden else {**made, "entity": [{"role": "source", "what": {"reference": event.source}}]}


def _communication(
    kind: str, subject: Mapping[str, Any], recipients: Sequence[str], author: str, now: str, text: str
) -> JsonObject:
    return {
        "resourceType": "Communication",
        "status": "completed",
        "category": [{"coding": [{"system": _CATEGORY, "code": "alert"}, {"system": RISK, "code": kind}]}],
        "subject": dict(subject),
        "sent": now,
        **({"recipient": [{"reference": each} for each in recipients]} if recipients else {}),
        "sender": {"reference": author},
        "payload": [{"contentString": text}],
    }


def _because(reasons: Iterable[Reason]) -> JsonObject:
    return _coded(reason.code for reason in reasons)


def _coded(codes: Iterable[Any]) -> JsonObject:
    known = [{"system": RISK, "code": code, "display": REASONS[code]} for code in codes]
    return {"coding": known, "text": f"Needs a clinician's review: {', '.join(each['display'] for each in known)}"}


def _concept(code: str) -> JsonObject:
    return {"coding": [{"system": RISK, "code": code}]}


def _is(row: Mapping[str, Any], code: str) -> bool:
    return any(
        each.get("code") == code and each.get("system") == RISK for each in row.get("type", {}).get("coding", ())
    )


def _input(task: Mapping[str, Any], code: str) -> Mapping[str, Any]:
    return next((row for row in task.get("input", ()) if _is(row, code)), {})
