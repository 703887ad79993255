"""Rows 115 to 117: the session, a coach, and the time after therapy. Docs: docs/insight.md, docs/security.md"""

import httpx

from tests.capabilities.place import Place, found, got, library_id, sent, to


async def test_row_115_a_review_opens_the_session(place: Place) -> None:
    given = await place.given(activity=library_id("thought-record", "1.1.0"), dose={"count": 1})
    words = {
        "situation": "At the till",
        "thought": "They all wait for me",
        "alternative": "So do I for them",
    }
    kept = await place.answered(given, words)
    bundle = await got(place.therapist, f"{place.subject}/$session-summary?language=en")
    composition = bundle["entry"][0]["resource"]
    sections = {each["code"]["coding"][0]["code"]: each for each in composition["section"]}
    assert to(f"QuestionnaireResponse/{kept['id']}") in sections["words"]["entry"]
    assert "So do I for them" in sections["words"]["text"]["div"]
    assert to(f"Task/{given['id']}") in sections["discuss"]["entry"]
    assert {kept["id"], given["id"]} <= {each["resource"].get("id") for each in bundle["entry"]}
    assert given["title"] in sections["discuss"]["text"]["div"]
    await place.act(given, "review", "therapist", progress="The next one at work")
    again = await got(place.api(), f"clients/{place.patient}/summary")
    discuss = [each for each in again["sections"] if each["name"] == "discuss"]
    assert f"Task/{given['id']}" not in str(discuss)


async def coached(place: Place) -> httpx.AsyncClient:
    """A coach in the client's team, with an app that has no scope for conditions and answers."""
    role = {
        "resourceType": "PractitionerRole", "id": f"role-{place.patient}", "active": True,
        "practitioner": to("Practitioner/cato"), "code": [{"text": "Coach"}],
    }  # fmt: skip
    team = {
        "resourceType": "CareTeam", "id": f"coaching-{place.patient}", "status": "active", "subject": to(place.subject),
        "participant": [{"role": [{"text": "Coach"}], "member": to(f"PractitionerRole/{role['id']}")}],
    }  # fmt: skip
    await place.put({"resourceType": "Practitioner", "id": "cato"}, role, team)
    types = ("Patient", "Task", "ServiceRequest", "CarePlan", "Observation", "Questionnaire", "ActivityDefinition")
    return await place.person("Practitioner/cato", " ".join(f"user/{each}.cruds" for each in types), patient=None)


async def test_row_116_a_coach_gives_homework_and_knows_no_diagnosis(place: Place) -> None:
    coach = await coached(place)
    illness = {"resourceType": "Condition", "id": f"c-{place.patient}", "subject": to(place.subject)}
    await place.put(illness | {"code": {"text": "GAD"}})
    walk = {"client": place.patient, "activity": library_id("walk-outdoors", "1.1.0"), "dose": {"count": 1}}
    given = await sent(place.at(coach), "assignments", walk)
    assert given["therapist"] == "Practitioner/cato"
    assert (await place.act(given, "complete"))["state"] == "done"
    assert (await got(place.at(coach), f"clients/{place.patient}/adherence"))["done"] == 1
    for query in (f"Condition?patient={place.subject}", f"QuestionnaireResponse?patient={place.subject}"):
        assert (await coach.get(query)).status_code == 403
    assert "GAD" not in (await coach.get(f"Patient?_id={place.patient}&_revinclude=Condition:patient")).text
    assert "GAD" not in str(await got(place.at(coach), f"clients/{place.patient}/summary"))
    assert len(await found(place.therapist, f"Condition?patient={place.subject}")) == 1


async def test_row_117_after_therapy_a_client_goes_on_and_keeps_all_of_it(place: Place) -> None:
    given = await place.given(activity=library_id("slow-breathing", "1.1.0"))
    (plan,) = await found(place.therapist, f"CarePlan?subject={place.subject}")
    for each in (await got(place.therapist, given["fhir"]["request"]), plan):
        path = f"{each['resourceType']}/{each['id']}"
        assert (await place.therapist.put(path, json=each | {"status": "completed"})).status_code == 200
    assert (await got(place.client, f"Task?part-of=Task/{given['id']}&status=ready&_summary=count"))["total"] == 0
    mine = await sent(place.api("client"), "assignments", {"activity": library_id("staying-well-plan")})
    await place.answered(mine, {"changed": "I breathe first", "sign": ["Shallow sleep"]})
    (own,) = await found(place.client, f"CarePlan?subject={place.subject}&status=active")
    assert (own["author"], mine["therapist"]) == (to(place.subject), place.subject)
    wish = {"resourceType": "Task", "status": "requested", "intent": "proposal", "description": "A walk each Sunday"}
    whose = dict.fromkeys(("for", "owner", "requester"), to(place.subject))
    assert (await place.client.post("Task", json=wish | whose)).status_code == 201
    export = await got(place.client, f"{place.subject}/$everything?_count=200")
    kept = {each["resource"]["resourceType"] for each in export["entry"]}
    assert {"Patient", "CarePlan", "ServiceRequest", "QuestionnaireResponse", "Task"} <= kept
    await place.put(await got(place.system, f"CareTeam/team-{place.patient}") | {"status": "inactive"})
    assert (await place.therapist.get(f"Task/{mine['id']}")).status_code == 404
    assert (await got(place.api("client"), f"assignments/{mine['id']}"))["state"] == "done"
