"""The official invariants, for the tests that compare ours with them. https://hl7.org/fhir/R4/elementdefinition.html"""

from typing import Final

from schemas.generate.corrections import CONSTRAINTS, NO_ELEMENTS
from schemas.generate.elements import Tables
from schemas.generate.package import Package

_SOURCES: Final = ("Element", "Extension", "DomainResource")
_EVERYWHERE: Final = frozenset({"ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5"})
"""Repeated on every element or resource; kept once, at their sources."""


def expressions(package: Package, tables: Tables) -> dict[str, dict[str, str]]:
    """FHIRPath by the path of the element that it judges, and by key."""
    found: dict[str, dict[str, str]] = {}
    for name in (*_SOURCES, *tables):
        structure = package.structures.get(name)
        if structure is None:
            continue
        for element in structure["snapshot"]["element"]:
            path = element["path"].replace(structure["type"], name, 1)
            for constraint in element.get("constraint", ()):
                key = constraint["key"]
                general = key in _EVERYWHERE and path not in _SOURCES
                if constraint["severity"] == "error" and not general and path not in NO_ELEMENTS:
                    expression = CONSTRAINTS.get((path, key), constraint["expression"])
                    found.setdefault(path, {})[key] = expression
    return dict(sorted(found.items()))
