"""ActivityDefinition/$apply and PlanDefinition/$apply: what they return, and that it works when it is posted."""

from typing import Any

import httpx
import pytest

from schemas import json, library
from schemas.validate import validate
from service import seed

Json = dict[str, Any]
BASE = "https://hearth.health/fhir"
MEASURE = f"{BASE}/CodeSystem/homework-measure"
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "communication": [{"language": {"coding": [{"code": "es"}]}, "preferred": True}],
}


_USED = ("graded-exposure", "exposure-record", "homework-preferences", "phq-9", "exposure-ladder")
SOME = [each for each in library.seed() if each["url"].rsplit("/", 1)[1] in _USED]


@pytest.fixture
async def api(house: Any) -> Any:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await seed.records(connection, house.tenant_id, house.base, SOME)
    async with house.client(await house.token()) as http:
        await keep(http, PATIENT, {"resourceType": "Practitioner", "id": "t"})
        yield http


@pytest.fixture(scope="module")
async def clinic(new_house: Any) -> Any:
    """A tenant with the whole library."""
    house = await new_house()
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await seed.records(connection, house.tenant_id, house.base, library.seed())
    async with house.client(await house.token()) as http:
        await keep(http, PATIENT, {"resourceType": "Practitioner", "id": "t"})
        yield http


async def keep(http: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        answer = await http.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code in (200, 201), answer.text


def activity_id(name: str, version: str, kind: str = "ActivityDefinition") -> str:
    return library.seed_id(f"{BASE}/{kind}/{name}|{version}")


async def applied(http: httpx.AsyncClient, path: str, **params: str) -> Json:
    query = {"subject": "Patient/p", "practitioner": "Practitioner/t", **params}
    answer = await http.get(f"{path}/$apply", params=query)
    assert answer.status_code == 200, answer.text
    made: Json = json.decode(answer.content)
    assert validate(made) == []
    return made


def issue(answer: httpx.Response) -> tuple[int, str, str]:
    (only,) = answer.json()["issue"]
    return answer.status_code, only["details"]["coding"][0]["code"], only.get("expression", [""])[0]


def rating(name: str, code: str, value: int, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": MEASURE, "code": code}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-01-12T10:00:00Z",
        "valueInteger": value,
        **more,
    }


async def test_an_activity_becomes_a_request_that_is_only_proposed(api: httpx.AsyncClient) -> None:
    made = await applied(api, f"ActivityDefinition/{activity_id('graded-exposure', '1.1.0')}")
    assert made["resourceType"] == "ServiceRequest"
    assert (made["status"], made["intent"]) == ("draft", "proposal")
    assert made["subject"] == {"reference": "Patient/p"}
    assert made["requester"] == {"reference": "Practitioner/t"}
    assert made["instantiatesCanonical"] == [f"{BASE}/ActivityDefinition/graded-exposure|1.1.0"]
    assert made["occurrenceTiming"]["repeat"]["frequency"] == 3
    assert (await api.get("ServiceRequest")).json()["total"] == 0


async def test_the_client_reads_it_in_the_language_asked_for_or_preferred(api: httpx.AsyncClient) -> None:
    path = f"ActivityDefinition/{activity_id('graded-exposure', '1.1.0')}"
    preferred = (await applied(api, path))["patientInstruction"]
    english = (await applied(api, path, userLanguage="en"))["patientInstruction"]
    assert english.startswith("1. Choose the step")
    assert preferred != english


async def test_an_activity_of_one_time_becomes_a_task(api: httpx.AsyncClient) -> None:
    made = await applied(api, f"ActivityDefinition/{activity_id('homework-preferences', '1.0.0')}", intent="order")
    assert made["resourceType"] == "Task"
    assert (made["status"], made["intent"], made["owner"]) == ("ready", "order", {"reference": "Patient/p"})
    assert any(each["type"]["coding"][0]["code"] == "questionnaire" for each in made["input"])


async def test_an_ordered_activity_posted_as_a_transaction_is_an_assignment_that_can_be_done(
    api: httpx.AsyncClient,
) -> None:
    (found, *_) = (await api.get(f"ActivityDefinition?url={BASE}/ActivityDefinition/phq-9&_sort=-_lastUpdated")).json()[
        "entry"
    ]
    bundle = await applied(api, f"ActivityDefinition/{found['resource']['id']}", intent="order", bundle="true")
    answer = await api.post("", json=bundle)
    assert answer.status_code == 200, answer.text
    (request,) = [each["resource"] for each in (await api.get("ServiceRequest")).json()["entry"]]
    tasks = (await api.get(f"Task?based-on=ServiceRequest/{request['id']}&_sort=due")).json()["entry"]
    assert {each["resource"]["status"] for each in tasks} == {"ready"}
    assert {each["resource"]["owner"]["reference"] for each in tasks} == {"Patient/p"}
    head = next(each["resource"] for each in tasks if "partOf" not in each["resource"])
    form = next(each["valueCanonical"] for each in head["input"] if "valueCanonical" in each)
    done = await api.post("QuestionnaireResponse", json=phq9(form, request["id"]))
    assert done.status_code == 201, done.text
    completed = (await api.get(f"Task?based-on=ServiceRequest/{request['id']}&status=completed")).json()
    assert completed["total"] == 1
    (score,) = (await api.get(f"Observation?based-on=ServiceRequest/{request['id']}&code=44261-6")).json()["entry"]
    assert score["resource"]["valueInteger"] == 9


def phq9(form: str, request: str) -> Json:
    """Every item answered with the second option."""
    questionnaire = next(each for each in SOME if library.canonical(each) == form)
    rows = [row for row in questionnaire["item"] if row["type"] == "choice"]
    items = [
        {"linkId": row["linkId"], "answer": [{"valueCoding": row["answerOption"][1]["valueCoding"]}]} for row in rows
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form,
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "basedOn": [{"reference": f"ServiceRequest/{request}"}],
        "item": items,
    }


async def test_a_plan_becomes_a_care_plan_with_everything_in_it(api: httpx.AsyncClient) -> None:
    made = await applied(api, f"PlanDefinition/{activity_id('exposure-ladder', '1.0.0', 'PlanDefinition')}")
    assert (made["resourceType"], made["status"], made["intent"]) == ("CarePlan", "draft", "proposal")
    assert made["activity"] == [{"reference": {"reference": "#request-group"}}]
    inside = {each["id"]: each for each in made["contained"]}
    assert made["goal"] == [{"reference": "#goal-1"}]
    assert inside["goal-1"]["lifecycleStatus"] == "proposed"
    (action,) = inside["request-group"]["action"]
    assert action["description"] == "Saludar a un vecino"
    assert action["resource"] == {"reference": "#request-1"}
    goal = inside["request-1"]["extension"][0]["valueReference"]
    assert goal == {"reference": "#goal-1"}
    kept = await api.post("CarePlan", json=made)
    assert kept.status_code == 201, kept.text


@pytest.mark.parametrize(
    ("ratings", "steps"),
    [
        ([], 1),
        ([rating("o", "suds-peak", 70)], 1),
        ([rating("o", "suds-peak", 40)], 2),
        ([rating("o", "suds-peak", 4, referenceRange=[{"low": {"value": 0}, "high": {"value": 10}}])], 2),
        ([rating("o", "suds-peak", 30), rating("n", "suds-peak", 80, effectiveDateTime="2026-02-01")], 1),
        ([rating("o", "suds-peak", 30, status="entered-in-error")], 1),
    ],
)
async def test_the_next_step_is_there_when_the_last_one_has_become_easier(
    api: httpx.AsyncClient, ratings: list[Json], steps: int
) -> None:
    await keep(api, *ratings)
    made = await applied(api, f"PlanDefinition/{activity_id('exposure-ladder', '1.0.0', 'PlanDefinition')}")
    group = next(each for each in made["contained"] if each["resourceType"] == "RequestGroup")
    assert len(group["action"]) >= steps
    assert (len(group["action"]) > 1) is (steps > 1)


async def test_who_may_not_see_ratings_gets_a_plan_without_them(house: Any, api: httpx.AsyncClient) -> None:
    await keep(api, rating("o", "suds-peak", 10))
    scope = "system/Patient.r system/PlanDefinition.rs system/ActivityDefinition.rs system/Questionnaire.rs"
    async with house.client(await house.token(scope)) as http:
        made = await applied(http, f"PlanDefinition/{activity_id('exposure-ladder', '1.0.0', 'PlanDefinition')}")
    group = next(each for each in made["contained"] if each["resourceType"] == "RequestGroup")
    assert len(group["action"]) == 1


async def test_a_plan_posted_as_a_transaction_gives_resources_of_their_own(api: httpx.AsyncClient) -> None:
    path = f"PlanDefinition/{activity_id('exposure-ladder', '1.0.0', 'PlanDefinition')}"
    bundle = await applied(api, path, intent="order", bundle="true")
    answer = await api.post("", json=bundle)
    assert answer.status_code == 200, answer.text
    (plan,) = [each["resource"] for each in (await api.get("CarePlan")).json()["entry"]]
    assert (plan["status"], plan["intent"]) == ("active", "plan")
    listed = [each["reference"]["reference"].partition("/")[0] for each in plan["activity"]]
    assert listed == ["RequestGroup", "ServiceRequest"]
    (request,) = [each["resource"] for each in (await api.get("ServiceRequest")).json()["entry"]]
    tasks = (await api.get(f"Task?based-on=ServiceRequest/{request['id']}")).json()["entry"]
    heads = [each["resource"] for each in tasks if "partOf" not in each["resource"]]
    assert [each["description"] for each in heads] == ["Saludar a un vecino"]
    assert (await api.get("Goal?patient=Patient/p")).json()["total"] == 1


@pytest.mark.parametrize(
    "name", ["behavioural-activation-plan", "depression-first-weeks", "pain-pacing", "sleep-plan", "your-own-way"]
)
@pytest.mark.parametrize("bundle", ["false", "true"])
async def test_every_plan_of_the_library_can_be_applied(clinic: httpx.AsyncClient, name: str, bundle: str) -> None:
    found = (await clinic.get(f"PlanDefinition?url={BASE}/PlanDefinition/{name}")).json()["entry"]
    made = await applied(clinic, f"PlanDefinition/{found[-1]['resource']['id']}", bundle=bundle, intent="order")
    assert made["resourceType"] == ("Bundle" if bundle == "true" else "CarePlan")


async def test_what_is_to_be_chosen_among_is_an_option_without_a_task(clinic: httpx.AsyncClient) -> None:
    path = f"PlanDefinition/{activity_id('your-own-way', '1.0.0', 'PlanDefinition')}"
    bundle = await applied(clinic, path, bundle="true", intent="order")
    resources = [each["resource"] for each in bundle["entry"]]
    group = next(each for each in resources if each["resourceType"] == "RequestGroup")
    choices = [each for each in group["action"] if each.get("selectionBehavior") == "exactly-one"]
    assert choices
    assert all(len(each["action"]) > 1 for each in choices)
    assert any(each.get("intent") == "option" for each in resources)


@pytest.mark.parametrize("kind", ["ActivityDefinition", "PlanDefinition"])
async def test_the_definition_may_be_sent_or_named(api: httpx.AsyncClient, kind: str) -> None:
    name = kind[0].lower() + kind[1:]
    sent = {"resourceType": kind, "status": "draft", "title": "A walk"}
    sent |= {"kind": "Task"} if kind == "ActivityDefinition" else {}
    parameters = [{"name": "subject", "valueString": "Patient/p"}, {"name": name, "resource": sent}]
    answer = await api.post(f"{kind}/$apply", json={"resourceType": "Parameters", "parameter": parameters})
    assert answer.status_code == 200, answer.text
    assert validate(json.decode(answer.content)) == []
    canonical = f"{BASE}/{kind}/" + ("graded-exposure" if kind == "ActivityDefinition" else "exposure-ladder")
    answer = await api.get(f"{kind}/$apply", params={"subject": "Patient/p", name: canonical})
    assert answer.status_code == 200, answer.text
    answer = await api.get(f"{kind}/$apply", params={"subject": "Patient/p", name: canonical + "-none"})
    assert issue(answer) == (404, "definition-unknown", name)


async def posted(api: httpx.AsyncClient, definition: Json, **more: Json) -> httpx.Response:
    name = definition["resourceType"][0].lower() + definition["resourceType"][1:]
    parameters = [{"name": "subject", "valueString": "Patient/p"}, {"name": name, "resource": definition}]
    parameters += [{"name": key, **value} for key, value in more.items()]
    body = {"resourceType": "Parameters", "parameter": parameters}
    return await api.post(f"{definition['resourceType']}/$apply", json=body)


def dynamic(path: str, expression: str, language: str = "text/fhirpath") -> Json:
    return {"path": path, "expression": {"language": language, "expression": expression}}


WALK: Json = {
    "resourceType": "ActivityDefinition",
    "status": "active",
    "kind": "ServiceRequest",
    "title": "A walk",
    "code": {"text": "Walk"},
    "timingTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
}


async def test_dynamic_values_reach_nested_and_choice_elements(api: httpx.AsyncClient) -> None:
    values = [
        dynamic("occurrence.repeat.frequency", "iif(%lastMastery > 7, 3, 2)"),
        dynamic("ServiceRequest.occurrenceTiming.repeat.duration", "15"),
        dynamic("occurrence.as(Timing).repeat.durationUnit", "'min'"),
        dynamic("patientInstruction", "'For ' & %patient.id & ', by ' & %practitioner.id"),
        dynamic("supportingInfo", "%patient"),
        dynamic("asNeeded", "true"),
        dynamic("extension('https://example.org/x').value", "today()"),
        dynamic("note.text", "'first'"),
        dynamic("reasonCode[0].coding[0].code", "'low-mood'"),
        dynamic("priority", "{}"),
    ]
    await keep(api, rating("m", "mastery", 8))
    answer = await posted(api, {**WALK, "dynamicValue": values}, practitioner={"valueString": "Practitioner/t"})
    assert answer.status_code == 200, answer.text
    made = json.decode(answer.content)
    assert made["occurrenceTiming"]["repeat"]["frequency"] == 3
    assert made["occurrenceTiming"]["repeat"]["duration"] == 15
    assert made["patientInstruction"] == "For p, by t"
    assert made["supportingInfo"] == [{"reference": "Patient/p"}]
    assert made["asNeededBoolean"] is True
    assert made["extension"][0]["url"] == "https://example.org/x"
    assert "valueDate" in made["extension"][0]
    assert made["note"] == [{"text": "first"}]
    assert made["reasonCode"] == [{"coding": [{"code": "low-mood"}]}]
    assert "priority" not in made


@pytest.mark.parametrize(
    ("value", "code", "place"),
    [
        (dynamic("nowhere", "1"), "definition-not-applied", "dynamicValue[0].path"),
        (dynamic("occurrence[", "1"), "definition-not-applied", "dynamicValue[0].path"),
        (dynamic("subject", "1"), "definition-not-applied", "dynamicValue[0].path"),
        (dynamic("subject", "%patient | %practitioner"), "definition-not-applied", "dynamicValue[0].path"),
        (dynamic("patientInstruction", "1 +"), "definition-not-applied", "dynamicValue[0].expression"),
        (dynamic("patientInstruction", "%nobody"), "definition-not-applied", "dynamicValue[0].expression"),
        (dynamic("patientInstruction", "X", "text/cql"), "definition-not-applied", "dynamicValue[0].expression"),
        (dynamic("status", "'dancing'"), "definition-not-applied", "ServiceRequest.status"),
    ],
)
async def test_a_definition_that_cannot_be_applied_is_refused_with_the_place(
    api: httpx.AsyncClient, value: Json, code: str, place: str
) -> None:
    parameters = {"practitioner": {"valueString": "Practitioner/t"}}
    status, found, expression = issue(await posted(api, {**WALK, "dynamicValue": [value]}, **parameters))
    assert (status, found) == (422, code)
    assert expression.endswith(place)


async def test_a_kind_that_is_not_applied_is_named(api: httpx.AsyncClient) -> None:
    answer = await posted(api, {**WALK, "kind": "MedicationRequest"})
    assert issue(answer) == (422, "definition-not-applied", "ActivityDefinition.kind")
    assert "MedicationRequest" in answer.json()["issue"][0]["diagnostics"]


async def test_actions_keep_their_order_their_groups_and_their_times(api: httpx.AsyncClient) -> None:
    plan = {
        "resourceType": "PlanDefinition",
        "status": "active",
        "action": [
            {"id": "a", "title": "First", "timingDateTime": "2026-02-01"},
            {
                "id": "b",
                "title": "Never",
                "condition": [{"kind": "applicability", "expression": dynamic("", "false")["expression"]}],
            },
            {
                "id": "c",
                "title": "Group",
                "groupingBehavior": "visual-group",
                "selectionBehavior": "at-most-one",
                "condition": [{"kind": "stop", "expression": dynamic("", "%lastMastery > 9")["expression"]}],
                "relatedAction": [
                    {
                        "actionId": "a",
                        "relationship": "after-end",
                        "offsetDuration": {"value": 2, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
                    },
                    {"actionId": "b", "relationship": "after"},
                ],
                "action": [{"id": "d", "title": "One"}, {"id": "e", "title": "Other"}],
            },
        ],
    }
    answer = await posted(api, plan)
    assert answer.status_code == 200, answer.text
    group = next(each for each in answer.json()["contained"] if each["resourceType"] == "RequestGroup")
    first, second = group["action"]
    assert (first["id"], first["timingDateTime"]) == ("a", "2026-02-01")
    assert (second["groupingBehavior"], second["selectionBehavior"]) == ("visual-group", "at-most-one")
    assert [each["actionId"] for each in second["relatedAction"]] == ["a"]
    assert second["relatedAction"][0]["offsetDuration"]["value"] == 2
    assert [each["kind"] for each in second["condition"]] == ["stop"]
    assert [each["id"] for each in second["action"]] == ["d", "e"]
    inside = {f"#{each['id']}": each for each in answer.json()["contained"]}
    assert inside[first["resource"]["reference"]]["code"] == {"text": "First"}
    assert [inside[each["resource"]["reference"]]["intent"] for each in second["action"]] == ["option", "option"]


async def test_a_group_of_which_nothing_is_applicable_is_left_out(api: httpx.AsyncClient) -> None:
    never = [{"kind": "applicability", "expression": dynamic("", "%lastSudsPost < 10")["expression"]}]
    action = [{"title": "Group", "action": [{"title": "Never", "condition": never}]}]
    answer = await posted(api, {"resourceType": "PlanDefinition", "status": "active", "action": action})
    assert answer.status_code == 200, answer.text
    (group,) = answer.json()["contained"]
    assert "action" not in group


@pytest.mark.parametrize(
    ("params", "status", "place"),
    [
        ({}, 400, None),
        ({"subject": "Practitioner/t"}, 400, "subject"),
        ({"subject": "Patient/nobody"}, 404, None),
        ({"subject": "Patient/p", "intent": "wish"}, 400, "intent"),
        ({"subject": "Patient/p", "subjects": "Patient/p"}, 400, "subjects"),
        ({"subject": "Patient/p", "activityDefinition": "http://x"}, 400, "activityDefinition"),
    ],
)
async def test_what_is_asked_wrongly_is_refused(
    api: httpx.AsyncClient, params: dict[str, str], status: int, place: str | None
) -> None:
    answer = await api.get(f"ActivityDefinition/{activity_id('graded-exposure', '1.1.0')}/$apply", params=params)
    assert answer.status_code == status, answer.text
    if place is not None:
        assert answer.json()["issue"][0]["expression"] == [place]


async def test_several_subjects_are_refused(api: httpx.AsyncClient) -> None:
    query = [("subject", "Patient/p"), ("subject", "Patient/q")]
    answer = await api.get(f"ActivityDefinition/{activity_id('graded-exposure', '1.1.0')}/$apply", params=query)
    assert answer.status_code == 400
