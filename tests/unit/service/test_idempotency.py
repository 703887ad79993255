"""One key, one effect: replays, conflicts, waiting duplicates, rollbacks, batches; on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg
import pytest

from service import idempotency
from service.call import Call, Conditions, Reply
from service.content import Codec
from service.errors import BadRequest, Conflict, Unprocessable
from service.grant import Grant
from service.idempotency import LIFETIME, REPLAYED, Slot, begin, checked, fingerprint, finish, once, purge
from service.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BODY = b'{"resourceType":"Task"}'
TENANTS = count(900_001)
ANSWER = Reply(
    201,
    b'{"resourceType":"Task","id":"1"}',
    version=1,
    updated=NOW,
    location="http://h/fhir/Task/1/_history/1",
    type="Task",
    id="1",
    headers=(("X-Kept", "yes"),),
)


def call(tenant_id: int, **changes: Any) -> Call:
    made = Call(tenant_id, "http://h/fhir", Grant("app", (), "system/*.c"), "create", NOW, type="Task", body={})
    return replace(made, **changes)


@asynccontextmanager
async def store(database_url: str, tenant_id: int) -> AsyncIterator[Store]:
    connection = await asyncpg.connect(database_url)
    try:
        yield Store(connection, tenant_id, "http://h/fhir", Grant("app"), Codec({}), None)  # type: ignore[arg-type]
    finally:
        await connection.close()


class Work:
    """An interaction that counts how often it is done."""

    def __init__(self, answer: Reply = ANSWER) -> None:
        self.answer = answer
        self.done = 0
        self.started, self.may_end = asyncio.Event(), asyncio.Event()
        self.may_end.set()
        self.fault: Exception | None = None

    async def __call__(self, call: Call, store: Store) -> Reply:
        self.started.set()
        await self.may_end.wait()
        if self.fault is not None:
            raise self.fault
        self.done += 1
        return self.answer


async def test_the_second_request_gets_the_first_one_s_answer(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        first = await once(call(tenant_id), here, "k", BODY, work)
        second = await once(call(tenant_id, now=NOW + timedelta(hours=1)), here, "k", BODY, work)
    assert first == ANSWER
    assert second == replace(ANSWER, headers=(("X-Kept", "yes"), REPLAYED))
    assert work.done == 1


async def test_an_answer_without_content_is_replayed_as_it_was(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work(Reply(201))
    async with store(database_url, tenant_id) as here:
        await once(call(tenant_id), here, "k", BODY, work)
        assert await once(call(tenant_id), here, "k", BODY, work) == Reply(201, headers=(REPLAYED,))


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Observation"},
        {"interaction": "transaction"},
        {"media_type": "application/json"},
        {"conditions": Conditions(if_none_exist="identifier=1")},
        {"grant": Grant("app", (), "system/Task.c")},
        {"params": (("_format", "json"),)},
    ],
)
async def test_another_request_under_the_key_is_refused(database_url: str, changes: dict[str, Any]) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        await once(call(tenant_id), here, "k", BODY, work)
        with pytest.raises(Unprocessable, match="another request"):
            await once(call(tenant_id, **changes), here, "k", BODY, work)
        with pytest.raises(Unprocessable):
            await once(call(tenant_id), here, "k", BODY + b" ", work)
    assert work.done == 1


async def test_tenants_and_clients_have_keys_of_their_own(database_url: str) -> None:
    work = Work()
    for tenant_id, client in ((next(TENANTS), "app"), (next(TENANTS), "app"), (next(TENANTS), "other")):
        async with store(database_url, tenant_id) as here:
            await once(call(tenant_id, grant=Grant(client, (), "system/*.c")), here, "k", BODY, work)
    assert work.done == 3


async def test_a_duplicate_waits_for_the_first_and_replays_its_answer(database_url: str) -> None:
    tenant_id, slow, never = next(TENANTS), Work(), Work()
    slow.may_end.clear()
    async with store(database_url, tenant_id) as here, store(database_url, tenant_id) as there:
        first = asyncio.create_task(once(call(tenant_id), here, "k", BODY, slow))
        await slow.started.wait()
        second = asyncio.create_task(once(call(tenant_id), there, "k", BODY, never))
        await asyncio.sleep(0.1)
        assert not second.done()
        slow.may_end.set()
        assert await first == ANSWER
        assert REPLAYED in (await second).headers
    assert (slow.done, never.done) == (1, 0)


async def test_a_duplicate_does_the_work_when_the_first_rolls_back(database_url: str) -> None:
    tenant_id, failing, work = next(TENANTS), Work(), Work()
    failing.may_end.clear()
    failing.fault = Unprocessable("broken")
    async with store(database_url, tenant_id) as here, store(database_url, tenant_id) as there:
        first = asyncio.create_task(once(call(tenant_id), here, "k", BODY, failing))
        await failing.started.wait()
        second = asyncio.create_task(once(call(tenant_id), there, "k", BODY, work))
        await asyncio.sleep(0.05)
        failing.may_end.set()
        with pytest.raises(Unprocessable, match="broken"):
            await first
        assert await second == ANSWER
    assert work.done == 1


async def test_a_refused_request_leaves_its_key_free(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        work.fault = Unprocessable("broken")
        with pytest.raises(Unprocessable, match="broken"):
            await once(call(tenant_id), here, "k", BODY, work)
        work.fault = None
        assert await once(call(tenant_id), here, "k", b"mended", work) == ANSWER


async def test_who_waits_too_long_is_told_to_come_back(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.1)
    tenant_id, slow = next(TENANTS), Work()
    slow.may_end.clear()
    async with store(database_url, tenant_id) as here, store(database_url, tenant_id) as there:
        first = asyncio.create_task(once(call(tenant_id), here, "k", BODY, slow))
        await slow.started.wait()
        with pytest.raises(Conflict, match="under way") as caught:
            await once(call(tenant_id), there, "k", BODY, Work())
        assert caught.value.retry_after == 1
        assert not there.connection.is_in_transaction()
        slow.may_end.set()
        await first
        assert REPLAYED in (await once(call(tenant_id), there, "k", BODY, Work())).headers


async def test_twenty_duplicates_at_once_have_one_effect(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()

    async def send() -> Reply:
        async with store(database_url, tenant_id) as here:
            return await once(call(tenant_id), here, "k", BODY, work)

    replies = await asyncio.gather(*(send() for _ in range(20)))
    assert work.done == 1
    assert {reply.id for reply in replies} == {"1"}
    assert sum(REPLAYED in reply.headers for reply in replies) == 19


async def test_a_key_is_new_again_after_a_day(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        await once(call(tenant_id), here, "k", BODY, work)
        await once(call(tenant_id, now=NOW + LIFETIME), here, "k", BODY, work)
        assert work.done == 1
        later = NOW + LIFETIME + timedelta(milliseconds=1)
        await once(call(tenant_id, now=later), here, "k", b"another", work)
        assert work.done == 2
        assert await purge(here.connection, tenant_id, later) == 0
        assert await purge(here.connection, tenant_id, later + timedelta(milliseconds=1)) == 1


async def test_requests_that_write_nothing_take_no_key(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work(Reply(200, b"{}"))
    async with store(database_url, tenant_id) as here:
        for _ in range(2):
            await once(call(tenant_id, interaction="search-type"), here, "k", BODY, work)
        assert await purge(here.connection, tenant_id, NOW + LIFETIME) == 0
    assert work.done == 2


BATCH: dict[str, Any] = {
    "interaction": "transaction",
    "type": None,
    "body": {"resourceType": "Bundle", "type": "batch"},
}


async def test_a_batch_is_replayed_too(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        await once(call(tenant_id, **BATCH), here, "k", BODY, work)
        assert REPLAYED in (await once(call(tenant_id, **BATCH), here, "k", BODY, work)).headers
    assert work.done == 1


async def test_a_batch_runs_outside_of_a_transaction(database_url: str) -> None:
    """An entry that fails must not undo, nor end, the others."""
    tenant_id = next(TENANTS)

    async def act(call: Call, store: Store) -> Reply:
        assert not store.connection.is_in_transaction()
        return ANSWER

    async with store(database_url, tenant_id) as here:
        assert await once(call(tenant_id, **BATCH), here, "k", BODY, act) == ANSWER


async def test_a_batch_refused_as_a_whole_leaves_its_key_free(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        work.fault = BadRequest("too many entries")
        with pytest.raises(BadRequest, match="too many"):
            await once(call(tenant_id, **BATCH), here, "k", BODY, work)
        work.fault = None
        assert await once(call(tenant_id, **BATCH), here, "k", b"mended", work) == ANSWER


async def test_a_batch_that_died_half_way_is_never_repeated_blindly(database_url: str) -> None:
    tenant_id, work = next(TENANTS), Work()
    async with store(database_url, tenant_id) as here:
        work.fault = ConnectionError()
        with pytest.raises(ConnectionError):
            await once(call(tenant_id, **BATCH), here, "k", BODY, work)
        work.fault = None
        with pytest.raises(Conflict, match="under way"):
            await once(call(tenant_id, **BATCH), here, "k", BODY, work)
        with pytest.raises(Conflict, match="read what it wrote") as caught:
            await once(call(tenant_id, now=NOW + timedelta(minutes=6), **BATCH), here, "k", BODY, work)
        assert caught.value.retry_after is None
    assert work.done == 0


async def test_begin_and_finish_stand_alone(database_url: str) -> None:
    slot = Slot(next(TENANTS), "app", "k")
    connection = await asyncpg.connect(database_url)
    try:
        assert await begin(connection, slot, b"f", NOW) is None
        found = await begin(connection, slot, b"f", NOW)
        assert found is not None
        assert (found.fingerprint, found.created, found.status) == (b"f", NOW, None)
        await finish(connection, slot, ANSWER)
        found = await begin(connection, slot, b"f", NOW)
        assert found is not None
        assert (found.status, found.body) == (201, ANSWER.content)
    finally:
        await connection.close()


@pytest.mark.parametrize(("key", "name"), [("abc", "abc"), (' "a b" ', "a b"), ('"', '"'), ("x" * 255, "x" * 255)])
def test_a_key_may_be_quoted(key: str, name: str) -> None:
    assert checked(key) == name


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ключ", "a\x00b", "a\nb"])
def test_an_illegal_key_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="1 to 255"):
        checked(key)


def test_a_fingerprint_cannot_be_shifted_between_its_parts() -> None:
    assert fingerprint(call(1, type="Task", id="x"), b"") != fingerprint(call(1, type="Taskx", id=None), b"")
    assert fingerprint(call(1), b"a") == fingerprint(call(1, now=NOW + LIFETIME, request_id="r"), b"a")
