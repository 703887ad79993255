"""A Questionnaire compiled once, to check and score many responses. https://hl7.org/fhir/R4/questionnaire.html"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.expressions import FormExpressions, compile_expressions
from fhir_mappings.questionnaire import options, values
from fhir_mappings.questionnaire.enablement import Enablement, compile_enablement

Code = tuple[str, str]

_EXTENSION: Final = "http://hl7.org/fhir/StructureDefinition/"
_EXTRACT: Final = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract"


@dataclass(frozen=True, slots=True)
class Bound:
    """A minValue or maxValue: its kind and points, and the text to tell a user."""

    kind: Any
    span: values.Span
    text: str


@dataclass(frozen=True, slots=True)
class Files:
    """What an attachment may be: at most so many megabytes (maxSize), of one of these MIME types, if they are said."""

    megabytes: Decimal | None
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a Questionnaire; `place` counts its position among its siblings."""

    link_id: str
    type: str
    place: int
    children: Mapping[str, "Item"]
    required_children: tuple["Item", ...]
    required: bool
    repeats: bool
    value_names: tuple[str, ...]
    options: options.Options | None
    low: Bound | None
    high: Bound | None
    min_length: int | None
    max_length: int | None
    decimal_places: int | None
    files: Files | None
    plain: bool
    """No limit of its own: an answer of the right type is a right answer."""
    codes: tuple[Code, ...]
    code: Mapping[str, Any] | None
    """The item's codes as a CodeableConcept."""
    extract: str | None
    """`own`, `component`, `member`, `derived` or `independent` where answers become Observations (SDC)."""
    unit: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CompiledQuestionnaire:
    """What checking and extraction need to know of a Questionnaire."""

    url: str | None
    version: str | None
    codes: tuple[Code, ...]
    children: Mapping[str, Item]
    required_children: tuple[Item, ...]
    items: Mapping[str, Item]
    """Every item at any depth by its linkId."""
    ancestors: Mapping[str, tuple[str, ...]]
    """The linkIds above each item, outermost first."""
    enablement: Mapping[str, Enablement]
    """The items that have enableWhen."""
    extracts: bool
    """Whether any item's answers become Observations by its own declaration."""
    expressions: FormExpressions | None
    """What the form computes and demands in FHIRPath; None where it does not."""
    has_copyright: bool
    """Whether it says by which right its words are used."""


def compile_questionnaire(questionnaire: Mapping[str, Any]) -> CompiledQuestionnaire:
    """Compile a valid R4 Questionnaire. The result is immutable and safe to keep and share."""
    contained = {resource.get("id"): resource for resource in questionnaire.get("contained", ())}
    children = _items(questionnaire, contained, _extract(questionnaire, None))
    items = {item.link_id: item for item in _descend(children)}
    ancestors = dict(_ancestors(children, ()))
    raw = {row["linkId"]: row for row in _raw_items(questionnaire)}
    return CompiledQuestionnaire(
        url=questionnaire.get("url"),
        version=questionnaire.get("version"),
        codes=_codes(questionnaire.get("code", ())),
        children=children,
        required_children=tuple(item for item in children.values() if item.required),
        items=MappingProxyType(items),
        ancestors=MappingProxyType(ancestors),
        enablement=compile_enablement(raw, ancestors),
        extracts=any(item.extract and item.codes for item in items.values()),
        expressions=compile_expressions(questionnaire),
        has_copyright=bool(questionnaire.get("copyright")),
    )


def _items(parent: Mapping[str, Any], contained: Mapping[Any, Any], inherited: str | None) -> Mapping[str, Item]:
    rows = parent.get("item", ())
    return MappingProxyType({row["linkId"]: _item(row, place, contained, inherited) for place, row in enumerate(rows)})


def _item(row: Mapping[str, Any], place: int, contained: Mapping[Any, Any], inherited: str | None) -> Item:
    extract = _extract(row, inherited)
    children = _items(row, contained, "own" if extract == "own" else None)
    low, high = _bound(row, "minValue"), _bound(row, "maxValue")
    lengths = (_integer(row, "minLength"), row.get("maxLength"), _integer(row, "maxDecimalPlaces"))
    allowed, files = options.compile_options(row, contained), _files(row)
    return Item(
        link_id=row["linkId"],
        type=row["type"],
        place=place,
        children=children,
        required_children=tuple(item for item in children.values() if item.required),
        required=bool(row.get("required", False)),
        repeats=bool(row.get("repeats", False)),
        value_names=_value_names(row),
        options=allowed,
        low=low,
        high=high,
        min_length=lengths[0],
        max_length=lengths[1],
        decimal_places=lengths[2],
        files=files,
        plain=(allowed, files, low, high, *lengths) == (None,) * 7,
        codes=_codes(row.get("code", ())),
        code=MappingProxyType({"coding": row["code"]}) if row.get("code") else None,
        extract=extract,
        unit=_extension(row, _EXTENSION + "questionnaire-unit"),
    )


def _value_names(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The value[x] names that may answer an item; the options of a choice may be of other types than Coding."""
    names = values.VALUE_NAMES.get(row["type"], ())
    if row["type"] not in ("choice", "open-choice") or not row.get("answerOption"):
        return names
    offered = dict.fromkeys(name for option in row["answerOption"] if (name := values.value_name(option)))
    if row["type"] == "open-choice":
        offered["valueString"] = None
    return tuple(offered)


def _extension(element: Mapping[str, Any], url: str) -> Any:
    for extension in element.get("extension", ()):
        if extension.get("url") == url:
            name = values.value_name(extension)
            return None if name is None else extension[name]
    return None


def _integer(element: Mapping[str, Any], name: str) -> int | None:
    value = _extension(element, _EXTENSION + name)
    return value if isinstance(value, int) else None


def _bound(element: Mapping[str, Any], name: str) -> Bound | None:
    for extension in element.get("extension", ()):
        if extension.get("url") == _EXTENSION + name:
            value = values.value_name(extension)
            covered = values.span(value, extension[value]) if value else None
            return Bound(covered[0], covered[1], str(extension[value])) if covered else None
    return None


def _files(row: Mapping[str, Any]) -> Files | None:
    kinds = tuple(
        str(each.get("valueCode")).lower()
        for each in row.get("extension", ())
        if each.get("url") == _EXTENSION + "mimeType"
    )
    size = _extension(row, _EXTENSION + "maxSize")
    return Files(None if size is None else Decimal(str(size)), kinds) if kinds or size is not None else None


def _extract(element: Mapping[str, Any], inherited: str | None) -> str | None:
    declared = _extension(element, _EXTRACT)
    if declared is None:
        return inherited
    return declared if isinstance(declared, str) else ("own" if declared else None)


def _codes(codings: Sequence[Mapping[str, Any]]) -> tuple[Code, ...]:
    return tuple((coding["system"], coding["code"]) for coding in codings if "system" in coding and "code" in coding)


def _descend(children: Mapping[str, Item]) -> Iterator[Item]:
    for item in children.values():
        yield item
        yield from _descend(item.children)


def _ancestors(children: Mapping[str, Item], above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for item in children.values():
        yield item.link_id, above
        yield from _ancestors(item.children, (*above, item.link_id))


def _raw_items(parent: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for row in parent.get("item", ()):
        yield row
        yield from _raw_items(row)
