"""Resources put together of answers, each at the element that its item's definition names.

https://hl7.org/fhir/uv/sdc/extraction.html#definition-based-extraction
definitionExtract says that a resource begins at an element of the form; items below it whose `definition` begins with the
same canonical fill it, and definitionExtractValue fills in what nobody answers. A group with a definition is one element of
the resource, each repetition another. Fixed values of a profile are not looked up: say them with definitionExtractValue.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fhir_mappings import placing
from fhir_mappings.fhirpath import ExpressionFault, Value, text_of
from fhir_mappings.placing import PlacingFault
from fhir_mappings.questionnaire.values import value_name
from fhir_mappings.sdc import names
from fhir_mappings.sdc.extraction import ExtractFault, JsonObject, Spot, below, entry, said_by
from fhir_mappings.sdc.names import extension, extensions, part, value
from schemas.registry import REGISTRY

_BASE: Final = "http://hl7.org/fhir/StructureDefinition/"
_UNIT: Final = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"
_SPECIAL: Final = ("Quantity", "CodeableConcept", "Coding", "Reference", "Attachment")

Steps = tuple[str, ...]


@dataclass(slots=True)
class _Building:
    """A resource being put together. `entered` are the elements that groups stand for: path, element, its type."""

    kind: str
    resource: JsonObject
    entered: list[tuple[Steps, JsonObject, str]] = field(default_factory=list)
    slices: dict[Steps, JsonObject] = field(default_factory=dict)

    def at(self, steps: Steps) -> tuple[Steps, JsonObject, str]:
        """The innermost entered element that a path goes through, and what is left of the path."""
        for path, node, kind in reversed(self.entered):
            if steps[: len(path)] == path and len(steps) > len(path):
                return steps[len(path) :], node, kind
        return steps, self.resource, self.kind

    def enter(self, steps: Steps, *, fresh: bool) -> None:
        """Go into an element, a new one where it repeats."""
        rest, node, kind = self.at(steps)
        node, kind = self.through(rest[:-1], node, kind, steps[: len(steps) - len(rest)])
        found, inner = placing.entered(node, kind, _step(rest[-1]), fresh=fresh)
        self.entered.append((steps, found, inner))

    def put(self, steps: Steps, values: Sequence[Value], *, add: bool) -> None:
        rest, node, kind = self.at(steps)
        node, kind = self.through(rest[:-1], node, kind, steps[: len(steps) - len(rest)])
        placing.put(node, kind, [_step(rest[-1])], values, add=add)

    def through(self, steps: Steps, node: JsonObject, kind: str, before: Steps) -> tuple[JsonObject, str]:
        """The element at the end of a path; each slice of a repeating element is one of its own."""
        for number, name in enumerate(steps):
            path = (*before, *steps[: number + 1])
            known = self.slices.get(path)
            made, kind = placing.entered(node, kind, _step(name), fresh=":" in name and known is None)
            node = known if known is not None else made
            if ":" in name:
                self.slices[path] = node
        return node, kind


def _step(name: str) -> placing.Step:
    return placing.read(name.partition(":")[0])[0]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A resource that begins at a place, the extension that says so and where."""

    canonical: str
    said: Mapping[str, Any]
    building: _Building
    where: str


def declares(row: Mapping[str, Any]) -> bool:
    """Whether an element of a form, or one below it, begins a resource."""
    urls = {each.get("url") for each in row.get("extension", ())}
    return bool(urls & {names.DEFINITION_EXTRACT, names.EXTRACTION_CONTEXT}) or any(map(declares, row.get("item", ())))


def extracted(spot: Spot, ids: Callable[[], str]) -> Iterator[JsonObject]:
    """The entries of all resources that begin at a place and below. Raises ExtractFault."""
    yield from _within(spot, {}, ids)


def _within(spot: Spot, around: Mapping[str, _Building], ids: Callable[[], str]) -> Iterator[JsonObject]:
    begun = list(_begun(spot))
    here = {**around, **{each.canonical: each.building for each in begun}}
    entered = _answered(spot, here)
    for said in extensions(spot.row, names.DEFINITION_VALUE):
        _valued(said, spot, here)
    # Inner resources come after the one that they are found in: its entry may be what they refer to.
    inner = [made for place in below(spot, ids) for made in _within(place, here, ids)]
    if entered is not None:
        entered.entered.pop()
    for each in begun:
        yield entry(_pruned(each.building.resource), each.said, spot, each.where, ids)
    yield from inner


def _begun(spot: Spot) -> Iterator[_Begun]:
    for said in extensions(spot.row, names.DEFINITION_EXTRACT):
        where = f"{spot.where}.extension('{names.DEFINITION_EXTRACT}')"
        canonical = str(part(said, "definition") or "").partition("|")[0]
        yield _Begun(canonical, said, _building(canonical, spot, where), where)
    legacy = value(extension(spot.row, names.EXTRACTION_CONTEXT))
    if legacy is not None:
        where = f"{spot.where}.extension('{names.EXTRACTION_CONTEXT}')"
        text = str(legacy.get("expression", "") if isinstance(legacy, Mapping) else legacy)
        canonical = _BASE + text.partition("?")[0]
        yield _Begun(canonical, {}, _building(canonical, spot, where), where)


def _building(canonical: str, spot: Spot, where: str) -> _Building:
    kind = canonical.removeprefix(_BASE)
    profile = [] if kind in REGISTRY.types else [canonical]
    if profile:
        kind = next(_named_types(spot.row, canonical), "")
    if kind not in REGISTRY.types:
        raise ExtractFault(where, f"{canonical[:200]!r} is no type, and no item below has a definition of it")
    body: JsonObject = {"resourceType": kind}
    return _Building(kind, body | ({"meta": {"profile": profile}} if profile else {}))


def _named_types(row: Mapping[str, Any], canonical: str) -> Iterator[str]:
    """The type that definitions of a profile begin with."""
    said = [row.get("definition", ""), *(part(each, "definition") for each in extensions(row, names.DEFINITION_VALUE))]
    for text in said:
        prefix, _, path = str(text).partition("#")
        if prefix.partition("|")[0] == canonical and path:
            yield path.partition(".")[0].partition(":")[0]
    for each in row.get("item", ()):
        yield from _named_types(each, canonical)


def _aimed(text: Any, here: Mapping[str, _Building]) -> tuple[_Building, Steps] | None:
    """The resource that a definition is about, of those around, and the path in it."""
    prefix, _, path = str(text or "").partition("#")
    building = here.get(prefix.partition("|")[0])
    steps = tuple(path.replace("[x]", "").split("."))[1:]
    return None if building is None or not steps else (building, steps)


def _answered(spot: Spot, here: Mapping[str, _Building]) -> _Building | None:
    """Put the answers of a place where its definition says; the resource whose element a group has entered."""
    aimed = _aimed(spot.row.get("definition"), here)
    if aimed is None:
        return None
    building, steps = aimed
    where = f"{spot.where}.definition"
    try:
        if spot.row.get("type") == "group":
            building.enter(steps, fresh=True)
            return building
        for answer in spot.focus.data.get("answer", ()):
            _put_answer(answer, spot.row, building, steps)
    except PlacingFault as fault:
        raise ExtractFault(where, str(fault)) from fault
    return None


def _put_answer(answer: Mapping[str, Any], row: Mapping[str, Any], building: _Building, steps: Steps) -> None:
    name = value_name(answer)
    if name is None:
        return
    kind = name.removeprefix("value")
    given = Value(kind if kind in _SPECIAL else kind[0].lower() + kind[1:], answer[name])
    unit = value(extension(row, _UNIT))
    if isinstance(unit, Mapping) and given.type in ("integer", "decimal"):
        named = {"unit": unit.get("display", unit.get("code"))}
        quantity = {"value": given.data, **named, **{key: unit[key] for key in ("system", "code") if key in unit}}
        try:
            building.put(steps, [Value("Quantity", quantity)], add=True)
        except PlacingFault:  # the element is a plain number
            building.put(steps, [given], add=True)
        return
    building.put(steps, [given], add=True)


def _valued(said: Mapping[str, Any], spot: Spot, here: Mapping[str, _Building]) -> None:
    where = f"{spot.where}.extension('{names.DEFINITION_VALUE}')"
    definition = part(said, "definition")
    aimed = _aimed(definition, here)
    if aimed is None:
        raise ExtractFault(where, f"No resource of {str(definition)[:200]!r} begins around this item")
    fixed = extension(said, "fixed-value")
    if fixed is not None:
        name = next(each for each in fixed if each.startswith("value"))
        kind = name.removeprefix("value")
        lower = kind[0].lower() + kind[1:]
        values = [Value(lower if lower in REGISTRY.elements or kind not in REGISTRY.elements else kind, fixed[name])]
    else:
        expression, place = part(said, "expression") or {}, f"{where}.extension('expression')"
        try:
            text = text_of(expression, place)
        except ExpressionFault as fault:
            raise ExtractFault(fault.where, str(fault)) from fault
        values = said_by(text, spot.focus, spot.env, place)
    try:
        if values:
            aimed[0].put(aimed[1], values, add=True)
    except PlacingFault as fault:
        raise ExtractFault(where, str(fault)) from fault


def _pruned(node: Any) -> Any:
    """Without the elements that a group stands for and nothing was put into."""
    if isinstance(node, dict):
        kept = {name: _pruned(child) for name, child in node.items()}
        return {name: child for name, child in kept.items() if child not in ({}, [])}
    return [made for each in node if (made := _pruned(each)) not in ({}, [])] if isinstance(node, list) else node
