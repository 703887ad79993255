"""A worker of jobs: takes what is due, a few at a time, on a connection of its own; any number of them share the work.

A job whose worker died is taken again once its heartbeat is old. NOTIFY wakes a worker at once; where it does not get
through, the queue is asked every POLL. https://pgqueuer.readthedocs.io/en/latest/
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from schemas import json
from service.engine import Engine
from service.jobs import backoff, schedule
from service.jobs.schedule import Tick
from service.jobs.table import JOBS, Run

ATTEMPTS_MOST: Final = 10
"""After so many failures, some hours in all, a job is given up; its row stays with the status failed."""
AT_ONCE: Final = 8
POLL: Final = timedelta(seconds=10)
HEARTBEAT: Final = timedelta(seconds=30)
"""A job without a heartbeat for so long is somebody else's to do."""
GRACE_SECONDS: Final = 5.0
"""How long jobs under way may take to end when the worker stops; what is cut off is taken again."""
RECONNECT: Final = timedelta(seconds=1)
_RECONNECT_MOST: Final = timedelta(seconds=30)
_SESSION: Final = {"application_name": "hearth jobs", "timezone": "UTC", "jit": "off", "statement_timeout": "10000"}
_PATIENCE_SECONDS: Final = 15.0
_log: Final = structlog.get_logger()


class GivenUp(Exception):
    """A job failed too often; the word is the kind of its last fault."""


class Worker:
    """Runs jobs and ticks until it is stopped; a database that is away is waited for."""

    def __init__(
        self, engine: Engine, jobs: Mapping[str, Run] | None = None, ticks: tuple[Tick, ...] | None = None
    ) -> None:
        self._engine = engine
        self._ticks = schedule.TICKS if ticks is None else ticks
        ticking = {schedule.PREFIX + tick[0]: schedule.beating(tick) for tick in self._ticks}
        self._jobs = {**(JOBS if jobs is None else jobs), **ticking}
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._manager: QueueManager | None = None

    async def run(self) -> None:
        """Work until `stop`."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._session()
                failures = 0
            except Exception as fault:
                _log.warning("jobs-wait", reason=type(fault).__name__)
                wait = backoff.delay(failures, RECONNECT, _RECONNECT_MOST)
                failures += 1
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait.total_seconds()):
                        await self._stopping.wait()

    async def stop(self) -> None:
        """Take no more jobs; those under way may end, and what takes too long is put back. `run` returns after that."""
        self._stopping.set()
        if self._manager is not None:
            self._manager.shutdown.set()
        if self._running:
            await asyncio.wait(self._running, timeout=GRACE_SECONDS)
        for task in self._running:
            task.cancel()

    async def _session(self) -> None:
        """Work on one connection until it breaks or the worker stops."""
        connection = await asyncpg.connect(
            self._engine.database.dsn,
            server_settings=_SESSION,
            timeout=_PATIENCE_SECONDS,
            command_timeout=_PATIENCE_SECONDS,
        )
        try:
            driver = AsyncpgDriver(connection)
            self._manager = manager = QueueManager(Queries(driver))
            connection.add_termination_listener(lambda _: manager.shutdown.set())
            for name, work in self._jobs.items():
                manager.entrypoint(name, on_failure="hold", accepts_context=False)(self._entry(name, work))
            beats = asyncio.create_task(self._beat(driver), name="beats")
            try:
                await manager.run(
                    dequeue_timeout=POLL,
                    batch_size=AT_ONCE // 2,
                    max_concurrent_tasks=AT_ONCE,
                    heartbeat_timeout=HEARTBEAT,
                    log_aggregation_interval=timedelta(0),
                )
            finally:
                beats.cancel()
                await asyncio.wait([beats])
        finally:
            self._manager = None
            with suppress(Exception):
                await connection.close(timeout=2)

    def _entry(self, name: str, work: Run) -> Callable[[Job], Awaitable[None]]:
        """What PgQueuer calls: the job in a task of its own; its fault means one more attempt, or the end."""

        async def entry(job: Job) -> None:
            payload = json.decode(job.payload) if job.payload else {}
            task = asyncio.create_task(_done(work, self._engine, payload), name=name)
            self._running.add(task)
            try:
                await asyncio.wait([task])
            finally:
                self._running.discard(task)
            if task.cancelled():
                raise RetryRequested(timedelta(0), "the worker stopped")
            fault = task.exception()
            if fault is None:
                return
            given_up = job.attempts + 1 >= ATTEMPTS_MOST
            # The words of an exception may quote a row: neither the log nor the queue keeps them.
            _log.error("job-failed", job=name, attempt=job.attempts + 1, given_up=given_up, exc_info=fault)
            if given_up:
                raise GivenUp(type(fault).__name__)
            raise RetryRequested(backoff.delay(job.attempts), type(fault).__name__)

        return entry

    async def _beat(self, driver: AsyncpgDriver) -> None:
        """See to it again and again that every tick has its next beat."""
        while self._ticks:
            with suppress(Exception):  # a connection that breaks ends the session; the next one says it again
                await driver.execute(schedule.BEAT, *schedule.beats(self._ticks))
            await asyncio.sleep(schedule.BEAT_SECONDS)


async def _done(work: Run, engine: Engine, payload: Mapping[str, Any]) -> None:
    await work(engine, payload, engine.clock())
