"""Rows of tests/cases/capabilities.json that end on paper or in a picture. Docs: docs/pictures-and-prints.md"""

from io import BytesIO
from typing import Any, Final

import httpx
import pytest
from pypdf import PdfReader

from schemas.library import BASE

Json = dict[str, Any]
MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"
ACTIVITY: Final = f"{BASE}/CodeSystem/homework-activity-type"
LOINC: Final = "http://loinc.org"
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"


def io(code: str, **value: Any) -> Json:
    return {"type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": code}]}, **value}


FORM: Final[Json] = {
    "resourceType": "Questionnaire", "id": "form", "url": "https://example.org/form", "version": "1", "language": "en",
    "status": "active", "title": "Thought record", "description": "One situation at a time.",
    "item": [
        {"linkId": "how", "type": "display", "text": "First write down what happened."},
        {"linkId": "what", "type": "text", "text": "What happened?",
         "_text": {"extension": [{"url": TRANSLATION, "extension": [
             {"url": "lang", "valueCode": "es"}, {"url": "content", "valueString": "¿Qué pasó?"}]}]}},
        {"linkId": "insight", "type": "text", "text": "What do you take from it?"},
    ],
}  # fmt: skip
TASK: Final[Json] = {
    "resourceType": "Task", "id": "job", "status": "ready", "intent": "order", "for": {"reference": "Patient/p"},
    "code": {"coding": [{"system": ACTIVITY, "code": "thought-record"}], "text": "Looking at a thought"},
    "description": "Catch one thought a day and look at it from two sides.",
    "input": [
        io("rationale", valueMarkdown="A thought is not a fact. This is to feel freer on Mondays."),
        io("instruction", valueMarkdown="1. Notice the thought.\n2. Write it down."),
        io("material", valueAttachment={"title": "Example sheet", "url": "https://m.example.org/sheet"}),
        {"type": {"text": "form"}, "valueCanonical": "https://example.org/form|1"},
    ],
}  # fmt: skip


async def keep(api: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text


@pytest.fixture
async def assigned(api: httpx.AsyncClient) -> httpx.AsyncClient:
    await keep(api, {"resourceType": "Patient", "id": "p"}, FORM, TASK)
    return api


async def page(api: httpx.AsyncClient, query: str = "") -> str:
    answer = await api.get(f"Task/job/$handout{query}", headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


async def chart(api: httpx.AsyncClient, query: str) -> Json:
    answer = await api.get(f"Patient/p/$chart?{query}&_format=json&language=en")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    assert (await api.get(f"Patient/p/$chart?{query}&_format=svg")).text.startswith("<svg ")
    return found


def observation(name: str, day: str, system: str, code: str, **members: Any) -> Json:
    return {
        "resourceType": "Observation", "id": name, "status": "final", "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": system, "code": code}]}, "effectiveDateTime": f"2026-01-{day}", **members,
    }  # fmt: skip


async def test_row_044_a_worksheet_has_a_description(assigned: httpx.AsyncClient) -> None:
    text = await page(assigned)
    assert "Catch one thought a day" in text
    assert "One situation at a time." in text


async def test_row_045_a_worksheet_has_step_by_step_instructions(assigned: httpx.AsyncClient) -> None:
    text = await page(assigned)
    assert "<ol><li>Notice the thought.</li><li>Write it down.</li></ol>" in text
    assert "First write down what happened." in text


async def test_row_046_a_worksheet_says_what_it_is_for(assigned: httpx.AsyncClient) -> None:
    assert "This is to feel freer on Mondays." in await page(assigned)


async def test_row_047_a_worksheet_lists_its_materials(assigned: httpx.AsyncClient) -> None:
    assert "Example sheet (https://m.example.org/sheet)" in await page(assigned)


async def test_row_048_a_worksheet_has_space_for_observations_and_reflections(assigned: httpx.AsyncClient) -> None:
    text = await page(assigned)
    assert "What do you take from it?" in text
    assert "Your notes" in text
    assert 'class="lines"' in text


async def test_row_049_an_assignment_is_a_printable_handout(assigned: httpx.AsyncClient) -> None:
    answer = await assigned.get("Task/job/$handout?_format=pdf")
    assert answer.headers["content-type"] == "application/pdf"
    text = "".join(each.extract_text() for each in PdfReader(BytesIO(answer.content)).pages)
    assert "Looking at a thought" in text
    assert "@media print" in await page(assigned)


async def test_row_068_a_mood_diary_is_a_picture_and_its_numbers(assigned: httpx.AsyncClient) -> None:
    await keep(assigned, *(observation(f"m{day}", day, MEASURE, "mood", valueInteger=int(day)) for day in ("04", "06")))
    found = await chart(assigned, "kind=rating")
    assert found["alternative"].endswith("Mood: first 4, last 6, 2 higher.")


async def test_row_071_goals_are_shown_with_their_progress(assigned: httpx.AsyncClient) -> None:
    goal = {
        "resourceType": "Goal", "id": "g", "lifecycleStatus": "active", "subject": {"reference": "Patient/p"},
        "description": {"text": "One new person a week"},
    }  # fmt: skip
    level = {"coding": [{"system": LOINC, "code": "LA34481-4"}]}
    rated = observation("r", "05", LOINC, "107334-5", focus=[{"reference": "Goal/g"}], valueCodeableConcept=level)
    await keep(assigned, goal, rated)
    found = await chart(assigned, "kind=goal-attainment")
    assert found["series"]["goals"] == [{"name": "One new person a week", "points": [{"on": "2026-01-05", "value": 0}]}]


async def test_row_073_exposures_show_whether_distress_gets_less(assigned: httpx.AsyncClient) -> None:
    def suds(day: str, before: int, peak: int, after: int) -> Json:
        parts = [
            {"code": {"coding": [{"system": MEASURE, "code": f"suds-{name}"}]}, "valueInteger": value}
            for name, value in (("pre", before), ("peak", peak), ("post", after))
        ]
        return observation(f"e{day}", day, MEASURE, "suds", component=parts)

    await keep(assigned, suds("05", 60, 90, 50), suds("06", 60, 80, 40), suds("07", 50, 60, 30))
    found = await chart(assigned, "kind=exposure")
    assert [step["peak"] for step in found["series"]["steps"]] == [90, 80, 60]
    assert "Distress at its strongest: first 90, last 60, 30 lower." in found["alternative"]


async def test_row_081_instructions_are_written_down(assigned: httpx.AsyncClient) -> None:
    reader = PdfReader(BytesIO((await assigned.get("Task/job/$handout?_format=pdf&paper=letter")).content))
    assert "Notice the thought." in reader.pages[0].extract_text()


async def test_row_105_materials_are_in_the_language_that_the_client_prefers(api: httpx.AsyncClient) -> None:
    spanish = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}, "preferred": True}]
    await keep(api, {"resourceType": "Patient", "id": "p", "communication": spanish}, FORM, TASK)
    text = await page(api)
    assert '<html lang="es">' in text
    assert "¿Qué pasó?" in text
    assert "Por qué puede ayudar" in text
