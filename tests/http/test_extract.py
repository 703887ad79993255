"""QuestionnaireResponse/$extract: of a stored and of a sent response; what is returned can be posted; nothing is stored."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas import json
from schemas.validate import validate

Json = dict[str, Any]
CASES = json.decode((Path(__file__).parent.parent / "cases" / "sdc" / "extract.json").read_bytes())
GOALS = next(case for case in CASES if case["name"].startswith("template-based: elements"))


def form(**more: Any) -> Json:
    return {
        "resourceType": "Questionnaire",
        "id": "f",
        "url": "urn:test:f",
        "status": "active",
        **GOALS["form"],
        **more,
    }


def response(**more: Any) -> Json:
    body: Json = {
        "resourceType": "QuestionnaireResponse",
        "id": "r",
        "questionnaire": "urn:test:f",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "authored": "2026-01-12T09:00:00Z",
        "item": GOALS["items"],
    }
    return body | more


# A template in a form is no valid resource by itself: what its expressions give is missing. Where one is stored it has
# something at those places.
TEMPLATE = GOALS["form"]["contained"][0] | {
    "description": {"text": "-", **GOALS["form"]["contained"][0]["description"]},
    "subject": {"reference": "#", **GOALS["form"]["contained"][0]["subject"]},
}


@pytest.fixture
async def api(api: httpx.AsyncClient) -> httpx.AsyncClient:
    for body in ({"resourceType": "Patient", "id": "p"}, form(contained=[TEMPLATE]), response()):
        answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code == 201, answer.text
    return api


async def test_a_stored_response_becomes_a_transaction_that_can_be_posted(api: httpx.AsyncClient) -> None:
    answer = await api.get("QuestionnaireResponse/r/$extract")
    assert answer.status_code == 200, answer.text
    made = json.decode(answer.content)
    assert validate(made) == []
    assert [each["resource"]["description"]["text"] for each in made["entry"]] == ["Walk", "Rest"]
    assert (await api.get("Goal")).json()["total"] == 0
    kept = await api.post("", json=made)
    assert kept.status_code == 200, kept.text
    assert (await api.get("Goal?patient=Patient/p")).json()["total"] == 2


async def test_completing_the_response_makes_nothing_of_templates_by_itself(api: httpx.AsyncClient) -> None:
    assert (await api.get("Goal")).json()["total"] == 0
    assert (await api.get("QuestionnaireResponse")).json()["total"] == 1


async def test_one_created_resource_comes_by_itself(api: httpx.AsyncClient) -> None:
    sent = response(item=GOALS["items"][1:])
    del sent["id"]
    answer = await api.post("QuestionnaireResponse/$extract", json=sent)
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "Goal"
    assert (await api.get("QuestionnaireResponse")).json()["total"] == 1


async def test_the_form_may_be_sent_too(api: httpx.AsyncClient) -> None:
    other = form(contained=[{**TEMPLATE, "lifecycleStatus": "planned"}])
    parameters = [
        {"name": "questionnaire-response", "resource": response()},
        {"name": "questionnaire", "resource": other},
    ]
    answer = await api.post(
        "QuestionnaireResponse/$extract", json={"resourceType": "Parameters", "parameter": parameters}
    )
    assert answer.status_code == 200, answer.text
    assert {each["resource"]["lifecycleStatus"] for each in answer.json()["entry"]} == {"planned"}


def issue(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["issue"][0]["details"]["coding"][0]["code"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"status": "in-progress"}, 422, "response-not-complete"),
        ({"questionnaire": "urn:test:none"}, 422, "definition-unknown"),
        ({"questionnaire": None}, 422, "definition-unknown"),
        ({"item": [{"linkId": "x"}]}, 422, "item-unknown"),
        ({"status": "done"}, 400, "unknown-code"),
    ],
)
async def test_what_cannot_be_extracted_is_refused(
    api: httpx.AsyncClient, change: Json, status: int, code: str
) -> None:
    sent = {name: value for name, value in response(**change).items() if value is not None}
    found = issue(await api.post("QuestionnaireResponse/$extract", json=sent))
    assert found[0] == status
    if status == 422:
        assert found[1] == code


async def test_a_template_that_gives_no_valid_resource_is_refused(api: httpx.AsyncClient) -> None:
    broken = {**TEMPLATE, "lifecycleStatus": "accepted", "achievementStatus": {"text": "x"}}
    broken |= {
        "_startDate": {
            "extension": [
                {"url": GOALS["form"]["contained"][0]["_startDate"]["extension"][0]["url"], "valueString": "'soon'"}
            ]
        }
    }
    parameters = [
        {"name": "questionnaire-response", "resource": response()},
        {"name": "questionnaire", "resource": form(contained=[broken])},
    ]
    answer = await api.post(
        "QuestionnaireResponse/$extract", json={"resourceType": "Parameters", "parameter": parameters}
    )
    assert issue(answer) == (422, "definition-not-applied")


async def test_who_may_not_see_the_form_gets_nothing_of_it(house: Any, api: httpx.AsyncClient) -> None:
    async with house.client(await house.token("system/QuestionnaireResponse.r")) as http:
        assert issue(await http.get("QuestionnaireResponse/r/$extract")) == (422, "definition-unknown")
    async with house.client(await house.token("system/Questionnaire.rs")) as http:
        assert issue(await http.get("QuestionnaireResponse/r/$extract")) == (403, "not-allowed")


async def test_a_missing_body_says_what_to_send(api: httpx.AsyncClient) -> None:
    answer = await api.get("QuestionnaireResponse/$extract")
    assert issue(answer) == (400, "parameter-malformed")
    assert "questionnaire-response" in answer.json()["issue"][0]["diagnostics"]
