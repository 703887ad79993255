"""A series by the homework API: its times are made, done, paused with it and counted in it."""

from datetime import UTC, datetime
from typing import Any

import httpx

DAILY = {
    "client": "robin", "title": "Breathe slowly", "type": "relaxation", "starts": "2026-11-23", "due": "2026-11-30",
    "dose": {"times": 1, "unit": "day", "when": ["evening"], "minutes": 10},
}  # fmt: skip
STAR = {"If-Match": "*"}


async def test_the_times_of_a_series_are_done_one_by_one_and_counted(
    practice: Any, robin: httpx.AsyncClient, kim: httpx.AsyncClient
) -> None:
    engine = practice.house.app.engine
    kept, engine.clock = engine.clock, lambda: datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
    try:
        series = (await kim.post("assignments", json=DAILY)).json()
        assert (series["kind"], series["dose"]["when"]) == ("series", ["evening"])
        times = (await robin.get("assignments", params={"part_of": series["id"]})).json()["items"]
        assert len(times) in (7, 8)
        assert {each["kind"] for each in times} == {"occurrence"}
        assert {each["part_of"] for each in times} == {series["id"]}
        assert [each["state"] for each in times] == ["due", *["upcoming"] * (len(times) - 1)]

        done = await robin.post(f"assignments/{times[0]['id']}/complete", json={"helpfulness": 4}, headers=STAR)
        assert done.json()["state"] == "done"
        told = (await kim.get(f"assignments/{series['id']}")).json()
        assert (told["state"], told["progress"]) == ("started", {"done": 1, "planned": len(times)})

        await robin.post(f"assignments/{series['id']}/pause", json={"barrier": {"code": "illness"}}, headers=STAR)
        rest = (await robin.get("assignments", params={"part_of": series["id"], "state": "paused"})).json()["items"]
        assert len(rest) == len(times) - 1
        await robin.post(f"assignments/{series['id']}/resume", headers=STAR)
        assert (await robin.get("assignments", params={"part_of": series["id"], "state": "paused"})).json()[
            "items"
        ] == []

        await kim.post(f"assignments/{series['id']}/withdraw", json={"reason": "It has done its work"})
        ended = (await robin.get("assignments", params={"part_of": series["id"], "state": "withdrawn"})).json()["items"]
        assert len(ended) == len(times) - 1
    finally:
        engine.clock = kept


async def test_a_dose_that_cannot_be_planned_is_pointed_at(kim: httpx.AsyncClient) -> None:
    dose = {"times": 5, "unit": "week", "days": ["monday", "tuesday"]}
    answer = await kim.post("assignments", json=DAILY | {"dose": dose})
    assert answer.status_code == 422, answer.text
    assert [each.get("pointer") for each in answer.json()["errors"]] == ["#/dose"]
