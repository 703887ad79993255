"""Every tenant gets the library once, whatever happens to it afterwards."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from schemas import library
from service import seed, tenants
from service.embedded import Cluster

ORIGIN = "http://hearth.test"
HELD = "select id, version, deleted from resource where tenant_id = $1 and type_id <> 7"
WHOLE = {resource["id"] for resource in library.seed()}


@pytest.fixture
async def url(cluster: Cluster, database_url: str) -> AsyncIterator[str]:
    """A database with a few tenants and nothing in them."""
    name = f"hearth_seed_{uuid4().hex}"
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"create database {name} template hearth_template")
    yield cluster.dsn(name)
    await connection.execute(f"drop database {name}")
    await connection.close()


async def test_every_tenant_gets_the_library_and_keeps_what_became_of_it(url: str) -> None:
    connection = await asyncpg.connect(url)
    first = await tenants.add(connection, "first")
    await seed.everything(url, ORIGIN)
    gone = next(iter(WHOLE))
    await connection.execute(
        "update resource set deleted = true, content = null where tenant_id = $1 and id = $2", first.id, gone
    )
    second = await tenants.add(connection, "second")
    await seed.everything(url, ORIGIN)
    for tenant in (first, second):
        rows = await connection.fetch(HELD, tenant.id)
        assert {str(row["id"]) for row in rows} == WHOLE
        assert {row["version"] for row in rows} == {1}
        assert [str(row["id"]) for row in rows if row["deleted"]] == ([gone] if tenant is first else [])
    await connection.close()


async def test_servers_that_start_together_do_not_stumble_over_each_other(url: str) -> None:
    await asyncio.gather(*(seed.everything(url, ORIGIN) for _ in range(3)))
    connection = await asyncpg.connect(url)
    default = await tenants.find(connection, tenants.DEFAULT)
    assert len(await connection.fetch(HELD, default.id)) == len(WHOLE)
    await connection.close()
