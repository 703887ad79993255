"""Rows 33 to 39 of tests/cases/capabilities.json: an aim, and what is given for it from the library. Docs: docs/library.md"""

from typing import Final

from schemas.library import BASE
from tests.capabilities.place import ACTIVITY, MEASURE, Json, Place, code_of, day, found, got, library_id, sent, to

TASK_IO: Final = f"{BASE}/CodeSystem/homework-task-io"
STAR: Final = {"If-Match": "*"}


async def offered(place: Place, goal: str, kind: str) -> dict[str, Json]:
    """What the library has of this kind for this aim, by title."""
    listed = await got(place.api(), "library/activities", goal=goal, type=kind, limit=100)
    return {each["title"]: each for each in listed["items"]}


async def applied(place: Place, plan: str) -> Json:
    """A plan of the library as a transaction for this client, ready to be posted."""
    asked = {"subject": place.subject, "practitioner": "Practitioner/kim", "intent": "order", "bundle": "true"}
    return await got(place.therapist, f"PlanDefinition/{library_id(plan, kind='PlanDefinition')}/$apply", **asked)


async def test_row_033_anxiety_is_met_by_relaxing_the_muscles_every_day(place: Place) -> None:
    activity = (await offered(place, "anxiety", "relaxation"))["Progressive muscle relaxation"]
    assert (activity["dose"]["times"], activity["dose"]["unit"]) == (1, "day")
    series = await place.given(activity=activity["id"], starts=day(1), due=day(7))
    assert (series["kind"], series["progress"]["planned"]) == ("series", 7)
    first = (await got(place.api("client"), "assignments", part_of=series["id"]))["items"][0]
    assert first["instructions"] == activity["instructions"]
    await place.answered(first, {"minutes": 15, "suds-pre": 60, "suds-post": 25})
    assert (await got(place.api(), f"assignments/{series['id']}"))["progress"]["done"] == 1


async def test_row_034_self_esteem_grows_with_a_gratitude_journal(place: Place) -> None:
    activity = (await offered(place, "wellbeing", "journaling"))["Gratitude journal"]
    assert (activity["dose"]["times"], activity["dose"]["unit"]) == (1, "day")
    series = await place.given(activity=activity["id"], starts=day(1), due=day(3))
    assert series["progress"]["planned"] == 3
    first = (await got(place.api("client"), "assignments", part_of=series["id"]))["items"][0]
    entries = [{"glad-of": "Rain on the roof", "because": "I was in"}, {"glad-of": "A letter"}]
    kept = await place.answered(first, {"entry": entries, "mood": 6})
    assert (await got(place.api(), f"answers/{kept['id']}"))["answers"]["entry"] == entries
    (mood,) = (await got(place.api("client"), "ratings", kind="mood"))["items"]
    assert (mood["value"], mood["assignment"]) == (6, first["id"])


async def test_row_035_saying_what_one_needs_is_rehearsed_with_somebody(place: Place) -> None:
    activity = (await offered(place, "communication", "role-play"))["An assertive conversation"]
    given = await place.given(activity=activity["id"], dose={"count": 1})
    sister = {"resourceType": "RelatedPerson", "id": f"sis-{place.patient}", "patient": to(place.subject)}
    part = {
        "resourceType": "Task", "status": "ready", "intent": "order", "partOf": [to(f"Task/{given['id']}")],
        "code": {"coding": [{"system": ACTIVITY, "code": "role-play"}]}, "description": "Play the neighbour",
        "for": to(place.subject), "requester": to("Practitioner/kim"), "owner": to(f"RelatedPerson/{sister['id']}"),
    }  # fmt: skip
    await place.put(sister)
    played = await sent(place.therapist, "Task", part)
    (hers,) = await found(place.client, f"Task?owner=RelatedPerson/{sister['id']}")
    done = hers | {"status": "completed"}
    assert (await place.system.put(f"Task/{played['id']}", json=done)).status_code == 200
    answers = {
        "with": "My sister",
        "rehearsed": True,
        "did": ["said-need"],
        "suds-pre": 70,
        "suds-post": 40,
        "mastery": 6,
    }
    said = await place.answered(given, answers)
    assert (await got(place.api(), f"answers/{said['id']}"))["answers"]["rehearsed"] is True
    assert (await got(place.api(), f"assignments/{given['id']}"))["state"] == "done"


async def test_row_036_low_mood_is_met_by_a_plan_of_things_worth_doing(place: Place) -> None:
    bundle = await applied(place, "behavioural-activation-plan")
    posted = await place.therapist.post("", json=bundle)
    assert posted.status_code == 200, posted.text
    tasks = await found(place.client, f"Task?patient={place.patient}&part-of:missing=true&_count=50")
    titles = {each["description"] for each in tasks}
    assert "One small activity a day" in titles
    days = await found(place.client, f"Task?patient={place.patient}&part-of:missing=false&_count=50")
    log = next(each for each in days if "activity-log" in str(each["input"]))
    entry = [{"activity": "Watered the plants", "mood": 5, "pleasure": 6, "mastery": 7}]
    await place.answered(log, {"entry": entry})
    rated = await found(place.therapist, f"Observation?focus=Task/{log['id']}")
    values = {code_of(each["code"]): each.get("valueInteger") for each in rated}
    assert (values["mood"], values["pleasure"], values["mastery"]) == (5, 6, 7)


async def test_row_037_fear_of_people_is_met_step_by_step(place: Place) -> None:
    def steps(bundle: Json) -> int:
        return sum(each["resource"]["resourceType"] == "Task" for each in bundle["entry"])

    first = await applied(place, "exposure-ladder")
    given = await place.given(activity=library_id("graded-exposure", "1.1.0"), dose={"count": 1})
    hard = {"situation": "Said hello", "suds-pre": 80, "suds-peak": 95, "suds-post": 70, "learned": "I stayed"}
    await place.answered(given, hard)
    assert steps(await applied(place, "exposure-ladder")) == steps(first) == 1
    again = await place.given(activity=library_id("graded-exposure", "1.1.0"), dose={"count": 1})
    easier = {"situation": "Said hello", "suds-pre": 40, "suds-peak": 40, "suds-post": 15, "learned": "He smiled"}
    told = await place.answered(again, easier)
    assert steps(await applied(place, "exposure-ladder")) > 1
    assert (await got(place.api(), f"answers/{told['id']}"))["answers"]["learned"] == "He smiled"
    (newest, *_) = (await got(place.api(), "ratings", client=place.patient, kind="suds"))["items"]
    assert (newest["before"], newest["peak"], newest["after"]) == (40, 40, 15)


async def test_row_038_feelings_are_steadied_by_meditation_and_followed(place: Place) -> None:
    activity = (await offered(place, "emotion-regulation", "mindfulness"))["Mindful breathing"]
    await place.given(activity=activity["id"], due=day(1))
    diary = (await offered(place, "emotion-regulation", "mood-tracking"))["Mood diary"]
    track = await place.given(activity=diary["id"], due=day(1))
    moments = (await got(place.api("client"), "assignments", part_of=track["id"]))["items"]
    for each, mood in zip(moments[:2], (4, 6), strict=True):
        await place.answered(each, {"mood": mood, "feelings": ["calm"]})
    felt = await got(place.client, f"Patient/{place.patient}/$chart?kind=rating&_format=json&language=en")
    assert sorted(each["value"] for each in felt["series"]["lines"][0]["points"]) == [4, 6]
    calm = await found(place.therapist, f"Observation?patient={place.patient}&code={MEASURE}|feeling")
    assert [code_of(each["valueCodeableConcept"]) for each in calm] == ["calm", "calm"]


async def test_row_039_a_client_proposes_something_else_and_it_takes_its_place(place: Place) -> None:
    given = await place.given(title="Run in the morning", publish="offer")
    declined = await place.act(given, "decline", barrier={"code": "symptoms", "text": "My knee"})
    assert (declined["state"], declined["barrier"]["text"]) == ("declined", "My knee")
    idea = {
        "resourceType": "Task", "status": "requested", "intent": "proposal", "for": to(place.subject),
        "requester": to(place.subject), "owner": to(place.subject), "focus": to(f"Task/{given['id']}"),
        "code": {"coding": [{"system": ACTIVITY, "code": "physical-activity"}]}, "description": "Swim instead",
    }  # fmt: skip
    await sent(place.client, "Task", idea)
    (proposed,) = await found(place.therapist, f"Task?patient={place.patient}&intent=proposal")
    assert proposed["description"] == "Swim instead"
    instead = await sent(place.api(), f"assignments/{given['id']}/replace", {"title": proposed["description"]})
    assert instead["replaces"] == given["id"]
    (old,) = (await got(place.therapist, f"Task/{given['id']}"))["basedOn"]
    (new,) = (await got(place.therapist, f"Task/{instead['id']}"))["basedOn"]
    assert (await got(place.therapist, new["reference"]))["replaces"] == [old]
    assert (await place.act(instead, "complete"))["state"] == "done"
