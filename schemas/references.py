"""References as written: relative, absolute, contained, urn, canonical. https://hl7.org/fhir/R4/references.html"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas import ids

_LITERAL: Final = re.compile(
    r"(?:(?P<base>https?://[^?#]+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/(?P<version>[A-Za-z0-9\-.]{1,64}))?(?P<fragment>#.+)?"
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A reference of the form [base/]Type/id[/_history/version]."""

    base: str | None
    type: str
    id: str
    version: str | None


@lru_cache(maxsize=16384)
def literal(text: str) -> Literal | None:
    """The parts of a RESTful reference, or None when `text` is a fragment, a urn or another kind of address."""
    match = _LITERAL.fullmatch(text)
    if match is None or not ids.is_legal(match["id"]):
        return None
    return Literal(match["base"], match["type"], match["id"], match["version"])
