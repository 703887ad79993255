"""A client's private journal: seen by the client alone until shared, with all that was derived from it."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from schemas import library
from tests.security.circles import Clinic, consent, found, labelled, permit, to

THERA: Final = "Practitioner/thera"
MUM: Final = "RelatedPerson/mum"
PHQ9: Final = "https://hearth.health/fhir/Questionnaire/phq-9"
PRIVATE: Final = labelled("client-only")


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    await made.put(consent("Patient/ann", permit(MUM), name="c"))
    yield made
    await made.close()


async def everybody_else(clinic: Clinic) -> list[httpx.AsyncClient]:
    cleared = {"clearance": ("V", "client-only")}
    return [
        clinic.system,
        await clinic.as_person(None, "system/*.cruds", **cleared),
        await clinic.as_person(THERA, "user/*.cruds", **cleared),
        await clinic.as_person(MUM, "user/*.cruds", **cleared),
        await clinic.as_person("Patient/ben", "patient/*.cruds", patient="ben"),
    ]


def journal(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse", "status": "completed", "subject": to("Patient/ann"),
        "source": to("Patient/ann"), "authored": "2026-03-01T20:00:00Z",
    } | more  # fmt: skip


def phq9() -> dict[str, Any]:
    form = next(each for each in library.seed() if each.get("url") == PHQ9 and each["status"] == "active")
    items = [each for each in form["item"] if each.get("answerOption")]
    answers = [
        {"linkId": each["linkId"], "answer": [{"valueCoding": each["answerOption"][0]["valueCoding"]}]}
        for each in items
    ]
    return journal(questionnaire=f"{PHQ9}|{form['version']}", item=answers)


async def test_a_private_entry_is_nobody_else_s_on_any_way(clinic: Clinic) -> None:
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    made = (await ann.post("QuestionnaireResponse", json=journal(**PRIVATE))).json()
    address = f"QuestionnaireResponse/{made['id']}"
    assert (await ann.get(address)).status_code == 200
    for http in await everybody_else(clinic):
        assert (await http.get(address)).status_code == 404
        assert await found(http, "QuestionnaireResponse?_id=" + made["id"]) == []
        assert (await http.post(f"{address}/$share")).status_code == 404
    assert address not in await found(clinic.system, "Patient/ann/$everything")


async def test_sharing_shows_it_and_what_was_derived_and_keeping_it_back_hides_both(clinic: Clinic) -> None:
    form = next(each for each in library.seed() if each.get("url") == PHQ9 and each["status"] == "active")
    assert (await clinic.system.post("Questionnaire", json=form)).status_code == 201
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    thera = await clinic.as_person(THERA, "user/*.rs")
    made = (await ann.post("QuestionnaireResponse", json=phq9() | PRIVATE)).json()
    address = f"QuestionnaireResponse/{made['id']}"
    scores = await found(ann, f"Observation?derived-from={address}")
    assert scores
    assert await found(thera, f"Observation?derived-from={address}") == []

    shared = await ann.post(f"{address}/$share")
    assert shared.status_code == 200
    assert {each["code"] for each in shared.json()["meta"]["security"]} == {"R", "BH"}
    assert (await thera.get(address)).status_code == 200
    assert await found(thera, f"Observation?derived-from={address}") == scores
    # Nothing was amended by that.
    assert {(await thera.get(each)).json()["status"] for each in scores} == {"final"}
    (trace,) = await found(clinic.system, f"Provenance?target={address}")
    provenance = (await clinic.system.get(trace)).json()
    assert provenance["activity"]["text"] == "share"
    assert provenance["agent"][0]["who"] == to("Patient/ann")
    assert provenance["target"] == [to(f"{address}/_history/2")]

    assert (await ann.post(f"{address}/$unshare")).status_code == 200
    assert (await thera.get(address)).status_code == 404
    assert await found(thera, f"Observation?derived-from={address}") == []
    # That something was taken back is not told either.
    assert await found(clinic.system, f"Provenance?target={address}") == [trace]


async def test_a_change_of_other_labels_reaches_the_scores_too(clinic: Clinic) -> None:
    form = next(each for each in library.seed() if each.get("url") == PHQ9 and each["status"] == "active")
    assert (await clinic.system.post("Questionnaire", json=form)).status_code == 201
    made = (await clinic.system.post("QuestionnaireResponse", json=phq9())).json()
    address = f"QuestionnaireResponse/{made['id']}"
    thera = await clinic.as_person(THERA, "user/*.rs")
    assert await found(thera, f"Observation?derived-from={address}") != []
    cleared = await clinic.as_person(None, "system/*.cruds", clearance=("HIV",))
    assert (await cleared.put(address, json=made | labelled("HIV"))).status_code == 200
    assert await found(thera, f"Observation?derived-from={address}") == []
    assert await found(cleared, f"Observation?derived-from={address}") != []


async def test_only_the_client_shares_or_keeps_back(clinic: Clinic) -> None:
    made = (await clinic.system.post("QuestionnaireResponse", json=journal())).json()
    address = f"QuestionnaireResponse/{made['id']}"
    for user in (THERA, MUM):
        http = await clinic.as_person(user, "user/*.cruds")
        for what in ("$share", "$unshare"):
            answer = await http.post(f"{address}/{what}")
            assert answer.status_code == 403, user
            assert answer.json()["issue"][0]["details"]["coding"][0]["code"] == "not-yours-to-share"
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    assert (await ann.post(f"{address}/$share")).headers["etag"] == 'W/"1"'  # it is shared: nothing changes
    assert (await ann.post(f"{address}/$unshare", headers={"If-Match": 'W/"9"'})).status_code == 412
    reader = await clinic.as_person("Patient/ann", "patient/*.rs", patient="ann")
    assert (await reader.post(f"{address}/$unshare")).status_code == 403
    assert (await ann.post(f"{address}/$unshare?to=nobody")).status_code == 400
    assert (await ann.get(f"{address}/$unshare")).status_code == 405
