"""Of a Group a client sees only their own membership: no content, search, chain, include or order tells of the others."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.security.circles import Clinic, consent, found, permit, team, to

ANN, BEN, THERA = "Patient/ann", "Patient/ben", "Practitioner/thera"


def group(name: str, *members: str, **more: Any) -> dict[str, Any]:
    body = {
        "resourceType": "Group", "id": name, "type": "person", "actual": True, "quantity": len(members),
        "text": {"status": "generated", "div": f"<div xmlns='http://www.w3.org/1999/xhtml'>{' and '.join(members)}</div>"},
        "member": [{"entity": to(member)} for member in members],
        "managingEntity": to("Practitioner/thera"),
    }  # fmt: skip
    return body | more


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(
        group("g", ANN, BEN, THERA),
        group("alone", ANN),
        group("theirs", BEN, THERA),
        consent(ANN, permit("RelatedPerson/mum"), name="c"),
    )
    yield made
    await made.close()


async def _persons(clinic: Clinic) -> list[httpx.AsyncClient]:
    return [
        await clinic.as_person(ANN, "patient/*.cruds", patient="ann"),
        await clinic.as_person(ANN, "user/*.cruds"),
        await clinic.as_person("RelatedPerson/mum", "user/*.cruds"),
        await clinic.as_person("RelatedPerson/mum", "patient/*.cruds", patient="ann"),
    ]


def tells_nothing(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    for other in ("Patient/ben", '"member":['):
        text = answer.text.replace('"member":[{"entity":{"reference":"Patient/ann"}}]', "")
        assert other not in text, answer.text


async def test_content_shows_only_the_own_membership(clinic: Clinic) -> None:
    await clinic.put(group("g", ANN, BEN, THERA) | {"name": "second"})
    entry = {"request": {"method": "GET", "url": "Group/g"}}
    for http in await _persons(clinic):
        whole = (await http.get("Group/g")).json()
        assert whole["member"] == [{"entity": to(ANN)}]
        assert "SUBSETTED" in str(whole["meta"]["tag"])
        for address in ("Group/g", "Group/g/_history/1", "Group/g/_history", "Group?_id=g", "Group?_id=g&_elements=member",
                        "Group?_id=g&_summary=data", "Group/g?_elements=member", "?_type=Group&_id=g", "Group/_history",
                        "Patient?_id=ann&_revinclude=Group:member", "Patient/ann/Group?_id=g"):  # fmt: skip
            tells_nothing(await http.get(address))
        tells_nothing(await http.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]}))
        assert (await http.get("Group/alone")).json()["quantity"] == 1
        assert "SUBSETTED" not in (await http.get("Group/alone")).text
        assert (await http.get("Group/theirs")).status_code == 404


async def test_nothing_is_found_by_the_other_members(clinic: Clinic) -> None:
    for http in await _persons(clinic):
        own = ["Group/alone", "Group/g"]
        assert await found(http, "Group") == own
        assert await found(http, "Group?member=Patient/ann") == own
        assert await found(http, "Group?member=Patient/ann,Patient/ben") == own
        assert await found(http, "Group?member:Patient.name=ann") == own
        assert await found(http, "Group?managing-entity=Practitioner/thera") == own
        assert await found(http, "Patient?_has:Group:member:_id=g") == ["Patient/ann"]
        assert await found(http, "Patient/ann/Group") == own
        for query in ("Group?member=Patient/ben", "Group?member=Practitioner/thera", "Group?member:Patient=ben",
                      "Group?member:Patient.name=ben", "Group?member:Practitioner._id=thera", "Patient/ben/Group",
                      "Practitioner/thera/Group", "Practitioner?_has:Group:member:_id=g",
                      "Patient?_has:Group:member:_id=theirs", "Group?member=Patient/no-such", "Group?member:missing=true",
                      "Group?member:Patient._has:Observation:patient:_id=obs-ben"):  # fmt: skip
            assert await found(http, query) == [], query
            assert (await http.get(f"{query}{'&' if '?' in query else '?'}_summary=count")).json()["total"] == 0, query


async def test_nobody_is_included_for_being_a_member(clinic: Clinic) -> None:
    for http in await _persons(clinic):
        assert await found(http, "Group?_id=g&_include=Group:member") == ["Group/g", "Patient/ann"]
        assert await found(http, "Group?_id=g&_include=Group:member:Practitioner") == ["Group/g"]
        assert await found(http, "Practitioner?_id=thera&_revinclude=Group:member") == ["Practitioner/thera"]
        assert await found(http, "Group?_id=alone&_include=*") == ["Group/alone", "Patient/ann", "Practitioner/thera"]


async def test_no_order_tells_of_the_members(clinic: Clinic) -> None:
    for http in await _persons(clinic):
        assert (await http.get("Group?_sort=member")).status_code == 403
        assert (await http.get("Group?_sort=-member,_id&_count=1")).status_code == 403


async def test_a_constraint_does_not_ask_for_the_others(clinic: Clinic) -> None:
    for member, seen in (("Patient/ben", []), ("Patient/ann", ["Group/alone", "Group/g"])):
        http = await clinic.as_person(ANN, f"patient/Group.rs?member={member}", patient="ann")
        assert await found(http, "Group") == seen


async def test_who_sees_a_part_does_not_write_the_whole(clinic: Clinic) -> None:
    patch = [{"op": "test", "path": "/member/1/entity/reference", "value": BEN}]
    for http in await _persons(clinic):
        assert (await http.put("Group/g", json=group("g", ANN))).status_code == 403
        assert (await http.put("Group/new", json=group("new", ANN))).status_code == 403
        headers = {"Content-Type": "application/json-patch+json"}
        assert (await http.patch("Group/g", json=patch, headers=headers)).status_code == 403
        assert (await http.delete("Group/g")).status_code == 403
    assert len((await clinic.system.get("Group/g")).json()["member"]) == 3


async def test_practitioners_and_systems_see_the_whole(clinic: Clinic) -> None:
    for http in (
        clinic.system,
        await clinic.as_person(THERA, "user/*.rs"),
        await clinic.as_person(THERA, "patient/*.rs", patient="ann"),
    ):
        assert len((await http.get("Group/g")).json()["member"]) == 3
        assert await found(http, "Group?member=Patient/ben&_id=g") == ["Group/g"]


async def test_of_two_who_consented_both_are_shown(clinic: Clinic) -> None:
    await clinic.put(
        {"resourceType": "RelatedPerson", "id": "mum2", "patient": to(BEN)}, team(BEN, "Practitioner/other", name="tb")
    )
    mum = await clinic.as_person("RelatedPerson/mum2", "user/*.rs")
    assert await found(mum, "Group") == []
    await clinic.put(consent(BEN, permit("RelatedPerson/mum2"), name="c2"))
    assert [each["entity"]["reference"] for each in (await mum.get("Group/g")).json()["member"]] == [BEN]
    assert await found(mum, "Group?member=Patient/ben") == ["Group/g", "Group/theirs"]
