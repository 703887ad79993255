"""The database goes away and comes back: 503 meanwhile, then everything goes on without a restart, and nothing is lost."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from service import migrations
from service.embedded import Cluster, ClusterError


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server of this test's own, which it may stop and kill."""
    directory = Path(tempfile.mkdtemp(prefix="hearth-gone-"))
    directory.chmod(0o711)
    with Cluster(directory, {"fsync": "off", "full_page_writes": "off"}) as own:
        yield own
    shutil.rmtree(directory)


@pytest.fixture
async def database_url(cluster: Cluster) -> str:
    await migrations.upgrade(cluster.dsn())
    return cluster.dsn()


def crash(cluster: Cluster) -> None:
    """All of PostgreSQL's processes die at once, as by the system's memory guard."""
    pid_file = cluster.data_dir / "postgres" / "data" / "postmaster.pid"
    os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGQUIT)
    deadline = time.monotonic() + 10
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with suppress(ClusterError):  # there is nothing left to stop
        cluster.stop()


async def until(act: Callable[[], Awaitable[httpx.Response]], status: int, seconds: float = 15) -> httpx.Response:
    deadline = time.monotonic() + seconds
    while True:
        answer = await act()
        if answer.status_code == status or time.monotonic() > deadline:
            assert answer.status_code == status, answer.text
            return answer
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("end", [Cluster.stop, crash], ids=["stopped", "crashed"])
async def test_answers_503_and_recovers_without_a_restart(
    serve: Callable[..., Any],
    new_tenant: Callable[..., Any],
    cluster: Cluster,
    database_url: str,
    end: Callable[[Cluster], None],
) -> None:
    served = serve(database_url)
    tenant = await new_tenant(database_url)
    written: list[str] = []
    refused: list[httpx.Response] = []

    async def write(http: httpx.AsyncClient) -> None:
        while not refused:
            answer = await http.post(f"{tenant.path}/Basic", json={"resourceType": "Basic", "code": {"text": "x"}})
            (written if answer.status_code == 201 else refused).append(  # type: ignore[attr-defined]
                json.loads(answer.content)["id"] if answer.status_code == 201 else answer
            )

    async with served.client() as http:
        http.headers.update(await tenant.bearer(http))
        await http.put(f"{tenant.path}/Patient/p", json={"resourceType": "Patient", "id": "p"})
        writers = [asyncio.create_task(write(http)) for _ in range(6)]
        await asyncio.sleep(0.4)
        request_id = uuid4().hex
        seen = await http.get(f"{tenant.path}/Patient/p", headers={"X-Request-Id": request_id})
        assert seen.status_code == 200
        await asyncio.to_thread(end, cluster)
        await asyncio.gather(*writers)

        for answer in (*refused, await http.get(f"{tenant.path}/Patient/p"), await http.get("/health/ready")):
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
            (issue,) = answer.json()["issue"]
            assert issue["code"] == "transient"
            assert issue["details"]["coding"][0]["code"] == "unavailable"
        token = await http.post(
            f"/t/{tenant.name}/oauth/token", data={"grant_type": "client_credentials"}, auth=("a", "b")
        )
        assert (token.status_code, token.json()["error"]) == (503, "temporarily_unavailable")
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/metrics")).status_code == 200
        assert (await http.get(f"{tenant.path}/metadata")).status_code == 200

        await asyncio.to_thread(cluster.start)
        await until(lambda: http.get("/health/ready"), 200)
        await until(lambda: http.get(f"{tenant.path}/Patient/p"), 200)
        again = await http.post(f"{tenant.path}/Basic", json={"resourceType": "Basic", "code": {"text": "x"}})
        assert again.status_code == 201

        connection = await asyncpg.connect(cluster.dsn())
        sql = "select count(*) from resource where tenant_id = $1 and id = any($2::uuid[])"
        assert len(written) > 6
        assert await connection.fetchval(sql, tenant.id, written) == len(written)
        await connection.close()

        async def audited() -> bool:
            bundle = (await http.get(f"{tenant.path}/AuditEvent?entity=Patient/p&action=R&_count=1000")).json()
            entities = [each for entry in bundle.get("entry", ()) for each in entry["resource"]["entity"]]
            return request_id in [each["what"].get("identifier", {}).get("value") for each in entities]

        for _ in range(75):  # the spool waits up to five seconds between two attempts
            if await audited():
                break
            await asyncio.sleep(0.2)
        assert await audited()
    assert await asyncio.to_thread(served.end) == 0
    assert not [line for line in served.lines() if line["event"] == "failure"]


async def test_starts_before_its_database_does(
    serve: Callable[..., Any], cluster: Cluster, database_url: str, tmp_path: Path
) -> None:
    """A worker that comes up while the database restarts is no worker lost: `hearth serve` has prepared it before."""
    served = serve(database_url, "--workers", "2")
    await asyncio.to_thread(cluster.stop)
    os.kill(served.workers()[0].pid, signal.SIGKILL)
    await asyncio.sleep(2.5)
    assert served.process.poll() is None
    await asyncio.to_thread(cluster.start)
    async with served.client(limits=httpx.Limits(max_keepalive_connections=0)) as http:
        for _ in range(8):
            await until(lambda: http.get("/health/ready"), 200)
    assert len(served.workers()) == 2
