"""`hearth demo`'s journey, from the token to the score that an EHR reads, against `hearth serve` as a process."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from service import demo, tenants
from service.oauth import clients


async def test_the_demo_plays_the_whole_journey_and_prints_each_step(
    serve: Callable[..., Any], database_url: str
) -> None:
    served = serve(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        tenant = await tenants.find(connection, tenants.DEFAULT)
        client = await clients.add(connection, tenant.id, "journey", "system/*.cruds")
    finally:
        await connection.close()
    said: list[str] = []
    journey = await asyncio.to_thread(demo.run, served.origin, client.client_id, client.client_secret, said.append)
    assert (journey.score, journey.interpretation) == (12, "moderate (10-14)")
    text = "\n".join(said)
    made = (journey.patient, journey.care_plan, journey.service_request, journey.task, journey.response)
    assert [each for each in made if each not in text] == []
    assert "PHQ-9 total 12" in said[-1]
