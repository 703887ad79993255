"""One AuditEvent per interaction, written as bytes from prepared pieces. https://hl7.org/fhir/R4/auditevent.html

The entities follow IHE's Basic Audit profiles: the resource, the query, the patient, the request id.
https://profiles.ihe.net/ITI/BALP/
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from schemas import ids
from schemas.dates import instant
from schemas.json import encode
from schemas.registry import REGISTRY

CLIENT_SYSTEM: Final = "https://hearth.health/fhir/NamingSystem/client-id"
EVENT_SYSTEM: Final = "https://hearth.health/fhir/CodeSystem/audit-event"
SERVICE_SYSTEM: Final = "https://hearth.health/fhir/NamingSystem/service"
REASON_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"

SUCCESS: Final = 0
MINOR_FAILURE: Final = 4
SERIOUS_FAILURE: Final = 8
MAJOR_FAILURE: Final = 12

ACTIONS: Final = {
    "create": "C",
    "read": "R",
    "vread": "R",
    "history": "R",
    "history-instance": "R",
    "history-type": "R",
    "history-system": "R",
    "update": "U",
    "patch": "U",
    "delete": "D",
    "search": "E",
    "search-type": "E",
    "search-system": "E",
    "batch": "E",
    "transaction": "E",
    "operation": "E",
    "capabilities": "E",
}
"""The action of each code of http://hl7.org/fhir/restful-interaction: create, read, update, delete, execute."""

_AUTHENTICATION: Final = "110114"
_ATTRIBUTES: Final = "110137"
_ALERT: Final = "110113"
EVENTS: Final = {
    "token-issued": ("E", _AUTHENTICATION),
    "token-refused": ("E", _AUTHENTICATION),
    "token-revoked": ("D", _AUTHENTICATION),
    "token-introspected": ("R", _AUTHENTICATION),
    "token-replayed": ("E", _ALERT),
    "authorization-refused": ("E", _AUTHENTICATION),
    "authorization-revoked": ("D", _AUTHENTICATION),
    "consent-given": ("C", _AUTHENTICATION),
    "consent-denied": ("E", _AUTHENTICATION),
    "launch-created": ("C", _AUTHENTICATION),
    "sign-in": ("E", _AUTHENTICATION),
    "sign-in-refused": ("E", _AUTHENTICATION),
    "sign-out": ("E", _AUTHENTICATION),
    "account-changed": ("U", _ATTRIBUTES),
    "client-registered": ("C", _ATTRIBUTES),
    "client-changed": ("U", _ATTRIBUTES),
    "client-invited": ("C", _ATTRIBUTES),
    "registration-refused": ("E", _ATTRIBUTES),
    "break-the-glass": ("E", _ALERT),
    "risk-acknowledged": ("E", _ALERT),
    "policy-changed": ("U", _ATTRIBUTES),
}
"""What happens beside the interactions: action, and the type in DICOM's words (user authentication, user security
attributes changed, security alert)."""

_ENTITY_TYPE: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_REQUEST_TYPE: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
_SOURCE: Final = (
    f'"source":{{"observer":{{"type":"Device","identifier":{{"system":"{SERVICE_SYSTEM}","value":"hearth"}}}}}}'
)
_OBJECT: Final = f'"type":{{"system":"{_ENTITY_TYPE}","code":"2"}},"role":{{"system":"{_OBJECT_ROLE}","code":"4"}}}}'
_QUERY: Final = (
    f'{{"type":{{"system":"{_ENTITY_TYPE}","code":"2"}},"role":{{"system":"{_OBJECT_ROLE}","code":"24"}},"query":"'
)
_PATIENT: Final = f'"type":{{"system":"{_ENTITY_TYPE}","code":"1"}},"role":{{"system":"{_OBJECT_ROLE}","code":"1"}}}}'
_REQUEST: Final = f'"type":{{"system":"{_REQUEST_TYPE}","code":"XrequestId"}}}}'


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An AuditEvent as it is stored (`content` is complete, version 1), and what the store needs to index it."""

    id: UUID
    tenant_id: int
    recorded: datetime
    interaction: str
    action: str
    outcome: int
    client_id: str
    patient: UUID | None
    entity: tuple[str, str] | None
    address: str | None
    content: bytes
    request_id: str
    shape: str
    """Which kinds of entity it has, one letter each: o object, t a type alone, q query, p patient, r request."""
    user: str | None = None
    """The person (`Practitioner/1`) who used the client."""
    also: tuple[tuple[str, str], ...] = ()
    """Resources that the service wrote because of it, such as the scores of an answer."""


def event(
    interaction: str,
    *,
    tenant_id: int,
    client_id: str,
    address: str | None,
    recorded: datetime,
    outcome: int,
    type: str | None,
    id: str | None,
    version: int | None,
    query: str | None,
    request_id: str,
    patient: str | None,
    also: Sequence[tuple[str, str, int]] = (),
    description: str = "",
    user: str | None = None,
    purpose: str | None = None,
) -> AuditRecord:
    """The record of one interaction, or of another event, on `type`/`id`.

    `patient` is the logical id of the Patient that it concerns.

    `user` is the person who used the client, as `Practitioner/1`; `purpose` why, as a code of v3-ActReason.

    `also` are the resources (type, id, version) that the service wrote because of it.

    `description` says the outcome in words; it is shown to whoever may read AuditEvents, so it holds no secret.
    `query` is the query string of a search or operation. It may hold identifiers, so it is kept in the event, as FHIR
    has it, and in no log. `recorded` is UTC, cut to milliseconds (schemas.dates.clock).
    """
    key = ids.new(recorded.timestamp())
    moment = instant(recorded)
    text = (
        f'{{"resourceType":"AuditEvent","id":"{key}","meta":{{"versionId":"1","lastUpdated":"{moment}"}},'
        f'{_what(interaction)},"recorded":"{moment}","outcome":"{outcome}"{_described(description)}'
        f"{_for(purpose)},{_who(client_id, user, address)},{_SOURCE}"
        f"{_entities(type, id, version, query, patient, request_id, also)}}}"
    )
    return AuditRecord(
        key,
        tenant_id,
        recorded,
        interaction,
        _action(interaction),
        outcome,
        client_id,
        None if patient is None else ids.key(tenant_id, "Patient", patient),
        (type, id) if id is not None and type in REGISTRY.names and ids.is_legal(id) else None,
        address,
        text.encode(),
        request_id,
        _shape(type, id, query, patient, request_id, bool(also)),
        user,
        tuple((name, each) for name, each, _ in also),
    )


def _shape(
    type: str | None, id: str | None, query: str | None, patient: str | None, request_id: str, is_followed: bool
) -> str:
    subject = "o" if id is not None or is_followed else "t" if type is not None and query is None else ""
    whose = "p" if patient is not None and (patient != id or type != "Patient") else ""
    return f"{subject}{'q' if query is not None else ''}{whose}{'r' if request_id else ''}"


def outcome_of(status: int) -> int:
    """The audit outcome of an HTTP status: the caller's faults are minor, ours are serious, absence is major."""
    if status < 400:
        return SUCCESS
    if status < 500:
        return MINOR_FAILURE
    return MAJOR_FAILURE if status == 503 else SERIOUS_FAILURE


def _entities(
    type: str | None,
    id: str | None,
    version: int | None,
    query: str | None,
    patient: str | None,
    request_id: str,
    also: Sequence[tuple[str, str, int]],
) -> str:
    found = []
    if id is not None:
        found.append(f'{{"what":{_what_of(type, id, version)},{_OBJECT}')
    elif type is not None and query is None:
        name = f'{{"type":{_quoted(type)}}}' if type in REGISTRY.names else _identifier(type)
        found.append(f'{{"what":{name},{_OBJECT}')
    found += [f'{{"what":{_what_of(*each)},{_OBJECT}' for each in also]
    if query is not None:
        address = f"{type or ''}?{query}"
        found.append(f'{_QUERY}{b64encode(address.encode()).decode("ascii")}"}}')
    if patient is not None and (patient != id or type != "Patient"):
        found.append(f'{{"what":{{"reference":{_quoted(f"Patient/{patient}")}}},{_PATIENT}')
    if request_id:
        found.append(f'{{"what":{_identifier(request_id)},{_REQUEST}')
    return f',"entity":[{",".join(found)}]' if found else ""


def _what_of(type: str | None, id: str, version: int | None) -> str:
    """The resource as it was asked for; an address that no resource can have is no reference."""
    if type not in REGISTRY.names or not ids.is_legal(id):
        return _identifier(f"{type}/{id}")
    history = "" if version is None else f"/_history/{version}"
    return f'{{"reference":"{type}/{id}{history}"}}'


def _identifier(value: str) -> str:
    return f'{{"identifier":{{"value":{_quoted(value)}}}}}'


def _quoted(text: str) -> str:
    return encode(text).decode()


def _action(interaction: str) -> str:
    return EVENTS[interaction][0] if interaction in EVENTS else ACTIONS[interaction]


def _described(description: str) -> str:
    return f',"outcomeDesc":{_quoted(description)}' if description else ""


def _for(purpose: str | None) -> str:
    return f',"purposeOfEvent":[{{"coding":[{{"system":"{REASON_SYSTEM}","code":"{purpose}"}}]}}]' if purpose else ""


@lru_cache(maxsize=64)
def _what(interaction: str) -> str:
    system, code = "http://terminology.hl7.org/CodeSystem/audit-event-type", "rest"
    words = "http://hl7.org/fhir/restful-interaction"
    if interaction in EVENTS:
        system, code, words = "http://dicom.nema.org/resources/ontology/DCM", EVENTS[interaction][1], EVENT_SYSTEM
    return (
        f'"type":{{"system":"{system}","code":"{code}"}},"subtype":[{{"system":"{words}","code":"{interaction}"}}],'
        f'"action":"{_action(interaction)}"'
    )


@lru_cache(maxsize=8192)
def _who(client_id: str, user: str | None, address: str | None) -> str:
    """The person, where there is one, and the program that asked for them."""
    # Network type 2 is an IP address.
    network = "" if not address else f',"network":{{"address":{_quoted(address)},"type":"2"}}'
    identifier = f'{{"system":"{CLIENT_SYSTEM}","value":{_quoted(client_id)}}}'
    person = "" if user is None else f'{{"who":{{"reference":{_quoted(user)}}},"requestor":true}},'
    requestor = "true" if user is None else "false"
    return f'"agent":[{person}{{"who":{{"type":"Device","identifier":{identifier}}},"requestor":{requestor}{network}}}]'
