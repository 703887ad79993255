"""The library that every tenant starts with: forms, activities, codes. https://hl7.org/fhir/R4/activitydefinition.html

The files in `data/library` are the resources without their ids. An id is derived from the versioned canonical
(`url|version`), so seeding twice writes nothing new, and a later version is a resource of its own: an assignment that
pinned the earlier one still finds it.
"""

import uuid
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any, Final

from schemas import json

BASE: Final = "https://hearth.health/fhir"


def canonical(resource: Mapping[str, Any]) -> str:
    """The versioned canonical of a library resource, `url|version`."""
    return f"{resource['url']}|{resource['version']}"


def seed_id(versioned: str) -> str:
    """The id under which the resource with this versioned canonical is seeded."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, versioned))


def seed() -> Iterator[dict[str, Any]]:
    """Every resource of the library with its id, code systems first, activities (which depend on forms) last."""
    folder = resources.files("schemas") / "data" / "library"
    order = ("CodeSystem", "Questionnaire", "ActivityDefinition")
    for type_name in order:
        names = sorted(file.name for file in folder.iterdir() if file.name.startswith(f"{type_name}-"))
        for name in names:
            resource: dict[str, Any] = json.decode((folder / name).read_bytes())
            yield {"resourceType": type_name, "id": seed_id(canonical(resource)), **resource}
