"""Jobs: done once their cause is committed, once for all workers, again after a crash, and given up where nothing helps."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest

from schemas import dates
from service import doctor, sealing, tenants
from service.engine import Engine
from service.jobs import queue, schedule, worker
from service.jobs.worker import Worker
from service.settings import Settings
from service.webhooks import registrations, signature
from tests.jobs.beside import hooked
from tests.worker.conftest import HEARTH, SECRET

SECONDS_MOST: Final = 20.0
KILLED: Final = """
import asyncio, sys
from datetime import timedelta
from service.engine import Engine
from service.jobs import worker
from service.settings import Settings

async def last(engine, payload, now):
    print("begun", flush=True)
    await asyncio.sleep(60)

async def main():
    worker.HEARTBEAT = timedelta(seconds=1)
    settings = Settings(data_dir=sys.argv[2], database_url=sys.argv[1])
    await worker.Worker(Engine(settings, sys.argv[1]), {"crash": last}, ()).run()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def engine(
    new_database: Callable[[], Awaitable[str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Engine]:
    """An engine on a database where nobody else works on jobs."""
    url = await new_database()
    made = Engine(Settings(data_dir=tmp_path_factory.mktemp("data"), database_url=url), url)
    yield made
    await made.database.close()


@asynccontextmanager
async def working(engine: Engine, jobs: Mapping[str, Any], ticks: tuple[Any, ...] = ()) -> AsyncIterator[Worker]:
    """A worker that does `jobs` for as long as the block lasts."""
    one = Worker(engine, jobs, ticks)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        await one.stop()
        await task


async def until(true: Callable[[], Any]) -> None:
    """Wait for something that another task brings about."""
    deadline = time.monotonic() + SECONDS_MOST
    while not true():
        assert time.monotonic() < deadline, "It did not come to pass"
        await asyncio.sleep(0.02)


async def rows(engine: Engine, name: str) -> list[tuple[str, int]]:
    """The jobs of a name that are still in the queue: (status, attempts)."""
    async with engine.database.connection(0) as connection:
        found = await connection.fetch("select status, attempts from pgqueuer where entrypoint = $1", name)
    return [tuple(row) for row in found]


async def put(engine: Engine, name: str, **named: Any) -> None:
    async with engine.database.connection(0) as connection:
        await queue.enqueue(connection, name, named.pop("payload", {}), **named)


async def test_a_job_whose_cause_was_rolled_back_is_never_done(engine: Engine) -> None:
    done: list[Any] = []

    async def note(_engine: Engine, payload: Mapping[str, Any], _now: datetime) -> None:
        done.append(payload["is"])

    async with working(engine, {"caused": note}):
        async with engine.database.connection(0) as connection:
            turn = connection.transaction()
            await turn.start()
            await queue.enqueue(connection, "caused", {"is": "rolled back"})
            await turn.rollback()
            async with connection.transaction():
                await queue.enqueue(connection, "caused", {"is": "committed"})
                await asyncio.sleep(0.3)
                assert done == []
        await until(lambda: done)
    assert done == ["committed"]


async def test_of_one_key_one_job_waits(engine: Engine) -> None:
    done: list[Any] = []

    async def note(_engine: Engine, payload: Mapping[str, Any], _now: datetime) -> None:
        done.append((payload["tenant"], payload["n"]))

    for tenant in (1, 2):
        for number in (1, 2):
            await put(engine, "keyed", payload={"tenant": tenant, "n": number}, key="the same")
    async with working(engine, {"keyed": note}):
        await until(lambda: len(done) == 2)
        await put(engine, "keyed", payload={"tenant": 1, "n": 3}, key="another")
        await until(lambda: len(done) == 3)
    assert done == [(1, 1), (2, 1), (1, 3)]


async def test_a_job_for_later_waits_for_its_time(engine: Engine) -> None:
    done: list[float] = []

    async def note(_engine: Engine, _payload: Mapping[str, Any], _now: datetime) -> None:
        done.append(time.monotonic())

    async with working(engine, {"later": note}):
        began = time.monotonic()
        await put(engine, "later", run_at=dates.clock() + timedelta(seconds=1))
        await until(lambda: done)
    assert 0.9 < done[0] - began < 4


async def test_what_fails_is_tried_again_and_given_up_in_the_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    monkeypatch.setattr(worker.backoff, "delay", lambda *_: timedelta(0))
    monkeypatch.setattr(worker, "ATTEMPTS_MOST", 3)

    async def fail(_engine: Engine, _payload: Mapping[str, Any], _now: datetime) -> None:
        tried.append(1)
        raise ValueError("Ana Example, 41, phobia of dogs")

    async with working(engine, {"doomed": fail}):
        await put(engine, "doomed", payload={"tenant": 7})
        await until(lambda: len(tried) == 3)
    assert await rows(engine, "doomed") == [("failed", 2)]
    async with engine.database.connection(0) as connection:
        assert await queue.failed(connection) == {"doomed": 1}
        kept = await connection.fetchval("select string_agg(coalesce(traceback::text, ''), '') from pgqueuer_log")
        assert "ValueError" in kept
        assert "Ana" not in kept
    findings = {one.name: one for one in await doctor.examine(engine.settings, engine.database.dsn, {})}
    assert (findings["jobs given up"].good, findings["jobs given up"].found) == (False, "1 doomed")

    async def succeed(_engine: Engine, payload: Mapping[str, Any], _now: datetime) -> None:
        tried.append(payload["tenant"])

    async with engine.database.connection(0) as connection:
        await queue.again(connection, "doomed")
    async with working(engine, {"doomed": succeed}):
        await until(lambda: tried[-1] == 7)
    assert await rows(engine, "doomed") == []


async def test_no_more_than_a_few_are_done_at_once(engine: Engine) -> None:
    now: list[int] = []
    most: list[int] = []

    async def crowd(_engine: Engine, _payload: Mapping[str, Any], _now: datetime) -> None:
        now.append(1)
        most.append(len(now))
        await asyncio.sleep(0.05)
        now.pop()

    async with engine.database.connection(0) as connection:
        await queue.enqueue_all(connection, [queue.Job("crowd", {}) for _ in range(40)])
    async with working(engine, {"crowd": crowd}):
        await until(lambda: len(most) == 40)
    assert 1 < max(most) <= worker.AT_ONCE


async def test_a_worker_that_stops_ends_its_jobs_and_puts_back_what_takes_too_long(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.5)
    begun: list[int] = []
    ended: list[int] = []

    async def last(_engine: Engine, payload: Mapping[str, Any], _now: datetime) -> None:
        begun.append(payload["ms"])
        await asyncio.sleep(payload["ms"] / 1000)
        ended.append(payload["ms"])

    await put(engine, "last", payload={"ms": 300})
    await put(engine, "last", payload={"ms": 30_000})
    async with working(engine, {"last": last}):
        await until(lambda: len(begun) == 2)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert ended == [300]
    assert await rows(engine, "last") == [("queued", 1)]


async def test_the_job_of_a_killed_worker_is_done_by_another_one(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT", timedelta(seconds=1))
    monkeypatch.setattr(worker, "POLL", timedelta(seconds=0.5))
    done: list[str] = []

    async def note(_engine: Engine, payload: Mapping[str, Any], _now: datetime) -> None:
        done.append(payload["is"])

    await put(engine, "crash", payload={"is": "kept"})
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, engine.database.dsn, str(tmp_path)], stdout=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"begun\n"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert [status for status, _ in await rows(engine, "crash")] == ["picked"]
    async with working(engine, {"crash": note}):
        await until(lambda: done)
    assert done == ["kept"]
    assert await rows(engine, "crash") == []


async def test_a_worker_comes_back_when_its_connection_was_cut(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "RECONNECT", timedelta(seconds=0.1))
    done: list[int] = []

    async def note(_engine: Engine, _payload: Mapping[str, Any], _now: datetime) -> None:
        done.append(1)

    async with working(engine, {"cut": note}):
        await put(engine, "cut")
        await until(lambda: len(done) == 1)
        async with engine.database.connection(0) as connection:
            cut = await connection.fetchval(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where application_name = 'hearth jobs' and datname = current_database()"
            )
        assert cut == 1
        await put(engine, "cut")
        await until(lambda: len(done) == 2)


async def test_a_queue_whose_notices_do_not_get_through_is_asked(
    new_database: Callable[[], Awaitable[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "POLL", timedelta(seconds=0.3))
    url = await new_database()
    engine = Engine(Settings(data_dir=tmp_path, database_url=url), url)
    done: list[int] = []

    async def note(_engine: Engine, _payload: Mapping[str, Any], _now: datetime) -> None:
        done.append(1)

    async with engine.database.connection(0) as connection:
        await connection.execute("drop trigger tg_pgqueuer_changed on pgqueuer")
    async with working(engine, {"unheard": note}):
        await asyncio.sleep(0.5)
        await put(engine, "unheard")
        await until(lambda: done)
    await engine.database.close()


async def test_a_tick_runs_once_an_interval_in_each_tenant_whatever_happens_in_another(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, and beats every second: of each second one, in both tenants, though the first one always fails."""
    monkeypatch.setattr(schedule, "BEAT_SECONDS", 0.1)
    seen: list[tuple[str, int]] = []
    async with engine.database.connection(0) as connection:
        names = {(await tenants.add(connection, name)).name for name in ("tick-one", "tick-two")}

    async def tick(_engine: Engine, tenant: tenants.Tenant, _now: datetime) -> None:
        seen.append((tenant.name, int(time.time())))
        if tenant.name == "tick-one":
            raise RuntimeError("of this tenant alone")

    ticks = (("seconds", 1, tick),)
    async with working(engine, {}, ticks), working(engine, {}, ticks):
        await until(lambda: len(seen) >= 6)
    assert {name for name, _ in seen} == names
    assert len(set(seen)) == len(seen)
    assert await rows(engine, "tick.seconds") in ([], [("queued", 0)])


def test_no_tick_is_more_often_than_workers_look_after_it() -> None:
    assert all(every > 2 * schedule.BEAT_SECONDS for _, every, _ in schedule.TICKS)


# --- as processes -------------------------------------------------------------------------------------------------------


async def registered(database_url: str, tenant: Any, url: str) -> None:
    """A webhook of the tenant's client, as a request to the homework API makes it."""
    rules = '[{"type":"*","letters":"cdrsu","constraint":[]}]'
    sealed = sealing.seal(SECRET.encode(), registrations.SEALED_FOR, signature.new_secret().encode())
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            registrations.ADD, tenant.id, uuid4(), tenant.client_id, url, ["assignment.created"], sealed, rules,
            dates.clock(),
        )  # fmt: skip
    finally:
        await connection.close()


async def assign(served: Any, tenant: Any, number: int) -> None:
    task = {"resourceType": "Task", "status": "ready", "intent": "order", "owner": {"reference": "Patient/p"}}
    async with served.client() as http:
        http.headers.update(await tenant.bearer(http))
        for _ in range(number):
            assert (await http.post(f"{tenant.path}/Task", json=task)).status_code == 201


@pytest.mark.parametrize("jobs", ["true", "false"])
async def test_servers_do_jobs_or_leave_them_to_hearth_work(
    serve: Callable[..., Any], new_tenant: Callable[..., Any], database_url: str, tmp_path: Path, jobs: str
) -> None:
    """Two workers, each message once; with HEARTH_JOBS=false none until `hearth work` runs."""
    loopback = {"HEARTH_ALLOW_LOOPBACK_WEBHOOKS": "true"}
    served = serve(database_url, "--workers", "2", HEARTH_JOBS=jobs, **loopback)
    served.await_workers(2)
    tenant = await new_tenant(database_url)
    async with hooked() as hook:
        await registered(database_url, tenant, hook.url)
        await assign(served, tenant, 12)
        if jobs == "false":
            await asyncio.sleep(1)
            assert hook.taken == []
            environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
            environment |= {"HEARTH_DATABASE_URL": database_url, "HEARTH_SECRET_KEY": SECRET, **loopback}
            command = [*HEARTH, "work", "--data-dir", str(tmp_path / "work")]
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as work:
                await until(lambda: len(hook.taken) == 12)
                work.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(work.wait, 20) == 0
        await until(lambda: len(hook.taken) == 12)
        await asyncio.sleep(0.3)
    assert len({one.headers["webhook-id"] for one in hook.taken}) == len(hook.taken) == 12
    assert not [line for line in served.lines() if line["level"] in ("warning", "error")]
