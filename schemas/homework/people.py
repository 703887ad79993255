"""Clients, and who asks. Docs: docs/homework-api.md."""

from typing import Literal

from pydantic import Field

from schemas.homework.model import Id, Model, References


class Client(Model):
    """Somebody in therapy."""

    id: Id
    name: str | None = Field(default=None, description="As people write it")
    birth_date: str | None = None
    language: str | None = Field(default=None, description="The language they prefer")
    zone: str | None = Field(default=None, description="Their time zone, such as Europe/Madrid")
    active: bool | None = None
    version: int
    fhir: References


class Me(Model):
    """Who asks, and for whom."""

    role: Literal["client", "relative", "therapist", "app"] = Field(description="What the token is for")
    person: str | None = Field(default=None, description="The person, as a FHIR reference such as Practitioner/123")
    client: Id | None = Field(default=None, description="Whose record the app was opened on, or who the person is")
    app: str = Field(description="The client_id of the app")
