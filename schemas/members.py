"""JSON member names of elements: a choice has one name for each of its types. https://hl7.org/fhir/R4/formats.html#choice"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from schemas.registry import REGISTRY, Element

# Profiles of Quantity: in a choice they are named after the type that they constrain (doseQuantity).
_CONSTRAINED: Final = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}


def member(element: Element, datatype: str) -> str:
    """The JSON member of `element` when it holds a `datatype`: value[x] with Quantity is valueQuantity."""
    name = _CONSTRAINED.get(datatype, datatype)
    return element.name.replace("[x]", name[0].upper() + name[1:])


@lru_cache(maxsize=1024)
def members(datatype: str) -> Mapping[str, tuple[Element, str]]:
    """Element and type by JSON member name, for a type or the path of a nested element; empty for a primitive."""
    return MappingProxyType(
        {
            member(element, name): (element, name)
            for element in REGISTRY.elements.get(datatype, ())
            for name in element.types
        }
    )
