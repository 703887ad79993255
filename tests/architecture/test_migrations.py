"""The migrations make exactly the tables that the code declares."""

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pgqueuer.queries import Queries
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import SchemaItem

from service.tables import metadata

# PostgreSQL makes these from the partitioned table's own: they cannot differ from it.
PARTITIONS = text("select relname from pg_class where relispartition")

# The tables of jobs are declared by PgQueuer; the second test compares with its declaration.
QUEUE = "pgqueuer"


def differences(connection: Connection) -> list[object]:
    partitions = set(connection.scalars(PARTITIONS))

    def declared(item: SchemaItem, name: str | None, kind: str, reflected: bool, _other: SchemaItem | None) -> bool:
        if reflected and kind == "table" and str(name).startswith(QUEUE):
            return False
        return not (reflected and name in partitions and (kind == "index" or name not in metadata.tables))

    options = {"compare_type": True, "compare_server_default": True, "include_object": declared}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


async def test_the_migrated_database_has_the_declared_tables(database_url: str) -> None:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_the_tables_of_jobs_are_those_that_the_installed_release_of_pgqueuer_declares(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        assert (await Queries.from_asyncpg_connection(connection).plan_upgrade()).statements == ()
    finally:
        await connection.close()
