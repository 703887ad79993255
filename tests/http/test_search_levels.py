"""search at type, system and compartment level, by GET and by POST. https://hl7.org/fhir/R4/http.html#search"""

from typing import Any

import httpx
import pytest

Json = dict[str, Any]


@pytest.fixture(autouse=True)
async def records(api: httpx.AsyncClient) -> None:
    """Two patients with a Flag and a Task each."""
    for name in ("p", "q"):
        subject = {"reference": f"Patient/{name}"}
        bodies: list[Json] = [
            {"resourceType": "Patient", "id": name, "active": True},
            {"resourceType": "Flag", "id": f"f-{name}", "status": "active", "code": {"text": "x"}, "subject": subject},
            {"resourceType": "Task", "id": f"t-{name}", "status": "requested", "intent": "order", "for": subject},
        ]
        for body in bodies:
            await api.put(f"{body['resourceType']}/{body['id']}", json=body)


def found(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "searchset"
    return {entry["resource"]["id"] for entry in answer.json().get("entry", [])}


@pytest.mark.parametrize("address", ["Nonsense?x=1", "Patient/p/Nonsense", "Nonsense/p/Task"])
async def test_refuses_types_that_are_not_held(api: httpx.AsyncClient, address: str) -> None:
    assert (await api.get(address)).status_code == 404


@pytest.mark.parametrize("address", ["Patient/_search", "_search", "Patient/p/Task/_search"])
async def test_refuses_a_search_by_post_in_another_form(api: httpx.AsyncClient, address: str) -> None:
    headers = {"Content-Type": "text/plain"}
    assert (await api.post(address, content=b"active=true", headers=headers)).status_code == 415


async def test_refuses_types_without_a_compartment(api: httpx.AsyncClient) -> None:
    assert (await api.get("Patient/p/Questionnaire")).status_code == 404
    assert (await api.get("Flag/f-p/Task")).status_code == 404


async def test_by_type(api: httpx.AsyncClient) -> None:
    assert found(await api.get("Flag?subject=Patient/p")) == {"f-p"}
    assert found(await api.post("Flag/_search", data={"subject": "Patient/p"})) == {"f-p"}


async def test_form_and_address_hold_together(api: httpx.AsyncClient) -> None:
    assert found(await api.post("Flag/_search?_id=f-p,f-q", data={"subject": "Patient/q"})) == {"f-q"}
    assert found(await api.post("Flag/_search?subject=Patient/p")) == {"f-p"}


async def test_by_system(api: httpx.AsyncClient) -> None:
    assert found(await api.get("?_type=Flag,Task&_id=f-p,t-q")) == {"f-p", "t-q"}
    assert found(await api.post("_search", data={"_type": "Flag,Task", "_id": "f-p,t-q"})) == {"f-p", "t-q"}


@pytest.mark.parametrize("kind", ["Flag", "Task"])
async def test_by_compartment(api: httpx.AsyncClient, kind: str) -> None:
    one = f"{kind[0].lower()}-p"
    assert found(await api.get(f"Patient/p/{kind}")) == {one}
    assert found(await api.post(f"Patient/p/{kind}/_search", data={"_id": f"{one},x"})) == {one}
    assert found(await api.get(f"Patient/p/{kind}?_id={kind[0].lower()}-q")) == set()


async def test_a_task_is_in_the_compartment_of_its_owner_too(api: httpx.AsyncClient) -> None:
    task = {"resourceType": "Task", "id": "t", "status": "requested", "intent": "order"}
    await api.put("Task/t", json=task | {"for": {"reference": "Patient/q"}, "owner": {"reference": "Patient/p"}})
    assert found(await api.get("Patient/p/Task")) == {"t-p", "t"}


async def test_the_self_link_says_what_was_searched(api: httpx.AsyncClient) -> None:
    for answer in (
        await api.get("Flag?subject=Patient/p"),
        await api.post("Flag/_search", data={"subject": "Patient/p"}),
    ):
        (link,) = [each["url"] for each in answer.json()["link"] if each["relation"] == "self"]
        assert link.startswith(f"{api.base_url}Flag?")
        assert "subject=Patient/p" in link or "subject=Patient%2Fp" in link
