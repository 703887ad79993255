"""What members of a group write for each other: not past the therapist, and without names. Docs: docs/homework.md, "Groups"."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from fhir_mappings.group_post import POST
from tests.security.circles import Clinic, found, team, to

Json = dict[str, Any]
NAMES: Final = ("ann", "ben", "cas")


def post(author: str = "ann", **more: Any) -> Json:
    whose = to(f"Patient/{author}")
    return {
        "resourceType": "Communication", "id": f"post-{author}", "status": "preparation", "subject": whose,
        "sender": {**whose, "display": "Sunny"}, "recipient": [to("Group/g")],
        "payload": [{"contentString": "I slept through"}],
    } | more  # fmt: skip


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(*(team(f"Patient/{each}", "Practitioner/thera", name=f"team-{each}") for each in NAMES))
    member = [{"entity": to(f"Patient/{each}")} for each in NAMES]
    await made.put({"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": member})
    yield made
    await made.close()


async def client(clinic: Clinic, name: str) -> httpx.AsyncClient:
    return await clinic.as_person(f"Patient/{name}", "patient/*.cruds", patient=name)


async def thera(clinic: Clinic) -> httpx.AsyncClient:
    return await clinic.as_person("Practitioner/thera", "user/*.cruds")


async def written(http: httpx.AsyncClient, body: Json, status: int = 201) -> Json:
    answer = await http.put(
        f"Communication/{body['id']}", json=body, headers={"If-Match": "*"} if status == 200 else {}
    )
    assert answer.status_code == status, answer.text
    made: Json = answer.json()
    return made


async def copies(http: httpx.AsyncClient, of: str = "post-ann") -> list[Json]:
    answer = await http.get(f"Communication?part-of=Communication/{of}")
    return [each["resource"] for each in answer.json().get("entry", ())]


async def test_no_way_of_writing_a_reference_goes_past_the_therapist(clinic: Clinic) -> None:
    ann, base = await client(clinic, "ann"), clinic.house.base
    for each in (f"{base}/Patient/ben", "Patient/ben/_history/1", f"{base}/Patient/ben/_history/1"):
        for element in ({"recipient": [to(each)]}, {"sender": to(each)}):
            answer = await ann.put("Communication/post-ann", json=post() | element)
            assert answer.status_code == 403, (each, answer.text)
    absolute = post(status="completed", recipient=[to(f"{base}/Group/g")])
    assert (await ann.put("Communication/post-ann", json=absolute)).status_code == 403
    waiting = await written(ann, absolute | {"status": "preparation"})
    await written(await thera(clinic), waiting | {"status": "completed"}, 200)
    assert len(await copies(clinic.system)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"status": "completed"},
        {"recipient": [to("Patient/ben")]},
        {"recipient": [to("Group/g"), to("Patient/ben")]},
        {"recipient": [to("Group/elsewhere")]},
        {"sender": to("Patient/ben")},
    ],
)
async def test_a_client_writes_to_nobody_past_the_therapist(clinic: Clinic, change: Json) -> None:
    answer = await (await client(clinic, "ann")).put("Communication/post-ann", json=post() | change)
    assert answer.status_code == 403, answer.text
    assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "moderated"
    assert await found(clinic.system, "Communication") == []


async def test_who_is_no_member_writes_nothing_for_a_group(clinic: Clinic) -> None:
    await clinic.put({"resourceType": "Patient", "id": "dan"})
    answer = await (await client(clinic, "dan")).put("Communication/post-dan", json=post("dan"))
    assert answer.status_code == 403


async def test_a_post_waits_and_nobody_else_sees_it(clinic: Clinic) -> None:
    await written(await client(clinic, "ann"), post())
    assert await found(await client(clinic, "ben"), "Communication") == []
    assert await found(await thera(clinic), "Communication?status=preparation") == ["Communication/post-ann"]


async def test_what_is_let_out_each_member_has_without_a_name(clinic: Clinic) -> None:
    waiting = await written(await client(clinic, "ann"), post())
    assert await copies(clinic.system) == []
    await written(await thera(clinic), waiting | {"status": "completed"}, 200)
    (ben,) = await copies(await client(clinic, "ben"))
    assert (ben["payload"], ben["sender"]) == (post()["payload"], {"display": "Sunny"})
    assert (ben["subject"], ben["recipient"]) == (to("Patient/ben"), [to("Patient/ben")])
    assert not any(name in str(ben).replace("post-ann", "") for name in ("ann", "cas"))
    assert await copies(await client(clinic, "ann")) == []
    assert len(await copies(clinic.system)) == 2


async def test_a_therapist_lets_nothing_out_to_who_is_not_in_their_care(clinic: Clinic) -> None:
    waiting = await written(await client(clinic, "ann"), post())
    await clinic.put(team("Patient/cas", "Practitioner/other", name="team-cas"))
    answer = await (await thera(clinic)).put(
        "Communication/post-ann", json=waiting | {"status": "completed"}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 403
    assert await copies(clinic.system) == []


async def test_an_answer_is_in_the_thread_of_each_reader(clinic: Clinic) -> None:
    await written(
        await thera(clinic), await written(await client(clinic, "ann"), post()) | {"status": "completed"}, 200
    )
    ben, cas, ann = [await client(clinic, each) for each in ("ben", "cas", "ann")]
    (had,) = await copies(ben)
    answer = await written(ben, post("ben", inResponseTo=[to(f"Communication/{had['id']}")]))
    await written(await thera(clinic), answer | {"status": "completed"}, 200)
    (of_ann,), (of_cas,) = await copies(ann, "post-ben"), await copies(cas, "post-ben")
    assert of_ann["inResponseTo"] == [to("Communication/post-ann")]
    (cas_had,) = await copies(cas)
    assert of_cas["inResponseTo"] == [to(f"Communication/{cas_had['id']}")]


async def test_what_is_corrected_or_taken_back_is_so_for_everybody(clinic: Clinic) -> None:
    ann, kim = await client(clinic, "ann"), await thera(clinic)
    out = await written(kim, await written(ann, post()) | {"status": "completed"}, 200)
    out = await written(kim, out | {"payload": [{"contentString": "I slept"}]}, 200)
    assert [each["payload"][0]["contentString"] for each in await copies(clinic.system)] == ["I slept"] * 2
    refused = await ann.put("Communication/post-ann", json=out | {"payload": []}, headers={"If-Match": "*"})
    assert refused.status_code in (400, 403)
    await written(ann, out | {"status": "entered-in-error"}, 200)
    for each in await copies(clinic.system):
        assert (each["status"], each.get("payload"), each["identifier"][0]["system"]) == (
            "entered-in-error",
            None,
            POST,
        )


async def test_what_is_deleted_is_taken_back(clinic: Clinic) -> None:
    await written(
        await thera(clinic), await written(await client(clinic, "ann"), post()) | {"status": "completed"}, 200
    )
    assert (await clinic.system.delete("Communication/post-ann")).status_code in (200, 204)
    assert {each["status"] for each in await copies(clinic.system)} == {"entered-in-error"}


async def test_a_client_writes_to_their_therapist_as_ever(clinic: Clinic) -> None:
    letter = post(status="completed", recipient=[to("Practitioner/thera")], id="letter")
    await written(await client(clinic, "ann"), letter)
    assert await found(await thera(clinic), "Communication") == ["Communication/letter"]


async def test_a_therapist_s_own_post_is_out_at_once_with_their_name(clinic: Clinic) -> None:
    own = post(status="completed", id="rules", sender=to("Practitioner/thera"))
    del own["subject"]
    await written(await thera(clinic), own)
    for name in NAMES:
        (read,) = await copies(await client(clinic, name), "rules")
        assert read["sender"] == to("Practitioner/thera")
