"""An ActivityDefinition as an activity that can be assigned. https://hl7.org/fhir/R4/activitydefinition.html"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fhir_mappings.homework_api import dose as doses
from fhir_mappings.homework_api.element import code, present
from fhir_mappings.prescription import questionnaire_of
from schemas.homework import vocabulary
from schemas.homework.assignments import Material
from schemas.homework.library import Activity, Fit
from schemas.library import BASE

USAGE: Final = "http://terminology.hl7.org/CodeSystem/usage-context-type"
CONTEXT: Final = vocabulary.system("context")
TOPIC: Final = vocabulary.system("topic")
FORMAT: Final = vocabulary.system("format")
READING: Final = f"{BASE}/CodeSystem/reading-level"
LANGUAGE: Final = "urn:ietf:bcp:47"
SELF_HELP: Final = "self-treatment"


def activity(definition: Mapping[str, Any]) -> Activity:
    """The activity that a definition is."""
    version = definition.get("version")
    url = definition.get("url", "")
    return Activity(
        id=definition["id"],
        url=f"{url}|{version}" if version else url,
        title=definition.get("title") or definition.get("name") or "Activity",
        type=code(definition.get("code"), vocabulary.system("activity-type")),
        description=definition.get("description"),
        why=definition.get("purpose"),
        instructions=definition.get("usage"),
        form=questionnaire_of(definition),
        materials=tuple(_materials(definition)) or None,
        dose=doses.dose(definition.get("timingTiming", {})),
        language=definition.get("language"),
        fit=fit(definition),
        self_assignable=SELF_HELP in _topics(definition),
        fhir={"activity": f"ActivityDefinition/{definition['id']}"},
    )


def _materials(definition: Mapping[str, Any]) -> Iterator[Material]:
    for each in definition.get("relatedArtifact", ()):
        url = each.get("url") or each.get("document", {}).get("url")
        if each.get("type") in ("documentation", "citation") and str(url).startswith(("http://", "https://")):
            kind = each.get("document", {}).get("contentType")
            yield Material.model_construct(title=each.get("display") or each.get("label"), url=url, content_type=kind)


def _topics(definition: Mapping[str, Any]) -> list[str]:
    return [found for each in definition.get("topic", ()) if (found := code(each, TOPIC)) is not None]


def fit(definition: Mapping[str, Any]) -> Fit | None:
    """For whom an activity is meant; None where it does not say."""
    goals = [each for each in _topics(definition) if each != SELF_HELP]
    contexts = definition.get("useContext", ())
    age = _of(contexts, USAGE, "age").get("valueRange", {})
    minutes = _of(contexts, CONTEXT, "duration").get("valueQuantity", {})
    found = present(
        goals=tuple(dict.fromkeys(goals)),
        least_age=_number(age.get("low", {})),
        most_age=_number(age.get("high", {})),
        languages=tuple(_values(contexts, "language", LANGUAGE)),
        formats=tuple(_values(contexts, "format", FORMAT)),
        reading_level=next(_values(contexts, "reading-level", READING), None),
        minutes=_number(minutes),
    )
    return Fit(**found) if found else None


def _is(context: Mapping[str, Any], system: str, name: str) -> bool:
    return (context["code"].get("system"), context["code"].get("code")) == (system, name)


def _of(contexts: Any, system: str, name: str) -> Mapping[str, Any]:
    """The first context of a kind."""
    return next((each for each in contexts if _is(each, system, name)), {})


def _values(contexts: Any, name: str, system: str) -> Iterator[str]:
    for each in contexts:
        found = code(each.get("valueCodeableConcept"), system)
        if _is(each, CONTEXT, name) and found is not None:
            yield found


def _number(quantity: Mapping[str, Any]) -> int | None:
    value = quantity.get("value")
    return None if value is None else int(value)
