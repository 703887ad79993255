"""No occurrence is made twice, by however many workers at once; and many are made in little time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from fhir_mappings.occurrence import OCCURRENCE, made
from fhir_mappings.progress import tally_of
from schemas import dates
from service import tenants
from service.call import Call
from service.engine import Engine
from service.homework import horizon, own
from service.homework.authority import found
from service.settings import Settings
from service.store import Store, VersionConflict
from service.tenants import Tenant

Json = dict[str, Any]
NOW: Final = datetime(2026, 3, 20, 9, tzinfo=UTC)
ZONE: Final = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Europe/Amsterdam"}


@asynccontextmanager
async def engine(url: str, directory: Path) -> AsyncIterator[Engine]:
    settings = Settings(data_dir=directory, database_url=url, base_url="http://hearth.test", pool_max=6)
    made_ = Engine(settings, url)
    await made_.start()
    yield made_
    await made_.stop()


@pytest.fixture
async def engines(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[tuple[Engine, Engine]]:
    """Two workers on one database."""
    url = await new_database()
    async with engine(url, tmp_path / "one") as one, engine(url, tmp_path / "two") as two:
        yield one, two


async def tenant_of(one: Engine) -> Tenant:
    async with one.database.connection(0) as connection:
        return await tenants.add(connection, "clinic")


def resources(number: int) -> list[tuple[str, str, Json]]:
    """A client with a series, once a day from today on, of which nothing is made yet."""
    subject = {"reference": f"Patient/p{number}"}
    repeat = {"boundsPeriod": {"start": "2026-03-20", "end": "2026-06-12"}, "period": 1, "periodUnit": "d"}
    head: Json = {
        "resourceType": "Task",
        "status": "ready",
        "intent": "order",
        "code": {
            "coding": [{"system": "https://hearth.health/fhir/CodeSystem/homework-activity-type", "code": "journaling"}]
        },
        "description": "Three good things",
        "basedOn": [{"reference": f"ServiceRequest/r{number}"}],
        "for": subject,
        "owner": subject,
        "requester": {"reference": "Practitioner/t"},
        "authoredOn": "2026-03-20T08:00:00Z",
        "restriction": {"period": repeat["boundsPeriod"]},
        "input": [
            {"type": {"text": "instruction"}, "valueMarkdown": "Each evening write down three things that went well."}
        ],
    }
    return [
        ("Patient", f"p{number}", {"resourceType": "Patient", "extension": [ZONE]}),
        (
            "ServiceRequest",
            f"r{number}",
            {
                "resourceType": "ServiceRequest",
                "status": "active",
                "intent": "order",
                "subject": subject,
                "occurrenceTiming": {"repeat": repeat},
            },
        ),
        ("Task", f"h{number}", made(head, dates.instant(NOW - timedelta(days=1)))),
    ]


async def clinic(one: Engine, tenant: Tenant, series: int) -> None:
    async with one.at_work(tenant, NOW) as (_, store):
        rows = [row for number in range(series) for row in resources(number)]
        await store.commit([store.change(*row, NOW, by_service=True) for row in rows], [])


async def occurrences(call: Call, store: Store) -> list[str]:
    held = await found(call, store, "Task", [("identifier", f"{OCCURRENCE}|")], 20_000)
    return [each.resource(store.codec)["identifier"][0]["value"] for each in held]


async def test_two_workers_at_once_make_each_occurrence_once(engines: tuple[Engine, Engine]) -> None:
    one, two = engines
    tenant = await tenant_of(one)
    await clinic(one, tenant, 25)
    for days in (0, 10, 20):
        now = NOW + timedelta(days=days)
        await asyncio.gather(*(horizon.roll(each, tenant, now) for each in (one, two, one, two)))
    async with one.at_work(tenant, NOW) as (call, store):
        keys = await occurrences(call, store)
        assert len(keys) == len(set(keys))
        expected = {f"h{at}/{(NOW + timedelta(days=day)).date()}/1" for at in range(25) for day in range(34)}
        assert set(keys) >= expected
        for each in await found(call, store, "Task", [("status", "ready"), ("part-of:missing", "true")], 100):
            assert each.stored.version == 4, "of all that extended a head at once one did"


async def test_a_worker_and_an_app_that_looks_ahead_make_each_occurrence_once(engines: tuple[Engine, Engine]) -> None:
    one, two = engines
    tenant = await tenant_of(one)
    await clinic(one, tenant, 5)

    async def look(at: int) -> None:
        async with two.at_work(tenant, NOW) as (call, store):
            await horizon.until(call, store, f"h{at}", NOW + timedelta(days=40))

    await asyncio.gather(horizon.roll(one, tenant, NOW), *map(look, range(5)), *map(look, range(5)))
    await asyncio.gather(*map(look, range(5)))
    async with one.at_work(tenant, NOW) as (call, store):
        keys = await occurrences(call, store)
        assert len(keys) == len(set(keys)) == 5 * 41


async def test_what_a_worker_read_before_the_series_was_stopped_is_not_made(engines: tuple[Engine, Engine]) -> None:
    one, two = engines
    tenant = await tenant_of(one)
    await clinic(one, tenant, 1)

    async def stop() -> None:
        async with two.at_work(tenant, NOW) as (call, store):
            (held,) = await found(call, store, "Task", [("_id", "h0")], 1)
            task = held.resource(store.codec) | {"status": "cancelled", "statusReason": {"text": "something else"}}
            await own.write(call, store, [store.change("Task", held.id, task, NOW, held.stored)])

    for _ in range(3):
        try:
            await asyncio.gather(horizon.roll(one, tenant, NOW), stop())
            break
        except VersionConflict:  # the roll was first: stop what it made
            continue
    async with one.at_work(tenant, NOW) as (call, store):
        open_ = await found(call, store, "Task", [("identifier", f"{OCCURRENCE}|"), ("status", "ready")], 100)
        assert open_ == []


async def test_ten_thousand_occurrences_cost_less_than_five_seconds_of_cpu(engines: tuple[Engine, Engine]) -> None:
    one, _ = engines
    tenant = await tenant_of(one)
    await clinic(one, tenant, 480)
    began = time.process_time()
    await horizon.roll(one, tenant, NOW)
    took = time.process_time() - began
    async with one.at_work(tenant, NOW) as (call, store):
        number = len(await occurrences(call, store))
        (head,) = await found(call, store, "Task", [("_id", "h7")], 1)
        assert tally_of(head.resource(store.codec)).planned == 0
    assert number > 10_000
    assert took < 5
