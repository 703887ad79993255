"""Patient/[id]/$chart: progress as a picture, or as the numbers it is drawn from. Docs: docs/pictures-and-prints.md"""

from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from schemas import json
from tests.security.circles import Clinic, labelled, to

Json = dict[str, Any]
LOINC = "http://loinc.org"
PHQ9 = f"{LOINC}|44261-6"
BASE = "https://hearth.health/fhir"
MEASURE = f"{BASE}/CodeSystem/homework-measure"
SVG = "{http://www.w3.org/2000/svg}"
ZONE = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Pacific/Auckland"}
DUTCH = {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "nl-BE"}]}, "preferred": True}


def observation(name: str, when: str, system: str, code: str, **members: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": when,
        **members,
    }


def score(name: str, when: str, value: int, **members: Any) -> Json:
    return observation(name, when, LOINC, "44261-6", valueInteger=value, **members)


def task(name: str, start: str, end: str, status: str, **members: Any) -> Json:
    return {
        "resourceType": "Task",
        "id": name,
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "relaxation"}]},
        "for": {"reference": "Patient/p"},
        "restriction": {"period": {"start": start, "end": end}},
        **members,
    }


def business(code: str) -> Json:
    why = {"statusReason": {"text": "no time"}} if code == "missed" else {}
    return {
        "businessStatus": {"coding": [{"system": f"{BASE}/CodeSystem/homework-business-status", "code": code}]},
        **why,
    }


async def keep(api: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        answer = await api.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code in (200, 201), answer.text


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> None:
    await keep(api, {"resourceType": "Patient", "id": "p", "extension": [ZONE], "communication": [DUTCH]})


async def numbers(api: httpx.AsyncClient, query: str) -> Json:
    answer = await api.get(f"Patient/p/$chart?{query}&_format=json&language=en")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    found: Json = json.decode(answer.content)
    return found


async def refused(api: httpx.AsyncClient, query: str) -> str:
    answer = await api.get(f"Patient/p/$chart?{query}")
    assert answer.status_code == 400, answer.text
    (issue,) = answer.json()["issue"]
    assert issue["details"]["coding"][0]["code"] == "parameter-malformed"
    return str(issue["diagnostics"])


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "kind says what to draw"),
        ("kind=scores", "It is one of score, rating"),
        ("kind=score", "Give 1 to 10 of code"),
        ("kind=score&code=44261-6", "with its system"),
        (f"kind=score&code={PHQ9},{LOINC}|70274-6", "kind=rating shows several"),
        (f"kind=score&code={PHQ9}&theme=blue", "theme=blue is none of auto, light, dark"),
        (f"kind=score&code={PHQ9}&width=100000", "from 320 to 1200"),
        (f"kind=score&code={PHQ9}&scale=9", "from 1 to 3"),
        (f"kind=score&code={PHQ9}&language=fr", "en, es, nl, de are"),
        (f"kind=score&code={PHQ9}&colour=red", "There is no parameter 'colour'"),
        ("kind=adherence-by&by=moon", "by=moon is none of weekday, hour, activity"),
        ("kind=adherence-calendar&start=2020-01-01&end=2026-01-01", "53 weeks"),
        ("kind=adherence-calendar&start=2026-02-01&end=2026-01-01", "end is before start"),
        ("kind=adherence-calendar&start=2026", "whole date"),
    ],
)
async def test_what_cannot_be_drawn_is_said_to_be_so(api: httpx.AsyncClient, query: str, said: str) -> None:
    assert said in await refused(api, query)


async def test_somebody_who_is_not_there_has_no_chart(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/nobody/$chart?kind=rating")).status_code == 404


@pytest.mark.usefixtures("patient")
async def test_a_media_type_that_is_not_drawn_is_not_acceptable(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/p/$chart?kind=rating&_format=pdf")).status_code == 406


@pytest.mark.usefixtures("patient")
async def test_a_chart_is_svg_in_the_clients_language_and_kept_by_no_shared_cache(api: httpx.AsyncClient) -> None:
    await keep(api, score("a", "2026-01-05", 18), score("b", "2026-01-12", 9))
    answer = await api.get(f"Patient/p/$chart?kind=score&code={PHQ9}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "image/svg+xml"
    assert answer.headers["content-language"] == "nl"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "private" in answer.headers["cache-control"]
    root = ElementTree.fromstring(answer.content)  # noqa: S314 (our own)
    assert root.findtext(f"{SVG}title") == "PHQ-9"
    assert "Eerst 18, laatst 9: 9 lager." in (root.findtext(f"{SVG}desc") or "")
    assert "betrouwbare verbetering" in (root.findtext(f"{SVG}desc") or "")


@pytest.mark.usefixtures("patient")
async def test_a_chart_is_png_where_that_is_asked_for(api: httpx.AsyncClient) -> None:
    by_format = await api.get("Patient/p/$chart?kind=rating&_format=png&width=400&scale=1")
    by_accept = await api.get("Patient/p/$chart?kind=rating&width=400&scale=1", headers={"Accept": "image/png"})
    assert by_format.headers["content-type"] == by_accept.headers["content-type"] == "image/png"
    assert by_format.content == by_accept.content
    assert by_format.content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(by_format.content[16:20]) == 400


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "kind", [f"score&code={PHQ9}", "rating", "adherence-calendar", "adherence-by", "exposure", "goal-attainment"]
)
async def test_where_there_is_nothing_yet_the_chart_says_so_kindly(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.get(f"Patient/p/$chart?kind={kind}&language=en")
    assert answer.status_code == 200
    assert "Nothing to show yet." in answer.text


@pytest.mark.usefixtures("patient")
async def test_scores_stand_on_the_days_of_the_clients_calendar(api: httpx.AsyncClient) -> None:
    await keep(api, score("a", "2026-01-04T22:00:00Z", 18), score("b", "2026-01-12T08:00:00Z", 17))
    found = await numbers(api, f"kind=score&code={PHQ9}")
    assert found["series"]["points"] == [{"on": "2026-01-05", "value": 18}, {"on": "2026-01-12", "value": 17}]
    assert found["series"]["bands"][0] == {"low": 0, "high": 4, "text": "minimal"}
    assert found["series"]["marks"] == []
    assert found["alternative"].startswith("2 values, from 5 January 2026 to 12 January 2026.")


@pytest.mark.usefixtures("patient")
async def test_a_score_that_was_planned_and_not_given_is_a_gap(api: httpx.AsyncClient) -> None:
    request = {
        "resourceType": "ServiceRequest", "id": "r", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p"}, "authoredOn": "2026-01-01",
    }  # fmt: skip
    based = {"basedOn": [{"reference": "ServiceRequest/r"}]}
    missed = task("m", "2026-01-12", "2026-01-13", "cancelled", **based, **business("missed"))
    late = task("l", "2026-03-12", "2026-03-13", "cancelled", **based, **business("missed"))
    await keep(api, request, missed, late, score("a", "2026-01-05", 9, **based), score("b", "2026-01-19", 8, **based))
    found = await numbers(api, f"kind=score&code={PHQ9}")
    assert found["series"]["points"][1] == {"on": "2026-01-12", "value": None}
    assert len(found["series"]["points"]) == 3
    assert "1 time not answered." in found["alternative"]


@pytest.mark.usefixtures("patient")
async def test_start_and_end_bound_what_is_drawn(api: httpx.AsyncClient) -> None:
    await keep(api, *(score(f"s{day}", f"2026-01-{day:02}", day) for day in (5, 12, 19)))
    found = await numbers(api, f"kind=score&code={PHQ9}&start=2026-01-10&end=2026-01-14")
    assert [point["value"] for point in found["series"]["points"]] == [12]


@pytest.mark.usefixtures("patient")
async def test_a_calendar_says_how_each_day_stands(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        task("done", "2026-01-05", "2026-01-06", "completed"),
        task("part", "2026-01-06", "2026-01-07", "completed", **business("partially-done")),
        task("both-1", "2026-01-07", "2026-01-08", "completed"),
        task("both-2", "2026-01-07", "2026-01-08", "cancelled", **business("missed")),
        task("not", "2026-01-08", "2026-01-09", "cancelled", **business("missed")),
        task("hold", "2026-01-09", "2026-01-10", "on-hold", statusReason={"text": "away"}),
        task("declined", "2026-01-10", "2026-01-11", "rejected", statusReason={"text": "not for me"}),
        task("open", "2026-01-11", "2026-01-12", "ready"),
    )
    found = await numbers(api, "kind=adherence-calendar&start=2026-01-05&end=2026-01-18")
    assert found["series"]["days"] == {
        "2026-01-05": "done",
        "2026-01-06": "partly",
        "2026-01-07": "partly",
        "2026-01-08": "not-yet",
        "2026-01-09": "paused",
        "2026-01-11": "not-yet",
    }


@pytest.mark.usefixtures("patient")
async def test_adherence_is_grouped_by_weekday_hour_and_activity(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        task("a", "2026-01-05T18:00:00+13:00", "2026-01-05T22:00:00+13:00", "completed"),
        task("b", "2026-01-06T18:00:00+13:00", "2026-01-06T22:00:00+13:00", "completed", **business("partially-done")),
    )
    span = "start=2026-01-01&end=2026-01-31"
    by = {name: (await numbers(api, f"kind=adherence-by&by={name}&{span}"))["series"]["bars"] for name in
          ("weekday", "hour", "activity")}  # fmt: skip
    assert by["weekday"] == [
        {"name": "Monday", "done": 1, "planned": 1},
        {"name": "Tuesday", "done": 0.5, "planned": 1},
    ]
    assert by["hour"] == [{"name": "18:00", "done": 1.5, "planned": 2}]
    assert by["activity"] == [{"name": "Relaxation", "done": 1.5, "planned": 2}]


@pytest.mark.usefixtures("patient")
async def test_ratings_share_a_scale_and_have_names(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        observation("m", "2026-01-05", MEASURE, "mood", valueInteger=4),
        observation("p", "2026-01-05", MEASURE, "pleasure", valueInteger=7),
    )
    found = (await numbers(api, f"kind=rating&code={MEASURE}|mood,{MEASURE}|pleasure"))["series"]
    assert (found["low"], found["high"]) == (0, 10)
    assert [line["name"] for line in found["lines"]] == ["Mood", "Pleasure"]
    alone = await numbers(api, "kind=rating")
    assert alone["series"]["title"] == "Mood"


@pytest.mark.usefixtures("patient")
async def test_an_exposure_has_the_name_of_its_assignment(api: httpx.AsyncClient) -> None:
    def part(code: str, value: int) -> Json:
        return {"code": {"coding": [{"system": MEASURE, "code": code}]}, "valueInteger": value}

    step = {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "exposure-step"}]}
    await keep(
        api,
        task("t", "2026-01-05", "2026-01-06", "completed", code=step | {"text": "Say hello"}),
        observation(
            "e", "2026-01-05T09:00:00+13:00", MEASURE, "suds", focus=[{"reference": "Task/t"}],
            component=[part("suds-pre", 60), part("suds-post", 30)],
        ),
        observation("of-a-thought", "2026-01-06", MEASURE, "suds", component=[part("suds-pre", 50)]),
    )  # fmt: skip
    found = (await numbers(api, "kind=exposure"))["series"]
    assert found["steps"] == [{"on": "2026-01-05", "name": "Say hello", "before": 60, "peak": None, "after": 30}]


@pytest.mark.usefixtures("patient")
async def test_goals_show_the_levels_they_reached(api: httpx.AsyncClient) -> None:
    def rated(name: str, when: str, code: str, answer: str) -> Json:
        value = {"coding": [{"system": LOINC, "code": answer}]}
        return observation(name, when, LOINC, code, focus=[{"reference": "Goal/g"}], valueCodeableConcept=value)

    goal = {
        "resourceType": "Goal", "id": "g", "lifecycleStatus": "active", "subject": {"reference": "Patient/p"},
        "description": {"text": "One new person a week"},
    }  # fmt: skip
    await keep(
        api,
        goal,
        rated("a", "2026-01-05", "107332-9", "LA34484-8"),
        rated("b", "2026-02-05", "107334-5", "LA34481-4"),
    )
    found = await numbers(api, "kind=goal-attainment")
    assert found["series"]["goals"] == [
        {
            "name": "One new person a week",
            "points": [{"on": "2026-01-05", "value": -2}, {"on": "2026-02-05", "value": 0}],
        }
    ]
    assert "first much less than expected, last as expected" in found["alternative"]


@pytest.mark.usefixtures("patient")
async def test_who_may_not_see_tasks_gets_scores_without_gaps(house: Any, api: httpx.AsyncClient) -> None:
    await keep(api, score("a", "2026-01-05", 9, basedOn=[{"reference": "ServiceRequest/r"}]))
    async with house.client(await house.token("system/Patient.r system/Observation.s")) as http:
        found = await numbers(http, f"kind=score&code={PHQ9}")
    assert len(found["series"]["points"]) == 1


@pytest.mark.usefixtures("patient")
async def test_parameters_may_come_in_a_body(api: httpx.AsyncClient) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "kind", "valueCode": "rating"}]}
    answer = await api.post("Patient/p/$chart", json=body, headers={"Accept": "image/svg+xml"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "image/svg+xml"


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


async def test_clients_see_their_own_charts_alone(clinic: Clinic) -> None:
    mood = observation("m", "2026-01-05", MEASURE, "mood", valueInteger=4) | {"subject": to("Patient/ann")}
    await clinic.put(mood)
    ann = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    bob = await clinic.as_person("Patient/bob", "patient/*.rs", patient="bob")
    own = await ann.get("Patient/ann/$chart?kind=rating&_format=json&language=en")
    assert own.json()["series"]["lines"][0]["points"] == [{"on": "2026-01-05", "value": 4}]
    assert (await bob.get("Patient/ann/$chart?kind=rating")).status_code == 404


async def test_what_a_client_keeps_private_is_in_nobody_elses_chart(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    mood = observation("m", "2026-01-05", MEASURE, "mood", valueInteger=4) | {"subject": to("Patient/ann")}
    answer = await ann.put("Observation/m", json=mood | labelled("client-only"))
    assert answer.status_code == 201, answer.text
    therapist = await clinic.as_person("Practitioner/thera", "user/*.rs")
    query = "Patient/ann/$chart?kind=rating&_format=json"
    assert len((await ann.get(query)).json()["series"]["lines"]) == 1
    assert (await therapist.get(query)).json()["series"]["lines"] == []
