"""_include along canonicals, which name a resource by its url and perhaps its version.

https://hl7.org/fhir/R4/references.html#canonical
"""

import httpx
import pytest

URL = "https://clinic.example/Questionnaire/day"


@pytest.fixture
async def clinic(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """Two versions of a form and one of another; answers to the first version and to any."""
    for name, url, version in (("one", URL, "1"), ("two", URL, "2"), ("other", f"{URL}-long", "1")):
        form = {"resourceType": "Questionnaire", "id": name, "status": "active", "url": url, "version": version}
        (await api.put(f"Questionnaire/{name}", json=form)).raise_for_status()
    for name, canonical in (("pinned", f"{URL}|1"), ("open", URL)):
        answer = {
            "resourceType": "QuestionnaireResponse",
            "id": name,
            "status": "in-progress",
            "questionnaire": canonical,
            "subject": {"reference": "Patient/robin"},
        }
        (await api.put(f"QuestionnaireResponse/{name}", json=answer)).raise_for_status()
    await api.put("Patient/robin", json={"resourceType": "Patient", "id": "robin"})
    rating = {
        "resourceType": "Observation",
        "id": "rating",
        "status": "final",
        "code": {"text": "Mood"},
        "derivedFrom": [{"reference": "QuestionnaireResponse/pinned"}],
    }
    (await api.put("Observation/rating", json=rating)).raise_for_status()
    return api


async def included(api: httpx.AsyncClient, query: str) -> list[str]:
    bundle = (await api.get(query)).raise_for_status().json()
    found = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
    return sorted(f"{each['resourceType']}/{each['id']}" for each in found)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("_id=pinned&_include=QuestionnaireResponse:questionnaire", ["Questionnaire/one"]),
        ("_id=open&_include=QuestionnaireResponse:questionnaire", ["Questionnaire/one", "Questionnaire/two"]),
        ("_id=pinned&_include=*", ["Patient/robin", "Questionnaire/one"]),
    ],
)
async def test_a_canonical_leads_to_the_version_it_names_or_to_all(
    clinic: httpx.AsyncClient, query: str, wanted: list[str]
) -> None:
    assert await included(clinic, f"QuestionnaireResponse?{query}") == wanted


async def test_a_canonical_is_followed_from_what_was_included(clinic: httpx.AsyncClient) -> None:
    query = "Observation?_include=Observation:derived-from&_include:iterate=QuestionnaireResponse:questionnaire"
    assert await included(clinic, query) == ["Questionnaire/one", "QuestionnaireResponse/pinned"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("Task?_revinclude=Observation:based-on", "focus"),
        ("Questionnaire?_revinclude=QuestionnaireResponse:questionnaire", "cannot be followed back"),
        ("Task?_include=Observation:patient", "_include:iterate"),
        ("Task?_include=Task:owner:Questionnaire", "never refers to Questionnaire"),
    ],
)
async def test_an_include_that_leads_nowhere_is_refused(api: httpx.AsyncClient, query: str, says: str) -> None:
    answer = await api.get(query)
    assert answer.status_code == 400
    assert says in answer.json()["issue"][0]["diagnostics"]
