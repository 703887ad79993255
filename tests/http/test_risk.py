"""Answers that tell of risk: who is asked to look, by when, what the client reads, and that nothing hides it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from fhir_mappings.risk import RISK
from schemas import dates, library, words
from service import tenants
from service.homework import policy
from service.homework.escalation import escalate
from tests.security.circles import Clinic, labelled, to

Json = dict[str, Any]
PHQ9: Final = next(each for each in library.seed() if each["url"] == f"{library.BASE}/Questionnaire/phq-9")
NO, SOME, MORE, MOST = "LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"
REVIEWS: Final = "Task?code=clinician-risk-review"
BARRIER: Final = f"{library.BASE}/CodeSystem/homework-barrier"


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    """Ann has a PHQ-9 to answer, which her therapist assigned."""
    made = Clinic(house, api)
    await made.furnish()
    order = {"status": "active", "intent": "order", "subject": to("Patient/ann"), "requester": to("Practitioner/thera")}
    await made.put(PHQ9, {"resourceType": "ServiceRequest", "id": "sr", **order}, task())
    yield made
    await made.close()


def task(**members: Any) -> Json:
    return {
        "resourceType": "Task", "id": "t", "status": "ready", "intent": "order", "for": to("Patient/ann"),
        "owner": to("Patient/ann"), "requester": to("Practitioner/thera"), "basedOn": [to("ServiceRequest/sr")],
        "input": [{"type": {"text": "form"}, "valueCanonical": f"{PHQ9['url']}|1.0.0"}],
    } | members  # fmt: skip


def answers(ninth: str, others: str = NO, **members: Any) -> Json:
    asked = [each["linkId"] for each in PHQ9["item"] if each["type"] == "choice"][:9]
    body = {
        "resourceType": "QuestionnaireResponse",
        "id": "qr",
        "questionnaire": f"{PHQ9['url']}|1.0.0",
        "status": "in-progress",
        "subject": to("Patient/ann"),
        "source": to("Patient/ann"),
        "basedOn": [to("ServiceRequest/sr")],
        "authored": "2026-01-14T20:20:00Z",
        "item": [
            {"linkId": link, "answer": [{"valueCoding": {"system": "http://loinc.org", "code": code}}]}
            for link, code in zip(asked, [*[others] * 8, ninth], strict=True)
        ],
    } | members
    return {name: value for name, value in body.items() if value is not None}


async def save(http: httpx.AsyncClient, body: Json, **headers: str) -> httpx.Response:
    answer = await http.put(f"{body['resourceType']}/{body['id']}", json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer


async def found(http: httpx.AsyncClient, query: str) -> list[Json]:
    answer = await http.get(query)
    assert answer.status_code == 200, answer.text
    return [each["resource"] for each in answer.json().get("entry", [])]


async def decide(clinic: Clinic, **choices: Any) -> None:
    async with clinic.house.app.engine.database.connection(clinic.house.tenant_id) as connection:
        await policy.keep(connection, clinic.house.tenant_id, policy.HomeworkPolicy(**choices))


async def tick(clinic: Clinic, hours: float) -> None:
    """What the server does by itself `hours` from now."""
    engine = clinic.house.app.engine
    async with engine.database.connection(0) as connection:
        tenant = await tenants.find(connection, clinic.house.name)
    await escalate(engine, tenant, dates.clock() + timedelta(hours=hours))


def coded(concept: Json, system: str = RISK) -> list[str]:
    return [each["code"] for each in concept["coding"] if each["system"] == system]


# --- refusals ------------------------------------------------------------------------------------------------------------


async def test_a_client_does_not_see_the_review_nor_the_flag_and_cannot_end_them(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    (review,), (flag,) = await found(clinic.system, REVIEWS), await found(clinic.system, "Flag?patient=ann")
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    for name, each in (("Task", review), ("Flag", flag)):
        assert (await ann.get(f"{name}/{each['id']}")).status_code == 404
        assert (await ann.put(f"{name}/{each['id']}", json=each)).status_code in (403, 404)
        assert (await ann.delete(f"{name}/{each['id']}")).status_code in (403, 404)
    assert await found(ann, "Flag") == []
    assert [each["id"] for each in await found(ann, "Task")] == ["t"]
    assert (await found(clinic.system, REVIEWS))[0]["status"] == "requested"


@pytest.mark.parametrize("status", ["rejected", "failed"])
async def test_a_review_is_handed_over_and_not_declined(clinic: Clinic, status: str) -> None:
    await save(clinic.system, answers(SOME))
    (review,) = await found(clinic.system, REVIEWS)
    declined = await clinic.system.put(f"Task/{review['id']}", json=review | {"status": status})
    deleted = await clinic.system.delete(f"Task/{review['id']}")
    for refusal in (declined, deleted):
        assert refusal.status_code == 422
        assert refusal.json()["issue"][0]["details"]["coding"][0]["code"] == "review-kept"
    await save(clinic.system, review | {"owner": to("Practitioner/other")})
    assert (await found(clinic.system, REVIEWS))[0]["owner"] == to("Practitioner/other")


async def test_a_review_is_not_cancelled_without_a_word(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    (review,) = await found(clinic.system, REVIEWS)
    refusal = await clinic.system.put(f"Task/{review['id']}", json=review | {"status": "cancelled"})
    assert refusal.status_code == 422
    assert refusal.json()["issue"][0]["details"]["coding"][0]["code"] == "status-reason-required"
    await save(clinic.system, review | {"status": "cancelled", "statusReason": {"text": "The same as yesterday's."}})
    assert [each["status"] for each in await found(clinic.system, "Flag")] == ["inactive"]


async def test_no_risk_no_alert(clinic: Clinic) -> None:
    answer = await save(clinic.system, answers(NO, MOST, status="completed"), Prefer="return=OperationOutcome")
    assert len(answer.json()["issue"]) == 1
    assert await found(clinic.system, REVIEWS) == await found(clinic.system, "Flag") == []
    assert await found(clinic.system, "Communication") == []


# --- the alert -----------------------------------------------------------------------------------------------------------


async def test_a_draft_that_tells_of_risk_asks_its_therapist_for_a_look_at_once(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    (review,), (flag,) = await found(clinic.system, REVIEWS), await found(clinic.system, "Flag?patient=ann")
    assert (review["status"], review["priority"], review["owner"]) == ("requested", "asap", to("Practitioner/thera"))
    assert review["for"] == flag["subject"] == to("Patient/ann")
    assert review["focus"] == to("QuestionnaireResponse/qr")
    assert coded(review["reasonCode"]) == coded(flag["code"]) == ["phq-item-9"]
    period = review["restriction"]["period"]
    assert dates.interval(period["end"]).lo - dates.interval(period["start"]).lo == timedelta(hours=24)
    assert (flag["status"], flag["category"][0]["coding"][0]["code"]) == ("active", "safety")
    assert {each["code"] for each in flag["meta"]["security"]} == {"R", "BH", "staff-only"}
    (trace,) = await found(clinic.system, f"Provenance?target=Flag/{flag['id']}")
    (message,) = await found(clinic.system, "Communication?patient=ann")
    assert {each["reference"] for each in trace["target"]} == {
        f"Flag/{flag['id']}", f"Task/{review['id']}", f"Communication/{message['id']}"
    }  # fmt: skip
    assert trace["entity"][0]["what"] == to("QuestionnaireResponse/qr")


async def test_all_of_it_is_valid_and_in_one_transaction_with_the_answer(clinic: Clinic) -> None:
    body: Json = {"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "PUT", "url": "QuestionnaireResponse/qr"}, "resource": answers(MOST, status="completed")},
        {"request": {"method": "PUT", "url": "Patient/nobody"}, "resource": {"resourceType": "Patient", "id": "x"}},
    ]}  # fmt: skip
    assert (await clinic.system.post("", json=body)).status_code in (400, 422)
    assert await found(clinic.system, REVIEWS) == await found(clinic.system, "Flag") == []
    del body["entry"][1]
    made = await clinic.system.post("", json=body)
    assert made.status_code == 200, made.text
    issue = made.json()["entry"][0]["response"]["outcome"]["issue"][0]
    assert issue["details"]["coding"][0]["code"] == "crisis-information"
    for name in ("Task", "Flag", "Communication", "Provenance"):
        for each in await found(clinic.system, name):
            judged = await clinic.system.post(f"{name}/$validate", json=each)
            assert judged.json()["issue"][0]["severity"] == "information", judged.text


@pytest.mark.parametrize(("ninth", "priority", "hours"), [(SOME, "asap", 24), (MORE, "stat", 4), (MOST, "stat", 4)])
async def test_more_is_more_urgent(clinic: Clinic, ninth: str, priority: str, hours: int) -> None:
    await save(clinic.system, answers(ninth))
    (review,) = await found(clinic.system, REVIEWS)
    period = review["restriction"]["period"]
    assert review["priority"] == priority
    assert dates.interval(period["end"]).lo - dates.interval(period["start"]).lo == timedelta(hours=hours)


async def test_a_completed_answer_names_the_observation_of_the_item(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME, status="completed"))
    (review,) = await found(clinic.system, REVIEWS)
    (item,) = await found(clinic.system, "Observation?code=http://loinc.org|44260-8")
    assert review["reasonReference"] == to(f"Observation/{item['id']}")
    assert review["owner"] == to("Practitioner/thera")
    assert (await clinic.system.get("Task/t")).json()["status"] == "completed"


async def test_saving_again_alerts_once_and_more_raises_the_same_review(clinic: Clinic) -> None:
    for status in ("in-progress", "in-progress", "completed", "amended"):
        await save(clinic.system, answers(SOME, MORE, status=status))
        await save(clinic.system, answers(SOME, NO, status=status))
    (review,) = await found(clinic.system, REVIEWS)
    assert review["meta"]["versionId"] == "1"
    await save(clinic.system, review | {"status": "accepted"})
    await save(clinic.system, answers(MOST, status="amended"))
    (raised,) = await found(clinic.system, REVIEWS)
    assert (raised["id"], raised["priority"], raised["status"]) == (review["id"], "stat", "requested")
    assert raised["restriction"]["period"]["end"] < review["restriction"]["period"]["end"]
    assert len(await found(clinic.system, "Flag")) == len(await found(clinic.system, "Communication")) == 1


async def test_what_is_told_after_a_review_ended_is_a_new_one(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    (review,) = await found(clinic.system, REVIEWS)
    await save(clinic.system, review | {"status": "completed"})
    await save(clinic.system, answers(SOME, MORE))
    assert len(await found(clinic.system, REVIEWS)) == 1
    await save(clinic.system, answers(MORE))
    assert len(await found(clinic.system, REVIEWS)) == 2
    assert len(await found(clinic.system, "Flag?subject=Patient/ann")) == 2


async def test_a_journal_of_the_clients_own_still_reaches_the_clinician_and_stays_theirs(clinic: Clinic) -> None:
    private = answers(MOST, status="completed", **labelled("client-only", "R", "BH"))
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    await save(ann, private)
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    (review,), (flag,) = await found(thera, REVIEWS), await found(thera, "Flag?patient=ann")
    assert review["priority"] == "stat"
    for each in (review, flag, *await found(thera, f"Provenance?target=Flag/{flag['id']}")):
        assert "QuestionnaireResponse" not in str(each)
        assert MOST not in str(each)
    assert "focus" not in review
    assert "reasonReference" not in review
    assert (await thera.get("QuestionnaireResponse/qr")).status_code == 404
    assert await found(thera, "Observation?code=http://loinc.org|44260-8") == []


async def test_a_label_that_some_are_cleared_for_hides_no_alert(clinic: Clinic) -> None:
    cleared = await clinic.as_person(None, "system/*.cruds", clearance=("V", "SUD"), reach="")
    await save(cleared, answers(SOME, **labelled("V", "SUD")))
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    assert (await thera.get("QuestionnaireResponse/qr")).status_code == 404
    assert len(await found(thera, "Flag?patient=ann")) == len(await found(thera, REVIEWS)) == 1


# --- who is asked --------------------------------------------------------------------------------------------------------


async def test_where_nobody_assigned_it_the_care_team_is_asked_and_those_on_call_before_them(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME, id="one", basedOn=None))
    await decide(clinic, on_call="CareTeam/night", risk_hours=2)
    await save(clinic.system, answers(SOME, id="two", basedOn=None))
    first, second = await found(clinic.system, f"{REVIEWS}&_sort=_lastUpdated")
    assert (first["owner"], second["owner"]) == (to("CareTeam/team-ann"), to("CareTeam/night"))
    period = second["restriction"]["period"]
    assert dates.interval(period["end"]).lo - dates.interval(period["start"]).lo == timedelta(hours=2)


async def test_an_answer_of_nobody_in_particular_asks_for_a_look_too(clinic: Clinic) -> None:
    await decide(clinic, on_call="CareTeam/night")
    await save(clinic.system, answers(SOME, subject=None, source=None, basedOn=None))
    (review,) = await found(clinic.system, REVIEWS)
    assert review["owner"] == to("CareTeam/night")
    assert review["for"] == (await found(clinic.system, "Flag"))[0]["subject"] == {"display": "Nobody was named"}
    assert await found(clinic.system, "Communication") == []


async def test_who_answers_for_a_client_reads_it_too(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME, source=to("RelatedPerson/mum")))
    (message,) = await found(clinic.system, "Communication")
    assert message["recipient"] == [to("Patient/ann"), to("RelatedPerson/mum")]


async def test_a_total_that_the_tenant_is_wary_of_asks_for_a_look(clinic: Clinic) -> None:
    await decide(clinic, thresholds={"44261-6": 20})
    await save(clinic.system, answers(NO, MORE, id="below", status="completed"))
    assert await found(clinic.system, REVIEWS) == []
    await save(clinic.system, answers(NO, MOST, id="above", status="completed"))
    (review,) = await found(clinic.system, REVIEWS)
    assert (coded(review["reasonCode"]), review["priority"]) == (["total"], "asap")


async def test_homework_that_is_not_safe_to_do_asks_for_a_look_once(clinic: Clinic) -> None:
    reason = {"coding": [{"system": BARRIER, "code": "safety"}]}
    await save(clinic.system, task(status="on-hold", statusReason=reason))
    held = (await clinic.system.get("Task/t")).json()
    await save(clinic.system, held | {"note": [{"text": "I will tell you more."}]})
    (review,) = await found(clinic.system, REVIEWS)
    assert (coded(review["reasonCode"]), review["focus"]) == (["barrier-safety"], to("Task/t"))
    assert review["owner"] == to("Practitioner/thera")


# --- the client ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoken", "language"), [("nl-BE", "nl"), ("es", "es"), ("de-CH", "de"), ("fr", "en"), (None, "en")]
)
async def test_the_client_reads_at_once_where_help_is_in_their_language(
    clinic: Clinic, spoken: str | None, language: str
) -> None:
    other = {"language": {"coding": [{"code": "fr"}]}}
    ours = {"language": {"coding": [{"code": spoken}]}, "preferred": True}
    await clinic.put({"resourceType": "Patient", "id": "ann", **({"communication": [other, ours]} if spoken else {})})
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    answer = await save(ann, answers(SOME), Prefer="return=OperationOutcome")
    (message,) = await found(ann, "Communication?category=crisis-information")
    text = words.part("risk", language)["crisis"]
    assert (message["language"], message["payload"]) == (language, [{"contentString": text}])
    assert message["recipient"] == [to("Patient/ann")]
    issue = answer.json()["issue"][1]
    assert (issue["severity"], issue["diagnostics"]) == ("information", text)
    assert issue["details"]["coding"][0]["code"] == "crisis-information"


async def test_the_tenants_own_words_with_its_numbers_come_before_ours(clinic: Clinic) -> None:
    await decide(clinic, crisis={"en": "Call the desk."})
    await save(clinic.system, answers(SOME))
    (message,) = await found(clinic.system, "Communication")
    assert message["payload"] == [{"contentString": "Call the desk."}]


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_our_words_say_where_help_is_and_no_number(language: str) -> None:
    text = words.part("risk", language)["crisis"]
    assert list(words.part("risk", language)) == ["crisis"]
    assert not any(character.isdigit() for character in text)


# --- acknowledged and escalated ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["accepted", "in-progress", "completed"])
async def test_who_takes_a_review_is_in_the_audit(clinic: Clinic, status: str) -> None:
    await save(clinic.system, answers(SOME))
    (review,) = await found(clinic.system, REVIEWS)
    thera = await clinic.as_person("Practitioner/thera", "user/*.cruds")
    await save(thera, review | {"status": status})
    (event,) = await found(clinic.system, "AuditEvent?subtype=risk-acknowledged")
    assert event["entity"][0]["what"]["reference"].startswith(f"Task/{review['id']}/_history/2")
    assert event["agent"][0]["requestor"] is True
    assert "Practitioner/thera" in str(event["agent"])
    await save(thera, (await found(clinic.system, REVIEWS))[0] | {"description": "seen"})
    assert len(await found(clinic.system, "AuditEvent?subtype=risk-acknowledged")) == 1


async def test_the_end_of_a_review_lowers_its_flag_and_no_other(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    await save(clinic.system, answers(SOME, id="another"))
    review, _ = await found(clinic.system, f"{REVIEWS}&_sort=_lastUpdated")
    await save(clinic.system, review | {"status": "accepted"})
    assert {each["status"] for each in await found(clinic.system, "Flag")} == {"active"}
    done = (await clinic.system.get(f"Task/{review['id']}")).json()
    await save(clinic.system, done | {"status": "completed"})
    lowered = next(row["valueReference"]["reference"] for row in review["input"] if "valueReference" in row)
    flags = {f"Flag/{each['id']}": each for each in await found(clinic.system, "Flag")}
    assert flags[lowered]["status"] == "inactive"
    assert flags[lowered]["period"]["end"] > flags[lowered]["period"]["start"]
    assert sorted(each["status"] for each in flags.values()) == ["active", "inactive"]


async def test_a_review_that_nobody_takes_is_told_of_once_and_then_handed_over(clinic: Clinic) -> None:
    await decide(clinic, on_call="CareTeam/night")
    await save(clinic.system, answers(SOME))
    await tick(clinic, 23)
    assert await found(clinic.system, "Communication?category=risk-escalation") == []
    await tick(clinic, 25)
    await tick(clinic, 25)
    (told,) = await found(clinic.system, "Communication?category=risk-escalation")
    (review,) = await found(clinic.system, REVIEWS)
    assert told["priority"] == review["priority"] == "stat"
    assert told["recipient"] == [to("Practitioner/thera"), to("CareTeam/night")]
    assert told["about"] == [to(f"Task/{review['id']}")]
    assert review["owner"] == to("Practitioner/thera")
    await tick(clinic, 30)
    (review,) = await found(clinic.system, REVIEWS)
    assert review["owner"] == to("CareTeam/night")
    assert len(await found(clinic.system, "Communication?category=risk-escalation")) == 2


async def test_two_workers_at_once_tell_once(clinic: Clinic) -> None:
    for name in ("one", "two", "three"):
        await save(clinic.system, answers(SOME, id=name))
    await asyncio.gather(*(tick(clinic, 25) for _ in range(3)))
    told = await found(clinic.system, "Communication?category=risk-escalation")
    assert len({each["about"][0]["reference"] for each in told}) == len(told) == 3


async def test_a_review_that_was_taken_is_not_escalated(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    (review,) = await found(clinic.system, REVIEWS)
    await save(clinic.system, review | {"status": "accepted"})
    await tick(clinic, 100)
    assert await found(clinic.system, "Communication?category=risk-escalation") == []


async def test_the_client_does_not_read_what_clinicians_are_told(clinic: Clinic) -> None:
    await save(clinic.system, answers(SOME))
    await tick(clinic, 25)
    ann = await clinic.as_person("Patient/ann", "patient/*.cruds", patient="ann")
    categories = [coded(each["category"][0]) for each in await found(ann, "Communication")]
    assert categories == [["crisis-information"]]
