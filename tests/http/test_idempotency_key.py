"""Idempotency-Key. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"""

from typing import Any

import httpx
import pytest

Json = dict[str, Any]
PATIENT = {"resourceType": "Patient", "active": True}


def key(name: str = "k1", **headers: str) -> dict[str, str]:
    return {"Idempotency-Key": name} | {header.replace("_", "-"): text for header, text in headers.items()}


async def total(api: httpx.AsyncClient) -> int:
    return int((await api.get("Patient?_summary=count")).json()["total"])


@pytest.mark.parametrize("name", ["", '""', "x" * 256, "tab\tinside"])
async def test_refuses_a_key_that_is_none(api: httpx.AsyncClient, name: str) -> None:
    answer = await api.post("Patient", json=PATIENT, headers=key(name))
    assert answer.status_code == 400
    assert await total(api) == 0


async def test_refuses_another_body_under_a_key_that_was_used(api: httpx.AsyncClient) -> None:
    await api.post("Patient", json=PATIENT, headers=key())
    answer = await api.post("Patient", json=PATIENT | {"active": False}, headers=key())
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "idempotency-key-reused"
    assert await total(api) == 1


async def test_refuses_another_address_under_a_key_that_was_used(api: httpx.AsyncClient) -> None:
    await api.post("Patient", json=PATIENT, headers=key())
    answer = await api.post("Basic", json={"resourceType": "Basic", "code": {"text": "x"}}, headers=key())
    assert answer.status_code == 422


async def test_refuses_another_condition_under_a_key_that_was_used(api: httpx.AsyncClient) -> None:
    await api.post("Patient", json=PATIENT, headers=key())
    answer = await api.post("Patient", json=PATIENT, headers=key(If_None_Exist="active=true"))
    assert answer.status_code == 422


async def test_replays_the_answer_with_its_headers(api: httpx.AsyncClient) -> None:
    first = await api.post("Patient", json=PATIENT, headers=key())
    again = await api.post("Patient", json=PATIENT, headers=key())
    assert (again.status_code, again.content) == (201, first.content)
    for name in ("etag", "last-modified", "location"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert await total(api) == 1


async def test_replays_what_was_answered_then_even_if_it_changed_since(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json=PATIENT, headers=key())).json()
    await api.put(f"Patient/{made['id']}", json=made | {"active": False})
    again = await api.post("Patient", json=PATIENT, headers=key())
    assert (again.status_code, again.json()) == (201, made)


async def test_a_key_in_quotes_is_the_same_key(api: httpx.AsyncClient) -> None:
    await api.post("Patient", json=PATIENT, headers=key("k1"))
    await api.post("Patient", json=PATIENT, headers=key('"k1"'))
    assert await total(api) == 1


async def test_another_key_is_another_request(api: httpx.AsyncClient) -> None:
    for name in ("k1", "k2"):
        assert (await api.post("Patient", json=PATIENT, headers=key(name))).status_code == 201
    assert await total(api) == 2


async def test_the_same_key_of_another_client_is_another_request(api: httpx.AsyncClient, house: Any) -> None:
    await api.post("Patient", json=PATIENT, headers=key())
    async with house.client(await house.token()) as other:
        answer = await other.post("Patient", json=PATIENT, headers=key())
    assert "idempotency-replayed" not in answer.headers
    assert await total(api) == 2


async def test_a_refused_request_may_be_mended_and_sent_again(api: httpx.AsyncClient) -> None:
    refused = await api.post("Patient", json=PATIENT | {"gender": "unsure"}, headers=key())
    assert refused.status_code == 400
    assert (await api.post("Patient", json=PATIENT, headers=key())).status_code == 201


async def test_a_transaction_is_carried_out_once(api: httpx.AsyncClient) -> None:
    body = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}],
    }
    answers = [await api.post("", json=body, headers=key()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert await total(api) == 1


async def test_a_refused_transaction_may_be_mended_and_sent_again(api: httpx.AsyncClient) -> None:
    entry = {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
    body: Json = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    bad = body | {"entry": [entry, {"request": {"method": "GET", "url": "Patient/nobody"}}]}
    assert (await api.post("", json=bad, headers=key())).status_code == 404
    assert (await api.post("", json=body, headers=key())).status_code == 200
    assert await total(api) == 1


async def test_a_batch_is_carried_out_once_with_its_refusals(api: httpx.AsyncClient) -> None:
    entries = [
        {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}},
        {"request": {"method": "GET", "url": "Patient/nobody"}},
    ]
    body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answers = [await api.post("", json=body, headers=key()) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert await total(api) == 1


async def test_a_conditional_create_replays_its_first_answer(api: httpx.AsyncClient) -> None:
    headers = key(If_None_Exist="active=true")
    answers = [await api.post("Patient", json=PATIENT, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert await total(api) == 1


async def test_a_search_by_post_is_never_replayed(api: httpx.AsyncClient) -> None:
    form = {"active": "true", "_summary": "count"}
    assert (await api.post("Patient/_search", data=form, headers=key())).json()["total"] == 0
    await api.post("Patient", json=PATIENT)
    assert (await api.post("Patient/_search", data=form, headers=key())).json()["total"] == 1


async def test_a_put_takes_no_notice_of_a_key(api: httpx.AsyncClient) -> None:
    for active in (True, False):
        await api.put("Patient/p", json=PATIENT | {"id": "p", "active": active}, headers=key())
    assert (await api.get("Patient/p")).json()["active"] is False
