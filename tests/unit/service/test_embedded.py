"""The embedded PostgreSQL: made once, shared by processes, stopped by the last, started again after any crash."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from service import embedded_place
from service.embedded import Cluster, ClusterError
from service.embedded_place import Account, account, place, reaches, socket_directory

FAST = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "10"}
ATTACHING = """
import sys
from pathlib import Path
from service.embedded import Cluster
with Cluster(Path(sys.argv[1]), {"fsync": "off", "shared_buffers": "16MB", "max_connections": "10"}) as cluster:
    print(cluster.dsn(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Not tmp_path: its parents are private to root, which is a case of its own below.
    path = Path(tempfile.mkdtemp(prefix="hearth-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


def postmaster(data_dir: Path) -> Path:
    return data_dir / "postgres" / "data" / "postmaster.pid"


def attach(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ATTACHING, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def kill(data_dir: Path) -> None:
    """Kill the postmaster as the kernel would, leaving its pid file."""
    pid = int(postmaster(data_dir).read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.01)


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_makes_a_utf8_database_and_keeps_it_over_a_restart(data_dir: Path) -> None:
    with Cluster(data_dir, FAST) as cluster:
        assert await ask(cluster.dsn(), "select lower('ÄÉ')") == "äé"
        assert await ask(cluster.dsn(), "select current_setting('server_version_num')::int / 10000") == 18
        await ask(cluster.dsn(), "create table kept as select 7 as number")
    started = time.monotonic()
    with Cluster(data_dir, FAST) as cluster:
        assert time.monotonic() - started < 1
        assert await ask(cluster.dsn(), "select number from kept") == 7
    assert not postmaster(data_dir).exists()


async def test_listens_on_a_private_socket_only(data_dir: Path) -> None:
    with Cluster(data_dir, FAST) as cluster:
        assert await ask(cluster.dsn(), "select current_setting('listen_addresses')") == ""
        directory = Path(str(await ask(cluster.dsn(), "select current_setting('unix_socket_directories')")))
        assert directory.stat().st_mode & 0o077 == 0


async def test_the_last_process_to_leave_stops_the_server(data_dir: Path) -> None:
    other = attach(data_dir)
    assert other.stdout is not None
    dsn = other.stdout.readline().strip()
    with Cluster(data_dir, FAST) as cluster:
        assert cluster.dsn() == dsn
        other.communicate()
        assert await ask(dsn, "select 1") == 1
    assert not postmaster(data_dir).exists()


def test_leaves_the_server_to_a_process_that_is_still_attached(data_dir: Path) -> None:
    with Cluster(data_dir, FAST):
        other = attach(data_dir)
        assert other.stdout is not None
        other.stdout.readline()
    assert postmaster(data_dir).exists()
    other.communicate()
    assert not postmaster(data_dir).exists()


def test_processes_that_come_at_once_share_one_server(data_dir: Path) -> None:
    processes = [attach(data_dir) for _ in range(3)]
    addresses = {process.stdout.readline() for process in processes if process.stdout is not None}
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert len(addresses) == 1
    assert not postmaster(data_dir).exists()


def test_starting_twice_and_stopping_twice_is_harmless(data_dir: Path) -> None:
    cluster = Cluster(data_dir, FAST)
    cluster.start()
    cluster.start()
    cluster.stop()
    cluster.stop()
    assert not postmaster(data_dir).exists()


async def test_starts_after_the_server_was_killed(data_dir: Path) -> None:
    first = Cluster(data_dir, FAST)
    first.start()
    await ask(first.dsn(), "create table kept as select 7 as number")
    kill(data_dir)
    with Cluster(data_dir, FAST) as cluster:
        assert await ask(cluster.dsn(), "select number from kept") == 7
        first.stop()
        assert await ask(cluster.dsn(), "select 1") == 1


async def test_starts_after_another_program_took_the_killed_server_s_process_id(data_dir: Path) -> None:
    first = Cluster(data_dir, FAST)
    first.start()
    kill(data_dir)
    with subprocess.Popen(["sleep", "60"]) as other:
        lines = postmaster(data_dir).read_text().splitlines()
        postmaster(data_dir).write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        with Cluster(data_dir, FAST) as cluster:
            assert await ask(cluster.dsn(), "select 1") == 1
            first.stop()
        other.kill()


def test_makes_the_cluster_anew_after_a_killed_initdb(data_dir: Path) -> None:
    half = data_dir / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with Cluster(data_dir, FAST):
        assert not half.exists()


def test_says_why_a_server_does_not_start(data_dir: Path) -> None:
    with pytest.raises(ClusterError, match="shared_buffers"):
        Cluster(data_dir, {**FAST, "shared_buffers": "nonsense"}).start()


def test_refuses_a_cluster_of_another_major_version(data_dir: Path) -> None:
    with Cluster(data_dir, FAST):
        pass
    (data_dir / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ClusterError, match="made by PostgreSQL 17"):
        Cluster(data_dir, FAST).start()


def test_puts_the_socket_into_a_short_directory_when_the_data_directory_s_path_is_long(data_dir: Path) -> None:
    deep = data_dir / ("d" * 60) / ("e" * 60)
    with Cluster(deep, FAST) as cluster:
        assert str(deep) not in cluster.dsn()
        directory = Path(cluster.dsn().partition("host=")[2])
        assert directory.stat().st_mode & 0o077 == 0
    shutil.rmtree(directory)


def test_refuses_a_socket_directory_that_somebody_else_made(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(data_dir))
    home = data_dir / ("d" * 120)
    directory = socket_directory(home)
    directory.rmdir()
    directory.symlink_to("/tmp")
    with pytest.raises(ClusterError, match="not a private directory"):
        socket_directory(home)


def test_an_account_reaches_only_through_directories_it_may_traverse(tmp_path: Path) -> None:
    inner = tmp_path / "open"
    inner.mkdir(mode=0o755)
    owner = tmp_path.stat()
    tmp_path.chmod(0o710)
    assert reaches(Account(owner.st_uid, owner.st_gid + 1), inner)
    assert not reaches(Account(owner.st_uid + 4711, owner.st_gid + 4711), inner)


def test_places_the_cluster_elsewhere_when_its_account_cannot_reach_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = data_dir / "private"
    private.mkdir(mode=0o700)
    nobody = Account(os.geteuid() + 4711, os.getegid() + 4711)
    monkeypatch.setattr(embedded_place, "account", lambda home: nobody)
    monkeypatch.setattr(embedded_place, "ELSEWHERE", data_dir / "elsewhere")
    placed = place(private)
    assert placed.parent == data_dir / "elsewhere"
    assert place(private) == placed
    assert (private / "postgres").is_symlink()
    (private / "postgres").unlink()
    assert place(private) != placed


async def test_copies_the_programs_when_the_account_cannot_use_the_installed_ones(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_place.Programs, "_usable", lambda self, who, package: False)
    with Cluster(data_dir, FAST) as cluster:
        assert await ask(cluster.dsn(), "select 1") == 1
        copied = [path.name for path in (data_dir / "postgres").glob("programs-*")]
        assert bool(copied) == (account(data_dir) is not None)
