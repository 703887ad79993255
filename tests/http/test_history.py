"""history of a resource, a type and the whole system. https://hl7.org/fhir/R4/http.html#history"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas.validate import validate

Json = dict[str, Any]


def patient(name: str, **members: Any) -> Json:
    return {"resourceType": "Patient", "id": name} | members


async def history(api: httpx.AsyncClient, address: str = "Patient/p/_history") -> list[Json]:
    answer = await api.get(address)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert bundle["type"] == "history"
    assert validate(bundle) == []
    return list(bundle.get("entry", []))


async def pages(api: httpx.AsyncClient, address: str) -> AsyncIterator[list[Json]]:
    """The entries of a history page by page."""
    following: str | None = address
    while following is not None:
        answer = await api.get(following)
        assert answer.status_code == 200, answer.text
        links = {link["relation"]: link["url"] for link in answer.json()["link"]}
        yield answer.json().get("entry", [])
        following = links.get("next")


def versions(entries: list[Json]) -> list[str]:
    """`fullUrl/version` of each entry."""
    return [f"{each['fullUrl']}/{each['response']['etag']}" for each in entries]


async def apart() -> None:
    """Time enough for another millisecond."""
    await asyncio.sleep(0.003)


# --- what is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["_since=yesterday", "_at=2026-13", "_count=many", "_count=-1", "_cursor=abc"])
async def test_refuses_values_that_cannot_be_read(api: httpx.AsyncClient, query: str) -> None:
    await api.put("Patient/p", json=patient("p"))
    answer = await api.get(f"Patient/p/_history?{query}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("query", ["_sort=_lastUpdated", "_list=x", "status=active"])
async def test_refuses_parameters_that_it_does_not_know(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"Patient/_history?{query}")).status_code == 400


async def test_ignores_unknown_parameters_when_asked_to(api: httpx.AsyncClient) -> None:
    answer = await api.get("Patient/_history?nonsense=1", headers={"Prefer": "handling=lenient"})
    assert answer.status_code == 200


async def test_refuses_a_resource_that_never_was(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/nobody/_history")).status_code == 404


async def test_refuses_a_cursor_of_another_history(api: httpx.AsyncClient) -> None:
    for number in range(3):
        await api.put("Patient/p", json=patient("p", multipleBirthInteger=number))
        await api.put("Patient/q", json=patient("q", multipleBirthInteger=number))
    link = (await api.get("Patient/p/_history?_count=1")).json()["link"][1]["url"]
    assert (await api.get(link.replace("Patient/p", "Patient/q"))).status_code == 400
    assert (await api.get(link.replace("_count=1", "_count=2"))).status_code == 400


async def test_refuses_a_cursor_of_another_client(api: httpx.AsyncClient, house: Any) -> None:
    for number in range(3):
        await api.put("Patient/p", json=patient("p", multipleBirthInteger=number))
    link = (await api.get("Patient/p/_history?_count=1")).json()["link"][1]["url"]
    async with house.client(await house.token()) as other:
        assert (await other.get(link)).status_code == 400


async def test_shows_only_types_that_the_scope_covers(api: httpx.AsyncClient, house: Any) -> None:
    await api.put("Patient/p", json=patient("p"))
    await api.put("Organization/o", json={"resourceType": "Organization", "id": "o", "name": "x"})
    async with house.client(await house.token("system/Patient.rs")) as narrow:
        assert {each["resource"]["resourceType"] for each in await history(narrow, "_history")} == {"Patient"}
        assert (await narrow.get("Organization/_history")).status_code == 403
        assert (await narrow.get("Organization/o/_history")).status_code == 403


async def test_shows_nothing_of_another_tenant(api: httpx.AsyncClient, new_house: Any) -> None:
    await api.put("Patient/p", json=patient("p"))
    other = await new_house()
    async with other.client(await other.token()) as theirs:
        assert await history(theirs, "_history") == []
        assert (await theirs.get("Patient/p/_history")).status_code == 404


# --- what an entry says -------------------------------------------------------------------------------------------------


async def test_tells_the_life_of_a_resource_newest_first(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("p", active=True))
    await api.put("Patient/p", json=patient("p", active=False))
    await api.delete("Patient/p")
    await api.put("Patient/p", json=patient("p"))
    entries = await history(api)
    told = [(each["request"]["method"], each["request"]["url"], each["response"]["status"]) for each in entries]
    assert told == [
        ("PUT", "Patient/p", "201"),
        ("DELETE", "Patient/p", "204"),
        ("PUT", "Patient/p", "200"),
        ("PUT", "Patient/p", "201"),
    ]
    assert [each["response"]["etag"] for each in entries] == ['W/"4"', 'W/"3"', 'W/"2"', 'W/"1"']
    assert ["resource" in each for each in entries] == [True, False, True, True]
    assert {each["fullUrl"] for each in entries} == {f"{api.base_url}Patient/p"}
    assert entries[2]["resource"]["active"] is False
    assert entries[0]["response"]["lastModified"] == entries[0]["resource"]["meta"]["lastUpdated"]


async def test_a_create_is_a_post_to_the_type(api: httpx.AsyncClient) -> None:
    made = (await api.post("Patient", json={"resourceType": "Patient"})).json()
    (entry,) = await history(api, f"Patient/{made['id']}/_history")
    assert entry["request"] == {"method": "POST", "url": "Patient"}
    assert entry["response"]["status"] == "201"


async def test_a_put_under_a_uuid_is_no_post(api: httpx.AsyncClient) -> None:
    for resource_id in ("1b4e28ba-2fa1-41d2-883f-0016d3cca427", "0190f4aa-1111-7222-8333-444455556666"):
        await api.put(f"Patient/{resource_id}", json=patient(resource_id))
        (entry,) = await history(api, f"Patient/{resource_id}/_history")
        assert entry["request"] == {"method": "PUT", "url": f"Patient/{resource_id}"}


async def test_the_same_is_told_at_every_level_and_on_every_page(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("p", active=True))
    await api.delete("Patient/p")
    await api.put("Patient/p", json=patient("p"))
    one = await history(api)
    assert await history(api, "Patient/_history") == one
    whole = [each async for page in pages(api, "_history?_count=1") for each in page]
    assert [each for each in whole if "/Patient/" in each["fullUrl"]] == one


async def test_a_deleted_resource_has_a_history(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("p"))
    await api.delete("Patient/p")
    assert [each["request"]["method"] for each in await history(api)] == ["DELETE", "PUT"]


async def test_a_type_without_resources_has_an_empty_history(api: httpx.AsyncClient) -> None:
    assert await history(api, "Media/_history") == []


@pytest.mark.parametrize("query", ["_summary=true", "_elements=gender"])
async def test_cuts_resources_down_when_asked_to(api: httpx.AsyncClient, query: str) -> None:
    await api.put("Patient/p", json=patient("p", gender="other", maritalStatus={"text": "x"}))
    (entry,) = (await api.get(f"Patient/p/_history?{query}")).json()["entry"]
    assert "maritalStatus" not in entry["resource"]
    assert entry["resource"]["gender"] == "other"
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"


# --- time ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def life(api: httpx.AsyncClient) -> list[str]:
    """The moments of four versions of `p`, the third of which is its deletion."""
    moments = []
    for number in range(4):
        await apart()
        if number == 2:
            await api.delete("Patient/p")
        else:
            await api.put("Patient/p", json=patient("p", multipleBirthInteger=number))
        moments.append((await history(api))[0]["response"]["lastModified"])
    return moments


def etags(entries: list[Json]) -> list[int]:
    return [int(each["response"]["etag"][3:-1]) for each in entries]


def between(one: str, other: str) -> str:
    first, second = datetime.fromisoformat(one), datetime.fromisoformat(other)
    return (first + (second - first) / 2).isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("address", ["Patient/p/_history", "Patient/_history"])
async def test_since_takes_what_was_written_at_the_moment_or_later(
    api: httpx.AsyncClient, life: list[str], address: str
) -> None:
    assert etags(await history(api, f"{address}?_since={life[2]}")) == [4, 3]
    assert etags(await history(api, f"{address}?_since={between(life[1], life[2])}")) == [4, 3]
    assert etags(await history(api, f"{address}?_since=2000")) == [4, 3, 2, 1]


async def test_since_the_future_is_empty_but_no_fault(api: httpx.AsyncClient, life: list[str]) -> None:
    assert await history(api, "Patient/p/_history?_since=2999-01-01") == []


@pytest.mark.parametrize("address", ["Patient/p/_history", "Patient/_history"])
async def test_at_takes_the_version_that_was_current_then(
    api: httpx.AsyncClient, life: list[str], address: str
) -> None:
    assert etags(await history(api, f"{address}?_at={between(life[0], life[1])}")) == [1]
    assert etags(await history(api, f"{address}?_at={between(life[1], life[2])}")) == [2]
    assert etags(await history(api, f"{address}?_at={between(life[2], life[3])}")) == [3]
    assert etags(await history(api, f"{address}?_at=2999")) == [4]
    assert await history(api, f"{address}?_at=1999") == []


@pytest.mark.parametrize("address", ["Patient/p/_history", "Patient/_history"])
async def test_at_a_year_takes_all_that_were_current_in_it(
    api: httpx.AsyncClient, life: list[str], address: str
) -> None:
    assert etags(await history(api, f"{address}?_at={life[0][:4]}")) == [4, 3, 2, 1]


async def test_at_takes_one_version_of_each_resource(api: httpx.AsyncClient) -> None:
    for number in range(3):
        for name in ("p", "q"):
            await api.put(f"Patient/{name}", json=patient(name, multipleBirthInteger=number))
    entries = await history(api, "Patient/_history?_at=2999")
    assert sorted(versions(entries)) == [f'{api.base_url}Patient/{name}/W/"3"' for name in ("p", "q")]


async def test_since_and_at_hold_together(api: httpx.AsyncClient, life: list[str]) -> None:
    moment = between(life[1], life[2])
    assert etags(await history(api, f"Patient/p/_history?_at={moment}&_since={life[1]}")) == [2]
    assert await history(api, f"Patient/p/_history?_at={moment}&_since={life[2]}") == []


async def test_takes_zones_other_than_utc(api: httpx.AsyncClient, life: list[str]) -> None:
    shifted = datetime.fromisoformat(life[2]).astimezone() + timedelta()
    text = shifted.isoformat(timespec="milliseconds").replace("+", "%2B")
    assert etags(await history(api, f"Patient/p/_history?_since={text}")) == [4, 3]


# --- pages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("address", ["Patient/p/_history", "Patient/_history", "_history"])
async def test_all_pages_together_are_everything_once(api: httpx.AsyncClient, address: str, count: int) -> None:
    bodies = [patient(name, multipleBirthInteger=number) for number in range(3) for name in ("p", "q")]
    await asyncio.gather(*(api.put(f"Patient/{body['id']}", json=body) for body in bodies))
    await api.delete("Patient/p")
    whole = await history(api, f"{address}?_count=1000")
    read = [page async for page in pages(api, f"{address}?_count={count}")]
    together = [each for page in read for each in page]
    assert [each for each in together if "AuditEvent" not in each["fullUrl"]] == [
        each for each in whole if "AuditEvent" not in each["fullUrl"]
    ]
    assert all(len(page) <= count for page in read)
    assert len(set(versions(together))) == len(together)


async def test_the_default_page_is_limited(api: httpx.AsyncClient) -> None:
    entries = [{"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}}] * 120
    await api.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
    answer = (await api.get("Patient/_history")).json()
    assert len(answer["entry"]) < 120
    assert answer["link"][1]["relation"] == "next"
    assert sum([len(page) async for page in pages(api, "Patient/_history")]) == 120


async def test_a_count_of_zero_has_no_entries_and_no_next_page(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("p"))
    for address in ("Patient/p/_history", "Patient/_history"):
        answer = (await api.get(f"{address}?_count=0")).json()
        assert "entry" not in answer
        assert [link["relation"] for link in answer["link"]] == ["self"]


@pytest.mark.parametrize("address", ["Patient/p0/_history", "Patient/_history"])
async def test_pages_hold_everything_once_while_others_write(api: httpx.AsyncClient, address: str) -> None:
    for number in range(10):
        for name in ("p0", "p1", "p2"):
            await api.put(f"Patient/{name}", json=patient(name, multipleBirthInteger=number))
    before = versions(await history(api, f"{address}?_count=1000"))
    done = asyncio.Event()

    async def write() -> None:
        number = 10
        while not done.is_set():
            for name in ("p0", "p1", "p2"):
                await api.put(f"Patient/{name}", json=patient(name, multipleBirthInteger=number))
            number += 1

    writer = asyncio.create_task(write())
    read: list[str] = []
    async for page in pages(api, f"{address}?_count=4"):
        read += versions(page)
        await asyncio.sleep(0.005)
    done.set()
    await writer
    assert len(read) == len(set(read))
    assert [each for each in read if each in set(before)] == before
