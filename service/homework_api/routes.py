"""Which endpoint a method and a path ask for. Docs: docs/homework-api.md."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from service.homework_api.endpoint import Endpoint
from service.homework_api.table import ENDPOINTS


class Asked(NamedTuple):
    """The endpoint, and the ids in the path."""

    endpoint: Endpoint
    ids: Mapping[str, str]


def _by_length() -> dict[int, list[tuple[tuple[str, ...], dict[str, Endpoint]]]]:
    shapes: dict[tuple[str, ...], dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        methods = shapes.setdefault(tuple(endpoint.path.split("/")), {})
        methods[endpoint.method] = endpoint
        if endpoint.method == "GET":
            methods["HEAD"] = endpoint
    found: dict[int, list[tuple[tuple[str, ...], dict[str, Endpoint]]]] = {}
    # What is written out goes before what stands for anything.
    for shape in sorted(shapes, key=lambda shape: sum(part.startswith("{") for part in shape)):
        found.setdefault(len(shape), []).append((shape, shapes[shape]))
    return found


_SHAPES: Final = _by_length()


def route(method: str, parts: Sequence[str]) -> Asked | tuple[str, ...] | None:
    """The endpoint; the methods allowed where only the method is wrong; None where nothing has this path."""
    for shape, methods in _SHAPES.get(len(parts), ()):
        if all(known.startswith("{") or known == part for known, part in zip(shape, parts, strict=True)):
            if method not in methods:
                return tuple(methods)
            ids = {known[1:-1]: part for known, part in zip(shape, parts, strict=True) if known.startswith("{")}
            return Asked(methods[method], ids)
    return None
