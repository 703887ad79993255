"""An occurrence made of its head and its slot, and a series planned in however many steps."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings import occurrence, series
from fhir_mappings.occurrence import ALL, OCCURRENCE, PARTS_MADE, REPLACES
from fhir_mappings.progress import tally_of
from fhir_mappings.slots import Slot, slots
from fhir_mappings.timing import read
from schemas import dates
from schemas.validate import validate

Json = dict[str, Any]
AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
NOW: Final = datetime(2026, 3, 27, 9, tzinfo=UTC)
HEAD: Final[Json] = {
    "resourceType": "Task",
    "id": "h",
    "meta": {
        "versionId": "3",
        "lastUpdated": "2026-03-27T08:00:00Z",
        "security": [{"code": "R"}],
        "tag": [{"code": "x"}],
    },
    "extension": [
        {"url": "https://example.org/colour", "valueString": "blue"},
        {"url": PARTS_MADE, "valueDateTime": "2026-03-27"},
        {"url": REPLACES, "valueReference": {"reference": "Task/old"}},
    ],
    "identifier": [{"system": "https://ehr.example.org", "value": "7"}],
    "basedOn": [{"reference": "ServiceRequest/r"}],
    "groupIdentifier": {"system": "urn:set", "value": "session-3"},
    "status": "in-progress",
    "statusReason": {"text": "was paused"},
    "businessStatus": {"text": "agreed"},
    "intent": "order",
    "priority": "routine",
    "code": {"text": "relaxation"},
    "description": "Breathe",
    "for": {"reference": "Patient/p"},
    "executionPeriod": {"start": "2026-03-26"},
    "authoredOn": "2026-03-26T08:00:00Z",
    "lastModified": "2026-03-27T08:00:00Z",
    "requester": {"reference": "Practitioner/t"},
    "owner": {"reference": "Patient/p"},
    "note": [{"text": "for the whole of it"}],
    "restriction": {"repetitions": 9, "period": {"start": "2026-03-26"}, "recipient": [{"reference": "Patient/p"}]},
    "input": [{"type": {"text": "how"}, "valueString": "slowly"}],
    "output": [{"type": {"text": "progress"}, "valueString": "1 of 9"}],
}
SLOT: Final = Slot(date(2026, 3, 29), "1", datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


def test_only_what_varies_differs_from_the_head() -> None:
    made = occurrence.occurrence(HEAD, "h", SLOT, AMSTERDAM, "2026-03-27T09:00:00Z")
    assert validate(made) == []
    own = {
        "identifier": [{"system": OCCURRENCE, "value": "h/2026-03-29/1"}],
        "partOf": [{"reference": "Task/h"}],
        "status": "ready",
        "intent": "instance-order",
        "lastModified": "2026-03-27T09:00:00Z",
        "meta": {"security": [{"code": "R"}], "tag": [{"code": "x"}]},
        "extension": [{"url": "https://example.org/colour", "valueString": "blue"}],
        # The clocks go forward on that day: it begins by winter time and ends by summer time.
        "restriction": {
            "recipient": [{"reference": "Patient/p"}],
            "period": {"start": "2026-03-29T00:00:00+01:00", "end": "2026-03-29T23:59:59+02:00"},
        },
    }
    gone = ("id", "statusReason", "businessStatus", "executionPeriod", "note", "output")
    assert made == {name: value for name, value in HEAD.items() if name not in gone} | own


def test_a_window_without_an_end_has_none() -> None:
    open_ = Slot(SLOT.day, "1", SLOT.start, dates.FUTURE)
    assert occurrence.window(open_, AMSTERDAM) == {"start": "2026-03-29T00:00:00+01:00"}


def test_the_window_covers_the_slot_to_the_second() -> None:
    period = occurrence.window(SLOT, AMSTERDAM)
    assert dates.period(period["start"], period["end"]) == (SLOT.start, SLOT.end)


def test_workers_name_an_occurrence_alike_and_each_tenant_its_own() -> None:
    names = {
        occurrence.identity(tenant, OCCURRENCE, key)
        for tenant in (1, 2, 1)
        for key in ("h/2026-03-29/1", "h/2026-03-29/2")
    }
    assert len(names) == 4


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ([{"reference": "Task/1"}, {"reference": "Task/2/_history/3"}], ["1", "2"]),
        ([{"display": "something"}, {"reference": "https://other.example.org/Task/1"}], []),
    ],
)
def test_parents_are_tasks_here(references: list[Json], expected: list[str]) -> None:
    assert list(occurrence.parents({"partOf": references})) == expected


# --- a series planned step by step --------------------------------------------------------------------------------------

REPEATS: Final = st.sampled_from(
    [
        {"period": 1, "periodUnit": "d"},
        {"frequency": 3, "period": 1, "periodUnit": "wk"},
        {"timeOfDay": ["08:00:00", "20:00:00"]},
        {"period": 1, "periodUnit": "wk", "dayOfWeek": ["mon", "thu"], "when": ["EVE"]},
        {"period": 1, "periodUnit": "d", "count": 20},
        {"period": 5, "periodUnit": "h"},
    ]
)


@settings(deadline=None)
@given(REPEATS, st.integers(0, 60), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_it_does_not_matter_in_how_many_steps_a_series_is_made(repeat: Json, days: int, steps: list[int]) -> None:
    end = (NOW + timedelta(days=days)).date().isoformat()
    request = {"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2026-03-27", "end": end}, **repeat}}}
    schedule = series.schedule({}, request, AMSTERDAM)
    head: Json = {"status": "ready"}
    keys: list[str] = []
    until = NOW
    for step in steps:
        until += timedelta(days=step)
        head, made = series.extended(head, schedule, until, NOW)
        keys += [slot.key for slot in made]
    every = slots(schedule, dates.PAST, dates.FUTURE)
    alive = [slot.key for slot in every if slot.end > NOW]
    assert keys == [slot.key for slot in every if slot.end > NOW and slot.start < until]
    assert tally_of(head).planned == len(alive)
    assert (occurrence.made_until(head) == ALL) == (len(keys) == len(alive))


def test_what_passed_while_nobody_looked_is_not_planned_any_more() -> None:
    schedule = series.schedule(
        {},
        {"occurrenceTiming": {"repeat": {"period": 1, "periodUnit": "d", "count": 30}}, "authoredOn": "2026-03-27"},
        AMSTERDAM,
    )
    head, _ = series.extended({"status": "ready"}, schedule, NOW + timedelta(days=2), NOW)
    assert tally_of(head).planned == 30
    head, made = series.extended(head, schedule, NOW + timedelta(days=12), NOW + timedelta(days=10))
    assert made[0].day.isoformat() == "2026-04-06"
    assert tally_of(head).planned == 30 - 7


def test_a_series_longer_than_two_years_is_planned_as_it_is_made() -> None:
    timing = {"repeat": {"boundsPeriod": {"start": "2026-03-27", "end": "2036-03-27"}, "period": 1, "periodUnit": "d"}}
    assert not series.is_foreseen(read(timing, AMSTERDAM, ""))
    head, made = series.extended(
        {}, series.schedule({}, {"occurrenceTiming": timing}, AMSTERDAM), NOW + timedelta(days=3), NOW
    )
    assert tally_of(head).planned == len(made) == 4
