"""`hearth demo`'s journey, from the token to the score that an EHR reads, against `hearth serve` as a process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg

from service import tenants
from service.demo import journey
from service.demo.cast import Cast, load
from service.oauth import clients

ARC = (
    "What fits now: Say hello to a neighbour",  # assign an exposure ladder
    "Kim gives 'PHQ-9: how mood has been' for four weeks",  # and a weekly PHQ-9
    "distress 70 before, 85 at the peak, 40 after",  # do
    "Not every day, please (too-hard)",  # decline with a barrier
    "twice a week. The old series is kept",  # adapt
    "the weekly PHQ-9: 7, mild",  # score
    "Kim has a review to do, asap",  # alert
    "the Flag is inactive now",
    "the summary for the session: Since last session",  # review
    "The chart, in words:",  # chart
)
"""What the whole arc shows, in its order."""


async def test_robin_signs_in_to_an_app_and_kim_comes_from_the_ehr(
    serve: Callable[..., Any], new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    served = serve(await new_database(), "--demo")
    cast, said = load(tmp_path), list[str]()
    assert cast is not None
    for _ in range(2):  # what is there from the first time does no harm
        said.clear()
        played = await asyncio.to_thread(journey.run, served.origin, cast, said.append)
    assert (played.score, played.interpretation) == (12, "moderate (10-14)")
    assert (played.patient, played.practitioner) == ("Patient/demo-robin", "Practitioner/demo-kim")
    text = "\n".join(said)
    assert [each for each in (played.task, played.response, played.observation) if each not in text] == []
    assert "Robin signs in to the diary app with a password" in text
    assert "Kim opens the outcomes app in the EHR" in text
    assert [each for each in ARC if each not in text] == []
    assert "PHQ-9 total 7" in said[-1]


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
    assert [each for each in ARC if each not in text] == []
    assert "First 12, last 7: 5 lower" in said[-1]
