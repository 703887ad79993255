"""Made-up therapy homework: persons, plans, Tasks, ratings and answers as they are in a practice, of nobody.

Shapes and codes are those of the library that every tenant starts with.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fhir_mappings.prescription import Assignment, service_request
from schemas import dates, library

JsonObject = dict[str, Any]
LABELS = [
    {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"},
    {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "BH"},
]
MEASURE = f"{library.BASE}/CodeSystem/homework-measure"
NUMBERS = "https://clinic.example/app/events"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 700
FAMILIES = ("Abara", "Brandt", "Castillo", "Dahl", "Eriksen", "Fontana", "Greco", "Haas", "Ivanova", "Jansen", "Koch")
GIVEN = ("Alex", "Bo", "Chris", "Dana", "Eli", "Fran", "Gael", "Hao", "Ira", "Jo", "Kim", "Lou", "Max", "Noa", "Robin")
NOTES = (
    "Went round the block twice although it rained, felt calmer on the way back.",
    "Put it off until the evening, then it took ten minutes and was fine.",
    "Could not get myself to start; wrote down what stood in the way instead.",
    "Harder than last week. The first five minutes were the worst of it.",
    "Told my sister about it and she came along.",
)
KINDS = {each["name"]: each for each in library.seed() if each["resourceType"] == "ActivityDefinition"}
FORMS = {each["url"]: each for each in library.seed() if each["resourceType"] == "Questionnaire"}
PHQ9 = FORMS[f"{library.BASE}/Questionnaire/phq-9"]
STATUSES = ("ready",) * 6 + ("completed",) * 10 + ("in-progress",) * 2 + ("requested", "cancelled")


@dataclass(slots=True)
class Person:
    """A client of the practice; `weight` is how much homework comes from them, which differs a great deal."""

    patient: str
    practitioner: str
    requests: list[str] = field(default_factory=list)
    weight: float = 1.0


def moment(rng: random.Random) -> str:
    """Some second of the two years that the data covers."""
    return (EPOCH - timedelta(seconds=rng.randrange(DAYS * 86_400))).isoformat().replace("+00:00", "Z")


def _reference(to: str) -> JsonObject:
    return {"reference": to}


def practitioner(rng: random.Random) -> JsonObject:
    return {
        "resourceType": "Practitioner",
        "active": True,
        "name": [{"family": rng.choice(FAMILIES), "given": [rng.choice(GIVEN)], "prefix": ["Dr."]}],
    }


def patient(rng: random.Random, practitioner: str) -> JsonObject:
    number = f"{rng.getrandbits(40):012d}"
    return {
        "resourceType": "Patient",
        "meta": {"security": LABELS},
        "identifier": [{"use": "official", "system": "https://clinic.example/patients", "value": number}],
        "active": True,
        "name": [{"use": "official", "family": rng.choice(FAMILIES), "given": [rng.choice(GIVEN), rng.choice(GIVEN)]}],
        "telecom": [
            {"system": "phone", "value": f"+00 555 {number[:6]}"},
            {"system": "email", "value": f"client{number}@clinic.example"},
        ],
        "gender": rng.choice(("female", "male", "other")),
        "birthDate": f"{rng.randrange(1950, 2008)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
        "generalPractitioner": [_reference(practitioner)],
    }


def goal(rng: random.Random, patient: str) -> JsonObject:
    return {
        "resourceType": "Goal",
        "meta": {"security": LABELS},
        "lifecycleStatus": "active",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/goal-category", "code": "behavioral"}]}
        ],
        "description": {"text": "Leave the house every day, also on days when it feels pointless"},
        "subject": _reference(patient),
        "startDate": moment(rng)[:10],
        "expressedBy": _reference(patient),
    }


def care_plan(rng: random.Random, patient: str, author: str, goal: str, activities: Sequence[str]) -> JsonObject:
    return {
        "resourceType": "CarePlan",
        "meta": {"security": LABELS},
        "status": "active",
        "intent": "plan",
        "category": [
            {"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]},
            {"coding": [{"system": f"{library.BASE}/CodeSystem/careplan-category", "code": "therapy-homework"}]},
        ],
        "title": "Between-session work",
        "subject": _reference(patient),
        "period": {"start": moment(rng)[:10]},
        "author": _reference(author),
        "goal": [_reference(goal)],
        "activity": [{"reference": _reference(activity)} for activity in activities],
    }


def request(rng: random.Random, patient: str, author: str) -> JsonObject:
    """A prescription of some activity of the library."""
    start = moment(rng)
    activity = rng.choice(list(KINDS.values()))
    return service_request(Assignment(patient, author, activity, start[:10], start[:10], start))


def task(rng: random.Random, patient: str, author: str, based_on: str, status: str | None = None) -> JsonObject:
    """One occurrence of homework: what to do, until when, and how it went."""
    start = moment(rng)
    activity = rng.choice(list(KINDS.values()))
    status = status or rng.choice(STATUSES)
    return {
        "resourceType": "Task",
        "meta": {"security": LABELS},
        "identifier": [{"system": NUMBERS, "value": str(uuid.UUID(int=rng.getrandbits(128)))}],
        "instantiatesCanonical": library.canonical(activity),
        "basedOn": [_reference(based_on)],
        "status": status,
        "businessStatus": {
            "coding": [{"system": f"{library.BASE}/CodeSystem/homework-business-status", "code": "agreed"}]
        },
        "intent": "order",
        "priority": "routine",
        "code": activity["code"],
        "description": activity.get("description", activity["title"]),
        "for": _reference(patient),
        "authoredOn": start,
        "lastModified": start,
        "requester": _reference(author),
        "owner": _reference(patient),
        "restriction": {"period": {"start": start, "end": start}},
        "input": [
            {
                "type": {"coding": [{"system": f"{library.BASE}/CodeSystem/homework-task-io", "code": "instruction"}]},
                "valueMarkdown": activity.get("usage", activity["title"]),
            }
        ],
        **({"statusReason": {"text": "Ill this week"}} if status == "cancelled" else {}),
    } | (_done(rng, start) if status == "completed" else {})


def _done(rng: random.Random, at: str) -> JsonObject:
    return {"executionPeriod": {"start": at, "end": at}, "note": [{"time": at, "text": rng.choice(NOTES)}]}


def _observation(rng: random.Random, code: str, patient: str, based_on: str, *, keep_event: bool = True) -> JsonObject:
    event = [{"system": NUMBERS, "value": str(uuid.UUID(int=rng.getrandbits(128)))}]
    return {
        "resourceType": "Observation",
        "meta": {"security": LABELS},
        **({"identifier": event} if keep_event else {}),
        "basedOn": [_reference(based_on)],
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}
        ],
        "code": {"coding": [{"system": MEASURE, "code": code}], "text": code.replace("-", " ")},
        "subject": _reference(patient),
        "effectiveDateTime": moment(rng),
        "performer": [_reference(patient)],
    }


def mood(rng: random.Random, patient: str, based_on: str) -> JsonObject:
    return {
        **_observation(rng, "mood", patient, based_on),
        "valueInteger": rng.randrange(11),
        "referenceRange": [{"low": {"value": 0}, "high": {"value": 10}, "text": "0-10 scale"}],
    }


def pleasure(rng: random.Random, patient: str, based_on: str) -> JsonObject:
    return {**_observation(rng, "pleasure", patient, based_on), "valueInteger": rng.randrange(11)}


def distress(rng: random.Random, patient: str, based_on: str) -> JsonObject:
    """Subjective units of distress before and after an exposure."""
    parts = {"suds-pre": rng.randrange(40, 101), "suds-post": rng.randrange(0, 70)}
    return {
        **_observation(rng, "suds", patient, based_on),
        "component": [
            {"code": {"coding": [{"system": MEASURE, "code": code}]}, "valueInteger": value}
            for code, value in parts.items()
        ],
        "referenceRange": [{"low": {"value": 0}, "high": {"value": 100}, "text": "0-100 scale"}],
    }


def adherence(rng: random.Random, patient: str, based_on: str) -> JsonObject:
    """Occurrences done of those planned, kept as a Quantity."""
    return {
        **_observation(rng, "adherence", patient, based_on, keep_event=False),
        "valueQuantity": {
            "value": Decimal(f"{rng.randrange(101)}.0"), "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"
        },
        "note": [{"text": rng.choice(NOTES)}],
    }  # fmt: skip


def minutes(rng: random.Random, patient: str, based_on: str) -> JsonObject:
    return {
        **_observation(rng, "practice-minutes", patient, based_on),
        "valueQuantity": {
            "value": rng.randrange(2, 60), "unit": "min", "system": "http://unitsofmeasure.org", "code": "min"
        },
    }  # fmt: skip


def _response(rng: random.Random, form: JsonObject, patient: str, items: list[JsonObject]) -> JsonObject:
    return {
        "resourceType": "QuestionnaireResponse",
        "meta": {"security": LABELS},
        "questionnaire": library.canonical(form),
        "status": "completed",
        "subject": _reference(patient),
        "authored": moment(rng),
        "author": _reference(patient),
        "source": _reference(patient),
        "item": items,
    }


def journal(rng: random.Random, patient: str, _based_on: str) -> JsonObject:
    entries = [
        {
            "linkId": "entry",
            "item": [
                {"linkId": "glad-of", "answer": [{"valueString": rng.choice(NOTES)}]},
                {"linkId": "because", "answer": [{"valueString": rng.choice(NOTES)}]},
            ],
        }
        for _ in range(3)
    ]
    form = FORMS[f"{library.BASE}/Questionnaire/gratitude-journal"]
    return _response(
        rng, form, patient, [*entries, {"linkId": "mood", "answer": [{"valueInteger": rng.randrange(11)}]}]
    )


def phq9(rng: random.Random, patient: str, based_on: str | None, at_risk: bool = False) -> JsonObject:
    """All ten questions answered. With `based_on` it answers the Task of that request; `at_risk` the ninth tells of risk."""
    asked = [item for item in PHQ9["item"] if item["type"] == "choice"]
    chosen = [rng.choice(item["answerOption"])["valueCoding"] for item in asked]
    chosen[8] = asked[8]["answerOption"][1 if at_risk else 0]["valueCoding"]
    items = [
        {"linkId": item["linkId"], "answer": [{"valueCoding": coding}]}
        for item, coding in zip(asked, chosen, strict=True)
    ]
    made = _response(rng, PHQ9, patient, items)
    if based_on is None:
        return made
    return {**made, "authored": dates.instant(dates.clock()), "basedOn": [_reference(based_on)]}


RATINGS: dict[str, Callable[[random.Random, str, str], JsonObject]] = {
    "mood": mood,
    "pleasure": pleasure,
    "distress": distress,
    "adherence": adherence,
    "minutes": minutes,
    "journal": journal,
}
