"""A read proves its token in the statement that it makes anyway, instead of asking for it first.

Who a token speaks for and what it allows never changes, so a worker remembers that. Whether it is still valid is asked each
time: the first statement of a request finds rows only while the token is neither revoked nor expired, in the one snapshot
that the rows are of. Where it finds none the token itself is asked for: validity only ever ends, so a token that is valid
now was valid then, and nothing there is the true answer.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from service.database import Connection
from service.oauth import token
from service.oauth.token import Access

_VALID: Final = (
    "select * from ({sql}) guarded where exists (select from oauth_token held where held.tenant_id = $1"
    " and held.token_hash = ${digest} and held.expires > ${now} and held.revoked is null)"
)
_SLOT: Final = re.compile(r"\$(\d+)")
_MOST: Final = 20_000


class Remembered:
    """What tokens of this worker's requests stand for, by tenant and digest; at most so many that they never matter."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], Access] = {}

    def get(self, tenant_id: int, digest: bytes) -> Access | None:
        """What the token stood for when it was last asked for."""
        return self._known.get((tenant_id, digest))

    def keep(self, tenant_id: int, digest: bytes, access: Access) -> None:
        """Remember it; when there are too many, all are forgotten and asked for again."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[tenant_id, digest] = access


class Guarded:
    """A connection for a request that only reads; its first statement proves the token. Raises what `refuse` raises."""

    def __init__(self, connection: Connection, tenant_id: int, digest: bytes, now: datetime) -> None:
        self._connection = connection
        self._proof = (tenant_id, digest, now)
        self._proven = False

    async def prove(self) -> None:
        """Ask for the token, unless a statement has proven it. Raises Unauthorized."""
        if not self._proven:
            if await self._connection.fetchrow(token.FIND, *self._proof) is None:
                raise token.refused()
            self._proven = True

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """As asyncpg's; like every statement of the store, it binds the tenant first."""
        if self._proven or not _is_query(sql):
            await self.prove()
            return list(await self._connection.fetch(sql, *values))
        found = list(await self._connection.fetch(_guarded(sql), *values, *self._proof[1:]))
        if found:
            self._proven = True
        else:
            await self.prove()
        return found

    async def fetchrow(self, sql: str, *values: Any) -> Any:
        """As asyncpg's, of statements that find one row at most."""
        found = await self.fetch(sql, *values)
        return found[0] if found else None

    async def fetchval(self, sql: str, *values: Any) -> Any:
        """As asyncpg's, of statements that find one row at most."""
        found = await self.fetchrow(sql, *values)
        return None if found is None else found[0]


@lru_cache(maxsize=4096)
def _guarded(sql: str) -> str:
    last = max((int(slot) for slot in _SLOT.findall(sql)), default=0)
    return _VALID.format(sql=sql, digest=last + 1, now=last + 2)


def _is_query(sql: str) -> bool:
    return sql.lstrip("(").startswith(("select", "with"))
