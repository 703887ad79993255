"""Rows 60 to 67: homework adjusted, gathered for a session, of many kinds, reminded of. Docs: docs/homework-api.md"""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.library import BASE
from service.reminders import plan
from tests.capabilities.place import MEASURE, ORIGIN, Place, found, got, library_id, sent, to
from tests.jobs.beside import posting
from tests.jobs.scene import scene

Json = dict[str, Any]
FORMAT = f"{BASE}/CodeSystem/homework-format"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
NOW = datetime.now(UTC)


async def parts(place: Place, series: Json) -> list[Json]:
    items: list[Json] = (await got(place.api(), "assignments", part_of=series["id"]))["items"]
    return items


async def test_row_060_one_call_adjusts_what_comes_next(place: Place) -> None:
    given = await place.given(title="Run for half an hour", why="Moving lifts the mood", set="session-3")
    body = {"title": "Walk for ten minutes", "reason": "A smaller step first", "note": "As we said on Monday"}
    instead = await sent(place.api(), f"assignments/{given['id']}/replace", body)
    assert (instead["state"], instead["replaces"], instead["set"]) == ("due", given["id"], "session-3")
    assert instead["why"] == "Moving lifts the mood"
    before = await got(place.api("client"), f"assignments/{given['id']}")
    assert (before["state"], before["barrier"]["text"]) == ("withdrawn", "A smaller step first")
    open_now = (await got(place.api("client"), "assignments", state="open"))["items"]
    assert [each["title"] for each in open_now] == ["Walk for ten minutes"]
    (plan_of_both,) = await found(place.therapist, f"CarePlan?subject={place.subject}")
    listed = [each["reference"]["reference"] for each in plan_of_both["activity"]]
    assert listed == [given["fhir"]["request"], instead["fhir"]["request"]]


async def test_row_061_the_first_minutes_of_a_session_are_on_one_page(place: Place) -> None:
    done, left = await place.given(title="Call a friend"), await place.given(title="Go for a run")
    await place.act(done, "complete", reflection="She was glad I called", helpfulness=4)
    await place.act(left, "start")
    await place.act(left, "decline", barrier={"code": "time", "text": "Too long a day"})
    summary = await got(place.api(), f"clients/{place.patient}/summary", language="en")
    lines = {each["name"]: " ".join(each["lines"]) for each in summary["sections"]}
    assert {"assigned", "words", "barriers", "discuss"} <= lines.keys()
    assert "She was glad I called" in lines["words"]
    assert "Go for a run" in lines["barriers"]
    assert "Call a friend" in lines["discuss"]
    document = await got(place.therapist, f"{place.subject}/$session-summary")
    assert (document["type"], document["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    about = {each["resource"].get("id") for each in document["entry"]}
    assert {done["id"], left["id"]} <= about
    page = await place.therapist.get(summary["page"])
    assert "She was glad I called" in page.text


async def test_row_062_every_six_weeks_the_whole_plan_is_looked_at(place: Place) -> None:
    with place.clock(NOW - timedelta(weeks=7)):
        await place.given(title="Write a page a day")
    (whole,) = await found(place.therapist, f"CarePlan?subject={place.subject}")
    assert whole["period"]["start"] < NOW.isoformat()
    waiting = f"Task?code=plan-review&patient={place.subject}&status=requested"
    assert await found(place.therapist, waiting) == []
    await place.tick("review-plans", NOW)
    await place.tick("review-plans", NOW)
    (review,) = await found(place.therapist, waiting)
    assert (review["focus"], review["owner"]) == (to(f"CarePlan/{whole['id']}"), to("Practitioner/kim"))
    assert await found(place.client, waiting) == []
    looked = await got(place.therapist, f"CarePlan/{whole['id']}/$session-summary")
    assert looked["entry"][0]["resource"]["resourceType"] == "Composition"


async def test_row_063_homework_can_be_written_moved_made_or_measured(place: Place) -> None:
    kinds = {
        "journaling": "free-journal",
        "physical-activity": "walk-outdoors",
        "creative": "creative-expression",
        "relaxation": "slow-breathing",
    }
    for kind, name in kinds.items():
        items = (await got(place.api("client"), "library/activities", type=kind, limit=50))["items"]
        given = await place.given(activity=next(each["id"] for each in items if f"/{name}|" in each["url"]))
        assert given["type"] == kind
    mine = (await got(place.api("client"), "assignments", whole="true"))["items"]
    assert {each["type"] for each in mine} == set(kinds)
    (drawn,) = [each for each in mine if each["type"] == "creative"]
    picture = {"content_type": "image/png", "url": "https://app.example.org/drawing.png", "title": "My week"}
    kept = await place.answered((await parts(place, drawn))[0], {"way": "drew", "work": [picture], "mood": 7})
    assert kept["answers"]["work"][0]["title"] == "My week"
    steps = {
        "resourceType": "Observation", "status": "final", "subject": to(place.subject), "effectiveDateTime": "2026-03-01",
        "category": [{"coding": [{"system": CATEGORY, "code": "activity"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]}, "valueQuantity": {"value": 8412},
    }  # fmt: skip
    assert (await place.client.post("Observation", json=steps)).status_code == 201
    trend = await got(place.therapist, f"{place.subject}/$trend?code=http://loinc.org|41950-7")
    assert trend["parameter"][0]["name"] == "measure"


async def test_row_064_the_client_chooses_among_journal_art_and_voice_memo(place: Place) -> None:
    way = library_id("your-own-way", kind="PlanDefinition")
    asked = (
        f"PlanDefinition/{way}/$apply?subject={place.subject}&practitioner=Practitioner/kim&intent=order&bundle=true"
    )
    bundle = await got(place.therapist, asked)
    made = [each["resource"] for each in bundle["entry"]]
    (choice,) = [each["action"][0] for each in made if each["resourceType"] == "RequestGroup"]
    assert (choice["selectionBehavior"], len(choice["action"])) == ("exactly-one", 3)
    assert [each["intent"] for each in made if each["resourceType"] == "ServiceRequest"] == ["option"] * 3
    assert not [each for each in made if each["resourceType"] == "Task"]
    assert (await place.therapist.post(ORIGIN + f"/t/{place.house.name}/fhir", json=bundle)).status_code == 200
    memo = await place.given(activity=library_id("voice-memo"), dose={"count": 1})
    task = await got(place.client, f"Task/{memo['id']}")
    output = {
        "type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": "chosen-format"}]},
        "valueCodeableConcept": {"coding": [{"system": FORMAT, "code": "voice"}]},
    }  # fmt: skip
    done = task | {"status": "completed", "output": [output]}
    answer = await place.client.put(f"Task/{memo['id']}", json=done, headers={"If-Match": 'W/"1"'})
    assert answer.status_code == 200, answer.text
    by_format = await got(place.api(), f"clients/{place.patient}/adherence", by="format")
    assert [(each["value"], each["done"]) for each in by_format["groups"]] == [("voice", 1)]


async def test_row_065_reminders_say_nothing_of_what_they_are_about(place: Place) -> None:
    due = (NOW + timedelta(days=1)).replace(hour=18, minute=0, second=0, microsecond=0)
    mailbox = f"{place.patient}@example.org"
    window = {"restriction": {"period": {"end": due.isoformat()}}}
    rule = {"before_due": [60], "email": mailbox, "quiet": {"start": "22:00", "end": "07:00"}}
    kept = await place.api("client").put(f"clients/{place.patient}/reminders", json=rule)
    assert kept.status_code == 200, kept.text
    assert (kept.json()["discreet"], kept.json()["quiet"]) == (True, rule["quiet"])
    async with posting() as post, scene(place.house, place.system, smtp_url=post.url) as stage:
        await stage.task(f"due-{place.patient}", place.patient, **window)
        await plan.plan(stage.engine, stage.tenant, due - timedelta(hours=1))
        await stage.work(due - timedelta(hours=1))
        (mail,) = [mail for mail, who in zip(post.mails, post.to, strict=True) if who == mailbox]
        text = f"{mail['Subject']} {mail.get_payload()}".lower()
        assert not any(word in text for word in ("walk", "robin", "therap", "homework"))
        off = await place.api("client").put(f"clients/{place.patient}/reminders", json={"on": False})
        assert off.json()["on"] is False
        await stage.task(f"late-{place.patient}", place.patient, **window)
        await plan.plan(stage.engine, stage.tenant, due - timedelta(minutes=55))
        await stage.work(due - timedelta(minutes=50))
        assert post.to.count(mailbox) == 1
    (told,) = await found(place.client, f"Communication?category=reminder&based-on=Task/due-{place.patient}")
    assert (told["status"], "payload" in told) == ("completed", False)


async def test_row_066_a_series_counts_what_is_done_of_it(place: Place) -> None:
    series = await place.given(title="Breathe slowly", dose={"times": 1, "unit": "day", "count": 3})
    assert series["progress"] == {"done": 0, "planned": 3}
    first, second, _ = await parts(place, series)
    await place.act(first, "complete")
    await place.act(second, "complete", partly=True)
    head = await got(place.client, f"Task/{series['id']}")
    ratio = next(each["valueRatio"] for each in head["output"] if "valueRatio" in each)
    assert (ratio["numerator"]["value"], ratio["denominator"]["value"]) == (1.5, 3)
    told = await got(place.api("client"), f"assignments/{series['id']}")
    assert (told["state"], told["progress"]) == ("started", {"done": 1.5, "planned": 3})
    counted = await got(place.api("client"), f"clients/{place.patient}/adherence", by="assignment")
    assert (counted["done"], counted["partly"], counted["open"]) == (1, 1, 1)


async def test_row_067_a_quiz_a_video_and_an_app_are_homework_too(place: Place) -> None:
    materials = [
        {"title": "Why fear falls", "url": "https://media.example.org/fear.mp4", "content_type": "video/mp4"},
        {"title": "The breathing app", "url": "https://app.example.org/launch"},
    ]
    given = await place.given(activity=library_id("understanding-anxiety"), materials=materials)
    assert [each["title"] for each in given["materials"]][-2:] == ["Why fear falls", "The breathing app"]
    (form,) = (await got(place.api("client"), "library/forms", url=given["form"]))["items"]
    (asked,) = [each for each in form["questions"] if each["key"] == "q1"]
    assert "alarm" in [each["value"] for each in asked["options"]]
    answers = {"q1": "alarm", "q2": "falls-by-itself", "q3": "cures", "q4": "small-steps"}
    kept = await place.answered(given, answers)
    quiz = f"Observation?derived-from=QuestionnaireResponse/{kept['id']}&code={MEASURE}|quiz-score"
    assert [each["valueInteger"] for each in await found(place.client, quiz)] == [3]
