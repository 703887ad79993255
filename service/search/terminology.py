"""Codes that only the tenant's own ValueSets and CodeSystems can tell: :in, :not-in, :above and :below on tokens.

A ValueSet is found by its url and read as far as it lists codes itself or names whole systems; a CodeSystem by its url and
read along `concept`. What is not held, or needs a terminology server, is refused, never guessed.
https://hl7.org/fhir/R4/search.html#token
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

from schemas import tokens
from schemas.registry import REGISTRY
from service.errors import BadRequest
from service.search.reader import Expansion
from service.search.text import Malformed, split, unescape

JsonObject = dict[str, Any]
Look = Callable[[str, str], Awaitable[JsonObject | None]]
"""(type, canonical URL) -> the resource of that type with this url, None when the caller finds none."""
_DEPTH: Final = 8


async def resolved(values: Sequence[Any], look: Look) -> list[Any]:
    """The values, with the tokens in place of each Expansion. Raises BadRequest."""
    return [await _tokens(value, look, values[0]) if isinstance(value, Expansion) else value for value in values]


async def _tokens(wanted: Expansion, look: Look, tenant_id: int) -> list[int]:
    try:
        if wanted.modifier == "in":
            codes = await _value_set(wanted.value, look, _DEPTH)
        else:
            codes = await _related(wanted, look)
    except Malformed as fault:
        expression = f"{wanted.type}?{wanted.param.code}:{wanted.modifier}"
        raise BadRequest(fault.sentence, code=fault.code, expression=(expression,)) from None
    type_id = REGISTRY.types[wanted.type].id
    plain = any(path.datatype == "code" for path in wanted.param.paths)
    texts = {f"{system}|{code or ''}" for system, code in codes}
    texts |= {f"*|{code}" for _, code in codes if plain and code is not None}
    return [tokens.token(tenant_id, type_id, wanted.param.id, text) for text in sorted(texts)]


async def _value_set(url: str, look: Look, depth: int) -> set[tuple[str, str | None]]:
    """(system, code) of the value set's members; code None stands for all of the system."""
    found = await look("ValueSet", url)
    if found is None:
        raise Malformed(f"No ValueSet {url[:200]} is held here; create it before searching by it", "not-supported")
    if "contains" in found.get("expansion", {}):
        return set(_contained(found["expansion"]["contains"]))
    compose = found.get("compose", {})
    members: set[tuple[str, str | None]] = set()
    for part in compose.get("include", ()):
        members |= await _part(part, url, look, depth)
    for part in compose.get("exclude", ()):
        without = await _part(part, url, look, depth)
        if any(code is None and system in {each for each, _ in members} for system, code in without) or any(
            code is not None and (system, None) in members for system, code in without
        ):
            raise Malformed(f"ValueSet {url[:200]} takes single codes out of a whole system", "not-supported")
        members -= without
    return members


def _contained(entries: Sequence[JsonObject]) -> Iterator[tuple[str, str | None]]:
    for entry in entries:
        if "code" in entry and not entry.get("abstract"):
            yield entry.get("system", ""), entry["code"]
        yield from _contained(entry.get("contains", ()))


async def _part(part: JsonObject, url: str, look: Look, depth: int) -> set[tuple[str, str | None]]:
    """One include or exclude: the codes it lists, and of those only what its value sets have too."""
    system = part.get("system", "")
    found: set[tuple[str, str | None]] | None = None
    if "concept" in part:
        found = {(system, concept["code"]) for concept in part["concept"] if "code" in concept}
    elif "filter" in part:
        found = await _filtered(part, system, url, look)
    elif system:
        found = {(system, None)}
    for inner in part.get("valueSet", ()):
        if depth == 0:
            raise Malformed(f"ValueSet {url[:200]} refers to others too deeply, or to itself", "not-supported")
        other = await _value_set(inner, look, depth - 1)
        found = other if found is None else _both(found, other)
    return found or set()


def _both(one: set[tuple[str, str | None]], other: set[tuple[str, str | None]]) -> set[tuple[str, str | None]]:
    return {each for each in one if each in other or (each[0], None) in other} | {
        each for each in other if (each[0], None) in one
    }


async def _filtered(part: JsonObject, system: str, url: str, look: Look) -> set[tuple[str, str | None]]:
    found: set[tuple[str, str | None]] | None = None
    for each in part["filter"]:
        operator, value = each.get("op"), each.get("value", "")
        if each.get("property") != "concept" or operator not in ("is-a", "descendent-of"):
            raise Malformed(
                f"ValueSet {url[:200]} has a filter that only a terminology server could read", "not-supported"
            )
        below: set[tuple[str, str | None]] = {(system, code) for code in await _below(system, value, look)}
        below -= {(system, value)} if operator == "descendent-of" else set()
        found = below if found is None else found & below
    return set(found or ())


async def _related(wanted: Expansion, look: Look) -> set[tuple[str, str | None]]:
    parts = [unescape(part) for part in split(wanted.value, "|")]
    if len(parts) != 2 or not all(parts):
        raise Malformed(f":{wanted.modifier} takes system|code, not {wanted.value[:80]!r}")
    system, code = parts
    find = _below if wanted.modifier == "below" else _above
    return {(system, each) for each in await find(system, code, look)}


async def _concepts(system: str, look: Look) -> dict[str, str | None]:
    """The parent of each code of a system, None at the top."""
    found = await look("CodeSystem", system)
    if found is None:
        raise Malformed(f"No CodeSystem {system[:200]} is held here, so its hierarchy is not known", "not-supported")
    parents: dict[str, str | None] = {}
    waiting: list[tuple[JsonObject, str | None]] = [(concept, None) for concept in found.get("concept", ())]
    while waiting:
        concept, parent = waiting.pop()
        parents[concept.get("code", "")] = parent
        waiting += [(child, concept.get("code")) for child in concept.get("concept", ())]
    return parents


def _line(code: str | None, parents: dict[str, str | None]) -> Iterator[str]:
    while code is not None:
        yield code
        code = parents.get(code)


async def _above(system: str, code: str, look: Look) -> set[str]:
    return set(_line(code, await _concepts(system, look)))


async def _below(system: str, code: str, look: Look) -> set[str]:
    parents = await _concepts(system, look)
    return {each for each in parents if code in _line(each, parents)} | {code}
