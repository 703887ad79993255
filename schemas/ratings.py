"""The scales of the ratings in homework: from where to where each code of CodeSystem/homework-measure runs.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.referenceRange
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from schemas import json
from schemas.library import BASE

MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"


class Ends(NamedTuple):
    """The least and the greatest value of a scale."""

    low: int
    high: int


@cache
def scales() -> Mapping[str, Ends]:
    """The ends of every rating's scale, by code; counts and minutes have none."""
    raw = files("schemas").joinpath("data", "ratings.json").read_bytes()
    return {code: Ends(*ends) for code, ends in json.decode(raw).items()}
