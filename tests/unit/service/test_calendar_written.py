"""Entries as iCalendar: whatever they are called and whenever they are, another parser reads the same."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.calendar_entry import Entry
from service.calendar import written

ZONES: Final = ("Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo")
CHANGED: Final = datetime(2026, 3, 1, 10, tzinfo=UTC)


def made(title: str, start: datetime | None, end: datetime | None, state: str = "open") -> Entry:
    return Entry("head/1", 2, title, state, start, end, CHANGED, CHANGED if state == "done" else None)


def parsed(entry: Entry, form: str, zone: str) -> Any:
    vars(vobject.icalendar)["__tzidMap"].pop(zone, None)  # else it keeps the zone of an earlier calendar
    content = written.calendar([entry], form, "en", True, zone).decode()
    assert all(len(line.encode()) <= 75 for line in content.split("\r\n"))
    calendar = vobject.readOne(content)
    return (calendar.vtodo_list if form == "todos" else calendar.vevent_list)[0]


# What no text of iCalendar can hold are control characters but tab and line feed (3.1).
texts: Final = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), include_characters="\t\n"), min_size=1, max_size=200
)


@settings(deadline=None)
@given(texts)
def test_any_title_comes_back_as_it_is(title: str) -> None:
    assert parsed(made(title, CHANGED, None), "todos", "UTC").summary.value == title


@settings(deadline=None)
@given(st.integers(1_577_836_800, 1_893_456_000), st.integers(1, 400), st.sampled_from(ZONES))
def test_any_time_is_the_same_moment(at: int, hours: int, zone: str) -> None:
    start = datetime.fromtimestamp(at, ZoneInfo(zone))
    end = (start.astimezone(UTC) + timedelta(hours=hours)).astimezone(ZoneInfo(zone))
    todo = parsed(made("x", start, end), "todos", zone)
    # vobject reads an hour that comes twice as the first one.
    allowed = {timedelta(), timedelta(hours=1), timedelta(minutes=30)} if start.fold or end.fold else {timedelta()}
    assert start - todo.dtstart.value.astimezone(UTC) in allowed
    assert end - todo.due.value.astimezone(UTC) in allowed


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC), ("2026-03-02", "2026-03-03")),
        (datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 4, 9, tzinfo=UTC), ("2026-03-02", "2026-03-05")),
        (None, datetime(2026, 3, 3, tzinfo=UTC), ("2026-03-02", "2026-03-03")),
        (datetime(2026, 3, 2, 9, tzinfo=UTC), None, ("2026-03-02", "2026-03-03")),
    ],
)
def test_what_lasts_days_is_shown_as_days(start: datetime | None, end: datetime | None, days: tuple[str, str]) -> None:
    event = parsed(made("x", start, end), "events", "UTC")
    assert (event.dtstart.value.isoformat(), event.dtend.value.isoformat()) == days


def test_an_event_has_some_length_and_what_has_no_time_is_none() -> None:
    event = parsed(made("x", CHANGED, CHANGED), "events", "UTC")
    assert event.dtend.value - event.dtstart.value == timedelta(minutes=15)
    assert b"VEVENT" not in written.calendar([made("x", None, None)], "events", "en", True, "UTC")
    assert b"VTODO" in written.calendar([made("x", None, None)], "todos", "en", True, "UTC")


def test_what_is_done_says_so_in_both_forms() -> None:
    entry = made("x", CHANGED, CHANGED + timedelta(hours=1), "done")
    assert parsed(entry, "todos", "UTC").completed.value == CHANGED
    assert parsed(entry, "events", "UTC").summary.value == "✓ x"


def test_an_empty_calendar_is_one() -> None:
    assert vobject.readOne(written.calendar([], "todos", "de", False, "UTC").decode()).name == "VCALENDAR"
