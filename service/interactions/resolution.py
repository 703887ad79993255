"""References of a transaction's entries to each other, and conditional ones, made real. https://hl7.org/fhir/R4/http.html#trules"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from schemas import json, references
from schemas.members import members
from schemas.outcome import Issue, error
from schemas.registry import REGISTRY
from service.call import Call
from service.errors import BadRequest, HearthError
from service.interactions import conditional
from service.interactions.entry import Entry
from service.store import Store

_ADDRESSES: Final = ("uri", "url", "oid", "uuid")
"""The types whose values are addresses. A canonical names a resource by its own `url`, which no server changes."""
_LINK: Final = re.compile(r'(?<=\s)(href|src)=("[^"]*"|\'[^\']*\')')
"""The links of a narrative."""

Where = tuple[Any, ...]
"""The place of a node: its parent's place and its name or number, nothing for a resource. Spelled out where it is told."""
Visit = Callable[[str, str, Where], str]
"""(kind, text, where) -> the text to stand there; kind is `reference`, or `address` for any other link."""


@dataclass(frozen=True, slots=True)
class Linked:
    """An entry with its links made real, but for the references by search that find nothing yet."""

    entry: Entry
    unfound: Sequence[Issue]


def places_of(entries: Sequence[Entry]) -> dict[str, str]:
    """Where the fullUrls of the entries lead."""
    return {
        entry.full_url: f"{entry.call.type}/{entry.call.id}"
        for entry in entries
        if entry.full_url is not None and entry.call.id is not None
    }


async def resolved(call: Call, store: Store, entries: Sequence[Entry], places: Mapping[str, str]) -> list[Linked]:
    """The entries with real links. Raises BadRequest with each reference that is to lead to an entry and leads to none."""
    found = await _conditional(call, store, entries)
    faults: list[Issue] = []
    result = []
    for entry in entries:
        own = references.literal(entry.full_url or "")
        links = _Links(entry.place, None if own is None else own.base, places, found, faults, [])
        body = walked(entry.call.body, links)
        result.append(Linked(replace(entry, call=replace(entry.call, body=body)), links.unfound))
    if faults:
        raise BadRequest(issues=faults)
    return result


async def _conditional(call: Call, store: Store, entries: Sequence[Entry]) -> dict[str, str | Issue]:
    """What each conditional reference finds: `Patient?identifier=...` -> `Patient/1`, or why it finds nothing."""
    texts: dict[str, None] = {}

    def note(kind: str, text: str, where: Where) -> str:
        if kind == "reference" and text.partition("?")[0] in REGISTRY.types and "?" in text:
            texts[text] = None
        return text

    for entry in entries:
        if b"?" in json.encode(entry.call.body):
            walked(entry.call.body, note)
    return {text: await _match(call, store, text) for text in texts}


async def _match(call: Call, store: Store, text: str) -> str | Issue:
    type_name, _, query = text.partition("?")
    try:
        match = await conditional.match(replace(call, type=type_name), store, conditional.criteria(query))
    except HearthError as refusal:
        return refusal.issues[0]
    if match is not None:
        return f"{type_name}/{match.id}"
    sentence = f"This conditional reference finds no {type_name}, neither before this transaction nor in it"
    return error("not-found", sentence, details_code="reference-unresolved")


@dataclass(frozen=True, slots=True)
class _Links:
    """What becomes of the links in the entry at `place`, which came from the base `root`."""

    place: str
    root: str | None
    places: Mapping[str, str]
    found: Mapping[str, str | Issue]
    faults: list[Issue]
    unfound: list[Issue]

    def __call__(self, kind: str, text: str, where: Where) -> str:
        place = self.places.get(text)
        if place is not None:
            return place
        if kind != "reference":
            return text
        if text in self.found:
            return self._taken(self.found[text], text, where)
        if self.root is not None and f"{self.root}/{text}" in self.places:
            return self.places[f"{self.root}/{text}"]
        if text.startswith(("urn:uuid:", "urn:oid:")):
            sentence = "This is the fullUrl of no entry of the Bundle"
            self._note(self.faults, error("not-found", sentence, details_code="reference-unresolved"), where)
        return text

    def _taken(self, found: str | Issue, text: str, where: Where) -> str:
        if isinstance(found, str):
            return found
        self._note(self.unfound, found, where)
        return text

    def _note(self, noted: list[Issue], issue: Issue, where: Where) -> None:
        noted.append(replace(issue, expression=(f"{self.place}.resource{_spelled(where)}",)))


def _spelled(where: Where) -> str:
    if not where:
        return ""
    above, name = where
    return f"{_spelled(above)}[{name}]" if isinstance(name, int) else f"{_spelled(above)}.{name}"


def walked(node: Any, visit: Visit, datatype: str = "", where: Where = ()) -> Any:
    """`node` with every link in it as `visit` gives it back, wherever FHIR has one: extensions, contained, narrative."""
    if type(node) is list:
        return [walked(child, visit, datatype, (where, at)) for at, child in enumerate(node)]
    if type(node) is not dict:
        return node
    datatype = str(node.get("resourceType", datatype))
    links, below = _links(datatype)
    made: dict[str, Any] = {}
    for name, child in node.items():
        if type(child) is str:
            kind = links.get(name)
            made[name] = child if kind is None else _text(kind, child, visit, (where, name))
        elif type(child) is list and links.get(name) == "address":
            made[name] = [visit("address", each, (where, name)) if isinstance(each, str) else each for each in child]
        elif type(child) is dict or type(child) is list:
            # Beside a primitive stand the extensions that any element may have.
            inner = "Extension" if name.startswith("_") else below.get(name, "")
            made[name] = walked(child, visit, inner, (where, name))
        else:
            made[name] = child
    return made


@lru_cache(maxsize=1024)
def _links(datatype: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """By JSON member name: the kind of link that a text is (reference, address or xhtml), and the type of every member."""
    below = {name: kind for name, (_, kind) in members(datatype).items()}
    links = {name: "address" if kind in _ADDRESSES else kind for name, kind in below.items()}
    links = {name: kind for name, kind in links.items() if kind in ("address", "xhtml")}
    # A JSON Patch says no types; what it calls a reference is taken for one.
    return links | ({"reference": "reference"} if datatype in ("Reference", "") else {}), below


def _text(kind: str, text: str, visit: Visit, where: Where) -> str:
    if kind == "xhtml":
        return _LINK.sub(lambda link: _linked(link, visit, where), text)
    return visit(kind, text, where)


def _linked(link: re.Match[str], visit: Visit, where: Where) -> str:
    quote, text = link[2][0], link[2][1:-1]
    return f"{link[1]}={quote}{visit('address', text, where)}{quote}"
