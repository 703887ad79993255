"""Conditional update. https://hl7.org/fhir/R4/http.html#cond-update"""

from typing import Any

import httpx
import pytest

SYSTEM = "https://example.org/mrn"


def patient(value: str, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}]} | members


async def put(api: httpx.AsyncClient, value: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return await api.put("Patient", params={"identifier": f"{SYSTEM}|{value}"}, json=body, headers=sent)


@pytest.mark.parametrize("address", ["Patient", "Patient?_count=1", "Patient?identifier="])
async def test_refuses_an_update_of_everything(api: httpx.AsyncClient, address: str) -> None:
    answer = await api.put(address, json=patient("1"))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "no-criteria"


async def test_refuses_a_parameter_that_no_search_knows(api: httpx.AsyncClient) -> None:
    assert (await api.put("Patient?identifer=1", json=patient("1"))).status_code == 400


async def test_refuses_when_more_than_one_matches(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        await api.post("Patient", json=patient("1"))
    answer = await put(api, "1", patient("1", active=True))
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["code"] == "multiple-matches"


async def test_refuses_a_body_with_another_id_than_the_match(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("1", id="p"))
    answer = await put(api, "1", patient("1", id="q", active=True))
    assert answer.status_code == 400
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "1"


async def test_refuses_to_overwrite_a_resource_that_the_condition_did_not_mean(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("other", id="p"))
    answer = await put(api, "1", patient("1", id="p"))
    assert answer.status_code == 409
    assert answer.json()["issue"][0]["expression"] == ["Patient.id"]
    assert (await api.get("Patient/p")).json()["identifier"][0]["value"] == "other"


async def test_refuses_a_stale_if_match(api: httpx.AsyncClient) -> None:
    for active in (True, False):
        await api.put("Patient/p", json=patient("1", id="p", active=active))
    assert (await put(api, "1", patient("1"), If_Match='W/"1"')).status_code == 412


async def test_refuses_an_invalid_resource(api: httpx.AsyncClient) -> None:
    assert (await put(api, "1", patient("1", gender="unsure"))).status_code == 400


async def test_updates_the_one_match(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("1", id="p", active=True))
    await api.put("Patient/q", json=patient("2", id="q", active=True))
    answer = await put(api, "1", patient("1", active=False))
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert (await api.get("Patient/p")).json()["active"] is False
    assert (await api.get("Patient/q")).json()["active"] is True


async def test_changes_nothing_when_the_match_is_the_same_already(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json=patient("1"))).json()
    answer = await put(api, "1", made)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"1"')


async def test_creates_when_nothing_matches(api: httpx.AsyncClient) -> None:
    answer = await put(api, "1", patient("1"))
    assert answer.status_code == 201
    assert (await api.get(f"Patient/{answer.json()['id']}")).status_code == 200


async def test_creates_under_the_id_that_was_sent_when_nothing_matches(api: httpx.AsyncClient) -> None:
    answer = await put(api, "1", patient("1", id="p"))
    assert (answer.status_code, answer.json()["id"]) == (201, "p")


async def test_a_value_is_decoded_once(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("a&b=c+d%26", id="p"))
    await api.put("Patient/q", json=patient("a", id="q"))
    answer = await put(api, "a&b=c+d%26", patient("a&b=c+d%26", active=True))
    assert answer.status_code == 200
    assert answer.json()["id"] == "p"
