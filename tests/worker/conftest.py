"""`hearth serve` as a process of its own, on a free port of this machine, before a database of the test's choice."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import psutil
import pytest

from service import tenants
from service.oauth import clients

HEARTH: Final = (sys.executable, "-c", "from api.cli import main; main()")
START_SECONDS: Final = 30
SECRET: Final = "the same for all servers on one database"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Served:
    """A running server: `started` is how long its first answer took, in seconds."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    started: float = 0.0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def await_answer(self) -> None:
        """Ask until it answers, over a socket of our own: a client's machinery would be measured too."""
        began = time.perf_counter()
        while time.perf_counter() - began < START_SECONDS:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    if connection.recv(64).startswith(b"HTTP/1.1 200"):
                        self.started = time.perf_counter() - began
                        return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(self.log.read_text())

    def await_workers(self, number: int) -> None:
        """Until each of its workers serves."""
        deadline = time.monotonic() + START_SECONDS
        while sum(line["event"] == "Application startup complete." for line in self.lines()) < number:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def lines(self) -> list[dict[str, Any]]:
        """What it logged until now; every line is JSON."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines()]

    def workers(self) -> list[psutil.Process]:
        """The processes that serve, without the parent of several and Python's own tracker of resources."""
        return [
            child
            for child in psutil.Process(self.process.pid).children()
            if "resource_tracker" not in str(child.cmdline())
        ]

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
        """Send the signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def client(self, **named: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.origin, timeout=30, **named)


def is_gone(session: int) -> bool:
    """Whether no process of the session is left; Python's tracker of shared memory ends a moment after its parent."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    os.killpg(session, signal.SIGKILL)
    return False


Serve = Callable[..., Served]


def serving(home: Path) -> Iterator[Serve]:
    """Starts servers with `serve(database_url, *words, **variables)`, and sees that none of their processes is left."""
    running: list[Served] = []

    def start(database_url: str, *words: str, **variables: str) -> Served:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
        environment |= {"HEARTH_DATABASE_URL": database_url, "HEARTH_SECRET_KEY": SECRET} | variables
        port, log = free_port(), home / f"log-{len(running)}.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*HEARTH, "serve", "--port", str(port), "--data-dir", str(home), *words],
                env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        served = Served(process, port, log)
        running.append(served)
        served.await_answer()
        return served

    yield start
    for served in running:
        if served.process.poll() is None:
            served.process.terminate()
            served.process.wait(60)
        assert is_gone(served.process.pid), "A process of the server was left behind"


@pytest.fixture(scope="module")
async def database_url(new_database: Callable[[], Awaitable[str]]) -> str:
    """A database without the tenants of other tests: a server that starts fills the library of each that lacks it."""
    return await new_database()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers of one test."""
    yield from serving(tmp_path)


@pytest.fixture(scope="module")
def serve_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers that the tests of a file share."""
    yield from serving(tmp_path_factory.mktemp("served"))


@dataclass(frozen=True)
class Tenant:
    """A tenant with one client that may do everything."""

    id: int
    name: str
    client_id: str
    client_secret: str

    @property
    def path(self) -> str:
        return f"/t/{self.name}/fhir"

    async def bearer(self, http: httpx.AsyncClient) -> dict[str, str]:
        """The header of a new access token."""
        answer = await http.post(
            f"/t/{self.name}/oauth/token", data={"grant_type": "client_credentials"},
            auth=(self.client_id, self.client_secret),
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="session")
def new_tenant() -> Callable[[str], Any]:
    """Makes a tenant in the database of a URL."""

    async def made(database_url: str) -> Tenant:
        connection = await asyncpg.connect(database_url)
        try:
            tenant = await tenants.add(connection, f"w{os.urandom(8).hex()}")
            client = await clients.add(connection, tenant.id, "worker", "system/*.cruds")
        finally:
            await connection.close()
        return Tenant(tenant.id, tenant.name, client.client_id, client.client_secret)

    return made
