"""A token that a worker knows is worthless on the very next request after its revocation, whatever is asked (decision 0008)."""

from datetime import UTC, datetime
from typing import Any

import pytest

ADDRESSES = (
    "Patient/p",
    "Patient/nobody",
    "Patient/p/_history/1",
    "Patient/p/_history",
    "Patient/_history",
    "_history",
    "Patient?_count=1",
    "Patient?name=nobody",
    "Patient?_summary=count",
    "Patient?_summary=count&_total=estimate",
    "Task?patient=p&_include=Task:patient&_total=accurate",
    "?_type=Patient",
    "Patient/p/Task",
    "Patient/p/$everything",
    "Patient/p/$meta",
    # what is refused before any statement must not tell a revoked token so
    "Patient?nonsense=1",
    "Nonsense/1",
    "Patient/p?_summary=nonsense",
)


async def revoke_all(house: Any) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        sql = "update oauth_token set revoked = $2 where tenant_id = $1"
        await connection.execute(sql, house.tenant_id, datetime.now(UTC))


@pytest.mark.parametrize("address", ADDRESSES)
async def test_learns_nothing_more(house: Any, address: str) -> None:
    async with house.client(await house.token()) as known:
        assert (await known.put("Patient/p", json={"resourceType": "Patient", "id": "p"})).status_code == 201
        assert (await known.get(address)).status_code != 401
        await revoke_all(house)
        refused = await known.get(address)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (401, "login")
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


async def test_an_expired_token_is_as_worthless(house: Any) -> None:
    async with house.client(await house.token()) as known:
        assert (await known.get("Patient")).status_code == 200
        async with house.app.engine.database.connection(house.tenant_id) as connection:
            sql = "update oauth_token set expires = $2 where tenant_id = $1"
            await connection.execute(sql, house.tenant_id, datetime(2020, 1, 1, tzinfo=UTC))
        assert (await known.get("Patient")).status_code == 401
