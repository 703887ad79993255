"""Rows 52 to 59: steps that fit, and what is made of homework in the session. Docs: docs/homework-api.md, docs/insight.md"""

from datetime import UTC, datetime
from typing import Any

from tests.capabilities.place import ACTIVITY, MEASURE, Place, found, got, library_id, sent, to

Json = dict[str, Any]
EXPOSURE = library_id("graded-exposure", "1.1.0")
EASY: Json = {
    "situation": "Asked where the bread is", "suds-pre": 40, "suds-peak": 40, "suds-post": 15,
}  # fmt: skip
WORRY_TIME = library_id("worry-time", "1.1.0")


async def times(place: Place, series: Json) -> list[Json]:
    """The times of a series, the next first."""
    items: list[Json] = (await got(place.api(), "assignments", part_of=series["id"]))["items"]
    return items


async def test_row_052_easy_steps_make_a_proposal_that_the_therapist_confirms(place: Place) -> None:
    ladder = await place.given(activity=EXPOSURE)
    first, second, *_ = await times(place, ladder)
    for each in (first, second):
        await place.answered(each, EASY)
    await place.tick("propose", datetime.now(UTC))
    (asked,) = (await got(place.api(), "proposals", client=place.patient, state="waiting"))["items"]
    assert (asked["kind"], asked["assignment"]) == ("step-up", ladder["id"])
    assert (await got(place.api("client"), "proposals"))["items"] == []
    assert (await got(place.api(), f"assignments/{ladder['id']}"))["state"] == "started"
    yes = await sent(place.api(), f"proposals/{asked['id']}/accept", {}, 200)
    assert yes["state"] == "accepted"
    step = await sent(place.api(), f"assignments/{ladder['id']}/replace", {"title": "Ask for help in a shop"})
    assert (step["replaces"], step["title"]) == (ladder["id"], "Ask for help in a shop")


async def test_row_053_longer_practice_is_a_new_prescription_that_names_the_one_before(place: Place) -> None:
    five = await place.given(activity=library_id("slow-breathing", "1.1.0"))
    dose = {"times": 2, "unit": "day", "minutes": 10}
    ten = await sent(place.api(), f"assignments/{five['id']}/replace", {"dose": dose, "reason": "Five went well"})
    assert (five["dose"]["minutes"], ten["dose"]["minutes"]) == (5, 10)
    twenty = await sent(place.api(), f"assignments/{ten['id']}/replace", {"dose": dose | {"minutes": 20}})
    (newest,) = await found(place.therapist, f"ServiceRequest?replaces={ten['fhir']['request']}")
    assert twenty["fhir"]["request"] == f"ServiceRequest/{newest['id']}"
    assert newest["occurrenceTiming"]["repeat"]["duration"] == 20
    states = [(await got(place.api(), f"assignments/{each['id']}"))["state"] for each in (five, ten, twenty)]
    assert states == ["withdrawn", "withdrawn", "due"]


async def test_row_054_what_is_done_waits_in_a_list_until_it_was_talked_through(place: Place) -> None:
    walk, call = await place.given(title="Take a walk"), await place.given(title="Call a friend")
    for each in (walk, call):
        await place.act(each, "complete")
    due = f"Task?patient={place.subject}&status=completed&business-status:not=reviewed"
    assert {each["id"] for each in await found(place.therapist, due)} == {walk["id"], call["id"]}
    waiting = {"client": place.patient, "state": "done", "reviewed": "false"}
    assert len((await got(place.api(), "assignments", **waiting))["items"]) == 2
    await place.act(walk, "review", "therapist")
    assert [each["id"] for each in (await got(place.api(), "assignments", **waiting))["items"]] == [call["id"]]
    seen = (await got(place.api("client"), "assignments", reviewed="true"))["items"]
    assert [(each["id"], each["reviewed"]) for each in seen] == [(walk["id"], True)]


async def test_row_055_what_went_well_is_seen_and_said(place: Place) -> None:
    goal = await sent(place.api(), "goals", {"client": place.patient, "text": "One new person a week"})
    for each in range(3):
        await place.act(await place.given(title=f"Say hello, {each}"), "complete")
    counted = await got(place.api("client"), f"clients/{place.patient}/adherence")
    assert counted["in_a_row"] == {"current": 3, "longest": 3}
    picture = await place.client.get(counted["chart"], headers={"Accept": "image/svg+xml"})
    assert picture.text.startswith("<svg ")
    assert not any(word in counted["text"].lower() for word in ("fail", "miss", "poor"))
    words = {
        "resourceType": "Communication", "status": "completed", "subject": to(place.subject),
        "recipient": [to(place.subject)], "payload": [{"contentString": "Three in a row: that was brave."}],
    }  # fmt: skip
    assert (await place.therapist.post("Communication", json=words)).status_code == 201
    (read,) = await found(place.client, f"Communication?recipient={place.subject}")
    assert read["payload"] == words["payload"]
    answer = await place.api().patch(f"goals/{goal['id']}", json={"attainment": "achieved"})
    assert answer.status_code == 200, answer.text
    assert (await got(place.client, f"Goal/{goal['id']}"))["achievementStatus"]["coding"][0]["code"] == "achieved"


async def test_row_056_what_got_in_the_way_is_named_and_a_plan_noted(place: Place) -> None:
    given = await place.given(title="Go for a run")
    known = {each["code"] for each in (await got(place.api("client"), "barriers"))["items"]}
    assert {"time", "motivation", "too-hard"} <= known
    barrier = {"code": "time", "text": "The children were ill"}
    left = await place.act(given, "decline", barrier=barrier, note="Ten minutes at lunch would do")
    assert (left["state"], left["barrier"]) == ("declined", barrier)
    planned = await place.act(left, "note", "therapist", note="Then let us try lunch on Tuesdays")
    assert [each["by"] for each in planned["notes"]] == [place.subject, "Practitioner/kim"]
    named = f"Task?patient={place.subject}&status-reason={ACTIVITY.replace('activity-type', 'barrier')}|time"
    assert [each["id"] for each in await found(place.therapist, named)] == [given["id"]]
    counted = await got(place.api(), f"clients/{place.patient}/adherence")
    assert counted["barriers"] == [{"code": "time", "times": 1}]


async def test_row_057_a_review_begins_with_how_it_was(place: Place) -> None:
    review = await place.given(activity=library_id("session-review"))
    (form,) = (await got(place.api(), "library/forms", url=review["form"]))["items"]
    assert [each["key"] for each in form["questions"]][:3] == ["which", "experience", "insight"]
    said = {"experience": "Hard at first, lighter in the end", "done": "done", "adjust": ["keep"], "quality": 3}
    (time, *_) = await times(place, review) if review["kind"] == "series" else [review]
    path = f"assignments/{time['id']}/answers"
    refused = await place.api().post(path, json={"answers": {"done": "done", "adjust": ["keep"]}, "submit": True})
    assert refused.status_code == 422
    assert "experience" in refused.text
    kept = await sent(place.api(), path, {"answers": said, "submit": True})
    assert kept["by"] == "Practitioner/kim"
    quality = f"Observation?derived-from=QuestionnaireResponse/{kept['id']}&code={MEASURE}|quality"
    assert [each["valueInteger"] for each in await found(place.therapist, quality)] == [3]


async def test_row_058_insights_and_challenges_are_kept_with_the_plan(place: Place) -> None:
    given = await place.given(title="Write down one worry a day")
    await place.act(given, "complete", reflection="Most of them never came true")
    said = "Sees that worries are guesses; evenings stay hard"
    reviewed = await place.act(given, "review", "therapist", progress=said)
    assert reviewed["reviewed"] is True
    (plan,) = await found(place.client, f"CarePlan?subject={place.subject}")
    (activity,) = plan["activity"]
    assert activity["reference"]["reference"] == given["fhir"]["request"]
    (note,) = activity["progress"]
    assert (note["text"], note["authorReference"]["reference"]) == (said, "Practitioner/kim")


async def test_row_059_homework_is_tied_to_goals_and_goals_to_what_shows_them(place: Place) -> None:
    goal = await sent(place.api("client"), "goals", {"text": "Sleep through the night"})
    given = await place.given(activity=WORRY_TIME, goals=[goal["id"]])
    assert given["goals"] == [goal["id"]]
    (time, *_) = await times(place, given)
    await place.act(time, "complete")
    by_goal = await got(place.api(), f"clients/{place.patient}/adherence", by="goal")
    assert [(each["value"], each["done"]) for each in by_goal["groups"]] == [(f"Goal/{goal['id']}", 1)]
    shown = await sent(place.api("client"), f"goals/{goal['id']}/attainment", {"level": 1})
    (rating,) = await found(place.therapist, f"Observation?focus=Goal/{goal['id']}&code=107334-5")
    assert rating["id"] == shown["id"]
    kept = await got(place.system, f"Goal/{goal['id']}")
    await place.put(kept | {"outcomeReference": [to(f"Observation/{shown['id']}")]})
    assert (await got(place.client, f"Goal/{goal['id']}"))["outcomeReference"][0]["reference"].endswith(shown["id"])
