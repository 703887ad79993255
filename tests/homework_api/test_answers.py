"""Answers by the homework API: which assignment they do."""

from datetime import timedelta

import httpx

from schemas import dates, library
from tests.homework_api.test_assignments import given


async def test_answers_do_the_time_of_a_series_that_they_were_given_to(
    robin: httpx.AsyncClient, kim: httpx.AsyncClient
) -> None:
    exposure = library.seed_id(f"{library.BASE}/ActivityDefinition/graded-exposure|1.1.0")
    last_day = (dates.clock() + timedelta(days=2)).date().isoformat()
    series = await given(kim, activity=exposure, starts=dates.clock().date().isoformat(), due=last_day, dose={})
    *others, last = (await robin.get("assignments", params={"part_of": series["id"]})).json()["items"]
    answers = {"situation": "The lift", "suds-pre": 60, "suds-post": 30}
    answer = await robin.post(f"assignments/{last['id']}/answers", json={"answers": answers, "submit": True})
    assert answer.status_code == 201, answer.text
    now = {
        each["id"]: each for each in (await robin.get("assignments", params={"part_of": series["id"]})).json()["items"]
    }
    assert (now[last["id"]]["state"], now[last["id"]]["answers"]) == ("done", [answer.json()["id"]])
    assert {now[each["id"]]["state"] for each in others} <= {"due", "upcoming"}
