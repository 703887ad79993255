"""Rows 68 to 73: what worksheets become when they are digital. Docs: docs/homework-api.md, docs/insight.md"""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from tests.capabilities.place import MEASURE, Place, found, got, library_id, sent

Json = dict[str, Any]
NOW = datetime.now(UTC)
LADDER = library_id("exposure-ladder", kind="PlanDefinition")


def value(parameters: list[Json], name: str) -> Any:
    """The value of a parameter, or its parts."""
    one = next(each for each in parameters if each["name"] == name)
    return one.get("part") or next(one[each] for each in one if each.startswith("value"))


async def times(place: Place, series: Json) -> list[Json]:
    """The times of a series, the next first."""
    items: list[Json] = (await got(place.api(), "assignments", part_of=series["id"], limit=100))["items"]
    return items


async def exposed(place: Place, step: Json, peak: int) -> None:
    """An exposure: distress of that much at its strongest, which eases by thirty."""
    answers = {"situation": "Asked for the time", "suds-pre": peak - 10, "suds-peak": peak, "suds-post": peak - 30}
    await place.answered(step, answers)


async def test_row_068_a_mood_diary_becomes_a_course_in_weeks(place: Place) -> None:
    diary = await place.given(activity=library_id("mood-diary"))
    for each, mood in zip(await times(place, diary), (3, 5, 7), strict=False):
        await place.answered(each, {"mood": mood, "happened": "Rain"})
    assert [each["value"] for each in (await got(place.api(), "ratings", client=place.patient, kind="mood"))["items"]]
    trend = await got(place.client, f"{place.subject}/$trend?code={quote(MEASURE)}|mood&bucket=week")
    (course,) = [each["part"] for each in trend["parameter"] if each["name"] == "measure"]
    assert (value(course, "n"), value(course, "mean")) == (3, 5)
    (week, *_) = [each["part"] for each in course if each["name"] == "bucket"]
    assert (value(week, "lowest"), value(week, "highest")) == (3, 7)
    picture = await place.client.get(f"{place.subject}/$chart?kind=rating&code={quote(MEASURE)}|mood")
    assert picture.text.startswith("<svg ")


async def test_row_069_a_thought_record_leads_from_question_to_question(place: Place) -> None:
    record = await place.given(activity=library_id("thought-record", "1.1.0"))
    (form,) = (await got(place.api("client"), "library/forms", url=record["form"]))["items"]
    questions = {each["key"]: each for each in form["questions"]}
    assert questions["evidence-for"]["shown_when"][0]["question"] == "thought"
    assert (await got(place.client, f"Questionnaire/{form['id']}/$populate?subject={place.subject}"))["parameter"]
    (first, *_) = await times(place, record)
    path = f"assignments/{first['id']}/answers"
    draft = await sent(place.api("client"), path, {"answers": {"situation": "The bus was late"}})
    assert draft["state"] == "draft"
    early = {"situation": "The bus was late", "belief-post": 20}
    body = {"answers": early}
    refused = await place.api("client").post(f"answers/{draft['id']}/submit", json=body, headers={"If-Match": "*"})
    assert refused.status_code == 422
    assert {each["code"] for each in refused.json()["errors"]} == {"answer-missing", "answer-disabled"}
    whole = early | {"thought": "They do this to me", "belief-pre": 80, "alternative": "The road was closed"}
    kept = await sent(place.api("client"), f"answers/{draft['id']}/submit", {"answers": whole}, 200)
    beliefs = f"Observation?derived-from=QuestionnaireResponse/{kept['id']}&code=belief-pre,belief-post"
    told = {each["code"]["coding"][0]["code"]: each["valueInteger"] for each in await found(place.therapist, beliefs)}
    assert told == {"belief-pre": 80, "belief-post": 20}


async def test_row_070_relaxation_is_listened_to_and_timed(place: Place) -> None:
    audio = {
        "title": "Ten minutes of breathing",
        "url": "https://media.example.org/b.mp3",
        "content_type": "audio/mpeg",
    }
    given = await place.given(activity=library_id("slow-breathing", "1.1.0"), materials=[audio])
    (first, second, *_) = await times(place, given)
    assert audio["url"] in [each["url"] for each in first["materials"]]
    began = NOW.replace(microsecond=0)
    span = {"started_at": (began - timedelta(minutes=10)).isoformat(), "at": began.isoformat()}
    done = await place.act(first, "complete", **span)
    assert (done["state"], done["started_at"], done["ended_at"]) == ("done", span["started_at"], span["at"])
    kept = await place.answered(second, {"minutes": 12, "suds-pre": 60, "suds-post": 35})
    derived = f"Observation?derived-from=QuestionnaireResponse/{kept['id']}"
    (minutes,) = await found(place.therapist, f"{derived}&code={MEASURE}|practice-minutes")
    assert minutes["valueInteger"] == 12
    (distress,) = await found(place.therapist, f"{derived}&code={MEASURE}|suds")
    assert [each["valueInteger"] for each in distress["component"]] == [60, 35]


async def test_row_071_goals_are_a_list_with_their_progress(place: Place) -> None:
    levels = [{"level": level, "text": text} for level, text in ((-1, "Nobody"), (0, "One a week"), (1, "Two a week"))]
    goal = await sent(place.api("client"), "goals", {"text": "Meet new people", "levels": levels, "due": "2199-01-01"})
    for level, day in ((-1, "2026-03-02"), (1, "2026-03-30")):
        await sent(place.api("client"), f"goals/{goal['id']}/attainment", {"level": level, "at": day})
    (listed,) = (await got(place.api("client"), "goals"))["items"]
    assert (listed["text"], [each["text"] for each in listed["levels"]]) == (
        "Meet new people", ["Nobody", "One a week", "Two a week"],
    )  # fmt: skip
    course = (await got(place.api("client"), f"goals/{goal['id']}/attainment"))["items"]
    assert [each["level"] for each in course] == [1, -1]
    told = await got(place.therapist, f"{place.subject}/$goal-attainment")
    score = value(told["parameter"], "score")
    assert (value(score, "baseline"), value(score, "score"), value(score, "change")) == (40, 60, 20)


async def test_row_072_activities_stand_in_a_calendar_and_are_rated(place: Place) -> None:
    dose = {"times": 1, "unit": "day", "at": ["17:30"], "minutes": 20}
    given = await place.given(activity=library_id("behavioural-activation", "1.1.0"), dose=dose)
    link = await sent(place.api("client"), f"clients/{place.patient}/calendar-links", {"details": True})
    async with place.house.client() as anybody:
        calendar = (await anybody.get(link["url"])).text
    first, *_ = await times(place, given)
    assert calendar.count("BEGIN:VEVENT") >= 10
    assert "SUMMARY:Something worthwhile each day" in calendar
    assert f"{first['starts'][:10].replace('-', '')}T1730" in calendar
    entry = {"activity": "Went swimming", "mood": 6, "pleasure": 7, "mastery": 5}
    kept = await place.answered(first, {"entry": [entry]})
    rated = await found(place.therapist, f"Observation?derived-from=QuestionnaireResponse/{kept['id']}")
    assert {each["code"]["coding"][0]["code"]: each["valueInteger"] for each in rated} == {
        "mood": 6, "pleasure": 7, "mastery": 5,
    }  # fmt: skip


async def test_row_073_a_ladder_opens_its_next_step_as_distress_falls(place: Place) -> None:
    asked = f"PlanDefinition/{LADDER}/$apply?subject={place.subject}&practitioner=Practitioner/kim"
    (group,) = [
        each for each in (await got(place.therapist, asked))["contained"] if each["resourceType"] == "RequestGroup"
    ]
    assert [each["title"] for each in group["action"]] == ["Say hello to a neighbour"]
    given = await place.given(activity=library_id("graded-exposure", "1.1.0"), title="Say hello to a neighbour")
    for step, peak in zip(await times(place, given), (80, 60, 40), strict=False):
        await exposed(place, step, peak)
    picture = await got(place.client, f"{place.subject}/$chart?kind=exposure&_format=json")
    assert [each["peak"] for each in picture["series"]["steps"]] == [80, 60, 40]
    assert "first 80, last 40, 40 lower" in picture["alternative"]
    (group,) = [
        each for each in (await got(place.therapist, asked))["contained"] if each["resourceType"] == "RequestGroup"
    ]
    assert [each["title"] for each in group["action"]][:2] == [
        "Say hello to a neighbour", "Ask somebody in the street for the time",
    ]  # fmt: skip
