"""Questionnaire/$populate: what a response begins with, from whom it is known, and what is left to the person."""

from typing import Any

import httpx
import pytest

from fhir_mappings.questionnaire import check_response, compile_questionnaire
from fhir_mappings.sdc.populate import ORIGIN
from schemas import json
from schemas.validate import validate

Json = dict[str, Any]
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
QUERY, PATH = "application/x-fhir-query", "text/fhirpath"


def expression(url: str, text: str, language: str = PATH, name: str | None = None) -> Json:
    said = {"language": language, "expression": text} | ({"name": name} if name else {})
    return {"url": url, "valueExpression": said}


def initial(text: str, language: str = PATH) -> Json:
    return expression(SDC + "initialExpression", text, language)


def variable(name: str, text: str, language: str = PATH) -> Json:
    return expression("http://hl7.org/fhir/StructureDefinition/variable", text, language, name)


def launch(name: str, kind: str) -> Json:
    code = {"system": "http://hl7.org/fhir/uv/sdc/CodeSystem/launchContext", "code": name}
    return {
        "url": SDC + "launchContext",
        "extension": [{"url": "name", "valueCoding": code}, {"url": "type", "valueCode": kind}],
    }


def item(link_id: str, kind: str = "string", *extension: Json, **more: Any) -> Json:
    return {"linkId": link_id, "type": kind, **({"extension": list(extension)} if extension else {}), **more}


def form(*items: Json, extension: tuple[Json, ...] = (), **more: Any) -> Json:
    body: Json = {"resourceType": "Questionnaire", "id": "f", "url": "urn:test:f", "version": "1", "status": "active"}
    body |= {"extension": list(extension)} if extension else {}
    return body | more | {"item": list(items)}


PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "birthDate": "1990-05-02",
    "gender": "female",
    "name": [{"given": ["Ann", "Bea"], "family": "Case"}],
}


@pytest.fixture
async def api(api: httpx.AsyncClient) -> httpx.AsyncClient:
    await keep(api, PATIENT, {"resourceType": "Patient", "id": "other"})
    return api


async def keep(http: httpx.AsyncClient, *bodies: Json) -> None:
    for body in bodies:
        answer = await http.put(f"{body['resourceType']}/{body['id']}", json=body)
        assert answer.status_code in (200, 201), answer.text


async def populated(api: httpx.AsyncClient, sent: Json, *parameters: Json) -> tuple[Json, list[Json]]:
    """The answers by linkId (values only), and the issues; the response passes every check a draft has to pass."""
    await keep(api, sent)
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "subject", "valueReference": {"reference": "Patient/p"}}],
    }
    body["parameter"] += list(parameters)
    answer = await api.post(f"Questionnaire/{sent['id']}/$populate", json=body)
    assert answer.status_code == 200, answer.text
    made = json.decode(answer.content)
    assert validate(made) == []
    found = {each["name"]: each["resource"] for each in made["parameter"]}
    response = found["response"]
    assert response["status"] == "in-progress"
    assert check_response(response, compile_questionnaire(sent)) == []
    return response, found.get("issues", {}).get("issue", [])


def values(response: Json) -> Json:
    return {
        each["linkId"]: [next(v for k, v in answer.items() if k.startswith("value")) for answer in each["answer"]]
        for each in response.get("item", ())
        if "answer" in each
    }


def origin(response: Json, link_id: str) -> str:
    (found,) = [each for each in response["item"] if each["linkId"] == link_id]
    (marked,) = [each for each in found["answer"][0]["extension"] if each["url"] == ORIGIN]
    return str(marked["valueCode"])


async def test_initial_expressions_take_what_is_known_of_the_patient(api: httpx.AsyncClient) -> None:
    sent = form(
        item("family", "string", initial("%patient.name.family"), text="Your name"),
        item("given", "string", initial("%patient.name.given"), repeats=True),
        item("born", "date", initial("%patient.birthDate")),
        item("adult", "boolean", initial("%patient.birthDate <= today() - 18 years")),
        item("age", "integer", initial("today().toString().substring(0, 4).toInteger() - %yearBorn")),
        item("who", "reference", initial("%patient")),
        extension=(
            launch("patient", "Patient"),
            variable("yearBorn", "%patient.birthDate.toString().substring(0, 4).toInteger()"),
        ),
    )
    response, issues = await populated(api, sent)
    found = values(response)
    assert issues == []
    assert found["age"][0] > 30
    del found["age"]
    assert found == {
        "family": ["Case"],
        "given": ["Ann", "Bea"],
        "born": ["1990-05-02"],
        "adult": [True],
        "who": [{"reference": "Patient/p"}],
    }
    assert response["questionnaire"] == "urn:test:f|1"
    assert response["subject"] == {"reference": "Patient/p"}
    assert response["item"][0]["text"] == "Your name"
    assert origin(response, "family") == "expression"


async def test_initial_values_and_selected_options_are_taken_where_there_is_no_expression(
    api: httpx.AsyncClient,
) -> None:
    options = [
        {"valueCoding": {"system": "s", "code": "a"}},
        {"valueCoding": {"system": "s", "code": "b"}, "initialSelected": True},
    ]
    sent = form(
        item("n", "integer", initial=[{"valueInteger": 3}]),
        item("c", "choice", answerOption=options),
        item("x", "integer", initial("%patient.name.count()"), initial=[{"valueInteger": 3}]),
        item("none", "integer"),
    )
    response, issues = await populated(api, sent)
    assert values(response) == {"n": [3], "c": [{"system": "s", "code": "b"}], "x": [1]}
    assert origin(response, "n") == "initial"
    assert issues == []


def observation(name: str, when: str, value: int, patient: str = "p", **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        **more,
    }


def linked(months: int) -> Json:
    duration = {"value": months, "unit": "mo", "system": "http://unitsofmeasure.org", "code": "mo"}
    return item(
        "weight",
        "quantity",
        {"url": SDC + "observationLinkPeriod", "valueDuration": duration},
        code=[{"system": "http://loinc.org", "code": "29463-7"}],
    )


async def test_the_newest_observation_within_the_period_is_taken(api: httpx.AsyncClient) -> None:
    await keep(
        api,
        observation("old", "2001-01-01T10:00:00Z", 60),
        observation("newer", "2002-01-01T10:00:00Z", 61),
        observation("wrong", "2003-01-01T10:00:00Z", 62, status="entered-in-error"),
        observation("theirs", "2004-01-01T10:00:00Z", 90, patient="other"),
    )
    response, _ = await populated(api, form(linked(1200)))
    assert values(response)["weight"][0]["value"] == 61
    assert origin(response, "weight") == "observation"
    response, _ = await populated(api, form(linked(1)))
    assert "item" not in response


async def test_queries_are_answered_with_what_the_caller_may_see(house: Any, api: httpx.AsyncClient) -> None:
    await keep(api, observation("o", "2026-01-01T10:00:00Z", 61), observation("t", "2026-01-02T10:00:00Z", 90, "other"))
    sent = form(
        item("last", "decimal", initial("%weights.entry.resource.value.value")),
        item("count", "integer", initial("%weights.entry.count()")),
        extension=(
            launch("patient", "Patient"),
            variable("weights", "Observation?code=http://loinc.org|29463-7&patient={{%patient.id}}", QUERY),
        ),
    )
    response, issues = await populated(api, sent)
    assert (values(response), issues) == ({"last": [61], "count": [1]}, [])
    async with house.client(await house.token("system/Questionnaire.cruds system/Patient.r")) as http:
        response, issues = await populated(http, sent)
    assert values(response) == {"count": [0]}
    assert [each["code"] for each in issues] == ["forbidden"]


@pytest.mark.parametrize(
    "query",
    [
        "Observation?patient={{%nobody.id}}",
        "Observation?patient={{%patient.link.id}}",
        "Observation?patinet={{%patient.id}}",
        "Observation",
        "https://elsewhere.example/Observation?patient={{%patient.id}}",
        "Observation?patient={{%patient.id",
        "Medication?code=x",
    ],
)
async def test_a_query_that_cannot_be_asked_finds_nothing(api: httpx.AsyncClient, query: str) -> None:
    await keep(api, observation("o", "2026-01-01T10:00:00Z", 61))
    sent = form(item("a", "integer", initial("%q.entry.count()")), extension=(variable("q", query, QUERY),))
    response, _ = await populated(api, sent)
    assert values(response) in ({"a": [0]}, {})


async def test_no_answer_can_widen_a_query(api: httpx.AsyncClient) -> None:
    await keep(api, observation("o", "2026-01-01T10:00:00Z", 61), observation("t", "2026-01-02T10:00:00Z", 90, "other"))
    content = {"resourceType": "Basic", "id": "p,other", "code": {"text": "p&patient=other"}}
    sent = form(
        item("a", "integer", initial("%q.entry.count()")),
        extension=(variable("q", "Observation?code=29463-7&patient={{%trick.code.text}}", QUERY),),
    )
    content["id"] = "x"
    context = {
        "name": "context",
        "part": [{"name": "name", "valueString": "trick"}, {"name": "content", "resource": content}],
    }
    response, _ = await populated(api, sent, context)
    assert values(response) in ({"a": [0]}, {})


async def test_source_queries_are_a_batch_that_the_form_contains(api: httpx.AsyncClient) -> None:
    await keep(api, observation("o", "2026-01-01T10:00:00Z", 61))
    request = {"method": "GET", "url": "Observation?code=29463-7&patient={{%patient.id}}"}
    batch = {"resourceType": "Bundle", "id": "records", "type": "batch", "entry": [{"request": request}]}
    sent = form(
        item("a", "integer", initial("%records.entry[0].resource.entry.count()")),
        contained=[batch],
        extension=({"url": SDC + "sourceQueries", "valueReference": {"reference": "#records"}},),
    )
    response, issues = await populated(api, sent)
    assert (values(response), issues) == ({"a": [1]}, [])


@pytest.mark.parametrize("language", [PATH, QUERY])
async def test_a_group_repeats_for_each_thing_of_its_context(api: httpx.AsyncClient, language: str) -> None:
    await keep(api, observation("o", "2026-01-01T10:00:00Z", 61), observation("n", "2026-01-02T10:00:00Z", 62))
    text = "%patient.name.given" if language == PATH else "Observation?patient={{%patient.id}}&_sort=date"
    one = (
        item("one", "string", initial("%each"))
        if language == PATH
        else item("one", "decimal", initial("%each.value.value"))
    )
    context = expression(SDC + "itemPopulationContext", text, language, "each")
    sent = form(item("g", "group", context, repeats=True, item=[one]))
    response, issues = await populated(api, sent)
    found = [values(each)["one"] for each in response["item"]]
    assert (found, issues) == ([["Ann"], ["Bea"]] if language == PATH else [[61], [62]], [])
    sent["item"][0]["repeats"] = False
    response, issues = await populated(api, sent)
    assert "item" not in response
    assert [each["severity"] for each in issues] == ["warning"]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (item("a", "string", initial("Name", "text/cql")), "text/cql"),
        (item("a", "string", initial("%nobody.name")), "%nobody has no value"),
        (item("a", "string", initial("%patient.name.given")), "there are 2 values"),
        (item("a", "integer", initial("%patient.name.family")), "not of the type integer"),
        (item("a", "integer", initial("%patient.name.given.count()"), maxLength=None), ""),
        (item("a", "string", initial("%patient.name.family"), maxLength=2), "at most 2 characters"),
        (item("a", "string", initial("%patient.name.where(")), "no FHIRPath"),
    ],
)
async def test_what_cannot_be_filled_in_is_left_to_the_person_with_the_reason(
    api: httpx.AsyncClient, sent: Json, why: str
) -> None:
    sent = {name: value for name, value in sent.items() if value is not None}
    response, issues = await populated(api, form(sent, item("b", "string", initial("%patient.id"))))
    assert values(response)["b"] == ["p"]
    if why:
        (only,) = issues
        assert (only["severity"], only["details"]["coding"][0]["code"]) == ("warning", "not-populated")
        assert why in only["diagnostics"]
        assert "linkId='a'" in only["expression"][0]
        assert "a" not in values(response)


async def test_a_context_that_the_form_asks_for_and_nobody_gave_is_said_to_be_missing(api: httpx.AsyncClient) -> None:
    sent = form(item("a", "string", initial("%study.title")), extension=(launch("study", "ResearchStudy"),))
    response, issues = await populated(api, sent)
    assert "item" not in response
    assert [each["code"] for each in issues] == ["incomplete"]


async def test_contexts_are_sent_or_named_and_an_encounter_becomes_the_responses(api: httpx.AsyncClient) -> None:
    await keep(api, {"resourceType": "Encounter", "id": "e", "status": "planned", "class": {"code": "AMB"}})
    sent = form(item("a", "string", initial("%encounter.status")), extension=(launch("encounter", "Encounter"),))
    content = {"name": "content", "valueReference": {"reference": "Encounter/e"}}
    context = {"name": "context", "part": [{"name": "name", "valueString": "encounter"}, content]}
    response, issues = await populated(api, sent, context)
    assert (values(response), issues) == ({"a": ["planned"]}, [])
    assert response["encounter"] == {"reference": "Encounter/e"}


async def test_without_local_the_records_are_not_looked_through(api: httpx.AsyncClient) -> None:
    await keep(api, observation("o", "2026-01-01T10:00:00Z", 61))
    count = item("a", "integer", initial("%q.entry.count()"))
    sent = form(linked(1200), count, extension=(variable("q", "Observation?patient={{%patient.id}}", QUERY),))
    response, _ = await populated(api, sent, {"name": "local", "valueBoolean": False})
    assert values(response) == {"a": [0]}


async def test_computed_answers_are_there_from_the_beginning(api: httpx.AsyncClient) -> None:
    total = expression(SDC + "calculatedExpression", "%resource.item.where(linkId='n').answer.value * 2")
    response, _ = await populated(
        api, form(item("n", "integer", initial=[{"valueInteger": 3}]), item("t", "integer", total))
    )
    assert values(response) == {"n": [3], "t": [6]}


async def test_the_form_may_be_sent_or_named_and_nothing_is_stored(api: httpx.AsyncClient) -> None:
    sent = form(item("a", "string", initial("%patient.id")))
    subject = {"name": "subject", "valueReference": {"reference": "Patient/p"}}
    parameters = [{"name": "questionnaire", "resource": sent}, subject]
    answer = await api.post("Questionnaire/$populate", json={"resourceType": "Parameters", "parameter": parameters})
    assert answer.status_code == 200, answer.text
    await keep(api, sent)
    for query in ("canonical=urn:test:f", "canonical=urn:test:f|1", "questionnaireRef=Questionnaire/f"):
        answer = await api.get(f"Questionnaire/$populate?subject=Patient/p&{query}")
        assert answer.status_code == 200, answer.text
        assert values(answer.json()["parameter"][0]["resource"]) == {"a": ["p"]}
    assert (await api.get("QuestionnaireResponse")).json()["total"] == 0


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("subject=Observation/o", 400),
        ("subject=Patient/nobody", 404),
        ("subject=Patient/p&canonical=urn:x", 400),
        ("subject=Patient/p&what=1", 400),
    ],
)
async def test_what_is_asked_wrongly_is_refused(api: httpx.AsyncClient, query: str, status: int) -> None:
    await keep(api, form(item("a")))
    answer = await api.get(f"Questionnaire/f/$populate?{query}")
    assert answer.status_code == status, answer.text


async def test_an_expression_cannot_take_more_than_its_steps(api: httpx.AsyncClient) -> None:
    hungry = ".select(%questionnaire.descendants()".join(["%questionnaire.descendants()", "", "", ""]) + ")))"
    response, issues = await populated(api, form(item("a", "integer", initial(f"{hungry}.count()"))))
    assert "item" not in response
    assert issues
