"""Element tables: what each type may hold. https://hl7.org/fhir/R4/structuredefinition.html"""

from typing import Any, Final

from schemas.generate.corrections import ELEMENT_FACTS, NO_ELEMENTS, TYPES
from schemas.generate.package import Package

Row = dict[str, Any]
Tables = dict[str, list[Row]]

_FHIR_TYPE: Final = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_OFFICIAL: Final = "http://hl7.org/fhir/StructureDefinition/"
_NESTED: Final = frozenset({"BackboneElement", "Element"})


def tables(package: Package) -> Tables:
    """Rows by type and by path of nested element, for the covered types and every datatype that they use."""
    done: Tables = {}
    waiting = list(TYPES)
    while waiting:
        name = waiting.pop(0)
        structure = package.structures.get(name)
        if name in done or structure is None or structure["kind"] == "primitive-type" or name == "Resource":
            continue
        for key, rows in _tables_of(structure).items():
            done[key] = rows
            waiting += [each for row in rows for each in row["types"] if "." not in each]
    return dict(sorted(done.items()))


def _tables_of(structure: dict[str, Any]) -> Tables:
    name = structure["name"]
    result: Tables = {name: []}
    for element in structure["snapshot"]["element"]:
        path = element["path"].replace(structure["type"], name, 1)
        if "." not in path or path in NO_ELEMENTS:
            continue
        parent, _, last = path.rpartition(".")
        result.setdefault(parent, []).append(_row(path, last, element))
    return result


def _row(path: str, name: str, element: dict[str, Any]) -> Row:
    # SimpleQuantity.comparator alone has 0: the invariant sqty-1 says that better than an unknown element.
    if element["max"] not in ("0", "1", "*"):
        raise ValueError(f"{path} has max {element['max']}, which the tables cannot say")
    row: Row = {"name": name, "types": _types(path, element)}
    if element["min"]:
        row["min"] = element["min"]
    if element["max"] == "*":
        row["many"] = True
    targets = _targets(element)
    if targets:
        row["targets"] = targets
    binding = element.get("binding", {})
    if binding.get("strength") == "required":
        row["binding"] = binding["valueSet"].rpartition("/")[2].partition("|")[0]
    if element.get("isSummary"):
        row["summary"] = True
    return row | ELEMENT_FACTS.get(path, {})


def _types(path: str, element: dict[str, Any]) -> list[str]:
    if "contentReference" in element:
        return [element["contentReference"].lstrip("#")]
    types = [_type(each) for each in element["type"]]
    return [path] if types[0] in _NESTED else types


def _type(each: dict[str, Any]) -> str:
    for extension in each.get("extension", ()):
        if extension["url"] == _FHIR_TYPE:
            return str(extension["valueUrl"])
    for profile in each.get("profile", ()):
        if profile.endswith("Quantity"):
            return str(profile.removeprefix(_OFFICIAL))
    return str(each["code"])


def _targets(element: dict[str, Any]) -> list[str]:
    """The names of the allowed targets; none where any resource is allowed."""
    found = [
        profile.removeprefix(_OFFICIAL)
        for each in element.get("type", ())
        for profile in each.get("targetProfile", ())
        if profile.startswith(_OFFICIAL)
    ]
    return [] if "Resource" in found else found
