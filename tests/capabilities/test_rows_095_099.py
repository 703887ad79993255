"""Rows 95 to 99: what homework does, in numbers and in the client's own words. Docs: docs/insight.md"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.library import BASE
from tests.capabilities.place import ACTIVITY, Place, found, got, library_id, sent, to

Json = dict[str, Any]
START: Final = datetime(2026, 1, 5, 18, tzinfo=UTC)


def score(place: Place, week: int, value: int) -> Json:
    return {
        "resourceType": "Observation", "id": f"{place.patient}-s{week}", "status": "final", "subject": to(place.subject),
        "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
        "effectiveDateTime": (START + timedelta(weeks=week)).isoformat(), "valueInteger": value,
    }  # fmt: skip


def homework(place: Place, week: int, number: int, done: bool) -> Json:
    start = START + timedelta(weeks=week, days=number + 1)
    how: Json = {"status": "completed"} if done else {"status": "failed", "statusReason": {"text": "no time"}}
    return how | {
        "resourceType": "Task", "id": f"{place.patient}-t{week}{number}", "intent": "order", "for": to(place.subject),
        "owner": to(place.subject), "code": {"coding": [{"system": ACTIVITY, "code": "relaxation"}]},
        "restriction": {"period": {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}},
    }  # fmt: skip


async def test_row_095_change_is_shown_beside_what_was_done_with_a_caution(place: Place) -> None:
    values, done = (20, 19, 15, 15, 10, 6), (0, 2, 0, 2, 2)
    await place.put(*(score(place, week, value) for week, value in enumerate(values)))
    for week, times in enumerate(done):
        await place.put(*(homework(place, week, number, number < times) for number in range(2)))
    told = await got(place.therapist, f"{place.subject}/$adherence-change?code=http://loinc.org|44261-6")
    rows = {each["name"]: each for each in told["parameter"]}
    assert rows["n"]["valueInteger"] == 5
    assert -1 <= rows["r"]["valueDecimal"] < -0.9
    assert rows["caution"]["valueString"]
    few = await got(place.client, f"{place.subject}/$adherence-change?code=http://loinc.org|44261-6&end=2026-01-20")
    names = {each["name"] for each in few["parameter"]}
    assert "r" not in names
    assert "caution" in names


async def test_row_096_each_assignment_is_rated_as_it_is_completed(place: Place) -> None:
    given = await place.given(title="Write one kind sentence to yourself")
    await place.act(given, "complete", helpfulness=3, difficulty=1)
    rated = (await got(place.api(), "ratings", client=place.patient, assignment=given["id"]))["items"]
    assert {each["kind"]: (each["value"], each["by"]) for each in rated} == {
        "helpfulness": (3, place.subject), "difficulty": (1, place.subject),
    }  # fmt: skip
    refused = await place.api("client").post("ratings", json={"kind": "helpfulness", "value": 9})
    assert refused.status_code == 400
    kinds = (await got(place.api("client"), "ratings/kinds"))["items"]
    (scale,) = [each for each in kinds if each["kind"] == "helpfulness"]
    assert (scale["least"], scale["most"]) == (0, 4)


async def test_row_097_a_client_keeps_a_journal_of_how_homework_is(place: Place) -> None:
    given = await place.given(activity=library_id("homework-experience"), dose={"count": 1})
    words = {"which": "The breathing", "quality": 3, "enjoyment": 2, "good": "It was quiet for once"}
    kept = await place.answered(given, words)
    assert kept["answers"] == words
    about = f"Observation?derived-from=QuestionnaireResponse/{kept['id']}"
    codes = {each["code"]["coding"][0]["code"]: each["valueInteger"] for each in await found(place.therapist, about)}
    assert codes == {"quality": 3, "enjoyment": 2}
    recording = {
        "resourceType": "DocumentReference", "status": "current", "subject": to(place.subject),
        "author": [to(place.subject)], "context": {"related": [to(f"Task/{given['id']}")]},
        "content": [{"attachment": {"contentType": "audio/mp4", "url": "https://m.example.org/memo.m4a"}}],
    }  # fmt: skip
    memo = (await place.client.post("DocumentReference", json=recording)).json()
    (heard,) = await found(place.therapist, f"DocumentReference?related=Task/{given['id']}")
    assert (heard["id"], heard["author"]) == (memo["id"], [to(place.subject)])


async def test_row_098_client_and_therapist_look_back_once_a_month(place: Place) -> None:
    given = await place.given(activity=library_id("process-review"))
    assert (given["dose"]["unit"], given["dose"]["every"]) == ("month", 1)
    (mine,) = (await got(place.api("client"), "assignments", part_of=given["id"], state="due"))["items"]
    seen = {"progress": 6, "collaboration": 3, "goal-match": 2, "more": "More practice in the session"}
    kept = await place.answered(mine, seen)
    theirs = {
        "resourceType": "Task", "status": "ready", "intent": "order", "for": to(place.subject),
        "owner": to("Practitioner/kim"), "code": {"coding": [{"system": ACTIVITY, "code": "plan-review"}]},
    }  # fmt: skip
    assert (await place.therapist.post("Task", json=theirs)).status_code == 201
    assert len(await found(place.therapist, f"Task?owner=Practitioner/kim&patient={place.subject}&status=ready")) == 1
    form = f"{BASE}/Questionnaire/process-review|1.0.0"
    own = {
        "resourceType": "QuestionnaireResponse", "questionnaire": form, "status": "completed",
        "subject": to(place.subject), "source": to("Practitioner/kim"), "author": to("Practitioner/kim"),
        "authored": datetime.now(UTC).isoformat(), "item": [{"linkId": "progress", "answer": [{"valueInteger": 4}]}],
    }  # fmt: skip
    assert (await place.therapist.post("QuestionnaireResponse", json=own)).status_code == 201
    both = (await got(place.api(), "answers", client=place.patient))["items"]
    assert {each["by"]: each["answers"]["progress"] for each in both} == {place.subject: 6, "Practitioner/kim": 4}
    assert kept["id"] in {each["id"] for each in both}


async def test_row_099_open_questions_are_answered_in_ones_own_words(place: Place) -> None:
    given = await place.given(activity=library_id("process-review"), dose={"count": 1})
    (form,) = (await got(place.api("client"), "library/forms", url=given["form"]))["items"]
    asked = {each["key"] for each in form["questions"] if each["kind"] == "long-text"}
    assert {"impact", "most", "next"} <= asked
    await place.answered(given, {"impact": "I answer the phone again <3", "most": "The ladder"})
    told = await got(place.api(), f"clients/{place.patient}/summary")
    (words,) = [each for each in told["sections"] if each["name"] == "words"]
    assert any("I answer the phone again <3" in line for line in words["lines"])
    assert any(each.startswith("QuestionnaireResponse/") for each in words["about"])
    other = await sent(place.api("client"), "ratings", {"kind": "enjoyment", "value": 4})
    assert other["by"] == place.subject
