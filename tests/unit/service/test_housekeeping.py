"""Nothing that ended is kept for ever, whichever table it is in."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import asyncpg as dialect

from schemas import dates
from service import housekeeping
from service.tables import metadata

NOW = dates.clock()
LONG_AGO = NOW - timedelta(days=400)
VALUES = {"TEXT": "{}", "INTERVAL": timedelta(minutes=15)}
ENDING = [table for name, table in metadata.tables.items() if {"expires", "latest", "taken"} & set(table.c.keys())]


def value(column: Column[Any], tenant_id: int, moment: datetime) -> Any:
    """Anything that the column can hold."""
    if column.name == "tenant_id":
        return tenant_id
    kind = str(column.type.compile(dialect.dialect()))
    if "TIMESTAMP" in kind:
        return moment
    another = {"UUID": uuid4(), "BYTEA": str(moment).encode(), "BIGINT": int(moment.timestamp())}
    return (another | VALUES).get(kind, 1)


async def insert(connection: Any, table: Table, tenant_id: int, moment: datetime) -> None:
    columns = [column for column in table.c if not column.nullable and column.server_default is None]
    names, places = ", ".join(each.name for each in columns), ", ".join(f"${at + 1}" for at in range(len(columns)))
    values = [value(column, tenant_id, moment) for column in columns]
    await connection.execute(f"insert into {table.name} ({names}) values ({places})", *values)


async def count(connection: Any, table: Table, tenant_id: int) -> int:
    return int(await connection.fetchval(f"select count(*) from {table.name} where tenant_id = $1", tenant_id))


@pytest.mark.parametrize("table", ENDING, ids=lambda table: table.name)
async def test_what_ended_long_ago_is_forgotten_and_nothing_that_holds(
    house: Any, new_house: Any, table: Table
) -> None:
    other = await new_house()
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await insert(connection, table, house.tenant_id, LONG_AGO)
        await insert(connection, table, house.tenant_id, NOW + timedelta(minutes=5))
        await insert(connection, table, other.tenant_id, LONG_AGO)
        await housekeeping.sweep(connection, house.tenant_id, NOW)
        assert await count(connection, table, house.tenant_id) == 1
        assert await count(connection, table, other.tenant_id) == 1


def test_the_tables_of_people_and_of_authorization_are_among_them() -> None:
    assert {table.name for table in ENDING} >= {
        "account_session", "sign_in_failure", "oauth_token", "oauth_authorization", "oauth_code", "oauth_refresh",
        "oauth_request", "oauth_launch", "oauth_jti",
    }  # fmt: skip
