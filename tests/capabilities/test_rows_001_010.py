"""Rows 1 to 10 of tests/cases/capabilities.json: homework is given, done, kept and taken up again. Docs: docs/homework.md"""

from tests.capabilities.place import Place, found, got


async def test_row_001_work_is_given_for_the_time_between_sessions(place: Place) -> None:
    given = await place.given(title="Call a friend", set="session-3", starts="2026-01-01", due="2199-01-01")
    assert (given["state"], given["kind"], given["therapist"]) == ("due", "single", "Practitioner/kim")
    (task,) = await found(place.client, f"Task?owner={place.subject}&status=ready")
    assert task["description"] == "Call a friend"
    assert task["groupIdentifier"]["value"] == "session-3"
    (mine,) = (await got(place.api("client"), "assignments", state="due"))["items"]
    done = await place.act(mine, "complete", reflection="We talked for an hour")
    assert (done["state"], done["reflection"]) == ("done", "We talked for an hour")
    history = await got(place.system, f"Task/{given['id']}/_history")
    assert [each["resource"]["status"] for each in history["entry"]] == ["completed", "ready"]
