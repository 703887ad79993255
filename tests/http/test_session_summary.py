"""$session-summary: the first minutes of a session, as a document, a page and a PDF. Docs: docs/insight.md"""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from pypdf import PdfReader

from schemas import json
from schemas.library import BASE
from schemas.validate import validate
from tests.http.test_adherence import DONE, MISSED, PAUSED, score, task
from tests.security.circles import Clinic, labelled, to

Json = dict[str, Any]
MEASURE = f"{BASE}/CodeSystem/homework-measure"
SESSION = datetime.now(UTC).replace(microsecond=0) - timedelta(days=7)


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def lately(name: str, days: int, how: Json, **members: Any) -> Json:
    """An assignment of so many days ago."""
    body = task(name, 0, how, **members)
    return body | {"restriction": {"period": {"start": ago(days), "end": ago(days - 0.2)}}}


def told(name: str, days: int, text: str, **members: Any) -> Json:
    item = {"linkId": "insight", "text": "What did you notice?", "answer": [{"valueString": text}]}
    return {
        "resourceType": "QuestionnaireResponse", "id": name, "status": "completed", "subject": to("Patient/ann"),
        "authored": ago(days), "item": [item],
    } | members  # fmt: skip


def scored(name: str, days: int, value: int) -> Json:
    return score(name, 0, value) | {"effectiveDateTime": ago(days)}


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(
        {"resourceType": "Patient", "id": "ann", "name": [{"given": ["Ann"], "family": "<b>Lee</b>"}]},
        {"resourceType": "Encounter", "id": "last", "status": "finished", "class": {"code": "AMB"},
         "subject": to("Patient/ann"), "period": {"start": SESSION.isoformat()}},
    )  # fmt: skip
    yield made
    await made.close()


async def furnish(clinic: Clinic) -> None:
    """A week with its homework, words, scores, a flag and a proposal; and what was before."""
    barrier = {"coding": [{"system": f"{BASE}/CodeSystem/homework-barrier", "code": "time"}]}
    about = {"description": "Breathe slowly"}
    rating = {
        "resourceType": "Observation", "id": "helpful", "status": "final", "subject": to("Patient/ann"),
        "code": {"coding": [{"system": MEASURE, "code": "helpfulness"}]}, "valueInteger": 3,
        "focus": [to("Task/now1")], "effectiveDateTime": ago(4),
    }  # fmt: skip
    flag = {
        "resourceType": "Flag", "id": "flag", "status": "active", "code": {"text": "Look at item 9"},
        "subject": to("Patient/ann"), "period": {"start": ago(3)},
    }  # fmt: skip
    proposal = {
        "resourceType": "Task", "id": "proposal", "status": "requested", "intent": "proposal",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "review-proposal"},
                            {"system": f"{BASE}/CodeSystem/proposal-kind", "code": "step-up"}]},
        "description": "Distress stayed low", "for": to("Patient/ann"), "owner": to("Practitioner/thera"),
        "focus": to("Task/now1"), **labelled("staff-only"),
    }  # fmt: skip
    await clinic.put(
        lately("before", 20, DONE, **about),
        lately("now1", 5, DONE, **about),
        lately("now2", 4, {"status": "failed", "statusReason": barrier}, **about),
        lately("now3", 3, PAUSED, description="Walk outside"),
        lately("now4", 2, MISSED, description="Walk outside"),
        told("old", 20, "An old thought"),
        told("new", 2, "I can <script>notice</script> & breathe"),
        scored("s1", 60, 18),
        scored("s2", 20, 15),
        scored("s3", 1, 9),
        rating,
        flag,
        proposal,
    )


async def summary(http: httpx.AsyncClient, path: str = "Patient/ann/$session-summary") -> Json:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    body: Json = json.decode(answer.content)
    assert validate(body) == []
    Bundle.model_validate_json(answer.content)
    return body


def sections(bundle: Json) -> dict[str, Json]:
    composition = bundle["entry"][0]["resource"]
    return {each["code"]["coding"][0]["code"]: each for each in composition.get("section", []) if "code" in each}


def resources(bundle: Json) -> set[str]:
    return {f"{each['resource']['resourceType']}/{each['resource'].get('id', '')}" for each in bundle["entry"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Patient/nobody/$session-summary", 404),
        ("CarePlan/nobody/$session-summary", 404),
        ("Task/now1/$session-summary", 404),
        ("Patient/ann/$session-summary?start=soon", 400),
        ("Patient/ann/$session-summary?start=2026-02-01&end=2026-01-01", 400),
        ("Patient/ann/$session-summary?language=tlh", 400),
        ("Patient/ann/$session-summary?colour=red", 400),
    ],
)
async def test_refuses_what_it_cannot_answer(clinic: Clinic, path: str, status: int) -> None:
    assert (await clinic.system.get(path)).status_code == status


async def test_refuses_who_may_not_see_the_client(clinic: Clinic) -> None:
    ben = await clinic.as_person("Patient/ben", "patient/*.cruds", patient="ben")
    assert (await ben.get("Patient/ann/$session-summary")).status_code == 404
    narrow = await clinic.as_person("Practitioner/thera", "user/Patient.rs")
    assert (await narrow.get("Patient/ann/$session-summary")).status_code == 403


async def test_is_a_document_of_what_was_since_the_last_session(clinic: Clinic) -> None:
    await furnish(clinic)
    found = await summary(clinic.system)
    composition = found["entry"][0]["resource"]
    assert (found["type"], composition["resourceType"], composition["subject"]) == (
        "document",
        "Composition",
        to("Patient/ann"),
    )
    assert list(sections(found)) == ["flags", "assigned", "words", "barriers", "measures", "proposals", "discuss"]
    held = resources(found)
    assert {"Patient/ann", "Task/now1", "Task/now2", "QuestionnaireResponse/new", "Flag/flag", "Task/proposal"} <= held
    assert not {"Task/before", "QuestionnaireResponse/old"} & held
    text = composition["text"]["div"]
    for said in ("Look at item 9", "Breathe slowly", "Not enough time", "PHQ-9", "reliable recovery", "A next step"):
        assert said in text, said
    assert "An old thought" not in text
    references = [entry["reference"] for each in sections(found).values() for entry in each.get("entry", [])]
    urls = [each["fullUrl"] for each in found["entry"]]
    assert all(any(url.endswith(reference) for url in urls) for reference in references)


async def test_words_are_escaped_and_stay_the_clients_own(clinic: Clinic) -> None:
    await furnish(clinic)
    found = await summary(clinic.system)
    text = found["entry"][0]["resource"]["text"]["div"]
    assert "<script>" not in text
    assert "I can &lt;script&gt;notice&lt;/script&gt; &amp; breathe" in text
    assert "&lt;b&gt;Lee&lt;/b&gt;" in text
    assert "What did you notice?" in text


async def test_tells_what_has_changed_with_its_rule(clinic: Clinic) -> None:
    await furnish(clinic)
    found = await summary(clinic.system)
    made = [each["resource"] for each in found["entry"] if "method" in each["resource"]]
    (change,) = [each for each in made if each["method"]["coding"][0]["code"].startswith("phq-9")]
    assert change["interpretation"][0]["coding"][0]["code"] == "B"
    assert change["valueQuantity"]["value"] == -9
    assert {"Observation/s2", "Observation/s3"} <= resources(found)


async def test_tells_nothing_kindly_when_there_is_nothing(clinic: Clinic) -> None:
    found = await summary(clinic.system, "Patient/ann/$session-summary?language=de")
    composition = found["entry"][0]["resource"]
    assert composition["language"] == "de"
    assert resources(found) == {"Composition/", "Patient/ann"}


async def test_a_time_can_be_asked_for(clinic: Clinic) -> None:
    await furnish(clinic)
    found = await summary(clinic.system, f"Patient/ann/$session-summary?start={ago(30)[:10]}&end={ago(15)[:10]}")
    assert "Task/before" in resources(found)
    assert "Task/now1" not in resources(found)


async def test_a_plan_has_its_own_assignments(clinic: Clinic) -> None:
    await furnish(clinic)
    plan = {
        "resourceType": "CarePlan", "id": "plan", "status": "active", "intent": "plan", "subject": to("Patient/ann"),
        "activity": [{"reference": to("ServiceRequest/of-plan")}],
    }  # fmt: skip
    await clinic.put(plan, lately("mine", 2, DONE, description="Of the plan", basedOn=[to("ServiceRequest/of-plan")]))
    found = await summary(clinic.system, "CarePlan/plan/$session-summary")
    assert {each for each in resources(found) if each.startswith("Task/")} == {"Task/mine", "Task/proposal"}


async def test_each_caller_gets_what_they_may_see(clinic: Clinic) -> None:
    await furnish(clinic)
    private = told("secret", 1, "For nobody else") | labelled("client-only")
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    answer = await ann.put("QuestionnaireResponse/secret", json=private)
    assert answer.status_code == 201, answer.text
    own, theirs = await summary(ann), await summary(await clinic.as_person("Practitioner/thera", "user/*.cruds"))
    assert "For nobody else" in own["entry"][0]["resource"]["text"]["div"]
    assert "For nobody else" not in theirs["entry"][0]["resource"]["text"]["div"]
    assert "proposals" not in sections(own)
    assert "proposals" in sections(theirs)


async def test_kinds_that_a_token_has_no_scope_for_are_left_out(clinic: Clinic) -> None:
    await furnish(clinic)
    async with clinic.house.client(await clinic.house.token("system/Patient.r system/Task.s")) as http:
        found = await summary(http, f"Patient/ann/$session-summary?start={ago(7)[:10]}")
    assert {each.partition("/")[0] for each in resources(found)} == {"Composition", "Patient", "Task"}


@pytest.mark.parametrize("language", ["en", "es", "nl", "de"])
async def test_is_a_page_in_the_readers_language(clinic: Clinic, language: str) -> None:
    await furnish(clinic)
    path = f"Patient/ann/$session-summary?language={language}"
    answer = await clinic.system.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-language"] == language
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script>notice" not in answer.text
    assert '<img src="data:image/svg+xml;base64,' in answer.text
    assert 'alt="PHQ-9. ' in answer.text


async def test_tells_of_forms_in_the_readers_language_and_from_when(clinic: Clinic) -> None:
    text = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": [
        {"url": "lang", "valueCode": "es"}, {"url": "content", "valueString": "¿Qué notó?"}]}]}  # fmt: skip
    form = {
        "resourceType": "Questionnaire", "id": "noticed", "url": "https://a.test/noticed", "version": "1", "status": "active",
        "language": "en", "title": "Noticing",
        "item": [{"linkId": "i", "type": "text", "text": "What did you notice?", "_text": text}],
    }  # fmt: skip
    said = told("new", 2, "Nada nuevo") | {
        "questionnaire": "https://a.test/noticed|1",
        "item": [{"linkId": "i", "answer": [{"valueString": "Nada nuevo"}]}],
    }
    await clinic.put(form, said)
    for language, question in (("en", "What did you notice?"), ("es", "¿Qué notó?")):
        page = await clinic.system.get(f"Patient/ann/$session-summary?language={language}&_format=text/html")
        assert f"Noticing: {question}" in page.text
    await clinic.put({"resourceType": "Encounter", "id": "last", "status": "entered-in-error", "class": {"code": "AMB"},
                      "subject": to("Patient/ann")})  # fmt: skip
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Europe/Berlin"}
    await clinic.put({"resourceType": "Patient", "id": "ann", "extension": [zone]})
    # Four weeks, of days that are the client's own.
    page = await clinic.system.get("Patient/ann/$session-summary?_format=text/html&end=2026-02-28")
    assert "From 1 February 2026 to 28 February 2026" in page.text


async def test_proposals_that_wait_are_told_in_the_readers_language_with_what_they_are_about(clinic: Clinic) -> None:
    rule = {"coding": [{"system": f"{BASE}/CodeSystem/shaping-rule", "code": "not-done"}], "text": "It did not happen."}
    evidence = {"type": {"text": "evidence"}, "valueReference": to("Task/now1")}
    await furnish(clinic)
    proposal = (await clinic.system.get("Task/proposal")).json() | {"reasonCode": rule, "input": [evidence]}
    await clinic.put(proposal)
    page = (await clinic.system.get("Patient/ann/$session-summary?language=de&_format=text/html")).text
    assert "Ein nächster Schritt (Breathe slowly): Es kam mehrmals hintereinander nicht dazu." in page
    await clinic.put(proposal | {"status": "accepted"})
    page = (await clinic.system.get("Patient/ann/$session-summary?language=de&_format=text/html")).text
    assert "Ein nächster Schritt" not in page


async def test_is_a_pdf_where_one_is_asked_for(clinic: Clinic) -> None:
    await furnish(clinic)
    answer = await clinic.system.get("Patient/ann/$session-summary?paper=letter", headers={"Accept": "application/pdf"})
    assert answer.status_code == 200, answer.text
    pages = PdfReader(BytesIO(answer.content)).pages
    text = "".join(page.extract_text() for page in pages)
    assert "Breathe slowly" in text
    assert "moderately severe 15–19" in text  # of the picture


async def test_sends_few_statements(clinic: Clinic) -> None:
    """Each kind of thing is one search: the length of a record does not change their number."""
    await furnish(clinic)
    await summary(clinic.system)
    pool = clinic.house.app.engine.database
    sent: list[str] = []
    async with pool.connection(clinic.house.tenant_id) as connection:
        connection.add_query_logger(lambda query: sent.append(query.query))
    try:
        await summary(clinic.system)
    finally:
        async with pool.connection(clinic.house.tenant_id) as connection:
            for logger in list(connection._query_loggers):
                connection._query_loggers.discard(logger)
    assert 0 < len(sent) <= 12
