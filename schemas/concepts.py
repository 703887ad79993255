"""What the library's codes are called, in a reader's language. https://hl7.org/fhir/R4/codesystem.html"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from schemas import json, words


@cache
def displays(name: str, language: str) -> Mapping[str, str]:
    """The displays of the library's code system of that name, by code; in English where there is no translation."""
    folder = files("schemas").joinpath("data", "library")
    concepts = json.decode(folder.joinpath(f"CodeSystem-{name}.json").read_bytes())["concept"]
    said: Mapping[str, str] = {}
    if language != words.LANGUAGES[0]:
        said = json.decode(folder.joinpath("translations", f"{language}.json").read_bytes())
    return MappingProxyType({each["code"]: said.get(each["display"], each["display"]) for each in concepts})
