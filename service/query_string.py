"""A query string as its parameters: percent-encoded UTF-8, in the order sent. https://url.spec.whatwg.org/#urlencoded-parsing"""

from typing import Final
from urllib.parse import parse_qsl

from service.errors import BadRequest

MOST: Final = 1000
SINGLE: Final = frozenset(("_at", "_count", "_cursor", "_format", "_pretty", "_since", "_summary", "_total"))
Params = tuple[tuple[str, str], ...]


def parse(text: str) -> Params:
    """The (name, value) pairs, empty values kept. Raises BadRequest for what no parameter can be."""
    if not text:
        return ()
    try:
        params = tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST))
    except ValueError as fault:
        raise BadRequest(
            f"The query string is not percent-encoded UTF-8, or has over {MOST:,} parameters",
            details_code="query-malformed",
        ) from fault
    # PostgreSQL's text has no NUL, and neither has any FHIR value.
    if "%00" in text or "\0" in text:
        raise BadRequest("A parameter has a NUL character, which no value of FHIR has", details_code="query-malformed")
    _require_single(params)
    return params


def _require_single(params: Params) -> None:
    """Raise BadRequest for a parameter twice of which only one can hold; all others add up."""
    seen = set()
    for name, _ in params:
        if name in seen:
            raise BadRequest(f"{name} may be sent once", details_code="query-malformed", expression=(name,))
        if name in SINGLE:
            seen.add(name)
