"""The searchset Bundle, put together from the stored bytes without reading them. https://hl7.org/fhir/R4/bundle.html#searchset"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from schemas import json
from schemas.outcome import Issue, outcome
from schemas.registry import REGISTRY
from schemas.subset import elements, summary
from service.search.query import Query

Cut = Callable[[bytes], bytes]
Unpack = Callable[[int, int, bytes], bytes]
"""The bytes of a resource, from its type's number, `enc` and `content`."""
_SAFE: Final = "$*,/:;@|"
_END: Final = {mode: f',"search":{{"mode":"{mode}"}}}}'.encode() for mode in ("match", "include", "outcome")}


def cut(query: Query) -> Cut | None:
    """What makes of a resource the part that `_elements` or `_summary` asks for; None for the whole."""
    if query.elements:
        return lambda raw: json.encode(elements(json.decode(raw), query.elements))
    mode = query.summary
    if mode in ("true", "text", "data"):
        return lambda raw: json.encode(summary(json.decode(raw), mode))  # type: ignore[arg-type]  # one of Mode
    return None


@lru_cache(maxsize=1024)
def _start(base: str, type_id: int) -> str:
    return f'{{"fullUrl":"{base}/{REGISTRY.by_id[type_id].name}/'


def entries(rows: Iterable[Any], mode: str, base: str, unpack: Unpack, part: Cut | None) -> list[bytes]:
    """The entries of rows that have type_id, id, fid, enc and content."""
    end = _END[mode]
    made = []
    for row in rows:
        type_id, key, fid, enc, stored = row[:5]
        raw = unpack(type_id, enc, stored)
        if part is not None:
            raw = part(raw)
        made.append(b'%b%b","resource":%b%b' % (_start(base, type_id).encode(), (fid or str(key)).encode(), raw, end))
    return made


def note(issues: Sequence[Issue]) -> bytes:
    """The entry that tells what was ignored or left out."""
    return b'{"resource":%b%b' % (json.encode(outcome(issues)), _END["outcome"])


def link(path: str, params: Sequence[tuple[str, str]]) -> str:
    """The address of a search."""
    return f"{path}?{urlencode(params, safe=_SAFE, quote_via=quote)}" if params else path


def bundle(made: Sequence[bytes], links: Sequence[tuple[str, str]], total: int | None) -> bytes:
    """The Bundle of these entries; `links` are (relation, url)."""
    head: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links]
    start = json.encode(head)[:-1]
    return b'%b,"entry":[%b]}' % (start, b",".join(made)) if made else start + b"}"
