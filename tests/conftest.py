"""One real PostgreSQL for the whole test run, one migrated database of its own for each worker."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from service import migrations
from service.embedded import Cluster

DIRECTORY: Final = "HEARTH_TEST_DIRECTORY"
TEMPLATE: Final = "hearth_template"
# A test run may lose its database with the machine: nothing waits for the disk.
SETTINGS: Final = {"fsync": "off", "full_page_writes": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """The run's directory, made by the process that the workers inherit their environment from."""
    if not hasattr(config, "workerinput"):
        directory = Path(tempfile.mkdtemp(prefix="hearth-tests-"))
        directory.chmod(0o711)  # root's PostgreSQL runs as another account and must get in
        os.environ[DIRECTORY] = str(directory)


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    directory = Path(os.environ.pop(DIRECTORY))
    if (directory / "postgres/data/postmaster.pid").exists():  # a worker died before it could stop the server
        with Cluster(directory, SETTINGS):
            pass
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster(Path(os.environ[DIRECTORY]), SETTINGS) as cluster:
        yield cluster


@pytest.fixture(scope="session")
async def database_url(cluster: Cluster) -> str:
    """The URL of this worker's database, migrated to head and empty at first."""
    name = f"hearth_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    await _copy_template(cluster, name)
    return cluster.dsn(name)


async def _copy_template(cluster: Cluster, name: str) -> None:
    """A copy of the migrated template, which the first worker to come makes."""
    with (cluster.data_dir / "template.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = await asyncpg.connect(cluster.dsn())
        try:
            if not await connection.fetchval("select exists (select from pg_database where datname = $1)", TEMPLATE):
                await connection.execute(f"create database {TEMPLATE}_new")
                await migrations.upgrade(cluster.dsn(f"{TEMPLATE}_new"))
                await connection.execute(f"alter database {TEMPLATE}_new rename to {TEMPLATE}")
            await connection.execute(f"create database {name} template {TEMPLATE}")
        finally:
            await connection.close()
