"""Connections to PostgreSQL: a stack of them, a share of it per tenant, and their faults as HearthErrors.

Sessions carry no state, so nothing has to be reset between two users of a connection, and the newest one back is the next
one out: half the cost of asyncpg's pool, whose reset query and waiting tasks cost more than a read (decision 0002).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from service.errors import HearthError, TooManyRequests, Unavailable

Connection: TypeAlias = "asyncpg.Connection[Any]"
"""What statements run on; never more than one statement at a time."""

_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InvalidCatalogNameError,
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


class Database:
    """At most `size` connections, of which one tenant holds `share`; who waits longer than `wait` seconds is told."""

    def __init__(
        self, dsn: str, *, size: int, share: int, statement_timeout_ms: int = 10_000, wait: float = 5.0
    ) -> None:
        self._dsn = dsn
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

    @asynccontextmanager
    async def connection(self, tenant_id: int) -> AsyncIterator[Connection]:
        """A connection within the tenant's share. Raises TooManyRequests or Unavailable, both with Retry-After."""
        share = self._shares[tenant_id]
        await self._take(
            share, TooManyRequests("This tenant has too many requests under way; try again", retry_after=1)
        )
        try:
            await self._take(self._turn, Unavailable("All connections are busy; try again shortly", retry_after=1))
            try:
                connection = await self._pop()
                try:
                    yield connection
                finally:
                    self._push(connection)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as fault:
                told = explain(fault)
                if told is None:
                    raise
                raise told from fault
            finally:
                self._turn.release()
        finally:
            share.release()

    async def _take(self, turn: asyncio.Semaphore, late: HearthError) -> None:
        if not turn.locked():
            await turn.acquire()
            return
        try:
            await asyncio.wait_for(turn.acquire(), self._wait)
        except TimeoutError:
            raise late from None

    async def _pop(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        connection = await asyncpg.connect(
            self._dsn,
            server_settings=self._session,
            statement_cache_size=1000,
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
