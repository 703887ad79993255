"""The resources that a search finds, without pages: what conditional interactions and our own rules ask.

https://hl7.org/fhir/R4/http.html#cond-update
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas import json
from schemas.registry import REGISTRY
from service.call import Call
from service.content import Codec
from service.search import own, sql, terminology
from service.search.parse import Limits, parse
from service.search.query import Query
from service.store import Store, Stored


@dataclass(frozen=True, slots=True)
class Found:
    """A resource that was found, as it is stored."""

    stored: Stored

    @property
    def id(self) -> str:
        """The id as the client wrote it."""
        return self.stored.id

    def json(self, codec: Codec) -> bytes:
        """Its bytes."""
        assert self.stored.content is not None
        return codec.unpack(self.stored.enc, self.stored.content)

    def resource(self, codec: Codec) -> dict[str, Any]:
        """Its parsed JSON."""
        parsed: dict[str, Any] = json.parse(self.json(codec))
        return parsed


async def find(
    call: Call, store: Store, type_name: str, params: Sequence[tuple[str, str]], letter: str, limit: int
) -> list[Found]:
    """At most `limit` resources that `call.grant` allows `letter` on, in the order of `_sort`. Raises BadRequest."""
    query = parse(params, (type_name,), tenant_id=call.tenant_id, base=call.base, now=call.now, limits=Limits())
    query = own.within(query, call.grant, letter, call.tenant_id, call.now)
    rows = await _rows(call, store, query, letter, limit)
    made = []
    for type_id, key, version, updated, deleted, enc, content, fid, *_ in rows[:limit]:
        made.append(Found(Stored(REGISTRY.by_id[type_id].name, key, version, updated, deleted, enc, content, fid)))
    return made


async def _rows(call: Call, store: Store, query: Query, letter: str, limit: int) -> list[Any]:
    values = await terms(call, store, query)
    shape = sql.Shape(query.typed, sql.sorts(query), len(values), letter, sql.rows_for(limit), sql.FOUND)
    statement = sql.STATEMENTS.get(sql.page, shape, len(values), call.grant, call.tenant_id)
    return list(await store.connection.fetch(statement.sql, *statement.bound(values)))


async def terms(call: Call, store: Store, query: Query) -> Sequence[Any]:
    """The query's values, with what only the tenant's terminology can tell."""
    if not query.needs_terms:
        return query.values

    async def look(type_name: str, url: str) -> dict[str, Any] | None:
        bare, _, version = url.partition("|")
        params = [("url", bare), *([("version", version)] if version else []), ("_sort", "-_lastUpdated")]
        for letter in "rs":
            if call.grant.permits(letter, type_name):
                found = await find(call, store, type_name, params, letter, 1)
                if found:
                    return found[0].resource(store.codec)
        return None

    return await terminology.resolved(query.values, look)
