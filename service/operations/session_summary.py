"""$session-summary: what to begin a session with, of one client or of one plan. Docs: docs/insight.md, "Session summary".

https://hl7.org/fhir/R4/operations.html
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings.timing import edges
from fhir_mappings.zones import zone_of
from schemas import references
from schemas.measures import measures
from service.call import Call, Reply
from service.errors import NotFound
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from service.interactions.operations import FHIR_JSON
from service.interactions.read import existing
from service.operations.chart import language_of
from service.operations.parameters import Asked, asked, malformed
from service.operations.trend import deviation
from service.pictures.palette import Theme
from service.pictures.picture import in_turn
from service.pictures.review import courses_drawn
from service.prints import html, pdf
from service.prints.document import PAPERS, Picture
from service.prints.session import session
from service.store import Store
from service.summary.composition import bundle
from service.summary.gather import Gathered, Held, gathered, last_session, of_bytes, time_of
from service.summary.told import Told, told

JsonObject = dict[str, Any]
_NAMES: Final = ("start", "end", "language", "paper")


async def session_summary(call: Call, store: Store) -> Reply:
    """The summary as a document Bundle, as HTML or as PDF."""
    assert call.type is not None
    assert call.id is not None
    given = asked(call, _NAMES)
    paper = PAPERS[given.choice("paper", tuple(PAPERS), "a4")]
    call.grant.require("r", call.type)
    call.grant.require("r", "Patient")
    call.grant.require("s", "Task")
    patient, requests = await _subject(call, store)
    whose = patient.reference.removeprefix("Patient/")
    choices = await policy.known(store.connection, store.tenant_id)
    zone = zone_of(patient.body, choices.zone)
    start, end = _edges(given, "start", zone), _edges(given, "end", zone)
    since = start[0] if start is not None else await last_session(call, store, whose)
    time = time_of(since, call.now if end is None else end[1], zone)
    if time.until <= time.start:
        raise malformed("end", "end lies before start")
    language = language_of(given, patient.body)
    found = await gathered(call, store, patient, time, requests, language)
    said = told(found, choices, language)
    if call.accept == FHIR_JSON:
        content = bundle(found, said, session(said.document), call.base, call.now)
        return Reply(200, content, type=call.type, id=call.id, patient=whose)
    document = session(replace(said.document, pictures=await _pictures(call, found, said, choices)))
    content = html.html(document) if call.accept == "text/html" else await in_turn(pdf.pdf, document, paper)
    headers = (("Content-Security-Policy", html.POLICY), ("Content-Language", language))
    return Reply(200, content, type=call.type, id=call.id, headers=headers, patient=whose, media_type=call.accept)


def _edges(given: Asked, name: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The time that a parameter covers; days are those of the client."""
    text = None if given.date(name) is None else given.text(name)
    return None if text is None else edges(text, zone)


async def _pictures(call: Call, found: Gathered, said: Told, choices: HomeworkPolicy) -> tuple[Picture, ...]:
    """The courses of the measures that the summary speaks of; a page follows its reader's theme, paper is light."""
    spreads = {each.id: own for each in measures().values() if (own := deviation(choices, each.id)) is not None}
    look: tuple[str, Theme] = (said.document.language, "auto" if call.accept == "text/html" else "light")
    codes = [each.code for each in said.courses]
    scores = [each.body for each in found.scores]
    return await in_turn(courses_drawn, scores, codes, spreads, found.time.zone, look)


async def _subject(call: Call, store: Store) -> tuple[Held, tuple[str, ...]]:
    """The Patient, and what assignments have to be based on: nothing, or a plan and its requests. Raises NotFound."""
    stored = await existing(store, str(call.type), str(call.id))
    asked_of = of_bytes(f"{call.type}/{call.id}", store.json(stored))
    if call.type == "Patient":
        return asked_of, ()
    whose = references.literal(asked_of.body.get("subject", {}).get("reference", ""))
    found = await store.read("Patient", whose.id) if whose is not None and whose.type == "Patient" else None
    if whose is None or found is None or found.deleted:
        raise NotFound("This plan is of no client that can be seen here", expression=("CarePlan.subject",))
    activities = (each.get("reference", {}).get("reference", "") for each in asked_of.body.get("activity", ()))
    requests = [each for each in activities if each.startswith("ServiceRequest/")]
    return of_bytes(f"Patient/{whose.id}", store.json(found)), (asked_of.reference, *requests)
