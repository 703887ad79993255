"""Rows 74 to 78: what makes homework hard, and what helps. Docs: docs/homework-api.md, docs/library.md"""

from typing import Any

from schemas.library import BASE
from tests.capabilities.place import MEASURE, Place, found, got, library_id, sent

Json = dict[str, Any]
BARRIER = f"{BASE}/CodeSystem/homework-barrier"


async def times(place: Place, series: Json) -> list[Json]:
    """The times of a series, the next first."""
    items: list[Json] = (await got(place.api("client"), "assignments", part_of=series["id"]))["items"]
    return items


async def test_row_074_who_prefers_paper_gets_paper(place: Place) -> None:
    asked = await place.given(activity=library_id("homework-preferences"))
    kept = await place.answered(asked, {"technology": "prefer-paper", "format": ["print"], "private": True})
    said = (await got(place.api(), f"answers/{kept['id']}"))["answers"]
    assert (said["technology"], said["format"]) == ("prefer-paper", ["print"])
    on_paper = (await got(place.api(), "library/activities", format="print", type="sleep-diary"))["items"]
    given = await place.given(activity=on_paper[0]["id"])
    sheet = await place.client.get(f"Task/{given['id']}/$handout", headers={"Accept": "application/pdf"})
    assert sheet.content.startswith(b"%PDF-")
    (night, *_) = await times(place, given)
    typed = {"night": "2026-03-02", "rested": 6, "note": "Slept through"}
    kept = await sent(place.api(), f"assignments/{night['id']}/answers", {"answers": typed, "submit": True})
    assert (kept["by"], kept["client"]) == ("Practitioner/kim", place.patient)
    handed_in = await place.act(night, "note", "therapist", note="Brought on paper")
    assert (handed_in["state"], handed_in["notes"][0]["by"]) == ("done", "Practitioner/kim")


async def test_row_075_readiness_is_asked_before_a_step_and_doubt_is_heard(place: Place) -> None:
    asked = await place.given(activity=library_id("readiness"))
    (form,) = (await got(place.api("client"), "library/forms", url=asked["form"]))["items"]
    assert {"importance", "confidence", "why", "higher"} <= {each["key"] for each in form["questions"]}
    said = {"step": "Go swimming", "importance": 8, "why": "I miss it", "confidence": 4, "higher": "Go with Ada"}
    kept = await place.answered(asked, said)
    rated = await found(place.therapist, f"Observation?derived-from=QuestionnaireResponse/{kept['id']}")
    assert {each["code"]["coding"][0]["code"]: each["valueInteger"] for each in rated} == {
        "importance": 8, "confidence": 4,
    }  # fmt: skip
    swim = await place.given(title="Go swimming")
    await place.act(swim, "decline", barrier={"code": "motivation", "text": "A part of me does not want to"})
    of_two_minds = f"Task?patient={place.subject}&status-reason={BARRIER}|motivation"
    (task,) = await found(place.therapist, of_two_minds)
    assert task["statusReason"]["text"] == "A part of me does not want to"


async def test_row_076_what_is_too_much_is_split_into_steps(place: Place) -> None:
    given = await place.given(title="Tidy the kitchen", due="2199-01-01")
    steps = [{"title": "Clear the table"}, {"title": "Wash up", "due": "2198-01-01"}]
    whole = await sent(place.api(), f"assignments/{given['id']}/split", {"steps": steps}, 200)
    assert whole["progress"] == {"done": 0, "planned": 2}
    first, second = sorted(await times(place, whole), key=lambda each: each["title"])
    assert [(each["kind"], each["title"], each["part_of"]) for each in (first, second)] == [
        ("step", "Clear the table", given["id"]), ("step", "Wash up", given["id"]),
    ]  # fmt: skip
    await place.act(first, "complete")
    half = await got(place.api("client"), f"assignments/{given['id']}")
    assert (half["state"], half["progress"]["done"]) == ("started", 1)
    await place.act(second, "complete")
    assert (await got(place.api("client"), f"assignments/{given['id']}"))["state"] == "done"
    parts = await found(place.therapist, f"Task?part-of=Task/{given['id']}")
    assert {each["status"] for each in parts} == {"completed"}


async def test_row_077_thoughts_about_homework_itself_can_be_said(place: Place) -> None:
    asked = await place.given(activity=library_id("homework-beliefs"))
    answers = {
        "marked": "much", "school": "very-much", "disappoint": "somewhat", "worse": "not-at-all", "point": "a-little",
        "fear": ["fear-of-failure"], "like-it": "It was like that at school",
    }  # fmt: skip
    kept = await place.answered(asked, answers)
    derived = f"Observation?derived-from=QuestionnaireResponse/{kept['id']}"
    (worry,) = await found(place.therapist, f"{derived}&code={MEASURE}|homework-worry")
    assert worry["valueInteger"] == 10
    (barrier,) = await found(place.therapist, f"{derived}&code={MEASURE}|barrier")
    assert barrier["valueCodeableConcept"]["coding"][0]["code"] == "fear-of-failure"
    summary = await got(place.api(), f"clients/{place.patient}/summary", language="en")
    assert "It was like that at school" in str(summary["sections"])


async def test_row_078_a_minute_fits_into_any_day(place: Place) -> None:
    short = (await got(place.api("client"), "library/activities", minutes=1))["items"]
    assert library_id("minute-breath") in [each["id"] for each in short]
    assert all(each["fit"]["minutes"] <= 1 for each in short)
    dose = {"minutes": 1, "when": ["on-waking", "dinner", "bedtime"]}
    given = await place.given(activity=library_id("minute-breath"), dose=dose, starts="2199-03-01", due="2199-03-02")
    assert (given["dose"]["minutes"], given["dose"]["when"]) == (1, ["on-waking", "dinner", "bedtime"])
    request = await got(place.therapist, given["fhir"]["request"])
    repeat = request["occurrenceTiming"]["repeat"]
    assert (repeat["duration"], repeat["durationUnit"], repeat["when"]) == (1, "min", ["WAKE", "CV", "HS"])
    today = await place.given(activity=library_id("minute-breath"), dose=dose)
    windows = {each["starts"][11:16] for each in await times(place, today)}
    assert windows == {"06:00", "18:00", "21:00"}
