"""$handout: an assignment, an activity or a form as a sheet for a screen or for paper. Docs: docs/pictures-and-prints.md

https://hl7.org/fhir/R4/operations.html
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

from fhir_mappings.prescription import questionnaire_of
from fhir_mappings.zones import zone_of
from schemas import references
from service.call import Call, Reply
from service.homework import policy
from service.interactions.read import existing
from service.operations.chart import language_of
from service.operations.parameters import asked
from service.pictures.picture import in_turn
from service.prints import html, pdf
from service.prints.document import PAPERS, PaperSize
from service.prints.handout import Homework
from service.prints.handout import handout as sheet
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]
HTML: Final = "text/html"
PDF: Final = "application/pdf"
PRODUCES: Final = (HTML, PDF)
_NAMES: Final = ("language", "discreet", "paper")


async def handout(call: Call, store: Store) -> Reply:
    """The sheet as HTML or PDF, in the language asked for or in that of the client whose assignment it is."""
    assert call.type is not None
    assert call.id is not None
    given = asked(call, _NAMES)
    paper = PAPERS[given.choice("paper", tuple(PAPERS), "a4")]
    discreet = given.flag("discreet")
    call.grant.require("r", call.type)
    resource = store.resource(await existing(store, call.type, call.id))
    patient = await _patient(call, store, resource)
    language = language_of(given, patient)
    homework = await _GATHERED[call.type](call, store, resource)
    zone = await _zone(store, patient)
    content = await in_turn(_made, homework, language, zone, discreet, paper if call.accept == PDF else None)
    headers = (("Content-Security-Policy", html.POLICY), ("Content-Language", language))
    whose = str(patient["id"]) if patient else None
    return Reply(200, content, type=call.type, id=call.id, headers=headers, patient=whose, media_type=call.accept)


def _made(homework: Homework, language: str, zone: tzinfo, discreet: bool, paper: PaperSize | None) -> bytes:
    """The sheet as PDF on this paper, as HTML without one."""
    document = sheet(homework, language, zone, discreet)
    return html.html(document) if paper is None else pdf.pdf(document, paper)


async def _patient(call: Call, store: Store, resource: Mapping[str, Any]) -> JsonObject:
    """Whose assignment it is, as far as the caller may see them."""
    return await _referred(call, store, "Patient", resource.get("for") or {})


async def _zone(store: Store, patient: Mapping[str, Any]) -> tzinfo:
    choices = await policy.known(store.connection, store.tenant_id)
    return zone_of(patient, choices.zone)


async def _of_task(call: Call, store: Store, task: JsonObject) -> Homework:
    request: JsonObject = {}
    for each in task.get("basedOn", ()):
        request = request or await _referred(call, store, "ServiceRequest", each)
    source = (request.get("instantiatesCanonical") or [""])[0]
    activity = await _canonical(call, store, "ActivityDefinition", task.get("instantiatesCanonical") or source)
    asked_for = (each["valueCanonical"] for each in task.get("input", ()) if "valueCanonical" in each)
    form = await _canonical(call, store, "Questionnaire", next(asked_for, None))
    return Homework(task=task, request=request, activity=activity, form=form)


async def _of_activity(call: Call, store: Store, activity: JsonObject) -> Homework:
    form = await _canonical(call, store, "Questionnaire", questionnaire_of(activity))
    return Homework(activity=activity, form=form)


async def _of_form(call: Call, store: Store, form: JsonObject) -> Homework:
    return Homework(form=form)


_GATHERED: Final = {"Task": _of_task, "ActivityDefinition": _of_activity, "Questionnaire": _of_form}


async def _referred(call: Call, store: Store, type_name: str, reference: Mapping[str, Any]) -> JsonObject:
    """The resource of a type that a reference names; empty where it names no such, or none in the caller's sight."""
    found = references.literal(reference.get("reference", ""))
    if found is None or found.type != type_name or not call.grant.permits("r", type_name):
        return {}
    stored = await store.read(type_name, found.id)
    return {} if stored is None or stored.deleted else store.resource(stored)


async def _canonical(call: Call, store: Store, type_name: str, canonical: str | None) -> JsonObject:
    """The definition of a canonical, in the newest version where it pins none; empty where there is none in sight."""
    letter = next((each for each in "sr" if call.grant.permits(each, type_name)), None)
    if not canonical or letter is None:
        return {}
    url, _, version = canonical.partition("#")[0].partition("|")
    params = [("url", _escaped(url)), *([("version", _escaped(version))] if version else [])]
    found = await find(call, store, type_name, [*params, ("_sort", "-_lastUpdated")], letter, 1)
    return found[0].resource(store.codec) if found else {}


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\,|$" else char for char in text)
