"""Patient/[id]/$patterns: what comes up again and again. Docs: docs/insight.md"""

from typing import Any

import httpx
import pytest

from schemas import json
from schemas.library import BASE
from schemas.validate import validate
from tests.security.circles import Clinic, to

Json = dict[str, Any]
MEASURE = f"{BASE}/CodeSystem/homework-measure"
THINKING, SETTING = f"{MEASURE}|thinking-pattern", f"{MEASURE}|setting"


def answered(name: str, day: int, form: str, code: str, value: str, **members: Any) -> Json:
    concept = {"coding": [{"system": "urn:values", "code": value, "display": value.title()}]}
    return {
        "resourceType": "Observation", "id": name, "status": "final", "subject": to("Patient/ann"),
        "code": {"coding": [{"system": MEASURE, "code": code}]}, "effectiveDateTime": f"2026-03-{day:02d}T10:00:00Z",
        "valueCodeableConcept": concept, "derivedFrom": [to(f"QuestionnaireResponse/{form}")],
    } | members  # fmt: skip


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(
        answered("a1", 2, "f1", "thinking-pattern", "worst-case"),
        answered("a2", 2, "f1", "thinking-pattern", "mind-reading"),
        answered("a3", 2, "f1", "setting", "work"),
        answered("b1", 9, "f2", "thinking-pattern", "worst-case"),
        answered("b2", 9, "f2", "setting", "work"),
        answered("c1", 10, "f3", "thinking-pattern", "worst-case"),
        answered("c2", 10, "f3", "setting", "home"),
        answered("d1", 11, "f4", "thinking-pattern", "x", valueCodeableConcept={"text": "in my own words"}),
        answered("e1", 12, "f5", "thinking-pattern", "worst-case", status="entered-in-error"),
    )
    yield made
    await made.close()


def plain(rows: list[Json]) -> Json:
    return {row["name"]: next(v for k, v in row.items() if k.startswith("value")) for row in rows if "part" not in row}


def parts(rows: list[Json], name: str) -> list[list[Json]]:
    return [row["part"] for row in rows if row["name"] == name]


async def asked(http: httpx.AsyncClient, query: str) -> list[list[Json]]:
    answer = await http.get(f"Patient/ann/$patterns?{query}")
    assert answer.status_code == 200, answer.text
    body = json.decode(answer.content)
    assert validate(body) == []
    return parts(body["parameter"], "pattern")


@pytest.mark.parametrize(
    "query", ["", "code=thinking", f"code={THINKING}&bucket=year", f"code={THINKING}&with=x", "x=1"]
)
async def test_refuses_what_it_cannot_answer(clinic: Clinic, query: str) -> None:
    assert (await clinic.system.get(f"Patient/ann/$patterns?{query}")).status_code == 400


async def test_refuses_who_may_not_see_the_client(clinic: Clinic) -> None:
    ben = await clinic.as_person("Patient/ben", "patient/*.cruds", patient="ben")
    assert (await ben.get(f"Patient/ann/$patterns?code={THINKING}")).status_code == 404
    narrow = await clinic.as_person("Patient/ann", "patient/Patient.rs", patient="ann")
    assert (await narrow.get(f"Patient/ann/$patterns?code={THINKING}")).status_code == 403


async def test_counts_answers_by_the_forms_they_were_given_in(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    (found,) = await asked(ann, f"code={THINKING}")
    assert plain(found)["forms"] == 4
    answers = [plain(each) for each in parts(found, "answer")]
    assert [each["forms"] for each in answers] == [3, 1, 1]
    assert answers[0]["value"]["display"] == "Worst-Case"
    assert (answers[0]["share"], answers[0]["last"]) == (json.decode(b"0.75"), "2026-03-10T10:00:00Z")
    assert {"in my own words"} == {each["value"] for each in answers if isinstance(each["value"], str)}


async def test_tells_when_and_with_what_an_answer_comes(clinic: Clinic) -> None:
    (found,) = await asked(clinic.system, f"code={THINKING}&with={SETTING}&bucket=week")
    worst = parts(found, "answer")[0]
    buckets = [plain(each) for each in parts(worst, "bucket")]
    assert [(each["period"]["start"], each["times"]) for each in buckets] == [("2026-03-02", 1), ("2026-03-09", 2)]
    with_it = [(plain(each)["value"]["code"], plain(each)["forms"]) for each in parts(worst, "together")]
    assert with_it == [("work", 2), ("home", 1)]


async def test_a_time_can_be_asked_for(clinic: Clinic) -> None:
    (found,) = await asked(clinic.system, f"code={THINKING}&start=2026-03-09&end=2026-03-09")
    assert plain(found)["forms"] == 1
    (none,) = await asked(clinic.system, f"code={THINKING}&start=2027-01-01")
    assert plain(none)["forms"] == 0
