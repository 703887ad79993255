"""Resources of the made-up clinic: people, plans, sessions, ratings and readings. https://hl7.org/fhir/R4/resourcelist.html"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from fhir_mappings import prescription
from fhir_mappings.attainment import LEVELS, SCALING
from fhir_mappings.homework_api import prescribe
from fhir_mappings.observation import DEFAULT_LABELS, LOINC
from fhir_mappings.prescription import Assignment
from schemas import dates
from schemas.library import BASE
from service.simulation import words
from service.simulation.population import Client

JsonObject = dict[str, Any]
_LABELS: Final = {"security": list(DEFAULT_LABELS)}
_MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_ACT: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_UCUM: Final = "http://unitsofmeasure.org"
_WATCH: Final = "https://watch.example.org"
_SESSION: Final = timedelta(minutes=50)
_BY_LEVEL: Final = {level: code for code, level in LEVELS.items()}
_NAMES: Final = (("Kim", "Example"), ("Sam", "Sample"), ("Toni", "Pattern"), ("Alex", "Model"))
BEGINNING: Final = "107332-9"
"""LOINC's code of where a goal stood in the beginning."""
BY_PATIENT: Final = "107334-5"
"""LOINC's code of where a goal stands in the eyes of the client."""


def therapist(number: int) -> str:
    """The reference of one of the therapists."""
    return f"Practitioner/sim-therapist-{number}"


def staff(count: int, on_call: str) -> list[JsonObject]:
    """The therapists, and the team on call that all of them are in."""
    people: list[JsonObject] = [
        {
            "resourceType": "Practitioner",
            "id": therapist(at).removeprefix("Practitioner/"),
            "name": [{"given": [_NAMES[at % 4][0]], "family": f"{_NAMES[at % 4][1]}-{at + 1}"}],
        }
        for at in range(count)
    ]
    team = {
        "resourceType": "CareTeam",
        "id": on_call.removeprefix("CareTeam/"),
        "status": "active",
        "name": "On call",
        "participant": [{"member": {"reference": therapist(at)}} for at in range(count)],
    }
    return [*people, team]


def record(client: Client, begin: date) -> list[JsonObject]:
    """The client, who cares for them, and what they want."""
    me = {"reference": f"Patient/{client.id}"}
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": client.zone}
    language = {"coding": [{"system": "urn:ietf:bcp:47", "code": client.language}]}
    watch = {
        "resourceType": "Device",
        "id": f"{client.id}-watch",
        "deviceName": [{"name": "Watch", "type": "user-friendly-name"}],
        "patient": me,
    }
    return [
        {
            "resourceType": "Patient",
            "id": client.id,
            "extension": [zone],
            "name": [{"given": [client.given], "family": client.family}],
            "gender": client.gender,
            "birthDate": str(client.birth_year),
            "communication": [{"language": language, "preferred": True}],
        },
        {
            "resourceType": "CareTeam",
            "id": f"{client.id}-team",
            "status": "active",
            "subject": me,
            "participant": [{"member": {"reference": therapist(client.therapist)}}],
        },
        _goal(client, me, begin),
        *([watch] if client.wears else []),
    ]


def _goal(client: Client, me: JsonObject, begin: date) -> JsonObject:
    said = zip(range(-2, 3), words.LEVELS[client.language], strict=True)
    levels = [
        {
            "url": SCALING,
            "extension": [
                {"url": "level", "valueCoding": {"system": LOINC, "code": _BY_LEVEL[level]}},
                {"url": "progressText", "valueString": text},
            ],
        }
        for level, text in said
    ]
    return {
        "resourceType": "Goal",
        "id": f"{client.id}-goal",
        "meta": _LABELS,
        "extension": levels,
        "lifecycleStatus": "active",
        "description": {"text": words.GOALS[client.programme][client.language]},
        "subject": me,
        "startDate": begin.isoformat(),
        "expressedBy": me,
    }


def plan(client: Client, agreed: Sequence[Assignment], ids: Callable[[], str]) -> list[tuple[str, JsonObject]]:
    """All that was agreed on with a client, as (fullUrl, resource): one plan that lists every prescription."""
    made = []
    for each in agreed:
        request, task = f"urn:uuid:{ids()}", f"urn:uuid:{ids()}"
        made += [(request, prescription.service_request(each)), (task, prescription.task(each, request))]
    requests = [url for url, body in made if body["resourceType"] == "ServiceRequest"]
    body = prescribe.plan(agreed[0], requests) | {
        "id": f"{client.id}-plan",
        "goal": [{"reference": f"Goal/{client.id}-goal"}],
    }
    return [*made, ("", body)]


def session(client: Client, number: int, begins: datetime, held: bool = True) -> JsonObject:
    """One of the weekly meetings; every third one is by video."""
    return {
        "resourceType": "Encounter",
        "id": f"{client.id}-session-{number}",
        "meta": _LABELS,
        "status": "finished" if held else "planned",
        "class": {"system": _ACT, "code": "VR" if number % 3 == 0 else "AMB"},
        "subject": {"reference": f"Patient/{client.id}"},
        "participant": [{"individual": {"reference": therapist(client.therapist)}}],
        "period": {"start": dates.instant(begins), "end": dates.instant(begins + _SESSION)},
    }


def attained(client: Client, code: str, level: int, at: str) -> JsonObject:
    """How far the client's goal is reached, from -2 to 2; `code` says in whose eyes."""
    return {
        "resourceType": "Observation",
        "meta": _LABELS,
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "survey"}]}],
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{client.id}"},
        "focus": [{"reference": f"Goal/{client.id}-goal"}],
        "effectiveDateTime": at,
        "performer": [{"reference": f"Patient/{client.id}"}],
        "valueCodeableConcept": {"coding": [{"system": LOINC, "code": _BY_LEVEL[level]}]},
    }


def helpful(client: Client, task: str, value: int, at: str) -> JsonObject:
    """How much a piece of homework helped, 0 to 4."""
    return {
        "resourceType": "Observation",
        "meta": _LABELS,
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "survey"}]}],
        "code": {"coding": [{"system": _MEASURE, "code": "helpfulness"}]},
        "subject": {"reference": f"Patient/{client.id}"},
        "focus": [{"reference": f"Task/{task}"}],
        "effectiveDateTime": at,
        "performer": [{"reference": f"Patient/{client.id}"}],
        "valueInteger": value,
    }


def readings(client: Client, on: date, steps: int, hours: Decimal) -> Iterable[JsonObject]:
    """What a watch tells of a day: its steps, and the sleep of the night before."""
    for code, display, value, unit in (
        ("41950-7", "Number of steps in 24 hour Measured", steps, "{steps}/(24.h)"),
        ("93832-4", "Sleep duration", hours, "h"),
    ):
        yield {
            "resourceType": "Observation",
            "meta": _LABELS,
            "identifier": [{"system": _WATCH, "value": f"{client.id}-{on}-{code}"}],
            "status": "final",
            "category": [{"coding": [{"system": _CATEGORY, "code": "activity"}]}],
            "code": {"coding": [{"system": LOINC, "code": code, "display": display}]},
            "subject": {"reference": f"Patient/{client.id}"},
            "device": {"reference": f"Device/{client.id}-watch"},
            "effectiveDateTime": on.isoformat(),
            "valueQuantity": {"value": value, "unit": unit, "system": _UCUM, "code": unit},
        }


def group(members: Iterable[Client]) -> JsonObject:
    """A group of clients who do something together."""
    return {
        "resourceType": "Group",
        "id": "sim-group",
        "type": "person",
        "actual": True,
        "name": "Monday group",
        "member": [{"entity": {"reference": f"Patient/{each.id}"}} for each in members],
    }
