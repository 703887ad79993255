"""Patient/[id]/$trend: courses, bands and what has changed. Docs: docs/insight.md"""

from typing import Any

import httpx
import pytest

from schemas import json
from schemas.validate import validate
from tests.security.circles import Clinic

Json = dict[str, Any]
PHQ9, GAD7 = "http://loinc.org|44261-6", "http://loinc.org|70274-6"
SUDS = "https://hearth.health/fhir/CodeSystem/homework-measure|suds"


def score(name: str, when: str, value: int, code: str = PHQ9, **members: Any) -> Json:
    system, _, plain = code.partition("|")
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": system, "code": plain}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": when,
        "valueInteger": value,
        **members,
    }


async def keep(api: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code in (200, 201), answer.text


ZONE = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Pacific/Auckland"}


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> None:
    await keep(api, {"resourceType": "Patient", "id": "p", "extension": [ZONE]})


async def trend(api: httpx.AsyncClient, query: str) -> list[Json]:
    answer = await api.get(f"Patient/p/$trend?{query}")
    assert answer.status_code == 200, answer.text
    body = json.decode(answer.content)
    assert validate(body) == []
    return list(body.get("parameter", []))


def named(row: Json, name: str) -> list[Json]:
    return [part for part in row["part"] if part["name"] == name]


def values(row: Json) -> Json:
    """The plain parts of a parameter."""
    return {
        part["name"]: next(value for key, value in part.items() if key.startswith("value"))
        for part in row["part"]
        if "part" not in part
    }


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "code"),
        ("code=44261-6", "system"),
        (f"code={PHQ9}&bucket=year", "bucket"),
        (f"code={PHQ9}&start=soon", "start"),
        (f"code={PHQ9}&colour=red", "colour"),
        ("code=" + ",".join(f"s|{number}" for number in range(11)), "code"),
    ],
)
@pytest.mark.usefixtures("patient")
async def test_refuses_what_it_cannot_answer(api: httpx.AsyncClient, query: str, said: str) -> None:
    answer = await api.get(f"Patient/p/$trend?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["issue"][0]["diagnostics"]


async def test_refuses_a_patient_who_is_not_there(api: httpx.AsyncClient) -> None:
    assert (await api.get(f"Patient/nobody/$trend?code={PHQ9}")).status_code == 404


@pytest.mark.parametrize("scope", ["system/Patient.rs", "system/Observation.rs"])
@pytest.mark.usefixtures("patient")
async def test_asks_for_the_right_to_patient_and_observations(house: Any, scope: str) -> None:
    async with house.client(await house.token(scope)) as other:
        assert (await other.get(f"Patient/p/$trend?code={PHQ9}")).status_code == 403


@pytest.mark.usefixtures("patient")
async def test_tells_the_course_its_bands_and_what_has_changed(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        score("c", "2026-01-19T10:00:00Z", 4),
        score("a", "2026-01-05T10:00:00Z", 18),
        score("b", "2026-01-12T10:00:00Z", 11, status="amended"),
        score("x", "2026-01-13", 27, status="entered-in-error"),
    )
    (row,) = await trend(api, f"code={PHQ9}")
    said = values(row)
    assert (said["title"], said["n"], said["lowest"], said["highest"], said["slopePerWeek"]) == ("PHQ-9", 3, 4, 18, -7)
    points = [values(each) for each in named(row, "point")]
    assert [(each["value"], each["band"]) for each in points] == [
        (18, "moderately severe"),
        (11, "moderate"),
        (4, "minimal"),
    ]
    assert points[0]["source"] == {"reference": "Observation/a"}
    assert len(named(row, "band")) == 5
    changes = {values(each)["rule"]["coding"][0]["code"]: values(each) for each in named(row, "change")}
    assert {rule for rule, each in changes.items() if each["holds"]} == {
        "phq-9-reliable-change", "phq-9-response", "phq-9-remission", "phq-9-recovery", "phq-9-reliable-recovery",
    }  # fmt: skip
    assert changes["phq-9-response"]["interpretation"]["coding"][0]["code"] == "B"
    assert changes["phq-9-reliable-change"]["difference"] == -14


@pytest.mark.usefixtures("patient")
async def test_a_time_and_buckets_can_be_asked_for(api: httpx.AsyncClient) -> None:
    await keep(api, *(score(f"s{day}", f"2026-03-{day:02d}T20:00:00Z", day) for day in (1, 2, 7, 8, 20)))
    (row,) = await trend(api, f"code={PHQ9}&start=2026-03-02&end=2026-03-08&bucket=week")
    assert values(row)["n"] == 3
    # 20:00 in London is the next morning in Auckland, where the person lives.
    assert [(values(each)["period"]["start"], values(each)["n"]) for each in named(row, "bucket")] == [
        ("2026-03-02", 2),
        ("2026-03-09", 1),
    ]


@pytest.mark.usefixtures("patient")
async def test_several_measures_tell_of_recovery_together(api: httpx.AsyncClient) -> None:
    await keep(api, score("p1", "2026-01-05", 15), score("p2", "2026-02-05", 6))
    await keep(api, score("g1", "2026-01-05", 12, GAD7), score("g2", "2026-02-05", 5, GAD7))
    rows = await trend(api, f"code={PHQ9},{GAD7}")
    assert [row["name"] for row in rows] == ["measure", "measure", "recovery"]
    assert values(rows[2])["holds"] is True


@pytest.mark.usefixtures("patient")
async def test_distress_comes_apart_into_its_ratings(api: httpx.AsyncClient) -> None:
    system = SUDS.partition("|")[0]
    parts = [
        {"code": {"coding": [{"system": system, "code": code}]}, "valueInteger": value}
        for code, value in (("suds-pre", 70), ("suds-post", 30))
    ]
    body = score("s", "2026-01-05", 0, SUDS, component=parts)
    del body["valueInteger"]
    await keep(api, body)
    rows = await trend(api, f"code={SUDS}")
    assert [(values(row)["code"]["code"], values(row)["mean"]) for row in rows] == [("suds-pre", 70), ("suds-post", 30)]


async def test_clients_see_their_own_course_and_nobody_elses(house: Any, api: httpx.AsyncClient) -> None:
    clinic = Clinic(house, api)
    await clinic.furnish()
    await keep(api, score("a", "2026-01-05", 18, subject={"reference": "Patient/ann"}))
    ann = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    answer = await ann.get(f"Patient/ann/$trend?code={PHQ9}")
    assert values(answer.json()["parameter"][0])["n"] == 1
    ben = await clinic.as_person("Patient/ben", "patient/*.rs", patient="ben")
    assert (await ben.get(f"Patient/ann/$trend?code={PHQ9}")).status_code == 404
    await clinic.close()


@pytest.mark.usefixtures("patient")
async def test_a_course_without_values_says_so(api: httpx.AsyncClient) -> None:
    (row,) = await trend(api, f"code={PHQ9}")
    assert values(row)["n"] == 0


@pytest.mark.usefixtures("patient")
async def test_a_practice_sets_the_deviation_of_its_own_people(house: Any, api: httpx.AsyncClient) -> None:
    await keep(api, score("a", "2026-01-05", 18), score("b", "2026-02-05", 4))
    policy = '{"deviations": {"phq-9": {"sd": 6, "r": 0.84}}}'
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await connection.execute("update tenant set homework = $2 where id = $1", house.tenant_id, policy)
    (row,) = await trend(api, f"code={PHQ9}")
    found = [values(each) for each in named(row, "change") if values(each)["kind"] == "rci"]
    assert [(each["figure"], each["holds"]) for each in found] == [(json.decode(b"-4.125"), True)]
