"""transaction. https://hl7.org/fhir/R4/http.html#transaction"""

import json
from base64 import b64encode
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

Json = dict[str, Any]
SYSTEM: Final = "https://example.org/mrn"
JSON_PATCH: Final = "application/json-patch+json"


def patient(value: str | None = None, **members: Any) -> Json:
    identifier = {} if value is None else {"identifier": [{"system": SYSTEM, "value": value}]}
    return {"resourceType": "Patient"} | identifier | members


def flag(subject: str, **members: Any) -> Json:
    return {
        "resourceType": "Flag",
        "status": "active",
        "code": {"text": "x"},
        "subject": {"reference": subject},
    } | members


def entry(method: str, url: str, resource: Json | None = None, full_url: str | None = None, **request: str) -> Json:
    made: Json = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        made["resource"] = resource
    return made if full_url is None else {"fullUrl": full_url} | made


def urn() -> str:
    return f"urn:uuid:{uuid4()}"


async def sent(api: httpx.AsyncClient, *entries: Json, **headers: str) -> httpx.Response:
    body = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
    return await api.post("", json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def answers(answer: httpx.Response) -> list[Json]:
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "transaction-response"
    entries: list[Json] = answer.json()["entry"]
    return entries


def statuses(answer: httpx.Response) -> list[str]:
    return [each["response"]["status"][:3] for each in answers(answer)]


def places(answer: httpx.Response) -> list[str]:
    """Where the faults are."""
    return [issue["expression"][0] for issue in answer.json()["issue"]]


def code(answer: httpx.Response) -> str:
    return str(answer.json()["issue"][0]["details"]["coding"][0]["code"])


async def total(api: httpx.AsyncClient, search: str) -> int:
    return int((await api.get(f"{search}{'&' if '?' in search else '?'}_summary=count")).json()["total"])


async def written(api: httpx.AsyncClient) -> list[str]:
    """All versions of all resources, and the audit of their writing; not that of reading, which is shipped later."""
    entries = (await api.get("_history?_count=1000")).json()["entry"]
    return [
        f"{each['fullUrl']} {each['response']['etag']}"
        for each in entries
        if each.get("resource", {}).get("action", "C") in "CUD"
    ]


# --- what is refused, and where -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "status", "place"),
    [
        (entry("POST", "Patient", patient(gender="unsure")), 400, "Bundle.entry[1].resource.gender"),
        (entry("POST", "Observation", patient()), 400, "Bundle.entry[1].resource"),
        (entry("POST", "Patient"), 400, "Bundle.entry[1]"),
        (entry("PUT", "Patient/q", patient()), 400, "Bundle.entry[1].resource.id"),
        (entry("PUT", "Patient/q", patient(id="r")), 400, "Bundle.entry[1].resource.id"),
        (entry("PUT", "Patient/a_b", patient(id="a_b")), 400, "Bundle.entry[1].resource.id"),
        (entry("PUT", "Patient/old", patient(id="old"), ifMatch='W/"1"'), 412, "Bundle.entry[1]"),
        (entry("PUT", "Patient/new", patient(id="new"), ifMatch='W/"1"'), 412, "Bundle.entry[1]"),
        (entry("PUT", "Patient/old", patient(id="old"), ifNoneMatch="*"), 412, "Bundle.entry[1]"),
        (entry("DELETE", "Patient/nobody"), 404, "Bundle.entry[1]"),
        (entry("DELETE", "Patient/old", ifMatch='W/"1"'), 412, "Bundle.entry[1]"),
        (entry("DELETE", "Patient?name=twin"), 412, "Bundle.entry[1]"),
        (entry("DELETE", "Patient"), 400, "Bundle.entry[1]"),
        (entry("PATCH", "Patient/nobody", {"resourceType": "Parameters"}), 404, "Bundle.entry[1]"),
        (entry("PATCH", "Patient?name=none", {"resourceType": "Parameters"}), 404, "Bundle.entry[1]"),
        (entry("PATCH", "Patient/old", patient()), 400, "Bundle.entry[1]"),
        (entry("GET", "Patient/nobody"), 404, "Bundle.entry[1]"),
        (entry("GET", "Patient/gone"), 410, "Bundle.entry[1]"),
        (entry("GET", "Patient?nonsense=1"), 400, "Bundle.entry[1].request"),
        (entry("GET", "Nonsense/1"), 404, "Bundle.entry[1]"),
        (entry("GET", "a/b/c/d/e"), 404, "Bundle.entry[1].request.url"),
        (entry("POST", "/", {"resourceType": "Bundle", "type": "batch"}), 404, "Bundle.entry[1].request.url"),
        (entry("GET", "metadata"), 404, "Bundle.entry[1].request.url"),
        (entry("POST", "Patient", patient(), ifNoneExist="name=twin"), 412, "Bundle.entry[1]"),
        (entry("POST", "Patient", patient(), ifNoneExist="_count=1"), 400, "Bundle.entry[1]"),
        (entry("POST", "Patient", patient(), ifNoneExist="nmae=x"), 400, "Bundle.entry[1].request"),
        (entry("PUT", "Patient?name=twin", patient()), 412, "Bundle.entry[1]"),
        (entry("PUT", "Patient", patient()), 400, "Bundle.entry[1]"),
        (entry("PUT", "AuditEvent/x", {"resourceType": "AuditEvent", "id": "x"}), 405, "Bundle.entry[1]"),
        (entry("POST", "Flag", flag("urn:uuid:none")), 400, "Bundle.entry[1].resource.subject.reference"),
        (entry("POST", "Flag", flag("Patient?name=none")), 400, "Bundle.entry[1].resource.subject.reference"),
        (entry("POST", "Flag", flag("Patient?name=twin")), 400, "Bundle.entry[1].resource.subject.reference"),
        (entry("POST", "Flag", flag("Task/1")), 400, "Bundle.entry[1].resource.subject"),
    ],
    ids=lambda value: json.dumps(value["request"])[:70] if isinstance(value, dict) else "",
)
async def test_one_refused_entry_refuses_all_and_says_which_it_is(
    api: httpx.AsyncClient, bad: Json, status: int, place: str
) -> None:
    for name in ("old", "gone"):
        await api.put(f"Patient/{name}", json=patient(id=name, active=True))
    await api.put("Patient/old", json=patient(id="old", active=False))
    await api.delete("Patient/gone")
    for _ in range(2):
        await api.post("Patient", json=patient(name=[{"family": "Twin"}]))
    before = await written(api)

    answer = await sent(api, entry("POST", "Patient", patient("good")), bad, entry("DELETE", "Patient/old"))

    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert places(answer)[0].startswith(place), places(answer)
    assert await written(api) == before


async def test_tells_the_faults_of_all_entries_at_once(api: httpx.AsyncClient) -> None:
    answer = await sent(
        api,
        entry("POST", "Patient", patient(gender="unsure")),
        entry("POST", "Patient", patient()),
        entry("PUT", "Task/t", {"resourceType": "Task", "id": "t", "status": "ready"}),
    )
    assert answer.status_code == 400
    assert places(answer) == ["Bundle.entry[0].resource.gender", "Bundle.entry[2].resource.intent"]


async def test_tells_every_reference_that_leads_nowhere_at_once(api: httpx.AsyncClient) -> None:
    extension = {"url": "https://example.org/x", "valueReference": {"reference": "urn:uuid:b"}}
    answer = await sent(api, entry("POST", "Flag", flag("urn:uuid:a", extension=[extension])))
    assert code(answer) == "reference-unresolved"
    assert places(answer) == [
        "Bundle.entry[0].resource.subject.reference",
        "Bundle.entry[0].resource.extension[0].valueReference.reference",
    ]


@pytest.mark.parametrize(
    "entries",
    [
        [entry("PUT", "Patient/p", patient(id="p", active=False))] * 2,
        [entry("PUT", "Patient/p", patient(id="p", active=False)), entry("DELETE", "Patient/p")],
        [entry("DELETE", "Patient/p"), entry("DELETE", "Patient/p")],
        [entry("PUT", f"Patient?identifier={SYSTEM}|1", patient("1", active=False)), entry("DELETE", "Patient/p")],
        [entry("DELETE", "Patient/p"), entry("POST", "Patient", patient("1"), ifNoneExist=f"identifier={SYSTEM}|1")],
        [entry("POST", "Patient", patient("9"), ifNoneExist=f"identifier={SYSTEM}|9")] * 2,
        [entry("PUT", f"Patient?identifier={SYSTEM}|9", patient("9"))] * 2,
    ],
)
async def test_refuses_to_write_a_resource_twice(api: httpx.AsyncClient, entries: list[Json]) -> None:
    await api.put("Patient/p", json=patient("1", id="p", active=True))
    answer = await sent(api, entry("POST", "Patient", patient("2")), *entries)
    assert answer.status_code == 400
    assert code(answer) == "written-twice"
    assert places(answer) == ["Bundle.entry[2]"]
    assert (await api.get("Patient/p")).json()["meta"]["versionId"] == "1"
    assert await total(api, "Patient") == 1


async def test_refuses_a_full_url_that_stands_twice(api: httpx.AsyncClient) -> None:
    one = urn()
    answer = await sent(api, entry("POST", "Patient", patient(), one), entry("POST", "Patient", patient(), one))
    assert answer.status_code == 400
    assert places(answer)[0].startswith("Bundle.entry[1]")


async def test_an_answer_that_breaks_its_questionnaire_is_located_too(api: httpx.AsyncClient) -> None:
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "questionnaire": "https://example.org/q",
    }
    answer = await sent(api, entry("POST", "Patient", patient()), entry("POST", "QuestionnaireResponse", response))
    assert answer.status_code == 422
    assert places(answer) == ["Bundle.entry[1].resource.questionnaire"]
    assert await total(api, "Patient") == 0


async def test_nothing_of_a_refused_transaction_is_in_the_audit_as_written(api: httpx.AsyncClient) -> None:
    await sent(api, entry("POST", "Patient", patient()), entry("GET", "Patient/nobody"))
    history = (await api.get("AuditEvent/_history")).json().get("entry", [])
    assert "create" not in {each["resource"]["subtype"][0]["code"] for each in history}


async def test_what_the_scope_does_not_allow_refuses_all(house: Any) -> None:
    async with house.client(await house.token("system/Patient.cruds")) as api:
        answer = await sent(api, entry("POST", "Patient", patient()), entry("POST", "Flag", flag("Patient/1")))
        assert answer.status_code == 403
        assert places(answer) == ["Bundle.entry[1]"]
        assert await total(api, "Patient") == 0


# --- outcomes -----------------------------------------------------------------------------------------------------------


async def test_an_empty_transaction_has_an_empty_answer(api: httpx.AsyncClient) -> None:
    answer = await api.post("", json={"resourceType": "Bundle", "type": "transaction"})
    assert answer.json() == {"resourceType": "Bundle", "type": "transaction-response"}


async def test_answers_stand_in_the_order_of_the_entries(api: httpx.AsyncClient) -> None:
    for name in ("p", "q"):
        await api.put(f"Patient/{name}", json=patient(id=name, active=True))
    answer = await sent(
        api,
        entry("GET", "Patient/p"),
        entry("PUT", "Patient/p", patient(id="p", active=False)),
        entry("POST", "Patient", patient("1")),
        entry("PUT", "Patient/r", patient(id="r")),
        entry("DELETE", "Patient/q"),
        entry("HEAD", "Patient/r"),
    )
    assert statuses(answer) == ["200", "200", "201", "201", "204", "200"]
    read, changed, made, put, deleted, head = answers(answer)
    assert read["resource"]["active"] is False
    assert changed["response"]["etag"] == 'W/"2"'
    assert made["response"]["location"].endswith(f"/Patient/{made['resource']['id']}/_history/1")
    assert made["response"]["lastModified"] == made["resource"]["meta"]["lastUpdated"]
    assert put["response"]["location"].endswith("/Patient/r/_history/1")
    assert deleted == {"response": {"status": "204 No Content"} | _times(deleted)}
    assert "resource" not in head


def _times(each: Json) -> Json:
    return {name: each["response"][name] for name in ("lastModified", "etag") if name in each["response"]}


async def test_reads_see_what_was_written_wherever_they_stand(api: httpx.AsyncClient) -> None:
    answer = await sent(
        api,
        entry("GET", f"Patient?identifier={SYSTEM}|1"),
        entry("POST", f"Patient/_search?identifier={SYSTEM}|1"),
        entry("GET", "Patient/p/_history"),
        entry("PUT", "Patient/p", patient("1", id="p")),
    )
    found, searched, history, _ = answers(answer)
    assert [each["resource"]["id"] for each in found["resource"]["entry"]] == ["p"]
    assert [each["resource"]["id"] for each in searched["resource"]["entry"]] == ["p"]
    assert len(history["resource"]["entry"]) == 1


async def test_a_conditional_read_says_not_modified(api: httpx.AsyncClient) -> None:
    made = (await api.put("Patient/p", json=patient(id="p"))).json()
    answer = await sent(
        api,
        entry("GET", "Patient/p", ifNoneMatch='W/"1"'),
        entry("GET", "Patient/p", ifModifiedSince=made["meta"]["lastUpdated"]),
    )
    assert statuses(answer) == ["304", "304"]


async def test_an_operation_is_answered_as_a_resource(api: httpx.AsyncClient) -> None:
    answer = await sent(api, entry("POST", "Patient/$validate", patient()), Prefer="return=OperationOutcome")
    assert answers(answer)[0]["resource"]["resourceType"] == "OperationOutcome"


async def test_an_entry_that_changes_nothing_makes_no_version(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient(id="p"))
    answer = await sent(api, entry("PUT", "Patient/p", patient(id="p")), entry("POST", "Patient", patient()))
    assert statuses(answer) == ["200", "201"]
    assert answers(answer)[0]["response"]["etag"] == 'W/"1"'


async def test_all_entries_have_one_time(api: httpx.AsyncClient) -> None:
    answer = await sent(api, *(entry("POST", "Patient", patient()) for _ in range(40)))
    assert len({each["response"]["lastModified"] for each in answers(answer)}) == 1


async def test_addresses_may_be_absolute_within_the_base(api: httpx.AsyncClient) -> None:
    answer = await sent(api, entry("PUT", f"{api.base_url}Patient/p", patient(id="p")), entry("GET", "/Patient/p"))
    assert statuses(answer) == ["201", "200"]


async def test_prefer_minimal_leaves_the_resources_out(api: httpx.AsyncClient) -> None:
    answer = await sent(api, entry("POST", "Patient", patient()), entry("PUT", "Patient/p", patient(id="p")),
                        Prefer="return=minimal")  # fmt: skip
    assert all("resource" not in each and each["response"]["location"] for each in answers(answer))


async def test_prefer_outcome_puts_an_outcome_into_each_response(api: httpx.AsyncClient) -> None:
    await api.put("Patient/q", json=patient(id="q"))
    answer = await sent(
        api,
        entry("POST", "Patient", patient()),
        entry("PUT", "Patient/q", patient(id="q")),
        entry("GET", "Patient/q"),
        Prefer="return=OperationOutcome",
    )
    made, same, read = answers(answer)
    assert made["response"]["outcome"]["issue"][0]["severity"] == "information"
    assert same["response"]["outcome"]["issue"][0]["severity"] == "information"
    assert "resource" not in made
    assert "resource" not in same
    assert read["resource"]["id"] == "q"


async def test_every_entry_is_in_the_audit(api: httpx.AsyncClient) -> None:
    await api.put("Patient/q", json=patient(id="q"))
    await sent(api, entry("POST", "Flag", flag("Patient/q")), entry("DELETE", "Patient/q"))
    history = (await api.get("AuditEvent/_history")).json()["entry"]
    codes = [each["resource"]["subtype"][0]["code"] for each in history]
    assert sorted(codes) == ["create", "create", "delete"]


# --- references ---------------------------------------------------------------------------------------------------------


async def test_references_lead_to_the_new_ids_wherever_they_stand(api: httpx.AsyncClient) -> None:
    one, two = urn(), urn()
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{one}">x</a></div>'},
        "contained": [{"resourceType": "Flag", "id": "f", "status": "active", "code": {"text": "x"},
                       "subject": {"reference": one}}],
        "extension": [
            {"url": "https://example.org/a", "valueReference": {"reference": one}},
            {"url": "https://example.org/b", "extension": [{"url": "https://example.org/c", "valueUri": one}]},
        ],
        "subject": {"reference": one, "_display": {"extension": [{"url": "https://example.org/d", "valueUrl": two}]}},
        "author": [{"reference": one}, {"reference": "#f"}],
        "content": [{"attachment": {"contentType": "text/plain", "url": two}}],
    }  # fmt: skip
    answer = await sent(
        api,
        entry("POST", "DocumentReference", document),
        entry("POST", "Patient", patient(), one),
        entry("POST", "Binary", {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}, two),
    )
    made, person, binary = (each["resource"] for each in answers(answer))
    to_person, to_binary = f"Patient/{person['id']}", f"Binary/{binary['id']}"
    assert f'href="{to_person}"' in made["text"]["div"]
    assert made["contained"][0]["subject"]["reference"] == to_person
    assert made["extension"][0]["valueReference"]["reference"] == to_person
    assert made["extension"][1]["extension"][0]["valueUri"] == to_person
    assert made["subject"]["reference"] == to_person
    assert made["subject"]["_display"]["extension"][0]["valueUrl"] == to_binary
    assert made["author"][0]["reference"] == to_person
    assert made["content"][0]["attachment"]["url"] == to_binary
    assert await total(api, f"DocumentReference?subject={to_person}") == 1


async def test_what_is_no_link_stays_as_it_was_sent(api: httpx.AsyncClient) -> None:
    one = urn()
    identifier = {"system": "urn:ietf:rfc:3986", "value": one}
    body = patient(identifier=[identifier], name=[{"text": one}])
    answer = await sent(api, entry("POST", "Patient", body, one))
    made = answers(answer)[0]["resource"]
    assert made["identifier"] == [identifier]
    assert made["name"] == [{"text": one}]


async def test_a_canonical_stays_as_it_was_sent(api: httpx.AsyncClient) -> None:
    one = urn()
    plan = {"resourceType": "PlanDefinition", "status": "draft", "url": one}
    task = {"resourceType": "Task", "status": "draft", "intent": "order", "instantiatesCanonical": one}
    answer = await sent(api, entry("POST", "PlanDefinition", plan, urn()), entry("POST", "Task", task))
    assert answers(answer)[1]["resource"]["instantiatesCanonical"] == one


async def test_references_may_go_in_circles_and_forward(api: httpx.AsyncClient) -> None:
    plan, goal, person = urn(), urn(), urn()
    careplan: Json = {"resourceType": "CarePlan", "status": "active", "intent": "plan"}
    careplan |= {"subject": {"reference": person}, "goal": [{"reference": goal}]}
    target: Json = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}}
    target |= {"subject": {"reference": person}}
    target |= {"extension": [{"url": "https://example.org/x", "valueReference": {"reference": plan}}]}
    answer = await sent(
        api,
        entry("POST", "CarePlan", careplan, plan),
        entry("POST", "Goal", target, goal),
        entry("POST", "Patient", patient(), person),
    )
    made_plan, made_goal, made_person = (each["resource"] for each in answers(answer))
    assert made_plan["goal"][0]["reference"] == f"Goal/{made_goal['id']}"
    assert made_goal["extension"][0]["valueReference"]["reference"] == f"CarePlan/{made_plan['id']}"
    assert made_plan["subject"]["reference"] == f"Patient/{made_person['id']}"


@pytest.mark.parametrize(
    "full_url", ["urn:uuid:1b4e28ba-2fa1-41d2-883f-0016d3cca427", "https://example.org/fhir/Patient/9"]
)
async def test_the_full_url_of_a_put_leads_to_its_address(api: httpx.AsyncClient, full_url: str) -> None:
    answer = await sent(
        api, entry("POST", "Flag", flag(full_url)), entry("PUT", "Patient/p", patient(id="p"), full_url)
    )
    assert answers(answer)[0]["resource"]["subject"]["reference"] == "Patient/p"


async def test_a_relative_reference_is_relative_to_where_the_entry_came_from(api: httpx.AsyncClient) -> None:
    root = "https://example.org/fhir"
    answer = await sent(
        api,
        entry("POST", "Patient", patient(id="7"), f"{root}/Patient/7"),
        entry("POST", "Flag", flag("Patient/7"), f"{root}/Flag/1"),
        entry("POST", "Flag", flag("Patient/7"), urn()),
        entry("POST", "Flag", flag("Patient/8"), f"{root}/Flag/2"),
    )
    person, near, other, elsewhere = (each["resource"] for each in answers(answer))
    assert near["subject"]["reference"] == f"Patient/{person['id']}"
    assert other["subject"]["reference"] == "Patient/7"
    assert elsewhere["subject"]["reference"] == "Patient/8"


async def test_an_absolute_reference_to_another_server_stays(api: httpx.AsyncClient) -> None:
    answer = await sent(api, entry("POST", "Flag", flag("https://example.org/fhir/Patient/1")))
    assert answers(answer)[0]["resource"]["subject"]["reference"] == "https://example.org/fhir/Patient/1"


async def test_a_conditional_reference_leads_to_its_match(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("a|b&c", id="p"))
    search = f"Patient?identifier={SYSTEM}%7Ca%5C%7Cb%26c"
    extension = {"url": "https://example.org/x", "valueReference": {"reference": search}}
    answer = await sent(api, *(entry("POST", "Flag", flag(search, extension=[extension])) for _ in range(3)))
    for each in answers(answer):
        assert each["resource"]["subject"]["reference"] == "Patient/p"
        assert each["resource"]["extension"][0]["valueReference"]["reference"] == "Patient/p"


async def test_a_conditional_reference_may_find_what_the_transaction_makes(api: httpx.AsyncClient) -> None:
    goal: Json = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "x"}}
    goal |= {"identifier": [{"system": SYSTEM, "value": "g"}]}
    plan: Json = {"resourceType": "CarePlan", "status": "active", "intent": "plan"}
    subject: Json = {"subject": {"reference": f"Patient?identifier={SYSTEM}|1"}}
    answer = await sent(
        api,
        entry("POST", "CarePlan", plan | subject | {"goal": [{"reference": f"Goal?identifier={SYSTEM}|g"}]}),
        entry("POST", "Goal", goal | subject),
        entry("POST", "Patient", patient("1")),
        entry("GET", "CarePlan?_include=CarePlan:goal"),
    )
    made, target, person, found = (each["resource"] for each in answers(answer))
    assert made["subject"] == target["subject"] == {"reference": f"Patient/{person['id']}"}
    assert made["goal"] == [{"reference": f"Goal/{target['id']}"}]
    assert len(found["entry"]) == 2


async def test_conditional_references_that_only_find_each_other_find_nothing(api: httpx.AsyncClient) -> None:
    def body(own: str, other: str) -> Json:
        reference = {"subject": {"reference": f"Flag?identifier={SYSTEM}|{other}"}}
        extension = {"extension": [{"url": "https://example.org/x", "valueReference": reference["subject"]}]}
        return flag("Patient/1", identifier=[{"system": SYSTEM, "value": own}], **extension)

    answer = await sent(api, entry("POST", "Flag", body("a", "b")), entry("POST", "Flag", body("b", "a")))
    assert (answer.status_code, code(answer)) == (400, "reference-unresolved")
    assert [place[:15] for place in places(answer)] == ["Bundle.entry[0]", "Bundle.entry[1]"]
    assert await total(api, "Flag") == 0


async def test_a_conditional_reference_must_find_one(api: httpx.AsyncClient) -> None:
    twins = [entry("POST", "Patient", patient("1")) for _ in range(2)]
    answer = await sent(api, entry("POST", "Flag", flag(f"Patient?identifier={SYSTEM}|1")), *twins)
    assert answer.status_code == 400
    assert places(answer) == ["Bundle.entry[0].resource.subject.reference"]
    assert await total(api, "Patient") == 0


@pytest.mark.parametrize("kind", ["batch", None])
async def test_outside_of_a_transaction_a_conditional_reference_is_refused(
    api: httpx.AsyncClient, kind: str | None
) -> None:
    await api.put("Patient/p", json=patient("1", id="p"))
    body = flag(f"Patient?identifier={SYSTEM}|1")
    if kind is None:
        answer = await api.post("Flag", json=body)
        assert (answer.status_code, code(answer)) == (400, "reference-conditional")
    else:
        answer = await api.post(
            "", json={"resourceType": "Bundle", "type": kind, "entry": [entry("POST", "Flag", body)]}
        )
        assert answer.json()["entry"][0]["response"]["status"] == "400 Bad Request"
    assert await total(api, "Flag") == 0


# --- conditions ---------------------------------------------------------------------------------------------------------


async def test_a_conditional_create_makes_what_is_not_there(api: httpx.AsyncClient) -> None:
    one = urn()
    answer = await sent(
        api,
        entry("POST", "Flag", flag(one)),
        entry("POST", "Patient", patient("1"), one, ifNoneExist=f"identifier={SYSTEM}|1"),
    )
    made, person = answers(answer)
    assert person["response"]["status"] == "201 Created"
    assert made["resource"]["subject"]["reference"] == f"Patient/{person['resource']['id']}"


async def test_references_to_a_conditional_create_lead_to_what_was_there(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("1", id="p"))
    one = urn()
    answer = await sent(
        api,
        entry("POST", "Flag", flag(one)),
        entry("POST", "Patient", patient("1", active=True), one, ifNoneExist=f"identifier={SYSTEM}|1"),
    )
    made, person = answers(answer)
    assert person["response"]["status"] == "200 OK"
    assert person["response"]["location"].endswith("/Patient/p/_history/1")
    assert made["resource"]["subject"]["reference"] == "Patient/p"
    assert "active" not in (await api.get("Patient/p")).json()


@pytest.mark.parametrize("exists", [True, False])
async def test_references_to_a_conditional_update_lead_to_its_resource(api: httpx.AsyncClient, exists: bool) -> None:
    if exists:
        await api.put("Patient/p", json=patient("1", id="p"))
    one = urn()
    answer = await sent(
        api,
        entry("POST", "Flag", flag(one)),
        entry("PUT", f"Patient?identifier={SYSTEM}|1", patient("1", active=True), one),
    )
    made, person = answers(answer)
    assert person["response"]["status"][:3] == ("200" if exists else "201")
    assert made["resource"]["subject"]["reference"] == f"Patient/{person['resource']['id']}"
    assert await total(api, "Patient") == 1


async def test_a_conditional_delete_takes_the_one_match_and_none_is_fine(api: httpx.AsyncClient) -> None:
    await api.put("Patient/p", json=patient("1", id="p"))
    answer = await sent(
        api,
        entry("DELETE", f"Patient?identifier={SYSTEM}|1"),
        entry("DELETE", f"Patient?identifier={SYSTEM}|2"),
    )
    assert statuses(answer) == ["204", "204"]
    assert (await api.get("Patient/p")).status_code == 410


async def test_patches_by_id_and_by_condition_in_each_form(api: httpx.AsyncClient) -> None:
    for name in ("p", "q"):
        await api.put(f"Patient/{name}", json=patient(name, id=name, active=True))
    one = urn()
    operations = [
        {"op": "replace", "path": "/active", "value": False},
        {"op": "add", "path": "/managingOrganization", "value": {"reference": one}},
    ]
    binary = {
        "resourceType": "Binary",
        "contentType": JSON_PATCH,
        "data": b64encode(json.dumps(operations).encode()).decode(),
    }
    parts = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "managingOrganization"},
        {"name": "value", "valueReference": {"reference": one}},
    ]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    answer = await sent(
        api,
        entry("PATCH", "Patient/p", binary, ifMatch='W/"1"'),
        entry("PATCH", f"Patient?identifier={SYSTEM}|q", parameters),
        entry("POST", "Organization", {"resourceType": "Organization", "name": "Clinic"}, one),
    )
    first, second, clinic = (each["resource"] for each in answers(answer))
    assert first["active"] is False
    assert first["managingOrganization"]["reference"] == f"Organization/{clinic['id']}"
    assert second["managingOrganization"]["reference"] == f"Organization/{clinic['id']}"


async def test_a_patch_that_cannot_be_read_is_located(api: httpx.AsyncClient) -> None:
    binary = {"resourceType": "Binary", "contentType": JSON_PATCH, "data": b64encode(b"[{").decode()}
    answer = await sent(api, entry("PATCH", "Patient/p", binary))
    assert (answer.status_code, code(answer), places(answer)) == (400, "patch-malformed", ["Bundle.entry[0]"])


# --- size ---------------------------------------------------------------------------------------------------------------


async def test_two_hundred_entries_commit_together(api: httpx.AsyncClient) -> None:
    one = urn()
    flags = [entry("POST", "Flag", flag(one)) for _ in range(150)]
    puts = [entry("PUT", f"Patient/p{number}", patient(id=f"p{number}")) for number in range(49)]
    answer = await sent(api, *flags, *puts, entry("POST", "Patient", patient(), one))
    assert statuses(answer) == ["201"] * 200
    assert await total(api, "Flag") == 150
    assert await total(api, "Patient") == 50


async def test_two_hundred_entries_with_one_fault_leave_nothing(api: httpx.AsyncClient) -> None:
    flags = [entry("POST", "Flag", flag("Patient/1")) for _ in range(199)]
    answer = await sent(api, *flags, entry("GET", "Patient/nobody"))
    assert (answer.status_code, places(answer)) == (404, ["Bundle.entry[199]"])
    assert await total(api, "Flag") == 0


async def test_refuses_more_entries_than_it_takes(api: httpx.AsyncClient) -> None:
    answer = await sent(api, *(entry("GET", "Patient/p") for _ in range(1001)))
    assert answer.status_code == 400
    assert "1000" in answer.json()["issue"][0]["diagnostics"]
