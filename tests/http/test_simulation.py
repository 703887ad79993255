"""The made-up clinic, played into a tenant, is a clinic like any other: its records hold together and can be asked."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx
import pytest

from fhir_mappings import risk
from schemas import library
from service import tenants
from service.simulation.play import Play, Tally

BEGIN: Final = date(2026, 1, 5)
CLIENTS: Final = 6
FORMS: Final = frozenset(
    (
        "activity-log",
        "exposure-record",
        "sleep-diary",
        "practice-log",
        "gratitude-journal",
        "thought-record",
        "kindness-log",
        "phq-9",
        "gad-7",
    )
)
WEEKS: Final = 3
OVER: Final = (BEGIN + timedelta(weeks=WEEKS)).isoformat() + "T08"


async def furnish(house: Any) -> None:
    """The forms of the library, which each tenant of a running server has."""
    async with house.client(await house.token()) as http:
        entries = [
            {"request": {"method": "POST", "url": each["resourceType"]}, "resource": each}
            for each in library.seed()
            if each["resourceType"] == "Questionnaire" and each["url"].rpartition("/")[2] in FORMS
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        assert (await http.post("", json=bundle)).status_code == 200


async def played(house: Any, seed: int = 41, clients: int = CLIENTS, weeks: int = WEEKS) -> Tally:
    engine = house.app.engine
    async with engine.database.connection(0) as connection:
        tenant = await tenants.find(connection, house.name)
    play = Play(engine, tenant, seed=seed, clients=clients, weeks=weeks, begin=BEGIN)
    return await play.run(lambda day: None)


@pytest.fixture(scope="module")
async def clinic(new_house: Callable[[], Awaitable[Any]]) -> tuple[Any, Tally]:
    house = await new_house()
    await furnish(house)
    return house, await played(house)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def everything(http: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    address: str | None = f"{query}{'&' if '?' in query else '?'}_count=1000"
    while address is not None:
        page = (await http.get(address)).json()
        found += [each["resource"] for each in page.get("entry", ())]
        address = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
    return found


async def test_what_was_done_is_done_and_what_was_left_is_missed_without_blame(clinic: tuple[Any, Tally]) -> None:
    house, tally = clinic
    async with house.client(await house.token()) as http:
        occurrences = await everything(http, "Task?intent=instance-order")
        answers = await everything(http, "QuestionnaireResponse")
    states = Counter(each["status"] for each in occurrences)
    assert tally.answers == len(answers) == states["completed"] == tally.outcomes["done"] + tally.outcomes["partly"]
    assert states["rejected"] == tally.outcomes.get("declined", 0)
    let_go = Counter(each["statusReason"]["coding"][0]["code"] for each in occurrences if each["status"] == "cancelled")
    assert set(let_go) <= {"window-elapsed", "paused"}
    # What was left lately can still be done: nothing is let go before its time is over.
    open_yet = [
        each for each in occurrences if each["status"] == "ready" and each["restriction"]["period"]["start"] < OVER
    ]
    assert let_go["window-elapsed"] <= tally.outcomes["left"] <= let_go["window-elapsed"] + len(open_yet)
    # Each occurrence once.
    keys = [each["identifier"][0]["value"] for each in occurrences]
    assert len(set(keys)) == len(keys)


async def test_whatever_is_assigned_gets_done_at_times_and_within_its_time(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        occurrences = await everything(http, "Task?intent=instance-order")
    done = [each for each in occurrences if each["status"] == "completed"]
    assert {each["instantiatesCanonical"] for each in done} == {each["instantiatesCanonical"] for each in occurrences}
    for each in done:
        period, ended = each["restriction"]["period"], each["executionPeriod"]["end"]
        assert moment(period["start"]) <= moment(ended) <= moment(period["end"])


async def test_the_measures_have_a_course(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        scores = await everything(http, "Observation?code=http://loinc.org|44261-6,http://loinc.org|70274-6")
        heads = await everything(
            http, "Task?intent=order&owner:Patient.name:missing=false&status=in-progress,completed"
        )
    weeks = Counter(each["subject"]["reference"] for each in scores)
    assert len(weeks) == CLIENTS
    assert max(weeks.values()) == WEEKS
    assert all(0 <= each["valueInteger"] <= 27 for each in scores)
    assert all(any("valueRatio" in row for row in head["output"]) for head in heads)


async def test_each_client_has_one_plan_a_session_a_week_and_a_goal_with_levels(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        plans = await everything(http, "CarePlan")
        requests = await everything(http, "ServiceRequest?subject:Patient.name:missing=false")
        sessions = await everything(http, "Encounter?_sort=date")
        begun = await everything(http, "Observation?code=http://loinc.org|107332-9")
    assert sorted(each["subject"]["reference"] for each in plans) == sorted(
        f"Patient/sim-{number:04d}" for number in range(1, CLIENTS + 1)
    )
    listed = [each["reference"]["reference"] for plan in plans for each in plan["activity"]]
    assert sorted(listed) == sorted(f"ServiceRequest/{each['id']}" for each in requests)
    held = Counter((each["subject"]["reference"], each["status"]) for each in sessions)
    assert set(held.values()) == {WEEKS, 1}
    assert {status for (_, status), count in held.items() if count == 1} == {"planned"}
    assert len(begun) == CLIENTS


async def test_there_is_something_to_see_in_a_session(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        reviewed = await everything(
            http, f"Task?business-status={library.BASE}/CodeSystem/homework-business-status|reviewed"
        )
        rated = await everything(http, f"Observation?code={library.BASE}/CodeSystem/homework-measure|helpfulness")
        watched = await everything(http, "Observation?code=http://loinc.org|41950-7,http://loinc.org|93832-4")
        weekly = await everything(http, f"Observation?code={library.BASE}/CodeSystem/homework-measure|adherence")
        for client in await everything(http, "Patient"):
            goals = (await http.get(f"Patient/{client['id']}/$goal-attainment")).json()
            assert goals["parameter"]
            calendar = await http.get(f"Patient/{client['id']}/$chart?kind=adherence-calendar&_format=json")
            assert calendar.json()["language"] == client["communication"][0]["language"]["coding"][0]["code"]
    assert {each["status"] for each in reviewed} == {"completed"}
    assert reviewed
    assert all(0 <= each["valueInteger"] <= 4 for each in rated)
    assert rated
    assert {each["device"]["reference"] for each in watched}
    assert len({each["focus"][0]["reference"] for each in weekly}) > CLIENTS


async def test_what_tells_of_risk_is_looked_at_and_what_is_proposed_is_answered(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        reviews = await everything(http, "Task?code=clinician-risk-review")
        flags = {each["id"]: each for each in await everything(http, "Flag")}
        proposals = await everything(http, "Task?code=review-proposal")
    assert reviews
    for review in reviews:
        lowered = flags[str(risk.flag_of(review))]["status"] == "inactive"
        assert lowered is (review["status"] == "completed")
    assert {each["status"] for each in proposals} <= {"requested", "accepted", "rejected"}
    assert proposals


async def test_a_group_does_something_together(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        (head,) = await everything(http, "Task?patient:missing=true&intent=order")
        shares = await everything(http, f"Task?part-of=Task/{head['id']}")
        acts = await everything(http, f"Observation?code={library.BASE}/CodeSystem/homework-measure|kind-acts")
    assert head["for"]["reference"] == "Group/sim-group"
    assert len({each["for"]["reference"] for each in shares}) == CLIENTS
    assert acts


async def test_the_records_bear_the_times_of_the_play(clinic: tuple[Any, Tally]) -> None:
    house, _ = clinic
    async with house.client(await house.token()) as http:
        answers = await everything(http, "QuestionnaireResponse?_sort=authored")
    first, last = (datetime.fromisoformat(answers[at]["authored"]) for at in (0, -1))
    assert BEGIN <= first.date() < last.date()
    assert (last.date() - BEGIN).days <= WEEKS * 7
    assert all(each["meta"]["lastUpdated"] >= each["authored"] for each in answers)
    assert last < datetime.now(UTC)


async def test_the_same_seed_plays_the_same_clinic(new_house: Any) -> None:
    told = []
    for seed in (3, 3, 4):
        house = await new_house()
        await furnish(house)
        tally = await played(house, seed, clients=2, weeks=1)
        async with house.client(await house.token()) as http:
            answers = await everything(http, "QuestionnaireResponse")
        said = sorted((each["authored"], str(each["item"])) for each in answers)
        told.append((tally, said))
    assert told[0] == told[1]
    assert told[0] != told[2]
