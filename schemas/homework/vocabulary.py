"""The words of the homework API, from the code systems of the library. https://hl7.org/fhir/R4/codesystem.html"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field

from schemas import json
from schemas.library import BASE
from schemas.nearest import did_you_mean


class Word(NamedTuple):
    """A code with its title, what it means, and the whole concept."""

    code: str
    title: str
    meaning: str
    concept: Mapping[str, Any]


@cache
def words(name: str) -> Mapping[str, Word]:
    """The words of the code system `homework-{name}` of the library, by code."""
    raw = files("schemas").joinpath("data", "library", f"CodeSystem-homework-{name}.json").read_bytes()
    concepts = json.decode(raw)["concept"]
    return MappingProxyType(
        {each["code"]: Word(each["code"], each["display"], each.get("definition", ""), each) for each in concepts}
    )


def system(name: str) -> str:
    """The address of the code system `homework-{name}`."""
    return f"{BASE}/CodeSystem/homework-{name}"


def coding(name: str, code: str) -> dict[str, Any]:
    """A Coding of the code system `homework-{name}`."""
    return {"system": system(name), "code": code, "display": words(name)[code].title}


def one_of(allowed: tuple[str, ...]) -> AfterValidator:
    """Refuses what is none of these words, with the nearest of them."""

    def checked(word: str) -> str:
        if word not in allowed:
            raise ValueError(f"it is one of {', '.join(allowed)}.{did_you_mean(word, allowed)}")
        return word

    return AfterValidator(checked)


def listed(allowed: tuple[str, ...], description: str) -> Any:
    """What the OpenAPI document says of a member that is one of some words."""
    return Field(description=description, json_schema_extra={"enum": [*allowed]})


SERVERS_OWN: Final = frozenset(("clinician-risk-review", "plan-review", "review-proposal"))
"""Types of what is the therapist's to do, and no homework."""
SAID_BY_SERVER: Final = frozenset(("window-elapsed",))
"""Reasons that only the server gives."""
TYPES: Final = tuple(code for code in words("activity-type") if code not in SERVERS_OWN)
BARRIERS: Final = tuple(code for code in words("barrier") if code not in SAID_BY_SERVER)

ActivityType = Annotated[str, one_of(TYPES), listed(TYPES, "What kind of homework it is")]
BarrierCode = Annotated[str, one_of(BARRIERS), listed(BARRIERS, "What got in the way, from GET /barriers")]
