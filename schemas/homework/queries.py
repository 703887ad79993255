"""The parameters of lists. Docs: docs/homework-api.md."""

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.homework.assignments import STATES
from schemas.homework.channels import ReminderLanguage
from schemas.homework.model import Id, Line, Model, Moment
from schemas.homework.results import RatingKind
from schemas.homework.vocabulary import ActivityType, listed, one_of

ASKED_STATES: Final = ("open", "ended", *STATES)


class Nothing(Model):
    """No parameters."""


class Listing(Model):
    """Which part of a list."""

    limit: int = Field(default=25, ge=1, le=100, description="How many items a page has at most")
    cursor: str | None = Field(default=None, min_length=1, max_length=1000, description="The `next` of the page before")


class OfClient(Listing):
    """A list about one client, or all in one's care."""

    client: Id | None = Field(default=None, description="Only of this client")


class ClientsQuery(Listing):
    """Which clients."""

    name: Line | None = Field(default=None, description="Names that begin so")
    active: bool | None = Field(default=None, description="Only those whose record is in use, or not")


class AssignmentsQuery(OfClient):
    """Which assignments."""

    state: (
        Annotated[
            str, one_of(ASKED_STATES), listed(ASKED_STATES, "Where they stand; `open` and `ended` are several at once")
        ]
        | None
    ) = None
    type: ActivityType | None = None
    due_from: Moment | None = Field(default=None, description="Due at this time or later")
    due_until: Moment | None = Field(default=None, description="Due at this time or sooner")
    part_of: Id | None = Field(default=None, description="Only the parts of this series, or of what was split")
    whole: bool | None = Field(default=None, description="Only what is no part of another, or only parts")
    set: Line | None = Field(default=None, description="Only what was agreed on together")
    reviewed: bool | None = Field(default=None, description="Only what was talked through, or what was not")
    sort: Literal["starts", "-starts", "changed", "-changed"] = Field(
        default="starts", description="What comes first: what starts or changed first; - turns it round"
    )


class ActivitiesQuery(Listing):
    """Which activities of the library."""

    title: Line | None = Field(default=None, description="Titles that have this in them")
    type: ActivityType | None = None
    goal: Line | None = Field(default=None, description="What it helps with, as a code, such as anxiety")
    age: int | None = Field(default=None, ge=0, le=120, description="Fit for somebody of this age")
    language: Line | None = Field(default=None, description="In this language")
    format: Line | None = Field(default=None, description="In this form, such as audio")
    reading_level: Line | None = Field(default=None, description="Of this reading level, such as plain")
    minutes: int | None = Field(default=None, ge=1, le=1440, description="Of at most so many minutes each time")
    self_assignable: bool | None = Field(default=None, description="Only what clients may choose for themselves")


class FormsQuery(Listing):
    """Which forms."""

    title: Line | None = Field(default=None, description="Titles that have this in them")
    url: Line | None = Field(default=None, description="The form at this address, as in an assignment's `form`")


class AnswersQuery(OfClient):
    """Which answers."""

    assignment: Id | None = Field(default=None, description="Only to this assignment")
    state: Literal["draft", "submitted", "amended", "stopped"] | None = None


class RatingsQuery(OfClient):
    """Which ratings."""

    kind: RatingKind | None = None
    assignment: Id | None = Field(default=None, description="Only those about this assignment")
    since: Moment | None = Field(default=None, description="Given at this time or later")


class ScoresQuery(OfClient):
    """Which scores."""

    measure: Line | None = Field(default=None, description="Only of this questionnaire, by the code of its total")
    since: Moment | None = Field(default=None, description="Given at this time or later")


class CoursesQuery(Model):
    """Which measures, and when."""

    measure: Line | None = Field(
        default=None, description="The codes of totals with commas between; otherwise all that have rules of change"
    )
    start: Moment | None = None
    end: Moment | None = None


class AdherenceQuery(Model):
    """When, and by what."""

    start: Moment | None = None
    end: Moment | None = None
    by: Line | None = Field(
        default=None,
        description="activity, assignment, barrier, format, goal, hour, setting, week or weekday; several with commas between",
    )


class SummaryQuery(Model):
    """Of which time; since the last session where it is not said."""

    start: Moment | None = None
    end: Moment | None = None
    language: ReminderLanguage | None = None


class ProposalsQuery(OfClient):
    """Which proposals."""

    state: Literal["waiting", "accepted", "declined"] | None = None


class DeliveriesQuery(Model):
    """Which deliveries."""

    limit: int = Field(default=25, ge=1, le=100, description="How many at most")
