"""A real series from beginning to end: what was done in it is counted, told in a summary, and written when it ends."""

from datetime import UTC, datetime
from typing import Any

import httpx

from service.homework import proposals, weekly
from service.tenants import Tenant
from tests.conftest import House
from tests.http.test_adherence import asked, plain
from tests.http.test_series import DAILY, assign, day, http, occurrences, read, tenant
from tests.http.test_session_summary import sections

Json = dict[str, Any]
__all__ = ["http", "tenant"]
"""Fixtures of these names are those of series."""


async def finish(http: httpx.AsyncClient, task: Json, status: str = "completed", **members: Any) -> None:
    newest = await read(http, f"Task/{task['id']}")
    answer = await http.put(f"Task/{task['id']}", json=newest | {"status": status} | members)
    assert answer.status_code == 200, answer.text


async def test_what_happens_in_a_series_is_counted_and_written_once(
    http: httpx.AsyncClient, house: House, tenant: Tenant
) -> None:
    head = await assign(http, DAILY | {"boundsPeriod": {"start": day(0), "end": day(5)}})
    made = await occurrences(http, head)
    assert len(made) >= 5
    for each in made[:2]:
        await finish(http, each)
    await finish(http, made[2], "cancelled", statusReason={"text": "called off"})
    await finish(http, made[3], "in-progress")
    await finish(http, made[3], "on-hold", statusReason={"text": "away"})
    said = plain(await asked(http, "Patient/p/$adherence"))
    assert [said[name] for name in ("planned", "done", "leftOut", "open")] == [2, 2, 2, len(made) - 4]

    answer = await http.get("Patient/p/$session-summary")
    assigned = sections(answer.json())["assigned"]
    assert "Breathe slowly" in assigned["text"]["div"]

    await finish(http, await read(http, f"Task/{head['id']}"))
    found = (await http.get("Observation?code=https://hearth.health/fhir/CodeSystem/homework-measure|adherence")).json()
    (written,) = [entry["resource"] for entry in found["entry"]]
    ratio = written["valueRatio"]
    assert (ratio["numerator"]["value"], ratio["denominator"]["value"]) == (2, 2)

    now = datetime.now(UTC)
    await proposals.propose(house.app.engine, tenant, now)
    await weekly.tally(house.app.engine, tenant, now)
    assert (await http.get("Task?code=review-proposal&_summary=count")).json()["total"] == 0
