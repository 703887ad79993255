"""The keys that sign id_tokens: RSA for RS256, one set for the whole installation, sealed in the database.

https://openid.net/specs/openid-connect-core-1_0.html#SigningKeys, https://www.rfc-editor.org/rfc/rfc7517
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
from joserfc import jwt
from joserfc.jwk import RSAKey

from schemas import json
from service import sealing

ALGORITHM: Final = "RS256"
BITS: Final = 2048
OVERLAP: Final = timedelta(days=1)
"""How long the public part of a retired key stays published: longer than any id_token is valid."""
_SHARED: Final = 0
"""The tenant that the keys are of, which is none: tenants are told apart by `iss`."""
_PURPOSE: Final = "signing-key"
_LOCK: Final = 0x48_45_41_52_54_48_4B_31

LOCK: Final = "select pg_advisory_xact_lock($1)"
ADD: Final = """
insert into signing_key (tenant_id, kid, algorithm, public_jwk, sealed, created) values ($1, $2, $3, $4, $5, $6)"""
NEWEST: Final = """
select kid, sealed from signing_key where tenant_id = $1 and retired is null order by created desc, kid limit 1"""
PUBLISHED: Final = """
select public_jwk from signing_key where tenant_id = $1 and (retired is null or retired > $2) order by created desc, kid"""
LIST: Final = "select kid, algorithm, created, retired from signing_key where tenant_id = $1 order by created desc, kid"
RETIRE: Final = "update signing_key set retired = $3 where tenant_id = $1 and kid <> $2 and retired is null"
PURGE: Final = "delete from signing_key where tenant_id = $1 and retired <= $2"
STATEMENTS: Final = (ADD, NEWEST, PUBLISHED, LIST, RETIRE, PURGE)


@dataclass(frozen=True, slots=True)
class KeyState:
    """A signing key as it is listed: in use, or `retired` since when."""

    kid: str
    algorithm: str
    created: datetime
    retired: datetime | None


class Keys:
    """The signing keys, for who knows the server's secret (settings.secret())."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._open: dict[str, RSAKey] = {}

    async def sign(self, connection: asyncpg.Connection[Any], claims: Mapping[str, Any], now: datetime) -> str:
        """A JWT of the claims, by the newest key. Raises WrongSecret."""
        row = await self._newest(connection, now)
        key = self._open.get(row["kid"]) or self._opened(row["kid"], row["sealed"])
        return jwt.encode({"alg": ALGORITHM, "kid": row["kid"]}, dict(claims), key, algorithms=[ALGORITHM])

    async def public(self, connection: asyncpg.Connection[Any], now: datetime) -> dict[str, list[dict[str, Any]]]:
        """The key set to verify by: the key in use, and those retired while something signed by them may be valid."""
        await self._newest(connection, now)
        rows = await connection.fetch(PUBLISHED, _SHARED, now - OVERLAP)
        return {"keys": [json.decode(row["public_jwk"].encode()) for row in rows]}

    async def ensure(self, connection: asyncpg.Connection[Any], now: datetime) -> None:
        """Make the first key when there is none, and see that the one in use can be opened. Raises WrongSecret."""
        row = await self._newest(connection, now)
        self._opened(row["kid"], row["sealed"])

    async def rotate(self, connection: asyncpg.Connection[Any], now: datetime) -> str:
        """A new key signs from now on, and the others are published a day longer; the new one's `kid`."""
        async with connection.transaction():
            await connection.execute(LOCK, _LOCK)
            kid = await self._add(connection, now)
            await connection.execute(RETIRE, _SHARED, kid, now)
        return kid

    async def _newest(self, connection: asyncpg.Connection[Any], now: datetime) -> asyncpg.Record:
        found: asyncpg.Record | None = await connection.fetchrow(NEWEST, _SHARED)
        if found is None:
            async with connection.transaction():
                await connection.execute(LOCK, _LOCK)  # of workers that start at once, one makes the key
                if await connection.fetchrow(NEWEST, _SHARED) is None:
                    await self._add(connection, now)
            found = await connection.fetchrow(NEWEST, _SHARED)
            assert found is not None
        return found

    async def _add(self, connection: asyncpg.Connection[Any], now: datetime) -> str:
        key = await asyncio.to_thread(RSAKey.generate_key, BITS)
        kid = key.thumbprint()
        public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": ALGORITHM}
        sealed = sealing.seal(self._secret, _PURPOSE, json.encode(key.as_dict(private=True)))
        await connection.execute(ADD, _SHARED, kid, ALGORITHM, json.encode(public).decode(), sealed, now)
        return kid

    def _opened(self, kid: str, sealed: bytes) -> RSAKey:
        key = RSAKey.import_key(json.decode(sealing.unseal(self._secret, _PURPOSE, sealed)))
        self._open[kid] = key
        return key


async def states(connection: asyncpg.Connection[Any]) -> list[KeyState]:
    """All signing keys, the newest first."""
    return [KeyState(*row) for row in await connection.fetch(LIST, _SHARED)]


async def purge(connection: asyncpg.Connection[Any], now: datetime) -> None:
    """Forget keys that are no longer published."""
    await connection.execute(PURGE, _SHARED, now - OVERLAP)
