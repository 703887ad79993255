"""The FHIR route table: which interaction a method and a path ask for. https://hl7.org/fhir/R4/http.html#summary

Parts of a path are written by kind: T a resource type, I an id, V a version, anything else stands for itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.registry import REGISTRY
from service.errors import NotFound
from service.interactions import operations

_INTERACTIONS: Final[tuple[tuple[str, str, str], ...]] = (
    ("GET", "metadata", "capabilities"),
    ("POST", "", "transaction"),
    ("GET", "", "search-system"),
    ("POST", "_search", "search-system"),
    ("GET", "_history", "history-system"),
    ("GET", "T", "search-type"),
    ("POST", "T", "create"),
    ("PUT PATCH DELETE", "T", "conditional"),
    ("POST", "T/_search", "search-type"),
    ("GET", "T/_history", "history-type"),
    ("POST", "T/$validate", "validate"),
    ("GET PUT PATCH DELETE", "T/I", "instance"),
    ("GET", "T/I/_history", "history-instance"),
    ("GET", "T/I/_history/V", "vread"),
    ("GET POST", "T/I/$validate", "validate"),
    ("GET POST", "T/I/$meta", "meta"),
    ("GET POST", "Patient/I/$everything", "everything"),
    ("GET", "T/I/T", "search-compartment"),
    ("POST", "T/I/T/_search", "search-compartment"),
)
TABLE: Final = _INTERACTIONS + operations.ROUTES
_BY_METHOD: Final = {"GET": "read", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Route:
    """An interaction and what the path says of its object."""

    interaction: str
    type: str | None = None
    id: str | None = None
    version: str | None = None
    operation: str | None = None
    compartment: tuple[str, str] | None = None


def _compiled() -> dict[tuple[str, ...], dict[str, str]]:
    shapes: dict[tuple[str, ...], dict[str, str]] = {}
    for methods, path, interaction in TABLE:
        shape = tuple(path.split("/")) if path else ()
        for method in methods.split():
            found = _BY_METHOD[method] if interaction in ("conditional", "instance") else interaction
            shapes.setdefault(shape, {})[method] = found
            if method == "GET":
                shapes[shape]["HEAD"] = found
    return shapes


_SHAPES: Final = _compiled()


def route(method: str, parts: Sequence[str]) -> Route | tuple[str, ...] | None:
    """The route; the methods allowed when only the method is wrong; None when nothing has this path.

    A type that Hearth does not hold still has the shape of one, so that the refusal can name it.
    """
    methods = _SHAPES.get(_shape(parts)) or _SHAPES.get(_shape(parts, literal=True))
    if methods is None:
        return None
    interaction = methods.get(method)
    if interaction is None:
        return tuple(methods)
    if not parts or parts[0] in ("metadata", "_history", "_search"):
        return Route(interaction)
    if interaction == "search-compartment":
        return Route(interaction, type=parts[2], compartment=(parts[0], parts[1]))
    return Route(
        interaction,
        type=parts[0],
        id=parts[1] if len(parts) > 1 and parts[1][:1] not in "_$" else None,
        version=parts[3] if len(parts) > 3 else None,
        operation=parts[-1] if parts[-1].startswith("$") else None,
    )


def require_held(found: Route) -> None:
    """Raise NotFound, with the names it might have been, for a type that is not held here."""
    for name in (found.type, found.compartment[0] if found.compartment else None):
        if name is not None and not is_held(name):
            held = [each.name for each in REGISTRY.types.values() if each.storable]
            near = REGISTRY.nearest(name, held)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; /metadata lists the types that are"
            raise NotFound(
                f"{name[:64]!r} is no resource type held here{hint}", code="not-supported", details_code="unknown-type"
            )


def is_held(name: str) -> bool:
    """Whether resources of this type are stored here."""
    return name in REGISTRY.types and REGISTRY.types[name].storable


def _shape(parts: Sequence[str], literal: bool = False) -> tuple[str, ...]:
    kinds = []
    for at, part in enumerate(parts):
        if part[:1] in "_$" or (literal and at == 0) or (at == 0 and part == "metadata"):
            kinds.append(part)
        elif at == 0 or (at == 2 and (part in REGISTRY.names or part[:1].isupper())):
            kinds.append("T")
        elif at == 3:
            kinds.append("V")
        else:
            kinds.append("I")
    return tuple(kinds)
