"""What the pages say, in each language that they are in. https://www.rfc-editor.org/rfc/rfc9110#section-12.5.4

One file of `data/words` is one language; a sentence has the same name and the same {placeholders} in all of them. What
other parts of the service say is in a folder of its own.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from schemas import json

LANGUAGES: Final = ("en", "es", "nl", "de")
"""The first is spoken to who wants none of them."""
_RANGES_MOST: Final = 20
_QUALITY: Final = re.compile(r"[01](\.[0-9]{0,3})?")


@cache
def of(language: str) -> Mapping[str, str]:
    """The sentences of a language of LANGUAGES, by name."""
    raw = files("schemas").joinpath("data", "words", f"{language}.json").read_bytes()
    found: dict[str, str] = json.decode(raw)
    return found


@cache
def part(name: str, language: str) -> Mapping[str, str]:
    """The sentences of one part of the service, such as its pictures, in a language of LANGUAGES."""
    raw = files("schemas").joinpath("data", "words", name, f"{language}.json").read_bytes()
    found: dict[str, str] = json.decode(raw)
    return found


def preferred(accepted: str) -> str:
    """The language that an Accept-Language header likes best among LANGUAGES."""
    best, liking = LANGUAGES[0], 0.0
    for item in accepted.split(",")[:_RANGES_MOST]:
        name, _, parameter = item.strip().partition(";")
        language = name.strip().partition("-")[0].lower()
        weight = _weight(parameter)
        if language in LANGUAGES and weight > liking:
            best, liking = language, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    return float(value) if _QUALITY.fullmatch(value.strip()) else 0.0


def date(said: Mapping[str, str], text: str) -> str:
    """A FHIR date, as precise as it is recorded, as people write it; what is no date stays as it is."""
    year, _, rest = text[:10].partition("-")
    month, _, day = rest.partition("-")
    digits = year + month + day
    if not (digits.isascii() and digits.isdecimal()) or (month and not 1 <= int(month) <= 12):
        return text
    if not month:
        return year
    name = said[f"month.{int(month)}"]
    if not day:
        return said["date.month"].format(month=name, year=year)
    return said["date.day"].format(day=int(day), month=name, year=year)
