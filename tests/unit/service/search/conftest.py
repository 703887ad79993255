"""A tenant of its own for each test, written through the store and searched through the interactions."""

import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import pytest

from schemas import dates, ids, json
from service.call import Call, Prefer, Reply
from service.content import Codec
from service.grant import Grant, from_scope
from service.interactions import search
from service.search.page import Pages
from service.store import Store

BASE: Final = "https://hearth.test/fhir"
ALL: Final = from_scope("tester", "system/*.cruds")
# As the service's own connections have it: one plan for all values.
SESSION: Final = {"jit": "off", "plan_cache_mode": "force_generic_plan", "timezone": "UTC"}
_tenants: Final = itertools.count(os.getpid() % 1000 * 100_000 + 1)


@dataclass(frozen=True, slots=True)
class Bench:
    """One tenant's store and how to ask it."""

    store: Store

    async def put(self, *resources: dict[str, Any]) -> None:
        """Write resources, each with the id it has."""
        now = dates.clock()
        changes = [
            self.store.change(each["resourceType"], each.get("id") or str(ids.new()), each, now) for each in resources
        ]
        await self.store.commit(changes, [])

    async def remove(self, type_name: str, resource_id: str) -> None:
        """Delete a resource."""
        before = await self.store.read(type_name, resource_id)
        await self.store.commit([self.store.change(type_name, resource_id, None, dates.clock(), before)], [])

    def call(self, path: str, grant: Grant = ALL, *, strict: bool = True) -> Call:
        """The Call of a GET of `path` below the base address."""
        parts = urlsplit(path.removeprefix(BASE))
        place = [each for each in parts.path.split("/") if each]
        params = tuple(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(
            self.store.tenant_id,
            BASE,
            grant,
            "search-system",
            dates.clock(),
            params=params,
            prefer=Prefer(strict=strict),
        )
        if len(place) == 3 and place[2] == "$everything":
            return replace(call, interaction="everything", type="Patient", id=place[1])
        if len(place) == 3:
            return replace(call, interaction="search-compartment", type=place[2], compartment=(place[0], place[1]))
        return replace(call, interaction="search-type", type=place[0]) if place else call

    async def reply(self, call: Call) -> Reply:
        """Carry out a Call of `call`."""
        acts: dict[str, Callable[[Call, Store], Awaitable[Reply]]] = {
            "everything": search.everything,
            "search-compartment": search.search_compartment,
            "search-type": search.search_type,
            "search-system": search.search_system,
        }
        store = self.store
        own = Store(store.connection, store.tenant_id, BASE, call.grant, store.codec, store.pages)
        return await acts[call.interaction](call, own)

    async def get(self, path: str, grant: Grant = ALL, *, strict: bool = True) -> dict[str, Any]:
        """The Bundle that a GET of `path` answers with."""
        reply = await self.reply(self.call(path, grant, strict=strict))
        assert reply.content is not None
        bundle: dict[str, Any] = json.decode(reply.content)
        return bundle

    async def ask(self, type_name: str, params: Sequence[tuple[str, str]], grant: Grant = ALL) -> dict[str, Any]:
        """The Bundle that a search of the type answers with."""
        reply = await self.reply(replace(self.call(f"/{type_name}", grant), params=tuple(params)))
        assert reply.content is not None
        bundle: dict[str, Any] = json.decode(reply.content)
        return bundle

    async def found(self, path: str, grant: Grant = ALL) -> list[str]:
        """The ids of the matches, in order."""
        return self.seen(await self.get(path, grant))

    @staticmethod
    def seen(bundle: dict[str, Any], mode: str = "match") -> list[str]:
        """The ids of the entries of that mode, in order."""
        return [each["resource"]["id"] for each in bundle.get("entry", ()) if each["search"]["mode"] == mode]

    @staticmethod
    def link(bundle: dict[str, Any], relation: str) -> str | None:
        """The address that the Bundle gives for `relation`."""
        return next((each["url"] for each in bundle["link"] if each["relation"] == relation), None)

    async def walked(self, path: str, grant: Grant = ALL) -> list[list[str]]:
        """The ids of the matches of each page, from the first to the last."""
        pages = []
        following: str | None = path
        while following is not None:
            bundle = await self.get(following, grant)
            pages.append(self.seen(bundle))
            following = self.link(bundle, "next")
        return pages


@pytest.fixture(scope="session")
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(database_url, server_settings=SESSION, statement_cache_size=1000)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def make_bench(connection: "asyncpg.Connection[Any]") -> Callable[[], Bench]:
    """Makes a tenant; its pages hold at most 1000 entries and 1000 includes unless told otherwise."""

    def make(pages: Pages | None = None) -> Bench:
        secret = Pages(b"a secret of the tests, 32 bytes..")
        return Bench(Store(connection, next(_tenants), BASE, ALL, Codec({}), pages or secret))

    return make


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()
