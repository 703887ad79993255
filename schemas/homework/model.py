"""What the objects of the homework API have in common: strict, frozen, dates as written. https://www.rfc-editor.org/rfc/rfc3339"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas import dates

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?")


class Model(BaseModel):
    """An object of the API: unknown members are refused, nothing changes it once made."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


def written(model: BaseModel) -> dict[str, Any]:
    """The JSON object: what is absent is left out, numbers keep their digits."""
    return model.model_dump(mode="python", exclude_none=True)


def _moment(text: str) -> str:
    if not _MOMENT.fullmatch(text):
        raise ValueError("write a date as 2026-12-24, or a time with its zone as 2026-12-24T18:00:00Z")
    dates.interval(text if len(text) == 10 else _with_seconds(text))
    return text


def _with_seconds(text: str) -> str:
    return text if text[16:17] == ":" else f"{text[:16]}:00{text[16:]}"


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-.]{1,64}$", examples=["0199c2f0-7a31-7c55-9d6e-0d6f3a1b2c4d"])]
"""The id of an object; the same as that of its FHIR resource."""
Moment = Annotated[
    str,
    AfterValidator(_moment),
    Field(
        json_schema_extra={"anyOf": [{"format": "date"}, {"format": "date-time"}], "pattern": f"^{_MOMENT.pattern}$"}
    ),
]
"""A day, or a time with its zone, as RFC 3339 writes them; it comes back as it was sent."""
_PRINTED: Final = r"[^\x00-\x08\x0b\x0c\x0e-\x1f]*"
Text = Annotated[str, Field(min_length=1, max_length=20_000, pattern=rf"^{_PRINTED}\S{_PRINTED}$")]
"""Words, on one line or several."""
Line = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
"""Words on one line."""
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", examples=["en", "es"])]
References = Annotated[
    Mapping[str, str | tuple[str, ...]],
    Field(description="The FHIR resources that this is made of: by role, a reference such as Task/123, or several"),
]


class Note(Model):
    """What somebody added in words."""

    text: Text = Field(description="The words")
    by: str | None = Field(default=None, description="Who wrote it, as a FHIR reference such as Patient/123")
    at: str | None = Field(default=None, description="When")


class Notice(Model):
    """What the server says beside what it wrote."""

    code: str = Field(description="Which of the codes of the error list", examples=["crisis-information"])
    text: str = Field(description="Words; those of crisis-information are for the client, to be shown at once")


Notices = Annotated[
    tuple[Notice, ...] | None,
    Field(description="What the server says beside what it has just written; read it to know"),
]


class Ratio(Model):
    """So many of so many."""

    done: Decimal = Field(description="How many are done; a part counts as the practice has it", examples=[3])
    planned: int = Field(description="How many were planned", examples=[7])
