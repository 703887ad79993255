"""The facts of FHIR R4 that Hearth runs on: types, elements, search parameters, compartments, codes. https://hl7.org/fhir/R4/resourcelist.html

The tables are made by `schemas.generate` and read once, when first asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal, TypeVar

import msgspec

from schemas.nearest import nearest

Kind = Literal["number", "date", "string", "token", "reference", "composite", "quantity", "uri"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Element:
    """One member of a type. `name` ends in [x] for a choice; a type with a dot is the path of a nested element."""

    name: str
    types: tuple[str, ...]
    min: int = 0
    many: bool = False
    targets: tuple[str, ...] = ()
    binding: str | None = None
    summary: bool = False

    @property
    def is_choice(self) -> bool:
        return self.name.endswith("[x]")


@dataclass(frozen=True, slots=True)
class Step:
    """One JSON member to follow: into every element of an array, or only into those where a member has a value."""

    name: str
    where: tuple[str, str] | None = None
    first: bool = False
    """Only the first element of the array (of a document Bundle's entries)."""


@dataclass(frozen=True, slots=True)
class SearchPath:
    """Where values of a parameter stand, and of what FHIR type. No `targets`: a reference to any type counts."""

    steps: tuple[Step, ...]
    datatype: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a composite parameter; paths start at the composite's focus."""

    code: str
    kind: Kind
    paths: tuple[SearchPath, ...]


@dataclass(frozen=True, slots=True)
class SearchParam:
    """A search parameter of one type. `targets` of a reference: the types it may point at, none = any type."""

    code: str
    id: int
    """Stands for the code in stored rows; one number for all types."""
    bit: int
    """Place in the presence bitmap, 0 to 62, of this type's rows."""
    kind: Kind
    url: str
    """The canonical URL of its definition; R4 defines none for `_list`."""
    paths: tuple[SearchPath, ...] = ()
    targets: tuple[str, ...] = ()
    foci: tuple[tuple[Step, ...], ...] = ()
    """Where instances of a composite stand; () is the resource itself."""
    components: tuple[Component, ...] = ()
    codes: tuple[str, ...] | None = None
    """All values that the token can have, sorted, when a required binding closes them."""
    single: bool = False
    """At most one value in one resource."""
    absent: str | None = None
    """The value that a resource without the element has."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type. `compartments` maps each kind of compartment to the parameters that put a resource into it."""

    name: str
    id: int
    storable: bool
    search: Mapping[str, SearchParam]
    compartments: Mapping[str, tuple[str, ...]]
    references: Mapping[str, tuple[str, ...]] = field(repr=False)
    """Allowed targets by JSON path below the resource (`basedOn`, `input.valueReference`); none = any type."""


class Registry:
    """All facts, read-only. Use the one instance, REGISTRY."""

    @cached_property
    def elements(self) -> Mapping[str, tuple[Element, ...]]:
        """Members by type name (`Task`, `HumanName`) and by path of nested element (`Task.input`)."""
        return MappingProxyType(_read("elements", dict[str, tuple[Element, ...]]))

    @cached_property
    def codes(self) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """Closed code lists: codes by value set and code system."""
        return MappingProxyType(_read("codes", dict[str, dict[str, tuple[str, ...]]]))

    @cached_property
    def types(self) -> Mapping[str, ResourceType]:
        """The resource types by name."""
        search = _read("search", dict[str, dict[str, SearchParam]])
        compartments = _read("compartments", dict[str, dict[str, tuple[str, ...]]])
        types = {
            name: ResourceType(
                name=name,
                id=number,
                storable=name in search,
                search=MappingProxyType(search.get(name, {})),
                compartments=MappingProxyType(
                    {kind: members[name] for kind, members in compartments.items() if name in members}
                ),
                references=MappingProxyType(dict(_references(self.elements, name))),
            )
            for name, number in _read("ids", _Ids).types.items()
        }
        return MappingProxyType(types)

    @cached_property
    def by_id(self) -> Mapping[int, ResourceType]:
        """The resource types by the number that stands for them in stored rows."""
        return MappingProxyType({each.id: each for each in self.types.values()})

    @cached_property
    def names(self) -> frozenset[str]:
        """Every resource type of R4, covered or not."""
        every = self.codes["resource-types"]["http://hl7.org/fhir/resource-types"]
        return frozenset(every) - {"Resource", "DomainResource"}

    def nearest(self, name: str, candidates: Iterable[str]) -> tuple[str, ...]:
        """Up to three of `candidates` that look most like `name`."""
        return nearest(name, candidates)


@dataclass(frozen=True, slots=True)
class _Ids:
    types: dict[str, int]


def _read(name: str, shape: type[T]) -> T:
    raw = files("schemas").joinpath("data", "r4", f"{name}.json").read_bytes()
    return msgspec.json.decode(raw, type=shape)


def _references(
    elements: Mapping[str, tuple[Element, ...]], key: str, path: str = "", above: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every Reference below `key` outside of datatypes; an element that contains itself is followed once."""
    for element in elements[key]:
        for datatype in element.types:
            name = element.name.replace("[x]", datatype[0].upper() + datatype[1:])
            if datatype == "Reference":
                yield path + name, element.targets
            elif "." in datatype and datatype not in above:
                yield from _references(elements, datatype, f"{path}{name}.", (*above, datatype))


REGISTRY: Final = Registry()
