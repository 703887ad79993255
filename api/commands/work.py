"""`hearth work`: a process that does jobs and nothing else, beside servers with HEARTH_JOBS=false."""

from __future__ import annotations

import asyncio
import importlib
import signal
from typing import Annotated, Any

import asyncpg
import typer

from api.commands.console import DatabaseUrl, DataDir, fail, on_database, settings_of
from service import embedded, logs, revision
from service.jobs import queue
from service.settings import Settings


def work(
    again: Annotated[
        str | None, typer.Option(help="Only have the given-up jobs of this name tried once more, and end.")
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Do jobs (reminders, webhooks, what runs at intervals) until SIGTERM or Ctrl-C; as many processes as you like."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    if again is not None:
        on_database(settings, lambda connection: queue.again(connection, again))
        typer.echo(f"Jobs {again} that were given up wait to be done again.")
        return
    logs.configure(settings.log_level, settings.log_format)
    with embedded.database_url(settings) as url:
        asyncio.run(_work(settings, url))


async def _work(settings: Settings, url: str) -> None:
    """Work until a signal comes; the loop's own handlers take the place of those of other commands."""
    await _require_tables(url)
    engine = importlib.import_module("service.engine").Engine(settings, url)
    worker: Any = importlib.import_module("service.jobs.worker").Worker(engine)
    await engine.start()
    task = asyncio.create_task(worker.run(), name="jobs")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await worker.stop()
    await asyncio.wait([task])
    await engine.stop()


async def _require_tables(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if await revision.current(connection) != revision.head():
            fail("The database does not have this release's tables; run: hearth migrate")
    finally:
        await connection.close()
