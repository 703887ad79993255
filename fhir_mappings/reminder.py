"""Reminders: when one is due by a client's own rule, and how what became of it is written down. Docs: docs/reminders.md

https://hl7.org/fhir/R4/communication.html
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from fhir_mappings import zones
from fhir_mappings.lifecycle import is_assignment
from fhir_mappings.observation import DEFAULT_LABELS
from fhir_mappings.occurrence import made_until
from schemas import dates, words
from schemas.library import BASE

JsonObject = dict[str, Any]
Channel = Literal["email", "push"]
OPEN: Final = ("requested", "received", "accepted", "ready", "in-progress")
"""The states of an assignment that a client can still do something about; one on hold is left alone."""
NOT_SENT: Final = f"{BASE}/CodeSystem/reminder-not-sent"
REASONS: Final[Mapping[str, str]] = {
    "opted-out": "The person wants no reminders",
    "quiet-hours": "It fell into the person's quiet hours",
    "no-longer-open": "There was nothing left to be reminded of",
    "no-address": "No address to send it to is known",
    "undeliverable": "It could not be delivered",
}
"""Why a reminder was not sent."""
_CATEGORY: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/communication-category", "code": "reminder", "display": "Reminder",
}  # fmt: skip
CATEGORY: Final = f"{_CATEGORY['system']}|reminder"
_MEDIA: Final = {"email": ("EMAILWRIT", "email"), "push": ("ELECWRIT", "electronic data")}
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_TIMES_MOST: Final = 10
_BEFORE_MOST: Final = 14 * 24 * 60


class ReminderRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How one client wants to be reminded. Raises ValueError, which says what would be right, for what makes no sense.

    `before_due` are minutes before an assignment is due, `at` times of the day (HH:MM) while it is open; in the `quiet` hours
    (from, to) nothing is sent. `zone` is an IANA name, without one it is the Patient's.
    """

    before_due: tuple[int, ...] = (60,)
    at: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ("email",)
    quiet: tuple[str, str] | None = ("21:00", "08:00")
    zone: str | None = None
    language: str = words.LANGUAGES[0]
    discreet: bool = True
    opted_out: bool = False

    def __post_init__(self) -> None:
        for at in (*self.at, *(self.quiet or ())):
            if not _CLOCK.fullmatch(at):
                raise ValueError(f"{at!r} is no time of the day; write HH:MM, as 08:30")
        if any(not 0 <= minutes <= _BEFORE_MOST for minutes in self.before_due):
            raise ValueError(f"before_due is from 0 to {_BEFORE_MOST} minutes")
        if len(self.before_due) + len(self.at) > _TIMES_MOST:
            raise ValueError(f"There are at most {_TIMES_MOST} times to be reminded of one thing")
        if self.quiet is not None and self.quiet[0] == self.quiet[1]:
            raise ValueError("Quiet hours that begin when they end are none; leave them out, or opt out of reminders")
        if self.zone is not None and zones.named(self.zone) is None:
            raise ValueError(f"{self.zone!r} is no time zone; write an IANA name, as Europe/Amsterdam")
        if self.language not in words.LANGUAGES:
            raise ValueError(
                f"{self.language!r} is not a language of reminders; there are {', '.join(words.LANGUAGES)}"
            )


def window(task: Mapping[str, Any], zone: ZoneInfo) -> dates.Interval:
    """From when to when an assignment is to be done; days without a time are those of the client's calendar."""
    period = task.get("restriction", {}).get("period", {})
    return dates.Interval(
        _begin(period["start"], zone) if "start" in period else dates.PAST,
        _end(period["end"], zone) if "end" in period else dates.FUTURE,
    )


def _begin(text: str, zone: ZoneInfo) -> datetime:
    found = dates.interval(text).lo
    return found if "T" in text else zones.midnight(found.date(), zone)


def _end(text: str, zone: ZoneInfo) -> datetime:
    """A Period includes its end: a day ends with its midnight, and what ends with the last second of an hour, with the hour."""
    found = dates.interval(text)
    if "T" not in text:
        return zones.midnight(found.hi.date(), zone)
    return found.hi if found.lo.second == 59 else found.lo


def is_reminded_of(task: Mapping[str, Any]) -> bool:
    """Whether it is a client's to do and open: no proposal, not on hold, and no head whose occurrences are done instead."""
    is_head = made_until(task) is not None
    return task.get("status") in OPEN and task.get("intent") != "proposal" and not is_head and is_assignment(task)


def is_with_us(patient: Mapping[str, Any] | None) -> bool:
    """Whether the Patient is still a client here, and alive: nobody else's mailbox is written to."""
    if patient is None or patient.get("active") is False:
        return False
    return not (patient.get("deceasedBoolean") or patient.get("deceasedDateTime"))


def slots(
    task: Mapping[str, Any], rule: ReminderRule, zone: ZoneInfo, since: datetime, until: datetime
) -> list[datetime]:
    """The moments in [since, until) at which the rule reminds of an assignment, in UTC and in order, each once."""
    opens, due = window(task, zone)
    found = {due - timedelta(minutes=minutes) for minutes in rule.before_due if due < dates.FUTURE}
    days = _days(since.astimezone(zone).date(), until.astimezone(zone).date())
    found |= {zones.instant_of(datetime.combine(day, time.fromisoformat(at)), zone) for day in days for at in rule.at}
    return sorted(slot for slot in found if since <= slot < until and opens <= slot <= due)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=at) for at in range((last - first).days + 1))


def awake(moment: datetime, rule: ReminderRule, zone: ZoneInfo) -> datetime:
    """The moment itself, or the end of the quiet hours that it falls into."""
    if rule.quiet is None:
        return moment
    local = moment.astimezone(zone)
    begins, ends = map(time.fromisoformat, rule.quiet)
    now = local.time().replace(tzinfo=None)
    overnight = begins > ends
    if not (now >= begins or now < ends if overnight else begins <= now < ends):
        return moment
    day = local.date() + timedelta(days=overnight and now >= begins)
    # An end that a change of the clocks brings twice is the first one, which may be over.
    return max(moment, zones.instant_of(datetime.combine(day, ends), zone))


def sentences(rule: ReminderRule) -> tuple[str, str]:
    """(title, text) of a reminder: nothing in it tells what it is about, or of whom; discreet ones not even from where."""
    said = words.part("reminders", rule.language)
    kind = "discreet" if rule.discreet else "named"
    return said[f"{kind}.title"], f"{said[f'{kind}.text']}\n\n{said['change']}"


def communication(
    about: tuple[str, ...], patient: str, channel: str, now: str, *, sent: bool, reason: str | None = None
) -> JsonObject:
    """What became of a reminder, as a Communication without words: `about` are the Task and the order it is based on."""
    code, display = _MEDIA[channel]
    body: JsonObject = {
        "resourceType": "Communication",
        "meta": {"security": list(DEFAULT_LABELS)},
        "basedOn": [{"reference": each} for each in about],
        "status": "completed" if sent else "not-done",
        "category": [{"coding": [_CATEGORY]}],
        "medium": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode",
                        "code": code,
                        "display": display,
                    }
                ]
            }
        ],
        "subject": {"reference": f"Patient/{patient}"},
        "recipient": [{"reference": f"Patient/{patient}"}],
        "sender": {"reference": "Device/hearth"},
    }
    if sent:
        body["sent"] = now
    elif reason is not None:
        coding = {"system": NOT_SENT, "code": reason, "display": REASONS[reason]}
        body["statusReason"] = {"coding": [coding]}
    return body
