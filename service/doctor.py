"""What `hearth doctor` looks at: whether this installation is in a state to be trusted with data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from service import revision
from service.jobs import queue
from service.settings import Settings, unknown_variables

VERSION: Final = "show server_version_num"
# Off, each of these loses acknowledged writes or tears pages when the machine goes down.
DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")
PARAMETERS: Final = "select name, setting from pg_settings where name = any($1)"
CLOCK: Final = "select clock_timestamp()"
# The change feed stops before the oldest transaction that writes, prepared or not, in any database of the server.
FEED: Final = """
select coalesce(extract(epoch from clock_timestamp() - min(began)), 0)::float from (
  select xact_start as began from pg_stat_activity where backend_xid is not null
  union all select prepared from pg_prepared_xacts) t"""
HAS_JOBS: Final = "select to_regclass('pgqueuer') is not null"
CLOCK_SKEW_MAX: Final = timedelta(seconds=1)
FEED_SECONDS_MAX: Final = 60.0
JOB_LATE_SECONDS_MAX: Final = 300.0
FREE_BYTES_MIN: Final = 1 << 30
CONNECTIONS_SPARE: Final = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `good`, or what was `found` and what would be right."""

    name: str
    good: bool
    found: str
    wanted: str


async def examine(settings: Settings, url: str, environment: dict[str, str]) -> list[Finding]:
    """Everything, in the order a person would look. Raises what asyncpg raises when the database cannot be reached."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return [
            await _version(connection),
            *await _parameters(connection, settings),
            await _schema(connection),
            await _clock(connection),
            await _feed(connection),
            *await _jobs(connection),
            _disk(settings),
            *_secret(settings),
            *_variables(environment),
        ]
    finally:
        await connection.close()


async def _version(connection: asyncpg.Connection[Any]) -> Finding:
    number = int(await connection.fetchval(VERSION))
    return Finding("database version", number >= 180_000, f"{number // 10_000}.{number % 10_000}", "18 or newer")


async def _parameters(connection: asyncpg.Connection[Any], settings: Settings) -> list[Finding]:
    rows = await connection.fetch(PARAMETERS, [*DURABLE, "max_connections", "server_encoding"])
    has = {row["name"]: row["setting"] for row in rows}
    needs = settings.workers * (settings.pool_max + settings.jobs) + CONNECTIONS_SPARE
    return [
        *(Finding(name, has[name] not in ("off", "local"), has[name], "on") for name in DURABLE),
        Finding("max_connections", int(has["max_connections"]) >= needs, has["max_connections"], f"at least {needs}"),
        Finding("server_encoding", has["server_encoding"] == "UTF8", has["server_encoding"], "UTF8"),
    ]


async def _schema(connection: asyncpg.Connection[Any]) -> Finding:
    found, head = await revision.current(connection), revision.head()
    return Finding("migrations", found == head, found or "none", f"{head}; run: hearth migrate")


async def _clock(connection: asyncpg.Connection[Any]) -> Finding:
    before = datetime.now(UTC)
    theirs = await connection.fetchval(CLOCK)
    after = datetime.now(UTC)
    # What the question itself took is no skew.
    skew = max(before - theirs, theirs - after, timedelta())
    return Finding(
        "clock", skew <= CLOCK_SKEW_MAX, f"{skew.total_seconds():.3f} s from the database's", "within 1 s of it"
    )


async def _feed(connection: asyncpg.Connection[Any]) -> Finding:
    age = float(await connection.fetchval(FEED))
    wanted = f"within {FEED_SECONDS_MAX:.0f} s: an open transaction holds back every change after it"
    return Finding("change feed", age <= FEED_SECONDS_MAX, f"{age:.0f} s behind", wanted)


async def _jobs(connection: asyncpg.Connection[Any]) -> list[Finding]:
    if not await connection.fetchval(HAS_JOBS):
        return []
    late, failed = await queue.late(connection), await queue.failed(connection)
    wanted = f"within {JOB_LATE_SECONDS_MAX:.0f} s; is a server or `hearth work` running?"
    given_up = ", ".join(f"{count} {name}" for name, count in failed.items())
    return [
        Finding("jobs", late <= JOB_LATE_SECONDS_MAX, f"{late:.0f} s late", wanted),
        Finding(
            "jobs given up", not failed, given_up or "none", "none; the log says why; then: hearth work --again NAME"
        ),
    ]


def _disk(settings: Settings) -> Finding:
    place = settings.data_dir.absolute()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    wanted = max(FREE_BYTES_MIN, usage.total // 50)
    return Finding("free disk", usage.free >= wanted, f"{usage.free / 1e9:.1f} GB", f"at least {wanted / 1e9:.1f} GB")


def _secret(settings: Settings) -> Iterator[Finding]:
    try:
        settings.secret()
    except OSError as fault:
        yield Finding("secret", False, str(fault), "a private file")
    else:
        yield Finding("secret", True, "private", "a private file")


def _variables(environment: dict[str, str]) -> Iterator[Finding]:
    for name, meant in unknown_variables(environment).items():
        yield Finding(name, False, "is no setting", f"{meant}?" if meant else "one of docs/settings.md")
