"""$handout: an assignment, an activity or a form as HTML or PDF. Docs: docs/pictures-and-prints.md"""

from io import BytesIO
from typing import Any

import httpx
import pytest
from pypdf import PdfReader

from schemas.library import BASE
from tests.security.circles import Clinic, to

Json = dict[str, Any]
URL = "https://example.org/fhir"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"


def translated(language: str, text: str, kind: str = "valueString") -> Json:
    parts = [{"url": "lang", "valueCode": language}, {"url": "content", kind: text}]
    return {"extension": [{"url": TRANSLATION, "extension": parts}]}


FORM: Json = {
    "resourceType": "Questionnaire",
    "id": "form",
    "url": f"{URL}/Questionnaire/breathing",
    "version": "2",
    "language": "en",
    "status": "active",
    "title": "Breathing log",
    "item": [
        {"linkId": "1", "type": "text", "text": "How was it?", "_text": translated("de", "Wie war es?")},
    ],
}
ACTIVITY: Json = {
    "resourceType": "ActivityDefinition",
    "id": "act",
    "url": f"{URL}/ActivityDefinition/breathing",
    "version": "1",
    "language": "en",
    "status": "active",
    "title": "Slow breathing",
    "_title": translated("de", "Langsam atmen"),
    "purpose": "It calms the body.",
    "_purpose": translated("de", "Es beruhigt den Körper.", "valueMarkdown"),
    "usage": "1. Sit down.\n2. Breathe.",
    "kind": "Task",
    "timingTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["EVE"], "duration": 15,
                                "durationUnit": "min"}},
    "relatedArtifact": [{"type": "depends-on", "resource": f"{URL}/Questionnaire/breathing|2"}],
}  # fmt: skip
PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"family": "Quillfeather"}],
    "communication": [
        {"language": {"coding": [{"code": "en"}]}},
        {"language": {"coding": [{"code": "de-AT"}]}, "preferred": True},
    ],
}
TASK: Json = {
    "resourceType": "Task",
    "id": "job",
    "instantiatesCanonical": f"{URL}/ActivityDefinition/breathing|1",
    "status": "ready",
    "intent": "order",
    "code": {"text": "Slow breathing"},
    "for": {"reference": "Patient/p"},
    "restriction": {"period": {"start": "2026-01-12", "end": "2026-01-19"}},
    "input": [
        {"type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": "rationale"}]},
         "valueMarkdown": "It calms the body."},
        {"type": {"coding": [{"system": f"{BASE}/CodeSystem/homework-task-io", "code": "instruction"}]},
         "valueMarkdown": "Sit by your window and *breathe*."},
        {"type": {"text": "form"}, "valueCanonical": f"{URL}/Questionnaire/breathing|2"},
    ],
}  # fmt: skip


@pytest.fixture
async def assigned(api: httpx.AsyncClient) -> None:
    for body in (FORM, ACTIVITY, PATIENT, TASK):
        answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text


def read(answer: httpx.Response) -> tuple[PdfReader, str]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    reader = PdfReader(BytesIO(answer.content))
    return reader, "\n".join(page.extract_text() for page in reader.pages)


@pytest.mark.usefixtures("assigned")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("paper=a3", "paper=a3 is none of a4, letter"),
        ("discreet=perhaps", "discreet is true or false"),
        ("language=fr", "en, es, nl, de are"),
        ("size=a4", "There is no parameter 'size'"),
    ],
)
async def test_what_cannot_be_printed_is_said_to_be_so(api: httpx.AsyncClient, query: str, said: str) -> None:
    answer = await api.get(f"Task/job/$handout?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["issue"][0]["diagnostics"]


async def test_an_assignment_that_is_not_there_has_no_handout(api: httpx.AsyncClient) -> None:
    assert (await api.get("Task/nothing/$handout")).status_code == 404


@pytest.mark.usefixtures("assigned")
async def test_a_handout_is_html_in_the_clients_language_that_loads_nothing(api: httpx.AsyncClient) -> None:
    answer = await api.get("Task/job/$handout", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-language"] == "de"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert '<html lang="de">' in answer.text
    assert "Langsam atmen" in answer.text
    assert "Es beruhigt den Körper." in answer.text
    assert "Wie war es?" in answer.text
    assert "Jeden Abend, 15 Minuten" in answer.text
    assert "19. Januar 2026" in answer.text


@pytest.mark.usefixtures("assigned")
async def test_what_the_therapist_wrote_for_this_client_stands_before_the_library(api: httpx.AsyncClient) -> None:
    text = (await api.get("Task/job/$handout?language=en")).text
    assert "Sit by your window and breathe." in text
    assert "Sit down." not in text


@pytest.mark.usefixtures("assigned")
async def test_a_handout_does_not_say_whose_it_is(api: httpx.AsyncClient) -> None:
    html = await api.get("Task/job/$handout")
    _, text = read(await api.get("Task/job/$handout?_format=pdf"))
    for word in ("Quillfeather", "Patient/p", "job"):
        assert word not in html.text
        assert word not in text


@pytest.mark.usefixtures("assigned")
async def test_a_discreet_handout_has_a_title_that_tells_nothing(api: httpx.AsyncClient) -> None:
    reader, text = read(await api.get("Task/job/$handout?_format=pdf&discreet=true&language=en"))
    assert reader.metadata is not None
    assert reader.metadata.title == "Practice sheet"
    assert "Slow breathing" not in text
    assert "Breathing log" not in text
    assert "How was it?" in text


@pytest.mark.usefixtures("assigned")
@pytest.mark.parametrize(("paper", "size"), [("a4", (595, 842)), ("letter", (612, 792))])
async def test_a_pdf_is_tagged_and_has_language_and_title(
    api: httpx.AsyncClient, paper: str, size: tuple[int, int]
) -> None:
    reader, text = read(await api.get(f"Task/job/$handout?_format=pdf&paper={paper}"))
    assert reader.metadata is not None
    assert reader.metadata.title == "Langsam atmen"
    root = reader.root_object
    assert root["/Lang"] == "de"
    assert root["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]  # type: ignore[index]
    assert "Es beruhigt den Körper." in text
    box = reader.pages[0].mediabox
    assert (round(box.width), round(box.height)) == size


@pytest.mark.usefixtures("assigned")
async def test_activities_and_forms_have_handouts_too(api: httpx.AsyncClient) -> None:
    activity = (await api.get("ActivityDefinition/act/$handout?language=en")).text
    assert "Sit down." in activity
    assert "How was it?" in activity
    form = (await api.get("Questionnaire/form/$handout?language=de")).text
    assert "Wie war es?" in form


@pytest.mark.usefixtures("assigned")
async def test_who_may_not_see_definitions_gets_what_the_task_says_itself(house: Any) -> None:
    async with house.client(await house.token("system/Task.r")) as http:
        answer = await http.get("Task/job/$handout")
    assert answer.status_code == 200
    assert answer.headers["content-language"] == "en"
    assert "Sit by your window and breathe." in answer.text
    assert "How was it?" not in answer.text


async def test_clients_print_their_own_assignments_whole(house: Any, api: httpx.AsyncClient) -> None:
    clinic = Clinic(house, api)
    await clinic.furnish()
    whose = {"for": to("Patient/ann"), "owner": to("Patient/ann")}
    await clinic.put(FORM, ACTIVITY, TASK | whose)
    ann = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    bob = await clinic.as_person("Patient/bob", "patient/*.rs", patient="bob")
    own = await ann.get("Task/job/$handout?language=de")
    assert own.status_code == 200
    assert "Es beruhigt den Körper." in own.text
    assert "Wie war es?" in own.text
    assert (await bob.get("Task/job/$handout")).status_code == 404
    await clinic.close()
