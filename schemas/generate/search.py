"""Search parameters and compartments of each type. https://hl7.org/fhir/R4/searchparameter-registry.html"""

from typing import Any, Final

from schemas.generate.codes import OPEN
from schemas.generate.corrections import (
    CUSTOM_SEARCH,
    CUSTOM_URL,
    NO_SEARCH,
    OWN_COMPARTMENTS,
    SEARCH_ABSENT,
    SEARCH_EXPRESSIONS,
    TRANSIENT,
    TYPES,
)
from schemas.generate.elements import Tables
from schemas.generate.package import Package
from schemas.generate.paths import Walk, compile_paths

Facts = dict[str, Any]
Codes = dict[str, dict[str, list[str]]]

_PATHLESS: Final = {"_id": "token", "_lastUpdated": "date", "_list": "token"}
_GLOBALS: Final = ("_tag", "_profile", "_security", "_source")
_PLURAL: Final = frozenset({"CodeableConcept", "HumanName", "Address"})
"""Datatypes of which one instance gives several values to search by; a Timing is one interval, from first to last."""


def parameters(package: Package, tables: Tables, codes: Codes) -> dict[str, dict[str, Facts]]:
    """Facts of each search parameter, by type and code."""
    return {name: dict(sorted(_of_type(package, tables, codes, name))) for name in TYPES if name not in TRANSIENT}


def _of_type(package: Package, tables: Tables, codes: Codes, name: str) -> list[tuple[str, Facts]]:
    found: list[tuple[str, Facts]] = []
    for code, kind in _PATHLESS.items():
        url = f"http://hl7.org/fhir/SearchParameter/Resource-{code[1:]}" if code != "_list" else ""
        found.append((code, {"kind": kind, "url": url} | ({"single": True} if code != "_list" else {})))
    for definition in package.search_parameters.values():
        code, base = definition["code"], definition["base"]
        if (name in base and (name, code) not in NO_SEARCH) or (base == ["Resource"] and code in _GLOBALS):
            found.append((code, _parameter(package, tables, codes, name, definition)))
    for owner, code, kind, expression in CUSTOM_SEARCH:
        if owner == name:
            url = f"{CUSTOM_URL}{owner}-{code}"
            custom = {"code": code, "type": kind, "url": url, "expression": expression}
            found.append((code, _parameter(package, tables, codes, name, custom)))
    if len(dict(found)) != len(found):
        raise ValueError(f"{name} has a search parameter twice")
    return found


def _parameter(package: Package, tables: Tables, codes: Codes, name: str, definition: Facts) -> Facts:
    kind = definition["type"]
    expression = _own_part(name, SEARCH_EXPRESSIONS.get((name, definition["code"]), definition["expression"]))
    facts: Facts = {"kind": kind, "url": definition["url"]}
    if kind == "composite":
        foci = compile_paths(tables, expression, name, "focus")
        components = [_component(package, tables, foci[0].datatype, each) for each in definition["component"]]
        return facts | {"foci": [list(focus.steps) for focus in foci], "components": components}
    walks = compile_paths(tables, expression, name, kind)
    facts["paths"] = [walk.fact() for walk in walks]
    if kind == "reference" and (targets := _targets(walks, definition.get("target", ()))):
        facts["targets"] = targets
    if closed := _closed(walks, codes):
        facts["codes"] = closed
    if _is_single(walks):
        facts["single"] = True
    if absent := SEARCH_ABSENT.get((name, definition["code"])):
        facts["absent"] = absent
    return facts


def _own_part(name: str, expression: Any) -> str:
    """The alternatives that start at type `name` (or at any resource), without that start."""
    parts = []
    for part in str(expression).split(" | "):
        bare = part.replace("Resource.", f"{name}.", 1) if part.startswith("Resource.") else part
        if bare.lstrip("(").split(".")[0] == name:
            parts.append(bare.replace(f"{name}.", "", 1) if "." in bare else "")
    return " | ".join(parts)


def _component(package: Package, tables: Tables, focus: str, component: Facts) -> Facts:
    definition = package.search_parameters[component["definition"]]
    if "DocumentReference-relat" in definition["url"]:
        # R4 pairs these two definitions with each other's expression.
        other = {"relatesto": "relation", "relation": "relatesto"}[definition["code"]]
        definition = package.search_parameters[f"http://hl7.org/fhir/SearchParameter/DocumentReference-{other}"]
    walks = compile_paths(tables, component["expression"], focus, definition["type"])
    return {"code": definition["code"], "kind": definition["type"], "paths": [walk.fact() for walk in walks]}


def _targets(walks: list[Walk], declared: list[str]) -> list[str]:
    """What a reference may point at: the elements' own targets, narrowed by the parameter's; none where any may be."""
    if any(not walk.targets for walk in walks):
        return sorted(declared) if len(declared) < 100 else []
    found = {target for walk in walks for target in walk.targets}
    return sorted(found & set(declared) or found)


def _closed(walks: list[Walk], codes: Codes) -> list[str]:
    if any(walk.datatype != "code" or walk.binding is None or walk.binding in OPEN for walk in walks):
        return []
    lists = [codes[walk.binding] for walk in walks if walk.binding]
    return sorted({code for each in lists for found in each.values() for code in found})


def _is_single(walks: list[Walk]) -> bool:
    """Whether one resource can have one value at most; the types of one choice element exclude each other."""
    return len({_stem(walk) for walk in walks}) == 1 and not any(
        walk.many or walk.datatype in _PLURAL for walk in walks
    )


def _stem(walk: Walk) -> str:
    datatype = walk.datatype[0].upper() + walk.datatype[1:]
    return ".".join(step["name"] for step in walk.steps).removesuffix(datatype)


def compartments(package: Package, search: dict[str, dict[str, Facts]]) -> dict[str, dict[str, list[str]]]:
    """Parameters that put a resource into a compartment, by compartment and type; `_id` is the resource itself."""
    result: dict[str, dict[str, list[str]]] = {}
    for code, definition in sorted(package.compartments.items()):
        rows = {row["code"]: row.get("param", []) for row in definition["resource"] if row["code"] in search}
        rows |= OWN_COMPARTMENTS.get(code, {})
        rows[code] = ["_id", *rows.get(code, [])]
        result[code] = {}
        for name, params in sorted(rows.items()):
            known = [each for each in dict.fromkeys(params) if each in search[name]]
            if missing := set(params) - {"{def}"} - set(known):
                raise ValueError(f"{code} compartment: {name} has no search parameter {missing}")
            if known:
                result[code][name] = known
    return result
