"""SIGTERM under load: no acknowledged write is lost, no request is cut, and nobody new is let in."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import pytest

LOAD_SECONDS: Final = 1.0


@dataclass
class Tally:
    """What the writers saw: ids of acknowledged writes, requests that ended otherwise, connections refused."""

    written: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    refused: int = 0


async def write_on(served: Any, path: str, bearer: dict[str, str], tally: Tally, keeps_alive: bool) -> None:
    """Create after create, on one connection or each on its own, until none is accepted any more."""
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1 if keeps_alive else 0)
    async with served.client(headers=bearer, limits=limits) as http:
        while not tally.refused:
            body = {"resourceType": "Basic", "code": {"text": uuid4().hex}}
            try:
                answer = await http.post(f"{path}/Basic", json=body)
            except httpx.ConnectError:
                tally.refused += 1
                return
            except httpx.HTTPError as fault:
                tally.cut.append(f"{type(fault).__name__}: {fault}")
                return
            if answer.status_code != 201:
                tally.cut.append(answer.text)
                return
            tally.written.append(json.loads(answer.content)["id"])


async def stored(database_url: str, tenant_id: int, keys: list[str]) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        sql = "select count(*) from resource where tenant_id = $1 and id = any($2::uuid[]) and not deleted"
        return int(await connection.fetchval(sql, tenant_id, keys))
    finally:
        await connection.close()


async def drained(served: Any, tenant: Any, bearer: dict[str, str], database_url: str, number: int) -> float:
    """How long a server under `number` writers takes to end, with all that is asked of it."""
    tally = Tally()
    writers = [
        asyncio.create_task(write_on(served, tenant.path, bearer, tally, keeps_alive=bool(at % 2)))
        for at in range(number)
    ]
    while len(tally.written) < number and not tally.cut:
        await asyncio.sleep(0.05)
    await asyncio.sleep(LOAD_SECONDS)
    before = len(tally.written)
    began = time.perf_counter()
    code = await asyncio.to_thread(served.end)
    seconds = time.perf_counter() - began
    await asyncio.gather(*writers)
    assert code == 0
    assert tally.cut == []
    assert before > 0
    assert await stored(database_url, tenant.id, tally.written) == len(tally.written)
    print(f"drained in {seconds:.2f} s; {before} writes before, {len(tally.written) - before} answered meanwhile")
    return seconds


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_acknowledged_write_is_lost_and_no_request_is_cut(
    serve: Callable[..., Any], new_tenant: Callable[..., Any], database_url: str, workers: str, record_property: Any
) -> None:
    served = serve(database_url, "--workers", workers)
    tenant = await new_tenant(database_url)
    async with served.client() as http:
        bearer = await tenant.bearer(http)
    seconds = await drained(served, tenant, bearer, database_url, 12)
    record_property("drain_seconds", round(seconds, 2))
    assert seconds < 10


@pytest.mark.exhaustive
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_not_under_load_either(
    serve: Callable[..., Any], new_tenant: Callable[..., Any], database_url: str, workers: str
) -> None:
    tenant = await new_tenant(database_url)
    for _ in range(6):
        served = serve(database_url, "--workers", workers)
        async with served.client() as http:
            bearer = await tenant.bearer(http)
        assert await drained(served, tenant, bearer, database_url, 60) < 20


async def test_a_write_that_waits_is_still_answered(
    serve: Callable[..., Any], new_tenant: Callable[..., Any], database_url: str
) -> None:
    served = serve(database_url)
    tenant = await new_tenant(database_url)
    async with served.client() as http:
        http.headers.update(await tenant.bearer(http))
        await http.put(f"{tenant.path}/Patient/held", json={"resourceType": "Patient", "id": "held"})
        holder = await asyncpg.connect(database_url)
        try:
            async with holder.transaction():
                await holder.fetch("select from resource where tenant_id = $1 for update", tenant.id)
                body = {"resourceType": "Patient", "id": "held", "active": True}
                waiting = asyncio.create_task(http.put(f"{tenant.path}/Patient/held", json=body))
                await asyncio.sleep(0.3)
                served.process.terminate()
                await asyncio.sleep(1.0)
                assert not waiting.done()
                assert served.process.poll() is None
        finally:
            await holder.close()
        answer = await waiting
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"
    assert await asyncio.to_thread(served.process.wait, 30) == 0


async def test_a_request_on_its_way_to_an_idle_connection_is_answered(
    serve: Callable[..., Any], database_url: str
) -> None:
    served = serve(database_url)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request)
    assert (await reader.readuntil(b'"ok"}')).startswith(b"HTTP/1.1 200")
    served.process.terminate()
    await asyncio.sleep(0.3)  # uvicorn alone has closed the connection by now
    writer.write(request)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer
    writer.close()
    assert await asyncio.to_thread(served.process.wait, 30) == 0
