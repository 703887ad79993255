"""Expressions of forms when answers are written: what refuses, what is derived, and that the answers stay as sent."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas import json

CASES = json.decode((Path(__file__).parent.parent / "cases" / "sdc" / "behaviour.json").read_bytes())
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
Json = dict[str, Any]


async def kept(api: httpx.AsyncClient, form: Json) -> None:
    assert (await api.put("Patient/p", json={"resourceType": "Patient", "id": "p"})).status_code == 201
    body = {"resourceType": "Questionnaire", "id": "f", "url": "urn:f", "status": "active", **form}
    assert (await api.put("Questionnaire/f", json=body)).status_code == 201


def response(answers: Json, status: str = "completed") -> Json:
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "urn:f",
        "status": status,
        "subject": {"reference": "Patient/p"},
        "authored": "2026-01-12T08:00:00Z",
        "item": [{"linkId": link_id, "answer": [answer]} for link_id, answer in answers.items()],
    }


async def test_completing_is_refused_by_a_rule_of_the_form_in_its_own_words_and_a_draft_is_not(
    api: httpx.AsyncClient,
) -> None:
    await kept(api, CASES[1]["form"])
    wrong = {"in-bed": {"valueDecimal": 6}, "slept": {"valueDecimal": 7}}
    assert (await api.post("QuestionnaireResponse", json=response(wrong, "in-progress"))).status_code == 201
    answer = await api.post("QuestionnaireResponse", json=response(wrong))
    assert answer.status_code == 422
    (only,) = answer.json()["issue"]
    assert only["details"]["coding"][0]["code"] == "answer-constraint"
    assert only["diagnostics"] == "Nobody sleeps longer than they are in bed"
    right = {"in-bed": {"valueDecimal": 8}, "slept": {"valueDecimal": 7}}
    assert (await api.post("QuestionnaireResponse", json=response(right))).status_code == 201


async def test_validate_says_what_completing_would(api: httpx.AsyncClient) -> None:
    await kept(api, CASES[1]["form"])
    sent = response({"in-bed": {"valueDecimal": 30}})
    found = (await api.post("QuestionnaireResponse/$validate", json=sent)).json()["issue"]
    assert [each["diagnostics"] for each in found] == ["Item 'in-bed': a day has 24 hours"]


async def test_a_warning_refuses_nothing(api: httpx.AsyncClient) -> None:
    await kept(api, CASES[2]["form"])
    assert (await api.post("QuestionnaireResponse", json=response({"a": {"valueInteger": 12}}))).status_code == 201


@pytest.mark.parametrize("own", [None, 40])
async def test_a_computed_total_becomes_an_observation_and_the_response_stays_as_it_was_sent(
    api: httpx.AsyncClient, own: int | None
) -> None:
    total = {"language": "text/fhirpath", "expression": "%resource.item.where(linkId!='total').answer.value.sum()"}
    form = {
        "item": [
            {"linkId": "a", "type": "integer"},
            {"linkId": "b", "type": "integer"},
            {
                "linkId": "total",
                "type": "integer",
                "code": [{"system": "urn:x", "code": "total"}],
                "extension": [
                    {"url": SDC + "observationExtract", "valueBoolean": True},
                    {"url": SDC + "calculatedExpression", "valueExpression": total},
                ],
            },
        ]
    }
    await kept(api, form)
    answers = {"a": {"valueInteger": 3}, "b": {"valueInteger": 4}} | ({"total": {"valueInteger": own}} if own else {})
    made = await api.post("QuestionnaireResponse", json=response(answers))
    assert made.status_code == 201, made.text
    assert len((await api.get(made.headers["location"])).json()["item"]) == len(answers)
    (found,) = (await api.get("Observation?code=urn:x|total")).json()["entry"]
    assert found["resource"]["valueInteger"] == (own or 7)
