"""Rows 50 and 51: homework that can be done. Docs: docs/homework.md, "What is realistic"."""

from schemas.outcome import ERROR_SYSTEM
from tests.capabilities.place import MEASURE, Place, found, got, library_id, sent, to

DAILY = {"times": 1, "unit": "day", "minutes": 50}


async def test_row_050_doubt_and_a_full_week_are_told_to_who_gives_homework(place: Place) -> None:
    first = await place.given(title="Practise the piano", dose=DAILY)
    assert "notices" not in first
    second = await place.given(title="Practise the violin", dose=DAILY)
    (notice,) = second["notices"]
    assert notice["code"] == "load-high"
    assert "700 minutes" in notice["text"]
    assert "notices" not in await got(place.api(), f"assignments/{second['id']}")
    rating = {"client": place.patient, "kind": "confidence", "value": 4, "assignment": second["id"]}
    doubt = await sent(place.api(), "ratings", rating)
    assert [each["code"] for each in doubt["notices"]] == ["confidence-low"]
    sure = await sent(place.api(), "ratings", rating | {"value": 8})
    assert "notices" not in sure
    by_fhir = {
        "resourceType": "Observation", "status": "final", "subject": to(place.subject), "valueInteger": 6,
        "code": {"coding": [{"system": MEASURE, "code": "confidence"}]}, "focus": [to(f"Task/{second['id']}")],
    }  # fmt: skip
    wish = {"Prefer": "return=OperationOutcome"}
    told = (await place.therapist.post("Observation", json=by_fhir, headers=wish)).json()
    assert {"system": ERROR_SYSTEM, "code": "confidence-low"} in [
        each["details"]["coding"][0] for each in told["issue"]
    ]


async def test_row_051_what_fits_in_time_age_and_reading_is_found_and_added_up(place: Place) -> None:
    query = {"minutes": 5, "age": 9, "reading_level": "easy", "limit": 100}
    short = (await got(place.api(), "library/activities", **query))["items"]
    assert library_id("slow-breathing", "1.1.0") in [each["id"] for each in short]
    assert all(each["fit"]["minutes"] <= 5 and each["fit"]["reading_level"] == "easy" for each in short)
    given = await place.given(activity=library_id("slow-breathing", "1.1.0"))
    (request,) = await found(place.therapist, f"ServiceRequest?_id={given['fhir']['request'].partition('/')[2]}")
    assert request["occurrenceTiming"]["repeat"]["duration"] == 5
    weekly = {"times": 2, "unit": "week", "minutes": 180}
    much = await place.given(title="Write your story", dose=weekly)
    (notice,) = much["notices"]  # twice a day five minutes, and twice in the week three hours
    assert notice["text"].startswith("With this, 430 minutes")
    await place.act(much, "withdraw", "therapist", reason="That is a lot")
    less = await place.given(title="Write your story", dose=weekly | {"minutes": 90})
    assert "notices" not in less
