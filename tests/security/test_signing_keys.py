"""The keys of id_tokens: made once by whoever starts first, never readable in the database, rotated with overlap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from service.oauth import keys
from service.oauth.keys import OVERLAP, Keys
from service.sealing import WrongSecret

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET: Final = b"s" * 32
CLAIMS: Final = {"sub": "somebody", "exp": 1}


@pytest.fixture
async def url(new_database: Callable[[], Awaitable[str]]) -> str:
    """A database of the test's own: the keys are of no tenant."""
    return await new_database()


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def verified(connection: asyncpg.Connection[Any], token: str, now: datetime) -> dict[str, Any]:
    """As a client verifies it: with what is published."""
    published = KeySet.import_key_set(await Keys(SECRET).public(connection, now))  # type: ignore[arg-type]
    found = jwt.decode(token, published, algorithms=["RS256"])
    assert found.header["alg"] == "RS256"
    assert found.header["kid"]
    return found.claims


async def test_the_first_key_is_made_when_it_is_needed(connection: asyncpg.Connection[Any]) -> None:
    assert await keys.states(connection) == []
    token = await Keys(SECRET).sign(connection, CLAIMS, NOW)
    assert await verified(connection, token, NOW) == CLAIMS
    assert len(await keys.states(connection)) == 1
    await Keys(SECRET).ensure(connection, NOW)
    assert len(await keys.states(connection)) == 1


async def test_of_workers_that_start_at_once_one_makes_it(url: str, connection: asyncpg.Connection[Any]) -> None:
    others = [await asyncpg.connect(url) for _ in range(6)]
    try:
        tokens = await asyncio.gather(*(Keys(SECRET).sign(other, CLAIMS, NOW) for other in others))
    finally:
        for other in others:
            await other.close()
    assert len(await keys.states(connection)) == 1
    for token in tokens:
        assert await verified(connection, token, NOW) == CLAIMS


async def test_the_private_part_is_not_in_the_database_to_be_read(connection: asyncpg.Connection[Any]) -> None:
    await Keys(SECRET).ensure(connection, NOW)
    row = await connection.fetchrow("select * from signing_key")
    assert row is not None
    assert b"kty" not in row["sealed"]
    assert '"d"' not in row["public_jwk"]
    for published in (await Keys(SECRET).public(connection, NOW))["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & published.keys()


async def test_another_secret_is_told_clearly(connection: asyncpg.Connection[Any]) -> None:
    await Keys(SECRET).ensure(connection, NOW)
    other = Keys(b"t" * 32)
    for act in (other.ensure(connection, NOW), other.sign(connection, CLAIMS, NOW)):
        with pytest.raises(WrongSecret, match="HEARTH_SECRET_KEY"):
            await act


async def test_rotation_keeps_what_was_signed_valid(connection: asyncpg.Connection[Any]) -> None:
    here, there = Keys(SECRET), Keys(SECRET)  # two workers
    old = await there.sign(connection, CLAIMS, NOW)
    kid = await here.rotate(connection, NOW)
    new = await there.sign(connection, CLAIMS, NOW)
    assert jwt.decode(new, KeySet.import_key_set(await here.public(connection, NOW)), ["RS256"]).header["kid"] == kid  # type: ignore[arg-type]
    for token in (old, new):
        assert await verified(connection, token, NOW + OVERLAP - timedelta(seconds=1)) == CLAIMS
    assert await verified(connection, new, NOW + OVERLAP) == CLAIMS
    with pytest.raises((JoseError, ValueError)):
        await verified(connection, old, NOW + OVERLAP)


async def test_each_key_is_published_for_a_day_after_its_own_end(connection: asyncpg.Connection[Any]) -> None:
    source = Keys(SECRET)
    for hour in range(4):
        await source.rotate(connection, NOW + timedelta(hours=hour))
    states = await keys.states(connection)
    assert [state.retired is None for state in states] == [True, False, False, False]
    assert [state.retired for state in states[1:]] == [NOW + timedelta(hours=hour) for hour in (3, 2, 1)]
    assert len((await source.public(connection, NOW + timedelta(hours=25)))["keys"]) == 3
    await keys.purge(connection, NOW + timedelta(hours=26))
    assert len(await keys.states(connection)) == 2


async def test_rotations_at_once_leave_one_key_that_signs(url: str, connection: asyncpg.Connection[Any]) -> None:
    others = [await asyncpg.connect(url) for _ in range(3)]
    try:
        await asyncio.gather(*(Keys(SECRET).rotate(other, NOW) for other in others))
    finally:
        for other in others:
            await other.close()
    assert sum(state.retired is None for state in await keys.states(connection)) == 1
