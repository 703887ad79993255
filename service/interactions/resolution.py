"""References of a transaction's entries to each other, and conditional ones, made real. https://hl7.org/fhir/R4/http.html#trules"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas import references
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

Visit = Callable[[str, str, str], str]
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

    def note(kind: str, text: str, where: str) -> str:
        if kind == "reference" and text.partition("?")[0] in REGISTRY.types and "?" in text:
            texts[text] = None
        return text

    for entry in entries:
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

    def __call__(self, kind: str, text: str, where: str) -> str:
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

    def _taken(self, found: str | Issue, text: str, where: str) -> str:
        if isinstance(found, str):
            return found
        self._note(self.unfound, found, where)
        return text

    def _note(self, noted: list[Issue], issue: Issue, where: str) -> None:
        noted.append(replace(issue, expression=(f"{self.place}.resource{where}",)))


def walked(node: Any, visit: Visit, datatype: str = "", where: str = "") -> Any:
    """`node` with every link in it as `visit` gives it back, wherever FHIR has one: extensions, contained, narrative."""
    if isinstance(node, list):
        return [walked(child, visit, datatype, f"{where}[{at}]") for at, child in enumerate(node)]
    if not isinstance(node, dict):
        return node
    datatype = str(node.get("resourceType", datatype))
    return {name: _member(name, child, visit, datatype, f"{where}.{name}") for name, child in node.items()}


def _member(name: str, child: Any, visit: Visit, datatype: str, where: str) -> Any:
    _, below = members(datatype).get(name.removeprefix("_"), (None, ""))
    if isinstance(child, str):
        return _text(name, child, visit, datatype, below, where)
    if isinstance(child, list) and below in _ADDRESSES:
        return [visit("address", each, where) if isinstance(each, str) else each for each in child]
    # Beside a primitive stand the extensions that any element may have.
    return walked(child, visit, "Extension" if name.startswith("_") else below, where)


def _text(name: str, text: str, visit: Visit, datatype: str, below: str, where: str) -> str:
    # A JSON Patch says no types; what it calls a reference is taken for one.
    if name == "reference" and datatype in ("Reference", ""):
        return visit("reference", text, where)
    if below in _ADDRESSES:
        return visit("address", text, where)
    if below == "xhtml":
        return _LINK.sub(lambda link: _linked(link, visit, where), text)
    return text


def _linked(link: re.Match[str], visit: Visit, where: str) -> str:
    quote, text = link[2][0], link[2][1:-1]
    return f"{link[1]}={quote}{visit('address', text, where)}{quote}"
