"""The extensions of SDC and how they are read. https://hl7.org/fhir/uv/sdc/artifacts.html#structures-extension-definitions"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
_SDC: Final = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"

VARIABLE: Final = _CORE + "variable"
ITEM_WEIGHT: Final = _CORE + "itemWeight"
ORDINAL_VALUE: Final = _CORE + "ordinalValue"
TARGET_CONSTRAINT: Final = _CORE + "targetConstraint"
CONSTRAINT: Final = _CORE + "questionnaire-constraint"
HIDDEN: Final = _CORE + "questionnaire-hidden"
CALCULATED: Final = _SDC + "calculatedExpression"
ENABLE_WHEN: Final = _SDC + "enableWhenExpression"
INITIAL: Final = _SDC + "initialExpression"
LAUNCH_CONTEXT: Final = _SDC + "launchContext"
POPULATION_CONTEXT: Final = _SDC + "itemPopulationContext"
SOURCE_QUERIES: Final = _SDC + "sourceQueries"
SOURCE_MAP: Final = _SDC + "sourceStructureMap"
LINK_PERIOD: Final = _SDC + "observationLinkPeriod"
EXTRACTION_CONTEXT: Final = _SDC + "itemExtractionContext"
DEFINITION_EXTRACT: Final = _SDC + "definitionExtract"
DEFINITION_VALUE: Final = _SDC + "definitionExtractValue"
ALLOCATE_ID: Final = _SDC + "extractAllocateId"
TEMPLATE_EXTRACT: Final = _SDC + "templateExtract"
TEMPLATE_BUNDLE: Final = _SDC + "templateExtractBundle"
TEMPLATE_CONTEXT: Final = _SDC + "templateExtractContext"
TEMPLATE_VALUE: Final = _SDC + "templateExtractValue"
TARGET_MAP: Final = _SDC + "targetStructureMap"


def extensions(element: Mapping[str, Any], url: str) -> Iterator[Mapping[str, Any]]:
    """The extensions of an element that have this url."""
    return (each for each in element.get("extension", ()) if each.get("url") == url)


def extension(element: Mapping[str, Any], url: str) -> Mapping[str, Any] | None:
    """The first of them."""
    return next(extensions(element, url), None)


def value(holder: Mapping[str, Any] | None) -> Any:
    """The value[x] of an extension, None without one."""
    return next((held for name, held in (holder or {}).items() if name.startswith("value")), None)


def part(holder: Mapping[str, Any], name: str) -> Any:
    """The value of one of the extensions inside of an extension."""
    return value(extension(holder, name))


def item_place(link_id: str, url: str = "") -> str:
    """Where an item of a Questionnaire stands, or its extension, in FHIRPath."""
    item = f"Questionnaire.repeat(item).where(linkId='{link_id}')"
    return f"{item}.extension('{url}')" if url else item
