"""Rows 100 to 104: how much was done, told without blame. Docs: docs/insight.md, docs/library.md"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.library import BASE
from tests.capabilities.place import ACTIVITY, MEASURE, Place, found, got, library_id, sent, to

Json = dict[str, Any]
START: Final = datetime(2026, 1, 5, 18, tzinfo=UTC)  # a Monday
DONE: Final[Json] = {"status": "completed"}
BLAMING: Final = ("fail", "miss", "poor", "non-compliant", "bad")


def not_done(barrier: str) -> Json:
    return {
        "status": "failed",
        "statusReason": {"coding": [{"system": f"{BASE}/CodeSystem/homework-barrier", "code": barrier}]},
    }


def homework(place: Place, day: int, how: Json, kind: str = "relaxation", **more: Any) -> Json:
    start = START + timedelta(days=day)
    return {
        "resourceType": "Task", "id": f"{place.patient}-{day}", "intent": "order", "for": to(place.subject),
        "owner": to(place.subject), "code": {"coding": [{"system": ACTIVITY, "code": kind}]},
        "restriction": {"period": {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}},
    } | how | more  # fmt: skip


async def test_row_100_what_was_done_is_logged_and_counted(place: Place) -> None:
    goal = await sent(place.api(), "goals", {"client": place.patient, "text": "Calmer evenings"})
    given = await place.given(activity=library_id("worry-time", "1.1.0"), goals=[goal["id"]])
    first, second, *_ = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    await place.act(first, "complete")
    await place.act(second, "complete", partly=True)
    for who in ("client", "therapist"):
        told = await got(place.api(who), f"clients/{place.patient}/adherence", by="activity,goal")
        assert (told["done"], told["partly"], told["not_done"], told["planned"]) == (1, 1, 0, 2)
        groups = {each["by"]: (each["value"], each["done"]) for each in told["groups"]}
        assert groups["goal"] == (f"Goal/{goal['id']}", 1)
        assert groups["activity"][1] == 1
    log = await found(place.therapist, f"Task?part-of=Task/{given['id']}&status=completed")
    assert {each["id"] for each in log} == {first["id"], second["id"]}
    assert all(each["executionPeriod"]["end"] for each in log)


async def test_row_101_reasons_are_named_if_at_all_and_nobody_is_blamed(place: Place) -> None:
    run, swim = await place.given(title="Go for a run"), await place.given(title="Go swimming")
    assert (await place.act(run, "decline", barrier={"code": "motivation"}))["barrier"] == {"code": "motivation"}
    later = datetime.now(UTC) + timedelta(days=1)
    await place.act(swim, "extend", "therapist", due=later.isoformat())
    await place.tick("close", later + timedelta(days=1))
    (passed,) = await found(place.client, f"Task?_id={swim['id']}&status=cancelled")
    assert passed["statusReason"]["coding"][0]["code"] == "window-elapsed"
    said = await got(place.api("client"), f"clients/{place.patient}/adherence")
    words = f"{said['text']} {said['note']}".lower()
    assert said["barriers"] == [{"code": "motivation", "times": 1}]
    assert not any(word in words for word in BLAMING)
    for each in (await got(place.api("client"), "barriers"))["items"]:
        assert not any(word in f"{each['title']} {each['meaning']}".lower().split() for word in BLAMING)


async def test_row_102_what_is_done_when_and_of_which_kind_becomes_visible(place: Place) -> None:
    for day in range(7):
        how = not_done("time") if day in (2, 3) else DONE
        await place.put(homework(place, day, how, "reading" if day in (2, 3, 4) else "relaxation"))
    told = await got(place.api(), f"clients/{place.patient}/adherence", by="activity,weekday,hour")
    shares = {(each["by"], each["value"].rpartition("|")[2]): each["share"] for each in told["groups"]}
    assert (shares["activity", "relaxation"], shares["activity", "reading"]) == (1, 0.33)
    assert {share for (by, _), share in shares.items() if by == "hour"} == {0.71}
    assert len([by for by, _ in shares if by == "weekday"]) == 7
    picture = await got(
        place.client,
        f"{place.subject}/$chart?kind=adherence-by&by=weekday&_format=json&language=en&start=2026-01-05&end=2026-01-11",
    )
    assert picture["alternative"]
    assert not any(word in picture["alternative"].lower() for word in BLAMING)


async def test_row_103_it_is_no_policing(place: Place) -> None:
    given = await place.given(title="Stretch", dose={"count": 2})
    for time in (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]:
        await place.act(time, "complete", helpfulness=4)
    query = f"Observation?patient={place.subject}&code={MEASURE}|adherence"
    (kept,) = await found(place.client, query)
    assert await found(place.therapist, query) == [kept]
    assert {each["code"] for each in kept["meta"]["security"]} >= {"R"}
    stays = f"{BASE}/CodeSystem/handling|stays-here"
    assert await found(place.system, f"{query}&_tag:not={stays}") == []
    assert await found(place.therapist, f"Flag?patient={place.subject}") == []
    payer = await place.person("Practitioner/payer", "user/*.rs")
    assert await found(payer, query) == []


async def test_row_104_homework_fits_a_way_of_life(place: Place) -> None:
    shared = await found(place.therapist, "ActivityDefinition?context-type-value=adaptation$community&status=active")
    assert f"{BASE}/ActivityDefinition/gratitude-shared" in {each["url"] for each in shared}
    easy = await found(place.therapist, f"ActivityDefinition?derived-from={BASE}/ActivityDefinition/thought-record")
    assert [each["url"] for each in easy] == [f"{BASE}/ActivityDefinition/thought-record-easy"]
    given = await place.given(
        activity=easy[0]["id"],
        dose={"count": 1},
        title="What the elders would say",
        why="A proverb of your own may say it best",
    )
    assert (given["title"], given["why"]) == ("What the elders would say", "A proverb of your own may say it best")
    noted = await place.act(given, "note", "therapist", note="Asked Ama, a cultural consultant, about the image")
    assert noted["notes"][0]["by"] == "Practitioner/kim"
    sheet = (await place.client.get(f"Task/{given['id']}/$handout?_format=html")).text
    assert "A proverb of your own may say it best" in sheet
