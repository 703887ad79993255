"""$validate: the same answer as a write, without writing. https://hl7.org/fhir/R4/resource-operation-validate.html"""

from typing import Any

import httpx
import pytest

Json = dict[str, Any]
GOOD = {"resourceType": "Patient", "active": True}
BAD = {"resourceType": "Patient", "gender": "unsure", "birthDate": "2026-02-30", "nonsense": 1}


def parameters(resource: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}]}


def faults(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    return [(issue["code"], issue["expression"][0]) for issue in answer.json()["issue"] if issue["severity"] == "error"]


@pytest.mark.parametrize("sent", [BAD, parameters(BAD)])
async def test_tells_every_fault_with_its_place(api: httpx.AsyncClient, sent: Json) -> None:
    told = faults(await api.post("Patient/$validate", json=sent))
    assert {place for _, place in told} == {"Patient.gender", "Patient.birthDate", "Patient.nonsense"}


async def test_tells_the_same_as_a_create(api: httpx.AsyncClient) -> None:
    told = await api.post("Patient/$validate", json=BAD)
    refused = await api.post("Patient", json=BAD)
    assert refused.status_code == 400
    assert told.json()["issue"] == refused.json()["issue"]


async def test_tells_a_resource_of_another_type(api: httpx.AsyncClient) -> None:
    assert faults(await api.post("Task/$validate", json=GOOD)) == [("invalid", "resourceType")]


async def test_tells_what_a_questionnaire_forbids(api: httpx.AsyncClient) -> None:
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": "https://example.org/none",
    }
    told = faults(await api.post("QuestionnaireResponse/$validate", json=response))
    assert told == [("not-found", "QuestionnaireResponse.questionnaire")]


@pytest.mark.parametrize("sent", [GOOD, parameters(GOOD)])
async def test_says_that_all_is_well(api: httpx.AsyncClient, sent: Json) -> None:
    answer = await api.post("Patient/$validate", json=sent)
    assert faults(answer) == []
    assert answer.json()["issue"][0]["severity"] == "information"


async def test_writes_nothing(api: httpx.AsyncClient) -> None:
    await api.post("Patient/$validate", json=GOOD)
    await api.post("Patient/p/$validate", json=GOOD | {"id": "p"})
    assert (await api.get("Patient?_summary=count")).json()["total"] == 0


async def test_validates_what_is_stored(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=GOOD | {"id": "p"})
    assert faults(await api.get("Patient/p/$validate")) == []


async def test_refuses_to_validate_nothing(api: httpx.AsyncClient) -> None:
    assert (await api.post("Patient/$validate")).status_code == 400
    assert (await api.post("Patient/$validate", json={"resourceType": "Parameters"})).status_code == 400
    assert (await api.get("Patient/nobody/$validate")).status_code == 404


async def test_refuses_other_methods(api: httpx.AsyncClient) -> None:
    answer = await api.put("Patient/$validate", json=GOOD)
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_refuses_what_is_no_json(api: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/fhir+json"}
    assert (await api.post("Patient/$validate", content=b"{", headers=headers)).status_code == 400
