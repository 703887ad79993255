"""read and vread, plain and conditional. https://hl7.org/fhir/R4/http.html#read"""

import re
from datetime import datetime

from schemas import ids
from service.call import Call, Reply
from service.errors import Gone, NotFound
from service.interactions import body, replies
from service.store import Store, Stored


async def read(call: Call, store: Store) -> Reply:
    """The current version: 404 when there never was one in sight, 410 when it was deleted, 304 when the caller has it."""
    assert call.type is not None
    assert call.id is not None
    call.grant.require("r", call.type)
    stored = await existing(store, call.type, call.id)
    if _has_it(call, stored):
        return Reply(304, version=stored.version, updated=stored.updated, type=stored.type, id=stored.id)
    return replies.found(call, store, stored)


async def vread(call: Call, store: Store) -> Reply:
    """One version of the resource's life; 410 for the version that deleted it."""
    assert call.type is not None
    assert call.id is not None
    assert call.version is not None
    call.grant.require("r", call.type)
    if not ids.is_legal(call.id):
        raise body.illegal_id(call.id)
    number = int(call.version) if re.fullmatch("[1-9][0-9]{0,8}", call.version) else 0
    stored = await store.vread(call.type, call.id, number) if number else None
    if stored is None:
        raise NotFound(f"There is no version {call.version[:64]!r} of {call.type}/{call.id} here")
    if stored.deleted:
        raise Gone(f"{call.type}/{call.id} was deleted by version {number}")
    if _has_it(call, stored):
        return Reply(304, version=stored.version, updated=stored.updated, type=stored.type, id=stored.id)
    return replies.found(call, store, stored)


async def existing(store: Store, type_name: str, resource_id: str, letter: str = "r") -> Stored:
    """The current version, not deleted. Raises NotFound or Gone."""
    if not ids.is_legal(resource_id):
        raise body.illegal_id(resource_id)
    stored = await store.read(type_name, resource_id, letter)
    if stored is None:
        raise await store.denial(type_name, resource_id, letter)
    if stored.deleted:
        raise Gone(f"{type_name}/{resource_id} was deleted", headers=[("ETag", f'W/"{stored.version}"')])
    return stored


def _has_it(call: Call, stored: Stored) -> bool:
    """Whether the caller's copy is current: If-None-Match decides where sent, else If-Modified-Since (RFC 9110, 13)."""
    conditions = call.conditions
    if conditions.if_none_match is not None:
        return conditions.if_none_match in ("*", str(stored.version))
    since: datetime | None = conditions.if_modified_since
    return since is not None and stored.updated.replace(microsecond=0) <= since
