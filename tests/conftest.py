"""One real PostgreSQL for the whole test run, one migrated database of its own for each worker."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import pytest

from api.app import Hearth, create_app
from service import migrations, tenants
from service.embedded import Cluster
from service.oauth import clients
from service.settings import Settings

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
def new_database(cluster: Cluster) -> Callable[[], Awaitable[str]]:
    """Makes a migrated, empty database that no other test knows, and gives its URL."""

    async def made() -> str:
        name = f"hearth_{uuid4().hex[:16]}"
        await _copy_template(cluster, name)
        return cluster.dsn(name)

    return made


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


ORIGIN: Final = "http://hearth.test"
# All tests come from one address, some thousand times a minute.
UNLIMITED: Final[dict[str, Any]] = {
    f"rate_{kind}": 0 for kind in ("token", "authorize", "sign_in", "introspect", "register", "calendar")
}


@pytest.fixture(scope="session")
async def hearth(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hearth]:
    """The whole application of one worker, started; tests talk to it without a socket between."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        database_url=database_url,
        base_url=ORIGIN,
        pool_max=12,
        second_factor="optional",  # what asks for it is tested by itself
        **UNLIMITED,
    )
    app = create_app(settings)
    await app.engine.start()
    yield app
    await app.engine.stop()


@dataclass(frozen=True)
class House:
    """A tenant of a test's own, with clients that speak for it."""

    app: Hearth
    tenant_id: int
    name: str

    @property
    def base(self) -> str:
        return f"{ORIGIN}/t/{self.name}/fhir"

    async def token(self, scope: str = "system/*.cruds") -> str:
        """An access token, got as any client gets it."""
        async with self.app.engine.database.connection(self.tenant_id) as connection:
            made = await clients.add(connection, self.tenant_id, "test", scope)
        async with self.client() as http:
            form = {"grant_type": "client_credentials", "scope": scope}
            answer = await http.post(
                f"{ORIGIN}/t/{self.name}/oauth/token", data=form, auth=(made.client_id, made.client_secret)
            )
        return str(answer.json()["access_token"])

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """An HTTP client whose relative addresses are below the tenant's FHIR base."""
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url=self.base + "/", headers=headers, timeout=30)


@pytest.fixture(scope="session")
def new_house(hearth: Hearth) -> Callable[[], Awaitable[House]]:
    """Makes one more tenant that nobody else uses."""

    async def made() -> House:
        name = f"t{uuid4().hex[:16]}"
        async with hearth.engine.database.connection(0) as connection:
            tenant = await tenants.add(connection, name)
        return House(hearth, tenant.id, name)

    return made


@pytest.fixture
async def house(new_house: Callable[[], Awaitable[House]]) -> House:
    """A tenant nobody else uses."""
    return await new_house()


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything in `house`."""
    async with house.client(await house.token()) as http:
        yield http
