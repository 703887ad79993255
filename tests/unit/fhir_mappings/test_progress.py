"""How far a head has got: what counts, what does not, and the states that follow."""

from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import progress, reasons
from fhir_mappings.progress import Tally
from schemas import json
from schemas.library import BASE, seed
from schemas.validate import validate

Json = dict[str, Any]
HALF: Final = Decimal("0.5")
NOW: Final = "2026-03-27T09:00:00.000Z"


def part(status: str, business: str | None = None) -> Json:
    return {"status": status} | ({} if business is None else progress.business(business))


@pytest.mark.parametrize(
    ("task", "planned", "done"),
    [
        (part("ready"), True, 0),
        (part("in-progress"), True, 0),
        (part("completed"), True, 1),
        (part("completed", "reviewed"), True, 1),
        (part("completed", "partially-done"), True, HALF),
        (part("failed"), True, 0),
        (part("cancelled", "missed"), True, 0),
        (part("cancelled"), False, 0),
        (part("cancelled", "carried-over"), False, 0),
        (part("rejected"), False, 0),
        (part("on-hold"), False, 0),
        (part("draft"), False, 0),
        (part("entered-in-error"), False, 0),
    ],
)
def test_each_state_counts_as_the_documents_say(task: Json, planned: bool, done: Decimal) -> None:
    assert progress.moved(Tally(), None, task, HALF) == (done if planned else 0, int(planned))


STATES: Final = st.builds(
    part,
    st.sampled_from(["ready", "in-progress", "completed", "failed", "cancelled", "on-hold", "entered-in-error"]),
    st.sampled_from([None, "missed", "partially-done", "done"]),
)


@given(st.lists(st.lists(STATES, min_size=1, max_size=5), max_size=8))
def test_counting_changes_comes_to_what_counting_all_comes_to(courses: list[list[Json]]) -> None:
    tally = Tally()
    for course in courses:
        for before, after in zip([None, *course], course, strict=False):
            tally = progress.moved(tally, before, after, HALF)
    once = Tally()
    for course in courses:
        once = progress.moved(once, None, course[-1], HALF)
    assert tally == once


@given(st.integers(0, 400), st.integers(0, 400), st.booleans())
def test_a_tally_is_read_back_as_it_was_told(done: int, planned: int, half: bool) -> None:
    tally = Tally(done + (HALF if half else 0), planned)
    head = {
        "resourceType": "Task",
        "status": "ready",
        "intent": "order",
        "output": [{"type": {"text": "x"}, "valueString": "y"}],
    }
    told = json.decode(json.encode(progress.told(head, tally)))
    assert progress.tally_of(told) == tally
    assert validate(told) == []
    assert told["output"][0] == head["output"][0]
    assert progress.told(told, tally) is told


def test_a_head_begins_once() -> None:
    begun = progress.begun({"status": "ready"}, NOW)
    assert begun == {"status": "in-progress", "executionPeriod": {"start": NOW}, "lastModified": NOW}
    assert progress.begun(begun, "later") is begun
    assert progress.begun({"status": "on-hold"}, NOW) == {"status": "on-hold"}


@pytest.mark.parametrize(
    ("tally", "started", "expected"),
    [
        (Tally(Decimal(4), 4), True, ("completed", "done")),
        (Tally(Decimal("1.5"), 4), True, ("completed", "partially-done")),
        (Tally(Decimal(0), 4), True, ("completed", "partially-done")),
        (Tally(Decimal(0), 4), False, ("cancelled", "missed")),
        (Tally(Decimal(0), 0), False, ("cancelled", None)),
    ],
)
def test_how_a_head_ends(tally: Tally, started: bool, expected: tuple[str, str | None]) -> None:
    head = progress.told({"status": "in-progress"}, tally) | (
        {"executionPeriod": {"start": "2026-03-01"}} if started else {}
    )
    over = progress.ended(head, NOW)
    business = over.get("businessStatus", {}).get("coding", [{}])[0].get("code")
    assert (over["status"], business) == expected
    assert ("statusReason" in over) == (over["status"] == "cancelled")


def test_a_part_that_rests_with_its_head_comes_back_as_it_was() -> None:
    head = {"statusReason": reasons.until({"text": "a holiday"}, "2026-04-06")}
    for status in ("ready", "accepted", "in-progress"):
        rests = reasons.suspended({"status": status}, head, NOW)
        assert reasons.rests_with_head(rests)
        assert rests["statusReason"]["text"] == "a holiday"
        assert reasons.paused_until(rests) is None, "it goes on with its head, not by itself"
        assert reasons.resumed(rests, NOW) == {"status": status, "lastModified": NOW}


def test_what_was_paused_by_itself_goes_on_where_it_was() -> None:
    paused = {"status": "on-hold", "statusReason": reasons.until({"text": "ill"}, "2026-04-06")}
    assert reasons.paused_until(paused) == "2026-04-06"
    assert reasons.resumed(paused, NOW)["status"] == "ready"
    assert reasons.resumed(paused | {"executionPeriod": {"start": "2026-03-01"}}, NOW)["status"] == "in-progress"


def test_every_reason_is_a_code_of_the_library_with_its_words() -> None:
    held = {
        (system["url"], concept["code"]): concept["display"]
        for system in seed()
        if system["resourceType"] == "CodeSystem"
        for concept in system.get("concept", ())
    }
    given_here = [reasons.of(code)["coding"][0] for code in reasons.CODES]
    assert {(each["system"], each["code"]): each["display"] for each in given_here}.items() <= held.items()
    ours = {code for system, code in held if system == f"{BASE}/CodeSystem/homework-reason"}
    assert ours == {each["code"] for each in given_here if each["system"] == reasons.REASON}
