"""Goals: T-scores that follow from ratings, and Patient/[id]/$goal-attainment. Docs: docs/insight.md"""

from typing import Any

import httpx
import pytest

from fhir_mappings.attainment import LEVELS, WEIGHT
from schemas import json
from schemas.validate import validate
from tests.security.circles import Clinic, labelled, to

Json = dict[str, Any]
CODES = {level: code for code, level in LEVELS.items()}
T_SCORE = "https://hearth.health/fhir/CodeSystem/homework-measure|gas-t-score"


def goal(name: str, weight: int | None = None) -> Json:
    body = {
        "resourceType": "Goal", "id": name, "lifecycleStatus": "active", "subject": to("Patient/ann"),
        "description": {"text": f"Goal {name}"},
    }  # fmt: skip
    return body | ({"extension": [{"url": WEIGHT, "valueDecimal": weight}]} if weight else {})


def rating(name: str, of: str, level: int, when: str = "2026-03-01", code: str = "107334-5", **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": to("Patient/ann"),
        "performer": [to("Patient/ann")],
        "focus": [to(f"Goal/{of}")],
        "effectiveDateTime": when,
        "valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": CODES[level]}]},
        **more,
    }


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> Any:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(goal("a"), goal("b"))
    yield made
    await made.close()


async def scores(http: httpx.AsyncClient) -> list[Json]:
    answer = await http.get(f"Observation?patient=ann&code={T_SCORE}&_sort=date")
    assert answer.status_code == 200, answer.text
    found = [entry["resource"] for entry in json.decode(answer.content).get("entry", [])]
    assert all(validate(each) == [] for each in found)
    return found


def value(observation: Json) -> float:
    return float(observation["valueQuantity"]["value"])


async def test_a_rating_brings_the_t_score_of_its_day(clinic: Clinic) -> None:
    await clinic.put(rating("r1", "a", 1))
    (one,) = await scores(clinic.system)
    assert (value(one), one["status"], one["method"]["coding"][0]["code"]) == (60, "final", "gas-t-score")
    await clinic.put(rating("r2", "b", 1))
    (both,) = await scores(clinic.system)
    assert both["id"] == one["id"]
    assert (value(both), both["status"]) == (62.403, "amended")
    assert {each["reference"] for each in both["derivedFrom"]} == {"Observation/r1", "Observation/r2"}
    trace = (await clinic.system.get(f"Provenance?target=Observation/{one['id']}")).json()
    assert len(trace["entry"]) == 2


async def test_two_ratings_in_one_write_are_one_t_score(clinic: Clinic) -> None:
    entries = [
        {"request": {"method": "PUT", "url": f"Observation/{each['id']}"}, "resource": each}
        for each in (rating("r1", "a", 2), rating("r2", "b", 2))
    ]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert (await clinic.system.post("", json=body)).status_code == 200
    (found,) = await scores(clinic.system)
    assert (value(found), found["status"]) == (74.807, "final")


async def test_another_day_is_another_score_and_counts_what_was_known_then(clinic: Clinic) -> None:
    await clinic.put(rating("r1", "a", 0), rating("r2", "b", -1, "2026-03-08"), rating("r0", "b", -2, "2026-02-01"))
    found = await scores(clinic.system)
    assert [each["effectiveDateTime"] for each in found] == ["2026-02-01", "2026-03-01", "2026-03-08"]
    assert [len(each["derivedFrom"]) for each in found] == [1, 1, 2]


async def test_a_rating_taken_back_takes_its_score_along(clinic: Clinic) -> None:
    await clinic.put(rating("r1", "a", 1))
    answer = await clinic.system.put("Observation/r1", json=rating("r1", "a", 1, status="entered-in-error"))
    assert answer.status_code == 200, answer.text
    (found,) = await scores(clinic.system)
    assert found["status"] == "entered-in-error"


async def test_clients_rate_their_goals_and_who_may_not_see_a_rating_sees_no_score_of_it(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    private = rating("r1", "a", 1) | labelled("client-only")
    answer = await ann.put("Observation/r1", json=private)
    assert answer.status_code == 201, answer.text
    assert len(await scores(ann)) == 1
    assert await scores(clinic.system) == []


@pytest.mark.parametrize(
    "members", [{"focus": [to("Goal/none")]}, {"subject": to("Group/g")}, {"valueCodeableConcept": {"text": "x"}}]
)
async def test_what_rates_no_goal_here_brings_nothing(clinic: Clinic, members: Json) -> None:
    answer = await clinic.system.put("Observation/r1", json=rating("r1", "a", 1) | members)
    assert answer.status_code == 201, answer.text
    assert await scores(clinic.system) == []


def plain(rows: list[Json]) -> Json:
    return {row["name"]: next(v for k, v in row.items() if k.startswith("value")) for row in rows if "part" not in row}


async def test_tells_where_goals_began_and_are_now_by_each_rater(clinic: Clinic) -> None:
    await clinic.put(goal("a", 3) | {"id": "heavy"})
    await clinic.put(
        rating("r0", "heavy", -2, "2026-01-01", "107332-9"),
        rating("r1", "heavy", 0),
        rating("r2", "a", -1),
        rating("t1", "a", 1, code="107333-7"),
    )
    answer = await clinic.system.get("Patient/ann/$goal-attainment")
    assert answer.status_code == 200, answer.text
    body = json.decode(answer.content)
    assert validate(body) == []
    found = {plain(row["part"])["rater"]: row["part"] for row in body["parameter"]}
    assert set(found) == {"practitioner", "patient"}
    assert plain(found["practitioner"])["score"] == 60
    mine = plain(found["patient"])
    assert (mine["n"], mine["change"] > 0) == (2, True)
    goals = {
        plain(row["part"])["reference"]["reference"]: plain(row["part"]) for row in found["patient"] if "part" in row
    }
    heavy, light = goals["Goal/heavy"], goals["Goal/a"]
    assert (heavy["weight"], heavy["baseline"], heavy["level"], heavy["change"]) == (3, -2, 0, 2)
    assert heavy["suggestion"]["coding"][0]["code"] == "achieved"
    assert light["suggestion"]["coding"][0]["code"] == "no-change"
    only = (await clinic.system.get("Patient/ann/$goal-attainment?rater=practitioner")).json()
    assert len(only["parameter"]) == 1


async def test_refuses_who_may_not_see_the_client_and_raters_that_are_none(clinic: Clinic) -> None:
    ben = await clinic.as_person("Patient/ben", "patient/*.cruds", patient="ben")
    assert (await ben.get("Patient/ann/$goal-attainment")).status_code == 404
    narrow = await clinic.as_person("Patient/ann", "patient/Patient.rs patient/Goal.rs", patient="ann")
    assert (await narrow.get("Patient/ann/$goal-attainment")).status_code == 403
    assert (await clinic.system.get("Patient/ann/$goal-attainment?rater=nobody")).status_code == 400
