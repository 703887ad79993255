"""Where the bench runs: a private PostgreSQL, and on it the real `hearth serve` with one worker, as in production.

Seeding has a database of its own, which grows from size to size. The workloads of each size run on a copy, so that what
they write changes neither the next size nor the next run.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import cpu
import load

from schemas import dates, json
from service.embedded import Cluster
from service.oauth import token
from service.oauth.token import Access

# All else, fsync and synchronous_commit too, as PostgreSQL has it and `hearth serve` sets it. The copies of the database
# go through the WAL: with less of it they would bring checkpoints into the measuring.
POSTGRES = {"shared_buffers": "512MB", "max_wal_size": "16GB"}
COPY = "hearth_bench"
START_SECONDS = 60
FORM = "application/x-www-form-urlencoded"
TENANT = 1
TOKEN_SECONDS = "3600"


class Place:
    """A database, a server on it, and a client's token; `port` and `token` are set once it serves."""

    def __init__(self, directory: Path | None, database_url: str | None) -> None:
        self.own = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="hearth-bench-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)  # PostgreSQL may run under another account and must get in
        self.given_url = database_url
        self.seed_url = self.url = database_url or ""
        self.port = free_port()
        self.token = ""
        self.credentials: dict[str, str] = {}
        self._cluster: Cluster | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if self.given_url is None:
            self._cluster = Cluster(self.directory, POSTGRES)
            self._cluster.start()
            self.seed_url = self._cluster.dsn()
        self.url = self.seed_url
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: Any) -> None:
        self.stop()
        if self._cluster is not None:
            self._cluster.stop()
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._server is not None
        return self._server.pid

    def hearth(self, *arguments: str) -> str:
        """What a command of `hearth` prints."""
        command = [hearth(), *arguments, "--database-url", self.url, "--data-dir", str(self.directory)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    async def prepare(self) -> None:
        """Migrate, make a client, serve, and get a token."""
        self.hearth("migrate")
        made = self.hearth("clients", "add", "--name", "bench", "--scope", "system/*.cruds", "--json")
        self.credentials = json.decode(made.encode())
        self.token = await self.mint(Access(self.credentials["client_id"], "system/*.cruds", _far()))
        await self.start()

    async def mint(self, access: Access) -> str:
        """An access token of the default tenant, past the endpoint: seeding takes longer than one lives."""
        connection = await asyncpg.connect(self.url)
        try:
            return await token.mint(connection, TENANT, access, dates.clock())
        finally:
            await connection.close()

    async def to_copy(self) -> None:
        """Serve a fresh copy of the seeded database."""
        self.stop()
        await self.drop_copy()
        await self._administer(f"create database {COPY} template {urlsplit(self.seed_url).path[1:]}")
        self.url = urlsplit(self.seed_url)._replace(path=f"/{COPY}").geturl()
        await self.start()

    async def to_seed(self) -> None:
        """Serve the seeded database, to grow it."""
        if self.url == self.seed_url:
            return
        self.stop()
        self.url = self.seed_url
        await self.start()

    async def drop_copy(self) -> None:
        """Remove the copy."""
        await self._administer(f"drop database if exists {COPY} with (force)")

    async def _administer(self, sql: str) -> None:
        connection = await asyncpg.connect(urlsplit(self.seed_url)._replace(path="/postgres").geturl())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def start(self, path: str = "/fhir/metadata") -> float:
        """Start the server; the seconds until `path` was answered."""
        started = time.perf_counter()
        # More tokens are asked for in a second than any client needs in a minute.
        environment = os.environ | {"HEARTH_BACKEND_TOKEN_SECONDS": TOKEN_SECONDS, "HEARTH_RATE_TOKEN": "0"}
        with (self.directory / "serve.log").open("ab") as log:
            self._server = subprocess.Popen(
                [hearth(), "serve", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
                 "--database-url", self.url, "--data-dir", str(self.directory)],
                stdout=log, stderr=log, env=environment,
            )  # fmt: skip
        answer = await first_answer(self.port, self.request("GET", path), self._server)
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}: {answer.body.decode(errors='replace')[:500]}")
        return time.perf_counter() - started

    def stop(self) -> None:
        """Stop the server as an operator does."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
            self._server = None

    async def postmaster(self) -> int:
        """The process above any backend."""
        connection = await asyncpg.connect(self.url)
        try:
            backend = await connection.fetchval("select pg_backend_pid()")
            name = Path(f"/proc/{backend}/comm")
            if not name.exists() or not name.read_text().startswith("postgres"):
                raise SystemExit("CPU is read from the process table: the database must run on this machine")
            return cpu.parent(backend)
        finally:
            await connection.close()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}, token: str = ""
    ) -> bytes:
        """The bytes of a request; `path` is whole, with /fhir in front; `token` is another than the place's own."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Accept: application/fhir+json"]
        bearer = token or self.token
        if bearer and "Content-Type" not in headers:
            lines.append(f"Authorization: Bearer {bearer}")
        if method not in ("GET", "HEAD"):
            lines.append(f"Content-Length: {len(body)}")
            if "Content-Type" not in headers:
                lines.append("Content-Type: application/fhir+json")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def token_request(self) -> bytes:
        """A request for an access token, as the client that was made."""
        form = {"grant_type": "client_credentials", **self.credentials}
        body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
        return self.request("POST", "/oauth/token", body, {"Content-Type": FORM})


def _far() -> datetime:
    return dates.clock() + timedelta(days=2)


async def first_answer(port: int, request: bytes, server: subprocess.Popen[bytes]) -> load.Answer:
    """Ask until somebody answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with exit code {server.returncode}")
        try:
            connection = await load.connect(port)
        except OSError:
            time.sleep(0.005)
            continue
        answer = await connection.ask(request)
        connection.close()
        return answer
    raise SystemExit(f"the server did not answer within {START_SECONDS} s")


def hearth() -> str:
    """The console command of this environment."""
    return str(Path(sys.executable).parent / "hearth")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Floor:
    """The bare route under uvicorn, on the same database."""

    def __init__(self, database_url: str) -> None:
        self.port = free_port()
        self._url = database_url
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "uvicorn", "floor:app", "--port", str(self.port), "--loop", "uvloop",
                   "--http", "httptools", "--no-access-log", "--log-level", "warning"]  # fmt: skip
        environment = os.environ | {"HEARTH_DATABASE_URL": self._url}
        self._server = subprocess.Popen(command, env=environment, cwd=Path(__file__).parent)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        assert self._server is not None
        return self._server
