"""The states of an assignment are kept whichever way a change comes: PUT, PATCH, batch, transaction."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from schemas.library import BASE
from service.homework import policy
from tests.security.circles import Clinic, to

THERA: Final = "Practitioner/thera"
MERGE: Final = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


def task(status: str = "ready", **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Task", "id": "t", "status": status, "intent": "order", "for": to("Patient/ann"),
        "owner": to("Patient/ann"), "requester": to(THERA), "description": "Write down one good thing",
    }  # fmt: skip
    return body | more


async def ann(clinic: Clinic) -> httpx.AsyncClient:
    return await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")


def read(version: int) -> dict[str, str]:
    return {"If-Match": f'W/"{version}"'}


def entry(method: str, body: dict[str, Any], version: int | None = None) -> dict[str, Any]:
    condition = {} if version is None else {"ifMatch": f'W/"{version}"'}
    return {"request": {"method": method, "url": "Task/t", **condition}, "resource": body}


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def details(outcome: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["details"]["coding"][0]["code"], each["expression"][0]) for each in outcome["issue"]]


async def test_every_way_of_changing_refuses_a_state_that_cannot_follow(clinic: Clinic) -> None:
    await clinic.put(task("completed"))
    for http in (clinic.system, await clinic.as_person(THERA, "user/*.cruds"), await ann(clinic)):
        wrong = task("in-progress", id="t")
        put = await http.put("Task/t", json=wrong, headers=read(1))
        patch = await http.patch("Task/t", json={"status": "in-progress"}, headers=read(1) | MERGE)
        transaction = await http.post("", json=bundle("transaction", entry("PUT", wrong, 1)))
        batch = await http.post("", json=bundle("batch", entry("PUT", wrong, 1)))
        assert (put.status_code, patch.status_code, transaction.status_code) == (422, 422, 422)
        assert details(put.json()) == details(patch.json()) == [("task-transition", "Task.status")]
        assert details(transaction.json()) == [("task-transition", "Bundle.entry[0].resource.status")]
        assert "task-replaces" in put.json()["issue"][0]["diagnostics"]
        response = batch.json()["entry"][0]["response"]
        assert response["status"].startswith("422")
        assert details(response["outcome"]) == [("task-transition", "Task.status")] or "resource.status" in str(
            response
        )
    assert (await clinic.system.get("Task/t")).json()["meta"]["versionId"] == "1"


async def test_the_refusal_says_from_where_to_where_and_what_is_possible(clinic: Clinic) -> None:
    await clinic.put(task("ready"))
    answer = await (await ann(clinic)).put("Task/t", json=task("cancelled"), headers=read(1))
    said = answer.json()["issue"][0]["diagnostics"]
    assert answer.status_code == 422
    assert said.startswith("ready to cancelled is not possible for a client")
    assert said.endswith("it may go to in-progress, completed, on-hold, rejected")


@pytest.mark.parametrize("status", ["rejected", "on-hold"])
async def test_a_client_says_why(clinic: Clinic, status: str) -> None:
    await clinic.put(task("ready"))
    http = await ann(clinic)
    bare = await http.put("Task/t", json=task(status), headers=read(1))
    assert details(bare.json()) == [("status-reason-required", "Task.statusReason")]
    barrier = {"coding": [{"system": f"{BASE}/CodeSystem/homework-barrier", "code": "time"}]}
    assert (await http.put("Task/t", json=task(status, statusReason=barrier), headers=read(1))).status_code == 200
    history = (await clinic.system.get("Task/t/_history")).json()["entry"]
    assert [each["resource"]["status"] for each in history] == [status, "ready"]


async def test_a_client_who_names_no_version_is_asked_for_it(clinic: Clinic) -> None:
    await clinic.put(task("ready"))
    http = await ann(clinic)
    begun = task("in-progress")
    answers = [
        await http.put("Task/t", json=begun),
        await http.patch("Task/t", json={"status": "in-progress"}, headers=MERGE),
        await http.post("", json=bundle("transaction", entry("PUT", begun))),
    ]
    assert [each.status_code for each in answers] == [428] * 3
    assert 'W/"1"' in answers[0].json()["issue"][0]["diagnostics"]
    assert (await http.put("Task/t", json=begun, headers=read(7))).status_code == 412
    assert (await http.post("", json=bundle("transaction", entry("PUT", begun, 1)))).status_code == 200
    # Who works for the clinic need not, as with any other resource.
    assert (await clinic.system.put("Task/t", json=task("completed"))).status_code == 200


async def test_times_follow_from_the_state_and_are_in_the_answer(clinic: Clinic) -> None:
    await clinic.put(task("ready"))
    http = await ann(clinic)
    begun = (await http.put("Task/t", json=task("in-progress"), headers=read(1))).json()
    assert set(begun["executionPeriod"]) == {"start"}
    done = (await http.post("", json=bundle("transaction", entry("PUT", begun | {"status": "completed"}, 2)))).json()
    resource = done["entry"][0]["resource"]
    assert resource["executionPeriod"]["start"] == begun["executionPeriod"]["start"]
    assert resource["executionPeriod"]["end"] == resource["lastModified"]
    assert resource == (await http.get("Task/t")).json()


async def test_a_client_makes_a_proposal_or_takes_what_the_library_offers_for_it(clinic: Clinic) -> None:
    http = await ann(clinic)
    new = {name: value for name, value in task("ready").items() if name not in ("id", "requester")}
    assert details((await http.post("Task", json=new)).json()) == [("task-field-fixed", "Task.instantiatesCanonical")]
    offered = {
        "resourceType": "ActivityDefinition", "id": "walk", "url": "http://example.org/walk", "version": "1",
        "status": "active", "topic": [{"coding": [{"system": f"{BASE}/CodeSystem/homework-topic", "code": "self-treatment"}]}],
    }  # fmt: skip
    other = offered | {"id": "ladder", "url": "http://example.org/ladder", "topic": [{"text": "fear"}]}
    await clinic.put(offered, other)
    for canonical, status in (("walk", 201), ("walk|1", 201), ("walk|2", 403), ("ladder", 403)):
        made = await http.post("Task", json=new | {"instantiatesCanonical": f"http://example.org/{canonical}"})
        assert made.status_code == status, canonical
    assert (await http.post("Task", json=new | {"intent": "proposal", "status": "requested"})).status_code == 201
    begun = await http.post("Task", json=new | {"intent": "proposal", "status": "in-progress"})
    assert details(begun.json()) == [("task-transition", "Task.status")]


async def test_a_client_corrects_what_was_completed_for_some_days(clinic: Clinic) -> None:
    long_ago = {"executionPeriod": {"start": "2026-01-01T10:00:00Z", "end": "2026-01-01T10:20:00Z"}}
    output = [{"type": {"text": "reflection"}, "valueString": "It went better than I thought"}]
    await clinic.put(task("completed", **long_ago), task("completed", id="u"))
    http = await ann(clinic)
    late = await http.put("Task/t", json=task("completed", **long_ago, output=output), headers=read(1))
    assert details(late.json()) == [("edit-window-closed", "Task")]
    note = task("completed", **long_ago, note=[{"text": "I thought of it again"}])
    assert (await http.put("Task/t", json=note, headers=read(1))).status_code == 200
    assert (await http.put("Task/u", json=task("completed", id="u", output=output), headers=read(1))).status_code == 200
    async with clinic.house.app.engine.database.connection(clinic.house.tenant_id) as connection:
        await policy.keep(connection, clinic.house.tenant_id, policy.HomeworkPolicy(edit_window_days=3650))
    corrected = task("completed", **long_ago, output=output)
    assert (await http.put("Task/t", json=corrected, headers=read(2))).status_code == 200


async def test_what_is_no_assignment_is_its_owner_s_to_order(clinic: Clinic) -> None:
    phone = task("completed", owner=to(THERA), description="Phone the school")
    await clinic.put(phone)
    assert (await clinic.system.put("Task/t", json=phone | {"status": "in-progress"})).status_code == 200


async def test_two_changes_at_once_leave_one_state_and_one_refusal(clinic: Clinic) -> None:
    await clinic.put(task("ready"))
    http = await ann(clinic)
    reason = {"statusReason": {"text": "ill"}}
    answers = await asyncio.gather(
        http.put("Task/t", json=task("in-progress"), headers=read(1)),
        http.put("Task/t", json=task("on-hold", **reason), headers=read(1)),
        http.put("Task/t", json=task("completed"), headers=read(1)),
    )
    assert sorted(each.status_code for each in answers) == [200, 412, 412]
