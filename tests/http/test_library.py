"""The library as a tenant has it, found by the searches that docs/library.md shows."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from schemas import library
from service import seed

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()


class Search(NamedTuple):
    """A row of the page: what is asked, what it must find and what it must not."""

    query: str
    finds: list[str]
    leaves_out: list[str]


def searches() -> list[Search]:
    section = PAGE.partition("\n## Find something\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| `((?:\\\||[^|`])+)` \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    return [
        Search(query.replace("\\|", "|"), re.findall(r"`([^`]+)`", finds), re.findall(r"`([^`]+)`", out))
        for query, finds, out in rows
    ]


@pytest.fixture(scope="module")
async def clinic(new_house: Any) -> Any:
    """A tenant with the whole library."""
    house = await new_house()
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await seed.records(connection, house.tenant_id, house.base, library.seed())
    token = await house.token()
    async with house.client(token) as http:
        yield http


async def found(http: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    answer = await http.get(query, params={"_count": "200"} if "?" not in query else None)
    return [entry["resource"] for entry in answer.raise_for_status().json().get("entry", ())]


def names(resources: list[dict[str, Any]]) -> set[str]:
    return {resource["url"].rsplit("/", 1)[1] for resource in resources}


@pytest.mark.parametrize("search", searches(), ids=lambda search: search.query)
async def test_a_search_of_the_page_finds_what_it_says(clinic: httpx.AsyncClient, search: Search) -> None:
    resources = await found(clinic, f"{search.query}&_count=200")

    assert set(search.finds) <= names(resources)
    assert not set(search.leaves_out) & names(resources)


def test_the_page_shows_searches_by_everything_that_an_activity_is_tailored_by() -> None:
    asked = [search.query for search in searches()]

    assert len(asked) > 20
    assert all(search.finds and search.leaves_out for search in searches())
    for word in (
        "topic=",
        "age$",
        "language$",
        "format$",
        "duration$",
        "reading-level$",
        "status=",
        "version=",
        "title",
    ):
        assert any(word in query for query in asked)


async def test_whole_library_is_there_and_each_of_it_can_be_read_by_its_canonical(clinic: httpx.AsyncClient) -> None:
    for resource in library.seed():
        asked = f"{resource['resourceType']}?url={resource['url']}&version={resource['version']}"
        (there,) = await found(clinic, asked)
        assert {name: value for name, value in there.items() if name != "meta"} == resource


async def test_what_suits_an_age_is_what_its_range_includes(clinic: httpx.AsyncClient) -> None:
    activities = [each for each in library.seed() if each["resourceType"] == "ActivityDefinition"]
    for age in (7, 12, 17, 30):
        within = set()
        for activity in activities:
            for context in activity.get("useContext", ()):
                span = context.get("valueRange")
                if span and span["low"]["value"] <= age <= span.get("high", {}).get("value", 200):
                    within.add(activity["id"])
        asked = f"context-type-quantity=age$ge{age}&context-type-quantity=age$le{age}"
        resources = await found(clinic, f"ActivityDefinition?{asked}&_count=200")
        assert {each["id"] for each in resources} == within


async def test_a_clients_app_reads_the_library_and_may_not_change_it(clinic: httpx.AsyncClient, new_house: Any) -> None:
    house = await new_house()
    (form,) = (each for each in library.seed() if each["url"].endswith("Questionnaire/quiz-sleep"))
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await seed.records(connection, house.tenant_id, house.base, [form])
    async with house.client(await house.token("system/Questionnaire.rs")) as http:
        assert (await http.put(f"Questionnaire/{form['id']}", json=form)).status_code == 403
        assert (await http.get(f"Questionnaire/{form['id']}")).json()["title"] == form["title"]


async def test_a_form_of_the_library_is_answered_and_what_it_says_becomes_an_observation(
    clinic: httpx.AsyncClient,
) -> None:
    await clinic.put("Patient/robin", json={"resourceType": "Patient", "id": "robin"})
    answer = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{library.BASE}/Questionnaire/urge-log|1.0.0",
        "status": "completed",
        "subject": {"reference": "Patient/robin"},
        "authored": "2026-11-02T18:00:00Z",
        "item": [
            {"linkId": "urge-for", "answer": [{"valueString": "Sweets"}]},
            {
                "linkId": "urge",
                "item": [
                    {"linkId": "urge-pre", "answer": [{"valueInteger": 5}]},
                    {"linkId": "urge-peak", "answer": [{"valueInteger": 8}]},
                    {"linkId": "urge-post", "answer": [{"valueInteger": 2}]},
                ],
            },
        ],
    }
    (await clinic.post("QuestionnaireResponse", json=answer)).raise_for_status()

    answered = await clinic.get("Observation?patient=robin")
    (observation,) = (entry["resource"] for entry in answered.json()["entry"])
    assert observation["code"]["coding"][0]["code"] == "urge"
    assert [component["valueInteger"] for component in observation["component"]] == [5, 8, 2]


async def test_a_quiz_counts_the_answers_that_the_text_explains(clinic: httpx.AsyncClient) -> None:
    await clinic.put("Patient/kim", json={"resourceType": "Patient", "id": "kim"})
    (form,) = (each for each in library.seed() if each["url"].endswith("Questionnaire/quiz-anxiety"))
    asked = [item for item in form["item"] if item["type"] == "choice"]
    best = [max(item["answerOption"], key=lambda o: o["valueCoding"]["extension"][0]["valueDecimal"]) for item in asked]
    chosen = [best[0], best[1], best[2], asked[3]["answerOption"][0]]
    answer = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": library.canonical(form),
        "status": "completed",
        "subject": {"reference": "Patient/kim"},
        "authored": "2026-11-02T18:00:00Z",
        "item": [{"linkId": item["linkId"], "answer": [option]} for item, option in zip(asked, chosen, strict=True)],
    }
    (await clinic.post("QuestionnaireResponse", json=answer)).raise_for_status()

    answered = await clinic.get("Observation?patient=kim")
    (observation,) = (entry["resource"] for entry in answered.json()["entry"])
    assert (observation["code"]["coding"][0]["code"], observation["valueInteger"]) == ("quiz-score", 3)


async def test_a_goal_is_extracted_in_the_clients_words(clinic: httpx.AsyncClient) -> None:
    await clinic.put("Patient/robin", json={"resourceType": "Patient", "id": "robin"})
    answers = {
        "wish": {"valueString": "To be less alone"},
        "goal": {"valueString": "One meal a week with somebody"},
        "step": {"valueString": "Ask my neighbour"},
        "until": {"valueDate": "2026-12-01"},
    }
    answer = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{library.BASE}/Questionnaire/goal-setting|1.0.0",
        "status": "completed",
        "subject": {"reference": "Patient/robin"},
        "source": {"reference": "Patient/robin"},
        "item": [{"linkId": name, "answer": [value]} for name, value in answers.items()],
    }
    kept = (await clinic.post("QuestionnaireResponse", json=answer)).raise_for_status().json()

    made = (await clinic.get(f"QuestionnaireResponse/{kept['id']}/$extract")).raise_for_status().json()
    assert made == {
        "resourceType": "Goal",
        "lifecycleStatus": "proposed",
        "description": {"text": "One meal a week with somebody"},
        "subject": {"reference": "Patient/robin"},
        "expressedBy": {"reference": "Patient/robin"},
        "target": [{"dueDate": "2026-12-01"}],
        "note": [{"text": "Ask my neighbour"}],
    }


@pytest.mark.parametrize(
    ("form", "filled"),
    [
        ("coping-card|1.0.0", {"name": r"Alex"}),
        ("staying-well-plan|1.0.0", {"name": r"Alex", "look-again": r"\d{4}-\d\d-\d\d"}),
        ("homework-preferences|1.0.0", {"language": r"nl"}),
    ],
)
async def test_what_is_known_is_filled_in_beforehand(
    clinic: httpx.AsyncClient, form: str, filled: dict[str, str]
) -> None:
    patient = {
        "resourceType": "Patient",
        "id": "alex",
        "name": [{"use": "official", "given": ["Alex"]}],
        "communication": [{"language": {"coding": [{"code": "nl"}]}, "preferred": True}],
    }
    await clinic.put("Patient/alex", json=patient)
    form_id = library.seed_id(f"{library.BASE}/Questionnaire/{form}")

    answer = await clinic.get(f"Questionnaire/{form_id}/$populate?subject=Patient/alex")
    (parameter,) = answer.raise_for_status().json()["parameter"]
    given = {item["linkId"]: item["answer"][0] for item in parameter["resource"]["item"]}
    assert given.keys() == filled.keys()
    for name, pattern in filled.items():
        (said,) = (said for key, said in given[name].items() if key.startswith("value"))
        assert re.fullmatch(pattern, said)
