"""The feed that a link opens: a client's homework as to-dos or events, as far as the client may see it themselves.

https://www.rfc-editor.org/rfc/rfc5545, https://www.rfc-editor.org/rfc/rfc7986
"""

import asyncio
import hashlib
import importlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from fhir_mappings import calendar_entry, reminder, zones
from fhir_mappings.calendar_entry import Entry
from service import audit, circle, labels, tenants
from service.calendar import links
from service.calendar.links import Link
from service.call import Call
from service.engine import Engine
from service.errors import BadRequest, NotFound
from service.grant import Grant, Rule
from service.homework import policy
from service.search.find import find
from service.store import Store

CLIENT_ID: Final = "calendar"
FORMS: Final = ("todos", "events")
PAST: Final = timedelta(days=60)
_TASKS_MOST: Final = 1000
_FORMAT: Final = 1
"""Counts how entries have been written by releases of Hearth."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a feed: the secret, the form, and what its record needs. `known` is the ETag that the caller has."""

    tenant: str
    token: str
    form: str
    known: str | None
    address: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class Feed:
    """What is answered; no content where the caller has it already."""

    etag: str
    content: bytes | None


async def feed(engine: Engine, asked: Asked) -> Feed:
    """The calendar of the client whose link it is. Raises NotFound, BadRequest, TooManyRequests; each visit is audited."""
    now = engine.clock()
    engine.limits.check("calendar", asked.token, asked.address, now)
    if asked.form not in FORMS:
        raise BadRequest(f"as is {' or '.join(FORMS)}", expression=("as",))
    tenant_id = await engine.tenant_id(asked.tenant)
    async with engine.database.connection(tenant_id) as connection:
        tenant = await tenants.get(connection, tenant_id)
        link = await links.find(connection, tenant_id, asked.token)
    if link is None:
        raise NotFound("This calendar link opens nothing, or not any more; make a new one in your app")
    async with engine.at_work(tenant, now) as (call, store):
        await links.visited(store.connection, tenant_id, link, now)
        entries, zone = await _entries(call, store, link)
    engine.spool.append(_record(tenant_id, link, asked, now))
    etag = _etag(entries, asked.form, link)
    if asked.known == etag:
        return Feed(etag, None)
    # Loaded at the first feed that is asked for; written beside the loop, since a long one is a tenth of a second's work.
    written = importlib.import_module("service.calendar.written")
    content: bytes = await asyncio.to_thread(written.calendar, entries, asked.form, link.language, link.details, zone)
    return Feed(etag, content)


def _etag(entries: list[Entry], form: str, link: Link) -> str:
    """The same for what is written the same; that nothing changed is told without writing it."""
    said = repr((_FORMAT, form, link.language, link.details, entries)).encode()
    return hashlib.sha256(said).hexdigest()[:32]


async def _entries(call: Call, store: Store, link: Link) -> tuple[list[Entry], str]:
    """What is to be done or was done lately, and the name of the client's zone."""
    grant = _grant(link)
    theirs = Store(store.connection, store.tenant_id, call.base, grant, store.codec, store.pages)
    stored = await theirs.read("Patient", link.patient_id)
    patient = None if stored is None else theirs.current(stored)
    if not reminder.is_with_us(patient):
        raise NotFound("This calendar link opens nothing, or not any more; make a new one in your app")
    zone = zones.zone_of(patient, (await policy.known(store.connection, store.tenant_id)).zone)
    params = [
        ("patient", f"Patient/{link.patient_id}"), ("status", calendar_entry.STATUSES),
        ("due", f"ge{(call.now - PAST).date().isoformat()}"), ("_sort", "due"),
    ]  # fmt: skip
    found = await find(replace(call, grant=grant), theirs, "Task", params, "s", _TASKS_MOST)
    made = (
        calendar_entry.entry(
            {**each.resource(store.codec), "id": each.id}, each.stored.version, each.stored.updated, zone
        )
        for each in found
    )
    return [each for each in made if each is not None], zone.key


def _grant(link: Link) -> Grant:
    """What the client sees of their own record, and nobody else of it."""
    rules = tuple(Rule(name, frozenset("rs"), (), (circle.PATIENT,)) for name in ("Patient", "Task"))
    user = f"Patient/{link.patient_id}"
    return Grant(
        CLIENT_ID, rules, CLIENT_ID, labels.hidden((), False), labels.HIDDEN_FROM_OWN, user, link.patient_id
    )  # fmt: skip


def _record(tenant_id: int, link: Link, asked: Asked, now: datetime) -> audit.AuditRecord:
    return audit.event(
        "search-type",
        tenant_id=tenant_id,
        client_id=CLIENT_ID,
        user=None,
        purpose=None,
        address=asked.address,
        recorded=now,
        outcome=audit.SUCCESS,
        type="Task",
        id=None,
        version=None,
        query=f"calendar={link.id}&as={asked.form}",
        request_id=asked.request_id,
        patient=link.patient_id,
    )
