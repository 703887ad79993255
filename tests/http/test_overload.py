"""Slow statements, held rows, busy connections: 503 or 429 with Retry-After for who has to wait, and nobody else starves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import Hearth, create_app

BASIC = {"resourceType": "Basic", "code": {"text": "x"}}


@pytest.fixture
async def small(hearth: Hearth, tmp_path: Any, request: pytest.FixtureRequest) -> AsyncIterator[Hearth]:
    """A worker with four connections, two for a tenant; little patience with statements, unless asked for more."""
    patience = getattr(request, "param", 300)
    update = {"audit_spool_dir": tmp_path, "pool_max": 4, "tenant_concurrency": 2, "statement_timeout_ms": patience}
    app = create_app(hearth.engine.settings.model_copy(update=update))
    app.engine.database._wait = 0.2
    await app.engine.start()
    yield app
    await app.engine.stop()


@pytest.fixture
async def house(small: Hearth, new_house: Callable[[], Awaitable[Any]]) -> Any:
    return replace(await new_house(), app=small)


@pytest.fixture
async def other(small: Hearth, new_house: Callable[[], Awaitable[Any]]) -> Any:
    return replace(await new_house(), app=small)


@asynccontextmanager
async def held(database_url: str, house: Any) -> AsyncIterator[None]:
    """Another session holds every row of the tenant."""
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction():
            await holder.execute("select from resource where tenant_id = $1 for update", house.tenant_id)
            yield
    finally:
        await holder.close()


async def at_rest(small: Hearth) -> None:
    """Until no connection is out: the sweep at a worker's start has one for as long as there are tenants to sweep."""
    async with asyncio.timeout(20):
        while small.engine.database.usage()[0] != small.engine.database.usage()[1]:
            await asyncio.sleep(0.01)


async def until_waiting(database_url: str, number: int) -> None:
    """Until so many statements wait for a row."""
    watcher = await asyncpg.connect(database_url)
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    try:
        for _ in range(300):
            if await watcher.fetchval(waiting) >= number:
                return
            await asyncio.sleep(0.01)
    finally:
        await watcher.close()
    raise AssertionError(f"{number} statements never waited at once")


def told(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    (issue,) = answer.json()["issue"]
    assert issue["details"]["coding"][0]["code"] == code
    assert issue["code"] == {429: "throttled", 503: "transient"}[status]


async def patients(api: httpx.AsyncClient, *names: str) -> None:
    for name in names:
        assert (await api.put(f"Patient/{name}", json={"resourceType": "Patient", "id": name})).status_code == 201


def changed(name: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name, "active": True}


async def test_a_write_behind_a_held_row_is_told_to_come_again(
    api: httpx.AsyncClient, house: Any, database_url: str
) -> None:
    await patients(api, "pat")
    async with held(database_url, house):
        for request in (
            api.put("Patient/pat", json=changed("pat")),
            api.delete("Patient/pat"),
            api.patch("Patient/pat", json={"active": True}, headers={"Content-Type": "application/merge-patch+json"}),
        ):
            told(await request, 503, "unavailable")
        assert (await api.get("Patient/pat")).status_code == 200
    assert (await api.put("Patient/pat", json=changed("pat"))).status_code == 200


async def test_a_slow_search_is_told_to_come_again(api: httpx.AsyncClient, house: Any, database_url: str) -> None:
    holder = await asyncpg.connect(database_url)
    try:
        async with holder.transaction():
            await holder.execute("lock table resource_patient in access exclusive mode")
            for path in ("Patient", "Patient/pat", "_history", "Patient/pat/$everything", "?_type=Patient"):
                told(await api.get(path), 503, "unavailable")
    finally:
        await holder.close()
    assert (await api.get("Patient")).status_code == 200


async def test_a_slow_entry_is_its_batchs_alone_and_its_transactions_end(
    api: httpx.AsyncClient, house: Any, database_url: str
) -> None:
    await patients(api, "pat")
    entries = [
        {"request": {"method": "POST", "url": "Basic"}, "resource": BASIC},
        {"request": {"method": "PUT", "url": "Patient/pat"}, "resource": changed("pat")},
        {"request": {"method": "POST", "url": "Basic"}, "resource": BASIC},
    ]
    async with held(database_url, house):
        batch = await api.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
        whole = await api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert [entry["response"]["status"][:3] for entry in batch.json()["entry"]] == ["201", "503", "201"]
    told(whole, 503, "unavailable")
    assert (await api.get("Basic?_summary=count")).json()["total"] == 2


@pytest.mark.parametrize("small", [5000], indirect=True)
async def test_a_tenant_that_waits_does_not_keep_another_waiting(
    api: httpx.AsyncClient, house: Any, other: Any, small: Hearth, database_url: str
) -> None:
    await patients(api, "pat")
    async with other.client(await other.token()) as theirs:
        async with held(database_url, house):
            blocked = [asyncio.create_task(api.put("Patient/pat", json=changed("pat"))) for _ in range(2)]
            await asyncio.sleep(0.1)
            told(await api.get("Patient/pat"), 429, "too-many-requests")
            for _ in range(3):
                assert (await theirs.get("Patient")).status_code == 200
                assert (await theirs.post("Basic", json=BASIC)).status_code == 201
            token = await theirs.post(
                f"http://hearth.test/t/{house.name}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=("a", "b"),
            )
            assert (token.status_code, token.json()["error"]) == (429, "temporarily_unavailable")
            assert token.headers["retry-after"] == "1"
        assert [each.status_code for each in await asyncio.gather(*blocked)] == [200, 200]
    assert (await api.get("Patient/pat")).status_code == 200


@pytest.mark.parametrize("small", [5000], indirect=True)
async def test_when_all_connections_are_busy_who_comes_is_told_so(
    api: httpx.AsyncClient,
    house: Any,
    other: Any,
    new_house: Callable[[], Awaitable[Any]],
    small: Hearth,
    database_url: str,
) -> None:
    third = replace(await new_house(), app=small)
    await patients(api, "pat")
    async with other.client(await other.token()) as theirs, third.client(await third.token()) as last:
        await patients(theirs, "pat")
        assert (await last.get("Patient")).status_code == 200
        await at_rest(small)
        async with held(database_url, house), held(database_url, other):
            blocked = [
                asyncio.create_task(http.put("Patient/pat", json=changed("pat")))
                for http in (api, theirs)
                for _ in range(2)
            ]
            await until_waiting(database_url, len(blocked))
            told(await last.get("Patient"), 503, "unavailable")
            assert (await last.get("metadata")).status_code == 200
            assert (await last.get("http://hearth.test/health/live")).status_code == 200
            told(await last.get("http://hearth.test/health/ready"), 503, "unavailable")
        assert {each.status_code for each in await asyncio.gather(*blocked)} == {200}
        assert (await last.get("Patient")).status_code == 200


async def test_requests_that_are_given_up_give_their_connection_back(
    api: httpx.AsyncClient, house: Any, small: Hearth, database_url: str
) -> None:
    await patients(api, "pat")
    async with held(database_url, house):
        for _ in range(3):
            given_up = [asyncio.create_task(api.put("Patient/pat", json=changed("pat"))) for _ in range(3)]
            await asyncio.sleep(0.05)
            for task in given_up:
                task.cancel()
            await asyncio.gather(*given_up, return_exceptions=True)
    for _ in range(6):
        assert (await api.get("Patient/pat")).status_code == 200
    await at_rest(small)
    opened, idle, allowed = small.engine.database.usage()
    assert opened == idle <= allowed


async def test_transactions_that_cross_never_end_in_a_defect(api: httpx.AsyncClient, house: Any) -> None:
    await patients(api, "one", "two")

    def crossing(*names: str) -> dict[str, Any]:
        entries = [
            {"request": {"method": "PUT", "url": f"Patient/{name}"}, "resource": changed(name) | {"gender": gender}}
            for name, gender in zip(names, ("female", "male"), strict=True)
        ]
        return {"resourceType": "Bundle", "type": "transaction", "entry": entries}

    bundles = [crossing("one", "two"), crossing("two", "one")] * 5
    for _ in range(4):
        for answer in await asyncio.gather(*(api.post("", json=bundle) for bundle in bundles)):
            assert answer.status_code in (200, 409, 429, 503), answer.text
            assert answer.status_code == 200 or "retry-after" in answer.headers
        one, two = (await api.get("Patient/one")).json(), (await api.get("Patient/two")).json()
        assert one["gender"] != two["gender"]  # each transaction leaves one of each, whole or not at all
