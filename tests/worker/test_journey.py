"""`hearth demo`'s journey, from the token to the score that an EHR reads, against `hearth serve` as a process."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from service import tenants
from service.demo import journey
from service.demo.cast import Cast
from service.oauth import clients


async def test_one_client_plays_the_whole_journey_where_nobody_can_sign_in(
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
    played = await asyncio.to_thread(journey.run, served.origin, Cast(client), said.append)
    assert (played.score, played.interpretation) == (12, "moderate (10-14)")
    text = "\n".join(said)
    made = (played.patient, played.care_plan, played.service_request, played.task, played.response)
    assert [each for each in made if each not in text] == []
    assert "PHQ-9 total 12" in said[-1]
