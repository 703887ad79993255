"""Assignments: what a client does between sessions. Docs: docs/homework-api.md."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from schemas.homework.model import Id, Line, Model, Moment, Note, Notices, Ratio, References, Text
from schemas.homework.vocabulary import ActivityType, BarrierCode, listed, one_of

STATES: Final = (
    "draft", "offered", "upcoming", "due", "anytime", "started", "overdue", "paused", "done", "partly-done", "declined",
    "not-finished", "missed", "withdrawn", "in-error",
)  # fmt: skip
"""Where an assignment can stand."""
State = Annotated[str, one_of(STATES), listed(STATES, "Where it stands now")]
KINDS: Final = ("single", "series", "occurrence", "step")
Kind = Annotated[
    str,
    one_of(KINDS),
    listed(KINDS, "Done once, repeated by a schedule, one time of a series, or a piece of what was split"),
]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Daypart = Literal[
    "on-waking", "breakfast", "morning", "noon", "lunch", "afternoon", "evening", "dinner", "night", "bedtime", "meals"
]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", examples=["19:30"])]


class Dose(Model):
    """How often, when and for how long."""

    times: int = Field(default=1, ge=1, le=100, description="How many times in each period")
    every: int = Field(
        default=1, ge=1, le=100, description="The length of the period: every 2 weeks is every 2, unit week"
    )
    unit: Literal["day", "week", "month"] = Field(default="day", description="The unit of the period")
    minutes: int | None = Field(default=None, ge=1, le=1440, description="How long each time takes, about")
    days: tuple[Weekday, ...] | None = Field(default=None, min_length=1, max_length=7, description="Only on these days")
    at: tuple[Clock, ...] | None = Field(
        None, min_length=1, max_length=24, description="At these times, by the client's clock"
    )
    when: tuple[Daypart, ...] | None = Field(
        None, min_length=1, max_length=11, description="At these parts of the day, instead of `at`"
    )
    count: int | None = Field(
        default=None, ge=1, le=1000, description="How many times in all; otherwise until it is due"
    )

    @model_validator(mode="after")
    def _one_way_to_say_when(self) -> Self:
        if self.at is not None and self.when is not None:
            raise ValueError("say `at` or `when`, not both")
        return self


class Barrier(Model):
    """What got in the way: a word of GET /barriers, or words of one's own, or both."""

    code: BarrierCode | None = None
    text: Text | None = Field(default=None, description="In one's own words")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.code is None and self.text is None:
            raise ValueError("say a `code`, or a `text`, or both")
        return self


class Intention(Model):
    """When and where a client means to do it, and what it is in their own words."""

    days: tuple[Weekday, ...] | None = Field(default=None, min_length=1, max_length=7, description="On these days")
    at: tuple[Clock, ...] | None = Field(default=None, min_length=1, max_length=24, description="At these times")
    when: tuple[Daypart, ...] | None = Field(
        default=None, min_length=1, max_length=11, description="At these parts of the day, instead of `at`"
    )
    where: Line | None = Field(default=None, description="Where it is safe and quiet enough, or with whom")
    in_own_words: Text | None = Field(default=None, description="What was agreed on, as the client understands it")

    @model_validator(mode="after")
    def _one_way_to_say_when(self) -> Self:
        if self.at is not None and self.when is not None:
            raise ValueError("say `at` or `when`, not both")
        return self


class Material(Model):
    """Something to read, hear, watch or print."""

    title: Line | None = Field(default=None, description="What it is called")
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)] = Field(description="Where it is")
    content_type: Annotated[str, Field(pattern=r"^[\w.+-]+/[\w.+-]+$", examples=["audio/mpeg"])] | None = None
    alternative: bool = Field(default=False, description="Whether it is the same in another form, such as paper")


class NewAssignment(Model):
    """Homework to be given: something of the library, or words of one's own."""

    client: Id | None = Field(default=None, description="Whose homework it is; a client's own app may leave it out")
    group: Id | None = Field(default=None, description="Or the group whose members all get it")
    therapist: Id | None = Field(
        None, description="The practitioner who gives it, where the token is no practitioner's"
    )
    activity: Id | None = Field(
        default=None, description="From GET /library/activities; what follows changes what it says"
    )
    title: Line | None = Field(default=None, description="What it is called; needed without an activity")
    type: ActivityType | None = None
    why: Text | None = Field(default=None, description="What it is good for, told to the client")
    instructions: Text | None = Field(default=None, description="What to do, step by step")
    form: Id | None = Field(default=None, description="The form to fill in, from GET /library/forms")
    materials: tuple[Material, ...] | None = Field(default=None, min_length=1, max_length=20)
    dose: Dose | None = Field(default=None, description="How often; the activity's own where it has one, else once")
    starts: Moment | None = Field(default=None, description="From when on; now where it is not said")
    due: Moment | None = Field(default=None, description="Until when")
    goals: tuple[Id, ...] | None = Field(default=None, min_length=1, max_length=10, description="What it works towards")
    set: Line | None = Field(default=None, description="What was agreed on together, such as session-3")
    session: Id | None = Field(default=None, description="The encounter in which it was agreed on")
    publish: Literal["ready", "offer", "draft"] = Field(
        default="ready", description="Ready to be done, offered for the client to agree, or kept from them for now"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.client is not None and self.group is not None:
            raise ValueError("say `client` or `group`, not both")
        if self.activity is None and self.title is None:
            raise ValueError("say an `activity` of the library, or a `title`")
        return self


class Assignment(Model):
    """One piece of homework as it stands."""

    id: Id
    kind: Kind
    state: State
    title: str
    client: Id | None = Field(default=None, description="Whose homework it is")
    group: Id | None = Field(default=None, description="Or whose members' it is")
    therapist: str | None = Field(default=None, description="Who gave it, as a FHIR reference")
    type: str | None = Field(default=None, description="What kind of homework it is")
    activity: str | None = Field(default=None, description="The activity of the library, with its version")
    form: str | None = Field(
        default=None, description="The form to fill in, with its version; read it at /library/forms?url="
    )
    why: str | None = None
    instructions: str | None = None
    materials: tuple[Material, ...] | None = None
    dose: Dose | None = None
    starts: str | None = None
    due: str | None = None
    paused_until: str | None = None
    part_of: Id | None = Field(default=None, description="The series, or what was split, that it is a part of")
    replaces: Id | None = Field(default=None, description="The assignment that it was made from")
    goals: tuple[Id, ...] | None = None
    set: str | None = None
    session: Id | None = None
    started_at: str | None = None
    ended_at: str | None = None
    intention: Intention | None = Field(default=None, description="When and where the client means to do it")
    barrier: Barrier | None = Field(default=None, description="Why it is paused, declined, not finished or withdrawn")
    reviewed: bool | None = Field(default=None, description="True once it was talked through in a session")
    progress: Ratio | None = Field(default=None, description="Of a series: how many times of how many")
    reflection: str | None = Field(default=None, description="What the client says about doing it")
    notes: tuple[Note, ...] | None = None
    answers: tuple[Id, ...] | None = Field(
        None, description="The answers given, newest last; read them at /answers/{id}"
    )
    cautions: tuple[str, ...] | None = Field(
        default=None, description="What may not suit this client, told to whoever has just given it; it is no refusal"
    )
    notices: Notices = None
    handout: str | None = Field(
        default=None, description="A page to print, in the client's language, or PDF by Accept; with the same token"
    )
    version: int = Field(description='Send it as If-Match: W/"3" with a change')
    changed_at: str
    fhir: References


class Said(Model):
    """What may be said with a change."""

    note: Text | None = Field(default=None, description="A note to whoever reads the assignment")


class Completion(Said):
    """What a client says of what is done. All of it may be left out."""

    partly: bool = Field(default=False, description="Whether a part of it is done; that counts too")
    at: Moment | None = Field(default=None, description="When it was done; now where it is not said")
    started_at: Moment | None = Field(default=None, description="When it was begun")
    reflection: Text | None = Field(default=None, description="How it was, what came of it")
    helpfulness: Annotated[int, Field(ge=0, le=4)] | None = Field(
        default=None, description="How helpful it was, 0 to 4"
    )
    difficulty: Annotated[int, Field(ge=0, le=4)] | None = Field(default=None, description="How hard it was, 0 to 4")


class Intending(Said, Intention):
    """What a client means to do; what is left out stays as it was said before."""


class Reason(Said):
    """Why something is not done, or not now."""

    barrier: Barrier


class Pause(Reason):
    """Why it rests, and how long."""

    until: Moment | None = Field(default=None, description="When it goes on")


class Withdrawal(Said):
    """Why the therapist takes it back."""

    reason: Text = Field(description="Told to the client, so in kind words")


class Review(Said):
    """What was said when it was talked through."""

    progress: Text | None = Field(default=None, description="Kept with the client's plan")


class Extension(Said):
    """More time."""

    due: Moment


class Replacement(Said):
    """What is done instead; what is left out stays as it was."""

    reason: Text | None = Field(default=None, description="Why, told to the client")
    activity: Id | None = Field(default=None, description="Another activity of the library")
    title: Line | None = None
    type: ActivityType | None = None
    why: Text | None = None
    instructions: Text | None = None
    form: Id | None = None
    materials: tuple[Material, ...] | None = Field(default=None, min_length=1, max_length=20)
    dose: Dose | None = None
    starts: Moment | None = Field(default=None, description="From when on; now where it is not said")
    due: Moment | None = None
    goals: tuple[Id, ...] | None = Field(default=None, min_length=1, max_length=10)


class Step(Model):
    """One smaller piece of an assignment."""

    title: Line
    instructions: Text | None = None
    starts: Moment | None = None
    due: Moment | None = None


class Split(Said):
    """The smaller pieces that it becomes."""

    steps: tuple[Step, ...] = Field(min_length=2, max_length=20)
