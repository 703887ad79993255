"""Whose records a person may go to: a client's own, a practitioner's patients', those who consented."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.security.circles import FUTURE, PAST, Clinic, consent, deny, found, observation, of_type, permit, team, to


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


async def sees(http: httpx.AsyncClient, address: str) -> bool:
    status = (await http.get(address)).status_code
    assert status in (200, 404), status
    return status == 200


# --- clients -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["patient/*.rs", "user/*.rs"])
async def test_a_client_sees_nothing_of_others_on_any_way(clinic: Clinic, scope: str) -> None:
    ann = await clinic.as_person("Patient/ann", scope, patient="ann")
    await clinic.put(observation("Patient/ann", "refers", hasMember=[to("Observation/obs-ben")]))

    for address in ("Observation/obs-ben", "Observation/obs-ben/_history/1", "Observation/obs-ben/_history",
                    "Observation/obs-ben/$meta", "Patient/ben", "Patient/ben/$everything"):  # fmt: skip
        assert (await ann.get(address)).status_code == 404, address
    for query in ("Observation?subject=Patient/ben", "Observation?_id=obs-ben", "Observation?patient.name=ben",
                  "Patient?_has:Observation:patient:_id=obs-ben", "Patient/ben/Observation", "Patient?name=ben",
                  "?_type=Patient,Observation&_id=ben,obs-ben"):  # fmt: skip
        assert await found(ann, query) == [], query
    assert await found(ann, "Observation?_id=refers&_include=Observation:has-member") == ["Observation/refers"]
    assert (await ann.get("Observation?_summary=count")).json()["total"] == 2
    for history in ("_history", "Observation/_history", "Patient/_history"):
        assert not [each for each in await found(ann, history) if "ben" in each or "cas" in each]


async def test_a_client_sees_the_own_record(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    assert await found(ann, "Observation") == ["Observation/obs-ann"]
    assert await found(ann, "Patient") == ["Patient/ann"]
    assert await found(ann, "Patient/ann/$everything") == [
        "CareTeam/team-ann", "Observation/obs-ann", "Patient/ann", "RelatedPerson/mum",
    ]  # fmt: skip
    assert {"Observation/obs-ann", "Patient/ann"} <= set(await found(ann, "_history"))
    assert await sees(ann, "Observation/obs-ann/_history/1")


async def test_what_a_client_performed_is_in_the_record(clinic: Clinic) -> None:
    await clinic.put(observation("Group/g", "hers", performer=[to("Patient/ann")]))
    ann = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    assert await sees(ann, "Observation/hers")


async def test_the_link_of_another_patient_leads_nowhere(clinic: Clinic) -> None:
    await clinic.put(
        {"resourceType": "Patient", "id": "ben", "link": [{"other": to("Patient/ann"), "type": "seealso"}]}
    )
    ann = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    assert not await sees(ann, "Patient/ben")
    assert await found(ann, "Patient") == ["Patient/ann"]


@pytest.mark.parametrize(
    ("user", "access"),
    [
        (None, {}),
        ("Patient/ann", {}),
        ("Patient/ann", {"patient": "ben"}),
        ("Person/ann", {"patient": "ann"}),
        ("Patient/", {"patient": "ann"}),
        ("Practitioner/thera", {"patient": "ann", "reach": ""}),
        ("Practitioner/thera", {"patient": "ben"}),
        ("RelatedPerson/mum", {"patient": "ann"}),
    ],
)
async def test_a_patient_scope_without_a_patient_who_is_theirs_shows_nothing(
    clinic: Clinic, user: str | None, access: dict[str, Any]
) -> None:
    http = await clinic.as_person(user, "patient/Observation.rs patient/Patient.rs", **access)
    for address in ("Observation/obs-ann", "Observation/obs-ben", "Patient/ann", "Patient/ben"):
        assert (await http.get(address)).status_code in (403, 404)


async def test_persons_have_no_system_scopes(clinic: Clinic) -> None:
    http = await clinic.as_person("Practitioner/thera", "system/*.cruds")
    assert (await http.get("Observation/obs-ann")).status_code == 403


async def test_definitions_and_directory_are_everybody_s_and_nothing_else_is(clinic: Clinic) -> None:
    await clinic.put(
        {"resourceType": "Questionnaire", "id": "q", "status": "active"},
        {"resourceType": "Organization", "id": "o", "name": "o"},
    )
    device = (await clinic.system.post("Device", json={"resourceType": "Device", "patient": to("Patient/ann")})).json()[
        "id"
    ]
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    assert await sees(ann, "Questionnaire/q")
    assert await sees(ann, "Organization/o")
    assert await sees(ann, "Practitioner/other")
    assert not await sees(ann, f"Device/{device}")
    assert await found(ann, "Subscription") == []
    body = {"resourceType": "Questionnaire", "id": "q", "status": "retired"}
    assert (await ann.put("Questionnaire/q", json=body)).status_code == 403
    assert (await ann.post("Questionnaire", json=body)).status_code == 403
    assert (await ann.delete("Questionnaire/q")).status_code == 403


async def test_tasks_are_whom_they_are_for_and_who_owns_them_and_their_parts(clinic: Clinic) -> None:
    def task(name: str, **more: Any) -> dict[str, Any]:
        return {"resourceType": "Task", "id": name, "status": "ready", "intent": "order"} | more

    ann, ben = {"reference": "Patient/ann"}, {"reference": "Patient/ben"}
    await clinic.put(
        task("for", **{"for": ann}), task("owned", **{"for": ben}, owner=ann), task("part", partOf=[to("Task/for")]),
        task("deeper", partOf=[to("Task/part")]), task("his", **{"for": ben}), task("nobodys"),
    )  # fmt: skip
    http = await clinic.as_person("Patient/ann", "patient/Task.rs", patient="ann")
    assert await found(http, "Task") == ["Task/for", "Task/owned", "Task/part"]
    thera = await clinic.as_person("Practitioner/thera", "user/Task.rs")
    assert await found(thera, "Task") == ["Task/for", "Task/owned", "Task/part"]
    await clinic.put(task("mine", owner=to("Practitioner/thera")), task("asked", requester=to("Practitioner/thera")))
    await clinic.put(task("strangers", **{"for": ben}, requester=to("Practitioner/thera")))
    assert await found(thera, "Task") == ["Task/asked", "Task/for", "Task/mine", "Task/owned", "Task/part"]


async def test_a_constraint_tells_nothing_of_what_is_out_of_sight(clinic: Clinic) -> None:
    """The app chooses the constraint of its scope: it must not be a way to ask about other people's data."""
    await clinic.put(observation("Patient/ann", "refers", hasMember=[to("Observation/obs-ben")]))
    scope = "user/Observation.rs?has-member:Observation.status=final"
    assert await found(await clinic.as_person("Patient/ann", scope), "Observation") == []
    await clinic.put(observation("Patient/ann", "refers", hasMember=[to("Observation/obs-ann")]))
    assert await found(await clinic.as_person("Patient/ann", scope), "Observation") == ["Observation/refers"]


# --- practitioners -------------------------------------------------------------------------------------------------------


async def test_practitioners_see_whom_they_care_for(clinic: Clinic) -> None:
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    assert await found(thera, "Observation") == ["Observation/obs-ann"]
    assert await found(thera, "Patient") == ["Patient/ann"]
    assert await sees(thera, "Observation/obs-ann")
    for address in ("Observation/obs-ben", "Patient/ben", "Patient/ben/$everything", "Observation/obs-ben/_history"):
        assert not await sees(thera, address)
    other = await clinic.as_person("Practitioner/other", "user/*.rs")
    assert await found(other, "Observation") == []
    assert await found(other, "CareTeam") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "inactive"},
        {"status": "proposed"},
        {"period": {"end": PAST}},
        {"period": {"start": FUTURE}},
        {"participant": [{"member": {"reference": "Practitioner/thera"}, "period": {"end": PAST}}]},
        {"participant": [{"member": {"reference": "Practitioner/thera"}, "period": {"start": FUTURE}}]},
        {"participant": [{"member": {"reference": "Organization/thera"}}]},
        {"participant": []},
        {"subject": {"reference": "Patient/ben"}},
        {"subject": {"reference": "Group/ann"}},
        {"subject": {"reference": "https://elsewhere.example/fhir/Patient/ann"}},
    ],
)
async def test_care_that_is_over_or_another_s_shows_nothing(clinic: Clinic, changes: dict[str, Any]) -> None:
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    assert await sees(thera, "Observation/obs-ann")
    body = team("Patient/ann", "Practitioner/thera", name="team-ann") | changes
    await clinic.put({name: value for name, value in body.items() if value != []})
    assert not await sees(thera, "Observation/obs-ann")
    assert await found(thera, "Observation?_id=obs-ann") == []


async def test_care_ends_with_the_team(clinic: Clinic) -> None:
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    assert await sees(thera, "Observation/obs-ann")
    assert (await clinic.system.delete("CareTeam/team-ann")).status_code == 204
    assert not await sees(thera, "Observation/obs-ann")


async def test_a_role_in_force_is_the_practitioner(clinic: Clinic) -> None:
    def role(**more: Any) -> dict[str, Any]:
        return {"resourceType": "PractitionerRole", "id": "role", "practitioner": to("Practitioner/thera")} | more

    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    await clinic.put(team("Patient/ben", "PractitionerRole/role", name="team-ben"))
    assert not await sees(thera, "Observation/obs-ben")
    for body, seen in (
        (role(), True), (role(active=False), False), (role(active=True, period={"end": PAST}), False),
        (role(practitioner=to("Practitioner/other")), False), (role(period={"start": PAST, "end": FUTURE}), True),
    ):  # fmt: skip
        await clinic.put(body)
        assert await sees(thera, "Observation/obs-ben") is seen, body


async def test_an_encounter_counts_where_the_tenant_says_so(clinic: Clinic) -> None:
    encounter = {
        "resourceType": "Encounter", "id": "enc", "status": "finished", "subject": to("Patient/ben"), "class": {"code": "AMB"},
        "participant": [{"individual": to("Practitioner/thera")}],
    }  # fmt: skip
    await clinic.put(encounter)
    by_team = await clinic.as_person("Practitioner/thera", "user/*.rs")
    by_encounter = await clinic.as_person("Practitioner/thera", "user/*.rs", reach="encounter")
    assert not await sees(by_team, "Observation/obs-ben")
    assert await found(by_encounter, "Observation") == ["Observation/obs-ann", "Observation/obs-ben"]
    for status in ("cancelled", "entered-in-error"):
        await clinic.put(encounter | {"status": status})
        assert not await sees(by_encounter, "Observation/obs-ben")


async def test_the_whole_tenant_is_open_where_the_tenant_says_so(clinic: Clinic) -> None:
    http = await clinic.as_person("Practitioner/other", "user/*.rs", reach="tenant")
    assert await found(http, "Observation") == ["Observation/obs-ann", "Observation/obs-ben", "Observation/obs-cas"]
    one = await clinic.as_person("Practitioner/other", "patient/*.rs", reach="tenant", patient="ben")
    assert await found(one, "Observation") == ["Observation/obs-ben"]


async def test_with_a_patient_in_context_both_circles_hold(clinic: Clinic) -> None:
    await clinic.put(team("Patient/ben", "Practitioner/thera", name="team-ben"))
    http = await clinic.as_person("Practitioner/thera", "patient/*.rs", patient="ann")
    assert await found(http, "Observation") == ["Observation/obs-ann"]
    await clinic.system.delete("CareTeam/team-ann")
    assert await found(http, "Observation") == []
    assert not await sees(http, "Patient/ann")


async def test_of_no_patient_is_seen_what_refers_to_the_practitioner(clinic: Clinic) -> None:
    await clinic.put(
        observation("Group/g", "mine", performer=[to("Practitioner/thera")]),
        observation("Group/g", "others", performer=[to("Practitioner/other")]),
        observation("Patient/ben", "strangers", performer=[to("Practitioner/thera")]),
        observation("Group/g", "shared", performer=[to("Practitioner/thera"), to("Patient/ben")]),
    )
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    assert await found(thera, "Observation") == ["Observation/mine", "Observation/obs-ann"]


# --- related persons -----------------------------------------------------------------------------------------------------

MUM = "RelatedPerson/mum"
NARROWED: list[dict[str, Any]] = [
    {"code": [{"text": "x"}]},
    {"action": [{"text": "access"}]},
    {"purpose": [{"code": "TREAT"}]},
    {"securityLabel": [{"code": "R"}]},
    {"dataPeriod": {"start": PAST}},
    {"data": [{"meaning": "instance", "reference": {"reference": "Observation/obs-ann"}}]},
    {"class": [{"system": "http://hl7.org/fhir/consentcontenttype", "code": "application/hl7-cda+xml"}]},
    {"extension": [{"url": "http://example.org/x", "valueCode": "x"}]},
]


async def test_related_persons_see_who_consented(clinic: Clinic) -> None:
    mum = await clinic.as_person(MUM, "user/*.rs")
    assert await found(mum, "Observation") == []
    assert await sees(mum, MUM)
    await clinic.put(consent("Patient/ann", permit(MUM), name="c"))
    assert await found(mum, "Observation") == ["Observation/obs-ann"]
    assert await found(mum, "Patient") == ["Patient/ann"]
    assert not await sees(mum, "Patient/ben")
    await clinic.put(consent("Patient/ann", permit(MUM), name="c", status="inactive"))
    assert await found(mum, "Observation") == []


@pytest.mark.parametrize(
    ("provision", "seen"),
    [
        (permit(MUM), True),
        (permit("RelatedPerson/dad"), False),
        (permit("Patient/ann"), False),
        ({"type": "permit"}, False),
        (permit(MUM, period={"start": PAST, "end": FUTURE}), True),
        (permit(MUM, period={"end": PAST}), False),
        (permit(MUM, period={"start": FUTURE}), False),
        (permit(MUM, **of_type("Observation", "Task")), True),
        (permit(MUM, **of_type("Task")), False),
        (deny(), False),
        (deny(provision=[permit(MUM)]), True),
        (deny(provision=[permit(MUM, period={"end": PAST})]), False),
        (deny(period={"end": PAST}, provision=[permit(MUM)]), False),
        (deny(MUM, provision=[permit(MUM)]), True),
        (deny(MUM, provision=[permit(MUM, **of_type("Observation"))]), True),
        (deny(MUM, provision=[permit(MUM, **of_type("Task"))]), False),
        (deny("RelatedPerson/dad", provision=[permit(MUM)]), False),
        (deny(provision=[permit(MUM, provision=[deny()])]), False),
        (permit(MUM, provision=[deny()]), False),
        (permit(MUM, provision=[deny(MUM, **of_type("Observation"))]), False),
        (permit(MUM, provision=[deny(MUM, **of_type("Task"))]), True),
        (permit(MUM, provision=[deny("RelatedPerson/dad")]), True),
        (permit(MUM, provision=[permit(MUM)]), True),
        (permit("RelatedPerson/dad", provision=[permit(MUM)]), False),
        (permit(MUM, provision=[deny(MUM, period={"end": PAST})]), True),
        (permit(MUM, provision=[deny(MUM, code=[{"text": "x"}])]), False),
        *[(permit(MUM, **narrowed), False) for narrowed in NARROWED],
        *[(deny(provision=[permit(MUM, **narrowed)]), False) for narrowed in NARROWED],
    ],
)
async def test_what_a_consent_permits(clinic: Clinic, provision: dict[str, Any], seen: bool) -> None:
    await clinic.put(consent("Patient/ann", provision, name="c"))
    mum = await clinic.as_person(MUM, "user/*.rs")
    assert await sees(mum, "Observation/obs-ann") is seen
    assert (await found(mum, "Observation") != []) is seen


@pytest.mark.parametrize(
    "denial", [deny(MUM), deny(MUM, **of_type("Observation")), deny(), deny(MUM, code=[{"text": "x"}])]
)
async def test_a_denial_beats_every_permission(clinic: Clinic, denial: dict[str, Any]) -> None:
    mum = await clinic.as_person(MUM, "user/*.rs")
    await clinic.put(
        consent("Patient/ann", permit(MUM), name="a"), consent("Patient/ann", deny(provision=[permit(MUM)]), name="b")
    )
    assert await sees(mum, "Observation/obs-ann")
    await clinic.put(consent("Patient/ann", denial, name="d"))
    assert not await sees(mum, "Observation/obs-ann")
    await clinic.put(consent("Patient/ann", denial | {"period": {"end": PAST}}, name="d"))
    assert await sees(mum, "Observation/obs-ann")


async def test_a_consent_about_something_else_permits_nothing(clinic: Clinic) -> None:
    mum = await clinic.as_person(MUM, "user/*.rs")
    await clinic.put(consent("Patient/ann", permit(MUM), name="c", scope={"coding": [{"code": "research"}]}))
    assert not await sees(mum, "Observation/obs-ann")
    await clinic.put(consent("Patient/ben", permit(MUM), name="c"))  # she is no relative of his
    assert await found(mum, "Observation") == []


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"period": {"end": PAST}}, {"patient": {"reference": "Patient/ben"}}]
)
async def test_who_is_no_longer_related_sees_nothing(clinic: Clinic, changes: dict[str, Any]) -> None:
    await clinic.put(consent("Patient/ann", permit(MUM), name="c"))
    mum = await clinic.as_person(MUM, "user/*.rs patient/*.rs", patient="ann")
    assert await sees(mum, "Observation/obs-ann")
    await clinic.put({"resourceType": "RelatedPerson", "id": "mum", "patient": to("Patient/ann")} | changes)
    assert not await sees(mum, "Observation/obs-ann")


async def test_a_task_of_her_own_is_seen_without_consent(clinic: Clinic) -> None:
    for name, owner in (("hers", MUM), ("his", "RelatedPerson/dad")):
        body = {"resourceType": "Task", "id": name, "status": "ready", "intent": "order", "owner": to(owner)}
        await clinic.put(body | {"for": to("Patient/ann")})
    mum = await clinic.as_person(MUM, "user/*.rs")
    assert await found(mum, "Task") == ["Task/hers"]


# --- what is bound to the person -----------------------------------------------------------------------------------------


async def test_pages_and_idempotency_keys_are_of_one_person(clinic: Clinic) -> None:
    await clinic.put(observation("Patient/ann", "second"), observation("Patient/ben", "third"))
    ann = await clinic.as_person("Patient/ann", "user/*.cruds")
    ben = await clinic.as_person("Patient/ben", "user/*.cruds")
    page = (await ann.get("Observation?_count=1")).json()
    following = next(link["url"] for link in page["link"] if link["relation"] == "next")
    assert (await ben.get(following)).status_code == 400
    assert (await ann.get(following)).status_code == 200
    body = observation("Patient/ann")
    first = await ann.post("Observation", json=body, headers={"Idempotency-Key": "k"})
    assert first.status_code == 201
    assert (await ben.post("Observation", json=body, headers={"Idempotency-Key": "k"})).status_code == 403


async def test_the_audit_names_the_person_and_the_app(clinic: Clinic) -> None:
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    await thera.get("Observation/obs-ann")
    assert (await thera.post("Observation", json=observation("Patient/ann"))).status_code == 201
    await clinic.house.app.engine.spool.flush()
    for action in "RC":
        found_events = await clinic.system.get(f"AuditEvent?agent=Practitioner/thera&action={action}&type=rest")
        agents = found_events.json()["entry"][0]["resource"]["agent"]
        assert [agent["requestor"] for agent in agents] == [True, False]
        assert agents[0]["who"] == to("Practitioner/thera")
        assert agents[1]["who"]["identifier"]["value"] == "app"
