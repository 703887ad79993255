"""Rows 79 to 83: homework that fits into a week, and is understood. Docs: docs/homework-api.md, docs/reminders.md"""

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.library import BASE
from tests.capabilities.place import MEASURE, Place, found, got, library_id, sent

IO: Final = f"{BASE}/CodeSystem/homework-task-io"


async def test_row_079_timelines_bend(place: Place) -> None:
    now = datetime.now(UTC)
    given = await place.given(title="Write to your aunt", due=(now + timedelta(minutes=5)).isoformat())
    later = now + timedelta(minutes=20)  # past due, but in the hours of grace
    await place.tick("close", later)
    with place.clock(later):
        assert (await got(place.api("client"), f"assignments/{given['id']}"))["state"] == "overdue"
        more = await place.act(given, "extend", "therapist", due="2199-12-31")
        assert (more["state"], more["due"]) == ("due", "2199-12-31")
        tomorrow = (later + timedelta(days=1)).isoformat()
        rests = await place.act(given, "pause", barrier={"code": "illness"}, until=tomorrow)
        assert (rests["state"], rests["barrier"]) == ("paused", {"code": "illness"})
    await place.tick("close", later + timedelta(hours=25))
    assert (await got(place.client, f"Task/{given['id']}"))["status"] == "ready"
    whenever = await place.given(title="Think of a wish")
    await place.tick("close", now + timedelta(days=400))
    assert "due" not in whenever
    assert (await got(place.client, f"Task/{whenever['id']}"))["status"] == "ready"


async def test_row_080_a_client_chooses_the_times_of_their_week(place: Place) -> None:
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Asia/Tokyo"}
    await place.put(await got(place.system, place.subject) | {"extension": [zone]})
    dose = {"days": ["tuesday", "thursday"], "unit": "week", "times": 1, "at": ["19:30"], "minutes": 20, "count": 3}
    own = {"activity": library_id("gratitude-journal", "1.1.0"), "dose": dose}
    mine = await sent(place.api("client"), "assignments", own)
    assert {name: mine["dose"][name] for name in dose} == dose
    times = (await got(place.api("client"), "assignments", part_of=mine["id"]))["items"]
    starts = [datetime.fromisoformat(each["starts"]).astimezone(ZoneInfo("Asia/Tokyo")) for each in times]
    assert len(starts) == 3
    assert {(each.hour, each.minute) for each in starts} == {(19, 30)}
    assert {each.weekday() for each in starts} == {1, 3}
    task = await place.given(title="Call a friend")
    when: dict[str, Any] = {"days": ["sunday"], "at": ["16:00"], "where": "On the balcony"}
    assert (await place.act(task, "intend", **when))["intention"] == when
    assert "On the balcony" in (await place.client.get(f"Task/{task['id']}/$handout?_format=html")).text
    reminded = {"at": ["19:15"], "zone": "Asia/Tokyo", "email": "robin@example.org"}
    answer = await place.api("client").put(f"clients/{place.patient}/reminders", json=reminded)
    assert answer.json()["at"] == ["19:15"]


async def test_row_082_a_client_says_in_their_own_words_what_was_agreed(place: Place) -> None:
    given = await place.given(title="Notice one thought a day", instructions="Write it down as it comes.")
    mine = await place.act(given, "intend", in_own_words="Once a day I stop and write what went through my head")
    assert mine["intention"] == {"in_own_words": "Once a day I stop and write what went through my head"}
    assert mine["instructions"] == "Write it down as it comes."
    (said,) = (await got(place.therapist, f"Task/{given['id']}"))["output"]
    assert said["type"]["coding"][0]["code"] == "teach-back"
    await sent(place.api("client"), "ratings", {"kind": "comprehension", "value": 4, "assignment": given["id"]})
    told = await got(place.api(), f"clients/{place.patient}/summary")
    (words,) = [each for each in told["sections"] if each["name"] == "words"]
    assert any("I stop and write" in line for line in words["lines"])
    (rated,) = await found(place.therapist, f"Observation?focus=Task/{given['id']}&code={MEASURE}|comprehension")
    assert rated["valueInteger"] == 4


async def test_row_083_an_example_shows_how_somebody_else_does_it(place: Place) -> None:
    given = await place.given(activity=library_id("thought-record", "1.1.0"))
    task = await got(place.client, f"Task/{given['id']}")
    examples = [each for each in task["input"] if each["type"]["coding"][0]["code"] == "example"]
    assert examples
    shown = unescape((await place.client.get(f"Task/{given['id']}/$handout?_format=html")).text)
    assert all(each["valueString"] in shown for each in examples)
    film = {"title": "Kim shows it", "url": "https://m.example.org/show.mp4", "content_type": "video/mp4"}
    with_film = await place.given(title="Say no, kindly", materials=[film])
    assert with_film["materials"] == [film | {"alternative": False}]
