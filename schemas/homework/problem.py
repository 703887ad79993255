"""What is wrong with a request, and a page of a list. https://www.rfc-editor.org/rfc/rfc9457"""

from typing import Generic, TypeVar

from pydantic import Field

from schemas.homework.model import Model

T = TypeVar("T")


class Fault(Model):
    """One thing that is wrong."""

    code: str = Field(description="For programs; it stays the same between releases", examples=["unknown-member"])
    detail: str = Field(description="What is wrong, and what would be right")
    pointer: str | None = Field(
        None, description="Where in the body that was sent: a JSON Pointer", examples=["#/dose/times"]
    )
    parameter: str | None = Field(default=None, description="Or which parameter of the address")
    header: str | None = Field(default=None, description="Or which header")


class Problem(Model):
    """Why a request was refused."""

    type: str = Field(description="Where this kind of problem is explained")
    title: str = Field(description="What kind of problem it is")
    status: int
    detail: str = Field(description="What is wrong with this request, and what would be right")
    instance: str = Field(description="The request's id, which the log of the server has too")
    code: str = Field(description="For programs: the last part of `type`")
    errors: tuple[Fault, ...] = Field(default=(), description="Everything that is wrong with it")


class Page(Model, Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    next: str | None = Field(default=None, description="Send it as `cursor` for what follows; absent at the end")
