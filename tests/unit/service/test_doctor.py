"""What the doctor finds: all well on a fresh database, and each fault by its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service import doctor, migrations, revision
from service.doctor import Finding
from service.settings import Settings

# The test run's cluster does not wait for the disk, which the doctor rightly finds wrong.
OF_THE_TEST_RUN = {"fsync", "full_page_writes"}


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def wrong(settings: Settings, url: str, **environment: str) -> dict[str, Finding]:
    findings = await doctor.examine(settings, url, environment)
    return {one.name: one for one in findings if not one.good and one.name not in OF_THE_TEST_RUN}


async def test_finds_nothing_wrong_with_a_migrated_database(database_url: str, tmp_path: Path) -> None:
    assert await wrong(Settings(data_dir=tmp_path), database_url) == {}


async def test_finds_settings_that_lose_data(database_url: str, tmp_path: Path) -> None:
    names = {one.name for one in await doctor.examine(Settings(data_dir=tmp_path), database_url, {}) if not one.good}
    assert names == OF_THE_TEST_RUN


async def test_finds_too_few_connections_for_all_workers(database_url: str, tmp_path: Path) -> None:
    found = await wrong(Settings(data_dir=tmp_path, workers=8, pool_max=16), database_url)
    assert found["max_connections"].wanted == "at least 146"


async def test_finds_a_database_without_tables(
    connection: asyncpg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    name = database_url.partition("@/")[2].partition("?")[0]
    await connection.execute(f"create database {name}_bare")
    try:
        found = await wrong(Settings(data_dir=tmp_path), database_url.replace(f"/{name}?", f"/{name}_bare?"))
        assert (found["migrations"].found, found["migrations"].wanted) == (
            "none", f"{revision.head()}; run: hearth migrate",
        )  # fmt: skip
    finally:
        await connection.execute(f"drop database {name}_bare")


async def test_finds_a_transaction_that_holds_back_the_feed(
    connection: asyncpg.Connection[Any], database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "FEED_SECONDS_MAX", 0.05)
    async with connection.transaction():
        await connection.execute("select pg_current_xact_id()")
        await asyncio.sleep(0.1)
        assert "change feed" in await wrong(Settings(data_dir=tmp_path), database_url)


async def test_finds_a_full_disk_and_an_open_secret(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES_MIN", 1 << 60)
    settings = Settings(data_dir=tmp_path)
    settings.secret()
    (tmp_path / "secret").chmod(0o644)
    found = await wrong(settings, database_url)
    assert set(found) == {"free disk", "secret"}


async def test_names_a_misspelt_variable(database_url: str, tmp_path: Path) -> None:
    found = await wrong(Settings(data_dir=tmp_path), database_url, HEARTH_DATABSE_URL="x")
    assert found["HEARTH_DATABSE_URL"].wanted == "HEARTH_DATABASE_URL?"


async def test_reads_revisions_as_alembic_does(connection: asyncpg.Connection[Any], database_url: str) -> None:
    assert revision.head() == migrations.head()
    assert await revision.current(connection) == await migrations.revision(database_url) == revision.head()
