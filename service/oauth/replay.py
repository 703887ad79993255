"""What may be used once is refused the second time, whichever worker sees it. https://www.rfc-editor.org/rfc/rfc7523#section-3"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final

import asyncpg

USE: Final = """
insert into oauth_jti (tenant_id, jti_hash, expires) values ($1, $2, $3) on conflict (tenant_id, jti_hash) do nothing"""
PURGE: Final = "delete from oauth_jti where tenant_id = $1 and expires < $2"
STATEMENTS: Final = (USE, PURGE)


async def is_first_use(
    connection: asyncpg.Connection[Any], tenant_id: int, issuer: str, jti: str, expires: datetime
) -> bool:
    """Whether this is the first time that the tenant sees this `jti` of `issuer`; it is remembered until `expires`.

    Two workers that ask at once wait for each other at the primary key, and one of them is told no.
    """
    digest = hashlib.sha256(f"{issuer}\0{jti}".encode()).digest()
    return await connection.execute(USE, tenant_id, digest, expires) == "INSERT 0 1"


async def purge(connection: asyncpg.Connection[Any], tenant_id: int, now: datetime) -> None:
    """Forget those that could no longer be used anyway."""
    await connection.execute(PURGE, tenant_id, now)
