"""Requests that meet: real concurrency, over two applications on one database. https://hl7.org/fhir/R4/http.html#concurrency"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import cycle, pairwise
from typing import Any, Final

import httpx
import pytest

from api.app import Hearth, create_app

Json = dict[str, Any]
SYSTEM: Final = "https://example.org/mrn"
SEARCH: Final = f"identifier={SYSTEM}|1"


@pytest.fixture(scope="module")
async def second(hearth: Hearth, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hearth]:
    """Another application on the same database, as another worker or machine is."""
    settings = hearth.engine.settings
    app: Hearth = create_app(settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("second")}))
    await app.engine.start()
    yield app
    await app.engine.stop()


@pytest.fixture
async def both(house: Any, second: Hearth) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client of each application, for one tenant."""
    token = await house.token()
    transport = httpx.ASGITransport(app=second)
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        house.client(token) as one,
        httpx.AsyncClient(transport=transport, base_url=house.base + "/", headers=headers, timeout=30) as other,
    ):
        yield one, other


async def at_once(
    clients: Iterable[httpx.AsyncClient],
    count: int,
    send: Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]],
) -> list[httpx.Response]:
    """The answers to `count` requests that are all under way together, in turn on each client."""
    return await asyncio.gather(*(send(client, number) for client, number in zip(cycle(clients), range(count))))


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def patient(**members: Any) -> Json:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "1"}]} | members


async def total(api: httpx.AsyncClient, search: str) -> int:
    return int((await api.get(f"{search}{'&' if '?' in search else '?'}_summary=count")).json()["total"])


async def life(api: httpx.AsyncClient, address: str) -> list[Json]:
    """The entries of a resource's history, oldest first; versions without a gap."""
    entries: list[Json] = (await api.get(f"{address}/_history?_count=1000")).json()["entry"][::-1]
    assert [each["response"]["etag"] for each in entries] == [f'W/"{number + 1}"' for number in range(len(entries))]
    times = [each["response"]["lastModified"] for each in entries]
    assert times == sorted(times)
    return entries


def told(answers: Iterable[httpx.Response], entries: list[Json]) -> None:
    """Every write that was acknowledged with a body is one version, as it was acknowledged, and no other is."""
    acknowledged = sorted(
        (answer.json() for answer in answers if answer.status_code in (200, 201)),
        key=lambda body: int(body["meta"]["versionId"]),
    )
    assert [each["resource"] for each in entries if "resource" in each] == acknowledged


Both = tuple[httpx.AsyncClient, httpx.AsyncClient]


async def test_two_hundred_identical_conditional_creates_make_one_resource(both: Both) -> None:
    answers = await at_once(
        both, 200, lambda api, _: api.post("Patient", json=patient(), headers={"If-None-Exist": SEARCH})
    )
    assert statuses(answers) == {201: 1, 200: 199}
    assert len({answer.content for answer in answers}) == 1
    assert await total(both[0], "Patient") == 1


async def test_conditional_creates_within_transactions_make_one_resource(both: Both) -> None:
    request = {"method": "POST", "url": "Patient", "ifNoneExist": SEARCH}
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "urn:uuid:p"}}
    body = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": "urn:uuid:p", "resource": patient(), "request": request},
            {"resource": flag, "request": {"method": "POST", "url": "Flag"}},
        ],
    }
    answers = await at_once(both, 40, lambda api, _: api.post("", json=body))
    assert statuses(answers) == {200: 40}
    subjects = {answer.json()["entry"][1]["resource"]["subject"]["reference"] for answer in answers}
    assert len(subjects) == 1
    assert await total(both[0], "Patient") == 1
    assert await total(both[0], f"Flag?subject={subjects.pop()}") == 40


async def test_conditional_updates_that_find_nothing_make_one_resource(both: Both) -> None:
    answers = await at_once(
        both, 40, lambda api, number: api.put(f"Patient?{SEARCH}", json=patient(multipleBirthInteger=number))
    )
    assert set(statuses(answers)) <= {200, 201}
    assert statuses(answers)[201] == 1
    assert await total(both[0], "Patient") == 1
    told(answers, await life(both[0], f"Patient/{answers[0].json()['id']}"))


async def test_different_conditions_do_not_wait_for_each_other_for_long(both: Both) -> None:
    async def send(api: httpx.AsyncClient, number: int) -> httpx.Response:
        body = patient(identifier=[{"system": SYSTEM, "value": str(number)}])
        return await api.post("Patient", json=body, headers={"If-None-Exist": f"identifier={SYSTEM}|{number}"})

    assert statuses(await at_once(both, 60, send)) == {201: 60}


async def test_transactions_with_conditions_in_other_orders_all_succeed(both: Both) -> None:
    def entry(number: int) -> Json:
        value = str(number)
        request = {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={SYSTEM}|{value}"}
        return {"resource": patient(identifier=[{"system": SYSTEM, "value": value}]), "request": request}

    async def send(api: httpx.AsyncClient, number: int) -> httpx.Response:
        entries = [entry(each) for each in range(5)]
        body = {"resourceType": "Bundle", "type": "transaction"}
        return await api.post("", json=body | {"entry": entries if number % 2 else entries[::-1]})

    assert statuses(await at_once(both, 40, send)) == {200: 40}
    assert await total(both[0], "Patient") == 5


async def test_updates_without_if_match_lose_nothing(both: Both) -> None:
    first = await both[0].put("Patient/p", json=patient(id="p"))
    answers = await at_once(
        both, 40, lambda api, number: api.put("Patient/p", json=patient(id="p", multipleBirthInteger=number))
    )
    assert set(statuses(answers)) <= {200, 409}
    assert statuses(answers)[200] > 0
    assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 409)
    told([first, *answers], await life(both[0], "Patient/p"))


async def test_of_updates_with_the_same_if_match_one_wins(both: Both) -> None:
    await both[0].put("Patient/p", json=patient(id="p"))
    answers = await at_once(
        both,
        40,
        lambda api, number: api.put(
            "Patient/p", json=patient(id="p", multipleBirthInteger=number), headers={"If-Match": 'W/"1"'}
        ),
    )
    assert statuses(answers) == {200: 1, 412: 39}
    assert len(await life(both[0], "Patient/p")) == 2


async def test_creates_by_update_of_one_id_are_one_create_and_updates(both: Both) -> None:
    answers = await at_once(
        both, 30, lambda api, number: api.put("Patient/p", json=patient(id="p", multipleBirthInteger=number))
    )
    assert set(statuses(answers)) <= {200, 201, 409}
    assert statuses(answers)[201] == 1
    told(answers, await life(both[0], "Patient/p"))


async def test_identical_creates_by_update_are_one_version(both: Both) -> None:
    answers = await at_once(both, 30, lambda api, _: api.put("Patient/p", json=patient(id="p")))
    assert statuses(answers) == {201: 1, 200: 29}
    assert len(await life(both[0], "Patient/p")) == 1


async def test_of_creates_by_update_that_allow_no_other_one_wins(both: Both) -> None:
    answers = await at_once(
        both,
        30,
        lambda api, number: api.put(
            "Patient/p", json=patient(id="p", multipleBirthInteger=number), headers={"If-None-Match": "*"}
        ),
    )
    assert statuses(answers) == {201: 1, 412: 29}
    assert len(await life(both[0], "Patient/p")) == 1


async def test_patches_lose_none_of_each_other(both: Both) -> None:
    await both[0].put("Patient/p", json=patient(id="p"))

    async def send(api: httpx.AsyncClient, number: int) -> httpx.Response:
        operation = {"op": "add", "path": "/identifier/-", "value": {"system": SYSTEM, "value": f"n{number}"}}
        headers = {"Content-Type": "application/json-patch+json"}
        return await api.patch("Patient/p", content=json.dumps([operation]).encode(), headers=headers)

    answers = await at_once(both, 20, send)
    assert set(statuses(answers)) <= {200, 409}
    now = {each["value"] for each in (await both[0].get("Patient/p")).json()["identifier"]}
    assert now == {"1"} | {f"n{number}" for number, answer in enumerate(answers) if answer.status_code == 200}


async def test_deletes_and_updates_make_one_line_of_versions(both: Both) -> None:
    first = await both[0].put("Patient/p", json=patient(id="p"))

    async def send(api: httpx.AsyncClient, number: int) -> httpx.Response:
        if number % 2:
            return await api.delete("Patient/p")
        return await api.put("Patient/p", json=patient(id="p", multipleBirthInteger=number))

    answers = await at_once(both, 40, send)
    assert set(statuses(answers)) <= {200, 201, 204, 409}
    entries = await life(both[0], "Patient/p")
    told([first, *answers], entries)
    methods = [each["request"]["method"] for each in entries]
    assert ("DELETE", "DELETE") not in set(pairwise(methods))
    for before, after in pairwise(entries):
        if after["request"]["method"] == "PUT":
            assert after["response"]["status"] == ("201" if before["request"]["method"] == "DELETE" else "200")
    read = await both[1].get("Patient/p")
    assert read.status_code == (410 if methods[-1] == "DELETE" else 200)


async def test_transactions_over_the_same_resources_in_other_orders_end(both: Both) -> None:
    for name in ("p", "q", "r"):
        await both[0].put(f"Patient/{name}", json=patient(id=name))

    async def send(api: httpx.AsyncClient, number: int) -> httpx.Response:
        names = ["p", "q", "r"] if number % 2 else ["r", "q", "p"]
        entries = [
            {
                "resource": patient(id=name, multipleBirthInteger=number),
                "request": {"method": "PUT", "url": f"Patient/{name}"},
            }
            for name in names
        ]
        return await api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})

    answers = await at_once(both, 30, send)
    assert set(statuses(answers)) <= {200, 409}
    won = statuses(answers)[200]
    assert won > 0
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["issue"][0]["expression"][0].startswith("Bundle.entry[")
    lives = [await life(both[0], f"Patient/{name}") for name in ("p", "q", "r")]
    assert [len(each) for each in lives] == [won + 1] * 3
    numbers = [[each["resource"].get("multipleBirthInteger") for each in entries] for entries in lives]
    assert numbers[0] == numbers[1] == numbers[2]


async def test_transactions_that_create_the_same_ids_in_other_orders_end(both: Both) -> None:
    async def send(api: httpx.AsyncClient, number: int) -> httpx.Response:
        names = [f"p{each}" for each in range(8)]
        entries = [
            {"resource": patient(id=name), "request": {"method": "PUT", "url": f"Patient/{name}"}}
            for name in (names if number % 2 else names[::-1])
        ]
        return await api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})

    answers = await at_once(both, 20, send)
    assert set(statuses(answers)) <= {200, 409}
    assert statuses(answers)[200] > 0
    assert await total(both[0], "Patient") == 8


async def test_duplicates_under_one_idempotency_key_make_one_resource(both: Both) -> None:
    answers = await at_once(
        both, 40, lambda api, _: api.post("Patient", json=patient(), headers={"Idempotency-Key": "k1"})
    )
    assert statuses(answers) == {201: 40}
    assert len({(answer.content, answer.headers["location"], answer.headers["etag"]) for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await total(both[0], "Patient") == 1


async def test_of_other_bodies_under_one_idempotency_key_one_wins(both: Both) -> None:
    answers = await at_once(
        both,
        20,
        lambda api, number: api.post(
            "Patient", json=patient(multipleBirthInteger=number), headers={"Idempotency-Key": "k1"}
        ),
    )
    assert statuses(answers) == {201: 1, 422: 19}
    assert await total(both[0], "Patient") == 1
