"""Homework of a group: who has a share of it, what becomes of it with the group, and that no member sees another's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from fhir_mappings import group_work
from fhir_mappings.occurrence import MEMBER
from fhir_mappings.progress import tally_of
from schemas.library import BASE
from tests.security.circles import Clinic, found, team, to

Json = dict[str, Any]
NAMES: Final = ("ann", "ben", "cas")
NOW: Final = datetime.now(UTC)


def group(*members: str, **more: Any) -> Json:
    body = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    return body | {"member": [{"entity": to(f"Patient/{each}")} for each in members]} | more


def head(**members: Any) -> Json:
    return {
        "resourceType": "Task",
        "id": "head",
        "status": "ready",
        "intent": "order",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/homework-activity-type", "code": "group-challenge"}]},
        "description": "Do something kind each day",
        "for": to("Group/g"),
        "owner": to("Practitioner/thera"),
        "requester": to("Practitioner/thera"),
        "restriction": {"recipient": [to("Group/g")], "period": {"start": day(0), "end": day(6)}},
    } | members


def day(offset: int) -> str:
    return (NOW + timedelta(days=offset)).date().isoformat()


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(*(team(f"Patient/{each}", "Practitioner/thera", name=f"team-{each}") for each in NAMES))
    await made.put(group("ann", "ben"))
    yield made
    await made.close()


async def shares(clinic: Clinic, of: str = "head") -> dict[str, Json]:
    """The newest share of each member, by the member's name."""
    answer = await clinic.system.get("Task", params={"part-of": f"Task/{of}", "_sort": "_lastUpdated", "_count": "100"})
    resources = [each["resource"] for each in answer.json().get("entry", ())]
    return {each["for"]["reference"].removeprefix("Patient/"): each for each in resources}


async def read(clinic: Clinic, address: str) -> Json:
    answer = await clinic.system.get(address)
    assert answer.status_code == 200, answer.text
    resource: Json = answer.json()
    return resource


async def test_each_member_gets_a_share_that_names_nobody_else(clinic: Clinic) -> None:
    await clinic.put(head())
    made = await shares(clinic)
    assert set(made) == {"ann", "ben"}
    ann = made["ann"]
    assert ann["owner"] == ann["for"] == to("Patient/ann")
    assert ann["partOf"] == [to("Task/head")]
    assert ann["restriction"] == {"period": head()["restriction"]["period"]}
    assert ann["identifier"] == [{"system": MEMBER, "value": "head/ann"}]
    assert "ben" not in str(ann)
    assert tally_of(await read(clinic, "Task/head")) == (0, 2)


async def test_a_share_counts_in_the_groups_homework(clinic: Clinic) -> None:
    await clinic.put(head())
    ann = (await shares(clinic))["ann"]
    await clinic.put(ann | {"status": "completed"})
    whole = await read(clinic, "Task/head")
    assert whole["status"] == "in-progress"
    assert tally_of(whole) == (1, 2)


async def test_who_joins_gets_a_share_and_that_of_who_leaves_ends(clinic: Clinic) -> None:
    await clinic.put(head())
    await clinic.put(group("ben", "cas"))
    made = await shares(clinic)
    assert {name: each["status"] for name, each in made.items()} == {"ann": "cancelled", "ben": "ready", "cas": "ready"}
    assert made["ann"]["statusReason"]["coding"][0]["code"] == "left-group"
    assert tally_of(await read(clinic, "Task/head")) == (0, 2)
    await clinic.put(group("ann", "ben", "cas"))
    again = (await shares(clinic))["ann"]
    assert (again["status"], again["id"] != made["ann"]["id"]) == ("ready", True)
    assert tally_of(await read(clinic, "Task/head")) == (0, 3)


async def test_a_group_that_changes_otherwise_changes_no_share(clinic: Clinic) -> None:
    await clinic.put(head())
    await clinic.put(group("ben", "ann", name="Tuesdays"))
    assert {each["meta"]["versionId"] for each in (await shares(clinic)).values()} == {"1"}


async def test_each_member_has_a_series_of_their_own(clinic: Clinic) -> None:
    repeat = {"boundsPeriod": {"start": day(0), "end": day(2)}, "period": 1, "periodUnit": "d"}
    body = {
        "resourceType": "ServiceRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "subject": to("Group/g"),
    }
    await clinic.put(body | {"occurrenceTiming": {"repeat": repeat}})
    await clinic.put(head(basedOn=[to("ServiceRequest/r")], restriction={"period": repeat["boundsPeriod"]}))
    made = await shares(clinic)
    for name in ("ann", "ben"):
        own = await clinic.system.get("Task", params={"part-of": f"Task/{made[name]['id']}"})
        times = [each["resource"] for each in own.json()["entry"]]
        assert len(times) == 3
        assert {each["for"]["reference"] for each in times} == {f"Patient/{name}"}
    # Leaving ends it, and all that would have come.
    await clinic.put(group("ben"))
    own = await clinic.system.get("Task", params={"part-of": f"Task/{made['ann']['id']}"})
    assert {each["resource"]["status"] for each in own.json()["entry"]} == {"cancelled"}
    await clinic.put((await read(clinic, "Task/head")) | {"status": "cancelled", "statusReason": {"text": "over"}})
    own = await clinic.system.get("Task", params={"part-of": f"Task/{made['ben']['id']}"})
    assert {each["resource"]["status"] for each in own.json()["entry"]} == {"cancelled"}


async def test_a_draft_or_a_proposal_gives_nobody_a_share(clinic: Clinic) -> None:
    await clinic.put(head(status="draft"), head(id="idea", intent="proposal"))
    assert await shares(clinic) == {}
    assert await shares(clinic, "idea") == {}


async def test_a_group_lets_nobody_give_homework_to_who_is_not_in_their_care(clinic: Clinic) -> None:
    await clinic.put({"resourceType": "Patient", "id": "dan"})
    await clinic.put(group("ann", "dan"))
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    answer = await thera.put("Task/head", json=head())
    assert answer.status_code == 403, answer.text
    assert await shares(clinic) == {}
    await clinic.put(group("ann", "ben"))
    answer = await thera.put("Task/head", json=head())
    assert answer.status_code == 201, answer.text
    assert set(await shares(clinic)) == {"ann", "ben"}


async def test_no_member_sees_anothers_share_by_any_path(clinic: Clinic) -> None:
    repeat = {"boundsPeriod": {"start": day(0), "end": day(1)}, "period": 1, "periodUnit": "d"}
    body = {
        "resourceType": "ServiceRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "subject": to("Group/g"),
    }
    await clinic.put(body | {"occurrenceTiming": {"repeat": repeat}})
    await clinic.put(
        head(basedOn=[to("ServiceRequest/r")], groupIdentifier={"system": "urn:set", "value": "session-3"})
    )
    made = await shares(clinic)
    for name, other in (("ann", "ben"), ("ben", "ann")):
        own, theirs = made[name]["id"], made[other]["id"]
        for http in (
            await clinic.as_person(f"Patient/{name}", "patient/*.cruds", patient=name),
            await clinic.as_person(f"Patient/{name}", "user/*.cruds"),
        ):
            assert (await http.get(f"Task/{own}")).status_code == 200
            for hidden in (theirs, "head"):
                assert (await http.get(f"Task/{hidden}")).status_code == 404, hidden
                assert (await http.get(f"Task/{hidden}/_history")).status_code == 404
                assert (await http.put(f"Task/{hidden}", json=made[other] | {"id": hidden})).status_code in (403, 404)
            for query in (
                "Task", "Task?part-of=Task/head", "Task?group-identifier=urn:set|session-3", f"Task?identifier={MEMBER}|",
                "Task?based-on=ServiceRequest/r", "Task?part-of.subject:Group=g", "Task?_id=head", f"Task?_id={theirs}",
                "Task?owner=Practitioner/thera", f"Task?part-of=Task/{own}&_include=Task:part-of&_include:iterate=Task:part-of",
                f"Task?_id={own}&_revinclude=Task:part-of&_include=Task:part-of&_include=Task:subject&_include=Task:based-on",
                "Group?_id=g&_revinclude=Task:subject", "Group?_has:Task:subject:_id=head",
                "Patient?_has:Task:patient:part-of=Task/head", "Task/_history", f"Patient/{name}/$everything",
                f"Patient/{name}/Task", f"Patient/{other}/Task", "ServiceRequest?_revinclude=Task:based-on",
                f"Task?_has:Task:part-of:subject=Patient/{other}", "Task?part-of:Task.owner=Practitioner/thera",
            ):  # fmt: skip
                shown = str((await http.get(query)).json().get("entry"))
                for hidden in (f"Patient/{other}", theirs, "'id': 'head'"):
                    assert hidden not in shown, (name, query, hidden)
            assert f"Task/{own}" in await found(http, "Task?part-of=Task/head")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([{"entity": to("Patient/a")}, {"entity": to("Patient/a")}, {"entity": to("Practitioner/t")}], ["a"]),
        ([{"entity": to("Patient/a"), "inactive": True}], []),
        ([{"entity": to("Patient/a"), "period": {"end": "2020-01-01"}}], []),
        ([{"entity": to("Patient/a"), "period": {"start": "2100-01-01", "end": "2101-01-01"}}], ["a"]),
    ],
)
def test_members_are_the_patients_who_have_not_left(members: list[Json], expected: list[str]) -> None:
    assert group_work.members({"member": members}, NOW) == expected
    assert group_work.members({"member": members, "active": False}, NOW) == []


def share_of(name: str, **members: Any) -> Json:
    return {"status": "ready", "for": to(f"Patient/{name}")} | members


def test_a_group_is_counted_together_only_when_it_is_large_enough() -> None:
    five = [share_of(f"p{at}") for at in range(5)]
    five[0] |= {"status": "completed"}
    five[1] |= {"status": "in-progress"}
    assert group_work.together(five[:4], 5, Decimal("0.5")) is None
    assert group_work.together(five, 5, Decimal("0.5")) == (5, 2, Decimal(1), 5)
    left = share_of("p9", status="cancelled")
    assert group_work.together([*five[:4], left], 5, Decimal("0.5")) is None, "who left does not make it larger"


def test_a_counter_is_told_only_when_enough_members_counted() -> None:
    assert group_work.counter([("a", 2), ("a", 1), ("b", 4), ("c", 0)], 3, 2) == 7
    assert group_work.counter([("a", 2), ("b", 0), ("c", 0)], 3, 2) is None
    assert group_work.counter([("a", 2), ("b", 4)], 2, 3) is None


async def test_an_answer_does_its_own_clients_homework_however_large_the_group_is(clinic: Clinic) -> None:
    form = {"resourceType": "Questionnaire", "id": "q", "url": "https://a.test/q", "version": "1", "status": "active"}
    await clinic.put(form | {"item": [{"linkId": "i", "type": "string", "text": "What?"}]})
    asked = {"type": {"text": "questionnaire"}, "valueCanonical": "https://a.test/q|1"}
    share = {
        "resourceType": "Task", "status": "ready", "intent": "instance-order", "basedOn": [to("ServiceRequest/r")],
        "input": [asked],
    }  # fmt: skip
    # Of so many not all are looked at, whichever end is begun at.
    first, last = str(UUID(int=0)), str(UUID(int=2**128 - 1))
    whose = {str(UUID(int=at)): "ben" for at in range(1, 202)} | {first: "ann", last: "cas"}
    entries = [
        {
            "request": {"method": "PUT", "url": f"Task/{name}"},
            "resource": share | {"id": name, "for": to(f"Patient/{who}"), "owner": to(f"Patient/{who}")},
        }
        for name, who in whose.items()
    ]
    sent = await clinic.system.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert sent.status_code == 200, sent.text
    for name, own in (("ann", first), ("cas", last)):
        answer = {
            "resourceType": "QuestionnaireResponse", "id": name, "status": "completed", "questionnaire": "https://a.test/q|1",
            "subject": to(f"Patient/{name}"), "basedOn": [to("ServiceRequest/r")], "authored": NOW.isoformat(),
            "item": [{"linkId": "i", "answer": [{"valueString": "A hello"}]}],
        }  # fmt: skip
        await clinic.put(answer)
        assert (await read(clinic, f"Task/{own}"))["status"] == "completed"
