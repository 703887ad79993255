"""How clients are reminded, where their calendar is, and how a server is told of what happens. Docs: docs/homework-api.md."""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas import words
from schemas.homework.model import Id, Model
from schemas.homework.vocabulary import listed, one_of

ReminderLanguage = Annotated[str, one_of(words.LANGUAGES), listed(words.LANGUAGES, "In which language")]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["08:30"])]
Channel = Literal["email", "push"]
Address = Annotated[str, Field(min_length=3, max_length=2000, pattern=r"^[!-~]+$")]
EVENTS: Final = (
    "assignment.created", "assignment.started", "assignment.completed", "assignment.declined", "assignment.paused",
    "assignment.cancelled", "assignment.missed", "proposal.made", "response.submitted", "response.amended", "risk.raised",
)  # fmt: skip
Event = Annotated[str, one_of(EVENTS), listed(EVENTS, "What to tell of")]


class Quiet(Model):
    """From when to when nothing is sent, by the client's clock."""

    start: Clock = Field(examples=["21:00"])
    end: Clock = Field(examples=["08:00"])


class SetReminders(Model):
    """How a client wants to be reminded. What is left out is as it is by default."""

    on: bool = Field(default=True, description="Whether to remind at all; false is an opt-out that is kept")
    before_due: tuple[Annotated[int, Field(ge=0, le=20_160)], ...] = Field(
        default=(60,), max_length=10, description="So many minutes before something is due"
    )
    at: tuple[Clock, ...] = Field(default=(), max_length=10, description="At these times of the day, while it is open")
    channels: tuple[Channel, ...] = Field(default=("email",), max_length=2)
    quiet: Quiet | None = Field(default=None, description="When to be left alone; from 21:00 to 08:00 if not said")
    zone: Annotated[str, Field(max_length=64, examples=["Europe/Madrid"])] | None = Field(
        default=None, description="Time zone; otherwise the client's own"
    )
    language: ReminderLanguage | None = Field(default=None, description="What the client prefers, if not said")
    discreet: bool = Field(default=True, description="Whether it does not even say that it is about homework")
    email: Address | None = Field(default=None, description="A mailbox, for the channel email")
    push_url: Address | None = Field(default=None, description="An https address of the app, for the channel push")


class Reminders(SetReminders):
    """How a client is reminded."""

    client: Id
    push_secret: str | None = Field(
        default=None, description="What messages to a new push_url are signed by; shown once"
    )
    changed_at: str | None = None
    changed_by: str | None = None


class NewCalendarLink(Model):
    """A way into a client's calendar."""

    details: bool = Field(default=False, description="Whether it shows what things are called, which others may see")
    language: ReminderLanguage | None = Field(default=None, description="What the client prefers, if not said")


class CalendarLink(Model):
    """A link that a calendar app subscribes to."""

    id: Id
    url: str | None = Field(default=None, description="The secret address; shown once")
    details: bool
    language: str
    created_at: str
    used_at: str | None = Field(default=None, description="When a calendar last looked, to the day")


class SetWebhook(Model):
    """Where a server is told of which events."""

    url: Address = Field(description="An https address")
    events: tuple[Event, ...] = Field(min_length=1, max_length=len(EVENTS))


class Webhook(Model):
    """A server that is told of events."""

    id: Id
    url: str
    events: tuple[str, ...]
    secret: str | None = Field(default=None, description="What its messages are signed by; shown once")
    created_at: str
    disabled_at: str | None = Field(default=None, description="Since when nothing is sent any more")
    reason: str | None = Field(default=None, description="Why not")


class Delivery(Model):
    """One event on its way to a webhook."""

    id: Id
    event: str
    resource: str = Field(description="What it is about, as a FHIR reference")
    version: int
    at: str = Field(description="When it happened")
    state: str = Field(description="pending, delivered, lost or withheld", examples=["delivered"])
    attempts: int
    attempted_at: str | None = None
    answer: int | None = Field(default=None, description="The HTTP status that it was answered with")
    fault: str | None = None
