"""Audit records of reads on local disk until they are in the database (docs/decisions/0003-audit-of-reads.md).

Each worker appends to a file of its own before it replies and ships what it has in batches. What a killed worker left
is adopted by the next one that looks. `<worker>.lock` is locked for as long as the worker lives (flock; the kernel
releases it at any death), `<worker>.<number>.spool` holds frames: length and CRC-32 of the payload (two little-endian
32-bit numbers), then the record in MessagePack.
"""

import asyncio
import fcntl
import os
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from service.audit import AuditRecord
from service.errors import Unavailable

Ship = Callable[[Sequence[AuditRecord]], Awaitable[None]]
"""Stores the records in one transaction, leaving out those whose id is there already."""

BATCH_ROWS: Final = 500
INTERVAL_SECONDS: Final = 0.2
ADOPT_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 5.0
SEGMENT_BYTES: Final = 8 << 20
LIMIT_BYTES: Final = 256 << 20

_HEADER: Final = struct.Struct("<II")
_encode: Final = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode: Final = msgspec.msgpack.Decoder(AuditRecord).decode
_log: Final = structlog.get_logger()


class Damaged(Exception):
    """A spool file holds bytes that no worker wrote."""


def read(raw: bytes) -> Iterator[AuditRecord]:
    """The records in a spool file. A frame cut short at the end was never acknowledged and is left out."""
    view, at = memoryview(raw), 0
    while at + _HEADER.size <= len(view):
        length, checksum = _HEADER.unpack_from(view, at)
        at += _HEADER.size
        payload = view[at : at + length]
        if len(payload) < length:
            return
        if zlib.crc32(payload) != checksum:
            raise Damaged
        try:
            yield _decode(payload)
        except msgspec.DecodeError:
            raise Damaged from None
        at += length


class Spool:
    """One worker's audit spool in `directory`; all methods belong to one event loop."""

    def __init__(
        self, directory: Path, ship: Ship, *, limit_bytes: int = LIMIT_BYTES, interval: float = INTERVAL_SECONDS
    ) -> None:
        self._directory = directory
        self._ship = ship
        self._limit = limit_bytes
        self._interval = interval
        self._worker = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._number = 0
        self._lock = self._file = -1
        self._written = self._rows = self._sealed_bytes = 0
        self._sealed: list[tuple[Path, int]] = []
        self._some, self._full = asyncio.Event(), asyncio.Event()
        self._shipping = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much this worker has not shipped yet."""
        return self._written + self._sealed_bytes

    def healthy(self) -> bool:
        """Whether a read may be answered: its record can be kept."""
        return self._file >= 0 and self.waiting_bytes < self._limit

    def append(self, record: AuditRecord) -> None:
        """Keeps `record`; call it before the reply is sent. Raises Unavailable when it cannot be kept."""
        payload = _encode(record)
        frame = _HEADER.pack(len(payload), zlib.crc32(payload)) + payload
        if self._file < 0 or self.waiting_bytes + len(frame) > self._limit:
            raise _unavailable()
        try:
            if os.write(self._file, frame) != len(frame):
                raise OSError
        except OSError:
            # Whatever part was written may only be the end of a file, where readers leave it out.
            self._seal()
            self._some.set()
            self._full.set()
            raise _unavailable() from None
        self._written += len(frame)
        self._rows += 1
        self._some.set()
        if self._rows >= BATCH_ROWS:
            self._full.set()

    async def start(self) -> None:
        """Opens this worker's file and begins to ship, first of all what dead workers left."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _own_lock(self._directory, self._worker)
        self._open()
        self._task = asyncio.create_task(self._run(), name="audit-spool")

    async def stop(self, seconds: float = 5.0) -> None:
        """Ships the rest; what cannot be shipped within `seconds` stays on disk for the next worker."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        if self._file >= 0:
            self._seal()
        with suppress(Exception):
            async with asyncio.timeout(seconds):
                await self._ship_sealed()
        if not self._sealed:
            _lock_path(self._directory, self._worker).unlink(missing_ok=True)
        os.close(self._lock)

    async def flush(self) -> None:
        """Ships all that was appended until now. Raises what `ship` raises."""
        async with self._shipping:
            # While the database is away the open file grows, instead of one file a fifth of a second.
            if self._written and (not self._sealed or self._written >= SEGMENT_BYTES):
                self._seal()
            if self._file < 0:
                self._open()
            await self._ship_sealed()

    async def _run(self) -> None:
        adopt_at, pause = 0.0, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if clock() >= adopt_at:
                    adopt_at = clock() + ADOPT_SECONDS
                    await adopt(self._directory, self._ship)
                await self.flush()
                pause = 0.0
            except Exception as fault:  # the task must outlive every fault of disk and database
                pause = min(RETRY_SECONDS, pause * 2 + self._interval)
                # What dead workers left is tried again soon, but never in the way of what this one has to ship.
                adopt_at = min(adopt_at, clock() + RETRY_SECONDS)
                _log.warning("audit-spool-waits", fault=type(fault).__name__, bytes=self.waiting_bytes)
            if pause:
                await asyncio.sleep(pause)
            else:
                await _either(self._some, adopt_at - clock())
                await _either(self._full, self._interval)

    def _open(self) -> None:
        self._number += 1
        path = self._directory / f"{self._worker}.{self._number}.spool"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._written = self._rows = 0
        self._some.clear()
        self._full.clear()

    def _seal(self) -> None:
        os.close(self._file)
        self._file = -1
        self._sealed.append((self._directory / f"{self._worker}.{self._number}.spool", self._written))
        self._sealed_bytes += self._written
        self._written = 0

    async def _ship_sealed(self) -> None:
        while self._sealed:
            path, length = self._sealed[0]
            await _ship_file(path, self._ship)
            del self._sealed[0]
            self._sealed_bytes -= length


async def adopt(directory: Path, ship: Ship) -> int:
    """Ships the files of dead workers in `directory`; returns how many files there were."""
    adopted = 0
    for worker in _workers(directory):
        lock = os.open(_lock_path(directory, worker), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked(lock):
                continue  # it lives
            # Listed under the lock: another adopter may have shipped and removed them a moment ago.
            for path in _files(directory, worker):
                await _ship_file(path, ship)
                adopted += 1
            _lock_path(directory, worker).unlink(missing_ok=True)
        finally:
            os.close(lock)
    return adopted


async def _ship_file(path: Path, ship: Ship) -> None:
    batch: list[AuditRecord] = []
    damaged = False
    try:
        for record in read(_bytes(path)):
            batch.append(record)
            if len(batch) == BATCH_ROWS:
                await ship(batch)
                batch = []
    except Damaged:
        damaged = True
    if batch:
        await ship(batch)
    _dismiss(path, damaged)


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _dismiss(path: Path, damaged: bool) -> None:
    """Removes a shipped file; one with bytes that cannot be read is put aside for the operator."""
    if damaged:
        _log.error("audit-spool-damaged", file=path.name)
        path.rename(path.with_suffix(".damaged"))
    else:
        path.unlink()


def _workers(directory: Path) -> list[str]:
    """All workers that have a file here, dead or alive."""
    names = (path.name for path in directory.iterdir() if path.suffix in (".lock", ".spool"))
    return sorted({name.split(".")[0] for name in names} - {""})


def _files(directory: Path, worker: str) -> list[Path]:
    return sorted(directory.glob(f"{worker}.*.spool"))


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _own_lock(directory: Path, worker: str) -> int:
    """The locked lock file of a new worker: it takes its name only once it is locked, so nobody adopts it before."""
    unnamed = directory / f".{worker}"
    lock = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    unnamed.rename(_lock_path(directory, worker))
    return lock


def _lock_path(directory: Path, worker: str) -> Path:
    return directory / f"{worker}.lock"


def _unavailable() -> Unavailable:
    return Unavailable("The audit trail cannot be written just now, so nothing is read; try again later", retry_after=5)


async def _either(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
