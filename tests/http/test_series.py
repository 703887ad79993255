"""Series over HTTP: what follows for a head and its occurrences when either of them, or their request, changes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import pytest

from fhir_mappings import occurrence, reasons
from fhir_mappings.occurrence import OCCURRENCE, PARTS_MADE
from fhir_mappings.progress import tally_of
from schemas.library import BASE
from service import tenants
from service.errors import Unprocessable
from service.homework import horizon
from service.tenants import Tenant
from tests.conftest import House
from tests.security.circles import Clinic

Json = dict[str, Any]
LABELS: Final = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}
DAILY: Final = {"frequency": 1, "period": 1, "periodUnit": "d"}
NOW: Final = datetime.now(UTC).replace(microsecond=0)
BUSINESS: Final = f"{BASE}/CodeSystem/homework-business-status"


ZONE: Final = "Europe/Amsterdam"


def day(offset: int) -> str:
    """A day on the client's calendar."""
    return (NOW.astimezone(ZoneInfo(ZONE)).date() + timedelta(days=offset)).isoformat()


def request(repeat: Json, **members: Any) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "occurrenceTiming": {"repeat": repeat},
    } | members


def head(based_on: str, **members: Any) -> Json:
    return {
        "resourceType": "Task",
        "meta": LABELS,
        "status": "ready",
        "intent": "order",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "relaxation"}]},
        "description": "Breathe slowly",
        "basedOn": [{"reference": based_on}],
        "for": {"reference": "Patient/p"},
        "owner": {"reference": "Patient/p"},
        "requester": {"reference": "Practitioner/t"},
        "authoredOn": "2026-01-01T00:00:00Z",
        "input": [{"type": {"text": "instruction"}, "valueString": "Ten minutes"}],
    } | members


@pytest.fixture
async def tenant(house: House) -> Tenant:
    async with house.app.engine.database.connection(0) as connection:
        return await tenants.find(connection, house.name)


@pytest.fixture
async def http(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The API of a tenant with one Patient, who lives in Amsterdam."""
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/timezone", "valueCode": ZONE}],
    }
    assert (await api.put("Patient/p", json=patient)).status_code == 201
    return api


async def assign(http: httpx.AsyncClient, repeat: Json, **members: Any) -> Json:
    """The head of a new series, as it is once it is written."""
    entries = (
        ("urn:uuid:11111111-1111-4111-8111-111111111111", request(repeat)),
        (None, head("urn:uuid:11111111-1111-4111-8111-111111111111", **members)),
    )
    made = [
        {"resource": body, "request": {"method": "POST", "url": body["resourceType"]}}
        | ({"fullUrl": url} if url else {})
        for url, body in entries
    ]
    answer = await http.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": made})
    assert answer.status_code == 200, answer.text
    where = answer.json()["entry"][1]["response"]["location"]
    return await read(http, "Task/" + where.split("/Task/")[1].split("/")[0])


async def read(http: httpx.AsyncClient, address: str) -> Json:
    answer = await http.get(address)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def occurrences(http: httpx.AsyncClient, of: Json) -> list[Json]:
    """The occurrences of a head by the day and name of their slots."""
    answer = await http.get("Task", params={"part-of": f"Task/{of['id']}", "_count": "500"})
    found = [entry["resource"] for entry in answer.json().get("entry", ())]
    return sorted(found, key=key)


def key(task: Json) -> str:
    (value,) = (each["value"] for each in task["identifier"] if each["system"] == OCCURRENCE)
    return str(value).partition("/")[2]


async def change(http: httpx.AsyncClient, task: Json, **members: Any) -> Json:
    current = await read(http, f"Task/{task['id']}")
    answer = await http.put(f"Task/{task['id']}", json=current | members)
    assert answer.status_code == 200, answer.text
    changed: Json = answer.json()
    return changed


REASON: Final = {"text": "a holiday"}


async def test_a_head_gets_the_occurrences_of_its_horizon_in_the_same_transaction(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(29)}} | DAILY)
    found = await occurrences(http, made)
    assert [key(each) for each in found[:2]] == [f"{day(0)}/1", f"{day(1)}/1"]
    assert len(found) in (14, 15)
    first = found[0]
    for name in ("code", "for", "owner", "requester", "basedOn", "input", "description", "authoredOn"):
        assert first[name] == made[name]
    assert first["meta"]["security"] == LABELS["security"]
    assert (first["status"], first["intent"]) == ("ready", "instance-order")
    assert first["partOf"] == [{"reference": f"Task/{made['id']}"}]
    assert first["restriction"]["period"]["end"].startswith(f"{day(0)}T23:59:59+0")
    assert "executionPeriod" not in first
    assert tally_of(made) == (0, 30)


async def test_an_occurrence_counts_in_its_head_and_the_head_begins_with_it(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    one, two, three, _ = await occurrences(http, made)
    await change(http, one, status="in-progress")
    begun = await read(http, f"Task/{made['id']}")
    assert begun["status"] == "in-progress"
    assert begun["executionPeriod"]["start"]
    await change(http, one, status="completed")
    partly = {"coding": [{"system": BUSINESS, "code": "partially-done"}]}
    await change(http, two, status="completed", businessStatus=partly)
    await change(http, three, status="cancelled", statusReason={"text": "not needed"})
    assert tally_of(await read(http, f"Task/{made['id']}")) == (1.5, 3)


async def test_a_head_is_completed_when_all_its_occurrences_are_over(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0)}, "count": 2} | DAILY)
    one, two = await occurrences(http, made)
    await change(http, one, status="completed")
    assert (await read(http, f"Task/{made['id']}"))["status"] == "in-progress"
    await change(http, two, status="completed")
    over = await read(http, f"Task/{made['id']}")
    assert (over["status"], over["businessStatus"]["coding"][0]["code"]) == ("completed", "done")
    assert over["executionPeriod"]["end"]


async def test_what_only_the_service_says_of_a_head_stays_when_it_is_written(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    (one, *_) = await occurrences(http, made)
    await change(http, one, status="completed")
    bare = {name: value for name, value in made.items() if name not in ("output", "extension")}
    answer = await http.put(f"Task/{made['id']}", json=bare | {"status": "in-progress", "description": "Breathe"})
    kept = answer.json()
    assert tally_of(kept) == (1, 4)
    assert [each["url"] for each in kept["extension"]] == [PARTS_MADE]


async def test_pausing_a_head_rests_its_open_occurrences_and_resuming_brings_them_back(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(4)}} | DAILY)
    one, two, three, *_ = await occurrences(http, made)
    await change(http, one, status="completed")
    await change(http, two, status="in-progress")
    await change(http, three, status="on-hold", statusReason={"text": "this one alone"})
    paused = await change(http, made, status="on-hold", statusReason=REASON)
    found = await occurrences(http, made)
    assert [each["status"] for each in found] == ["completed", *["on-hold"] * 4]
    assert found[1]["statusReason"]["text"] == "a holiday"
    assert tally_of(paused) == (1, 1)
    resumed = await change(http, {**made}, status="in-progress")
    found = await occurrences(http, made)
    assert [each["status"] for each in found] == ["completed", "in-progress", "on-hold", "ready", "ready"]
    assert "statusReason" not in found[3]
    assert tally_of(resumed) == (1, 4)


async def test_stopping_a_head_cancels_what_is_open_and_plans_no_more(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(60)}} | DAILY)
    one, *_ = await occurrences(http, made)
    await change(http, one, status="completed")
    stopped = await change(http, made, status="cancelled", statusReason={"text": "something else instead"})
    found = await occurrences(http, made)
    assert {each["status"] for each in found[1:]} == {"cancelled"}
    assert found[1]["statusReason"] == {"text": "something else instead"}
    assert tally_of(stopped) == (1, 1)


async def test_a_head_entered_in_error_takes_all_its_occurrences_along(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    one, *_ = await occurrences(http, made)
    await change(http, one, status="completed")
    await change(http, made, status="entered-in-error")
    assert {each["status"] for each in await occurrences(http, made)} == {"entered-in-error"}


async def test_a_draft_has_no_occurrences_until_it_is_published(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY, status="draft")
    assert await occurrences(http, made) == []
    await change(http, made, status="ready")
    assert len(await occurrences(http, made)) == 4


async def test_an_offer_has_no_occurrences_until_it_is_accepted(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY, status="requested")
    assert await occurrences(http, made) == []
    await change(http, made, status="accepted")
    assert len(await occurrences(http, made)) == 4


@pytest.mark.parametrize("members", [{"intent": "proposal"}, {"status": "on-hold", "statusReason": REASON}])
async def test_what_nobody_is_asked_to_do_yet_has_no_occurrences(http: httpx.AsyncClient, members: Json) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY, **members)
    assert await occurrences(http, made) == []


async def test_what_is_done_once_has_no_occurrences(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}})
    assert await occurrences(http, made) == []
    assert "extension" not in made


async def test_a_timing_that_cannot_be_planned_is_refused_when_it_is_assigned(http: httpx.AsyncClient) -> None:
    body = request({"period": 1, "periodUnit": "mo", "dayOfWeek": ["mon"]})
    made = (await http.post("ServiceRequest", json=body)).json()
    answer = await http.post("Task", json=head(f"ServiceRequest/{made['id']}"))
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert issue["details"]["coding"][0]["code"] == "timing-unsupported"
    assert issue["expression"] == ["ServiceRequest.occurrence.ofType(Timing).repeat.dayOfWeek"]
    assert (await http.get("Task?_summary=count")).json()["total"] == 0


async def test_revoking_the_request_stops_the_series(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    behind = await read(http, made["basedOn"][0]["reference"])
    assert (await http.put(f"ServiceRequest/{behind['id']}", json=behind | {"status": "revoked"})).status_code == 200
    stopped = await read(http, f"Task/{made['id']}")
    assert stopped["status"] == "cancelled"
    assert {each["status"] for each in await occurrences(http, made)} == {"cancelled"}


async def test_a_request_on_hold_pauses_the_series_until_it_is_active_again(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    behind = await read(http, made["basedOn"][0]["reference"])
    await http.put(f"ServiceRequest/{behind['id']}", json=behind | {"status": "on-hold"})
    assert {each["status"] for each in await occurrences(http, made)} == {"on-hold"}
    await http.put(f"ServiceRequest/{behind['id']}", json=behind | {"status": "active"})
    assert {each["status"] for each in await occurrences(http, made)} == {"ready"}
    assert (await read(http, f"Task/{made['id']}"))["status"] == "ready"


async def test_a_changed_timing_replans_only_what_lies_ahead_and_is_untouched(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(5)}} | DAILY)
    _today, one, two, *_ = await occurrences(http, made)
    await change(http, one, note=[{"text": "I did it early"}])
    await change(http, two, status="completed")
    behind = await read(http, made["basedOn"][0]["reference"])
    evenings = {"boundsPeriod": {"start": day(0), "end": day(4)}, "timeOfDay": ["20:00:00"]}
    answer = await http.put(f"ServiceRequest/{behind['id']}", json=behind | {"occurrenceTiming": {"repeat": evenings}})
    assert answer.status_code == 200, answer.text
    found = {key(each): each for each in await occurrences(http, made)}
    left = {name: each["status"] for name, each in found.items() if name.endswith("/1")}
    assert left == {
        f"{day(0)}/1": "ready", f"{day(1)}/1": "ready", f"{day(2)}/1": "completed",
        f"{day(3)}/1": "cancelled", f"{day(4)}/1": "cancelled", f"{day(5)}/1": "cancelled",
    }  # fmt: skip
    assert {name for name in found if name.endswith("/20:00")} >= {f"{day(each)}/20:00" for each in (1, 2, 3, 4)}
    planned = [each for each in found.values() if each["status"] in ("ready", "completed")]
    assert tally_of(await read(http, f"Task/{made['id']}")) == (1, len(planned))
    # And back: what was taken back is asked for again, under the same ids.
    answer = await http.put(f"ServiceRequest/{behind['id']}", json=behind)
    assert answer.status_code == 200, answer.text
    again = {key(each): each for each in await occurrences(http, made)}
    assert again[f"{day(4)}/1"]["status"] == "ready"
    assert again[f"{day(4)}/1"]["id"] == found[f"{day(4)}/1"]["id"]
    assert again[f"{day(4)}/20:00"]["status"] == "cancelled"
    assert tally_of(await read(http, f"Task/{made['id']}")) == (1, 6)


async def test_a_longer_window_of_the_head_extends_the_series(http: httpx.AsyncClient) -> None:
    window = {"period": {"start": day(0), "end": day(1)}}
    made = await assign(http, {"boundsPeriod": window["period"]} | DAILY, restriction=window)
    assert len(await occurrences(http, made)) == 2
    changed = await change(http, made, restriction={"period": {"start": day(0), "end": day(3)}})
    assert len(await occurrences(http, made)) == 4
    assert tally_of(changed) == (0, 4)


async def test_the_tick_makes_the_days_to_come_once(http: httpx.AsyncClient, house: House, tenant: Tenant) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(29)}} | DAILY)
    before = {each["id"] for each in await occurrences(http, made)}
    later = NOW + timedelta(days=2)
    for _ in range(2):
        await horizon.roll(house.app.engine, tenant, later)
    found = await occurrences(http, made)
    assert before < {each["id"] for each in found}
    assert f"{day(16)}/1" in {key(each) for each in found}
    assert len({key(each) for each in found}) == len(found)
    rolled = await read(http, f"Task/{made['id']}")
    assert rolled["meta"]["versionId"] == "2", "the second tick writes nothing"
    assert tally_of(rolled) == (0, 30)


async def test_an_open_series_plans_as_far_as_it_is_made(http: httpx.AsyncClient, house: House, tenant: Tenant) -> None:
    made = await assign(http, DAILY, restriction={"period": {"start": day(0)}})
    assert tally_of(made).planned == len(await occurrences(http, made))
    await horizon.roll(house.app.engine, tenant, NOW + timedelta(days=5))
    found = await occurrences(http, made)
    assert len(found) > 20
    assert tally_of(await read(http, f"Task/{made['id']}")).planned == len(found)


async def test_a_paused_series_is_not_rolled_and_goes_on_with_the_day_it_is_resumed(
    http: httpx.AsyncClient, house: House, tenant: Tenant
) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(29)}} | DAILY)
    before = await occurrences(http, made)
    await change(http, made, status="on-hold", statusReason=REASON)
    await horizon.roll(house.app.engine, tenant, NOW + timedelta(days=20))
    assert len(await occurrences(http, made)) == len(before)


async def test_answering_its_form_completes_the_occurrence_of_the_day_and_counts_in_the_head(
    http: httpx.AsyncClient,
) -> None:
    url = "https://example.org/Questionnaire/log"
    form = {"resourceType": "Questionnaire", "url": url, "status": "active"}
    assert (await http.post("Questionnaire", json=form)).status_code == 201
    asked = [{"type": {"text": "questionnaire"}, "valueCanonical": url}]
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY, input=asked)
    answer = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": url,
        "basedOn": made["basedOn"],
        "subject": {"reference": "Patient/p"},
        "authored": (await occurrences(http, made))[1]["restriction"]["period"]["start"],
    }
    assert (await http.post("QuestionnaireResponse", json=answer)).status_code == 201
    assert [each["status"] for each in await occurrences(http, made)] == ["ready", "completed", "ready", "ready"]
    whole = await read(http, f"Task/{made['id']}")
    assert (whole["status"], tally_of(whole)) == ("in-progress", (1, 4))


async def test_occurrences_done_at_once_are_all_counted_and_none_is_called_stale(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    done = [
        http.put(f"Task/{each['id']}", json=each | {"status": "completed"}, headers={"If-Match": 'W/"1"'})
        for each in (await occurrences(http, made))[:3]
    ]
    assert [each.status_code for each in await asyncio.gather(*done)] == [200, 200, 200]
    assert tally_of(await read(http, f"Task/{made['id']}")) == (3, 4)


async def test_a_client_pauses_their_series_until_a_day(http: httpx.AsyncClient, house: House) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    async with await Clinic(house, http).as_person("Patient/p", "patient/Task.rus", patient="p") as client:
        reason = reasons.until({"text": "a holiday"}, day(2))
        body = made | {"status": "on-hold", "statusReason": reason}
        answer = await client.put(f"Task/{made['id']}", json=body, headers={"If-Match": 'W/"1"'})
    assert answer.status_code == 200, answer.text
    assert reasons.paused_until(answer.json()) == day(2)
    assert {each["status"] for each in await occurrences(http, made)} == {"on-hold"}


async def test_the_steps_of_what_was_split_complete_it(http: httpx.AsyncClient) -> None:
    body = {name: value for name, value in head("ServiceRequest/none").items() if name != "basedOn"}
    whole = (await http.post("Task", json=body)).json()
    for number in ("1", "2"):
        step = occurrence.child(whole, whole["id"], occurrence.STEP, number, "2026-01-01T00:00:00Z")
        assert (await http.post("Task", json=step)).status_code == 201
    whole = await read(http, f"Task/{whole['id']}")
    assert tally_of(whole) == (0, 2)
    answer = await http.get(f"Task?part-of=Task/{whole['id']}")
    for entry in answer.json()["entry"]:
        await change(http, entry["resource"], status="completed")
    over = await read(http, f"Task/{whole['id']}")
    assert (over["status"], tally_of(over)) == ("completed", (2, 2))


async def test_deleting_an_occurrence_takes_it_out_of_what_is_planned(http: httpx.AsyncClient) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(3)}} | DAILY)
    (one, *_) = await occurrences(http, made)
    assert (await http.delete(f"Task/{one['id']}")).status_code == 204
    assert tally_of(await read(http, f"Task/{made['id']}")) == (0, 3)


async def test_who_looks_ahead_finds_more_and_not_beyond_a_year(
    http: httpx.AsyncClient, house: House, tenant: Tenant
) -> None:
    made = await assign(http, {"boundsPeriod": {"start": day(0), "end": day(60)}} | DAILY)
    async with house.app.engine.at_work(tenant, NOW) as (call, store):
        await horizon.until(call, store, made["id"], NOW + timedelta(days=40))
        with pytest.raises(Unprocessable, match="366 days"):
            await horizon.until(call, store, made["id"], NOW + timedelta(days=400))
    assert len(await occurrences(http, made)) in (40, 41)
    assert tally_of(await read(http, f"Task/{made['id']}")) == (0, 61)
