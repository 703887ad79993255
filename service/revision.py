"""Which revision a database is at and which one this release wants, without loading Alembic: that takes a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import asyncpg

CURRENT: Final = "select version_num from alembic_version"
_HERE: Final = Path(__file__).parent


def directory() -> Path:
    """Where the migrations lie: inside this package in an installed wheel, beside the rooms in a checkout."""
    packaged = _HERE / "schema"
    return packaged if packaged.is_dir() else _HERE.parent / "alembic"


def head() -> str:
    """The newest revision this release knows; its files are named by it, as 0001_store.py."""
    return max(path.name.partition("_")[0] for path in (directory() / "versions").glob("[0-9]*_*.py"))


async def current(connection: asyncpg.Connection[Any]) -> str | None:
    """The revision the database is at, None when it was never migrated."""
    try:
        return str(await connection.fetchval(CURRENT))
    except asyncpg.UndefinedTableError:
        return None
