"""Patient/[id]/$adherence and $adherence-change. Docs: docs/insight.md"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas import json, words
from schemas.library import BASE
from schemas.validate import validate
from tests.security.circles import Clinic, to

Json = dict[str, Any]
PHQ9 = "http://loinc.org|44261-6"
START = datetime(2026, 1, 5, 18, tzinfo=UTC)
DONE: Json = {"status": "completed"}
PARTLY: Json = {"status": "completed", "businessStatus": {"coding": [
    {"system": f"{BASE}/CodeSystem/homework-business-status", "code": "partially-done"}]}}  # fmt: skip
MISSED: Json = {"status": "cancelled", "statusReason": {"text": "the time passed"}, "businessStatus": {"coding": [
    {"system": f"{BASE}/CodeSystem/homework-business-status", "code": "missed"}]}}  # fmt: skip
GAVE_UP: Json = {"status": "failed", "statusReason": {"coding": [
    {"system": f"{BASE}/CodeSystem/homework-barrier", "code": "time"}]}}  # fmt: skip
PAUSED: Json = {"status": "on-hold", "statusReason": {"text": "holiday"}}
OPEN: Json = {"status": "ready"}


def task(name: str, day: int, how: Json, patient: str = "ann", kind: str = "relaxation", **members: Any) -> Json:
    start = START + timedelta(days=day)
    return {
        "resourceType": "Task",
        "id": name,
        "intent": "order",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": kind}]},
        "for": to(f"Patient/{patient}"),
        "owner": to(f"Patient/{patient}"),
        "requester": to("Practitioner/thera"),
        "restriction": {"period": {"start": start.isoformat(), "end": (start + timedelta(hours=4)).isoformat()}},
        **how,
        **members,
    }


def score(name: str, day: int, value: int, patient: str = "ann") -> Json:
    system, _, code = PHQ9.partition("|")
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": to(f"Patient/{patient}"),
        "effectiveDateTime": (START + timedelta(days=day)).isoformat(),
        "valueInteger": value,
    }


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


async def week(clinic: Clinic) -> None:
    """Three done, one in part, one not done, one given up, one paused, one still open."""
    for day, how in enumerate((DONE, DONE, PARTLY, MISSED, GAVE_UP, DONE, PAUSED, OPEN)):
        await clinic.put(task(f"t{day}", day, how, kind="relaxation" if day % 2 else "reading"))


async def asked(http: httpx.AsyncClient, path: str) -> list[Json]:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    body = json.decode(answer.content)
    assert validate(body) == []
    return list(body["parameter"])


def plain(rows: list[Json]) -> Json:
    return {
        row["name"]: next(value for name, value in row.items() if name.startswith("value"))
        for row in rows
        if "part" not in row
    }


def parts(rows: list[Json], name: str) -> list[Json]:
    return [plain(row["part"]) for row in rows if row["name"] == name]


@pytest.mark.parametrize(
    ("query", "said"), [("by=mood", "mood"), ("start=soon", "start"), ("care-plan=Task/1", "care-plan"), ("x=1", "x")]
)
async def test_refuses_what_it_cannot_answer(clinic: Clinic, query: str, said: str) -> None:
    answer = await clinic.system.get(f"Patient/ann/$adherence?{query}")
    assert answer.status_code == 400
    assert said in answer.json()["issue"][0]["diagnostics"]


async def test_refuses_who_may_not_see_the_patient(clinic: Clinic) -> None:
    await week(clinic)
    ben = await clinic.as_person("Patient/ben", "patient/*.cruds", patient="ben")
    for operation in ("$adherence", f"$adherence-change?code={PHQ9}"):
        assert (await ben.get(f"Patient/ann/{operation}")).status_code == 404
    narrow = await clinic.as_person("Patient/ann", "patient/Patient.rs", patient="ann")
    assert (await narrow.get("Patient/ann/$adherence")).status_code == 403


async def test_clients_and_therapists_see_the_same_counts(clinic: Clinic) -> None:
    await week(clinic)
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    for http in (ann, thera, clinic.system):
        rows = await asked(http, "Patient/ann/$adherence")
        said = plain(rows)
        counts = [said[name] for name in ("planned", "done", "partly", "notDone", "leftOut", "open")]
        assert counts == [6, 3, 1, 2, 1, 1]
        assert said["share"] == json.decode(b"0.58")
        assert said["text"] == "3 of 6 done, 1 more in part"
        assert parts(rows, "inARow") == [{"now": 1, "best": 3}]
        assert parts(rows, "barrier") == [{"code": "time", "times": 1}]


async def test_groups_by_what_may_have_helped(clinic: Clinic) -> None:
    await week(clinic)
    rows = await asked(clinic.system, "Patient/ann/$adherence?by=activity,weekday&by=hour")
    groups = {(each["by"], each["value"]): each for each in parts(rows, "group")}
    assert groups["activity", "relaxation"]["planned"] == 3
    assert groups["activity", "reading"]["done"] == 1
    assert groups["hour", "18"]["planned"] == 6
    weekdays = [value for by, value in groups if by == "weekday"]
    assert weekdays[0] == "monday"
    assert sum(each["planned"] for (by, _), each in groups.items() if by == "weekday") == 6


async def test_counts_by_the_clients_own_calendar_within_a_time(clinic: Clinic) -> None:
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": "Pacific/Auckland"}
    await clinic.put({"resourceType": "Patient", "id": "ann", "extension": [zone]})
    await week(clinic)
    rows = await asked(clinic.system, "Patient/ann/$adherence?start=2026-01-06&end=2026-01-07&by=hour")
    assert plain(rows)["planned"] == 2
    assert plain(rows)["period"] == {"start": "2026-01-06", "end": "2026-01-07"}
    assert parts(rows, "group")[0]["value"] == "07"


async def test_counts_what_a_plan_asked_for(clinic: Clinic) -> None:
    plan = {
        "resourceType": "CarePlan", "id": "plan", "status": "active", "intent": "plan", "subject": to("Patient/ann"),
        "activity": [{"reference": to("ServiceRequest/of-plan")}],
    }  # fmt: skip
    await clinic.put(plan)
    await clinic.put(task("in", 0, DONE, basedOn=[to("ServiceRequest/of-plan")]))
    await clinic.put(task("out", 1, MISSED, basedOn=[to("ServiceRequest/other")]))
    said = plain(await asked(clinic.system, "Patient/ann/$adherence?care-plan=CarePlan/plan"))
    assert (said["planned"], said["done"]) == (1, 1)
    assert (await clinic.system.get("Patient/ann/$adherence?care-plan=CarePlan/none")).status_code == 404


async def test_says_kindly_that_nothing_was_planned(clinic: Clinic) -> None:
    said = plain(await asked(clinic.system, "Patient/ann/$adherence?language=nl"))
    assert (said["planned"], said["text"]) == (0, "Er was in deze tijd niets gepland.")
    assert "share" not in said


BLAME = ("fail", "missed", "should", "gefaald", "gemist", "fall", "verpasst", "versagt", "nicht geschafft", "fallo")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_no_word_of_adherence_blames(language: str) -> None:
    said = words.part("insight", language)
    assert said.keys() == words.part("insight", "en").keys()
    for name, sentence in said.items():
        if name.startswith("adherence."):
            assert not [word for word in BLAME if word in sentence.lower()], sentence


async def course(clinic: Clinic, patient: str = "ann", weeks: int = 7) -> None:
    """Weeks of which more was done in the later ones, and the score fell more in these."""
    value = 27
    await clinic.put(score(f"{patient}-s0", 0, value, patient))
    for number in range(weeks):
        for part in range(4):
            how = DONE if part <= number % 4 else MISSED
            await clinic.put(task(f"{patient}-{number}-{part}", number * 7 + part, how, patient))
        value -= number % 4
        await clinic.put(score(f"{patient}-s{number + 1}", number * 7 + 7, value, patient))


async def test_tells_whether_homework_and_scores_went_together_with_a_caution(clinic: Clinic) -> None:
    await course(clinic)
    said = plain(await asked(clinic.system, f"Patient/ann/$adherence-change?code={PHQ9}"))
    assert said["n"] == 7
    assert said["r"] == -1
    assert "need not cause" in said["caution"]
    few = plain(await asked(clinic.system, f"Patient/ann/$adherence-change?code={PHQ9}&end=2026-01-20"))
    assert "r" not in few
    assert few["n"] < 5
    assert "chance" in few["caution"]


async def test_across_clients_asks_for_all_of_them_and_for_enough(clinic: Clinic) -> None:
    path = f"Patient/$adherence-change?code={PHQ9}"
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    for http in (ann, thera):
        assert (await http.get(path)).status_code == 403
    for number in range(4):
        await clinic.put({"resourceType": "Patient", "id": f"c{number}"})
        await course(clinic, f"c{number}", 2 + number % 3)
    said = plain(await asked(clinic.system, path))
    assert set(said) == {"code", "minimum", "caution"}
    await clinic.put({"resourceType": "Patient", "id": "c4"})
    await course(clinic, "c4", 4)
    wide = await clinic.as_person("Practitioner/thera", "user/*.cruds", reach="tenant")
    for http in (clinic.system, wide):
        said = plain(await asked(http, path))
        assert said["n"] == 5
    assert -1 <= said["low"] <= said["r"] <= said["high"] <= 1


async def test_what_has_several_days_is_of_no_weekday(clinic: Clinic) -> None:
    long = {"start": START.isoformat(), "end": (START + timedelta(days=2)).isoformat()}
    night = {"start": START.isoformat(), "end": (START + timedelta(hours=8)).isoformat()}
    day = {"start": START.date().isoformat(), "end": START.date().isoformat()}
    await clinic.put(
        *(task(f"t{at}", 0, DONE, restriction={"period": each}) for at, each in enumerate((long, night, day)))
    )
    rows = await asked(clinic.system, "Patient/ann/$adherence?by=weekday")
    assert plain(rows)["planned"] == 3
    assert [(each["value"], each["planned"]) for each in parts(rows, "group")] == [("monday", 2)]
