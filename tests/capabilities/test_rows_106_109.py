"""Rows 106 to 109: another way instead of pressure, and whose the data is. Docs: docs/insight.md, docs/security.md"""

from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree

from tests.capabilities.place import ACTIVITY, Place, found, got, library_id, sent, to

Json = dict[str, Any]
WATCH: Final = "https://watch.example.org"


async def test_row_106_what_is_not_done_again_and_again_leads_to_another_way(place: Place) -> None:
    given = await place.given(activity=library_id("slow-breathing", "1.1.0"))
    times = (await got(place.api("client"), "assignments", part_of=given["id"]))["items"]
    for each in times[:3]:
        await place.act(each, "start")
        await place.act(each, "decline", barrier={"code": "privacy"})
    await place.tick("propose", datetime.now(UTC))
    (asked,) = (await got(place.api(), "proposals", client=place.patient, state="waiting"))["items"]
    assert (asked["kind"], asked["assignment"]) == ("other-format", given["id"])
    assert set(asked["evidence"]) == {each["id"] for each in times[:3]}
    (task,) = await found(place.therapist, f"Task?code=review-proposal&focus=Task/{given['id']}")
    assert (task["intent"], task["owner"]) == ("proposal", to("Practitioner/kim"))
    assert await found(place.client, f"Task?code=review-proposal&focus=Task/{given['id']}") == []
    no = await sent(place.api(), f"proposals/{asked['id']}/decline", {"reason": "We talk first"}, 200)
    assert (no["state"], no["reason"]) == ("declined", "We talk first")
    assert (await got(place.api("client"), f"assignments/{given['id']}"))["state"] == "started"


async def test_row_107_finished_work_is_shown_to_whom_the_client_chooses(place: Place) -> None:
    given = await place.given(activity=library_id("free-journal"), dose={"count": 1})
    kept = await place.answered(given, {"words": "I was proud", "mood": 8}, private=True)
    path, scores = f"answers/{kept['id']}", f"Observation?derived-from=QuestionnaireResponse/{kept['id']}"
    assert (await place.api().get(path)).status_code == 404
    assert await found(place.therapist, scores) == []
    assert (await place.api().post(f"{path}/share")).status_code in (403, 404)
    shown = await sent(place.api("client"), f"{path}/share", {}, 200)
    assert shown["private"] is False
    assert (await got(place.api(), path))["answers"]["words"] == "I was proud"
    assert len(await found(place.therapist, scores)) == 1
    await sent(place.api("client"), f"{path}/unshare", {}, 200)
    assert (await place.api().get(path)).status_code == 404
    narrow = await place.person(place.subject, "patient/Task.rs")
    assert (await place.at(narrow).get(path)).status_code == 403
    by_client = await found(place.system, f"AuditEvent?patient={place.subject}&agent={place.subject}&action=U")
    assert sum(f"QuestionnaireResponse/{kept['id']}/" in str(each["entity"]) for each in by_client) == 2


def steps(place: Place, day: int, value: int) -> Json:
    name = f"{place.patient}-{day}"
    category = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "activity"}
    reading = {
        "resourceType": "Observation", "identifier": [{"system": WATCH, "value": name}], "status": "final",
        "category": [{"coding": [category]}], "code": {"coding": [{"system": "http://loinc.org", "code": "41950-7"}]},
        "subject": to(place.subject), "effectiveDateTime": f"2026-03-0{day}",
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "{steps}"},
    }  # fmt: skip
    condition = {"method": "POST", "url": "Observation", "ifNoneExist": f"identifier={WATCH}|{name}"}
    return {"request": condition, "resource": reading}


async def test_row_108_readings_of_a_watch_are_taken_in_once(place: Place) -> None:
    days = [steps(place, day, 4000 + 1000 * day) for day in range(1, 4)]
    for entries, statuses in ((days, ["201"] * 3), ([*days, steps(place, 4, 9000)], ["200"] * 3 + ["201"])):
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        answer = (await place.client.post("", json=bundle)).json()
        assert [each["response"]["status"][:3] for each in answer["entry"]] == statuses
    query = f"Observation?patient={place.subject}&category=activity&_sort=date"
    assert [each["valueQuantity"]["value"] for each in await found(place.therapist, query)] == [5000, 6000, 7000, 9000]
    course = await got(place.therapist, f"{place.subject}/$trend?code=http://loinc.org|41950-7")
    (measure,) = [each["part"] for each in course["parameter"] if each["name"] == "measure"]
    figures = {each["name"]: each for each in measure if each["name"] in ("n", "slopePerWeek")}
    assert figures["n"]["valueInteger"] == 4
    assert figures["slopePerWeek"]["valueDecimal"] > 0


async def test_row_109_pictures_and_pages_are_for_everybody_and_tell_no_one_else(place: Place) -> None:
    given = await place.given(title="Notice your breath", type="mindfulness")
    await place.act(given, "complete")
    sheet = await place.client.get(f"Task/{given['id']}/$handout?_format=html")
    assert '<html lang="en">' in sheet.text
    assert "<script" not in sheet.text
    assert 'src="http' not in sheet.text
    assert "private" in sheet.headers["cache-control"]
    assert place.patient not in sheet.text
    picture = await place.client.get(f"{place.subject}/$chart?kind=adherence-calendar")
    svg = ElementTree.fromstring(picture.text)  # noqa: S314
    space = "{http://www.w3.org/2000/svg}"
    title, description = svg.find(f"{space}title"), svg.find(f"{space}desc")
    assert svg.get("role") == "img"
    assert title is not None
    assert title.text
    assert description is not None
    assert description.text
    labels = (await got(place.client, f"Task/{given['id']}"))["meta"]["security"]
    assert {"R", "BH"} <= {each["code"] for each in labels}
    for nobody in (place.house.client(), await place.person("Practitioner/other", "user/*.rs")):
        assert (await nobody.get(f"Task/{given['id']}/$handout")).status_code in (401, 404)
    assert await found(place.client, f"Task?_id={given['id']}&code={ACTIVITY}|mindfulness")
