"""Ratings, scores and goals. Docs: docs/homework-api.md."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from schemas.homework.model import Id, Line, Model, Moment, Notices, References, Text
from schemas.homework.vocabulary import listed, one_of
from schemas.ratings import scales


class Scale(NamedTuple):
    """From where to where a rating goes; a frequency has no end."""

    least: int
    most: int | None


_RATED: Final = (
    "suds", "mood", "pleasure", "mastery", "anger", "urge", "pain", "energy", "closeness", "rested", "belief", "confidence",
    "importance", "quality", "difficulty", "helpfulness", "comprehension", "enjoyment",
)  # fmt: skip
SCALES: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        **{kind: Scale(*scales()[kind]) for kind in _RATED},
        "practice-minutes": Scale(0, 1440),
        "frequency": Scale(0, None),
    }
)
"""The ratings that an app can send, with their scales."""
RatingKind = Annotated[str, one_of(tuple(SCALES)), listed(tuple(SCALES), "What is rated, from GET /ratings/kinds")]


class RatingKindTold(Model):
    """A kind of rating."""

    kind: str
    title: str
    meaning: str
    least: int
    most: int | None = None


class _Rated(Model):
    kind: RatingKind
    value: int | None = Field(default=None, description="One number on the scale of its kind")
    before: int | None = Field(default=None, description="Of suds: before it began")
    peak: int | None = Field(default=None, description="Of suds: at its strongest")
    after: int | None = Field(default=None, description="Of suds: at the end")
    what: Line | None = Field(default=None, description="Of a frequency: what is counted")
    at: Moment | None = Field(default=None, description="When; now where it is not said")
    assignment: Id | None = Field(default=None, description="The assignment that it is about")

    def numbers(self) -> dict[str, int]:
        """The numbers that are there, by member."""
        said = {name: getattr(self, name) for name in ("value", "before", "peak", "after")}
        return {name: number for name, number in said.items() if number is not None}

    @model_validator(mode="after")
    def _on_its_scale(self) -> Self:
        numbers, scale = self.numbers(), SCALES[self.kind]
        if not numbers:
            raise ValueError("say a `value`" + (", or `before`, `peak` or `after`" if self.kind == "suds" else ""))
        if self.kind != "suds" and numbers.keys() != {"value"}:
            raise ValueError("only suds has `before`, `peak` and `after`; say a `value`")
        if "value" in numbers and len(numbers) > 1:
            raise ValueError("say a `value`, or `before`, `peak` and `after`, not both")
        if self.what is not None and self.kind != "frequency":
            raise ValueError("only a frequency says `what`")
        for name, number in numbers.items():
            if number < scale.least or (scale.most is not None and number > scale.most):
                raise ValueError(f"`{name}` of {self.kind} goes from {scale.least} to {scale.most or 'any number'}")
        return self


class NewRating(_Rated):
    """A rating to be kept."""

    client: Id | None = Field(default=None, description="Whose it is; a client's own app may leave it out")


class Rating(_Rated):
    """A rating as it is kept."""

    id: Id
    client: Id | None = None
    by: str | None = Field(default=None, description="Who said it, as a FHIR reference")
    notices: Notices = None
    version: int
    fhir: References


class Increment(Model):
    """So many more."""

    by: int = Field(default=1, ge=1, le=1000)


class Score(Model):
    """The total of a questionnaire, and what it means."""

    id: Id
    measure: str = Field(description="Which questionnaire, by the code of its total", examples=["44261-6"])
    name: str
    value: Decimal | None = None
    band: str | None = Field(default=None, description="Which part of the scale that is, in words")
    at: str | None = None
    client: Id | None = None
    answers: Id | None = Field(default=None, description="The answers that it was made from")
    fhir: References


GoalState = Literal["proposed", "planned", "active", "on-hold", "completed", "cancelled", "rejected"]
Attainment = Literal[
    "in-progress", "improving", "worsening", "no-change", "achieved", "sustaining", "not-achieved", "no-progress",
    "not-attainable",
]  # fmt: skip
LEVELS: Final = (-2, -1, 0, 1, 2)
"""From much less than expected to much better than expected."""


class Level(Model):
    """What one level of attainment looks like."""

    level: Annotated[int, Field(ge=-2, le=2)] = Field(
        description="-2 much less than expected, 0 expected, 2 much better"
    )
    text: Line


class NewGoal(Model):
    """What a client wants to reach."""

    client: Id | None = Field(default=None, description="Whose goal it is; a client's own app may leave it out")
    text: Line = Field(description="In the client's words")
    state: GoalState = "active"
    starts: Moment | None = None
    due: Moment | None = None
    levels: tuple[Level, ...] | None = Field(
        default=None, min_length=1, max_length=5, description="Goal attainment scaling"
    )

    @model_validator(mode="after")
    def _each_level_once(self) -> Self:
        if self.levels is not None and len({each.level for each in self.levels}) < len(self.levels):
            raise ValueError("each level stands once in `levels`")
        for name in ("starts", "due"):
            if len(getattr(self, name) or "2026-01-01") != 10:
                raise ValueError(f"`{name}` of a goal is a day, such as 2026-12-24")
        return self


class Goal(Model):
    """A goal as it stands."""

    id: Id
    client: Id | None = None
    text: str
    state: GoalState
    attainment: Attainment | None = None
    starts: str | None = None
    due: str | None = None
    levels: tuple[Level, ...] | None = None
    version: int
    fhir: References


class ChangedGoal(Model):
    """What changes about a goal; what is left out stays."""

    text: Line | None = None
    state: GoalState | None = None
    attainment: Attainment | None = None
    due: Moment | None = None


class Attained(Model):
    """How far a goal is reached, on its scale."""

    level: Annotated[int, Field(ge=-2, le=2)]
    at: Moment | None = None
    note: Text | None = None


class AttainedTold(Model):
    """A rating of a goal as it is kept."""

    id: Id
    goal: Id
    level: int
    by: str | None = None
    at: str | None = None
    fhir: References


class BarrierWord(Model):
    """A word for what can get in the way."""

    code: str
    title: str
    meaning: str
