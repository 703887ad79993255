"""Rows 84 to 89: homework that is kind, discreet and safe. Docs: docs/reminders.md, docs/instruments.md, docs/library.md"""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.library import BASE
from tests.capabilities.place import MEASURE, Place, found, got, library_id, sent, to

Json = dict[str, Any]


async def test_row_084_progress_counts_and_rules_are_put_to_the_test(place: Place) -> None:
    part = await place.act(await place.given(title="Tidy one drawer"), "complete", partly=True)
    assert part["state"] == "partly-done"
    counted = await got(place.api("client"), f"clients/{place.patient}/adherence")
    assert (counted["partly"], counted["not_done"], counted["share"]) == (1, 0, 0.5)
    given = await place.given(activity=library_id("good-enough"))
    (trial, *_) = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    answers = {
        "prediction": "They will all see the typo", "belief-pre": 80, "belief-post": 20,
        "outcome": "Nobody said a word", "learned": "Good enough is enough",
    }  # fmt: skip
    kept = await place.answered(trial, answers)
    (surer,) = await found(
        place.therapist, f"Observation?derived-from=QuestionnaireResponse/{kept['id']}&code={MEASURE}|belief"
    )
    assert [each["valueInteger"] for each in surer["component"]] == [80, 20]


async def test_row_085_effort_is_welcomed(place: Place) -> None:
    given = await place.act(await place.given(title="Go to the party"), "decline", barrier={"code": "fear-of-failure"})
    word = {
        "resourceType": "Communication", "status": "completed", "basedOn": [to(f"Task/{given['id']}")],
        "subject": to(place.subject), "recipient": [to(place.subject)], "sender": to("Practitioner/kim"),
        "payload": [{"contentString": "You thought about going. That took courage."}],
    }  # fmt: skip
    assert (await place.therapist.post("Communication", json=word)).status_code == 201
    (read,) = await found(place.client, f"Communication?based-on=Task/{given['id']}")
    assert read["payload"] == word["payload"]
    await place.act(given, "note", "therapist", note="We find a smaller one together")
    (listed,) = (await got(place.api("client"), "assignments", state="declined"))["items"]
    assert [(each["text"], each["by"]) for each in listed["notes"]] == [
        ("We find a smaller one together", "Practitioner/kim")
    ]


async def test_row_086_what_a_client_does_stays_private_at_home(place: Place) -> None:
    assert (await got(place.api("client"), f"clients/{place.patient}/reminders"))["discreet"] is True
    given = await place.given(activity=library_id("free-journal"))
    link = await sent(place.api("client"), f"clients/{place.patient}/calendar-links", {})
    calendar = (await place.client.get(link["url"])).text
    assert "Something to do" in calendar
    assert given["title"] not in calendar
    sheet = (await place.client.get(f"Task/{given['id']}/$handout?discreet=true&_format=html")).text
    assert "Practice sheet" in sheet
    assert given["title"] not in sheet
    (time, *_) = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    kept = await place.answered(time, {"words": "Not for anybody else"}, private=True)
    assert kept["private"] is True
    assert (await place.api().get(f"answers/{kept['id']}")).status_code == 404
    stopped = await place.act(given, "pause", barrier={"code": "privacy"})
    assert stopped["barrier"]["code"] == "privacy"


async def test_row_087_homework_has_a_safe_time_and_place(place: Place) -> None:
    dose = {"when": ["evening"], "minutes": 10, "count": 3}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    given = await place.given(activity=library_id("safe-place"), dose=dose, starts=tomorrow)
    where = "In the garden shed, when the others are out"
    assert (await place.act(given, "intend", where=where))["intention"] == {"where": where}
    assert (await got(place.api(), f"assignments/{given['id']}"))["intention"] == {"where": where}
    for discreet, shown in (("false", True), ("true", False)):
        sheet = await place.client.get(f"Task/{given['id']}/$handout?_format=html&discreet={discreet}")
        assert (where in sheet.text) is shown
    times = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    assert {(each["starts"][11:13], each["due"][11:13]) for each in times} == {("18", "21")}
    assert (await place.act(times[0], "complete"))["state"] == "done"


async def test_row_088_some_exercises_nobody_notices(place: Place) -> None:
    unseen = (await got(place.api(), "library/activities", format="unseen", limit=100))["items"]
    titles = {each["title"] for each in unseen}
    assert "Five senses: back to here and now" in titles
    assert all("unseen" in each["fit"]["formats"] for each in unseen)
    assert "sleep-diary" not in {each["type"] for each in unseen}
    chosen = next(each for each in unseen if each["title"].startswith("Five senses"))
    given = await place.given(activity=chosen["id"])
    task = await got(place.client, f"Task/{given['id']}")
    formats = [
        coding["code"]
        for each in task["input"]
        for coding in each.get("valueCodeableConcept", {}).get("coding", ())
        if coding["system"] == f"{BASE}/CodeSystem/homework-format"
    ]
    assert "unseen" in formats


async def test_row_089_what_is_not_safe_reaches_a_clinician(place: Place) -> None:
    given = await place.given(title="Talk to your brother alone")
    left = await place.act(given, "decline", barrier={"code": "safety", "text": "He gets violent"})
    assert left["state"] == "declined"
    queue = f"Task?patient={place.subject}&code=clinician-risk-review&status=requested&_sort=due"
    (review,) = await found(place.therapist, queue)
    assert (review["owner"], review["priority"]) == (to("Practitioner/kim"), "asap")
    assert "violent" not in str(review)
    (flag,) = await found(place.therapist, f"Flag?patient={place.subject}")
    assert flag["status"] == "active"
    assert await found(place.client, f"Flag?patient={place.subject}") == []
    assert await found(place.client, queue) == []
    (help_,) = await found(place.client, f"Communication?recipient={place.subject}&category=crisis-information")
    assert help_["payload"][0]["contentString"]
    await place.tick("escalate", datetime.now(UTC) + timedelta(hours=25))
    told = await found(place.therapist, f"Communication?subject={place.subject}&category=risk-escalation")
    assert [to("Practitioner/kim") in each["recipient"] for each in told] == [True]
    taken = await got(place.therapist, f"Task/{review['id']}")
    answer = await place.therapist.put(f"Task/{review['id']}", json=taken | {"status": "completed"})
    assert answer.status_code == 200, answer.text
    assert (await got(place.therapist, f"Flag/{flag['id']}"))["status"] == "inactive"
