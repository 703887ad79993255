"""Rows 27 to 32 of tests/cases/capabilities.json: circumstances, means and aims of a client. Docs: docs/homework.md"""

from base64 import b64encode
from datetime import timedelta
from io import BytesIO

from pypdf import PdfReader

from schemas import dates
from tests.capabilities.place import MEASURE, Place, code_of, day, found, got, library_id, sent, to

LOINC = "http://loinc.org"


async def test_row_027_life_comes_between_and_homework_rests_until_then(place: Place) -> None:
    series = await place.given(title="A short walk", type="physical-activity", starts=day(), due=day(6), dose={})
    barrier = {"code": "life-event", "text": "My father is in hospital"}
    paused = await place.act(series, "pause", barrier=barrier, until=day(3))
    assert (paused["state"], paused["barrier"], paused["paused_until"]) == ("paused", barrier, day(3))
    await place.tick("close", dates.clock() + timedelta(days=4))
    again = await got(place.api("client"), f"assignments/{series['id']}")
    assert again["state"] not in ("paused", "missed", "withdrawn")
    assert "barrier" not in again
    how = await got(place.api(), f"clients/{place.patient}/adherence")
    assert how["not_done"] == 0
    assert how["left_out"] > 0


async def test_row_027_what_weighs_on_somebody_stands_in_their_plan(place: Place) -> None:
    await place.given(title="A short walk")
    active = {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
    stressor = {
        "resourceType": "Condition", "subject": to(place.subject), "code": {"text": "Caring for a parent"},
        "clinicalStatus": {"coding": [active]},
    }  # fmt: skip
    condition = await sent(place.therapist, "Condition", stressor)
    (plan,) = await found(place.therapist, f"CarePlan?patient={place.patient}&category=therapy-homework")
    plan["supportingInfo"] = [to(f"Condition/{condition['id']}")]
    assert (await place.therapist.put(f"CarePlan/{plan['id']}", json=plan)).status_code == 200
    (kept,) = await found(place.therapist, f"CarePlan?_id={plan['id']}")
    assert kept["supportingInfo"] == [to(f"Condition/{condition['id']}")]


async def test_row_028_what_is_too_much_is_made_simpler_and_smaller(place: Place) -> None:
    easy = (await got(place.api(), "library/activities", reading_level="easy", title="thought"))["items"]
    assert [each["title"] for each in easy] == ["Three questions to a thought"]
    given = await place.given(activity=library_id("thought-record", "1.1.0"), dose={"count": 1})
    simpler = {"activity": easy[0]["id"], "dose": {"count": 1}}
    instead = await sent(place.api(), f"assignments/{given['id']}/replace", simpler)
    assert (instead["title"], instead["replaces"]) == ("Three questions to a thought", given["id"])
    chores = await place.given(title="Clear the table", due=day(6))
    steps = [{"title": "The letters", "instructions": "Only today's"}, {"title": "The cups"}]
    await sent(place.api(), f"assignments/{chores['id']}/split", {"steps": steps}, 200)
    pieces = (await got(place.api("client"), "assignments", part_of=chores["id"]))["items"]
    assert {each["title"]: each["kind"] for each in pieces} == {"The letters": "step", "The cups": "step"}
    for each in pieces:
        await place.act(each, "complete")
    whole = await got(place.api(), f"assignments/{chores['id']}")
    assert (whole["state"], whole["progress"]["done"]) == ("done", 2)


async def test_row_029_who_is_not_at_home_with_apps_works_on_paper(place: Place) -> None:
    asked = await place.given(activity=library_id("homework-preferences"), dose={"count": 1})
    said = {"technology": "prefer-paper", "format": ["print"]}
    await sent(place.api(), f"assignments/{asked['id']}/answers", {"answers": said, "submit": True})
    given = await place.given(activity=library_id("thought-record-easy"), dose={"count": 1})
    sheet = await place.therapist.get(f"Task/{given['id']}/$handout", headers={"Accept": "application/pdf"})
    text = "".join(each.extract_text() for each in PdfReader(BytesIO(sheet.content)).pages)
    assert "Three questions to a thought" in text
    on_paper = {"situation": "At the till", "thought": "I take too long", "belief-pre": 60}
    begun = await sent(place.api(), f"assignments/{given['id']}/answers", {"answers": {"situation": "At the till"}})
    copied = {"answers": on_paper, "at": f"{day(-1)}T18:00:00Z"}
    written = await sent(place.api(), f"answers/{begun['id']}/submit", copied, 200)
    assert (written["by"], written["at"]) == ("Practitioner/kim", f"{day(-1)}T18:00:00Z")
    assert (await got(place.api("client"), f"assignments/{given['id']}"))["state"] == "done"
    assert (await got(place.api("client"), f"answers/{written['id']}"))["answers"] == on_paper


async def test_row_030_what_somebody_likes_becomes_their_homework(place: Place) -> None:
    goal = await sent(place.api("client"), "goals", {"text": "Sing in the choir again"})
    given = await place.given(
        title="Sing one song in the kitchen", type="creative", goals=[goal["id"]], dose={"count": 1}
    )
    assert (given["title"], given["goals"]) == ("Sing one song in the kitchen", [goal["id"]])
    week = await place.given(activity=library_id("activity-schedule"), dose={"count": 1})
    plan = [{"day": "saturday", "activity": "Choir, only listening", "became": "done", "pleasure": 8, "mastery": 5}]
    await place.answered(week, {"plan": plan, "mood": 7})
    (pleasure,) = (await got(place.api(), "ratings", client=place.patient, kind="pleasure"))["items"]
    assert pleasure["value"] == 8


async def test_row_031_an_app_and_paper_lead_to_the_same_place(place: Place) -> None:
    paper = {"title": "The diary to print", "url": "https://sheets.example/diary.pdf", "alternative": True}
    given = await place.given(title="Keep a diary", type="journaling", materials=[paper])
    task = await got(place.client, f"Task/{given['id']}")
    (other,) = (each for each in task["input"] if "valueAttachment" in each)
    assert code_of(other["type"]) == "alternative-format"
    photo = {
        "resourceType": "DocumentReference", "status": "current", "subject": to(place.subject),
        "author": [to(place.subject)], "context": {"related": [to(f"Task/{given['id']}")]},
        "content": [{"attachment": {"contentType": "image/jpeg", "title": "My page", "data": b64encode(b"page").decode()}}],
    }  # fmt: skip
    await sent(place.client, "DocumentReference", photo)
    await place.act(given, "complete", note="I wrote it by hand")
    (seen,) = await found(place.therapist, f"DocumentReference?related=Task/{given['id']}")
    assert seen["content"][0]["attachment"]["title"] == "My page"


async def test_row_032_homework_serves_goals_and_goals_show_what_it_did(place: Place) -> None:
    levels = [{"level": 0, "text": "One new person a week"}, {"level": 1, "text": "Two"}]
    wanted = {"client": place.patient, "text": "Be among people", "levels": levels}
    goal = await sent(place.api(), "goals", wanted)
    given = await place.given(title="Ask one question", goals=[goal["id"]])
    task = await got(place.therapist, f"Task/{given['id']}")
    request = await got(place.therapist, task["basedOn"][0]["reference"])
    assert task["reasonReference"] == to(f"Goal/{goal['id']}")
    assert request["extension"][0]["valueReference"] == to(f"Goal/{goal['id']}")
    await place.act(given, "complete")
    by_goal = (await got(place.api(), f"clients/{place.patient}/adherence", by="goal"))["groups"]
    assert [(each["value"], each["done"]) for each in by_goal] == [(f"Goal/{goal['id']}", 1)]
    await sent(place.api("client"), f"goals/{goal['id']}/attainment", {"level": 0})
    (score,) = await found(place.therapist, f"Observation?patient={place.patient}&code={MEASURE}|gas-t-score")
    assert score["valueQuantity"]["value"] == 50
    assert score["derivedFrom"]
