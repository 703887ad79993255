"""What a person may write: in records that are theirs to go to, and never what would let them into one."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.security.circles import FUTURE, Clinic, consent, found, observation, permit, team, to

THERA, OTHER, MUM = "Practitioner/thera", "Practitioner/other", "RelatedPerson/mum"


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(team("Patient/ben", OTHER, name="team-ben"), observation("Patient/ben", "bens"))
    yield made
    await made.close()


def bundle(*entries: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    made = []
    for method, url, resource in entries:
        entry: dict[str, Any] = {"request": {"method": method, "url": url}, "resource": resource}
        made.append(
            entry | ({"fullUrl": f"urn:uuid:{resource['id']}"} if method == "POST" and "id" in resource else {})
        )
    return {"resourceType": "Bundle", "type": "transaction", "entry": made}


async def refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in (statuses or (403, 404)), answer.text


async def is_still_out(clinic: Clinic, http: httpx.AsyncClient, patient: str = "ben") -> None:
    """Nothing of the patient's has become visible."""
    assert (await http.get(f"Patient/{patient}")).status_code == 404
    assert (await http.get(f"Observation/obs-{patient}")).status_code == 404
    assert f"Observation/obs-{patient}" not in await found(http, "Observation")


# --- letting oneself in --------------------------------------------------------------------------------------------------


async def test_nobody_joins_a_strangers_team(clinic: Clinic) -> None:
    thera = await clinic.as_person(THERA, "user/*.cruds")
    body = team("Patient/ben", THERA)
    patch = [{"op": "add", "path": "/participant/-", "value": {"member": to(THERA)}}]
    json_patch = {"Content-Type": "application/json-patch+json"}

    await refused(await thera.post("CareTeam", json=body), 403)
    await refused(await thera.put("CareTeam/new", json=body | {"id": "new"}), 403)
    await refused(await thera.put("CareTeam/team-ben", json=body | {"id": "team-ben"}), 404)
    await refused(await thera.put("CareTeam/team-ann", json=body | {"id": "team-ann"}), 403)
    await refused(await thera.patch("CareTeam/team-ben", json=patch, headers=json_patch), 404)
    await refused(await thera.put("CareTeam?subject=Patient/ben", json=body), 403)
    await refused(await thera.patch("CareTeam?subject=Patient/ben", json=patch, headers=json_patch), 404)
    await refused(await thera.post("CareTeam", json=body, headers={"If-None-Exist": "subject=Patient/ben"}), 403)
    await refused(await thera.delete("CareTeam/team-ben"), 404)
    answer = await thera.put("CareTeam/team-ann", json=team("Patient/ann", THERA, name="team-ann") | {"name": "n"})
    assert answer.status_code in (200, 400)
    await is_still_out(clinic, thera)


async def test_nobody_joins_a_strangers_team_in_a_bundle(clinic: Clinic) -> None:
    thera = await clinic.as_person(THERA, "user/*.cruds")
    for entries in (
        [("POST", "CareTeam", team("Patient/ben", THERA))],
        [("POST", "CareTeam", team("Patient/ben", THERA)), ("POST", "Encounter", encounter("Patient/ben", THERA))],
        [
            ("POST", "CareTeam", team("Patient/ben", THERA, name="t")),
            ("PUT", "CareTeam/t2", team("Patient/ben", THERA, name="t2")),
        ],
        [("POST", "CareTeam", team("Patient/ben", THERA)), ("POST", "Observation", observation("Patient/ben"))],
        [
            ("PUT", "Patient/ben", {"resourceType": "Patient", "id": "ben"}),
            ("POST", "CareTeam", team("Patient/ben", THERA)),
        ],
    ):
        await refused(await thera.post("", json=bundle(*entries)), 403, 404)
        batch = bundle(*entries) | {"type": "batch"}
        answers = (await thera.post("", json=batch)).json()["entry"]
        assert {each["response"]["status"][:3] for each in answers} <= {"403", "404"}
    conditional = bundle(("POST", "CareTeam", team("Patient/ben", THERA)))
    conditional["entry"][0]["request"]["ifNoneExist"] = "subject=Patient/ben"
    await refused(await thera.post("", json=conditional), 403)
    await is_still_out(clinic, thera)


def encounter(subject: str, *participants: str, **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": to(subject),
        "participant": [{"individual": to(each)} for each in participants],
    }  # fmt: skip
    return body | more


async def test_nobody_takes_part_in_a_strangers_encounter(clinic: Clinic) -> None:
    thera = await clinic.as_person(THERA, "user/*.cruds", reach="encounter")
    await refused(await thera.post("Encounter", json=encounter("Patient/ben", THERA)), 403)
    assert (await thera.post("Encounter", json=encounter("Patient/ann", THERA))).status_code == 201
    await is_still_out(clinic, thera)


async def test_nobody_takes_a_role_that_is_on_a_team(clinic: Clinic) -> None:
    def role(practitioner: str, **more: Any) -> dict[str, Any]:
        return {"resourceType": "PractitionerRole", "id": "role", "practitioner": to(practitioner)} | more

    await clinic.put(role(OTHER), team("Patient/ben", "PractitionerRole/role", name="team-ben"))
    thera = await clinic.as_person(THERA, "user/*.cruds")
    await refused(await thera.put("PractitionerRole/role", json=role(THERA)), 403)
    await refused(await thera.post("", json=bundle(("PUT", "PractitionerRole/role", role(THERA)))), 403)
    await is_still_out(clinic, thera)
    # A role for a colleague, or of oneself as it was, is a matter of the directory.
    assert (await thera.put("PractitionerRole/role", json=role(OTHER, active=True))).status_code == 200
    await clinic.put(role(THERA, id="own"))
    assert (await thera.put("PractitionerRole/own", json=role(THERA, id="own", active=True))).status_code == 200


async def test_nobody_stays_longer_by_their_own_word(clinic: Clinic) -> None:
    def until(end: str) -> dict[str, Any]:
        body = team("Patient/ann", THERA, name="team-ann")
        return body | {"participant": [{"member": to(THERA), "period": {"end": end}}]}

    await clinic.put(until("2190-01-01"))
    thera = await clinic.as_person(THERA, "user/*.cruds")
    await refused(await thera.put("CareTeam/team-ann", json=until(FUTURE)), 403)
    assert (await thera.put("CareTeam/team-ann", json=until("2190-01-01") | {"name": "Ann's"})).status_code == 200


async def test_who_cares_for_a_client_may_bring_in_others(clinic: Clinic) -> None:
    thera = await clinic.as_person(THERA, "user/*.cruds")
    other = await clinic.as_person(OTHER, "user/*.cruds")
    await is_still_out(clinic, other, "ann")
    assert (
        await thera.put("CareTeam/team-ann", json=team("Patient/ann", THERA, OTHER, name="team-ann"))
    ).status_code == 200
    assert (await other.get("Observation/obs-ann")).status_code == 200


async def test_who_registers_a_client_begins_the_record(clinic: Clinic) -> None:
    thera = await clinic.as_person(THERA, "user/*.cruds")
    new = "urn:uuid:0190a7a0-0000-7000-8000-000000000001"
    entries = bundle(
        ("POST", "Patient", {"resourceType": "Patient", "id": new[9:], "name": [{"family": "new"}]}),
        ("POST", "CareTeam", team(new, THERA)),
        ("POST", "Observation", observation(new)),
    )
    answer = await thera.post("", json=entries)
    assert answer.status_code == 200, answer.text
    address = "/".join(answer.json()["entry"][0]["response"]["location"].split("/")[-4:-2])
    assert (await thera.get(address)).status_code == 200
    assert len(await found(thera, f"Observation?subject={address}")) == 1


async def test_a_deleted_client_is_no_new_one(clinic: Clinic) -> None:
    for address in ("Observation/obs-ben", "Observation/bens", "CareTeam/team-ben", "Patient/ben"):
        assert (await clinic.system.delete(address)).status_code == 204
    thera = await clinic.as_person(THERA, "user/*.cruds")
    entries = bundle(
        ("PUT", "Patient/ben", {"resourceType": "Patient", "id": "ben"}),
        ("POST", "CareTeam", team("Patient/ben", THERA)),
    )
    await refused(await thera.post("", json=entries), 404)
    await refused(await thera.put("Patient/ben", json={"resourceType": "Patient", "id": "ben"}), 404)
    await is_still_out(clinic, thera)


@pytest.mark.parametrize("scope", ["user/*.cruds", "patient/*.cruds"])
async def test_a_related_person_writes_no_consent(clinic: Clinic, scope: str) -> None:
    mum = await clinic.as_person(MUM, scope, patient="ann")
    body = consent("Patient/ann", permit(MUM))
    await refused(await mum.post("Consent", json=body), 403)
    await refused(await mum.post("", json=bundle(("POST", "Consent", body))), 403)
    await is_still_out(clinic, mum, "ann")
    await clinic.put(consent("Patient/ann", permit(MUM, period={"end": "2190-01-01"}), name="c"))
    assert (await mum.get("Observation/obs-ann")).status_code == 200
    await refused(await mum.put("Consent/c", json=consent("Patient/ann", permit(MUM), name="c")), 403)
    await refused(await mum.delete("Consent/c"), 403)
    related = {"resourceType": "RelatedPerson", "id": "mum", "patient": to("Patient/ben")}
    await refused(await mum.put("RelatedPerson/mum", json=related), 403)
    await is_still_out(clinic, mum)


# --- writing where one may -----------------------------------------------------------------------------------------------


async def test_a_client_writes_in_the_own_record_only(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    assert (await ann.post("Observation", json=observation("Patient/ann"))).status_code == 201
    await refused(await ann.post("Observation", json=observation("Patient/ben")), 403)
    await refused(await ann.put("Observation/obs-ben", json=observation("Patient/ben", "obs-ben")), 404)
    await refused(await ann.put("Observation/obs-ben", json=observation("Patient/ann", "obs-ben")), 404)
    await refused(await ann.put("Observation/obs-ann", json=observation("Patient/ben", "obs-ann")), 403)
    await refused(await ann.delete("Observation/obs-ben"), 404)
    await refused(await ann.post("Patient", json={"resourceType": "Patient"}), 403)
    assert (
        await ann.put("Patient/ann", json={"resourceType": "Patient", "id": "ann", "gender": "female"})
    ).status_code == 200
    assert (await ann.delete("Observation/obs-ann")).status_code == 204


async def test_to_perform_something_is_not_to_write_it(clinic: Clinic) -> None:
    """In another's record a client may see what they performed; nothing they write there is theirs to write."""
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    body = observation("Patient/ben", "of-ben", performer=[to("Patient/ann")])
    await refused(await ann.put("Observation/of-ben", json=body), 403)
    await clinic.put(body)
    assert (await ann.get("Observation/of-ben")).status_code == 200
    await refused(await ann.put("Observation/of-ben", json=body | {"status": "amended"}), 403)
    await refused(await ann.delete("Observation/of-ben"), 403)


async def test_audit_events_are_written_by_the_server(clinic: Clinic) -> None:
    event = {
        "resourceType": "AuditEvent", "type": {"code": "rest"}, "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": to("Patient/ann"), "requestor": True}], "source": {"observer": to("Device/x")},
    }  # fmt: skip
    for user in ("Patient/ann", THERA):
        http = await clinic.as_person(user, "user/*.cruds")
        await refused(await http.post("AuditEvent", json=event), 403)


async def test_conditions_find_only_what_is_in_sight(clinic: Clinic) -> None:
    for name in ("ann", "ben"):
        await clinic.put(observation(f"Patient/{name}", f"x-{name}", identifier=[{"system": "urn:x", "value": name}]))
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    condition = "identifier=urn:x|ben"
    answer = await ann.post("Observation", json=observation("Patient/ann"), headers={"If-None-Exist": condition})
    assert answer.status_code == 201
    assert (await ann.delete(f"Observation?{condition}")).status_code == 204
    assert (await clinic.system.get("Observation/x-ben")).status_code == 200
    answer = await ann.put(f"Observation?{condition}", json=observation("Patient/ann"))
    assert answer.status_code == 201
    # Without a right to see one, both are found by nobody but the system.
    assert await found(clinic.system, f"Observation?{condition}") == ["Observation/x-ben"]
    reference = bundle(("POST", "Observation", observation("Patient/ann", hasMember=[to(f"Observation?{condition}")])))
    assert (await ann.post("", json=reference)).status_code == 400


# --- a client's Task -----------------------------------------------------------------------------------------------------


def task(**more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Task", "id": "t", "status": "ready", "intent": "order", "for": to("Patient/ann"),
        "owner": to("Patient/ann"), "requester": to(THERA), "code": {"text": "write"},
        "meta": {"tag": [{"code": "x"}]},
    }  # fmt: skip
    return body | more


PROGRESS: dict[str, Any] = {
    "note": [{"text": "x"}],
    "businessStatus": {"text": "started"},
    "output": [{"type": {"text": "note"}, "valueString": "x"}],
    "executionPeriod": {"start": "2026-01-01"},
    "statusReason": {"text": "tired"},
    "status": "in-progress",
}
FIXED: dict[str, Any] = {
    "for": {"reference": "Patient/ben"},
    "owner": {"reference": THERA},
    "requester": {"reference": "Patient/ann"},
    "intent": "plan",
    "code": {"text": "rest"},
    "priority": "stat",
    "restriction": {"period": {"end": FUTURE}},
    "basedOn": [{"reference": "ServiceRequest/x"}],
    "partOf": [{"reference": "Task/x"}],
    "description": "x",
    "input": [{"type": {"text": "x"}, "valueString": "x"}],
    "meta": {"security": [{"code": "x"}]},
    "_description": {"extension": [{"url": "http://example.org/x", "valueCode": "x"}]},
}


@pytest.mark.parametrize("user", ["Patient/ann", MUM])
async def test_a_client_reports_the_progress_of_a_task(clinic: Clinic, user: str) -> None:
    await clinic.put(task(), consent("Patient/ann", permit(MUM), name="c"))
    http = await clinic.as_person(user, "patient/Task.cruds", patient="ann")
    for name, value in FIXED.items():
        answer = await http.put("Task/t", json=task(**{name: value}))
        assert answer.status_code == 403, name
        issue = answer.json()["issue"][0]
        assert issue["details"]["coding"][0]["code"] == "task-field-fixed"
        assert issue["expression"] == [f"Task.{name}"]
        patch = [{"op": "add", "path": f"/{name}", "value": value}]
        headers = {"Content-Type": "application/json-patch+json"}
        assert (await http.patch("Task/t", json=patch, headers=headers)).status_code == 403
        assert (await http.post("", json=bundle(("PUT", "Task/t", task(**{name: value}))))).status_code == 403
    assert (await http.delete("Task/t")).status_code == 403
    for version, (name, value) in enumerate(PROGRESS.items(), 1):
        assert (await http.put("Task/t", json=task(**{name: value}))).status_code == 428, name
        read = {"If-Match": f'W/"{version}"'}
        assert (await http.put("Task/t", json=task(**{name: value}), headers=read)).status_code == 200, name
    unmarked = {name: value for name, value in task().items() if name != "meta"}
    assert (await http.put("Task/t", json=unmarked)).status_code == 403


async def test_a_practitioner_changes_the_whole_of_a_task(clinic: Clinic) -> None:
    await clinic.put(task())
    thera = await clinic.as_person(THERA, "user/Task.cruds")
    assert (await thera.put("Task/t", json=task(priority="stat", code={"text": "rest"}))).status_code == 200


async def test_who_owns_the_task_of_another_carries_it_out(clinic: Clinic) -> None:
    await clinic.put(task(**{"for": to("Patient/ben")}))
    ann = await clinic.as_person("Patient/ann", "patient/Task.cruds", patient="ann")
    done = task(**{"for": to("Patient/ben")}, status="completed")
    assert (await ann.put("Task/t", json=done, headers={"If-Match": 'W/"1"'})).status_code == 200
    body = {name: value for name, value in task(**{"for": to("Patient/ben")}).items() if name != "id"}
    await refused(await ann.post("Task", json=body), 403)
