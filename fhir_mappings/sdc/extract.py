"""QuestionnaireResponse/$extract: what answers become, in every way that their form declares. https://hl7.org/fhir/uv/sdc/extraction.html

Observation-based extraction is the one that is done at completion anyway (fhir_mappings.extraction); definition-based and
template-based ones are done only when they are asked for.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from fhir_mappings.extraction import derive
from fhir_mappings.questionnaire.compiled import CompiledQuestionnaire
from fhir_mappings.sdc import extract_definition, extract_template, names
from fhir_mappings.sdc.calculated import with_calculated
from fhir_mappings.sdc.extraction import ENTRIES, ExtractFault, JsonObject, root
from fhir_mappings.sdc.names import extension

_UNSAVED: Final = "QuestionnaireResponse/unsaved"


def extracted(
    response: Mapping[str, Any],
    questionnaire: Mapping[str, Any],
    form: CompiledQuestionnaire,
    *,
    now: str,
    ids: Callable[[], str],
    assembler: str,
) -> JsonObject:
    """The resource, where it is one that is created, else a transaction Bundle of all; of nothing a Bundle without entries.

    Raises ExtractFault for what the form says wrongly, OverflowError for more than expressions may look at.
    """
    if extension(questionnaire, names.TARGET_MAP) is not None:
        where = f"Questionnaire.extension('{names.TARGET_MAP}')"
        raise ExtractFault(where, "StructureMaps are not executed here; use definitions or templates")
    whole = with_calculated(response, form, now)
    entries = _observations(whole, form, now, ids, assembler)
    place = root(questionnaire, whole, now, ids)
    for way in (extract_definition, extract_template):
        if way.declares(questionnaire):
            entries += way.extracted(place, ids)
    if len(entries) > ENTRIES:
        raise OverflowError(f"The response becomes more than {ENTRIES} resources")
    if (
        len(entries) == 1
        and set(entries[0]["request"]) == {"method", "url"}
        and entries[0]["request"]["method"] == "POST"
    ):
        resource: JsonObject = entries[0]["resource"]
        return resource
    return {"resourceType": "Bundle", "type": "transaction", **({"entry": entries} if entries else {})}


def _observations(
    response: Mapping[str, Any], form: CompiledQuestionnaire, now: str, ids: Callable[[], str], assembler: str
) -> list[JsonObject]:
    """The entries of observation-based extraction; who posts them says in a Provenance of their own that they did."""
    own = f"QuestionnaireResponse/{response['id']}" if "id" in response else _UNSAVED
    made = derive(response, form, response_reference=own, ids=ids, now=now, assembler=assembler)
    observations = [each for each in made if each["resourceType"] == "Observation"]
    places = {f"Observation/{each['id']}": f"urn:uuid:{each['id']}" for each in observations}
    return [_entry(each, places) for each in observations]


def _entry(observation: JsonObject, places: Mapping[str, str]) -> JsonObject:
    url = places[f"Observation/{observation['id']}"]
    body = {name: value for name, value in observation.items() if name != "id"}
    for name in ("hasMember", "derivedFrom"):
        kept = [{**each, "reference": places.get(each["reference"], each["reference"])} for each in body.pop(name, ())]
        kept = [each for each in kept if each["reference"] != _UNSAVED]
        body |= {name: kept} if kept else {}
    return {"fullUrl": url, "resource": body, "request": {"method": "POST", "url": "Observation"}}
