"""kill -9 of a worker: every acknowledged write is in the database, every acknowledged read is in the audit."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import pytest

from service.spool import ADOPT_SECONDS

CALLERS: Final = 8
LOAD_SECONDS: Final = 1.0
ADOPTED_SECONDS: Final = ADOPT_SECONDS + 15
"""By then a living worker has looked for what dead ones left, should the new one have missed it."""


@dataclass
class Tally:
    """Ids of acknowledged writes, request ids of acknowledged reads."""

    written: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


async def write_and_read(served: Any, path: str, bearer: dict[str, str], tally: Tally) -> None:
    """A create, then a read of it, again and again until the server is gone."""
    async with served.client(headers=bearer) as http:
        try:
            while True:
                body = {"resourceType": "Basic", "code": {"text": uuid4().hex}}
                made = await http.post(f"{path}/Basic", json=body)
                assert made.status_code == 201, made.text
                key = json.loads(made.content)["id"]
                tally.written.append(key)
                request_id = uuid4().hex
                seen = await http.get(f"{path}/Basic/{key}", headers={"X-Request-Id": request_id})
                assert seen.status_code == 200, seen.text
                tally.read.append(request_id)
        except httpx.HTTPError:
            return


async def audited(http: httpx.AsyncClient, path: str) -> set[str]:
    """The request ids of all reads that the audit has."""
    found: set[str] = set()
    address = f"{path}/AuditEvent?action=R&_count=500"
    while address:
        bundle = (await http.get(address)).json()
        for entry in bundle.get("entry", ()):
            found |= {
                each["what"]["identifier"]["value"]
                for each in entry["resource"]["entity"]
                if "identifier" in each["what"]
            }
        address = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    return found


async def stored(database_url: str, tenant_id: int, keys: list[str]) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        sql = "select count(*) from resource where tenant_id = $1 and id = any($2::uuid[]) and not deleted"
        return int(await connection.fetchval(sql, tenant_id, keys))
    finally:
        await connection.close()


async def missing_reads(served: Any, tenant: Any, tally: Tally) -> set[str]:
    """Acknowledged reads that the audit has not, once the spool of the dead worker was adopted."""
    missing = set(tally.read)
    async with served.client() as http:
        http.headers.update(await tenant.bearer(http))
        deadline = time.monotonic() + ADOPTED_SECONDS
        while missing and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            missing -= await audited(http, tenant.path)
    return missing


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_what_was_acknowledged_survives(
    serve: Callable[..., Any], new_tenant: Callable[..., Any], database_url: str, workers: str
) -> None:
    served = serve(database_url, "--workers", workers)
    served.await_workers(int(workers))
    tenant = await new_tenant(database_url)
    async with served.client() as http:
        bearer = await tenant.bearer(http)
    tally = Tally()
    callers = [asyncio.create_task(write_and_read(served, tenant.path, bearer, tally)) for _ in range(CALLERS)]
    await asyncio.sleep(LOAD_SECONDS)
    while len(tally.read) <= 2 * CALLERS:  # on a busy machine
        await asyncio.sleep(0.1)
    if workers == "1":
        served.process.kill()
        served.process.wait(10)
        served = serve(database_url)
    else:  # the parent starts another worker in place of the dead one; callers of the living one go on until here
        os.kill(served.workers()[0].pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        for caller in callers:
            caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    assert len(tally.read) > CALLERS
    assert await stored(database_url, tenant.id, tally.written) == len(tally.written)
    missing = await missing_reads(served, tenant, tally)
    left = sorted(path.name for path in (served.log.parent / "audit").iterdir())
    said = [line for line in served.lines() if line["event"] != "request"]
    assert not missing, (
        f"{len(missing)} of {len(tally.read)} reads are not in the audit; left on disk {left}; {said[-20:]}"
    )


@pytest.mark.exhaustive
async def test_a_read_that_was_never_answered_leaves_no_torn_record(
    serve: Callable[..., Any], new_tenant: Callable[..., Any], database_url: str
) -> None:
    """The spool of a killed worker is emptied: nothing of it is damaged, nothing stays on disk."""
    served = serve(database_url)
    tenant = await new_tenant(database_url)
    async with served.client() as http:
        bearer = await tenant.bearer(http)
    tally = Tally()
    callers = [asyncio.create_task(write_and_read(served, tenant.path, bearer, tally)) for _ in range(CALLERS)]
    await asyncio.sleep(0.3)
    served.process.kill()
    await asyncio.gather(*callers)
    spool = served.log.parent / "audit"
    again = serve(database_url)
    assert await missing_reads(again, tenant, tally) == set()
    assert again.end() == 0
    assert [path.name for path in spool.iterdir()] == []
    assert not [line for line in again.lines() if line["level"] in ("warning", "error")]
