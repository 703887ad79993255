"""history of one resource, of a type, and of the whole system. https://hl7.org/fhir/R4/http.html#history"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from schemas import dates, ids, json
from schemas.registry import REGISTRY
from service.call import Call, Reply
from service.errors import BadRequest, NotFound
from service.index.subject import patient_in
from service.interactions import body, replies
from service.store import Kept, Span, Store, Version

_KNOWN: Final = ("_since", "_at", "_count", "_cursor", "_format", "_pretty", "_summary", "_elements")
_NONE_BELOW: Final = 2**31 - 1


async def history(call: Call, store: Store) -> Reply:
    """The versions of one resource, newest first."""
    assert call.type is not None
    assert call.id is not None
    call.grant.require("r", call.type)
    if not ids.is_legal(call.id):
        raise body.illegal_id(call.id)
    span, count, cursor = _asked(call, store)
    below = int(cursor[0]) if cursor else _NONE_BELOW
    found = await store.versions(call.type, call.id, span, below, count + 1)
    if not found and await store.read(call.type, call.id) is None:
        raise NotFound(f"There is no {call.type}/{call.id} here")
    more = _link(call, store, [found[count - 1].stored.version]) if len(found) > count > 0 else None
    reply = _reply(call, store, [_entry(call, store, each) for each in found[:count]], more)
    shown = next((store.json(each.stored) for each in found if not each.stored.deleted), None)
    return reply if shown is None else replace(reply, patient=patient_in(call.type, call.id, shown, call.base))


async def history_type(call: Call, store: Store) -> Reply:
    """The versions of all resources of a type, newest first."""
    assert call.type is not None
    call.grant.require("s", call.type)
    return await _wide(call, store, [call.type])


async def history_system(call: Call, store: Store) -> Reply:
    """The versions of all resources that the Grant lets be searched, newest first."""
    names = [each.name for each in REGISTRY.types.values() if each.storable and call.grant.permits("s", each.name)]
    if not names:
        call.grant.require("s", "*")
    return await _wide(call, store, names)


async def _wide(call: Call, store: Store, names: Sequence[str]) -> Reply:
    span, count, cursor = _asked(call, store)
    start = None
    if cursor:
        start = Version(dates.interval(str(cursor[0])).lo, int(cursor[1]), UUID(str(cursor[2])), int(cursor[3]))
    found = await store.changes(names, span, start, count + 1)
    more = None
    if len(found) > count > 0:
        last = found[count - 1].stored
        place: list[str | int] = [
            dates.instant(last.updated),
            REGISTRY.types[last.type].id,
            str(last.key),
            last.version,
        ]
        more = _link(call, store, place)
    return _reply(call, store, [_entry(call, store, each) for each in found[:count]], more)


def _asked(call: Call, store: Store) -> tuple[Span, int, list[str | int]]:
    """(what _since and _at span, _count, cursor). Raises BadRequest for what cannot be read."""
    limits = store.pages.limits
    span, count, cursor = Span(dates.PAST, dates.FUTURE), limits.usual, list[str | int]()
    for name, value in call.params:
        if name not in _KNOWN and call.prefer.strict:
            raise BadRequest(
                f"History knows no parameter {name!r}; it knows {', '.join(_KNOWN[:3])}", expression=(name,)
            )
        try:
            if name == "_since":
                span = span._replace(since=dates.interval(value).lo)
            elif name == "_at":
                alive, before = dates.interval(value)
                span = span._replace(alive=alive, before=before)
            elif name == "_count":
                count = min(int(value), limits.most)
                if count < 0:
                    raise ValueError("_count cannot be negative")
        except ValueError as fault:
            raise BadRequest(
                f"{name}={value[:80]} cannot be read: {fault}", code="value", expression=(name,)
            ) from fault
        if name == "_cursor":
            cursor = store.pages.open(value, _binding(call), call)
    return span, count, cursor


def _binding(call: Call) -> str:
    rest = sorted((name, value) for name, value in call.params if name != "_cursor")
    return urlencode([("", f"{call.interaction}/{call.type or ''}/{call.id or ''}"), *rest])


def _link(call: Call, store: Store, place: list[str | int]) -> str:
    rest = [(name, value) for name, value in call.params if name != "_cursor"]
    return urlencode([*rest, ("_cursor", store.pages.sign(place, _binding(call), call))])


def _reply(call: Call, store: Store, entries: list[bytes], more: str | None) -> Reply:
    path = "/".join(part for part in (call.base, call.type, call.id, "_history") if part)
    query = urlencode(call.params)
    links = [{"relation": "self", "url": f"{path}?{query}" if query else path}]
    if more is not None:
        links.append({"relation": "next", "url": f"{path}?{more}"})
    head = json.encode({"resourceType": "Bundle", "type": "history", "link": links})
    content = head if not entries else head[:-1] + b',"entry":[' + b",".join(entries) + b"]}"
    return Reply(200, content, type=call.type, id=call.id)


def _entry(call: Call, store: Store, kept: Kept) -> bytes:
    version = kept.stored
    name = f"{version.type}/{version.id}"
    method, status = _request(kept)
    parts = [b'{"fullUrl":', json.encode(f"{call.base}/{name}")]
    if not version.deleted:
        parts += [b',"resource":', replies.shaped(call, store.json(version))]
    request = {"method": method, "url": version.type if method == "POST" else name}
    response = {"status": status, "etag": f'W/"{version.version}"', "lastModified": dates.instant(version.updated)}
    parts += [b',"request":', json.encode(request), b',"response":', json.encode(response), b"}"]
    return b"".join(parts)


def _request(kept: Kept) -> tuple[str, str]:
    """The method that made the version, and its answer: a first version came by POST if its id is of its own moment."""
    version = kept.stored
    if version.deleted:
        return "DELETE", "204"
    if version.version == 1 and version.fid is None and ids.is_of(version.key, version.updated.timestamp()):
        return "POST", "201"
    return "PUT", "201" if kept.created else "200"
