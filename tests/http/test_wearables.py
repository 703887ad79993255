"""Readings of phones and watches: many at once, each kept once. Docs: docs/insight.md, "Wearables"."""

from typing import Any

import httpx
import pytest

Json = dict[str, Any]
WATCH = "https://watch.example.org"
ACTIVITY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "activity"}


def reading(number: int, steps: int = 1000, device: str = "watch") -> Json:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": WATCH, "value": f"reading-{number}"}],
        "status": "final",
        "category": [{"coding": [ACTIVITY]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
        "subject": {"reference": "Patient/p"},
        "device": {"reference": f"Device/{device}"},
        "effectiveDateTime": f"2026-03-{1 + number % 28:02d}",
        "valueQuantity": {"value": steps + number, "system": "http://unitsofmeasure.org", "code": "{steps}"},
    }


def bundle(kind: str, *readings: Json, with_device: bool = False) -> Json:
    entries = []
    for each in readings:
        condition = f"identifier={WATCH}|{each['identifier'][0]['value']}"
        condition += f"&device={each['device']['reference']}" if with_device else ""
        entries.append(
            {"request": {"method": "POST", "url": "Observation", "ifNoneExist": condition}, "resource": each}
        )
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


async def sent(api: httpx.AsyncClient, body: Json) -> list[str]:
    answer = await api.post("", json=body)
    assert answer.status_code == 200, answer.text
    return [entry["response"]["status"][:3] for entry in answer.json()["entry"]]


async def count(api: httpx.AsyncClient, query: str = "") -> int:
    answer = await api.get(f"Observation?patient=p&_summary=count{query}")
    return int(answer.json()["total"])


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> None:
    assert (await api.put("Patient/p", json={"resourceType": "Patient", "id": "p"})).status_code == 201


@pytest.mark.parametrize("kind", ["transaction", "batch"])
@pytest.mark.usefixtures("patient")
async def test_what_is_sent_again_is_kept_once(api: httpx.AsyncClient, kind: str) -> None:
    readings = [reading(number) for number in range(20)]
    assert await sent(api, bundle(kind, *readings)) == ["201"] * 20
    assert await sent(api, bundle(kind, *readings, reading(20))) == ["200"] * 20 + ["201"]
    assert await count(api) == 21


@pytest.mark.usefixtures("patient")
async def test_one_reading_twice_in_a_batch_is_kept_once(api: httpx.AsyncClient) -> None:
    assert sorted(await sent(api, bundle("batch", reading(1), reading(1)))) == ["200", "201"]
    assert await count(api) == 1


@pytest.mark.usefixtures("patient")
async def test_two_devices_may_use_one_identifier(api: httpx.AsyncClient) -> None:
    first, second = reading(1), reading(1, device="phone")
    assert await sent(api, bundle("transaction", first, with_device=True)) == ["201"]
    assert await sent(api, bundle("transaction", first, second, with_device=True)) == ["200", "201"]
    assert await count(api, "&device=Device/phone") == 1


@pytest.mark.usefixtures("patient")
async def test_a_correction_is_a_conditional_update_and_the_same_again_writes_nothing(api: httpx.AsyncClient) -> None:
    await sent(api, bundle("transaction", reading(1)))
    address = f"Observation?identifier={WATCH}|reading-1"
    changed = await api.put(address, json=reading(1, 5000))
    again = await api.put(address, json=reading(1, 5000))
    assert (changed.json()["meta"]["versionId"], again.json()["meta"]["versionId"]) == ("2", "2")
    assert await count(api) == 1


@pytest.mark.usefixtures("patient")
async def test_five_hundred_readings_go_in_one_transaction(api: httpx.AsyncClient) -> None:
    readings = [reading(number) for number in range(500)]
    assert await sent(api, bundle("transaction", *readings)) == ["201"] * 500
    assert await sent(api, bundle("transaction", *readings)) == ["200"] * 500
    answer = await api.get("Observation/$lastn?patient=p&category=activity")
    assert answer.json()["total"] >= 1
