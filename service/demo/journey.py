"""The homework journey over HTTP: assign a PHQ-9, answer it, read the scored result. https://hl7.org/fhir/R4/http.html

Speaks to a running server as any other program would, so that what it prints is what a newcomer's program can do too. Robin
signs in to their own app, Kim comes from the EHR; where nobody can sign in, the backend plays their parts.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx

from fhir_mappings.prescription import Assignment, assign, questionnaire_of
from schemas import dates
from schemas.library import BASE
from service.demo import sign_in, weeks
from service.demo.cast import Cast, People
from service.demo.wire import SECONDS, JourneyFault, JsonObject, Server

_ACTIVITY: Final = f"{BASE}/ActivityDefinition/phq-9"
_TOTAL: Final = "http://loinc.org|44261-6"
_ANSWERS: Final = (2, 2, 2, 2, 1, 1, 2, 0, 0, 1)
"""Which option answers each question: a total of 12, no thoughts of self-harm, and somewhat difficult days."""
_DIARY: Final = (
    "launch/patient openid fhirUser patient/Patient.rs patient/Task.rus patient/Questionnaire.rs "
    "patient/QuestionnaireResponse.crus patient/Observation.crs patient/Communication.rs"
)
_CHART: Final = (
    "launch openid fhirUser user/Patient.rs user/Task.crus user/ServiceRequest.crus user/CarePlan.crus "
    "user/ActivityDefinition.rs user/PlanDefinition.rs user/Questionnaire.rs user/QuestionnaireResponse.rs "
    "user/Observation.rs user/Flag.rs user/Goal.rs user/Encounter.rs user/Communication.rs"
)


@dataclass(frozen=True, slots=True)
class Journey:
    """What the journey left on the server, as references, and the score that was read back."""

    patient: str
    practitioner: str
    care_plan: str
    service_request: str
    task: str
    response: str
    observation: str
    score: int
    interpretation: str


@dataclass(slots=True)
class _Story:
    out: Callable[[str], None]
    steps: int = field(default=0)

    def tell(self, text: str) -> None:
        """Print the next step."""
        self.steps += 1
        self.out(f"{self.steps}. {text}")


def run(base: str, cast: Cast, out: Callable[[str], None]) -> Journey:
    """Play the journey against the server at `base`, printing each step by `out`. Raises JourneyFault at the first fault.

    `base` is the FHIR base (https://host/fhir, https://host/t/clinic/fhir) or the address in front of its /fhir.
    """
    root = base.rstrip("/")
    root = root if urlsplit(root).path.endswith("/fhir") else f"{root}/fhir"
    story, people = _Story(out), cast.people
    with httpx.Client(timeout=SECONDS) as http:
        out(f"Playing the homework journey at {root}")
        token = sign_in.for_itself(http, "Getting a token", root, cast.backend, "system/*.cruds")["access_token"]
        clinic = Server(http, root, token)
        story.tell("The clinic's system has an access token, by its secret.")
        patient, practitioner = _people(clinic, people, story)
        activity, form = _library(clinic, story)
        made = _assign(clinic, patient, practitioner, activity, story)
        robin = clinic if people is None else _diary(clinic, people, story)
        made["Task"] = _inbox(robin, patient, made["Task"], story)
        response = _answer(robin, patient, form, made, story)
        _check_task(robin, made["Task"], response, story)
        ehr = clinic if people is None else _chart(clinic, people, made["Task"], story)
        observation, score, interpretation = _score(ehr, patient, response, story)
        weeks.run(ehr, robin, patient, practitioner, story.tell)
        if people is not None:
            _outcomes(clinic, story)
    return Journey(
        patient=patient,
        practitioner=practitioner,
        care_plan=made["CarePlan"],
        service_request=made["ServiceRequest"],
        task=made["Task"],
        response=response,
        observation=observation,
        score=score,
        interpretation=interpretation,
    )


def _people(clinic: Server, people: People | None, story: _Story) -> tuple[str, str]:
    if people is None:
        robin = {
            "resourceType": "Patient",
            "name": [{"family": "Sample", "given": ["Robin"]}],
            "birthDate": "1990-05-17",
        }
        kim = {"resourceType": "Practitioner", "name": [{"family": "Example", "given": ["Kim"]}]}
        client = _reference(clinic.post("Creating the client", "Patient", robin))
        therapist = _reference(clinic.post("Creating the therapist", "Practitioner", kim))
    else:
        client = _reference(clinic.get("Reading the client", people.robin.fhir_user))
        therapist = _reference(clinic.get("Reading the therapist", people.kim.fhir_user))
    story.tell(f"Robin Sample is {client}, the therapist Kim Example is {therapist}.")
    return client, therapist


def _library(clinic: Server, story: _Story) -> tuple[JsonObject, JsonObject]:
    step = "Looking in the library"
    found = clinic.get(step, "ActivityDefinition", url=_ACTIVITY, status="active")
    activity = _first(step, found, "The library has no activity for the PHQ-9")
    url, _, version = (questionnaire_of(activity) or "").partition("|")
    form = _first(step, clinic.get(step, "Questionnaire", url=url, version=version), "The library has no PHQ-9 form")
    story.tell(f"The library has '{activity['title']}' with the form {form['url']}|{form['version']}.")
    return activity, form


def _assign(clinic: Server, patient: str, practitioner: str, activity: JsonObject, story: _Story) -> dict[str, str]:
    """CarePlan, ServiceRequest and Task in one transaction; their references by type."""
    step, now = "Assigning", dates.clock()
    agreed = Assignment(
        patient=patient,
        practitioner=practitioner,
        activity=activity,
        start=now.date().isoformat(),
        end=(now + timedelta(days=7)).date().isoformat(),
        now=dates.instant(now),
    )
    done = clinic.post(step, "", assign(agreed, lambda: str(uuid.uuid4())))
    locations = [entry["response"]["location"].split("/_history/")[0] for entry in done["entry"]]
    made = {reference.split("/")[0]: reference for reference in (_relative(location) for location in locations)}
    story.tell(f"Assigned in one transaction: {made['CarePlan']}, {made['ServiceRequest']} and {made['Task']}.")
    return made


def _diary(clinic: Server, people: People, story: _Story) -> Server:
    """Robin signs in to their own app: a standalone launch of a public app."""
    told = sign_in.for_person(clinic.http, "Robin's sign-in", clinic.root, people.diary, people.robin, _DIARY)
    if f"Patient/{told.get('patient')}" != people.robin.fhir_user:
        raise JourneyFault(f"Robin's sign-in: the app got the patient {told.get('patient')}")
    story.tell("Robin signs in to the diary app with a password, and allows it to read homework and to answer.")
    return Server(clinic.http, clinic.root, told["access_token"])


def _inbox(robin: Server, patient: str, task: str, story: _Story) -> str:
    """What there is to do now: the first time of the series that was assigned."""
    step = "Reading the client's list"
    found = robin.get(step, "Task", **{"part-of": task}, owner=patient, status="ready,in-progress,on-hold", _sort="due")
    waiting = _first(step, found, "The assignment is not on the client's list")
    if {"reference": task} not in waiting.get("partOf", ()):
        raise JourneyFault(f"{step}: {_reference(waiting)} is there, a part of {task} was expected")
    story.tell(f"Robin's app shows: {waiting['description']}")
    return _reference(waiting)


def _answer(robin: Server, patient: str, form: JsonObject, made: Mapping[str, str], story: _Story) -> str:
    questions = [item for item in form["item"] if item["type"] == "choice"]
    items = [
        {"linkId": item["linkId"], "answer": [{"valueCoding": item["answerOption"][choice]["valueCoding"]}]}
        for item, choice in zip(questions, _ANSWERS, strict=True)
    ]
    response = {
        "resourceType": "QuestionnaireResponse",
        "basedOn": [{"reference": made["ServiceRequest"]}],
        "questionnaire": f"{form['url']}|{form['version']}",
        "status": "completed",
        "subject": {"reference": patient},
        "authored": dates.instant(dates.clock()),
        "author": {"reference": patient},
        "source": {"reference": patient},
        "item": items,
    }
    reference = _reference(robin.post("Answering", "QuestionnaireResponse", response))
    story.tell(f"Robin answers all {len(items)} questions: {reference}.")
    return reference


def _check_task(robin: Server, task: str, response: str, story: _Story) -> None:
    step = "Reading the assignment again"
    read = robin.get(step, task)
    outputs = [row.get("valueReference", {}).get("reference") for row in read.get("output", ())]
    if read["status"] != "completed" or response not in outputs:
        raise JourneyFault(f"{step}: {task} is {read['status']} and should be completed with output {response}")
    story.tell(f"{task} is completed, and its output is the answer.")


def _chart(clinic: Server, people: People, task: str, story: _Story) -> Server:
    """Kim opens an app from the EHR, which says by a handle whose record and which assignment is open there."""
    step = "Kim's launch from the EHR"
    http, root, patient = clinic.http, clinic.root, people.robin.fhir_user
    handle = sign_in.launched(http, step, root, people.ehr, people.chart, people.kim, patient, task)
    told = sign_in.for_person(http, step, root, people.chart, people.kim, _CHART, handle)
    opened = [entry.get("reference") for entry in told.get("fhirContext", ())]
    if f"Patient/{told.get('patient')}" != patient or task not in opened:
        raise JourneyFault(f"{step}: the app was opened on {told.get('patient')} with {opened}")
    story.tell(f"Kim opens the outcomes app in the EHR, on {patient} and {task}, and signs in with a code, too.")
    return Server(http, root, told["access_token"])


def _score(ehr: Server, patient: str, response: str, story: _Story) -> tuple[str, int, str]:
    step = "Reading the score"
    found = ehr.get(step, "Observation", patient=patient, code=_TOTAL, _sort="-date")
    total = _first(step, found, "There is no PHQ-9 total")
    if {"reference": response} not in total["derivedFrom"]:
        raise JourneyFault(f"{step}: the total is not derived from {response}")
    score, interpretation = int(total["valueInteger"]), str(total["interpretation"][0]["text"])
    story.tell(f"An EHR reads {_reference(total)}: PHQ-9 total {score}, {interpretation}.")
    return _reference(total), score, interpretation


def _outcomes(clinic: Server, story: _Story) -> None:
    step = "Collecting outcomes"
    found = clinic.get(step, "Observation", code=_TOTAL, _sort="-_lastUpdated", _total="accurate", _count="1")
    newest = _first(step, found, "There is no PHQ-9 total")
    count, score = found["total"], newest["valueInteger"]
    story.tell(f"At night the clinic's system collects outcomes: PHQ-9 total {score} is the newest of {count}.")


def _first(step: str, bundle: JsonObject, otherwise: str) -> JsonObject:
    for entry in bundle.get("entry", ()):
        if entry.get("search", {}).get("mode", "match") == "match":
            resource: JsonObject = entry["resource"]
            return resource
    raise JourneyFault(f"{step}: {otherwise}")


def _reference(resource: JsonObject) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _relative(location: str) -> str:
    """Type and id of a location that may be absolute."""
    return "/".join(location.split("/")[-2:])
