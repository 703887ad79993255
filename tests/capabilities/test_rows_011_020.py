"""Rows 11 to 20 of tests/cases/capabilities.json: what comes of homework, and talking about it. Docs: docs/insight.md"""

from datetime import timedelta

from schemas import dates
from tests.capabilities.place import MEASURE, Json, Place, code_of, day, found, got, library_id, sent, to

THINKING = f"{MEASURE}|thinking-pattern"


def told(rows: list[Json], name: str) -> list[Json]:
    """The parts of this name in the answer of an operation, each as its values by name; nested ones are lists."""

    def value(row: Json) -> object:
        return next((each for key, each in row.items() if key.startswith("value")), row.get("part"))

    return [{part["name"]: value(part) for part in row["part"]} for row in rows if row["name"] == name]


async def thought(place: Place, **answers: object) -> Json:
    """One thought record of the client's."""
    given = await place.given(activity=library_id("thought-record", "1.1.0"), dose={"count": 1})
    return await place.answered(given, {"situation": "A glance", "thought": "They think I am odd"} | answers)


async def test_row_011_an_effort_is_answered_with_a_kind_word(place: Place) -> None:
    given = await place.given(title="Say hello to the neighbour")
    done = await place.act(given, "complete")
    task = await got(place.client, f"Task/{done['id']}")
    assert code_of(task["businessStatus"]) == "done"
    word = {
        "resourceType": "Communication", "status": "completed", "basedOn": [to(f"Task/{done['id']}")],
        "subject": to(place.subject), "recipient": [to(place.subject)], "sender": to("Practitioner/kim"),
        "payload": [{"contentString": "You went first. That took courage."}],
    }  # fmt: skip
    assert (await place.therapist.post("Communication", json=word)).status_code == 201
    (read,) = await found(place.client, f"Communication?based-on=Task/{done['id']}&recipient={place.subject}")
    assert read["payload"][0]["contentString"] == "You went first. That took courage."


async def test_row_012_confidence_is_rated_and_its_course_is_seen(place: Place) -> None:
    for ahead, value in ((-14, 3), (-7, 4), (0, 6)):
        at = (dates.clock() + timedelta(days=ahead)).isoformat(timespec="seconds")
        await sent(place.api("client"), "ratings", {"kind": "confidence", "value": value, "at": at})
    answer = await got(place.therapist, f"Patient/{place.patient}/$trend?code={MEASURE}|confidence")
    (course,) = told(answer["parameter"], "measure")
    assert (course["n"], course["lowest"], course["highest"]) == (3, 3, 6)
    assert course["slopePerWeek"] == 1.5


async def test_row_013_client_and_therapist_work_as_partners(place: Place) -> None:
    given = await place.given(title="Plan the weekend")
    await place.act(given, "note", note="Saturday is easier for me")
    talked = await place.act(given, "note", "therapist", note="Then let us begin with Saturday")
    assert [(each["by"], each["text"]) for each in talked["notes"]] == [
        (place.subject, "Saturday is easier for me"),
        ("Practitioner/kim", "Then let us begin with Saturday"),
    ]
    accepted = {
        "url": "http://hl7.org/fhir/StructureDefinition/goal-acceptance",
        "extension": [
            {"url": "individual", "valueReference": to(place.subject)},
            {"url": "status", "valueCode": "agree"},
        ],
    }
    goal = await sent(place.api(), "goals", {"client": place.patient, "text": "Weekends that do me good"})
    stored = await got(place.client, f"Goal/{goal['id']}")
    agreed = await place.client.put(f"Goal/{goal['id']}", json=stored | {"extension": [accepted]})
    assert agreed.status_code == 200, agreed.text
    assert (await got(place.therapist, f"Goal/{goal['id']}"))["extension"] == [accepted]


async def test_row_014_what_is_mastered_leads_to_the_next_step(place: Place) -> None:
    series = await place.given(title="Small talk", type="skill-practice", starts=day(-3), due=day(3), dose={})
    parts = (await got(place.api("client"), "assignments", part_of=series["id"]))["items"]
    for each, mastery in zip(parts[:3], (7, 8, 9), strict=True):
        await sent(place.api("client"), "ratings", {"kind": "mastery", "value": mastery, "assignment": each["id"]})
        await place.act(each, "complete")
    await place.tick("propose", dates.clock())
    (asked,) = (await got(place.api(), "proposals", client=place.patient))["items"]
    assert (asked["kind"], asked["rule"], asked["assignment"]) == ("step-up", "mastered", series["id"])
    assert (await got(place.api("client"), "proposals"))["items"] == []
    agreed = await sent(place.api(), f"proposals/{asked['id']}/accept", status=200)
    assert agreed["state"] == "accepted"


async def test_row_015_what_was_learned_is_found_by_where_it_was_used(place: Place) -> None:
    await thought(place, setting="work")
    await thought(place, setting="family")
    at_the_office = f"Observation?patient={place.patient}&code={MEASURE}|setting&value-concept=work"
    (at_work,) = await found(place.therapist, at_the_office)
    assert code_of(at_work["valueCodeableConcept"]) == "work"
    source = await got(place.therapist, at_work["derivedFrom"][0]["reference"])
    assert source["item"][1]["answer"][0]["valueCoding"]["code"] == "work"


async def test_row_016_patterns_of_thinking_come_to_light(place: Place) -> None:
    await thought(place, **{"belief-pre": 80, "thinking-pattern": ["mind-reading"], "setting": "work"})
    await thought(place, **{"belief-pre": 70, "thinking-pattern": ["mind-reading", "worst-case"], "setting": "work"})
    query = f"Patient/{place.patient}/$patterns?code={THINKING}&with={MEASURE}|setting"
    for who in (place.client, place.therapist):
        (pattern,) = (row["part"] for row in (await got(who, query))["parameter"] if row["name"] == "pattern")
        counts = [(each["value"]["code"], each["forms"]) for each in told(pattern, "answer")]
        assert counts == [("mind-reading", 2), ("worst-case", 1)]
        most = next(each["part"] for each in pattern if each["name"] == "answer")
        assert [(each["value"]["code"], each["forms"]) for each in told(most, "together")] == [("work", 2)]


async def test_row_017_a_thought_is_tested_and_believed_less(place: Place) -> None:
    kept = await thought(
        place,
        **{
            "belief-pre": 90,
            "evidence-for": "One of them laughed",
            "evidence-against": "They talked of a film",
            "alternative": "They were laughing at the film",
            "belief-post": 35,
        },
    )
    observations = await found(place.therapist, f"Observation?derived-from=QuestionnaireResponse/{kept['id']}")
    values = {code_of(each["code"]): each.get("valueInteger") for each in observations}
    assert (values["belief-pre"], values["belief-post"]) == (90, 35)
    assert (await got(place.api(), f"answers/{kept['id']}"))["answers"][
        "alternative"
    ] == "They were laughing at the film"


async def test_row_018_work_is_agreed_on_in_a_session_and_looked_at_in_the_next(place: Place) -> None:
    session = {
        "resourceType": "Encounter", "id": f"s-{place.patient}", "status": "finished", "class": {"code": "AMB"},
        "subject": to(place.subject), "period": {"start": day(-7)},
    }  # fmt: skip
    await place.put(session)
    given = await place.given(title="One question a day", session=session["id"])
    await place.act(given, "complete", reflection="Asking is easier than I thought")
    summary = await got(place.api(), f"clients/{place.patient}/summary")
    lines = {each["name"]: " ".join(each["lines"]) for each in summary["sections"]}
    assert "One question a day" in lines["discuss"]
    assert "Asking is easier than I thought" in lines["words"]
    reviewed = await place.act(given, "review", "therapist", progress="Asked every day but Sunday")
    assert reviewed["reviewed"]
    (task,) = await found(place.client, f"Task?patient={place.patient}&encounter={session['id']}")
    (plan,) = await found(place.client, f"CarePlan?activity-reference={task['basedOn'][0]['reference']}")
    assert plan["activity"][0]["progress"][0]["text"].endswith("Asked every day but Sunday")


async def test_row_019_how_it_was_is_said_openly(place: Place) -> None:
    given = await place.given(title="Ten minutes of quiet")
    done = await place.act(given, "complete", helpfulness=1, note="Too quiet for me, honestly")
    assert done["notes"][0]["text"] == "Too quiet for me, honestly"
    (rated,) = (await got(place.api(), "ratings", client=place.patient, kind="helpfulness"))["items"]
    assert (rated["value"], rated["assignment"]) == (1, given["id"])
    asked = await place.given(activity=library_id("homework-experience"), dose={"count": 1})
    said = await place.answered(asked, {"which": "Quiet", "helpfulness": 1, "better": "With music"})
    assert (await got(place.api(), f"answers/{said['id']}"))["answers"]["better"] == "With music"


async def test_row_020_what_got_in_the_way_is_solved_together(place: Place) -> None:
    given = await place.given(title="Phone the office")
    barrier = {"code": "too-hard", "text": "My voice goes away"}
    declined = await place.act(given, "decline", barrier=barrier, note="Could I write first?")
    assert (declined["state"], declined["barrier"]) == ("declined", barrier)
    instead = {"title": "Write to the office", "note": "Good idea: write first"}
    other = await sent(place.api(), f"assignments/{given['id']}/replace", instead)
    assert (other["replaces"], other["title"]) == (given["id"], "Write to the office")
    before = await got(place.api("client"), f"assignments/{given['id']}")
    assert [each["text"] for each in before["notes"]] == ["Could I write first?", "Good idea: write first"]
    assert before["state"] == "declined"
