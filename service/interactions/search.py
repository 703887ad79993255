"""search at type, system and compartment level. https://hl7.org/fhir/R4/http.html#search

One statement answers a page, includes too; `_total=accurate` asks a second one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from schemas import ids
from schemas.outcome import Issue
from schemas.registry import REGISTRY
from service.call import Call, Reply
from service.errors import BadRequest, Forbidden, Gone, NotFound
from service.interactions.body import illegal_id
from service.search import bundle, own, reference
from service.search import everything as record
from service.search.asking import Asking
from service.search.find import terms
from service.search.parse import parse, types_asked
from service.search.query import Query, Test
from service.search.reader import Reader
from service.search.sql import STATEMENTS, rows_for
from service.search.text import Malformed
from service.store import Store

_LETTER: Final = "s"


async def search_type(call: Call, store: Store) -> Reply:
    """The resources of one type that match."""
    assert call.type is not None
    call.grant.require(_LETTER, call.type)
    query = _parsed(call, store, call.params, (call.type,))
    return await _answered(call, store, query, f"{call.base}/{call.type}")


async def search_system(call: Call, store: Store) -> Reply:
    """The resources of several types that match: those of `_type`, or all that the caller may search.

    Parameters have to be known to each of the types. The order is by `_lastUpdated`.
    """
    allowed = [
        each.name for each in REGISTRY.types.values() if each.storable and call.grant.permits(_LETTER, each.name)
    ]
    types, rest = types_asked(call.params, allowed)
    if not types:
        raise Forbidden("The access token has no scope that allows a search of anything")
    for name in types:
        call.grant.require(_LETTER, name)
    query = _parsed(call, store, rest, types)
    # Without it the links would lead to pages of all types.
    named = tuple(each for each in call.params if each[0] == "_type")
    return await _answered(call, store, replace(query, asked=named + query.asked), call.base)


async def search_compartment(call: Call, store: Store) -> Reply:
    """The resources of one type that match and are in the compartment of a Patient, Practitioner and so on."""
    assert call.type is not None
    assert call.compartment is not None
    kind, owner = call.compartment
    codes = REGISTRY.types[call.type].compartments.get(kind)
    if codes is None:
        having = [name for name, each in REGISTRY.types.items() if kind in each.compartments]
        sentence = f"{call.type} is in no compartment of {kind}" if having else f"{kind} has no compartment"
        raise NotFound(f"{sentence}; {', '.join(having) or 'Patient has one'}", code="not-supported")
    if not ids.is_legal(owner):
        raise illegal_id(owner)
    call.grant.require(_LETTER, call.type)

    def within(reader: Reader, type_name: str) -> Test:
        return reference.compartment(reader, type_name, codes, (kind, owner))

    query = _parsed(call, store, call.params, (call.type,), within)
    return await _answered(call, store, query, f"{call.base}/{kind}/{owner}/{call.type}")


def _parsed(
    call: Call,
    store: Store,
    params: Sequence[tuple[str, str]],
    types: Sequence[str],
    within: Callable[[Reader, str], Test] | None = None,
) -> Query:
    return parse(
        params,
        types,
        tenant_id=call.tenant_id,
        base=call.base,
        now=call.now,
        strict=call.prefer.strict,
        limits=store.pages.limits,
        within=within,
    )


async def _answered(call: Call, store: Store, query: Query, path: str) -> Reply:
    _require_sortable(call, query)
    query = own.within(query, call.grant, _LETTER, call.tenant_id, call.now)
    asking = Asking(call, store, query, path, await terms(call, store, query))
    notes = list(query.ignored)
    if query.summary == "count":
        content = bundle.bundle([bundle.note(notes)] if notes else [], asking.links(None), await asking.total(None))
        return Reply(200, content, type=call.type)
    found = await asking.page()
    part = bundle.cut(query)
    made = bundle.entries(found.rows, "match", call.base, store.unpack, part)
    if query.links:
        included, is_cut = await asking.included(found)
        made += bundle.entries(included, "include", call.base, store.unpack, part)
        notes += [_cut(store.pages.include_limit)] if is_cut else []
    made += [bundle.note(notes)] if notes else []
    return Reply(200, bundle.bundle(made, asking.links(found), await asking.total(found)), type=call.type)


def _require_sortable(call: Call, query: Query) -> None:
    """Raise Forbidden for an order that would tell who the other members of a Group are."""
    sorts = [(each.type, sort.code) for each in query.typed for sort in query.sort]
    if call.grant.shape.is_client and any(reference.tells_members(*each) for each in sorts):
        raise Forbidden("Groups cannot be sorted by their members by who sees only their own membership")


def _cut(limit: int) -> Issue:
    sentence = (
        f"Not all that was to be included is here: {limit} resources are the most; ask for fewer matches with _count"
    )
    return Issue("warning", "incomplete", sentence)


async def everything(call: Call, store: Store) -> Reply:
    """The patient's whole record, as far as the caller may read it, in pages of `_count`."""
    assert call.id is not None
    call.grant.require("r", "Patient")
    if not ids.is_legal(call.id):
        raise illegal_id(call.id)
    try:
        asked = record.read(call.params, store.pages.limits, call.prefer.strict)
    except Malformed as fault:
        raise BadRequest(fault.sentence, code=fault.code, expression=("Patient/$everything",)) from None
    path, kept = f"{call.base}/Patient/{call.id}/$everything", [each for each in call.params if each[0] != "_cursor"]
    binding = f"everything {bundle.link(path, sorted(kept))}"
    place = record.place(store.pages.open(asked.cursor, binding, call)) if asked.cursor is not None else None
    rows = await _record(call, store, asked, place)
    if place is None and not (rows and rows[0]["id"] == store.key("Patient", call.id)):
        await _require_patient(store, call.id)
    more, rows = len(rows) > asked.size, rows[: asked.size]
    links = [("self", bundle.link(path, call.params))]
    if more:
        cursor = store.pages.sign(record.packed(rows[-1]), binding, call)
        links.append(("next", bundle.link(path, [*kept, ("_cursor", cursor)])))
    made = bundle.entries(rows, "match", call.base, store.unpack, None)
    total = len(rows) if place is None and not more else None
    return Reply(200, bundle.bundle(made, links, total), type="Patient", id=call.id)


async def _record(call: Call, store: Store, asked: record.Asked, place: record.Place | None) -> list[Any]:
    bounds = (asked.start is not None, asked.end is not None, asked.since is not None)
    part = 0 if place is None else place.part
    shape = record.Shape(asked.types, *bounds, part, place is not None, rows_for(asked.size + 1))
    given = () if place is None else place.values
    values = record.values(call.tenant_id, call.id or "", asked)
    statement = STATEMENTS.get(record.page, shape, len(values) + len(given), call.grant, call.tenant_id)
    return list(await store.connection.fetch(statement.sql, *statement.bound(values, given)))


async def _require_patient(store: Store, patient_id: str) -> None:
    stored = await store.read("Patient", patient_id)
    if stored is None:
        raise NotFound(f"There is no Patient {patient_id[:64]} here")
    if stored.deleted:
        raise Gone(f"Patient {patient_id} was deleted; its history tells when")
