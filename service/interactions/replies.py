"""Replies that carry a resource, as `Prefer`, `_summary` and `_elements` ask for it."""

from typing import Final

from schemas import ids, json
from schemas.outcome import Issue, outcome
from schemas.subset import elements, summary
from service import audit
from service.call import Call, Reply
from service.errors import BadRequest
from service.index.subject import patient_asked, patient_in
from service.store import Change, Store, Stored

SUMMARIES: Final = ("true", "text", "data")
"""What `_summary` may ask of one resource, besides `false`, which asks nothing."""


def param(call: Call, name: str) -> str | None:
    """The first value of a parameter, None when it was not sent."""
    return next((value for key, value in call.params if key == name), None)


def shaped(call: Call, content: bytes) -> bytes:
    """The resource, cut down where the request asks for `_elements` or `_summary`."""
    if not call.params:
        return content
    names, mode = param(call, "_elements"), param(call, "_summary")
    if names:
        return json.encode(elements(json.decode(content), [name.strip() for name in names.split(",")]))
    if mode in (None, "false"):
        return content
    for known in SUMMARIES:
        if mode == known:
            return json.encode(summary(json.decode(content), known))
    sentence = f"_summary={mode} is not possible here; use one of {', '.join(SUMMARIES)}, false"
    raise BadRequest(sentence, code="value", expression=("_summary",))


def _audited_as(interaction: str) -> str:
    """The interaction in the words of FHIR; what has none of its own is an operation."""
    name = "search-type" if interaction == "search-compartment" else interaction
    return name if name in audit.ACTIONS else "operation"


def record_of(call: Call, reply: Reply, query: str) -> audit.AuditRecord:
    """The AuditEvent of an interaction that wrote nothing, refused ones included."""
    return audit.event(
        _audited_as(call.interaction),
        tenant_id=call.tenant_id,
        client_id=call.grant.client_id,
        user=call.grant.user,
        purpose=call.grant.purpose,
        address=call.address,
        recorded=call.now,
        outcome=audit.outcome_of(reply.status),
        type=reply.type or call.type,
        id=reply.id or call.id,
        version=reply.version,
        query=query or None,
        request_id=call.request_id,
        patient=concerned(call, reply),
    )


def concerned(call: Call, reply: Reply) -> str | None:
    """The one Patient whose data the interaction is about, as far as its address and its reply say it."""
    resource_id = reply.id or call.id
    if (reply.type or call.type) == "Patient" and resource_id is not None and ids.is_legal(resource_id):
        return resource_id
    return reply.patient or patient_asked(call.params, call.compartment, call.base)


def found(call: Call, store: Store, stored: Stored, status: int = 200) -> Reply:
    """A version as it lies in the store."""
    content = store.json(stored)
    return Reply(
        status,
        shaped(call, content),
        version=stored.version,
        updated=stored.updated,
        type=stored.type,
        id=stored.id,
        patient=patient_in(stored.type, stored.id, content, call.base),
    )


def written(call: Call, change: Change, status: int) -> Reply:
    """The version just written, or as little of it as `Prefer: return` asks for."""
    if call.prefer.returns == "minimal":
        content = None
    elif call.prefer.returns == "OperationOutcome":
        verb = "created" if status == 201 else "updated"
        sentence = f"{change.type}/{change.id} was {verb}; it is now version {change.version}"
        content = json.encode(outcome([Issue("information", "informational", sentence), *change.notices]))
    else:
        content = change.content
    return Reply(
        status,
        content,
        version=change.version,
        updated=change.updated,
        location=f"{call.base}/{change.type}/{change.id}/_history/{change.version}",
        type=change.type,
        id=change.id,
        audited=True,
        notices=change.notices,
    )


def unchanged(call: Call, store: Store, stored: Stored, status: int = 200) -> Reply:
    """What was there already: a no-op update, or the match of a conditional create."""
    held = store.json(stored)
    content = None if call.prefer.returns == "minimal" else held
    if call.prefer.returns == "OperationOutcome":
        sentence = f"{stored.type}/{stored.id} is version {stored.version} already; nothing was changed"
        content = json.encode(outcome([Issue("information", "informational", sentence)]))
    return Reply(
        status,
        content,
        version=stored.version,
        updated=stored.updated,
        location=f"{call.base}/{stored.type}/{stored.id}/_history/{stored.version}",
        type=stored.type,
        id=stored.id,
        patient=patient_in(stored.type, stored.id, held, call.base),
    )
