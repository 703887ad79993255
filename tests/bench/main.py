"""`make bench`: CPU a request of every workload, on a real server and a real PostgreSQL, seeded through the API.

CPU time is what is compared: it says how many requests a core carries, and says the same on a busy machine where wall
clocks do not. `make bench BENCH="--sizes 1000,100000,1000000 --json bench.json"`; see --help.
"""

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cpu
import load
import report
import uvloop
from place import Floor, Place, first_answer
from report import Result
from sample import Sample
from seed import FULL, Seeder
from stage import Stage
from workloads import TABLE, Row

from schemas import json

STARTS = 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", default="1000,100000", help="how many resources, ascending (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each workload runs (default: %(default)s)")
    parser.add_argument("--requests", type=int, help="how many requests each workload sends at most")
    parser.add_argument("--repeat", type=int, default=1, help="rounds; the median is reported (default: %(default)s)")
    parser.add_argument("--only", default="", help="workloads whose names begin so, separated by commas")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the database in DIR, and use what is there")
    parser.add_argument("--database-url", help="a PostgreSQL 18 on this machine instead of a private one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def chosen(only: str) -> list[Row]:
    """The workloads that are asked for."""
    names = tuple(part.strip() for part in only.split(",") if part.strip())
    found = [row for row in TABLE if row.name.startswith(names or "")]
    if not found and names != (report.FLOOR,):
        raise SystemExit(f"--only {only!r} names none of: {', '.join(row.name for row in TABLE)}")
    return found


async def bench(place: Place, given: argparse.Namespace) -> dict[str, Any]:
    """Seed and measure at every size."""
    await place.prepare()
    sample = Sample(place)
    machine = report.machine(await sample.version())
    say(f"{machine['cpus']} x {machine['cpu']}, load {machine['load'][0]}, Python {machine['python']}, "
        f"PostgreSQL {machine['postgres']}, 1 worker")  # fmt: skip
    seeder = Seeder(place, say)
    seeder.persons = await sample.persons()
    results: list[Result] = []
    disks: dict[str, Any] = {}
    for size in await sizes(sample, given.sizes):
        await place.to_seed()
        await seeder.grow(await sample.count(), size)
        await sample.vacuum()
        count = await sample.count()
        tables, whole = await sample.tables()
        disks[str(size)] = {"resources": count, "bytes": whole, "tables": [asdict(each) for each in tables]}
        await place.to_copy()
        say(f"\n{count:,} resources")
        measured = await at_size(place, sample, size, given)
        results += measured
        say(f"\n{report.table(measured)}\n\n{report.disk(tables, whole, count)}")
    memory = cpu.resident_bytes(place.pid)
    starts = await started(place, sample, 1 if is_quick(given) else STARTS)
    place.stop()
    await place.drop_copy()
    say(f"\n{report.flatness(results)}\n\n{report.process(memory, starts)}")
    return {
        "machine": machine, "seconds": given.seconds, "results": [report.as_dict(each) for each in results],
        "disk": disks, "rss": memory, "starts": starts,
    }  # fmt: skip


async def sizes(sample: Sample, text: str) -> list[int]:
    """The sizes asked for, from what a database that was kept has already."""
    have, asked = await sample.count(), sorted(int(part) for part in text.split(","))
    return [size for size in asked if size >= have * FULL] or [have]


async def at_size(place: Place, sample: Sample, size: int, given: argparse.Namespace) -> list[Result]:
    """The median of each workload's rounds, the floor first."""
    rows = chosen(given.only)
    rounds: list[list[Result]] = []
    for number in range(given.repeat):
        found = [await floor(place, sample, size, given)]
        say(report.line(found[0]))
        for row in rows:
            connection = await load.connect(place.port)
            stage = Stage(
                place, sample, await sample.persons(), connection, given.seconds, random.Random(f"{size} {number}")
            )
            workload = await row.build(stage)
            connection.close()
            meter = cpu.Meter(place.pid, await place.postmaster(), pause(given))
            found.append(await measure(row, size, place.port, workload, meter, given))
            if not is_quick(given):  # else autovacuum does it while some later workload is measured
                await sample.vacuum()
            say(report.line(found[-1]))
        rounds.append(found)
    return [report.median(each) for each in zip(*rounds, strict=True)]


async def floor(place: Place, sample: Sample, size: int, given: argparse.Namespace) -> Result:
    """A bare route with one statement, under the same callers."""
    keys = [reference.partition("/")[2] for reference in await sample.some("Observation")]
    with Floor(place.url) as bare:
        requests = [place.request("GET", f"/floor/{key}") for key in keys]
        await first_answer(bare.port, requests[0], bare.process)

        def script(number: int) -> load.Script:
            rng = random.Random(number)
            while True:
                yield rng.choice(requests)

        meter = cpu.Meter(bare.process.pid, await place.postmaster(), pause(given))
        return await measure(Row(report.FLOOR, None, nothing), size, bare.port, script, meter, given)


async def nothing(_stage: Stage) -> load.Workload:
    raise AssertionError("the floor is asked by a script of its own")


async def measure(
    row: Row, size: int, port: int, workload: load.Workload, meter: cpu.Meter, given: argparse.Namespace
) -> Result:
    """Warm up, wait until all is quiet, run, wait again: what a workload puts off is counted to it."""
    connections = [await load.connect(port) for _ in range(row.callers)]
    callers = load.Callers(connections, workload)
    warm = await callers.run(min(1.0, given.seconds / 2), row.callers * 8)
    meter.settle()
    before = meter.read()
    outcome = await callers.run(given.seconds, given.requests)
    meter.settle()
    after = meter.read()
    for connection in connections:
        connection.close()
    count = max(1, len(outcome.latencies))
    last = outcome.last or warm.last
    return Result(
        workload=row.name,
        size=size,
        callers=row.callers,
        requests=len(outcome.latencies),
        rate=len(outcome.latencies) / outcome.seconds,
        p50=report.percentile(outcome.latencies, 0.5),
        p95=report.percentile(outcome.latencies, 0.95),
        p99=report.percentile(outcome.latencies, 0.99),
        server=(after.server - before.server) * 1000 / count,
        postgres=(after.postgres - before.postgres) * 1000 / count,
        goal=row.goal,
        entries=entries(last),
        bytes=len(last.body) if last else 0,
        errors=outcome.errors + warm.errors,
        first_error=outcome.first_error or warm.first_error,
    )


def is_quick(given: argparse.Namespace) -> bool:
    """Whether this only looks if everything works."""
    return bool(given.seconds < 1)


def pause(given: argparse.Namespace) -> float:
    """How long it has to be quiet around a workload; a quick look has no patience."""
    return float(min(cpu.QUIET_SECONDS, given.seconds / 4))


def entries(answer: load.Answer | None) -> int | None:
    """How many entries a Bundle has, None for anything else."""
    if answer is None or b'"Bundle"' not in answer.body[:64]:
        return None
    return len(answer.json().get("entry", ()))


async def started(place: Place, sample: Sample, times: int) -> list[float]:
    """Seconds from the command to the first resource read, database running, a few times."""
    path = f"/fhir/{(await sample.some('Observation'))[0]}"
    seconds = []
    for _ in range(times):
        place.stop()
        seconds.append(await place.start(path))
    return seconds


def say(text: str) -> None:
    print(text, flush=True)


def run(act: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    async def whole() -> dict[str, Any]:
        return await act()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


def main() -> None:
    given = arguments()
    with Place(given.keep, given.database_url) as place:
        figures = run(lambda: bench(place, given))
    if given.json:
        given.json.write_bytes(json.encode(figures))
    failed: Sequence[str] = [each["workload"] for each in figures["results"] if each["errors"]]
    if failed:
        raise SystemExit(f"errors in: {', '.join(failed)}")


if __name__ == "__main__":
    main()
