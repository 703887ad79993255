"""Jobs inside of a server: loaded and begun once it answers, ended before it lets go of the database."""

import asyncio
import importlib
from typing import TYPE_CHECKING, Final

from service.engine import Engine

if TYPE_CHECKING:
    from service.jobs.worker import Worker

_AFTER_SECONDS: Final = 1.0
"""The first requests come before the jobs."""


class Jobs:
    """The worker of jobs of one process, if it has one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin soon, in the background."""
        self._task = asyncio.create_task(self._run(), name="jobs")

    async def stop(self) -> None:
        """Let jobs under way end; those that take too long are put back."""
        if self._task is None:
            return
        if self._worker is None:
            self._task.cancel()
        else:
            await self._worker.stop()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(_AFTER_SECONDS)
        # A third of a second's loading: in a thread, so that requests are answered meanwhile.
        module = await asyncio.to_thread(importlib.import_module, "service.jobs.worker")
        worker: Worker = module.Worker(self._engine)
        self._worker = worker
        await worker.run()
