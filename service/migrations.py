"""Bringing a database to this release's schema, forward only; safe to run from several processes at once."""

import asyncio
from importlib import resources
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

_LOCK: Final = 0x48454152  # "HEAR"


def _directory() -> Path:
    """Where the versions lie: beside the rooms in a checkout, inside this package in an installed wheel."""
    packaged = Path(str(resources.files("service"))) / "schema"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "alembic"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_directory()))
    return config


def head() -> str:
    """The newest revision this release knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _upgrade(connection: Connection) -> None:
    # Two processes that start together migrate one after the other; the second finds nothing left to do.
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.commit()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _LOCK})
    connection.commit()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _async_url(database_url: str) -> str:
    return database_url.replace("postgresql://", "postgresql+asyncpg://", 1)


async def upgrade(database_url: str) -> None:
    """Run the migrations that the database at `database_url` lacks."""
    engine = create_async_engine(_async_url(database_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def revision(database_url: str) -> str | None:
    """The revision the database is at, None when it was never migrated."""
    engine = create_async_engine(_async_url(database_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_revision)
    finally:
        await engine.dispose()


def upgrade_now(database_url: str) -> None:
    """`upgrade` for callers without an event loop."""
    asyncio.run(upgrade(database_url))
