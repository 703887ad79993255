"""Observation/$stats. https://hl7.org/fhir/R4/observation-operation-stats.html"""

from typing import Any

import httpx
import pytest

from schemas import json
from schemas.validate import validate

Json = dict[str, Any]
SYSTEM = "urn:c"
P: Json = {"subject": {"reference": "Patient/p"}}
BASE: Json = {"resourceType": "Observation", "status": "final"} | P
ALL = "average,maximum,minimum,count,total-count,median,std-dev,sum,variance,20-percent,80-percent"
SPREAD = "4-lower,4-upper,4-dev,5-1,5-2,5-3,5-4,skew,kurtosis,regression"


def concept(code: str) -> Json:
    return {"coding": [{"system": SYSTEM, "code": code}]}


def at(name: str, day: int, value: Json, code: str = "a", **members: Any) -> Json:
    return BASE | {"id": name, "code": concept(code), "effectiveDateTime": f"2026-03-{day:02d}"} | value | members


def quantity(value: float, unit: str = "kg") -> Json:
    return {"valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": unit}}


async def keep(api: httpx.AsyncClient, *bodies: Json) -> None:
    entries = [
        {"request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}, "resource": each}
        for each in bodies
    ]
    answer = await api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> None:
    await keep(api, {"resourceType": "Patient", "id": "p"})


async def asked(api: httpx.AsyncClient, query: str) -> list[Json]:
    answer = await api.get(f"Observation/$stats?subject=Patient/p&{query}")
    assert answer.status_code == 200, answer.text
    rows = json.decode(answer.content).get("parameter", [])
    found = [each["resource"] for each in rows if each["name"] == "statistics"]
    for each in found:
        assert validate({**each, "id": "s"}) == []
    return found


def figures(observation: Json) -> dict[str, Any]:
    made = {}
    for part in observation["component"]:
        name = part["code"].get("text", part["code"]["coding"][0]["code"])
        value = part.get("valueQuantity", {}).get("value")
        made[name] = None if value is None else float(value)
    return made


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("code=a&system=s&statistic=average", "subject"),
        ("subject=Task/1&code=a&statistic=average", "subject"),
        ("subject=Patient/p&statistic=average", "code"),
        ("subject=Patient/p&code=a&system=s", "statistic"),
        ("subject=Patient/p&code=a&system=s&statistic=mode", "mode"),
        ("subject=Patient/p&code=a&system=s&statistic=average&duration=long", "duration"),
        ("subject=Patient/p&code=a&system=s&statistic=average&period=2026", "period"),
        ("subject=Patient/p&code=a&system=s&statistic=average&limit=0&include=true", "limit"),
        ("subject=Patient/p&code=a&system=s&statistic=average&nonsense=1", "nonsense"),
    ],
)
async def test_refuses_what_it_cannot_answer(api: httpx.AsyncClient, query: str, said: str) -> None:
    answer = await api.get(f"Observation/$stats?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["issue"][0]["diagnostics"]


async def test_asks_for_the_right_to_search(house: Any) -> None:
    async with house.client(await house.token("system/Observation.r")) as other:
        assert (await other.get("Observation/$stats?subject=Patient/p&code=a&statistic=count")).status_code == 403


@pytest.mark.usefixtures("patient")
async def test_computes_every_statistic_of_r4(api: httpx.AsyncClient) -> None:
    # https://en.wikipedia.org/wiki/Standard_deviation#Population_standard_deviation_of_grades_of_eight_students
    grades = (2, 4, 4, 4, 5, 5, 7, 9)
    await keep(api, *(at(f"o{number}", number + 1, quantity(value)) for number, value in enumerate(grades)))
    (found,) = await asked(api, f"code=a&system={SYSTEM}&statistic={ALL},{SPREAD}")
    made = figures(found)
    assert made["average"] == 5
    assert (made["minimum"], made["maximum"], made["sum"], made["median"]) == (2, 9, 40, 4.5)
    assert (made["count"], made["total-count"]) == (8, 8)
    assert made["variance"] == pytest.approx(32 / 7, abs=1e-6)
    assert made["std-dev"] == pytest.approx((32 / 7) ** 0.5, abs=1e-6)
    assert (made["4-lower"], made["4-upper"], made["4-dev"]) == (4, 5.5, 0.75)
    assert made["20-percent"] == made["5-1"] == 4
    assert made["80-percent"] == made["5-4"] == pytest.approx(6.2)
    # scipy.stats.skew and kurtosis of these, bias=False
    assert made["skew"] == pytest.approx(0.818487553, abs=1e-6)
    assert made["kurtosis"] == pytest.approx(0.940625, abs=1e-6)
    assert made["gradient"] == pytest.approx(34 / 42, abs=1e-6)
    assert made["intercept"] == pytest.approx(5 - 3.5 * 34 / 42, abs=1e-6)
    units = {part["code"]["coding"][0]["code"]: part["valueQuantity"]["code"] for part in found["component"]}
    assert (units["average"], units["variance"], units["count"], units["skew"]) == ("kg", "(kg)2", "1", "1")
    assert (found["status"], found["subject"]) == ("final", P["subject"])


@pytest.mark.usefixtures("patient")
async def test_counts_integers_beside_quantities_and_leaves_out_what_is_no_value(api: httpx.AsyncClient) -> None:
    odd = {"modifierExtension": [{"url": "https://example.org/not", "valueBoolean": True}]}
    await keep(
        api,
        at("one", 1, {"valueInteger": 12}),
        at("two", 2, {"valueInteger": 6}),
        at("none", 3, {"dataAbsentReason": {"text": "declined"}}),
        at("odd", 4, {"valueInteger": 99} | odd),
        at("wrong", 5, {"valueInteger": 99}, status="entered-in-error"),
    )
    (found,) = await asked(api, f"code=a&system={SYSTEM}&statistic=average,count,total-count,max,min")
    assert figures(found) == {"average": 9, "count": 2, "total-count": 4, "maximum": 12, "minimum": 6}


@pytest.mark.usefixtures("patient")
async def test_says_that_there_is_no_figure_where_there_is_none(api: httpx.AsyncClient) -> None:
    await keep(api, at("one", 1, {"valueInteger": 12}))
    (found,) = await asked(api, f"code=a&system={SYSTEM}&statistic=std-dev,skew,kurtosis,regression,4-dev")
    assert figures(found) == {
        "std-dev": None,
        "skew": None,
        "kurtosis": None,
        "gradient": None,
        "intercept": None,
        "4-dev": 0,
    }
    assert found["component"][0]["dataAbsentReason"]["coding"][0]["code"] == "not-applicable"


@pytest.mark.usefixtures("patient")
async def test_answers_for_each_code_and_each_unit(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        at("one", 1, quantity(70)),
        at("two", 2, quantity(154, "[lb_av]")),
        at("three", 3, {"valueInteger": 4}, "b"),
    )
    found = await asked(api, f"coding={SYSTEM}|a&coding={SYSTEM}|b&statistic=average")
    said = {(each["code"]["coding"][0]["code"], figures(each)["average"]) for each in found}
    assert said == {("a", 70), ("a", 154), ("b", 4)}
    assert await asked(api, "code=nothing&system=s&statistic=average") == []


@pytest.mark.usefixtures("patient")
async def test_looks_into_panels_their_components_and_members(api: httpx.AsyncClient) -> None:
    parts = [{"code": concept("pre"), "valueInteger": 70}, {"code": concept("post"), "valueInteger": 30}]
    panel = at("panel", 2, {}, "suds") | {"component": parts}
    other = at("whole", 3, {}, "panel") | {"hasMember": [{"reference": "Observation/part"}]}
    await keep(api, panel, at("part", 3, {"valueInteger": 5}, "part"), other)
    found = await asked(api, f"code=suds&system={SYSTEM}&statistic=average")
    assert {each["code"]["coding"][0]["code"]: figures(each)["average"] for each in found} == {"pre": 70, "post": 30}
    (post,) = await asked(api, f"code=post&system={SYSTEM}&statistic=average")
    assert figures(post) == {"average": 30}
    found = await asked(api, f"code=panel&system={SYSTEM}&statistic=average,count")
    assert {"average": 5, "count": 1} in [figures(each) for each in found]


@pytest.mark.usefixtures("patient")
async def test_a_period_or_a_duration_bounds_what_is_counted(api: httpx.AsyncClient) -> None:
    await keep(api, *(at(f"o{day}", day, {"valueInteger": day}) for day in (1, 5, 9)))
    rows: list[Json] = [
        {"name": "subject", "valueUri": "Patient/p"},
        {"name": "coding", "valueCoding": {"system": SYSTEM, "code": "a"}},
        {"name": "period", "valuePeriod": {"start": "2026-03-04", "end": "2026-03-09"}},
        {"name": "statistic", "valueCode": "sum"},
        {"name": "include", "valueBoolean": True},
        {"name": "limit", "valuePositiveInt": 1},
    ]
    answer = await api.post("Observation/$stats", json={"resourceType": "Parameters", "parameter": rows})
    assert answer.status_code == 200, answer.text
    made, source = answer.json()["parameter"]
    assert figures(made["resource"]) == {"sum": 14}
    assert made["resource"]["effectivePeriod"] == {"start": "2026-03-04", "end": "2026-03-09"}
    assert (source["name"], source["resource"]["id"]) == ("source", "o9")
    assert await asked(api, f"code=a&system={SYSTEM}&statistic=sum&duration=0.5") == []


@pytest.mark.usefixtures("patient")
async def test_shows_each_caller_their_own(house: Any, api: httpx.AsyncClient) -> None:
    await keep(api, at("one", 1, {"valueInteger": 1}), at("two", 2, {"valueInteger": 9}, "b"))
    async with house.client(await house.token(f"system/Observation.rs?code={SYSTEM}|b")) as narrow:
        found = await asked(narrow, f"coding={SYSTEM}|a&coding={SYSTEM}|b&statistic=sum")
        assert [figures(each)["sum"] for each in found] == [9]
