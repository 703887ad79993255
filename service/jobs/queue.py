"""Jobs as rows: enqueued in the transaction that causes them, so that they exist exactly if their cause does.

The rows are PgQueuer's (https://pgqueuer.readthedocs.io); the statement is ours, so that who enqueues need not load it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas import json
from service.database import Connection

ENQUEUE: Final = """
insert into pgqueuer (priority, entrypoint, payload, execute_after, dedupe_key, status)
select 0, t.name, t.payload, coalesce(t.run_at, now()), t.key, 'queued'
  from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[]) t(name, payload, run_at, key)
    on conflict (dedupe_key) where status in ('queued', 'picked') and dedupe_key is not null do nothing"""
FAILED: Final = (
    "select entrypoint, count(*) from pgqueuer where status = 'failed' group by entrypoint order by entrypoint"
)
LATE: Final = """
select coalesce(extract(epoch from now() - min(execute_after)), 0)::float from pgqueuer where status = 'queued'"""
AGAIN: Final = """
update pgqueuer set status = 'queued', attempts = 0, execute_after = now(), updated = now()
 where id in (select max(id) from pgqueuer where status = 'failed' and entrypoint = $1
               group by coalesce(dedupe_key, id::text))
   and not exists (select from pgqueuer q where q.dedupe_key = pgqueuer.dedupe_key and q.status in ('queued', 'picked'))"""
_FORGET_LOG: Final = "delete from pgqueuer_log where created < $1"
_FORGET_FAILED: Final = "delete from pgqueuer where status = 'failed' and updated < $1"
_LOG_KEPT: Final = timedelta(days=7)
_FAILED_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do: a name of `jobs.table.JOBS` and its arguments, which are ids and no data about persons.

    `payload` has the id of the tenant as `tenant`. Of jobs with one name, tenant and `key` only one waits or runs at a time.
    """

    name: str
    payload: Mapping[str, Any]
    run_at: datetime | None = None
    key: str | None = None

    @property
    def dedupe_key(self) -> str | None:
        """The key among those of all names and tenants."""
        return None if self.key is None else f"{self.name}/{self.payload.get('tenant', '')}/{self.key}"


async def enqueue(
    connection: Connection,
    name: str,
    payload: Mapping[str, Any],
    *,
    run_at: datetime | None = None,
    key: str | None = None,
) -> None:
    """Have `name` done, as soon as the caller's transaction commits or at `run_at`; nothing when `key` waits already."""
    await enqueue_all(connection, [Job(name, payload, run_at, key)])


async def enqueue_all(connection: Connection, jobs: Sequence[Job]) -> None:
    """Have many things done, in one statement; none for no jobs."""
    if jobs:
        await connection.execute(
            ENQUEUE,
            [job.name for job in jobs],
            [json.encode(dict(job.payload)) for job in jobs],
            [job.run_at for job in jobs],
            [job.dedupe_key for job in jobs],
        )


async def failed(connection: Connection) -> dict[str, int]:
    """How many jobs of each name were given up and wait for a person."""
    return {row["entrypoint"]: row["count"] for row in await connection.fetch(FAILED)}


async def late(connection: Connection) -> float:
    """For how many seconds the job that is due the longest has waited; 0 when none is due."""
    return max(0.0, float(await connection.fetchval(LATE)))


async def again(connection: Connection, name: str) -> None:
    """Try the given-up jobs of a name once more."""
    await connection.execute(AGAIN, name)


async def purge(connection: Connection, now: datetime) -> None:
    """Forget the log of a week ago, and what was given up and that nobody looked at for long."""
    await connection.execute(_FORGET_LOG, now - _LOG_KEPT)
    await connection.execute(_FORGET_FAILED, now - _FAILED_KEPT)
