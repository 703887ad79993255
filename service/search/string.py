"""String and uri parameters. https://hl7.org/fhir/R4/search.html#string https://hl7.org/fhir/R4/search.html#uri"""

from typing import Final

from schemas import tokens
from schemas.registry import REGISTRY, SearchParam
from service.index.rows import WORD_CODE, WORD_START
from service.index.values import fold
from service.search.query import String, Test, Words
from service.search.reader import Reader, any_of
from service.search.text import Malformed, alternatives, unescape

MODIFIERS: Final = ("missing", "exact", "contains")
URI_MODIFIERS: Final = ("missing", "above", "below")
INDEXED: Final = 200
"""How many characters of a string the index holds."""
_LAST: Final = "\U0010ffff"


def read(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one string parameter as sent. Raises Malformed."""
    return any_of([string(reader, param, item, modifier) for item in alternatives(value)])


def string(
    reader: Reader, param: SearchParam, item: str, modifier: str | None = None, codes: tuple[int, ...] = ()
) -> Test:
    """The test for one string; with `codes` only for values on whose row all of those arrays' tokens ride."""
    written = unescape(item)
    folded = fold(written)
    if not folded and modifier != "exact":
        raise Malformed("The text has no character that a search could compare")
    if modifier == "exact":
        slots = reader.binder.add(folded[:INDEXED]), reader.binder.add(written)
        return String(param.id, "exact", slots, codes)
    if modifier == "contains":
        return String(param.id, "contains", (reader.binder.add(folded),), codes)
    if len(folded) > INDEXED:
        raise Malformed(
            f"The text is longer than the {INDEXED} characters that are compared; shorten it, or use :exact"
        )
    slots = reader.binder.add(folded), reader.binder.add(folded + _LAST)
    return String(param.id, "starts", slots, codes)


def read_uri(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one uri parameter as sent; :below finds what starts with the value, :above what it starts with."""
    made = _in_row if param.code.startswith("_") else _in_table
    return any_of([made(reader, type_name, param, modifier, unescape(item)) for item in alternatives(value)])


def _in_row(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, uri: str) -> Test:
    if modifier == "above":
        raise Malformed(f"{param.code}:above is not possible; {param.code}:below is", "not-supported")
    if modifier == "below":
        return Words(reader.binder.add(f"{WORD_START}{param.id}{WORD_CODE}{uri}"))
    made = tokens.token(reader.tenant_id, REGISTRY.types[type_name].id, param.id, f"url:{uri}")
    return reader.places([("flt", made)])


def _in_table(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, uri: str) -> Test:
    if modifier == "below":
        slots = reader.binder.add(uri[:INDEXED]), reader.binder.add(uri[:INDEXED] + _LAST), reader.binder.add(uri)
        return String(param.id, "below", slots)
    if modifier == "above":
        prefixes = [uri[:end] for end in range(1, min(len(uri), INDEXED) + 1)]
        return String(param.id, "above", (reader.array(prefixes), reader.binder.add(uri)))
    return String(param.id, "uri", (reader.binder.add(uri[:INDEXED]), reader.binder.add(uri)))
