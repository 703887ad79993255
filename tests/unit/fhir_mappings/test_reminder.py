"""When a client is reminded, by the clock on their wall; and what a reminder says, which is next to nothing."""

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings import reminder
from fhir_mappings.reminder import ReminderRule
from schemas import dates, words

CASES: Final = Path(__file__).parents[2] / "cases" / "reminders"
SLOTS: Final[list[dict[str, Any]]] = json.loads((CASES / "slots.json").read_text())
QUIET: Final[list[dict[str, Any]]] = json.loads((CASES / "quiet.json").read_text())
RULES: Final[list[dict[str, Any]]] = json.loads((CASES / "rules.json").read_text())
ZONES: Final = ("Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")


def rule(**members: Any) -> ReminderRule:
    return msgspec.convert(members, ReminderRule)


def moment(text: str) -> datetime:
    return dates.interval(text).lo


@pytest.mark.parametrize("case", SLOTS, ids=lambda case: case["name"])
def test_reminds_when_the_rule_says(case: dict[str, Any]) -> None:
    task = {"restriction": {"period": case["period"]}}
    found = reminder.slots(
        task, rule(**case["rule"]), ZoneInfo(case["zone"]), moment(case["since"]), moment(case["until"])
    )
    assert [dates.instant(slot) for slot in found] == case["slots"]


@pytest.mark.parametrize("case", QUIET, ids=lambda case: case["name"])
def test_keeps_quiet_until_the_quiet_hours_end(case: dict[str, Any]) -> None:
    found = reminder.awake(moment(case["at"]), rule(quiet=case["quiet"]), ZoneInfo(case["zone"]))
    assert dates.instant(found) == case["awake"]


@pytest.mark.parametrize("case", RULES, ids=lambda case: case["name"])
def test_says_what_is_wrong_with_a_rule(case: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=case["says"]):
        rule(**case["rule"])


minutes: Final = st.integers(0, 24 * 60 - 1).map(lambda at: f"{at // 60:02}:{at % 60:02}")
moments: Final = st.datetimes(datetime(2020, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments, minutes, minutes, st.sampled_from(ZONES))
def test_nothing_is_sent_in_quiet_hours_nor_before_its_time(
    at: datetime, begins: str, ends: str, zone_name: str
) -> None:
    if begins == ends:
        return
    zone, quiet = ZoneInfo(zone_name), rule(quiet=(begins, ends))
    found = reminder.awake(at, quiet, zone)
    assert at <= found <= at + timedelta(hours=26)
    assert reminder.awake(found, quiet, zone) - found <= timedelta(hours=1)  # an hour that comes twice
    local = at.astimezone(zone).time()
    first, last = time.fromisoformat(begins), time.fromisoformat(ends)
    inside = first <= local < last if first < last else local >= first or local < last
    assert (found == at) or inside


@given(moments, st.integers(0, 72), st.lists(minutes, max_size=4), st.sampled_from(ZONES))
def test_every_slot_is_in_the_window_and_none_is_lost_between_two_plans(
    at: datetime, hours: int, local: list[str], zone_name: str
) -> None:
    zone = ZoneInfo(zone_name)
    due = at + timedelta(hours=hours)
    task = {"restriction": {"period": {"start": at.isoformat(), "end": due.isoformat()}}}
    wanted = rule(at=local, before_due=(60, 0), quiet=None)
    whole = reminder.slots(task, wanted, zone, at, due + timedelta(hours=1))
    middle = at + timedelta(hours=hours / 2)
    parts = reminder.slots(task, wanted, zone, at, middle) + reminder.slots(
        task, wanted, zone, middle, due + timedelta(hours=1)
    )
    assert whole == parts
    assert len(set(whole)) == len(whole)
    assert all(at.replace(microsecond=0) <= slot <= due + timedelta(seconds=1) for slot in whole)


@pytest.mark.parametrize(
    ("task", "is_reminded"),
    [
        ({"status": "ready"}, True),
        ({"status": "in-progress"}, True),
        ({"status": "on-hold"}, False),
        ({"status": "completed"}, False),
        ({"status": "ready", "intent": "proposal"}, False),
        ({"status": "ready", "owner": {"reference": "Practitioner/1"}}, False),
    ],
)
def test_reminds_of_what_is_open_and_a_clients(task: dict[str, Any], is_reminded: bool) -> None:
    assert reminder.is_reminded_of({"owner": {"reference": "Patient/1"}, **task}) is is_reminded


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_reminder_tells_nothing_of_what_it_is_about(language: str) -> None:
    title, text = reminder.sentences(rule(language=language))
    for word in ("hearth", "therap", "homework", "terapia", "huiswerk", "hausaufgabe", "task", "http"):
        assert word not in f"{title} {text}".lower()
    assert "Hearth" in reminder.sentences(rule(language=language, discreet=False))[0]
    assert set(words.part("reminders", language)) == set(words.part("reminders", "en"))


def test_what_became_of_a_reminder_is_a_communication_without_words() -> None:
    sent = reminder.communication(("Task/1",), "p", "email", "2026-03-01T10:00:00Z", sent=True)
    assert (sent["status"], sent["sent"]) == ("completed", "2026-03-01T10:00:00Z")
    withheld = reminder.communication(("Task/1",), "p", "push", "2026-03-01T10:00:00Z", sent=False, reason="opted-out")
    assert withheld["status"] == "not-done"
    assert withheld["statusReason"]["coding"][0]["code"] == "opted-out"
    assert "sent" not in withheld
    assert "payload" not in sent | withheld
