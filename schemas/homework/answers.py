"""Forms and what is answered to them, flat: a key for each question. Docs: docs/homework-api.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.homework.model import Id, Language, Model, Moment, Notices, References

Kind = Literal[
    "text", "long-text", "number", "decimal", "yes-no", "date", "date-time", "time", "choice", "choice-or-text", "link",
    "file", "quantity", "reference", "group", "info",
]  # fmt: skip


class Option(Model):
    """One of the answers that a question offers."""

    value: str | int = Field(description="What to send")
    label: str = Field(description="What to show")


class Condition(Model):
    """When a question is asked: what another one must have been answered."""

    question: str = Field(description="The key of the other question")
    operator: str = Field(description="exists, =, !=, >, <, >= or <=", examples=["="])
    value: Any = Field(description="What it is compared with")


class Question(Model):
    """A question, a group of them, or words between them."""

    key: str = Field(description="What its answer is called")
    kind: Kind
    text: str | None = None
    required: bool = False
    repeats: bool = Field(
        default=False, description="Whether it takes a list of answers; of a group, a list of objects"
    )
    options: tuple[Option, ...] | None = None
    least: Any | None = Field(default=None, description="The smallest answer")
    most: Any | None = Field(default=None, description="The greatest answer")
    longest: int | None = Field(default=None, description="How many characters at most")
    unit: str | None = None
    shown_when: tuple[Condition, ...] | None = None
    shown_when_any: bool | None = Field(
        None, description="Whether one of the conditions is enough; otherwise all must hold"
    )
    questions: tuple[Question, ...] | None = None


class Form(Model):
    """A form to fill in."""

    id: Id
    url: str = Field(description="Its address with the version, as in an assignment's `form`")
    title: str
    language: str | None = None
    description: str | None = None
    why: str | None = Field(default=None, description="What it is good for")
    copyright: str | None = None
    questions: tuple[Question, ...]
    fhir: References


AnswerValue = Any
"""A text, number, true or false; a list where the question repeats; an object for a file or a quantity."""
Answered = Annotated[
    dict[str, AnswerValue],
    Field(
        description="By the key of each question its answer: a text, number, true or false, the `value` of an option, a "
        "list where it repeats, an object for a file or quantity. What is not answered is left out.",
        examples=[{"situation": "On the bus", "suds-pre": 70}],
    ),
]


class NewAnswers(Model):
    """Answers to the form of an assignment."""

    answers: Answered
    submit: bool = Field(
        False, description="Whether they are complete; otherwise they are a draft, to go on with later"
    )
    at: Moment | None = Field(default=None, description="When they were given; now where it is not said")
    private: bool = Field(default=False, description="Whether nobody but the client sees them until they are shared")
    language: Language | None = None


class Answers(Model):
    """What somebody answered."""

    id: Id
    state: Literal["draft", "submitted", "amended", "stopped", "in-error"]
    form: str | None = Field(default=None, description="The form, with its version")
    client: Id | None = None
    by: str | None = Field(default=None, description="Who answered, as a FHIR reference")
    at: str | None = None
    answers: Answered
    private: bool = Field(default=False, description="Whether only the client sees them")
    notices: Notices = None
    version: int
    changed_at: str
    fhir: References


class ChangedAnswers(Model):
    """All answers anew: those left out are taken back."""

    answers: Answered
    at: Moment | None = None


class Submission(Model):
    """The last answers, where there are some; without them the draft is submitted as it is."""

    answers: Answered | None = None
    at: Moment | None = None
