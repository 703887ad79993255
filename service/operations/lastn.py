"""Observation/$lastn: the most recent observations of each code. https://hl7.org/fhir/R4/observation-operation-lastn.html"""

from typing import Any, Final

from schemas.outcome import Issue
from service.call import Call, Reply
from service.errors import BadRequest
from service.index.subject import patient_asked
from service.search import bundle, own
from service.search import lastn as groups
from service.search.find import terms
from service.search.parse import parse
from service.search.query import Query
from service.search.sql import STATEMENTS
from service.store import Store

_NOT_HERE: Final = ("_sort", "_count", "_cursor", "_include", "_revinclude", "_total")
_SUBJECTS: Final = ("patient", "subject")


async def lastn(call: Call, store: Store) -> Reply:
    """A searchset of the last `max` (1) Observations of each code that the other search parameters find, newest first."""
    call.grant.require("s", "Observation")
    most, params = _read(call)
    query = parse(
        params,
        ("Observation",),
        tenant_id=call.tenant_id,
        base=call.base,
        now=call.now,
        strict=call.prefer.strict,
        limits=store.pages.limits,
    )
    query = own.within(query, call.grant, "s", call.tenant_id, call.now)
    rows = await _rows(call, store, query, most)
    kept = groups.latest(rows[: groups.MOST], most, call.tenant_id, lambda row: store.unpack(row[0], row[3], row[4]))
    made = bundle.entries(kept, "match", call.base, store.unpack, bundle.cut(query))
    notes = list(query.ignored) + ([_cut()] if len(rows) > groups.MOST else [])
    links = [("self", bundle.link(f"{call.base}/Observation/$lastn", call.params))]
    content = bundle.bundle([*made, *([bundle.note(notes)] if notes else [])], links, len(kept))
    return Reply(200, content, type="Observation", patient=patient_asked(tuple(params), None, call.base))


async def _rows(call: Call, store: Store, query: Query, most: int) -> list[Any]:
    values = await terms(call, store, query)
    shape = groups.Shape(query.typed[0], len(values))
    statement = STATEMENTS.get(groups.page, shape, len(values) + 1, call.grant, call.tenant_id)
    return list(await store.connection.fetch(statement.sql, *statement.bound(values, (most,))))


def _read(call: Call) -> tuple[int, list[tuple[str, str]]]:
    """(how many of each code, the search parameters). Raises BadRequest."""
    given = list(call.params) + list(_of_body(call))
    sizes = [value for name, value in given if name == "max"]
    params = [(name, value) for name, value in given if name != "max"]
    if len(sizes) > 1 or not all(each.isascii() and each.isdigit() and int(each[:9]) > 0 for each in sizes):
        raise _malformed("max", "max is one whole number from 1 on: how many of each code")
    for name, _ in params:
        if name.partition(":")[0] in _NOT_HERE:
            raise _malformed(name, f"{name} has no place in $lastn: it answers with all it finds, newest first")
    if not any(name.partition(":")[0] in _SUBJECTS for name, _ in params):
        raise _malformed("patient", "$lastn needs a subject: patient=123, or subject=Patient/123")
    if not groups.names_codes(name for name, _ in params):
        raise _malformed("code", "$lastn needs category, or a parameter on codes such as code or code-value-concept")
    return (int(sizes[0][:9]) if sizes else 1), params


def _of_body(call: Call) -> list[tuple[str, str]]:
    """The parameters of a Parameters body: search parameters are strings there."""
    if call.body is None:
        return []
    rows = call.body.get("parameter", ()) if isinstance(call.body, dict) else ()
    found = []
    for row in rows:
        value = next((value for name, value in row.items() if name.startswith("value")), None)
        if not isinstance(value, str | int):
            raise _malformed(
                str(row.get("name", "")), "In $lastn every parameter is a search parameter, as valueString"
            )
        found.append((str(row.get("name", "")), str(value)))
    return found


def _malformed(name: str, sentence: str) -> BadRequest:
    return BadRequest(sentence, expression=(f"Observation/$lastn?{name[:64]}",))


def _cut() -> Issue:
    return Issue(
        "warning", "incomplete", f"Only the newest {groups.MOST} are here; ask for fewer codes, or a smaller max"
    )
