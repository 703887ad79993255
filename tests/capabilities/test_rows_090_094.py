"""Rows 90 to 94: what is measured, and how its course is shown. Docs: docs/instruments.md, docs/insight.md"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from tests.capabilities.place import MEASURE, Place, found, got, library_id, sent

Json = dict[str, Any]
PHQ: Final = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
GAD: Final = ("69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7")
SOME, HALF, DAILY, NEVER = "LA6569-3", "LA6570-1", "LA6571-9", "LA6568-5"
NOW: Final = datetime.now(UTC)


def all_of(items: tuple[str, ...], code: str, **others: str) -> Json:
    """The same answer to every item, but to those named."""
    return dict.fromkeys(items, code) | others


async def test_row_090_phq_9_and_gad_7_are_scored_and_followed(place: Place) -> None:
    for days, code in ((21, DAILY), (1, SOME)):
        at = (NOW - timedelta(days=days)).isoformat()
        given = await place.given(activity=library_id("phq-9", "1.1.0"), dose={"count": 1})
        await place.answered(given, all_of(PHQ, code) | {"44260-8": NEVER}, at=at)
    worry = await place.given(activity=library_id("gad-7", "1.1.0"), dose={"count": 1})
    await place.answered(worry, all_of(GAD, HALF) | {"68509-9": "LA18938-3"})
    low, high = (await got(place.api(), "scores", client=place.patient, measure="44261-6"))["items"]
    assert [(each["value"], each["band"]) for each in (high, low)] == [(24, "severe (20-27)"), (8, "mild (5-9)")]
    (anxious,) = (await got(place.api("client"), "scores", measure="70274-6"))["items"]
    assert (anxious["value"], anxious["band"]) == (14, "moderate (10-14)")
    (course,) = (await got(place.api(), f"clients/{place.patient}/measures", measure="44261-6"))["items"]
    assert [each["value"] for each in course["points"]] == [24, 8]
    assert {each["kind"]: each["holds"] for each in course["changes"]}["reliable"] is True
    assert course["slope_per_week"] < 0
    risky = await place.given(activity=library_id("phq-9", "1.1.0"), dose={"count": 1})
    await place.answered(risky, all_of(PHQ, NEVER) | {"44260-8": HALF})
    assert len(await found(place.therapist, f"Task?patient={place.subject}&code=clinician-risk-review")) == 1


async def test_row_091_how_often_something_happens_is_counted_once_each(place: Place) -> None:
    first = {"kind": "frequency", "value": 1, "what": "Checked the door"}
    count = await sent(place.api("client"), "ratings", first)
    again = {"Idempotency-Key": str(uuid4()), "If-Match": "*"}
    for _ in range(2):  # the phone lost its connection and sends it again
        answer = await place.api("client").post(f"ratings/{count['id']}/increment", json={"by": 2}, headers=again)
        assert answer.json()["value"] == 3
    event = f"Observation/{count['id']}/$increment?event={uuid4()}"
    for _ in range(2):
        assert (await place.client.post(event)).status_code == 200
    kept = await got(place.therapist, f"Observation/{count['id']}")
    assert (kept["valueInteger"], kept["code"]["coding"][0]["code"]) == (4, "frequency")
    given = await place.given(activity=library_id("frequency-count"), dose={"count": 1})
    period = {"from": "2026-03-01T08:00:00Z", "to": "2026-03-01T22:00:00Z"}
    told = await place.answered(given, {"what": "Bit my nails", "count": 7} | period)
    (counted,) = await found(place.therapist, f"Observation?derived-from=QuestionnaireResponse/{told['id']}")
    assert (counted["valueInteger"], counted["code"]["coding"][0]["code"]) == (7, "frequency")


async def test_row_092_distress_is_rated_before_at_its_peak_and_after(place: Place) -> None:
    given = await place.given(title="Ride the lift")
    body = {"kind": "suds", "before": 60, "peak": 85, "after": 30, "assignment": given["id"]}
    refused = await place.api("client").post("ratings", json=body | {"peak": 130})
    assert refused.status_code == 400
    assert "0 to 100" in refused.text
    kept = await sent(place.api("client"), "ratings", body)
    assert {name: kept[name] for name in body} == body
    (rated,) = await found(place.therapist, f"Observation?focus=Task/{given['id']}&code={MEASURE}|suds")
    parts = {each["code"]["coding"][0]["code"]: each["valueInteger"] for each in rated["component"]}
    assert parts == {"suds-pre": 60, "suds-peak": 85, "suds-post": 30}
    picture = await got(place.client, f"{place.subject}/$chart?kind=exposure&_format=json&language=en")
    assert [each["peak"] for each in picture["series"]["steps"]] == [85]


async def test_row_093_goals_have_levels_and_a_t_score(place: Place) -> None:
    words = ("No call", "One call a month", "One call a week", "Two a week", "A call whenever I like")
    levels = [{"level": level, "text": text} for level, text in zip(range(-2, 3), words, strict=True)]
    goal = await sent(place.api("client"), "goals", {"text": "Phone friends", "levels": levels})
    assert [each["text"] for each in goal["levels"]] == list(words)
    await sent(place.api("client"), f"goals/{goal['id']}/attainment", {"level": -1, "at": "2026-01-05"})
    await sent(place.api("client"), f"goals/{goal['id']}/attainment", {"level": 1, "at": "2026-03-05"})
    await sent(place.api(), f"goals/{goal['id']}/attainment", {"level": 0, "at": "2026-03-05"})
    rated = (await got(place.api(), f"goals/{goal['id']}/attainment"))["items"]
    assert sorted((each["by"], each["level"]) for each in rated) == [
        (place.subject, -1), (place.subject, 1), ("Practitioner/kim", 0),
    ]  # fmt: skip
    own = await found(
        place.therapist, f"Observation?patient={place.subject}&code={MEASURE}|gas-t-score&date=2026-03-05"
    )
    assert sorted(
        each["valueQuantity"]["value"] if "valueQuantity" in each else each["valueInteger"] for each in own
    ) == [50, 60]


async def test_row_094_a_measure_comes_back_by_the_calendar(place: Place) -> None:
    given = await place.given(activity=library_id("gad-7", "1.1.0"), due=(NOW + timedelta(days=27)).date().isoformat())
    assert given["dose"]["unit"] == "week"
    times = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    assert len(times) >= 2
    await place.answered(times[0], all_of(GAD, SOME))
    whole = await got(place.api(), f"assignments/{given['id']}")
    assert (whole["progress"], whole["state"]) == ({"done": 1, "planned": 4}, "started")
    await place.tick("roll", NOW + timedelta(days=14))
    later = (await got(place.api("client"), "assignments", part_of=given["id"], state="upcoming"))["items"]
    assert len(later) == 3
    by_request = f"Observation?based-on={given['fhir']['request']}&code=http://loinc.org|70274-6"
    assert [each["valueInteger"] for each in await found(place.therapist, by_request)] == [7]
    link = await sent(place.api("client"), f"clients/{place.patient}/calendar-links", {"details": True})
    assert (await place.client.get(link["url"])).text.count(f"SUMMARY:{given['title']}") == 3
