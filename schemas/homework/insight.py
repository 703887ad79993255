"""How things go: the course of measures, how much was done, what a rule proposes. Docs: docs/homework-api.md."""

from decimal import Decimal
from typing import Literal

from pydantic import Field

from schemas.homework.model import Id, Model, References, Text


class Point(Model):
    """One score."""

    at: str
    value: Decimal
    band: str | None = None
    score: Id | None = Field(default=None, description="Read it at /scores")


class ScaleBand(Model):
    """A part of the scale."""

    low: Decimal | None = None
    high: Decimal | None = None
    text: str


class Change(Model):
    """What one published rule says of two scores."""

    kind: str = Field(description="reliable-change, response, remission, recovery and so on")
    holds: bool | None = Field(default=None, description="Whether it is so")
    difference: Decimal | None = None
    better: bool | None = Field(default=None, description="Whether it is a change for the better")
    rule: str | None = Field(default=None, description="Which rule, in words")
    source: str | None = Field(default=None, description="Where it was published")
    start: Point | None = None
    end: Point | None = None


class Course(Model):
    """The course of one measure."""

    measure: str = Field(description="The code of its total", examples=["44261-6"])
    name: str | None = None
    count: int
    mean: Decimal | None = None
    lowest: Decimal | None = None
    highest: Decimal | None = None
    slope_per_week: Decimal | None = None
    bands: tuple[ScaleBand, ...] | None = None
    points: tuple[Point, ...] | None = None
    changes: tuple[Change, ...] | None = None
    chart: str = Field(description="Its picture, with the same token: SVG, or PNG by Accept")


class Counted(Model):
    """How much of what was planned was done."""

    done: int = 0
    partly: int = 0
    not_done: int = 0
    left_out: int = Field(
        default=0, description="Paused, declined, replaced or withdrawn: no part of the plan in the end"
    )
    open: int = Field(default=0, description="Not decided yet")
    planned: int = 0
    share: Decimal | None = Field(default=None, description="What was done of what was planned, 0 to 1")


class Grouped(Counted):
    """The same for a part of it."""

    by: str
    value: str


class BarrierCount(Model):
    """What got in the way, and how often somebody named it."""

    code: str
    times: int


class InARow(Model):
    """How often something was done in a row."""

    current: int | None = None
    longest: int | None = None


class Adherence(Counted):
    """How homework goes. It is no measure of anybody's worth."""

    start: str | None = None
    end: str | None = None
    in_a_row: InARow | None = None
    barriers: tuple[BarrierCount, ...] | None = None
    groups: tuple[Grouped, ...] | None = None
    text: str | None = Field(default=None, description="The same in words, in the client's language")
    note: str | None = None
    chart: str = Field(description="A calendar of it as a picture, with the same token")


class Proposal(Model):
    """What a rule asks the therapist about, because of how a series went."""

    id: Id
    state: Literal["waiting", "accepted", "declined", "closed"]
    kind: str = Field(description="step-up, simpler, other-format or split", examples=["step-up"])
    text: str
    rule: str | None = Field(default=None, description="Which rule, by its code")
    client: Id | None = None
    assignment: Id | None = Field(default=None, description="The series that it is about")
    evidence: tuple[Id, ...] | None = Field(default=None, description="The assignments that led to it")
    reason: str | None = Field(default=None, description="Why it was declined")
    at: str | None = None
    version: int
    fhir: References


class Answered(Model):
    """What the therapist says to a proposal."""

    reason: Text | None = None


class Section(Model):
    """A part of a summary."""

    name: str = Field(description="flags, assigned, words, barriers, measures, proposals, discuss or other")
    title: str | None = None
    lines: tuple[str, ...] = Field(description="What it says, line by line, in the client's language")
    about: tuple[str, ...] | None = Field(default=None, description="The FHIR resources that it speaks of")


class Summary(Model):
    """What to begin a session with."""

    client: Id
    title: str
    language: str | None = None
    start: str | None = None
    end: str | None = None
    sections: tuple[Section, ...]
    page: str = Field(description="The same as a page, or as PDF by Accept, with the same token")


class Group(Model):
    """A therapy group. Its members are told only to those who lead it."""

    id: Id
    name: str | None = None
    active: bool | None = None
    members: tuple[Id, ...] | None = None
    version: int
    fhir: References


class Total(Model):
    """What the members counted together."""

    kind: str = Field(description="A kind of rating", examples=["kind-acts"])
    total: int


class Together(Model):
    """What a group did with its homework, without names; absent below the smallest group that is counted."""

    group: Id | None = None
    assignment: Id
    counted: bool = Field(description="Whether the group is large enough to be counted")
    members: int | None = None
    begun: int | None = Field(default=None, description="How many have begun")
    done: Decimal | None = Field(default=None, description="How much is done")
    planned: int | None = None
    totals: tuple[Total, ...] | None = Field(
        default=None, description="What they counted together, where enough of them counted something"
    )
