"""Break-the-glass: who has the right to it reads a stranger's record, and the record tells of it."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from tests.security.circles import Clinic, found, labelled, observation

BTG: Final = {"X-Purpose-Of-Use": "BTG"}
BEN: Final = "Patient/ben"


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


@pytest.fixture
async def doctor(clinic: Clinic) -> httpx.AsyncClient:
    return await clinic.as_person("Practitioner/other", "user/*.cruds", break_glass=True)


async def notices(clinic: Clinic) -> list[dict[str, Any]]:
    bundle = (await clinic.system.get("Communication?category=break-the-glass")).json()
    return [entry["resource"] for entry in bundle.get("entry", [])]


@pytest.mark.parametrize(
    ("user", "access"),
    [
        ("Practitioner/other", {}),
        ("Patient/ann", {"break_glass": True, "patient": "ann"}),
        ("RelatedPerson/mum", {"break_glass": True}),
        (None, {"break_glass": True}),
    ],
)
async def test_without_the_right_it_is_refused_and_audited(
    clinic: Clinic, user: str | None, access: dict[str, Any]
) -> None:
    http = await clinic.as_person(user, "user/*.rs patient/*.rs", **access)
    answer = await http.get("Observation/obs-ben", headers=BTG)
    assert answer.status_code == 403
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "break-the-glass-refused"
    assert await notices(clinic) == []
    await clinic.house.app.engine.spool.flush()
    events = (await clinic.system.get("AuditEvent?outcome=4&entity=Observation/obs-ben")).json()["entry"]
    assert len(events) == 1


@pytest.mark.parametrize("purpose", ["TREAT", "BTGX", "", "http://example.org|BTG"])
async def test_another_purpose_opens_nothing(doctor: httpx.AsyncClient, purpose: str) -> None:
    assert (await doctor.get("Observation/obs-ben", headers={"X-Purpose-Of-Use": purpose})).status_code == 404


@pytest.mark.parametrize("purpose", ["BTG", "TREAT, BTG", "http://terminology.hl7.org/CodeSystem/v3-ActReason|BTG"])
async def test_it_opens_the_records_of_strangers(clinic: Clinic, doctor: httpx.AsyncClient, purpose: str) -> None:
    headers = {"X-Purpose-Of-Use": purpose}
    assert (await doctor.get("Observation/obs-ben")).status_code == 404
    for address in ("Observation/obs-ben", "Observation/obs-ben/_history", "Patient/ben/$everything", "Patient/ben"):
        assert (await doctor.get(address, headers=headers)).status_code == 200
    assert "Observation/obs-ben" in await found(doctor, "Observation?patient=ben", **headers)
    assert await found(doctor, "Observation?patient=ben") == []


async def test_it_lifts_labels_but_not_all(clinic: Clinic, doctor: httpx.AsyncClient) -> None:
    system = await clinic.as_person(None, "system/*.cruds", clearance=("V", "HIV", "PSYTHPN"))
    for code in ("V", "HIV", "PSYTHPN"):
        body = observation(BEN, code.lower(), **labelled(code))
        assert (await system.put(f"Observation/{code.lower()}", json=body)).status_code == 201
    assert await found(doctor, "Observation?patient=ben", **BTG) == [
        "Observation/hiv",
        "Observation/obs-ben",
        "Observation/v",
    ]


async def test_it_is_for_reading_only(clinic: Clinic, doctor: httpx.AsyncClient) -> None:
    entry = {"request": {"method": "GET", "url": "Observation/obs-ben"}}
    for answer in (
        await doctor.post("Observation", json=observation(BEN), headers=BTG),
        await doctor.put("Observation/obs-ben", json=observation(BEN, "obs-ben"), headers=BTG),
        await doctor.delete("Observation/obs-ben", headers=BTG),
        await doctor.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]}, headers=BTG),
    ):
        assert answer.status_code == 403
        assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "break-the-glass-refused"
    assert (await clinic.system.get("Observation/obs-ben")).headers["etag"] == 'W/"1"'


async def test_the_scopes_of_the_token_still_hold(clinic: Clinic) -> None:
    http = await clinic.as_person("Practitioner/other", "user/Patient.rs", break_glass=True)
    assert (await http.get("Patient/ben", headers=BTG)).status_code == 200
    assert (await http.get("Observation/obs-ben", headers=BTG)).status_code == 403
    one = await clinic.as_person("Practitioner/other", "patient/*.rs", break_glass=True, patient="ben")
    assert (await one.get("Observation/obs-ben", headers=BTG)).status_code == 200
    assert (await one.get("Observation/obs-cas", headers=BTG)).status_code == 404


async def test_the_record_tells_of_it_once_an_hour(clinic: Clinic, doctor: httpx.AsyncClient) -> None:
    await doctor.get("Observation/no-such", headers=BTG)
    assert await notices(clinic) == []
    for address in ("Observation/obs-ben", "Patient/ben", "Observation?patient=ben"):
        assert (await doctor.get(address, headers=BTG)).status_code == 200
    (notice,) = await notices(clinic)
    assert notice["subject"] == {"reference": BEN}
    assert notice["recipient"] == [{"reference": BEN}]
    assert "Practitioner/other" in notice["payload"][0]["contentString"]
    ben = await clinic.as_person(BEN, "patient/*.rs", patient="ben")
    assert await found(ben, "Communication") == [f"Communication/{notice['id']}"]
    assert (await doctor.get("Observation/obs-cas", headers=BTG)).status_code == 200
    assert len(await notices(clinic)) == 2


async def test_each_read_is_audited_with_its_purpose(clinic: Clinic, doctor: httpx.AsyncClient) -> None:
    assert (await doctor.get("Observation/obs-ben", headers=BTG)).status_code == 200
    await clinic.house.app.engine.spool.flush()
    reads = (await clinic.system.get("AuditEvent?entity=Observation/obs-ben&action=R")).json()["entry"]
    assert reads[0]["resource"]["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
    alerts = (await clinic.system.get("AuditEvent?subtype=break-the-glass&patient=ben")).json()["entry"]
    assert alerts[0]["resource"]["agent"][0]["who"] == {"reference": "Practitioner/other"}


async def test_a_revoked_token_opens_nothing(clinic: Clinic, doctor: httpx.AsyncClient) -> None:
    assert (await doctor.get("Observation/obs-ben", headers=BTG)).status_code == 200
    async with clinic.house.app.engine.database.connection(clinic.house.tenant_id) as connection:
        revoke = "update oauth_token set revoked = now() where tenant_id = $1 and break_glass"
        await connection.execute(revoke, clinic.house.tenant_id)
    assert (await doctor.get("Observation/obs-ben", headers=BTG)).status_code == 401


async def test_the_header_is_taken_once(doctor: httpx.AsyncClient) -> None:
    answer = await doctor.get(
        "Observation/obs-ben", headers=[("X-Purpose-Of-Use", "TREAT"), ("X-Purpose-Of-Use", "BTG")]
    )
    assert answer.status_code == 400
