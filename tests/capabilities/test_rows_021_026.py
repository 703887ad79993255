"""Rows 21 to 26 of tests/cases/capabilities.json: homework that suits who does it. Docs: docs/library.md"""

from typing import Any, Final

import httpx

from schemas.library import BASE
from service.homework import policy
from tests.capabilities.place import Json, Place, day, found, got, library_id, sent, to

INSTRUMENT: Final = f"{BASE}/CodeSystem/instrument"
SETTING: Final = f"{BASE}/CodeSystem/homework-setting"
TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"


def io(code: str, **value: Any) -> Json:
    """An input or output of a Task."""
    return {"type": {"coding": [{"system": TASK_IO, "code": code}]}, **value}


async def titles(http: httpx.AsyncClient, **asked: Any) -> set[str]:
    """What the library offers for this."""
    return {each["title"] for each in (await got(http, "library/activities", limit=100, **asked))["items"]}


async def test_row_021_the_session_itself_is_rated_where_the_practice_may_score_it(
    house: Any, api: httpx.AsyncClient
) -> None:
    items = [
        {"linkId": str(n), "type": "decimal", "code": [{"system": INSTRUMENT, "code": f"srs-{n}"}]} for n in range(1, 5)
    ]
    form = {
        "resourceType": "Questionnaire", "id": "srs", "status": "active", "url": "https://clinic.example/srs",
        "copyright": "Licensed to us", "code": [{"system": INSTRUMENT, "code": "srs"}], "item": items,
    }  # fmt: skip
    rated = {
        "resourceType": "QuestionnaireResponse", "id": "rated", "status": "completed", "questionnaire": form["url"],
        "subject": to("Patient/p"), "authored": "2026-01-14T20:20:00Z",
        "item": [{"linkId": str(n), "answer": [{"valueDecimal": 9.5}]} for n in range(1, 5)],
    }  # fmt: skip
    for each in ({"resourceType": "Patient", "id": "p"}, form, rated):
        assert (await api.put(f"{each['resourceType']}/{each['id']}", json=each)).status_code == 201
    assert await found(api, f"Observation?code={INSTRUMENT}|srs-total") == []
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await policy.keep(connection, house.tenant_id, policy.HomeworkPolicy(instruments=frozenset({"srs"})))
    amended = rated | {"status": "amended"}
    assert (await api.put("QuestionnaireResponse/rated", json=amended)).status_code == 200
    (total,) = await found(api, f"Observation?code={INSTRUMENT}|srs-total")
    assert total["valueQuantity"]["value"] == 38


async def test_row_022_a_skill_is_carried_into_other_parts_of_life(place: Place) -> None:
    given = await place.given(title="Say what you would like", type="communication")
    pieces = [{"title": f"Once with {who}"} for who in ("a colleague", "your brother")]
    await sent(place.api(), f"assignments/{given['id']}/split", {"steps": pieces}, 200)
    for step in (await got(place.api(), "assignments", part_of=given["id"]))["items"]:
        setting = "work" if "colleague" in step["title"] else "family"
        task = await got(place.therapist, f"Task/{step['id']}")
        task["input"] = [*task.get("input", ()), io("setting", valueCoding={"system": SETTING, "code": setting})]
        assert (await place.therapist.put(f"Task/{step['id']}", json=task)).status_code == 200
        if setting == "work":
            await place.act(step, "complete")
    by_setting = (await got(place.api(), f"clients/{place.patient}/adherence", by="setting"))["groups"]
    counts = {each["value"]: (each["done"], each["open"]) for each in by_setting}
    assert (counts["work"], counts["family"]) == ((1, 0), (0, 1))


async def test_row_023_what_is_given_is_cut_to_the_client(place: Place) -> None:
    offered = await titles(place.api(), goal="anxiety", format="unseen", minutes=10, language="de")
    assert "Slow breathing" in offered
    assert not {"Body scan", "Progressive muscle relaxation"} & offered
    preferences = await place.given(activity=library_id("homework-preferences"), dose={"count": 1})
    said = await place.answered(preferences, {"minutes": 5, "enjoy": "Being at the sea"})
    assert (await got(place.api(), f"answers/{said['id']}"))["answers"]["enjoy"] == "Being at the sea"
    own_words = "Breathe with the waves: in as they come, out as they go."
    activity = library_id("slow-breathing", "1.1.0")
    given = await place.given(activity=activity, instructions=own_words, dose={"minutes": 5}, due=day(6))
    assert (given["instructions"], given["dose"]["minutes"]) == (own_words, 5)
    definition = await got(place.therapist, f"ActivityDefinition/{activity}")
    assert definition["usage"] != own_words
    assert given["activity"] == f"{definition['url']}|{definition['version']}"


async def test_row_024_age_decides_what_is_offered_and_a_misfit_is_told_to_the_therapist(place: Place) -> None:
    assert "PHQ-9: how mood has been" not in await titles(place.api(), age=9)
    assert "How am I feeling?" in await titles(place.api(), age=9)
    child = {"resourceType": "Patient", "id": place.patient, "birthDate": "2012-03-01"}
    await place.put(child | {"name": [{"family": "Sample"}]})
    given = await place.given(activity=library_id("phq-9", "1.1.0"), dose={"count": 1})
    assert [each.partition(", ")[0] for each in given["cautions"]] == ["It is meant for 18 years and older"]
    assert "cautions" not in await got(place.api("client"), f"assignments/{given['id']}")
    fitting = await place.given(activity=library_id("phq-9-teen"), dose={"count": 1})
    assert "cautions" not in fitting
    plan = library_id("depression-first-weeks", kind="PlanDefinition")
    proposed = await got(place.therapist, f"PlanDefinition/{plan}/$apply", subject=place.subject)
    forms = str(proposed)
    assert "phq-9-teen|" in forms
    assert "ActivityDefinition/phq-9|" not in forms


async def test_row_025_language_and_ways_of_life_have_a_version_of_their_own(place: Place) -> None:
    in_faith = await found(place.therapist, "ActivityDefinition?context-type-value=adaptation$faith")
    assert [each["title"] for each in in_faith] == ["Thanks, shared"]
    origin = f"ActivityDefinition?derived-from={BASE}/ActivityDefinition/gratitude-journal"
    assert [each["title"] for each in await found(place.therapist, origin)] == ["Thanks, shared"]
    spanish = [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es-MX"}]}, "preferred": True}]
    await place.put({"resourceType": "Patient", "id": place.patient, "communication": spanish})
    own = "Escribe tres cosas, por pequeñas que sean."
    given = await place.given(activity=library_id("gratitude-journal", "1.1.0"), instructions=own)
    assert given["instructions"] == own
    task = await got(place.client, f"Task/{given['id']}")
    assert task["language"] == "es"
    assert given["title"] != "Gratitude journal"
    matters = await place.given(activity=library_id("values-compass"), dose={"count": 1})
    assert "prefers es-MX" in matters["cautions"][0]
    said = await place.answered(matters, {"area": [{"which": "family", "how": "Eating together on Sundays"}]})
    kept = await got(place.api(), f"answers/{said['id']}")
    assert kept["answers"]["area"][0]["how"] == "Eating together on Sundays"


async def test_row_026_the_same_work_comes_in_the_form_in_which_somebody_learns(place: Place) -> None:
    assert "Body scan" in await titles(place.api(), format="audio")
    assert "Thought record" not in await titles(place.api(), format="audio")
    spoken = {"title": "Read by Kim", "url": "https://sounds.example/scan.mp3", "alternative": True}
    given = await place.given(activity=library_id("body-scan"), materials=[spoken], dose={"count": 1})
    assert spoken.items() <= given["materials"][-1].items()
    task = await got(place.client, f"Task/{given['id']}")
    listened = io("chosen-format", valueCoding={"system": f"{BASE}/CodeSystem/homework-format", "code": "audio"})
    done = task | {"status": "completed", "output": [*task.get("output", ()), listened]}
    answer = await place.client.put(f"Task/{given['id']}", json=done, headers={"If-Match": 'W/"1"'})
    assert answer.status_code == 200, answer.text
    by_format = (await got(place.api(), f"clients/{place.patient}/adherence", by="format"))["groups"]
    assert [(each["value"], each["done"]) for each in by_format] == [("audio", 1)]
