"""What a token answer says besides the token: the patient, the encounter and the rest of the launch.

https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#launch-context-arrives-with-your-access_token
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, Final

from schemas import json
from schemas.launch import Launch
from service.oauth.smart import Place

STYLE: Final[Mapping[str, str]] = {
    "color_background": "#fbfaf7",
    "color_error": "#a3262a",
    "color_highlight": "#1f6f5c",
    "color_modal_backdrop": "#1d2421",
    "color_success": "#1f6f5c",
    "color_text": "#1d2421",
    "dim_border_radius": "8px",
    "dim_font_size": "17px",
    "dim_spacing_size": "20px",
    "font_family_body": "system-ui, sans-serif",
    "font_family_heading": "system-ui, sans-serif",
}
"""How Hearth looks, in the words of smart_style_url; an app that wants to look alike reads it."""
STYLE_JSON: Final = json.encode(STYLE)
STYLE_VERSION: Final = sha256(STYLE_JSON).hexdigest()[:16]
_KINDS: Final = {"launch/task": "Task", "launch/questionnaire": "Questionnaire"}
"""Which type of fhirContext each of our own launch scopes asks for."""


def of_launch(launch: Launch, place: Place) -> dict[str, Any]:
    """The context of a launch from an EHR, complete; a banner is wanted unless the EHR says that it shows one."""
    return {
        "tenant": place.tenant,
        "need_patient_banner": launch.need_patient_banner is not False,
        "smart_style_url": launch.smart_style_url or style_url(place),
        **({} if launch.patient is None else {"patient": launch.patient.partition("/")[2]}),
        **({} if launch.encounter is None else {"encounter": launch.encounter.partition("/")[2]}),
        **({} if launch.intent is None else {"intent": launch.intent}),
        **({} if not launch.fhirContext else {"fhirContext": [each.entry() for each in launch.fhirContext]}),
    }


def style_url(place: Place) -> str:
    """Where STYLE is; another address as soon as it changes."""
    return f"{place.issuer}/smart-style/{STYLE_VERSION}.json"


def wants_patient(scopes: Collection[str]) -> bool:
    """Whether the scopes have to come with a patient: asked for by name, or needed by what they allow."""
    return any(scope.startswith(("patient/", "launch/patient")) for scope in scopes)


def narrowed(context: Mapping[str, Any], scopes: Collection[str]) -> dict[str, Any]:
    """As much of the context as the scopes ask for; `launch` asks for all that the EHR said."""
    if "launch" in scopes:
        return dict(context)
    names = {scope.partition("?")[0] for scope in scopes}
    kinds = {_KINDS[name] for name in names if name in _KINDS}
    kept = {name: context[name] for name in ("patient", "encounter") if name in context}
    if not wants_patient(scopes):
        kept.pop("patient", None)
    if "launch/encounter" not in names:
        kept.pop("encounter", None)
    entries = [each for each in context.get("fhirContext", ()) if each.get("type") in kinds]
    return kept | ({"fhirContext": entries} if entries else {})
