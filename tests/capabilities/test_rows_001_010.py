"""Rows 1 to 10 of tests/cases/capabilities.json: homework given, done, kept and carried on. Docs: docs/homework.md"""

from typing import Final

from tests.capabilities.place import MEASURE, Place, code_of, day, found, got, library_id, sent

JOURNAL: Final = library_id("free-journal")
THOUGHTS: Final = library_id("thought-record", "1.1.0")


async def test_row_001_work_is_given_for_the_time_between_sessions(place: Place) -> None:
    given = await place.given(title="Call a friend", set="session-3", starts=day(-1), due=day(6))
    assert (given["state"], given["kind"], given["therapist"]) == ("due", "single", "Practitioner/kim")
    (task,) = await found(place.client, f"Task?owner={place.subject}&status=ready")
    assert task["description"] == "Call a friend"
    assert task["groupIdentifier"]["value"] == "session-3"
    (mine,) = (await got(place.api("client"), "assignments", state="due"))["items"]
    started = await place.act(mine, "start")
    done = await place.act(started, "complete", reflection="We talked for an hour")
    assert (done["state"], done["reflection"]) == ("done", "We talked for an hour")
    history = await got(place.system, f"Task/{given['id']}/_history")
    assert [each["resource"]["status"] for each in history["entry"]] == ["completed", "in-progress", "ready"]


async def test_row_002_a_journal_is_saved_as_a_draft_and_shared_only_when_its_writer_says_so(place: Place) -> None:
    task = await place.given(activity=JOURNAL, dose={"count": 1})
    app, text = place.api("client"), {"words": "I was angry, and then sad"}
    draft = await sent(app, f"assignments/{task['id']}/answers", {"answers": text, "private": True})
    assert (draft["state"], draft["private"]) == ("draft", True)
    kept = await sent(app, f"answers/{draft['id']}/submit", {"answers": text | {"mood": 3}}, 200)
    assert kept["answers"]["mood"] == 3
    assert (await place.api().get(f"answers/{kept['id']}")).status_code == 404
    assert await found(place.therapist, f"Observation?patient={place.patient}&code={MEASURE}|mood") == []
    assert not (await sent(app, f"answers/{kept['id']}/share", status=200))["private"]
    assert (await got(place.api(), f"answers/{kept['id']}"))["answers"]["words"] == "I was angry, and then sad"
    assert (await sent(app, f"answers/{kept['id']}/unshare", status=200))["private"]
    assert (await place.api().get(f"answers/{kept['id']}")).status_code == 404


async def test_row_003_mindfulness_is_practised_again_and_again_and_its_minutes_are_kept(place: Place) -> None:
    activity = library_id("mindful-breathing", "1.1.0")
    series = await place.given(activity=activity, starts=day(), due=day(6), dose={"minutes": 10})
    assert (series["kind"], series["progress"]["planned"]) == ("series", 7)
    (now,) = (await got(place.api("client"), "assignments", part_of=series["id"], state="due"))["items"]
    minutes = {"kind": "practice-minutes", "value": 12, "assignment": now["id"]}
    assert (await place.act(now, "complete"))["state"] == "done"
    await sent(place.api("client"), "ratings", minutes)
    again = await got(place.api(), f"assignments/{series['id']}")
    assert (again["progress"]["done"], again["progress"]["planned"]) == (1, 7)
    (kept,) = await found(place.therapist, f"Observation?focus=Task/{now['id']}&code={MEASURE}|practice-minutes")
    assert kept["valueInteger"] == 12


async def test_row_004_a_thought_record_leads_through_its_questions_in_order(place: Place) -> None:
    address = f"Questionnaire/{library_id('thought-record', '1.1.0', 'Questionnaire')}"
    form = await got(place.api("client"), f"library/forms/{library_id('thought-record', '1.1.0', 'Questionnaire')}")
    keys = [each["key"] for each in form["questions"]]
    assert keys[:4] == ["situation", "setting", "emotion", "thought"]
    after = next(each for each in form["questions"] if each["key"] == "alternative")
    assert after["shown_when"][0]["question"] in keys[: keys.index("alternative")]
    filled = await got(place.client, f"{address}/$populate?subject={place.subject}")
    response = next(each["resource"] for each in filled["parameter"] if each["name"] == "response")
    assert response["subject"]["reference"] == place.subject
    short = response | {
        "status": "completed",
        "item": [{"linkId": "situation", "answer": [{"valueString": "On the bus"}]}],
    }
    outcome = (await place.client.post("QuestionnaireResponse/$validate", json=short)).json()
    missing = [each for each in outcome["issue"] if each["severity"] == "error"]
    assert [each["details"]["coding"][0]["code"] for each in missing] == ["answer-missing"]
    assert "thought" in missing[0]["diagnostics"]


async def test_row_005_a_reflection_in_ones_own_words_is_there_at_the_session(place: Place) -> None:
    given = await place.given(activity=library_id("self-reflection", "1.1.0"))
    answers = await place.answered(given, {"words": "I say yes too soon", "noticed": "It is easier on foot"})
    assert answers["state"] == "submitted"
    other = await place.given(title="Walk home a new way", type="self-reflection")
    told = await place.act(other, "complete", reflection="I saw the river")
    assert told["reflection"] == "I saw the river"
    summary = await got(place.api(), f"clients/{place.patient}/summary")
    words = next(each for each in summary["sections"] if each["name"] == "words")
    said = " ".join(words["lines"])
    assert all(each in said for each in ("I say yes too soon", "It is easier on foot", "I saw the river"))


async def test_row_006_a_skill_is_practised_and_counted(place: Place) -> None:
    given = await place.given(title="Say no when you mean no", type="skill-practice", due=day(), dose={"times": 1})
    counted = {"kind": "frequency", "value": 1, "what": "Said no", "assignment": given["id"]}
    rating = await sent(place.api("client"), "ratings", counted)
    more = await place.api("client").post(
        f"ratings/{rating['id']}/increment", json={"by": 2}, headers={"Idempotency-Key": "e0f1"}
    )
    assert more.json()["value"] == 3, more.text
    (today,) = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    await place.act(today, "complete", helpfulness=4)
    (kept,) = await found(place.therapist, f"Observation?patient={place.patient}&code={MEASURE}|adherence")
    assert kept["focus"][0]["reference"] == f"Task/{given['id']}"
    assert (kept["valueRatio"]["numerator"]["value"], kept["valueRatio"]["denominator"]["value"]) == (1, 1)


async def test_row_007_something_to_read_is_done_with_a_note_or_without(place: Place) -> None:
    article = {"title": "How worry works", "url": "https://articles.example/worry", "content_type": "text/html"}
    given = await place.given(activity=library_id("reading", "1.1.0"), materials=[article])
    assert article.items() <= given["materials"][0].items()
    done = await place.act(given, "complete", reflection="The part about rain")
    assert (done["state"], done["type"]) == ("done", "reading")
    again = await place.given(activity=library_id("reading", "1.1.0"))
    assert "reflection" not in await place.act(again, "complete")


async def test_row_008_relaxation_has_a_recording_and_a_look_at_distress(place: Place) -> None:
    sound = {"title": "Muscle by muscle", "url": "https://sounds.example/pmr.mp3", "content_type": "audio/mpeg"}
    activity = library_id("progressive-muscle-relaxation", "1.1.0")
    given = await place.given(activity=activity, materials=[sound], dose={"count": 1})
    task = await got(place.client, f"Task/{given['id']}")
    recordings = [each["valueAttachment"] for each in task["input"] if "valueAttachment" in each]
    assert [(each["contentType"], each["url"]) for each in recordings] == [("audio/mpeg", sound["url"])]
    await place.answered(given, {"minutes": 15, "suds-pre": 70, "suds-post": 30})
    (distress,) = (await got(place.api(), "ratings", client=place.patient, kind="suds"))["items"]
    assert (distress["before"], distress["after"], distress["assignment"]) == (70, 30, given["id"])


async def test_row_009_a_client_takes_up_work_of_their_own_and_agrees_to_what_is_offered(place: Place) -> None:
    app = place.api("client")
    own = await sent(app, "assignments", {"activity": library_id("gratitude-journal", "1.1.0"), "due": day(6)})
    assert own["therapist"] == place.subject
    refused = await app.post("assignments", json={"activity": library_id("graded-exposure", "1.1.0")})
    assert refused.status_code == 403
    offered = await place.given(title="Write to your sister", publish="offer")
    assert offered["state"] == "offered"
    assert (await place.act(offered, "accept"))["state"] == "due"
    goal = await sent(app, "goals", {"text": "See my sister again"})
    stored = await got(place.therapist, f"Goal/{goal['id']}")
    assert stored["expressedBy"]["reference"] == place.subject


async def test_row_010_what_was_not_finished_is_carried_over_to_the_next_session(place: Place) -> None:
    first = await place.given(title="Sort the letters", set="session-3", due=day(1))
    await place.act(first, "start")
    more_time = {"reason": "Let us go on with it", "due": day(8)}
    next_one = await sent(place.api(), f"assignments/{first['id']}/replace", more_time)
    assert (next_one["replaces"], next_one["title"]) == (first["id"], "Sort the letters")
    before = await got(place.therapist, f"Task/{first['id']}")
    assert code_of(before["businessStatus"]) == "carried-over"
    (plan,) = await found(place.therapist, f"CarePlan?patient={place.patient}&category=therapy-homework")
    assert "end" not in plan["period"]
    assert len(plan["activity"]) == 2
