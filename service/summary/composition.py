"""A session summary as a document: a Composition with a narrative, then what it speaks of. https://hl7.org/fhir/R4/documents.html

Stored resources go into the Bundle byte for byte. What changed since the beginning is not stored anywhere: it is an Observation
of the document's own, with the rule in its method.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from fhir_mappings import change
from fhir_mappings.observation import DEFAULT_LABELS
from schemas import dates, json
from schemas.library import BASE
from service.prints.document import Document, Section
from service.prints.wording import wording
from service.summary.gather import Gathered, Held
from service.summary.narrative import div
from service.summary.told import Told

JsonObject = dict[str, Any]
_TYPE: Final = {"system": f"{BASE}/CodeSystem/document", "code": "session-summary"}
_SECTIONS: Final = ("flags", "assigned", "words", "barriers", "measures", "proposals", "discuss")


def bundle(gathered: Gathered, told: Told, document: Document, base: str, now: datetime) -> bytes:
    """The document Bundle."""
    changes = [
        change.observation(each.finding, _subject(gathered)) for each in told.courses if each.finding is not None
    ]
    derived = [(f"urn:uuid:{uuid.uuid4()}", each) for each in changes]
    held = _held(gathered, told)
    about = dict(told.about)
    about["measures"] = [*about["measures"], *(url for url, _ in derived)]
    made = composition(gathered, document, about, now)
    entries = [_entry(f"urn:uuid:{uuid.uuid4()}", json.encode(made))]
    entries += [_entry(f"{base}/{each.reference}", each.raw) for each in held]
    entries += [_entry(url, json.encode(each)) for url, each in derived]
    head = {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"},
        "type": "document",
        "timestamp": dates.instant(now),
    }
    return b'%b,"entry":[%b]}' % (json.encode(head)[:-1], b",".join(entries))


def _entry(url: str, raw: bytes) -> bytes:
    return b'{"fullUrl":%b,"resource":%b}' % (json.encode(url), raw)


def _held(gathered: Gathered, told: Told) -> list[Held]:
    """The Patient, and each resource that a section speaks of, once."""
    wanted = {reference for found in told.about.values() for reference in found}
    every = (gathered.flags, gathered.tasks, gathered.responses, gathered.scores, gathered.reviews)
    return [gathered.patient, *(each for kind in every for each in kind if each.reference in wanted)]


def _subject(gathered: Gathered) -> JsonObject:
    return {"reference": gathered.patient.reference}


def composition(
    gathered: Gathered, document: Document, about: Mapping[str, Iterable[str]], now: datetime
) -> JsonObject:
    """The Composition: the whole in its narrative, and each part in a section of its own."""
    say = wording(document.language)
    names = {say(f"summary.{name}"): name for name in _SECTIONS}
    body: JsonObject = {
        "resourceType": "Composition",
        "meta": {"security": [dict(each) for each in DEFAULT_LABELS]},
        "language": document.language,
        "text": {"status": "generated", "div": div(document.sections, document.language, document.title)},
        "status": "final",
        "type": {"coding": [_TYPE], "text": document.kind},
        "subject": _subject(gathered),
        "date": dates.instant(now),
        "author": [{"display": "Hearth"}],
        "title": document.kind,
        "confidentiality": "R",
        "event": [{"period": {"start": dates.instant(gathered.time.start), "end": dates.instant(gathered.time.until)}}],
        "section": [
            _section(each, names.get(each.heading, ""), about, document.language) for each in document.sections
        ],
    }
    return body


def _section(section: Section, name: str, about: Mapping[str, Iterable[str]], language: str) -> JsonObject:
    body: JsonObject = {"title": section.heading} if section.heading else {}
    if name:
        body["code"] = {"coding": [{"system": f"{BASE}/CodeSystem/summary-section", "code": name}]}
    body["text"] = {"status": "generated", "div": div([Section("", section.blocks)], language)}
    entries = [{"reference": each} for each in dict.fromkeys(about.get(name, ()))]
    return body | ({"entry": entries} if entries else {})
