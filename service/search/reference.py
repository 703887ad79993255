"""Reference parameters: `Type/id`, `id`, absolute URLs, canonicals, :identifier. https://hl7.org/fhir/R4/search.html#reference"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from schemas import ids, references, tokens
from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY, SearchParam
from service.index import layout
from service.index.rows import reference_key
from service.search.query import Always, Chain, Has, Membership, Place, Test
from service.search.reader import Reader, any_of
from service.search.text import Malformed, alternatives, split, unescape

MODIFIERS: Final = ("missing", "identifier")


@lru_cache(maxsize=4096)
def columns(type_name: str, code: str) -> tuple[str, ...]:
    """Where tokens of references under `code` are, the patient column apart."""
    param = REGISTRY.types[type_name].search[code]
    if layout.hot(type_name).k1 != code:
        return ("sel",)
    return ("k1",) if param.single else ("k1", "sel")


@lru_cache(maxsize=4096)
def targets(type_name: str, code: str) -> tuple[str, ...]:
    """The types held here that references under `code` may point at."""
    param = REGISTRY.types[type_name].search[code]
    if code == "_id":
        return ()
    return tuple(
        name for name, each in REGISTRY.types.items() if each.storable and (not param.targets or name in param.targets)
    )


def _is_literal(param: SearchParam) -> bool:
    return any(path.datatype not in ("canonical", "uri") for path in param.paths)


def read(reader: Reader, type_name: str, param: SearchParam, modifier: str | None, value: str) -> Test:
    """The test for one parameter as sent; `modifier` is None, identifier or a type. Raises Malformed."""
    found: list[tuple[str, Any]] = []
    for item in alternatives(value):
        if modifier == "identifier":
            made = tokens.token(
                reader.tenant_id, REGISTRY.types[type_name].id, param.id, f"identifier:{_identifier(item)}"
            )
            found.append((layout.identifier_column(type_name, param.code), made))
        else:
            found += _written(reader, type_name, param, modifier, unescape(item))
    return _of(type_name, param.code, reader.places(found) if found else Always(False))


def tells_members(type_name: str, code: str) -> bool:
    """Whether the parameter tells who the members of a Group are, which not everybody may know."""
    return type_name == "Group" and code == "member"


def _of(type_name: str, code: str, test: Test) -> Test:
    return Membership(test) if tells_members(type_name, code) else test


def _identifier(item: str) -> str:
    parts = [unescape(part) for part in split(item, "|")]
    if len(parts) == 1:
        return f"*|{parts[0]}"
    if not parts[1]:
        raise Malformed(f"{item!r} has no value; write system|value, |value or value")
    return f"{parts[0]}|{'|'.join(parts[1:])}"


def _written(
    reader: Reader, type_name: str, param: SearchParam, only: str | None, text: str
) -> Iterator[tuple[str, Any]]:
    if not _is_literal(param):
        yield from _url(reader, type_name, param, text)
        return
    literal = references.literal(text)
    if literal is None and ids.is_legal(text):
        names = targets(type_name, param.code) if only is None else (only,)
        for name in names:
            yield from to(reader, type_name, param, name, text)
        return
    if literal is None:
        if ":" not in text:
            raise Malformed(f"{text[:80]!r} is no reference; write Type/id, an id or an absolute URL")
        yield from _url(reader, type_name, param, text)
        return
    if literal.version is not None:
        raise Malformed(f"References are searched without version; write {literal.type}/{literal.id}", "not-supported")
    if literal.base not in (None, reader.base) or literal.type not in REGISTRY.types:
        _require_type(param, literal.type)
        yield from _url(reader, type_name, param, text)
        return
    if only not in (None, literal.type):
        raise Malformed(f"{param.code}:{only} cannot be a reference to {literal.type}")
    _require_type(param, literal.type)
    yield from to(reader, type_name, param, literal.type, literal.id)


def _require_type(param: SearchParam, name: str) -> None:
    if name not in REGISTRY.names:
        raise Malformed(f"{name!r} is no resource type.{did_you_mean(name, REGISTRY.names)}")
    if param.targets and name not in param.targets:
        raise Malformed(f"{param.code} refers to {' or '.join(param.targets)}, never to {name}")


def _url(reader: Reader, type_name: str, param: SearchParam, text: str) -> Iterator[tuple[str, Any]]:
    made = tokens.token(reader.tenant_id, REGISTRY.types[type_name].id, param.id, f"url:{text}")
    is_versioned = "|" in text and not _is_literal(param)
    for column in columns(type_name, param.code):
        # Of a canonical with a version only the first token, the one without, can be in the column.
        if not (is_versioned and column == "k1"):
            yield column, made
    if is_versioned and columns(type_name, param.code) == ("k1",):
        yield "sel", made


def to(reader: Reader, type_name: str, param: SearchParam, target: str, resource_id: str) -> Iterator[tuple[str, Any]]:
    """(column, value) of a reference under `param` to that resource."""
    key = ids.key(reader.tenant_id, target, resource_id)
    if target == "Patient" and layout.is_patient_column(type_name, param.code):
        yield "patient", key
        return
    type_id, target_id = REGISTRY.types[type_name].id, REGISTRY.types[target].id
    made = tokens.reference(reader.tenant_id, type_id, param.id, target_id, key)
    for column in columns(type_name, param.code):
        yield column, made


def chain(reader: Reader, type_name: str, param: SearchParam, target: str, test: Test) -> Test:
    """The test that `param` refers to a resource of type `target` for which `test` holds."""
    if target == "Patient" and layout.is_patient_column(type_name, param.code):
        return Chain("patient", target, test)
    type_id, target_id = REGISTRY.types[type_name].id, REGISTRY.types[target].id
    salt = reader.binder.add(tokens.reference_salt(reader.tenant_id, type_id, param.id, target_id))
    made = any_of([Chain(column, target, test, salt) for column in columns(type_name, param.code)])
    return _of(type_name, param.code, made)


def has(type_name: str, source: str, param: SearchParam, test: Test) -> Test:
    """The test that some resource of type `source`, for which `test` holds, refers to this one under `param`."""
    if type_name == "Patient" and layout.is_patient_column(source, param.code):
        return Has(source, test, None)
    return _of(source, param.code, Has(source, test, reference_key(param.id, REGISTRY.types[type_name].id)))


def compartment(reader: Reader, type_name: str, codes: Sequence[str], owner: tuple[str, str]) -> Test:
    """The test that one of these parameters refers to the compartment's owner, given as type and id."""
    found: list[tuple[str, Any]] = []
    tests: list[Test] = []
    for code in codes:
        if code == "_id":
            tests.append(Place("patient", reader.binder.add(ids.key(reader.tenant_id, *owner))))
        else:
            found += to(reader, type_name, REGISTRY.types[type_name].search[code], *owner)
    if found:
        tests.append(reader.places(found))
    # The only parameter that puts a Group into a compartment.
    return _of(type_name, "member", any_of(tests))
