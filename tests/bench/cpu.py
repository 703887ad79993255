"""CPU time of process trees, from the process table: a wall clock says little on a small, shared machine.

https://www.kernel.org/doc/html/latest/filesystems/proc.html, section 1.1, and clock_getcpuclockid(3)
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TICK = 1 / os.sysconf("SC_CLK_TCK")
QUIET_SECONDS = 0.25
"""Longer than audit records of reads wait until they are shipped."""
QUIET_CPU = 0.003
QUIET_MOST_SECONDS = 20.0


class Reading(NamedTuple):
    """Seconds of CPU that the server and PostgreSQL have used since they began."""

    server: float
    postgres: float


class Meter:
    """Reads two trees: `hearth serve` with its workers, and the postmaster with every child, dead ones too."""

    def __init__(self, server: int, postmaster: int, pause: float = QUIET_SECONDS) -> None:
        self.server = server
        self.postmaster = postmaster
        self._pause = pause

    def read(self) -> Reading:
        """What both have used until now; autovacuum, checkpoints and the WAL writer count as PostgreSQL."""
        parents = _parents()
        return Reading(_tree(self.server, parents), _tree(self.postmaster, parents))

    def settle(self) -> None:
        """Wait until what was put off (audit of reads, statistics) is done, so that each workload pays for its own."""
        deadline = time.monotonic() + QUIET_MOST_SECONDS
        before = self.read()
        while time.monotonic() < deadline:
            time.sleep(self._pause)
            now = self.read()
            if sum(now) - sum(before) < QUIET_CPU:
                return
            before = now


def resident_bytes(pid: int) -> int:
    """The memory that a process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def parent(pid: int) -> int:
    """The process that started `pid`."""
    return int(_fields(pid)[1])


def _tree(root: int, parents: dict[int, int]) -> float:
    total = 0.0
    for pid in _family(root, parents):
        try:
            # The clock knows nanoseconds and threads that ended; children that ended are in the parent's stat, in ticks.
            fields = _fields(pid)
            total += time.clock_gettime(~pid << 3 | 2) + (int(fields[13]) + int(fields[14])) * TICK
        except OSError:
            continue  # it ended meanwhile; its parent has its time
    return total


def _family(root: int, parents: dict[int, int]) -> Iterator[int]:
    yield root
    for pid, above in parents.items():
        if above == root:
            yield from _family(pid, parents)


def _parents() -> dict[int, int]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found[int(name)] = parent(int(name))
            except OSError:
                continue
    return found


def _fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third on: behind the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
