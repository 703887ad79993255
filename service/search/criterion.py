"""One search parameter as sent, `name=value`, as a test: its name resolved against the type, then its value read.

Chains, `_has` and what they end in are resolved the same way, type by type. https://hl7.org/fhir/R4/search.html#chaining
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from schemas import ids
from schemas.nearest import did_you_mean
from schemas.registry import REGISTRY, SearchParam
from service.index import layout
from service.index.rows import reference_key
from service.search import composite, ordered, reference, string, token
from service.search.query import Always, Identity, Listed, Negated, Present, Test
from service.search.reader import Reader, any_of
from service.search.text import Malformed, alternatives, unescape

MOST_JOINS: Final = 100
"""How many references one search may follow, counted over all types that a chain may go through."""
DEEPEST: Final = 16
Read = Callable[[Reader, str, SearchParam, str | None, str], Test]

_KINDS: Final[dict[str, tuple[Read, tuple[str, ...]]]] = {
    "token": (token.read, token.MODIFIERS),
    "reference": (reference.read, reference.MODIFIERS),
    "string": (string.read, string.MODIFIERS),
    "uri": (string.read_uri, string.URI_MODIFIERS),
    "date": (ordered.read_date, ordered.MODIFIERS),
    "number": (ordered.read_number, ordered.MODIFIERS),
    "quantity": (ordered.read_quantity, ordered.MODIFIERS),
    "composite": (composite.read, composite.MODIFIERS),
}


class Plain(NamedTuple):
    """A parameter of the type itself."""

    param: SearchParam
    modifier: str | None


class Chained(NamedTuple):
    """A reference, then a parameter of what it refers to, for each type that has it."""

    param: SearchParam
    ends: "tuple[tuple[str, Named], ...]"


class Reverse(NamedTuple):
    """A parameter of resources of `source` that refer here by `param`."""

    source: str
    param: SearchParam
    end: "Named"


Named: TypeAlias = Plain | Chained | Reverse


def criterion(reader: Reader, type_name: str, name: str, value: str) -> Test:
    """The test that `name=value` stands for on resources of the type. Raises Malformed."""
    return _test(reader, type_name, resolve(type_name, name), value)


@lru_cache(maxsize=4096)
def resolve(type_name: str, name: str) -> Named:
    """What the name of a parameter means on this type. Raises Malformed with the nearest names that exist."""
    if name.count(".") + name.count("_has:") > DEEPEST:
        raise Malformed(f"A chain has at most {DEEPEST} steps", "too-costly")
    if name.startswith("_has:"):
        return _reverse(type_name, name)
    first, dot, rest = name.partition(".")
    code, colon, modifier = first.partition(":")
    param = known(type_name, code)
    if dot:
        return _chained(type_name, param, modifier or None, rest)
    if not colon:
        return Plain(param, None)
    allowed = modifiers(type_name, param)
    if modifier not in allowed:
        hint = did_you_mean(modifier, allowed)
        listed = f"It takes :{', :'.join(allowed)}" if allowed else "It takes none"
        raise Malformed(f"{code} has no modifier :{modifier[:40]}.{hint} {listed}", "not-supported")
    return Plain(param, modifier)


def known(type_name: str, code: str) -> SearchParam:
    """The parameter of that code. Raises Malformed with the nearest ones and all."""
    search = REGISTRY.types[type_name].search
    param = search.get(code)
    if param is None:
        hint = did_you_mean(code, search)
        valid = ", ".join(search)
        raise Malformed(f"{type_name} has no search parameter {code[:80]!r}.{hint} Valid are {valid}", "not-supported")
    return param


def modifiers(type_name: str, param: SearchParam) -> tuple[str, ...]:
    """The modifiers that the parameter takes."""
    if param.code == "_list":
        return ()
    if param.code in ("_id", "_lastUpdated"):
        return ("missing",)
    if param.kind == "token" and any(path.datatype == "Identifier" for path in param.paths):
        return token.IDENTIFIER_MODIFIERS
    found = _KINDS[param.kind][1]
    if param.kind != "reference":
        return found
    if all(path.datatype in ("canonical", "uri") for path in param.paths):
        return ("missing",)
    return (*found, *reference.targets(type_name, param.code))


def _chained(type_name: str, param: SearchParam, only: str | None, rest: str) -> Chained:
    if param.kind != "reference":
        raise Malformed(f"{param.code} is no reference, so nothing can be chained to it", "not-supported")
    if all(path.datatype in ("canonical", "uri") for path in param.paths):
        raise Malformed(f"{param.code} holds canonical URLs, which cannot be chained", "not-supported")
    targets = reference.targets(type_name, param.code)
    if only is not None and only not in targets:
        hint = did_you_mean(only, targets)
        raise Malformed(f"{param.code} cannot refer to {only[:40]}.{hint} It refers to {', '.join(targets)}")
    ends: list[tuple[str, Named]] = []
    faults: list[Malformed] = []
    for target in targets if only is None else (only,):
        try:
            ends.append((target, resolve(target, rest)))
        except Malformed as fault:
            faults.append(fault)
    if not ends:
        raise faults[0] if faults else Malformed(f"{param.code} refers to nothing that is held here", "not-supported")
    return Chained(param, tuple(ends))


def _reverse(type_name: str, name: str) -> Reverse:
    parts = name.split(":", 3)
    if len(parts) < 4 or not all(parts):
        raise Malformed("_has is written _has:Type:reference:parameter, as in _has:Observation:patient:code")
    _, source, code, rest = parts
    held = [each.name for each in REGISTRY.types.values() if each.storable]
    if source not in held:
        raise Malformed(f"{source[:40]!r} is no resource type held here.{did_you_mean(source, held)}")
    param = known(source, code)
    if param.kind != "reference" or type_name not in reference.targets(source, code):
        fitting = [
            each.code
            for each in REGISTRY.types[source].search.values()
            if each.kind == "reference" and type_name in reference.targets(source, each.code)
        ]
        raise Malformed(
            f"{source}.{code} does not refer to {type_name}; of {source} these do: {', '.join(fitting) or 'none'}"
        )
    return Reverse(source, param, resolve(source, rest))


def _test(reader: Reader, type_name: str, named: Named, value: str) -> Test:
    if not isinstance(named, Plain):
        reader.joined += 1
        if reader.joined > MOST_JOINS:
            raise Malformed("This chain goes over too many types; name them, as in subject:Patient.name", "too-costly")
    if isinstance(named, Chained):
        tests = [
            reference.chain(reader, type_name, named.param, target, _test(reader, target, end, value))
            for target, end in named.ends
        ]
        return any_of(tests)
    if isinstance(named, Reverse):
        return reference.has(type_name, named.source, named.param, _test(reader, named.source, named.end, value))
    if named.modifier == "missing":
        return _missing(type_name, named.param, value)
    special = _SPECIAL.get(named.param.code)
    if special is not None:
        return special(reader, type_name, value)
    return _KINDS[named.param.kind][0](reader, type_name, named.param, named.modifier, value)


def _missing(type_name: str, param: SearchParam, value: str) -> Test:
    if value not in ("true", "false"):
        raise Malformed(f":missing is true or false, not {value[:40]!r}")
    if param.code in ("_id", "_lastUpdated"):
        return Always(value == "false")
    search = REGISTRY.types[type_name].search
    codes = layout.combined(type_name, param.code) or (param.code,)
    present = Present(sum({1 << search[code].bit for code in codes}))
    return present if value == "false" else Negated(present)


def _id(reader: Reader, type_name: str, value: str) -> Test:
    found = list(_legal(alternatives(value)))
    return Identity(reader.array([ids.key(reader.tenant_id, type_name, each) for each in found]))


def _legal(items: Iterable[str]) -> Iterable[str]:
    for item in items:
        text = unescape(item)
        if not ids.is_legal(text):
            raise Malformed(f"{text[:80]!r} is no id: those are 1 to 64 of A-Z a-z 0-9 - and dot")
        yield text


def _list(reader: Reader, type_name: str, value: str) -> Test:
    if value.startswith("$"):
        raise Malformed("Functional lists are not offered; name a List by its id", "not-supported")
    key = reference_key(REGISTRY.types["List"].search["item"].id, REGISTRY.types[type_name].id)
    return Listed(reader.array([ids.key(reader.tenant_id, "List", each) for each in _legal(alternatives(value))]), key)


_SPECIAL: Final[dict[str, Callable[[Reader, str, str], Test]]] = {
    "_id": _id,
    "_lastUpdated": lambda reader, _, value: ordered.read_updated(reader, value),
    "_list": _list,
}
