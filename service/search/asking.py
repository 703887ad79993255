"""One search under way: its page, what that includes, its total and its links."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from schemas import json
from service.call import Call
from service.search import bundle, include, order, sql
from service.search.include import Reached
from service.search.order import Place
from service.search.page import refusal
from service.search.query import Query
from service.search.sql import STATEMENTS, Shape, Statement
from service.store import Store


class Rows(NamedTuple):
    """A page in its order: its rows, the rows included with them, and whether more lie ahead in the direction it was read."""

    rows: list[Any]
    included: list[Any]
    more: bool
    place: Place | None


class Asking:
    """A query being asked under a call's Grant; `values` are the query's, complete."""

    def __init__(self, call: Call, store: Store, query: Query, path: str, values: Sequence[Any]) -> None:
        self._call, self._store, self._query, self._path, self._values = call, store, query, path, values
        self._shape = Shape(query.typed, sql.sorts(query), len(values), "s", sql.rows_for(query.count + 1))
        self._keys = sql.keys(self._shape)
        self._first = bundle.link(path, query.asked)

    async def page(self) -> Rows:
        """The page that the cursor names, or the first one. Raises BadRequest for a cursor that is not ours."""
        place, take = self._place(), self._query.count
        shape, given = self._shape, tuple[Any, ...]()
        if place is not None:
            given = place.values
            shape = shape._replace(values=shape.values + len(given), backward=place.backward, missing=place.missing)
        if self._query.links:
            again = any(link.iterate for link in self._query.links)
            most = self._store.pages.include_limit + 1
            statement = self._statement(
                include.page, include.Page(shape, self._query.links, take, most, again), shape.values
            )
            found = await self._fetch(statement, self._values, given)
            rows = [row for row in found if row["mode"] == 0]
            included = found[len(rows) :]
        else:
            rows, included = await self._fetch(self._statement(sql.page, shape, shape.values), self._values, given), []
        more, rows = len(rows) > take, rows[:take]
        if place is not None and place.backward:
            rows.reverse()
        return Rows(rows, included, more, place)

    async def included(self, page: Rows) -> tuple[list[Any], bool]:
        """(what the page includes, whether some of it had to stay out)."""
        reached, most = Reached(page.rows), self._store.pages.include_limit
        is_cut = reached.add(page.included, most)
        for _ in range(include.ROUNDS - 1):
            links = include.leading(self._query.links, reached.fresh)
            if is_cut or not links:
                break
            shape = include.Round(links, len(self._values) + include.GIVEN, most + 1)
            statement = self._statement(include.again, shape, shape.values)
            is_cut = reached.add(await self._fetch(statement, self._values, reached.given()), most)
        return reached.rows, is_cut

    async def total(self, page: Rows | None) -> int | None:
        """The number of all matches, where it was asked for or is known from the page."""
        if page is not None and page.place is None and not page.more and self._query.total != "none":
            return len(page.rows)
        if self._query.total == "accurate":
            statement = self._statement(sql.count, self._shape, len(self._values))
            return int((await self._fetch(statement, self._values))[0][0])
        if self._query.total == "estimate":
            statement = self._statement(sql.estimate, self._shape, len(self._values))
            plan = msgspec.json.decode((await self._fetch(statement, self._values))[0][0])
            return int(plan[0]["Plan"]["Plan Rows"])
        return None

    def links(self, page: Rows | None) -> list[tuple[str, str]]:
        """(relation, url) of this page, of the first one and of those beside this one."""
        if page is None or page.place is None:
            links = [("self", self._first)]
        else:
            links = [("self", self._at(self._query.cursor or "")), ("first", self._first)]
        if page is None:
            return links
        is_backward = page.place is not None and page.place.backward
        if page.rows and (page.more or is_backward):
            links.append(("next", self._link(page.rows[-1], False)))
        if page.rows and (page.more if is_backward else page.place is not None):
            links.append(("previous", self._link(page.rows[0], True)))
        return links

    def _link(self, row: Any, backward: bool) -> str:
        values = [row[name] for name in sql.names(self._keys)]
        payload: list[str | int] = [int(backward), *order.packed(self._keys, values)]
        return self._at(self._store.pages.sign(payload, self._binding(), self._call))

    def _at(self, cursor: str) -> str:
        # A cursor of ours needs no escape; one that is not has been refused by now.
        return f"{self._first}{'&' if self._query.asked else '?'}_cursor={cursor}"

    def _binding(self) -> str:
        return json.encode([self._call.interaction, self._path, sorted(self._query.asked)]).decode()

    def _place(self) -> Place | None:
        if self._query.cursor is None:
            return None
        payload = self._store.pages.open(self._query.cursor, self._binding(), self._call)
        try:
            return Place(payload[0] == 1, order.unpacked(self._keys, payload[1:]))
        except (ValueError, IndexError):
            raise refusal() from None

    def _statement(self, make: Any, shape: Any, values: int) -> Statement:
        return STATEMENTS.get(make, shape, values, self._call.grant, self._call.tenant_id)

    async def _fetch(self, statement: Statement, *values: Sequence[Any]) -> list[Any]:
        return list(await self._store.connection.fetch(statement.sql, *statement.bound(*values)))
