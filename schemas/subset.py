"""Part of a resource: `_elements` and `_summary`. https://hl7.org/fhir/R4/search.html#elements https://hl7.org/fhir/R4/search.html#summary

The results share members with the resource they come from; neither is to be changed.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, Literal

from schemas.members import members

SUBSETTED: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}

Mode = Literal["true", "text", "data", "false"]
Tree = dict[str, "Tree"]
"""Wanted elements by name, each with the wanted ones below it; an empty one means all."""

_ALWAYS: Final = frozenset({"resourceType", "id", "meta"})
# Leaving out what changes the meaning of the rest would make the part say something else.
_MODIFIERS: Final = frozenset({"implicitRules", "modifierExtension"})


def elements(resource: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The resource with the elements `names` (`code`, `name.given`, `Task.status`) and those it cannot be without."""
    type_name = str(resource.get("resourceType"))
    tree = _tree(type_name, names) | {name: {} for name in _ALWAYS}
    return tagged(_selected(resource, type_name, tree))


def unknown_elements(type_name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that are no element of the type, so that a strict search can refuse them."""
    return tuple(name for name in names if not _exists(type_name, name))


def summary(resource: dict[str, Any], mode: Mode) -> dict[str, Any]:
    """The resource as `_summary` asks for it; `false` is the resource itself."""
    type_name = str(resource.get("resourceType"))
    if mode == "false":
        return resource
    if mode == "true":
        return tagged(_summarised(resource, type_name))
    if mode == "data":
        return tagged({name: value for name, value in resource.items() if name not in ("text", "_text")})
    wanted = _mandatory(type_name) | _ALWAYS | {"text"}
    return tagged({name: value for name, value in resource.items() if name.removeprefix("_") in wanted})


def tagged(part: dict[str, Any]) -> dict[str, Any]:
    """The part with the tag that keeps clients from writing it back as the whole."""
    meta = dict(part.get("meta") or {})
    tags = list(meta.get("tag") or ())
    if not any(isinstance(tag, dict) and tag.get("code") == "SUBSETTED" for tag in tags):
        tags.append(SUBSETTED)
    meta["tag"] = tags
    if "meta" in part:
        return {**part, "meta": meta}
    head: dict[str, Any] = {name: part[name] for name in ("resourceType", "id") if name in part}
    return head | {"meta": meta} | part


def _tree(type_name: str, names: Sequence[str]) -> Tree:
    paths = [name.replace("[x]", "").removeprefix(f"{type_name}.").split(".") for name in names]
    tree: Tree = {}
    for path in sorted(paths, key=len):
        node = tree
        for step in path:
            if step in node and not node[step]:
                break  # all of it is wanted already
            node = node.setdefault(step, {})
    return tree


def _selected(value: dict[str, Any], datatype: str, tree: Tree) -> dict[str, Any]:
    known, kept = members(datatype), _mandatory(datatype) | _MODIFIERS
    part: dict[str, Any] = {}
    for name, child in value.items():
        plain = name.removeprefix("_")
        element, below = known.get(plain, (None, ""))
        wanted = tree.get(plain, tree.get(element.name.removesuffix("[x]")) if element else None)
        if wanted:
            part[name] = _each(child, partial(_selected, datatype=below, tree=wanted))
        elif wanted is not None or plain in kept:
            part[name] = child
    return part


def _summarised(value: dict[str, Any], datatype: str) -> dict[str, Any]:
    known = members(datatype)
    part: dict[str, Any] = {}
    for name, child in value.items():
        element, below = known.get(name.removeprefix("_"), (None, ""))
        if name != "resourceType" and (element is None or not (element.summary or element.min)):
            continue
        # R4 flags nothing inside an extension: it is kept whole or not at all, as is an inner resource.
        if name.startswith("_") or below in ("Extension", "Resource"):
            part[name] = child
        else:
            part[name] = _each(child, partial(_summary_or_all, datatype=below))
    return part


def _summary_or_all(value: dict[str, Any], datatype: str) -> dict[str, Any]:
    """What is left of an element must not be empty: FHIR has no empty objects."""
    return _summarised(value, datatype) or value


def _each(child: Any, cut: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(child, list):
        return [cut(item) if isinstance(item, dict) else item for item in child]
    return cut(child) if isinstance(child, dict) else child


@lru_cache(maxsize=512)
def _mandatory(datatype: str) -> frozenset[str]:
    return frozenset(name for name, (element, _) in members(datatype).items() if element.min)


def _exists(datatype: str, path: str) -> bool:
    name, _, rest = path.partition(".")
    if name == datatype and rest:
        return _exists(datatype, rest)
    below = {
        kind
        for member, (element, kind) in members(datatype).items()
        if name in (member, element.name, element.name.removesuffix("[x]"))
    }
    return bool(below) and (not rest or any(_exists(kind, rest) for kind in below))
