"""No audit record of an answered read is lost: kills, torn files, absent database, full disk."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service import spool as module
from service.audit import AuditRecord, event
from service.errors import Unavailable
from service.spool import Damaged, Spool, adopt, read


class Store:
    """Stands for the database: keeps records by id, and can be away."""

    def __init__(self) -> None:
        self.rows: dict[UUID, AuditRecord] = {}
        self.batches: list[int] = []
        self.away = False

    async def ship(self, records: Sequence[AuditRecord]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionError
        self.batches.append(len(records))
        for record in records:
            self.rows.setdefault(record.id, record)


def record(number: int = 0) -> AuditRecord:
    return event(
        "read",
        tenant_id=1,
        client_id="app",
        address=None,
        recorded=datetime(2026, 3, 1, tzinfo=UTC),
        outcome=0,
        type="Task",
        id=f"t{number}",
        version=1,
        query=None,
        request_id=f"r{number}",
        patient="0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c",
    )


@asynccontextmanager
async def running(directory: Path, store: Store, **options: Any) -> AsyncIterator[Spool]:
    spool = Spool(directory, store.ship, **options)
    await spool.start()
    try:
        yield spool
    finally:
        await spool.stop()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def fill(spool: Spool) -> int:
    """Appends until the spool refuses; returns how many it took."""
    for number in range(1000):
        try:
            spool.append(record(number))
        except Unavailable:
            return number
    raise AssertionError


async def test_ships_what_was_appended_within_the_interval(tmp_path: Path) -> None:
    store = Store()
    async with running(tmp_path, store, interval=0.02) as spool:
        kept = record()
        spool.append(kept)
        await until(lambda: store.rows)
        assert store.rows == {kept.id: kept}
        assert spool.waiting_bytes == 0


async def test_ships_a_full_batch_at_once_and_large_files_in_batches(tmp_path: Path) -> None:
    store = Store()
    async with running(tmp_path, store, interval=60) as spool:
        for number in range(1200):
            spool.append(record(number))
        await until(lambda: len(store.rows) == 1200)
    assert store.batches == [500, 500, 200]


async def test_ships_the_rest_and_leaves_no_file_when_it_stops(tmp_path: Path) -> None:
    store = Store()
    async with running(tmp_path, store, interval=60) as spool:
        spool.append(record())
    assert len(store.rows) == 1
    assert list(tmp_path.iterdir()) == []


async def test_a_record_is_on_disk_before_append_returns(tmp_path: Path) -> None:
    async with running(tmp_path, Store(), interval=60) as spool:
        kept = record()
        spool.append(kept)
        (file,) = tmp_path.glob("*.spool")
        assert list(read(file.read_bytes())) == [kept]


async def test_others_cannot_read_the_files(tmp_path: Path) -> None:
    async with running(tmp_path / "spool", Store(), interval=60):
        assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
        assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "spool").iterdir())


def killed_child(directory: Path, rows: int) -> None:
    """A worker that appends `rows` records, replies, and is killed with -9 before it ships."""
    program = textwrap.dedent(
        """
        import asyncio, sys, time
        from datetime import UTC, datetime
        from pathlib import Path
        from service.audit import event
        from service.spool import Spool

        async def ship(records):
            await asyncio.sleep(3600)

        async def main():
            spool = Spool(Path(sys.argv[1]), ship, interval=60)
            await spool.start()
            await asyncio.sleep(0.05)  # its first look for something to ship is over
            for number in range(int(sys.argv[2])):
                spool.append(event(
                    "read", tenant_id=1, client_id="app", address=None, recorded=datetime(2026, 3, 1, tzinfo=UTC),
                    outcome=0, type="Task", id=f"t{number}", version=1, query=None, request_id="r", patient=None))
            print("replied", flush=True)
            await asyncio.sleep(3600)

        asyncio.run(main())
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, str(directory), str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"replied\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL


async def test_a_killed_worker_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    await asyncio.to_thread(killed_child, tmp_path, 700)
    store = Store()
    async with running(tmp_path, store):
        await until(lambda: len(store.rows) == 700)
    assert {row.entity for row in store.rows.values()} == {("Task", f"t{number}") for number in range(700)}
    assert list(tmp_path.iterdir()) == []


async def test_a_torn_last_record_is_left_out_and_the_ones_before_it_are_kept(tmp_path: Path) -> None:
    await asyncio.to_thread(killed_child, tmp_path, 3)
    (file,) = tmp_path.glob("*.spool")
    whole = file.read_bytes()
    size = len(whole) // 3
    for cut in (1, 7, 8, size // 2, size - 1):
        assert len(list(read(whole[: len(whole) - cut]))) == 2
    file.write_bytes(whole[:-5])
    store = Store()
    assert await adopt(tmp_path, store.ship) == 1
    assert sorted(row.entity or ("", "") for row in store.rows.values()) == [("Task", "t0"), ("Task", "t1")]


async def test_a_damaged_file_is_put_aside_and_its_sound_records_are_kept(tmp_path: Path) -> None:
    await asyncio.to_thread(killed_child, tmp_path, 3)
    (file,) = tmp_path.glob("*.spool")
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    file.write_bytes(whole)
    with pytest.raises(Damaged):
        list(read(bytes(whole)))
    store = Store()
    await adopt(tmp_path, store.ship)
    assert len(store.rows) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".damaged"]


async def test_living_workers_leave_each_others_files_alone(tmp_path: Path) -> None:
    first_store, second_store = Store(), Store()
    async with (
        running(tmp_path, first_store, interval=60) as first,
        running(tmp_path, second_store, interval=60) as second,
    ):
        first.append(record(1))
        second.append(record(2))
        assert await adopt(tmp_path, second_store.ship) == 0
        assert second_store.rows == {}
    assert [row.entity for row in first_store.rows.values()] == [("Task", "t1")]
    assert [row.entity for row in second_store.rows.values()] == [("Task", "t2")]


async def test_what_a_stopped_worker_could_not_ship_is_adopted(tmp_path: Path) -> None:
    away, present = Store(), Store()
    away.away = True
    async with running(tmp_path, away, interval=0.01) as spool:
        for number in range(10):
            spool.append(record(number))
            await asyncio.sleep(0.005)
    assert away.rows == {}
    async with running(tmp_path, present):
        await until(lambda: len(present.rows) == 10)
    assert list(tmp_path.iterdir()) == []


async def test_shipping_twice_after_a_lost_answer_makes_no_second_row(tmp_path: Path) -> None:
    store = Store()

    async def lost_answer(records: Sequence[AuditRecord]) -> None:
        await Store.ship(store, records)
        if len(store.batches) == 1:
            raise ConnectionError

    spool = Spool(tmp_path, lost_answer, interval=0.01)
    await spool.start()
    await until(spool.healthy)
    spool.append(record())
    await until(lambda: len(store.batches) == 2)
    await spool.stop()
    assert len(store.rows) == 1


async def test_refuses_beyond_its_limit_and_recovers_when_the_database_is_back(tmp_path: Path) -> None:
    store = Store()
    store.away = True
    async with running(tmp_path, store, limit_bytes=20_000, interval=0.01) as spool:
        kept = fill(spool)
        with pytest.raises(Unavailable) as caught:
            spool.append(record(1000))
        assert caught.value.retry_after == 5
        assert 5 < kept < 20
        await asyncio.sleep(0.05)
        store.away = False
        await until(lambda: len(store.rows) == kept)
        await until(spool.healthy)
        spool.append(record(1000))
    assert len(store.rows) == kept + 1


async def test_a_full_disk_refuses_the_read_and_spoils_no_other_record(tmp_path: Path) -> None:
    store = Store()
    async with running(tmp_path, store, interval=60) as spool:
        spool.append(record(1))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.waiting_bytes + 100, limits[1]))
        try:
            with pytest.raises(Unavailable):
                spool.append(record(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert not spool.healthy()
        await until(spool.healthy)
        spool.append(record(3))
    assert sorted(row.entity or ("", "") for row in store.rows.values()) == [("Task", "t1"), ("Task", "t3")]


async def test_a_stopped_spool_takes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, Store()) as spool:
        pass
    with pytest.raises(Unavailable):
        spool.append(record())


async def test_two_adopters_ship_a_dead_workers_file_once(tmp_path: Path) -> None:
    await asyncio.to_thread(killed_child, tmp_path, 5)
    store = Store()
    counts = await asyncio.gather(adopt(tmp_path, store.ship), adopt(tmp_path, store.ship))
    assert sorted(counts) == [0, 1]
    assert store.batches == [5]
    assert list(tmp_path.iterdir()) == []


def test_the_record_survives_the_way_through_the_file() -> None:
    kept = record()
    payload = module._encode(kept)
    assert module._decode(payload) == kept
