"""What a tick makes of assignments as time goes by: begun, gone on, not done this time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import pytest

from fhir_mappings import reasons
from fhir_mappings.progress import tally_of
from schemas.library import BASE
from service import tenants
from service.homework import policy, windows
from service.homework.policy import HomeworkPolicy
from service.tenants import Tenant
from tests.conftest import House

Json = dict[str, Any]
NOW: Final = datetime.now(UTC).replace(microsecond=0)
HOUR: Final = timedelta(hours=1)
ZONE: Final = "Pacific/Auckland"
TODAY: Final = NOW.astimezone(ZoneInfo(ZONE)).date()
"""The day on the client's calendar, half a day ahead of ours."""


def morning(day: date) -> float:
    """In how many hours the client's day begins."""
    return (datetime.combine(day, time(), ZoneInfo(ZONE)) - NOW) / HOUR


ACTIVITY: Final = {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "relaxation"}]}


def at(hours: float) -> str:
    return (NOW + hours * HOUR).isoformat()


def task(**members: Any) -> Json:
    return {
        "resourceType": "Task",
        "status": "ready",
        "intent": "order",
        "code": ACTIVITY,
        "for": {"reference": "Patient/p"},
        "owner": {"reference": "Patient/p"},
        "restriction": {"period": {"start": at(-2), "end": at(2)}},
    } | members


class Clinic:
    """A tenant whose clock a test turns."""

    def __init__(self, house: House, tenant: Tenant, http: httpx.AsyncClient) -> None:
        self.house, self.tenant, self.http = house, tenant, http

    async def make(self, **members: Any) -> str:
        answer = await self.http.post("Task", json=task(**members))
        assert answer.status_code == 201, answer.text
        return f"Task/{answer.json()['id']}"

    async def read(self, address: str) -> Json:
        answer = await self.http.get(address)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def tick(self, hours: float) -> None:
        await windows.close(self.house.app.engine, self.tenant, NOW + hours * HOUR)

    async def decide(self, choices: HomeworkPolicy) -> None:
        async with self.house.app.engine.database.connection(self.tenant.id) as connection:
            await policy.keep(connection, self.tenant.id, choices)


@pytest.fixture
async def clinic(house: House, api: httpx.AsyncClient) -> Clinic:
    async with house.app.engine.database.connection(0) as connection:
        tenant = await tenants.find(connection, house.name)
    zone = {"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": ZONE}
    assert (
        await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "extension": [zone]})
    ).status_code == 201
    return Clinic(house, tenant, api)


def said(task: Json) -> tuple[str, str | None, str | None]:
    """Status, business status, and the reason's code."""
    codes = [
        next((each["code"] for each in task.get(name, {}).get("coding", ())), None)
        for name in ("businessStatus", "statusReason")
    ]
    return task["status"], codes[0], codes[1]


@pytest.mark.parametrize("status", ["ready", "accepted"])
async def test_what_was_never_begun_is_not_done_this_time(clinic: Clinic, status: str) -> None:
    made = await clinic.make(status=status)
    await clinic.tick(8.5)
    assert said(await clinic.read(made)) == ("cancelled", "missed", "window-elapsed")


async def test_it_can_still_be_done_within_the_grace(clinic: Clinic) -> None:
    made = await clinic.make()
    await clinic.tick(7.9)
    assert (await clinic.read(made))["status"] == "ready"


async def test_an_offer_that_nobody_answered_is_withdrawn_and_not_missed(clinic: Clinic) -> None:
    made = await clinic.make(status="requested")
    await clinic.tick(8.5)
    assert said(await clinic.read(made)) == ("cancelled", None, "window-elapsed")


async def test_what_was_agreed_to_becomes_ready_when_its_window_opens(clinic: Clinic) -> None:
    made = await clinic.make(status="accepted", restriction={"period": {"start": at(3), "end": at(30)}})
    await clinic.tick(2)
    assert (await clinic.read(made))["status"] == "accepted"
    await clinic.tick(3.5)
    assert (await clinic.read(made))["status"] == "ready"


async def test_what_was_begun_and_not_finished_stops_with_its_draft(clinic: Clinic) -> None:
    draft = {"resourceType": "QuestionnaireResponse", "status": "in-progress", "subject": {"reference": "Patient/p"}}
    held = (await clinic.http.post("QuestionnaireResponse", json=draft)).json()
    output = [{"type": {"text": "answers"}, "valueReference": {"reference": f"QuestionnaireResponse/{held['id']}"}}]
    made = await clinic.make(status="in-progress", output=output, executionPeriod={"start": at(-1)})
    await clinic.tick(8.5)
    left = await clinic.read(made)
    assert said(left) == ("failed", None, "window-elapsed")
    assert left["executionPeriod"]["end"]
    assert (await clinic.read(f"QuestionnaireResponse/{held['id']}"))["status"] == "stopped"


async def test_a_tenant_can_let_what_was_begun_count_in_part(clinic: Clinic) -> None:
    await clinic.decide(HomeworkPolicy(submits_partial=True))
    draft = {"resourceType": "QuestionnaireResponse", "status": "in-progress", "subject": {"reference": "Patient/p"}}
    held = (await clinic.http.post("QuestionnaireResponse", json=draft)).json()
    output = [{"type": {"text": "answers"}, "valueReference": {"reference": f"QuestionnaireResponse/{held['id']}"}}]
    made = await clinic.make(status="in-progress", output=output)
    await clinic.tick(8.5)
    assert said(await clinic.read(made)) == ("completed", "partially-done", None)
    assert (await clinic.read(f"QuestionnaireResponse/{held['id']}"))["status"] == "completed"


async def test_a_draft_that_may_not_be_completed_is_stopped_instead(clinic: Clinic) -> None:
    await clinic.decide(HomeworkPolicy(submits_partial=True))
    url = "https://example.org/Questionnaire/log"
    item = {"linkId": "1", "text": "How was it?", "type": "string", "required": True}
    form = {"resourceType": "Questionnaire", "url": url, "status": "active", "item": [item]}
    assert (await clinic.http.post("Questionnaire", json=form)).status_code == 201
    draft = {"resourceType": "QuestionnaireResponse", "status": "in-progress", "questionnaire": url}
    held = (await clinic.http.post("QuestionnaireResponse", json=draft)).json()
    output = [{"type": {"text": "answers"}, "valueReference": {"reference": f"QuestionnaireResponse/{held['id']}"}}]
    made = await clinic.make(status="in-progress", output=output)
    await clinic.tick(8.5)
    assert said(await clinic.read(made)) == ("completed", "partially-done", None)
    assert (await clinic.read(f"QuestionnaireResponse/{held['id']}"))["status"] == "stopped"


async def test_what_is_paused_has_no_end(clinic: Clinic) -> None:
    made = await clinic.make(status="on-hold", statusReason={"text": "a holiday"})
    await clinic.tick(100)
    assert (await clinic.read(made))["status"] == "on-hold"


async def test_a_pause_ends_on_the_clients_own_morning(clinic: Clinic) -> None:
    until = TODAY + timedelta(days=2)
    reason = reasons.until({"text": "a holiday"}, until.isoformat())
    window = {"period": {"start": at(-2), "end": at(400)}}
    made = await clinic.make(status="on-hold", statusReason=reason, restriction=window)
    await clinic.tick(morning(until) - 0.1)
    assert (await clinic.read(made))["status"] == "on-hold"
    await clinic.tick(morning(until) + 0.1)
    resumed = await clinic.read(made)
    assert said(resumed) == ("ready", None, None)
    assert "statusReason" not in resumed


async def test_what_is_not_a_clients_homework_stays_open(clinic: Clinic) -> None:
    staff = {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "review-proposal"}]}
    others = [
        await clinic.make(code=staff, owner={"reference": "Practitioner/t"}),
        await clinic.make(intent="proposal"),
        await clinic.make(status="draft"),
        await clinic.make(restriction={"period": {"start": at(-2)}}),
    ]
    await clinic.tick(8.5)
    assert {(await clinic.read(each))["status"] for each in others} == {"ready", "draft"}


async def test_a_tick_that_comes_twice_does_it_once(clinic: Clinic) -> None:
    made = await clinic.make()
    await clinic.tick(8.5)
    await clinic.tick(8.6)
    assert (await clinic.read(made))["meta"]["versionId"] == "2"


# --- series -------------------------------------------------------------------------------------------------------------


async def series(clinic: Clinic, days: int) -> Json:
    """A head with an occurrence for each of so many days from today on."""
    start, end = (TODAY + timedelta(days=each) for each in (0, days - 1))
    repeat = {"boundsPeriod": {"start": start.isoformat(), "end": end.isoformat()}, "period": 1, "periodUnit": "d"}
    body = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
    }
    request = (await clinic.http.post("ServiceRequest", json=body | {"occurrenceTiming": {"repeat": repeat}})).json()
    bounds = {"restriction": {"period": {"start": start.isoformat(), "end": end.isoformat()}}}
    return await clinic.read(await clinic.make(basedOn=[{"reference": f"ServiceRequest/{request['id']}"}], **bounds))


async def parts(clinic: Clinic, head: Json) -> list[Json]:
    answer = await clinic.http.get("Task", params={"part-of": f"Task/{head['id']}", "_count": "100"})
    found = [each["resource"] for each in answer.json().get("entry", ())]
    return sorted(found, key=lambda each: str(each["identifier"][0]["value"]))


async def change(clinic: Clinic, task: Json, **members: Any) -> None:
    current = await clinic.read(f"Task/{task['id']}")
    answer = await clinic.http.put(f"Task/{task['id']}", json=current | members)
    assert answer.status_code == 200, answer.text


async def test_a_series_of_which_something_was_done_is_completed_in_part(clinic: Clinic) -> None:
    head = await series(clinic, 3)
    await change(clinic, (await parts(clinic, head))[-1], status="completed")
    await clinic.tick(24 * 6)
    over = await clinic.read(f"Task/{head['id']}")
    assert said(over) == ("completed", "partially-done", None)
    tally = tally_of(over)
    assert (tally.done, tally.planned) == (1, len(await parts(clinic, head)))


async def test_a_series_of_which_nothing_was_done_is_not_done_this_time(clinic: Clinic) -> None:
    head = await series(clinic, 2)
    await clinic.tick(24 * 5)
    assert said(await clinic.read(f"Task/{head['id']}")) == ("cancelled", "missed", "window-elapsed")


async def test_days_that_passed_during_a_pause_are_not_missed(clinic: Clinic) -> None:
    head = await series(clinic, 5)
    all_of_it = len(await parts(clinic, head))
    until = TODAY + timedelta(days=3)
    await change(clinic, head, status="on-hold", statusReason=reasons.until({"text": "ill"}, until.isoformat()))
    await clinic.tick(morning(until) - 0.1)
    assert {each["status"] for each in await parts(clinic, head)} == {"on-hold"}
    await clinic.tick(morning(until) + 0.1)
    found = await parts(clinic, head)
    assert {said(each) for each in found} == {("cancelled", None, "paused"), ("ready", None, None)}
    going = await clinic.read(f"Task/{head['id']}")
    assert going["status"] == "ready"
    assert tally_of(going).planned == len([each for each in found if each["status"] == "ready"]) < all_of_it


async def test_an_occurrence_put_off_until_its_time_went_by_keeps_no_series_open(clinic: Clinic) -> None:
    head = await series(clinic, 2)
    one, *rest = await parts(clinic, head)
    await change(clinic, one, status="on-hold", statusReason={"text": "not today"})
    for each in rest:
        await change(clinic, each, status="completed")
    await clinic.tick(24 * 4)
    assert said(await clinic.read(f"Task/{one['id']}")) == ("cancelled", None, "paused")
    over = await clinic.read(f"Task/{head['id']}")
    assert said(over) == ("completed", "done", None)
