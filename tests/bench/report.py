"""What was measured, as tables for people and as JSON."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sample import Table

MIB = 1 << 20
RSS_GOAL_MIB = 150
START_GOAL_SECONDS = 2.0
FLOOR = "floor"
HEADS = ("workload", "callers", "requests", "req/s", "p50 ms", "p95 ms", "p99 ms", "server", "postgres", "CPU-ms", "goal",
         "met", "entries", "bytes", "errors")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """One workload at one size. CPU in milliseconds a request; `entries` and `bytes` are of one answer."""

    workload: str
    size: int
    callers: int
    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    server: float
    postgres: float
    goal: float | None
    entries: int | None
    bytes: int
    errors: int
    first_error: str

    @property
    def cpu(self) -> float:
        """Server and PostgreSQL."""
        return self.server + self.postgres

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached, None without one."""
        return None if self.goal is None else self.cpu <= self.goal and not self.errors


def percentile(latencies: Sequence[float], share: float) -> float:
    """Milliseconds that `share` of the requests took at most."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


def median(results: Sequence[Result]) -> Result:
    """The run in the middle by CPU; every error of every run counts."""
    middle = sorted(results, key=lambda each: each.cpu)[(len(results) - 1) // 2]
    failed = next((each.first_error for each in results if each.first_error), "")
    values = asdict(middle) | {"errors": sum(each.errors for each in results), "first_error": failed}
    return Result(**values)


def table(results: Sequence[Result]) -> str:
    """One size's workloads."""
    return _aligned([HEADS, *(_row(each) for each in results)])


def line(result: Result) -> str:
    """One workload's figures while others are still to come."""
    goal = "" if result.goal is None else f" of {result.goal:g}"
    failed = f", {result.errors} ERRORS: {result.first_error[:300]}" if result.errors else ""
    return (
        f"  {result.workload:24} {result.rate:7.0f} req/s  {result.server:.3f} + {result.postgres:.3f}"
        f" = {result.cpu:.3f} CPU-ms{goal}{failed}"
    )


def _row(result: Result) -> tuple[str, ...]:
    goal = "" if result.goal is None else f"{result.goal:g}"
    met = {True: "yes", False: "NO", None: ""}[result.met]
    entries = "" if result.entries is None else str(result.entries)
    return (
        result.workload, str(result.callers), str(result.requests), f"{result.rate:.0f}", f"{result.p50:.1f}",
        f"{result.p95:.1f}", f"{result.p99:.1f}", f"{result.server:.3f}", f"{result.postgres:.3f}",
        f"{result.cpu:.3f}", goal, met, entries, str(result.bytes), str(result.errors),
    )  # fmt: skip


def flatness(results: Sequence[Result]) -> str:
    """CPU-ms a request at each size, and the growth from the smallest to the largest."""
    sizes = sorted({each.size for each in results})
    rows = [("CPU-ms a request at", *(f"{size:,}" for size in sizes), "growth")]
    for name in dict.fromkeys(each.workload for each in results):
        by_size = {each.size: each.cpu for each in results if each.workload == name}
        cells = [f"{by_size[size]:.3f}" if size in by_size else "" for size in sizes]
        growth = f"x {by_size[sizes[-1]] / by_size[sizes[0]]:.2f}" if len(by_size) > 1 else ""
        rows.append((name, *cells, growth))
    return _aligned(rows)


def disk(tables: Sequence[Table], whole: int, resources: int) -> str:
    """Bytes on disk a row, table by table."""
    rows = [("table", "rows", "MiB", "heap bytes a row", "index bytes a row")]
    for each in tables:
        if each.rows:
            size = f"{(each.heap + each.indexes) / MIB:.1f}"
            rows.append(
                (each.name, f"{each.rows:,}", size, f"{each.heap / each.rows:.0f}", f"{each.indexes / each.rows:.0f}")
            )
    total = f"The whole database: {whole / MIB:,.0f} MiB, {whole / max(1, resources):,.0f} bytes a resource"
    return f"{_aligned(rows)}\n{total}, its audit events and index rows included."


def process(rss: int, starts: Sequence[float]) -> str:
    """The worker's memory and its start."""
    memory, start = rss / MIB, statistics.median(starts)
    return (
        f"Worker memory after the run: {memory:.0f} MiB (goal {RSS_GOAL_MIB}: {_verdict(memory < RSS_GOAL_MIB)})\n"
        f"Start to first answer on a running database: {start:.2f} s"
        f" (goal {START_GOAL_SECONDS:g}: {_verdict(start < START_GOAL_SECONDS)})"
    )


def machine(postgres: str) -> dict[str, Any]:
    """What the figures depend on."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
        "cpus": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "python": platform.python_version(),
        "postgres": postgres,
    }


def as_dict(result: Result) -> dict[str, Any]:
    """For JSON."""
    return asdict(result) | {"cpu": result.cpu, "met": result.met}


def _verdict(good: bool) -> str:
    return "met" if good else "MISSED"


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *rest = (cell.ljust(width) if not at else cell.rjust(width)
                        for at, (cell, width) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        lines.append("  ".join((first, *rest)).rstrip())
    return "\n".join(lines)
