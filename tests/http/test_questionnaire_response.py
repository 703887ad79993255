"""An answer is checked against its pinned Questionnaire, scored, and completes its Task, all in one transaction."""

import asyncio
from typing import Any

import httpx
import pytest

from schemas import library

Json = dict[str, Any]
PHQ9 = "https://hearth.health/fhir/Questionnaire/phq-9"
TOTAL, ITEM_9 = "http://loinc.org|44261-6", "http://loinc.org|44260-8"
NOT_AT_ALL, SEVERAL, MORE, NEARLY = "LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"


def phq9() -> Json:
    return next(each for each in library.seed() if each.get("url") == PHQ9)


def answers(*codes: str) -> list[Json]:
    asked = [each["linkId"] for each in phq9()["item"] if each["type"] == "choice"]
    return [
        {"linkId": link, "answer": [{"valueCoding": {"system": "http://loinc.org", "code": code}}]}
        for link, code in zip(asked, codes, strict=False)
    ]


def response(*codes: str, **members: Any) -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": f"{PHQ9}|1.0.0",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "source": {"reference": "Patient/p"},
        "basedOn": [{"reference": "ServiceRequest/sr"}],
        "authored": "2026-01-14T20:20:00Z",
        "item": answers(*codes),
    } | members


def task(**members: Any) -> Json:
    return {
        "resourceType": "Task",
        "id": "t",
        "status": "ready",
        "intent": "order",
        "for": {"reference": "Patient/p"},
        "owner": {"reference": "Patient/p"},
        "basedOn": [{"reference": "ServiceRequest/sr"}],
        "input": [{"type": {"text": "questionnaire"}, "valueCanonical": f"{PHQ9}|1.0.0"}],
    } | members


@pytest.fixture
async def clinic(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """A tenant with the PHQ-9 and one open assignment of it."""
    order = {"status": "active", "intent": "order", "subject": {"reference": "Patient/p"}}
    for body in (
        phq9(),
        {"resourceType": "Patient", "id": "p"},
        {"resourceType": "ServiceRequest", "id": "sr"} | order,
        task(),
    ):
        assert (await api.put(f"{body['resourceType']}/{body['id']}", json=body)).status_code == 201
    return api


async def found(api: httpx.AsyncClient, address: str) -> list[Json]:
    return [entry["resource"] for entry in (await api.get(address)).json().get("entry", [])]


async def totals(api: httpx.AsyncClient) -> list[Json]:
    return await found(api, f"Observation?patient=p&code={TOTAL}&_sort=-date")


def refused(answer: httpx.Response, code: str) -> list[str]:
    assert answer.status_code == 422, answer.text
    issues = answer.json()["issue"]
    assert code in {issue["details"]["coding"][0]["code"] for issue in issues}
    return [each for issue in issues for each in issue.get("expression", [])]


# --- refusals ------------------------------------------------------------------------------------------------------------


async def test_an_answer_to_a_questionnaire_that_is_not_held_is_refused(api: httpx.AsyncClient) -> None:
    where = refused(await api.post("QuestionnaireResponse", json=response(*[SEVERAL] * 9)), "questionnaire-unknown")
    assert where == ["QuestionnaireResponse.questionnaire"]


async def test_an_answer_to_another_version_is_refused(clinic: httpx.AsyncClient) -> None:
    body = response(*[SEVERAL] * 9, questionnaire=f"{PHQ9}|9.9.9")
    refused(await clinic.post("QuestionnaireResponse", json=body), "questionnaire-unknown")


async def test_an_answer_that_is_no_option_is_refused_at_its_item_and_nothing_is_written(
    clinic: httpx.AsyncClient,
) -> None:
    body = response(SEVERAL, "LA0000-0", *[SEVERAL] * 7)
    answer = await clinic.post("QuestionnaireResponse", json=body)
    assert answer.status_code == 422
    assert any("item[1].answer[0]" in each for issue in answer.json()["issue"] for each in issue["expression"])
    assert await found(clinic, "QuestionnaireResponse?patient=p") == []
    assert await found(clinic, "Observation?patient=p") == []
    assert (await clinic.get("Task/t")).json()["status"] == "ready"


async def test_an_unknown_link_is_refused_and_validate_says_the_same(clinic: httpx.AsyncClient) -> None:
    body = response(*[SEVERAL] * 9)
    body["item"].append({"linkId": "nonsense", "answer": [{"valueString": "x"}]})
    written = await clinic.post("QuestionnaireResponse", json=body)
    asked = await clinic.post("QuestionnaireResponse/$validate", json=body)
    assert (written.status_code, asked.status_code) == (422, 200)
    assert written.json()["issue"] == asked.json()["issue"]


# --- scoring -------------------------------------------------------------------------------------------------------------


async def test_a_completed_phq_9_is_scored_with_everything_that_belongs_to_it(clinic: httpx.AsyncClient) -> None:
    codes = (MORE, MORE, MORE, MORE, SEVERAL, SEVERAL, MORE, NOT_AT_ALL, NOT_AT_ALL)
    made = await clinic.post("QuestionnaireResponse", json=response(*codes))
    assert made.status_code == 201, made.text
    reference = f"QuestionnaireResponse/{made.json()['id']}"
    (total,) = await totals(clinic)
    assert (total["valueInteger"], total["status"]) == (12, "final")
    assert total["derivedFrom"] == [{"reference": reference}]
    assert total["basedOn"] == [{"reference": "ServiceRequest/sr"}]
    assert total["effectiveDateTime"] == "2026-01-14T20:20:00Z"
    (thoughts,) = await found(clinic, f"Observation?patient=p&code={ITEM_9}")
    assert thoughts["valueCodeableConcept"]["coding"][0]["code"] == NOT_AT_ALL
    (trace,) = await found(clinic, f"Provenance?target=Observation/{total['id']}")
    assert {entity["what"]["reference"].partition("/_history")[0] for entity in trace["entity"]} == {reference}
    done = (await clinic.get("Task/t")).json()
    assert (done["status"], done["meta"]["versionId"]) == ("completed", "2")
    assert [each["valueReference"]["reference"] for each in done["output"]] == [reference]


async def test_a_missing_item_means_no_total(clinic: httpx.AsyncClient) -> None:
    assert (await clinic.post("QuestionnaireResponse", json=response(*[SEVERAL] * 8))).status_code == 201
    assert await totals(clinic) == []
    assert (await clinic.get("Task/t")).json()["status"] == "completed"


async def test_a_draft_is_not_scored_until_it_is_completed(clinic: httpx.AsyncClient) -> None:
    draft = response(*[NEARLY] * 9, id="qr", status="in-progress")
    assert (await clinic.put("QuestionnaireResponse/qr", json=draft)).status_code == 201
    assert await totals(clinic) == []
    assert (await clinic.get("Task/t")).json()["status"] == "ready"
    assert (await clinic.put("QuestionnaireResponse/qr", json=draft | {"status": "completed"})).status_code == 200
    assert [each["valueInteger"] for each in await totals(clinic)] == [27]


async def test_an_amended_answer_amends_its_total_under_the_same_id(clinic: httpx.AsyncClient) -> None:
    first = response(*[SEVERAL] * 9, id="qr")
    assert (await clinic.put("QuestionnaireResponse/qr", json=first)).status_code == 201
    (before,) = await totals(clinic)
    amended = response(*[MORE] * 9, id="qr", status="amended")
    assert (await clinic.put("QuestionnaireResponse/qr", json=amended)).status_code == 200
    (after,) = await totals(clinic)
    assert (after["id"], after["valueInteger"], after["status"]) == (before["id"], 18, "amended")


async def test_an_answer_entered_in_error_takes_its_total_with_it(clinic: httpx.AsyncClient) -> None:
    body = response(*[SEVERAL] * 9, id="qr")
    assert (await clinic.put("QuestionnaireResponse/qr", json=body)).status_code == 201
    wrong = body | {"status": "entered-in-error"}
    assert (await clinic.put("QuestionnaireResponse/qr", json=wrong)).status_code == 200
    assert [each["status"] for each in await totals(clinic)] == ["entered-in-error"]


async def test_a_transaction_that_brings_answer_and_task_makes_one_version_of_the_task(
    clinic: httpx.AsyncClient,
) -> None:
    entries = [
        {"request": {"method": "POST", "url": "QuestionnaireResponse"}, "resource": response(*[SEVERAL] * 9)},
        {"request": {"method": "PUT", "url": "Task/t"}, "resource": task(status="in-progress")},
    ]
    answer = await clinic.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    told = answer.json()["entry"][1]["resource"]
    stored = (await clinic.get("Task/t")).json()
    assert told == stored
    assert (stored["status"], stored["meta"]["versionId"]) == ("completed", "2")


async def test_who_may_only_send_answers_still_gets_them_scored(house: Any, clinic: httpx.AsyncClient) -> None:
    async with house.client(await house.token("system/QuestionnaireResponse.c")) as app:
        assert (await app.post("QuestionnaireResponse", json=response(*[SEVERAL] * 9))).status_code == 201
        assert (await app.get(f"Observation?code={TOTAL}")).status_code == 403
    assert [each["valueInteger"] for each in await totals(clinic)] == [9]


async def test_two_answers_at_once_complete_the_task_once(clinic: httpx.AsyncClient) -> None:
    sent = [clinic.post("QuestionnaireResponse", json=response(*[SEVERAL] * 9)) for _ in range(6)]
    assert {each.status_code for each in await asyncio.gather(*sent)} == {201}
    done = (await clinic.get("Task/t")).json()
    assert (done["status"], len(done["output"]), done["meta"]["versionId"]) == ("completed", 1, "2")
    assert len(await totals(clinic)) == 6
