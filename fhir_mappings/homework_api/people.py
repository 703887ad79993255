"""A Patient as a client. https://hl7.org/fhir/R4/patient.html"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fhir_mappings.homework_api.element import extensions
from schemas.homework.people import Client

_ZONE: Final = "http://hl7.org/fhir/StructureDefinition/timezone"
_USUAL: Final = ("usual", "official")


def client(patient: Mapping[str, Any]) -> Client:
    """The client that a Patient is."""
    return Client(
        id=patient["id"],
        name=_name(patient.get("name", ())),
        birth_date=patient.get("birthDate"),
        language=language(patient),
        zone=next((each.get("valueCode") for each in extensions(patient, _ZONE)), None),
        active=patient.get("active"),
        version=int(patient["meta"]["versionId"]),
        fhir={"client": f"Patient/{patient['id']}"},
    )


def _name(names: Sequence[Mapping[str, Any]]) -> str | None:
    """The name that people use of them, else the first that is not old."""
    current = [each for each in names if each.get("use") != "old"]
    best = sorted(current, key=lambda each: _USUAL.index(each["use"]) if each.get("use") in _USUAL else len(_USUAL))
    for each in best:
        text = each.get("text") or " ".join((*each.get("given", ()), *filter(None, (each.get("family"),))))
        if text:
            return str(text)
    return None


def language(patient: Mapping[str, Any]) -> str | None:
    """The language that they prefer, else the first one that they speak."""
    for each in sorted(patient.get("communication", ()), key=lambda each: not each.get("preferred", False)):
        for coding in each.get("language", {}).get("coding", ()):
            if "code" in coding:
                return str(coding["code"])
    return None
