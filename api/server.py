"""Running the ASGI application under uvicorn, in this process or in several. https://www.uvicorn.org/settings/"""

import os
import signal
import socket
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.protocol import Http
from service.settings import PREFIX, Settings

DRAIN_SECONDS: Final = 30
"""How long requests under way may take to end after SIGTERM."""
HANG_SECONDS: Final = 30
"""How long a worker process may give no sign of life before another one takes its place."""


def serve(settings: Settings, database_url: str, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then end the requests under way; `ready` is called when requests are taken."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it has drained: that is a normal end.
        signal.signal(number, _leave)
    _to_environment(settings, database_url)
    config = uvicorn.Config(
        "api.worker:factory",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="api.loop:Loop",
        http=Http,
        lifespan="on",
        log_config=None,
        access_log=False,  # api's middleware logs each request with what was done
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_worker_healthcheck=HANG_SECONDS,
    )
    if settings.workers == 1:
        server = _Server(config, ready)
        server.run()
        if not server.started:
            raise SystemExit(STARTUP_FAILURE)
    else:
        # Where the workers' figures meet; theirs alone, since each run starts counting anew.
        with TemporaryDirectory(prefix="hearth-metrics-") as figures:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = figures
            _Workers(config, [config.bind_socket()], ready).run()


def _to_environment(settings: Settings, database_url: str) -> None:
    """Worker processes are started anew and read their settings like any process."""
    for name, value in settings.model_dump(mode="json", exclude_none=True).items():
        os.environ[PREFIX + name.upper()] = str(value)
    for name in ("secret_key", "smtp_url"):
        secret = getattr(settings, name)
        if secret is not None:
            os.environ[PREFIX + name.upper()] = secret.get_secret_value()
    os.environ[f"{PREFIX}DATABASE_URL"] = database_url


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


class _Workers(Multiprocess):
    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
        super().__init__(config, sockets)
        self._ready = ready

    def terminate_all(self) -> None:
        """The parent's end of the listening socket goes first: else the system accepts connections that nobody serves."""
        for each in self.sockets:
            each.close()
        super().terminate_all()

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(HANG_SECONDS, self.should_exit) for process in self.processes):
            self._ready()
