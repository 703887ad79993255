"""The homework journey over HTTP: assign a PHQ-9, answer it, read the scored result. https://hl7.org/fhir/R4/http.html

Speaks to a running server as any other client would, so that what it prints is what a newcomer's program can do too.
The persons are made up on the spot.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from fhir_mappings.prescription import Assignment, assign, questionnaire_of
from schemas import dates, json
from schemas.library import BASE
from service.errors import HearthError

JsonObject = dict[str, Any]

_ACTIVITY: Final = f"{BASE}/ActivityDefinition/phq-9"
_TOTAL: Final = "http://loinc.org|44261-6"
_ANSWERS: Final = (2, 2, 2, 2, 1, 1, 2, 0, 0, 1)
"""Which option answers each question: a total of 12, no thoughts of self-harm, and somewhat difficult days."""
_SECONDS: Final = 30


class JourneyFault(HearthError):
    """A step of the journey failed."""


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


def run(base: str, client_id: str, client_secret: str, out: Callable[[str], None]) -> Journey:
    """Play the journey against the server at `base`, printing each step by `out`. Raises JourneyFault at the first fault.

    `base` is the FHIR base (https://host/fhir, https://host/t/clinic/fhir) or the address in front of its /fhir.
    """
    root = base.rstrip("/")
    root = root if urlsplit(root).path.endswith("/fhir") else f"{root}/fhir"
    with httpx.Client(timeout=_SECONDS) as http:
        out(f"Playing the homework journey at {root}")
        server = _Server(http, root, _token(http, root, client_id, client_secret))
        out("1. The app has an access token.")
        patient, practitioner = _people(server, out)
        activity, form = _library(server, out)
        made = _assign(server, patient, practitioner, activity, out)
        _inbox(server, patient, made["Task"], out)
        response = _answer(server, patient, form, made, out)
        _check_task(server, made["Task"], response, out)
        observation, score, interpretation = _score(server, patient, response, out)
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


@dataclass(frozen=True, slots=True)
class _Server:
    http: httpx.Client
    root: str
    token: str

    def get(self, step: str, path: str, **params: str) -> JsonObject:
        return self._ask(step, "GET", path, params=params)

    def post(self, step: str, path: str, body: Mapping[str, Any]) -> JsonObject:
        return self._ask(step, "POST", path, content=json.encode(body))

    def _ask(self, step: str, method: str, path: str, **more: Any) -> JsonObject:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/fhir+json"}
        if method == "POST":
            headers["Content-Type"] = "application/fhir+json"
            headers["Prefer"] = "return=representation"
        url = f"{self.root}/{path}" if path else self.root
        return _body(step, _send(self.http, step, method, url, headers=headers, **more))


def _send(http: httpx.Client, step: str, method: str, url: str, **more: Any) -> httpx.Response:
    try:
        return http.request(method, url, **more)
    except httpx.HTTPError as fault:
        raise JourneyFault(f"{step}: no answer from {url} ({type(fault).__name__}); is the server running?") from fault


def _body(step: str, answer: httpx.Response) -> JsonObject:
    """The JSON of a good answer; of any other one, the sentences that say why."""
    try:
        body: JsonObject = json.decode(answer.content)
    except json.JsonFault as fault:
        raise JourneyFault(f"{step}: the server answered {answer.status_code} without JSON") from fault
    if answer.is_success:
        return body
    sentences = [issue.get("diagnostics", issue.get("code", "")) for issue in body.get("issue", ())]
    sentences += [str(body[name]) for name in ("error", "error_description") if name in body]
    raise JourneyFault(f"{step}: the server answered {answer.status_code}. {' '.join(sentences)}")


def _token(http: httpx.Client, root: str, client_id: str, client_secret: str) -> str:
    step = "Getting a token"
    found = _body(step, _send(http, step, "GET", f"{root}/.well-known/smart-configuration"))
    form = {"grant_type": "client_credentials", "scope": "system/*.cruds"}
    answer = _send(http, step, "POST", found["token_endpoint"], data=form, auth=(client_id, client_secret))
    return str(_body(step, answer)["access_token"])


def _people(server: _Server, out: Callable[[str], None]) -> tuple[str, str]:
    patient = {
        "resourceType": "Patient",
        "name": [{"family": "Sample", "given": ["Robin"]}],
        "birthDate": "1990-05-17",
    }
    practitioner = {"resourceType": "Practitioner", "name": [{"family": "Example", "given": ["Kim"]}]}
    client = _reference(server.post("Creating the client", "Patient", patient))
    therapist = _reference(server.post("Creating the therapist", "Practitioner", practitioner))
    out(f"2. Robin Sample is {client}, the therapist Kim Example is {therapist}.")
    return client, therapist


def _library(server: _Server, out: Callable[[str], None]) -> tuple[JsonObject, JsonObject]:
    step = "Looking in the library"
    found = server.get(step, "ActivityDefinition", url=_ACTIVITY, status="active")
    activity = _first(step, found, "The library has no activity for the PHQ-9")
    url, _, version = (questionnaire_of(activity) or "").partition("|")
    form = _first(step, server.get(step, "Questionnaire", url=url, version=version), "The library has no PHQ-9 form")
    out(f"3. The library has '{activity['title']}' with the form {form['url']}|{form['version']}.")
    return activity, form


def _assign(
    server: _Server, patient: str, practitioner: str, activity: JsonObject, out: Callable[[str], None]
) -> dict[str, str]:
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
    done = server.post(step, "", assign(agreed, lambda: str(uuid.uuid4())))
    locations = [entry["response"]["location"].split("/_history/")[0] for entry in done["entry"]]
    made = {reference.split("/")[0]: reference for reference in (_relative(location) for location in locations)}
    out(f"4. Assigned in one transaction: {made['CarePlan']}, {made['ServiceRequest']} and {made['Task']}.")
    return made


def _inbox(server: _Server, patient: str, task: str, out: Callable[[str], None]) -> None:
    step = "Reading the client's list"
    found = server.get(step, "Task", owner=patient, status="ready,in-progress,on-hold")
    waiting = _first(step, found, "The assignment is not on the client's list")
    if _reference(waiting) != task:
        raise JourneyFault(f"{step}: {_reference(waiting)} is there, {task} was expected")
    out(f"5. Robin's app shows: {waiting['description']}")


def _answer(
    server: _Server, patient: str, form: JsonObject, made: Mapping[str, str], out: Callable[[str], None]
) -> str:
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
    reference = _reference(server.post("Answering", "QuestionnaireResponse", response))
    out(f"6. Robin answers all {len(items)} questions: {reference}.")
    return reference


def _check_task(server: _Server, task: str, response: str, out: Callable[[str], None]) -> None:
    step = "Reading the assignment again"
    read = server.get(step, task)
    outputs = [row.get("valueReference", {}).get("reference") for row in read.get("output", ())]
    if read["status"] != "completed" or response not in outputs:
        raise JourneyFault(f"{step}: {task} is {read['status']} and should be completed with output {response}")
    out(f"7. {task} is completed, and its output is the answer.")


def _score(server: _Server, patient: str, response: str, out: Callable[[str], None]) -> tuple[str, int, str]:
    step = "Reading the score"
    found = server.get(step, "Observation", patient=patient, code=_TOTAL, _sort="-date")
    total = _first(step, found, "There is no PHQ-9 total")
    if {"reference": response} not in total["derivedFrom"]:
        raise JourneyFault(f"{step}: the total is not derived from {response}")
    score, interpretation = int(total["valueInteger"]), str(total["interpretation"][0]["text"])
    out(f"8. An EHR reads {_reference(total)}: PHQ-9 total {score}, {interpretation}.")
    return _reference(total), score, interpretation


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
