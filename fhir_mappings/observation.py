"""Derived facts as Observations in the shape of US Core. https://hl7.org/fhir/us/core/StructureDefinition-us-core-observation-screening-assessment.html"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas import references
from schemas.instrument import INSTRUMENT

LOINC: Final = "http://loinc.org"
SCREENING_PROFILE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-screening-assessment"
DEFAULT_LABELS: Final = (
    {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"},
    {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "BH"},
)
"""Restricted, behavioural health: the labels of homework that carries none."""
_SURVEY: Final = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}
_LOCAL_TAGS: Final = "https://hearth.health/"

_SUBJECTS: Final = frozenset(["Patient", "Group", "Device", "Location"])
_PERFORMERS: Final = frozenset(
    ["Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson"]
)
_BASED_ON: Final = frozenset(
    ["CarePlan", "DeviceRequest", "ImmunizationRecommendation", "MedicationRequest", "NutritionOrder", "ServiceRequest"]
)
_PART_OF: Final = frozenset(["Procedure", "Immunization", "ImagingStudy"])


@dataclass(slots=True)
class Fact:
    """One thing that a response says, before it is an Observation of its own."""

    code: Mapping[str, Any]
    value: tuple[str, Any] | None = None
    interpretation: str | None = None
    method: str | None = None
    reference_range: Mapping[str, Any] | None = None
    components: list[dict[str, Any]] = field(default_factory=list)
    members: list["Fact"] = field(default_factory=list)
    parent: "Fact | None" = None
    id: str = ""

    @property
    def said(self) -> bool:
        """Whether there is anything to observe."""
        return self.value is not None or bool(self.components) or any(member.said for member in self.members)


@dataclass(frozen=True, slots=True)
class Frame:
    """What all Observations of one response share."""

    meta: Mapping[str, Any]
    based_on: Sequence[Mapping[str, Any]]
    part_of: Sequence[Mapping[str, Any]]
    subject: Mapping[str, Any]
    focus: str | None
    encounter: Mapping[str, Any] | None
    effective: str
    performer: Mapping[str, Any] | None
    response: str


def frame(response: Mapping[str, Any], response_reference: str, now: str, focus: str | None) -> Frame | None:
    """The frame for what follows from a response; None without a subject that an Observation can be about."""
    subject = response.get("subject")
    if subject is None or not may_refer(subject, _SUBJECTS):
        return None
    people = (response[name] for name in ("source", "author") if name in response)
    return Frame(
        meta=labels(response),
        based_on=[reference for reference in response.get("basedOn", ()) if may_refer(reference, _BASED_ON)],
        part_of=[reference for reference in response.get("partOf", ()) if may_refer(reference, _PART_OF)],
        subject=subject,
        focus=focus,
        encounter=response.get("encounter"),
        effective=response.get("authored", now),
        performer=next((person for person in people if may_refer(person, _PERFORMERS)), None),
        response=response_reference,
    )


def may_refer(reference: Mapping[str, Any], types: frozenset[str]) -> bool:
    """Whether another resource may carry this reference: not contained, and its type, if known, among `types`."""
    text = reference.get("reference", "")
    literal = references.literal(text)
    type_name = literal.type if literal else reference.get("type")
    return not text.startswith("#") and (type_name is None or type_name in types)


def labels(response: Mapping[str, Any]) -> dict[str, Any]:
    """The meta that what is derived inherits: all security labels, and our own tags (such as client-only)."""
    meta = response.get("meta", {})
    inherited: dict[str, Any] = {"security": meta.get("security") or list(DEFAULT_LABELS)}
    tags = [tag for tag in meta.get("tag", ()) if tag.get("system", "").startswith(_LOCAL_TAGS)]
    return {**inherited, "tag": tags} if tags else inherited


def codes(concept: Mapping[str, Any]) -> Iterable[tuple[Any, Any]]:
    """System and code of each Coding of a CodeableConcept."""
    return [(coding.get("system"), coding.get("code")) for coding in concept.get("coding", ())]


def observation(fact: Fact, shared: Frame, status: str) -> dict[str, Any]:
    """The Observation of a fact; its elements stand in the order of the specification."""
    screening = any(system in (LOINC, INSTRUMENT) for system, _ in codes(fact.code))
    body: dict[str, Any] = {"resourceType": "Observation", "id": fact.id}
    body["meta"] = {"profile": [SCREENING_PROFILE], **shared.meta} if screening else {**shared.meta}
    if shared.based_on:
        body["basedOn"] = list(shared.based_on)
    if shared.part_of:
        body["partOf"] = list(shared.part_of)
    body.update(status=status, category=[{"coding": [_SURVEY]}], code=dict(fact.code), subject=shared.subject)
    if shared.focus and not screening:
        body["focus"] = [{"reference": shared.focus}]
    if shared.encounter:
        body["encounter"] = shared.encounter
    body["effectiveDateTime"] = shared.effective
    if shared.performer:
        body["performer"] = [shared.performer]
    if fact.value is not None:
        body[fact.value[0]] = fact.value[1]
    if fact.interpretation:
        body["interpretation"] = [{"text": fact.interpretation}]
    if fact.method:
        body["method"] = {"text": fact.method}
    if fact.reference_range:
        body["referenceRange"] = [dict(fact.reference_range)]
    members = [{"reference": f"Observation/{member.id}"} for member in fact.members if member.said]
    if members:
        body["hasMember"] = members
    body["derivedFrom"] = [{"reference": shared.response}]
    if fact.parent is not None and fact.parent.said:
        body["derivedFrom"].append({"reference": f"Observation/{fact.parent.id}"})
    if fact.components:
        body["component"] = fact.components
    return body
