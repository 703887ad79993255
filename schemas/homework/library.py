"""What can be assigned. Docs: docs/homework-api.md."""

from pydantic import Field

from schemas.homework.assignments import Dose, Material
from schemas.homework.model import Id, Model, References


class Fit(Model):
    """For whom an activity is meant; what is not said fits everybody."""

    goals: tuple[str, ...] | None = Field(default=None, description="What it helps with")
    least_age: int | None = None
    most_age: int | None = None
    languages: tuple[str, ...] | None = None
    formats: tuple[str, ...] | None = None
    reading_level: str | None = None
    minutes: int | None = None


class Activity(Model):
    """An entry of the library."""

    id: Id
    url: str = Field(description="Its address with the version, as in an assignment's `activity`")
    title: str
    type: str | None = None
    description: str | None = None
    why: str | None = Field(default=None, description="What it is good for, as the client is told")
    instructions: str | None = None
    form: str | None = Field(default=None, description="The form that belongs to it, with its version")
    materials: tuple[Material, ...] | None = None
    dose: Dose | None = Field(default=None, description="How often it is usually done")
    language: str | None = None
    fit: Fit | None = None
    self_assignable: bool = Field(default=False, description="Whether clients may choose it for themselves")
    fhir: References
