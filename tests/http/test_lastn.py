"""Observation/$lastn. https://hl7.org/fhir/R4/observation-operation-lastn.html"""

import random
from typing import Any

import httpx
import pytest

Json = dict[str, Any]
BASE: Json = {"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/p"}}
SURVEY = [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}]


def coded(*codes: str, text: str | None = None) -> Json:
    made: Json = {"coding": [{"system": "urn:c", "code": code} for code in codes]} if codes else {}
    return made | ({"text": text} if text else {})


async def keep(api: httpx.AsyncClient, *bodies: Json) -> None:
    entries = [
        {"request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}, "resource": each}
        for each in bodies
    ]
    answer = await api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text


async def found(api: httpx.AsyncClient, query: str) -> list[str]:
    answer = await api.get(f"Observation/$lastn?{query}")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert (bundle["type"], bundle["total"]) == ("searchset", len(bundle.get("entry", [])))
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


def at(name: str, day: int | str | None, *codes: str, text: str | None = None, **members: Any) -> Json:
    when = {} if day is None else {"effectiveDateTime": day if isinstance(day, str) else f"2026-03-{day:02d}T10:00:00Z"}
    return BASE | {"id": name, "code": coded(*codes, text=text), "category": SURVEY} | when | members


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> None:
    await keep(api, {"resourceType": "Patient", "id": "p"}, {"resourceType": "Patient", "id": "q"})


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("code=x", "needs a subject"),
        ("patient=p", "category"),
        ("patient=p&status=final", "category"),
        ("patient=p&code=x&max=0", "max"),
        ("patient=p&code=x&max=two", "max"),
        ("patient=p&code=x&max=1&max=2", "max"),
        ("patient=p&code=x&_sort=date", "_sort"),
        ("patient=p&code=x&_count=5", "_count"),
        ("patient=p&code=x&_include=Observation:subject", "_include"),
        ("patient=p&code=x&nonsense=1", "nonsense"),
    ],
)
async def test_refuses_what_it_cannot_answer(api: httpx.AsyncClient, query: str, said: str) -> None:
    answer = await api.get(f"Observation/$lastn?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["issue"][0]["diagnostics"]


async def test_asks_for_the_right_to_search(house: Any) -> None:
    async with house.client(await house.token("system/Observation.r")) as other:
        assert (await other.get("Observation/$lastn?patient=p&code=x")).status_code == 403


@pytest.mark.usefixtures("patient")
async def test_finds_nothing_without_an_error(api: httpx.AsyncClient) -> None:
    assert await found(api, "patient=p&category=survey") == []


@pytest.mark.usefixtures("patient")
async def test_returns_the_last_of_each_code_newest_first(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        *(at(f"a{day}", day, "a") for day in (1, 5, 9)),
        *(at(f"b{day}", day, "b") for day in (2, 6, 8)),
        at("other", 10, "a") | {"subject": {"reference": "Patient/q"}},
    )
    assert await found(api, "patient=p&category=survey") == ["a9", "b8"]
    assert await found(api, "patient=p&category=survey&max=2") == ["a9", "b8", "b6", "a5"]
    assert await found(api, "subject=Patient/p&code=b&max=9") == ["b8", "b6", "b2"]
    assert await found(api, "patient=p&code=a&date=lt2026-03-09") == ["a5"]


@pytest.mark.usefixtures("patient")
async def test_returns_both_of_a_tie(api: httpx.AsyncClient) -> None:
    await keep(api, at("one", 1, "a"), at("two", 2, "a"), at("three", 2, "a"), at("four", 3, "a"))
    assert sorted(await found(api, "patient=p&code=a&max=2")) == ["four", "three", "two"]
    assert await found(api, "patient=p&code=a&max=1") == ["four"]


@pytest.mark.usefixtures("patient")
async def test_what_has_no_time_comes_last_and_ties_with_nothing(api: httpx.AsyncClient) -> None:
    await keep(api, at("dated", "2020", "a"))
    for name in ("first", "second"):
        await keep(api, at(name, None, "a"))
    assert await found(api, "patient=p&code=a&max=2") == ["dated", "second"]


@pytest.mark.usefixtures("patient")
async def test_shows_errors_unless_the_status_is_asked_for(api: httpx.AsyncClient) -> None:
    await keep(api, at("wrong", 9, "a", status="entered-in-error"), at("right", 3, "a"))
    assert await found(api, "patient=p&code=a") == ["wrong"]
    assert await found(api, "patient=p&code=a&status=final,amended") == ["right"]


@pytest.mark.parametrize(
    ("third", "expected"),
    [((("c",), None), ["c", "b", "a"]), ((("a", "c"), None), ["c", "b"]), ((("a", "b"), None), ["c"])],
)
@pytest.mark.usefixtures("patient")
async def test_groups_as_in_the_specifications_table(api: httpx.AsyncClient, third: Any, expected: list[str]) -> None:
    await keep(api, at("a", 1, "a"), at("b", 2, "b"), at("c", 3, *third[0]))
    assert await found(api, "patient=p&category=survey") == expected


@pytest.mark.usefixtures("patient")
async def test_groups_what_is_only_text_by_the_text_as_it_is(api: httpx.AsyncClient) -> None:
    await keep(
        api, at("a", 1, text="text"), at("b", 2, text="Text"), at("c", 3, text="t e x t"), at("d", 4, text="text")
    )
    assert await found(api, "patient=p&category=survey") == ["d", "c", "b"]


@pytest.mark.usefixtures("patient")
async def test_an_old_translation_joins_what_came_after_it(api: httpx.AsyncClient) -> None:
    await keep(api, at("link", 1, "a", "b"), *(at(f"a{day}", day, "a") for day in (2, 4)), at("b3", 3, "b"))
    assert await found(api, "patient=p&category=survey") == ["a4"]
    assert await found(api, "patient=p&category=survey&max=2") == ["a4", "b3"]


@pytest.mark.usefixtures("patient")
async def test_one_code_in_two_systems_is_two_codes(api: httpx.AsyncClient) -> None:
    other = at("two", 2, "a") | {"code": {"coding": [{"system": "urn:d", "code": "a"}]}}
    none = at("three", 3, "a") | {"code": {"coding": [{"code": "a"}]}}
    await keep(api, at("one", 1, "a"), other, none)
    assert await found(api, "patient=p&category=survey") == ["three", "two", "one"]


def plainly(bodies: list[Json], most: int) -> set[str]:
    """The last of each group, by the words of the specification: codes stand for each other once they stood together."""
    groups: list[set[str]] = []
    for body in bodies:
        codes = {each["code"] for each in body["code"]["coding"]}
        joined = [group for group in groups if group & codes]
        groups = [group for group in groups if not group & codes] + [codes.union(*joined)]
    kept: set[str] = set()
    for group in groups:
        own = [each for each in bodies if each["code"]["coding"][0]["code"] in group]
        times = sorted((each["effectiveDateTime"] for each in own), reverse=True)
        kept |= {each["id"] for each in own if each["effectiveDateTime"] >= times[min(most, len(times)) - 1]}
    return kept


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("seed", range(4))
async def test_agrees_with_a_plain_reading_on_random_records(api: httpx.AsyncClient, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a reproducible test
    bodies = [
        at(f"o{number}", dice.randint(1, 20), *dice.sample("abcdefgh", dice.choice((1, 1, 1, 2))))
        for number in range(40)
    ]
    await keep(api, *bodies)
    for most in (1, 2, 5):
        answer = await found(api, f"patient=p&category=survey&max={most}")
        assert set(answer) == plainly(bodies, most)


@pytest.mark.usefixtures("patient")
async def test_takes_a_body_and_parts_of_resources(api: httpx.AsyncClient) -> None:
    await keep(api, at("one", 1, "a"), at("two", 2, "a"))
    rows = [("patient", "p"), ("code", "a"), ("max", "1"), ("_elements", "code")]
    body = {"resourceType": "Parameters", "parameter": [{"name": name, "valueString": value} for name, value in rows]}
    answer = await api.post("Observation/$lastn", json=body)
    assert answer.status_code == 200, answer.text
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == ["two"]
    assert "effectiveDateTime" not in answer.json()["entry"][0]["resource"]


@pytest.mark.usefixtures("patient")
async def test_shows_each_caller_their_own(house: Any, api: httpx.AsyncClient) -> None:
    await keep(api, at("kind", 3, "b"), at("theirs", 4, "a"))
    async with house.client(await house.token("system/Observation.rs?code=urn:c|b")) as narrow:
        assert await found(narrow, "patient=p&category=survey") == ["kind"]
    assert await found(api, "patient=p&category=survey") == ["theirs", "kind"]
