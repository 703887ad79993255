"""Answers as a QuestionnaireResponse. https://hl7.org/fhir/R4/questionnaireresponse.html"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.assignment import form_type
from fhir_mappings.homework_api import answers as mapping
from fhir_mappings.homework_api.element import id_of, ids_of, present, target, to
from fhir_mappings.observation import DEFAULT_LABELS
from schemas.homework.answers import Answers
from schemas.library import BASE

JsonObject = dict[str, Any]
CLIENT_ONLY: Final = MappingProxyType({"system": f"{BASE}/CodeSystem/sensitivity", "code": "client-only"})
_STATES: Final = MappingProxyType(
    {
        "in-progress": "draft",
        "completed": "submitted",
        "amended": "amended",
        "stopped": "stopped",
        "entered-in-error": "in-error",
    }
)
STATUS: Final = MappingProxyType({state: status for status, state in _STATES.items()})


def response(
    task: Mapping[str, Any],
    form: str,
    items: Sequence[JsonObject],
    *,
    status: str,
    at: str,
    author: str | None,
    private: bool,
) -> JsonObject:
    """The response to the form (a canonical) of an assignment; `author` is who answers, its client where nobody is said."""
    client = id_of(task.get("for"), "Patient")
    who = author or (f"Patient/{client}" if client else None)
    labels = [*DEFAULT_LABELS, *([dict(CLIENT_ONLY)] if private else [])]
    return {
        "resourceType": "QuestionnaireResponse",
        "meta": {"security": labels},
        **({"basedOn": list(task["basedOn"])} if task.get("basedOn") else {}),
        "questionnaire": form,
        "status": status,
        **({"subject": to("Patient", client)} if client else {}),
        "authored": at,
        **({"author": {"reference": who}} if who else {}),
        **({"source": {"reference": who}} if who and who.startswith(("Patient/", "RelatedPerson/")) else {}),
        **({"item": list(items)} if items else {}),
    }


def answered(found: JsonObject, items: Sequence[JsonObject], *, status: str, at: str) -> JsonObject:
    """The response with other answers."""
    kept = {name: value for name, value in found.items() if name != "item"}
    return {**kept, "status": status, "authored": at, **({"item": list(items)} if items else {})}


def hung(task: JsonObject, reference: str) -> JsonObject:
    """The Task with an answer hanging on it, so that it is this one that the answer does."""
    row = {"type": form_type("questionnaire-response"), "valueReference": {"reference": reference}}
    return {**task, "output": [*task.get("output", ()), row]}


def begun(task: JsonObject, reference: str) -> JsonObject:
    """The Task with an answer that was begun hanging on it; in progress where it had only been waiting."""
    status = "in-progress" if task["status"] in ("requested", "accepted", "ready") else task["status"]
    return {**hung(task, reference), "status": status}


def answers(found: Mapping[str, Any], questionnaire: Mapping[str, Any] | None) -> Answers:
    """The answers that a response is."""
    labels = [(each.get("system"), each.get("code")) for each in found["meta"].get("security", ())]
    return Answers.model_construct(
        id=found["id"],
        state=_STATES[found["status"]],
        form=found.get("questionnaire"),
        client=id_of(found.get("subject"), "Patient"),
        by=target(found.get("source")) or target(found.get("author")),
        at=found.get("authored"),
        answers=mapping.answers(questionnaire, found),
        private=(CLIENT_ONLY["system"], CLIENT_ONLY["code"]) in labels,
        version=int(found["meta"]["versionId"]),
        changed_at=found["meta"]["lastUpdated"],
        fhir=present(
            answers=f"QuestionnaireResponse/{found['id']}",
            requests=tuple(f"ServiceRequest/{each}" for each in ids_of(found.get("basedOn", ()), "ServiceRequest")),
        ),
    )
