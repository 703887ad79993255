"""Connections to PostgreSQL: a stack of them, a share of it per tenant, and their faults as HearthErrors.

Sessions carry no state, so nothing has to be reset between two users of a connection, and the newest one back is the next
one out: half the cost of asyncpg's pool, whose reset query and waiting tasks cost more than a read (decision 0002).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, TypeAlias

import asyncpg

from service.errors import HearthError, TooManyRequests, Unavailable

Connection: TypeAlias = "asyncpg.Connection[Any]"
"""What statements run on; never more than one statement at a time."""

_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's state when a server that stops ends the session under a statement
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientResourcesError,  # disk, memory, connections
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until it takes over
    OSError,
    TimeoutError,
)
_SLOW: Final = (
    asyncpg.QueryCanceledError,
    asyncpg.TransactionTimeoutError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_BUSY: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
# Every statement of the store has one right plan, so none is planned twice.
_SESSION: Final = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "application_name": "hearth",
    "timezone": "UTC",
}
_TRANSACTION_TIMEOUT_MS: Final = 60_000


def explain(fault: BaseException) -> HearthError | None:
    """The HearthError that a driver's exception means, or None when it is a defect of ours."""
    if isinstance(fault, _SLOW):
        return Unavailable("The database took too long over this; ask for less, or try again", retry_after=2)
    if isinstance(fault, _BUSY):
        return Unavailable("Another request held the same data; try again", retry_after=1)
    if isinstance(fault, _AWAY):
        return Unavailable("The database cannot be reached right now; try again shortly", retry_after=2)
    return None


@contextmanager
def explained() -> Iterator[None]:
    """What the driver raises inside leaves as the HearthError that it means, where it is no defect."""
    try:
        yield
    except Exception as fault:
        told = explain(fault)
        if told is None:
            raise
        raise told from fault


class Database:
    """At most `size` connections, of which one tenant holds `share`; who waits longer than `wait` seconds is told."""

    def __init__(
        self, dsn: str, *, size: int, share: int, statement_timeout_ms: int = 10_000, wait: float = 5.0
    ) -> None:
        self.dsn = dsn
        self._wait = wait
        self._size = size
        self._idle: list[Connection] = []
        self._open = 0
        self._turn = asyncio.Semaphore(size)
        self._shares: dict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(share))
        self._session = _SESSION | {
            "statement_timeout": str(statement_timeout_ms),
            "idle_in_transaction_session_timeout": str(_TRANSACTION_TIMEOUT_MS // 2),
            "transaction_timeout": str(_TRANSACTION_TIMEOUT_MS),
        }
        self._patience = statement_timeout_ms / 1000 + 5

    async def close(self) -> None:
        """Close the connections that nobody holds."""
        while self._idle:
            await self._idle.pop().close(timeout=2)

    def usage(self) -> tuple[int, int, int]:
        """(open, idle, allowed) connections of this worker."""
        return self._open, len(self._idle), self._size

    def connection(self, tenant_id: int) -> "Turn":
        """A connection within the tenant's share, for one `async with`. Raises TooManyRequests or Unavailable."""
        return Turn(self, self._shares[tenant_id])

    async def take(self, share: asyncio.Semaphore) -> Connection:
        """A connection, once the tenant and the pool have one to spare."""
        if share.locked():
            await self._queue(share, TooManyRequests, "This tenant has too many requests under way")
        else:
            await share.acquire()
        try:
            if self._turn.locked():
                await self._queue(self._turn, Unavailable, "All connections are busy; try again")
            else:
                await self._turn.acquire()
            try:
                return await self._pop()
            except BaseException:
                self._turn.release()
                raise
        except BaseException:
            share.release()
            raise

    def give(self, share: asyncio.Semaphore, connection: Connection) -> None:
        """Take a connection back."""
        self._push(connection)
        self._turn.release()
        share.release()

    async def _queue(self, turn: asyncio.Semaphore, late: type[HearthError], sentence: str) -> None:
        try:
            async with asyncio.timeout(self._wait):  # wait_for would make a task of it
                await turn.acquire()
        except TimeoutError:
            raise late(sentence, retry_after=1) from None

    async def _pop(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        connection = await asyncpg.connect(
            self.dsn,
            server_settings=self._session,
            statement_cache_size=300,
            max_cacheable_statement_size=0,
            max_cached_statement_lifetime=0,
            command_timeout=self._patience,
            timeout=self._wait,
        )
        self._open += 1
        return connection

    def _push(self, connection: Connection) -> None:
        if connection.is_closed():
            self._open -= 1
        elif connection.is_in_transaction():
            # Its user was cut off in the middle; the server rolls back when the connection drops.
            connection.terminate()
            self._open -= 1
        else:
            self._idle.append(connection)


class Turn:
    """One user's time with a connection; what the driver raises in it leaves as a HearthError where it is no defect."""

    __slots__ = ("_connection", "_database", "_share")

    def __init__(self, database: Database, share: asyncio.Semaphore) -> None:
        self._database = database
        self._share = share
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._database.take(self._share)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as fault:
            raise explain(fault) or fault from fault
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connection is not None
        if isinstance(fault, asyncpg.InternalClientError):
            self._connection.terminate()  # nobody knows what it would do next
        self._database.give(self._share, self._connection)
        told = None if fault is None else explain(fault)
        if told is not None:
            raise told from fault
