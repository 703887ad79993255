"""Two other people's tables of R4 agree with ours: fhirpathpy's R4 model, and fhir.resources' R4B classes."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from fhirpathpy.models import models

from schemas.registry import REGISTRY, Element

R4 = models["r4"]
R4B_ADDS = {
    ("Observation", "subject"): {"Organization", "Practitioner", "Procedure", "Medication", "Substance"},
    ("Group.member", "entity"): {"RelatedPerson"},
    ("ActivityDefinition", "product[x]"): {"Ingredient"},
}
R4B_HAS_MORE = {"subjectCanonical"}


def plain(datatype: str) -> str:
    return "Quantity" if datatype.endswith("Quantity") else datatype


def elements() -> Iterator[tuple[str, Element]]:
    for key, rows in REGISTRY.elements.items():
        if key != "SimpleQuantity":
            yield from ((key, row) for row in rows)


def test_every_element_has_the_type_that_the_r4_model_gives_it() -> None:
    for key, element in elements():
        path = f"{key}.{element.name.removesuffix('[x]')}"
        if element.is_choice:
            assert set(R4["choiceTypePaths"][path]) == {
                plain(each)[0].upper() + plain(each)[1:] for each in element.types
            }
        elif element.types[0] != path and "." in element.types[0]:
            assert R4["pathsDefinedElsewhere"][path] == element.types[0]
        elif element.types[0] != path and R4["path2Type"][path] != "System.String":
            assert (R4["path2Type"][path],) == tuple(plain(each) for each in element.types), path


def test_no_element_of_the_r4_model_is_missing() -> None:
    names = {f"{key}.{element.name.removesuffix('[x]')}" for key, element in elements()}
    choices = {
        f"{key}.{element.name.replace('[x]', plain(each)[0].upper() + plain(each)[1:])}"
        for key, element in elements()
        for each in element.types
    }
    missing = {
        path for path in R4["path2Type"] if path.rpartition(".")[0] in REGISTRY.elements and path not in names | choices
    }
    assert missing == set()


@pytest.mark.parametrize("name", list(REGISTRY.types))
def test_arrays_and_targets_are_those_of_r4b_but_for_its_known_changes(name: str) -> None:
    module = importlib.import_module(f"fhir.resources.R4B.{name.lower()}")
    for key in (each for each in REGISTRY.elements if each.split(".")[0] == name):
        fields = getattr(module, "".join(part[0].upper() + part[1:] for part in key.split("."))).model_fields
        theirs = {field.alias or member: field for member, field in fields.items()}
        ours = {
            element.name.replace("[x]", plain(each)[0].upper() + plain(each)[1:]): (element, each)
            for element in REGISTRY.elements[key]
            for each in element.types
        }
        others = {each for each in theirs if not each.startswith("_")} - {"resource_type", "fhir_comments"}
        assert others - set(ours) <= R4B_HAS_MORE
        for member, (element, datatype) in ours.items():
            assert ("List[" in str(theirs[member].annotation)) == element.many
            if datatype == "Reference":
                extra: Any = theirs[member].json_schema_extra
                targets = set(extra.get("enum_reference_types") or ()) - {"Resource"}
                assert targets - R4B_ADDS.get((key, element.name), set()) == set(element.targets)
