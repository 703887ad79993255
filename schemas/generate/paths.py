"""FHIRPath of search parameters, compiled to the JSON members to follow. https://hl7.org/fhir/R4/search.html#fhirpath"""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas.generate.elements import Tables

COMPATIBLE: Final[dict[str, set[str]]] = {
    "token": {
        "code",
        "Coding",
        "CodeableConcept",
        "Identifier",
        "ContactPoint",
        "boolean",
        "string",
        "id",
        "uri",
        "dateTime",
    },
    "date": {"date", "dateTime", "instant", "Period", "Timing"},
    "quantity": {"Quantity", "Age", "Duration", "Count", "Distance", "Money", "Range", "SampledData"},
    "reference": {"Reference", "canonical", "uri", "Resource"},
    "string": {"string", "markdown", "HumanName", "Address", "CodeableConcept", "Annotation"},
    "number": {"integer", "decimal", "positiveInt", "unsignedInt"},
    "uri": {"uri", "url", "canonical"},
}
"""The datatypes that a parameter of each kind can index."""
_ALIAS: Final = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}
_SEGMENT: Final = re.compile(r"(?:\([^()]*(?:\(\))?[^()]*\)|[^.()])+")


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a path stands: the steps taken, the type arrived at."""

    steps: tuple[dict[str, Any], ...]
    datatype: str
    targets: tuple[str, ...] = ()
    binding: str | None = None
    many: bool = False
    choices: tuple[str, ...] = ()

    def fact(self) -> dict[str, Any]:
        """The path as the data files say it."""
        result: dict[str, Any] = {"steps": list(self.steps), "datatype": self.datatype}
        return result | ({"targets": list(self.targets)} if self.targets else {})


def compile_paths(tables: Tables, expression: str, start: str, kind: str) -> list[Walk]:
    """The paths from type `start` that `expression` names. Raises ValueError on what is not understood."""
    found: list[Walk] = []
    for alternative in _alternatives(expression):
        segments = _SEGMENT.findall(alternative)
        found += _follow(tables, Walk((), start), segments, kind)
    return list({str(walk.fact()): walk for walk in found}.values())


def _alternatives(expression: str) -> list[str]:
    """The parts between `|`, without brackets that only group."""
    return [re.sub(r"^\(([^()]*(?:\([^()]*\)[^()]*)*)\)", r"\1", part.strip()) for part in expression.split("|")]


def _follow(tables: Tables, start: Walk, segments: list[str], kind: str) -> list[Walk]:
    walks = [start]
    for segment in segments:
        walks = [after for walk in walks for after in _step(tables, walk, segment)]
    walks = [after for walk in walks for after in _spread(walk)]
    usable = [walk for walk in walks if kind == "focus" or walk.datatype in COMPATIBLE[kind]]
    if not usable:
        raise ValueError(f"{start.datatype}: {segments} gives {[walk.datatype for walk in walks]}, not for {kind}")
    return usable


def _step(tables: Tables, walk: Walk, segment: str) -> list[Walk]:
    if match := re.fullmatch(r"ofType\((\w+)\)", segment):
        wanted = match[1].lower()
        return [after for after in _spread(walk) if after.datatype.lower() == wanted]
    if match := re.fullmatch(r"where\(resolve\(\) is (\w+)\)", segment):
        return [replace(walk, targets=(match[1],))]
    if match := re.fullmatch(r"where\((\w+)='([^']*)'\)", segment):
        last = walk.steps[-1] | {"where": [match[1], match[2]]}
        return [replace(walk, steps=(*walk.steps[:-1], last))]
    return [after for each in _spread(walk) for after in _member(tables, each, segment)]


def _member(tables: Tables, walk: Walk, segment: str) -> list[Walk]:
    name, first = segment.removesuffix("[0]"), segment.endswith("[0]")
    for row in tables[walk.datatype]:
        if row["name"] in (name, f"{name}[x]"):
            many = walk.many or (row.get("many", False) and not first)
            step = {"name": name} | ({"first": True} if first else {})
            types = tuple(_ALIAS.get(each, each) for each in row["types"])
            choices = types if row["name"] != name else ()
            return [
                Walk((*walk.steps, step), types[0], tuple(row.get("targets", ())), row.get("binding"), many, choices)
            ]
    raise ValueError(f"{walk.datatype} has no element {name}")


def _spread(walk: Walk) -> list[Walk]:
    """A choice element as one walk for each of its types."""
    if not walk.choices:
        return [walk]
    last = walk.steps[-1]
    return [
        replace(
            walk,
            steps=(*walk.steps[:-1], last | {"name": last["name"] + datatype[0].upper() + datatype[1:]}),
            datatype=datatype,
            choices=(),
            targets=walk.targets if datatype in ("Reference", "canonical") else (),
        )
        for datatype in walk.choices
    ]
