"""Which slots a Timing has, by cases worked out by hand, and what must hold for every Timing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fhir_mappings import zones
from fhir_mappings.slots import Slot, slots, total
from fhir_mappings.timing import TimingFault, read, repeats
from schemas import dates, json

Json = dict[str, Any]
CASES: Final = Path(__file__).parents[2] / "cases" / "timing"
WORKED: Final[list[Json]] = json.decode((CASES / "slots.json").read_bytes())
REFUSED: Final[list[Json]] = json.decode((CASES / "refused.json").read_bytes())
ZONES: Final = (
    "UTC", "Europe/Amsterdam", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Apia",
    "America/Sao_Paulo", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Kiritimati", "America/St_Johns", "Africa/Casablanca",
)  # fmt: skip


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize("case", WORKED, ids=lambda case: case["name"])
def test_slots_are_as_worked_out_by_hand(case: Json) -> None:
    schedule = read(case["timing"], ZoneInfo(case["zone"]), case.get("start", "2026-01-01"))
    until = moment(case["until"]) if "until" in case else dates.FUTURE
    found = slots(schedule, dates.PAST, until)
    assert [(each.key, each.start, each.end) for each in found] == [
        (key, moment(start), moment(end)) for key, start, end in case["slots"]
    ]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_what_is_not_understood_is_refused_with_what_would_be_right(case: Json) -> None:
    with pytest.raises(TimingFault) as refusal:
        read(case["timing"], ZoneInfo("UTC"), "2026-01-01")
    assert refusal.value.path == case["path"]
    assert case["sentence"] in refusal.value.sentence


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"repeat": {"boundsPeriod": {"start": "2026-01-01"}}}, False),
        ({"repeat": {"boundsPeriod": {"start": "2026-01-01"}, "duration": 15, "durationUnit": "min"}}, False),
        ({"repeat": {"count": 1, "period": 1, "periodUnit": "d"}}, False),
        ({"event": ["2026-01-01"]}, False),
        ({"repeat": {"period": 1, "periodUnit": "d"}}, True),
        ({"repeat": {"count": 3}}, True),
        ({"repeat": {"timeOfDay": ["08:00:00"]}}, True),
        ({"event": ["2026-01-01", "2026-01-08"]}, True),
        ({"code": {"coding": [{"code": "BID"}]}}, True),
    ],
)
def test_a_timing_repeats_when_it_asks_for_more_than_one_time(timing: Json, expected: bool) -> None:
    assert repeats(timing) is expected


def test_an_open_series_has_no_total() -> None:
    assert total(read({"repeat": {"period": 1, "periodUnit": "d"}}, ZoneInfo("UTC"), "2026-01-01")) is None


def test_what_can_be_done_whenever_stays_open() -> None:
    (slot,) = slots(
        read({"repeat": {"duration": 5, "durationUnit": "min"}}, ZoneInfo("UTC"), "2026-01-01"),
        dates.PAST,
        dates.FUTURE,
    )
    assert slot.end == dates.FUTURE


def test_a_series_ends_with_the_calendar() -> None:
    schedule = read({"repeat": {"period": 1, "periodUnit": "d"}}, ZoneInfo("UTC"), "9999-12-30")
    assert [each.key for each in slots(schedule, dates.PAST, dates.FUTURE)] == ["9999-12-30/1"]


CLOCKS: Final = st.times().map(lambda clock: clock.strftime("%H:%M:00"))
UNITS: Final = {"h": (1, 400), "d": (1, 40), "wk": (1, 9), "mo": (1, 14), "a": (1, 2), "min": (30, 3000)}


@st.composite
def timings(draw: st.DrawFn) -> Json:
    """Timings of every kind, most of them understood."""
    unit = draw(st.sampled_from(sorted(UNITS)))
    low, high = UNITS[unit]
    repeat: Json = {"period": draw(st.integers(low, high)), "periodUnit": unit}
    optional: Json = {
        "frequency": st.integers(1, 4),
        "count": st.integers(1, 60),
        "dayOfWeek": st.lists(
            st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1, unique=True
        ),
        "timeOfDay": st.lists(CLOCKS, min_size=1, max_size=3, unique=True),
        "when": st.lists(
            st.sampled_from(["MORN", "NOON", "EVE", "NIGHT", "HS", "AC", "PCV", "WAKE"]), min_size=1, unique=True
        ),
        "offset": st.integers(0, 1440),
        "duration": st.integers(1, 90).map(lambda minutes: minutes),
    }
    for name in draw(st.sets(st.sampled_from(sorted(optional)), max_size=4)):
        repeat[name] = draw(optional[name])
    if "duration" in repeat:
        repeat["durationUnit"] = "min"
    return {"repeat": repeat}


MOMENTS: Final = st.datetimes(datetime(2009, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def stretches(draw: st.DrawFn) -> tuple[Json, ZoneInfo, str, list[datetime]]:
    """A Timing with a zone and a start, and three moments near it, in order."""
    start = draw(MOMENTS)
    text = draw(st.sampled_from([start.date().isoformat(), dates.instant(start)]))
    marks = sorted(start + timedelta(hours=draw(st.integers(-100, 9000))) for _ in range(3))
    return draw(timings()), ZoneInfo(draw(st.sampled_from(ZONES))), text, marks


def between(timing: Json, zone: ZoneInfo, start: str, since: datetime, until: datetime) -> list[Slot]:
    try:
        schedule = read(timing, zone, start)
    except TimingFault:
        assume(False)
    return slots(schedule, since, until)


@settings(deadline=None)  # the machine may be busy
@given(stretches())
def test_adjacent_stretches_hold_what_the_whole_holds(given_: tuple[Json, ZoneInfo, str, list[datetime]]) -> None:
    timing, zone, start, (one, two, three) = given_
    whole = between(timing, zone, start, one, three)
    assert between(timing, zone, start, one, two) + between(timing, zone, start, two, three) == whole


@settings(deadline=None)  # the machine may be busy
@given(stretches())
def test_no_slot_comes_twice_and_each_is_open_for_some_time(given_: tuple[Json, ZoneInfo, str, list[datetime]]) -> None:
    timing, zone, start, (one, _, three) = given_
    found = between(timing, zone, start, one, three)
    assert len({each.key for each in found}) == len(found)
    assert all(one <= each.start < three and each.start < each.end for each in found)
    assert found == sorted(found, key=lambda each: each.start)


@settings(deadline=None)  # the machine may be busy
@given(stretches())
def test_a_count_is_never_exceeded_and_met_where_there_is_time(
    given_: tuple[Json, ZoneInfo, str, list[datetime]],
) -> None:
    timing, zone, start, _ = given_
    timing["repeat"].setdefault("count", 7)
    found = between(timing, zone, start, dates.PAST, dates.FUTURE)
    assert len(found) == timing["repeat"]["count"]


@settings(deadline=None)  # the machine may be busy
@given(stretches())
def test_times_of_the_day_are_what_the_clock_shows_unless_it_never_does(
    given_: tuple[Json, ZoneInfo, str, list[datetime]],
) -> None:
    timing, zone, start, (one, _, three) = given_
    timing["repeat"] = {"timeOfDay": ["02:30:00", "23:45:00"], "period": 1, "periodUnit": "d"}
    for slot in between(timing, zone, start, one, three):
        local = slot.start.astimezone(zone)
        assert local.date() == slot.day
        if local.strftime("%H:%M") != slot.name:
            just_before = (slot.start - timedelta(seconds=1)).astimezone(zone)
            assert just_before.utcoffset() != local.utcoffset(), "only a change of the clocks moves a time"
            assert just_before.strftime("%H:%M") < slot.name < local.strftime("%H:%M")


@given(MOMENTS, st.sampled_from(ZONES))
def test_days_follow_one_another_without_gap_or_overlap(at: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    day = zones.local_day(at, zone)
    opens, closes = zones.midnight(day, zone), zones.midnight(day + timedelta(days=1), zone)
    assert opens <= at < closes or (day.isoformat(), name) == ("2011-12-30", "Pacific/Apia")


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        (None, "Europe/Berlin"),
        ({"resourceType": "Patient"}, "Europe/Berlin"),
        ({"extension": [{"url": zones.TIMEZONE, "valueCode": "Asia/Tokyo"}]}, "Asia/Tokyo"),
        ({"extension": [{"url": zones.TIMEZONE, "valueCode": "Mars/Olympus"}]}, "Europe/Berlin"),
        ({"extension": [{"url": zones.TIMEZONE, "valueCode": "../../etc/passwd"}]}, "Europe/Berlin"),
        ({"extension": [{"url": "https://example.org/zone", "valueCode": "Asia/Tokyo"}]}, "Europe/Berlin"),
    ],
)
def test_a_patient_lives_in_their_own_zone_or_in_the_tenants(patient: Json | None, expected: str) -> None:
    assert zones.zone_of(patient, "Europe/Berlin").key == expected


def test_a_tenant_without_a_zone_that_exists_lives_in_utc() -> None:
    assert zones.zone_of(None, "nowhere").key == "UTC"
