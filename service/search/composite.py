"""Composite parameters: `code$value`, both within one element. https://hl7.org/fhir/R4/search.html#composite"""

from typing import Final

from schemas import ids, references, tokens
from schemas.registry import REGISTRY, Component, SearchParam
from service.index import layout, rows
from service.search import ordered, string
from service.search.query import Always, Test
from service.search.reader import Reader, any_of
from service.search.text import Malformed, alternatives, split, unescape
from service.search.token import text

MODIFIERS: Final = ("missing",)


def read(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one composite parameter as sent. Raises Malformed."""
    parts = layout.combined(type_name, param.code)
    if parts is not None:
        search = REGISTRY.types[type_name].search
        return any_of([read(reader, type_name, search[part], modifier, value) for part in parts])
    return any_of([_one(reader, type_name, param, item) for item in alternatives(value)])


def _one(reader: Reader, type_name: str, param: SearchParam, item: str) -> Test:
    parts = split(item, "$")
    names = "$".join(component.code for component in param.components)
    if len(parts) != len(param.components) or not all(parts):
        raise Malformed(f"{item!r} is not of the form {names}")
    carrier = rows.carrier(type_name, param)
    if carrier is None:
        return _tokens(reader, type_name, param, parts)
    first = _text(reader, type_name, param.components[0], parts[0])
    if first is None:
        return Always(False)
    codes = (reader.array([tokens.token(reader.tenant_id, REGISTRY.types[type_name].id, param.id, first)]),)
    on = REGISTRY.types[type_name].search[carrier]
    if on.kind == "quantity":
        return ordered.quantity(reader, type_name, on, parts[1], codes)
    if on.kind == "date":
        return ordered.date(reader, type_name, on, unescape(parts[1]), codes)
    return string.string(reader, on, parts[1], codes=codes)


def _tokens(reader: Reader, type_name: str, param: SearchParam, parts: list[str]) -> Test:
    texts = [_text(reader, type_name, component, part) for component, part in zip(param.components, parts, strict=True)]
    if None in texts:
        return Always(False)
    made = tokens.token(reader.tenant_id, REGISTRY.types[type_name].id, param.id, "$".join(map(str, texts)))
    return reader.places([("flt", made)])


def _text(reader: Reader, type_name: str, component: Component, part: str) -> str | None:
    if component.kind == "token":
        found = text(type_name, component.paths, part)
        return None if found is None else found.text
    if component.kind == "reference":
        return _reference(reader, component, unescape(part))
    raise Malformed(f"{component.code} cannot be searched together with another value", "not-supported")


def _reference(reader: Reader, component: Component, part: str) -> str:
    literal = references.literal(part)
    if literal is not None and literal.base in (None, reader.base):
        return f"{literal.type}/{literal.id}"
    allowed = {target for path in component.paths for target in path.targets}
    if ids.is_legal(part) and len(allowed) == 1:
        return f"{allowed.pop()}/{part}"
    raise Malformed(f"{part[:80]!r} is no reference; write Type/id")
