"""Closed code lists of required bindings. https://hl7.org/fhir/R4/terminologies.html#required"""

from typing import Any, Final

from schemas.generate.elements import Tables
from schemas.generate.package import Package

OPEN: Final = frozenset({"mimetypes"})
"""Bound value sets that no list can hold."""
_ROOTS: Final = ("http://hl7.org/fhir/ValueSet/", "http://terminology.hl7.org/ValueSet/")


def lists(package: Package, tables: Tables) -> dict[str, dict[str, list[str]]]:
    """Codes by value set and code system, for every required binding in `tables`."""
    names = {row["binding"] for rows in tables.values() for row in rows if "binding" in row} - OPEN
    return {name: _expand(package, name) for name in sorted(names)}


def _expand(package: Package, name: str) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    compose = next(package.value_sets[root + name] for root in _ROOTS if root + name in package.value_sets)["compose"]
    for include in compose["include"]:
        for system, codes in _included(package, include).items():
            found.setdefault(system, set()).update(codes)
    for exclude in compose.get("exclude", ()):
        for system, codes in _included(package, exclude).items():
            found[system] -= codes
    return {system: sorted(codes) for system, codes in sorted(found.items())}


def _included(package: Package, include: dict[str, Any]) -> dict[str, set[str]]:
    if "filter" in include or "valueSet" in include:
        raise ValueError(f"cannot expand {include}")
    if "concept" in include:
        return {include["system"]: {concept["code"] for concept in include["concept"]}}
    return {include["system"]: _all_codes(package.code_systems[include["system"]])}


def _all_codes(concepts: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for concept in concepts.get("concept", ()):
        found |= {concept["code"]} | _all_codes(concept)
    return found
