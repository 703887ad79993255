"""Where the package departs from R4 4.0.1, set right, and the facts that are ours. https://hl7.org/fhir/R4/

Each correction was checked against the files of the official package hl7.fhir.core 4.0.1.
"""

from typing import Any, Final

TYPES: Final = (
    *("Patient", "Practitioner", "PractitionerRole", "Organization", "RelatedPerson", "CareTeam", "Group", "Location"),
    *("Device", "Encounter", "EpisodeOfCare", "Appointment", "Condition", "Goal", "CarePlan", "ServiceRequest", "Task"),
    *("RequestGroup", "ActivityDefinition", "PlanDefinition", "Questionnaire", "QuestionnaireResponse", "Observation"),
    *("Communication", "CommunicationRequest", "Consent", "Provenance", "AuditEvent", "Flag", "RiskAssessment"),
    *("DetectedIssue", "DocumentReference", "Media", "Binary", "Composition", "List", "Basic", "Library", "ValueSet"),
    *("CodeSystem", "ConceptMap", "StructureDefinition", "SearchParameter", "OperationDefinition", "Endpoint"),
    *("Measure", "MeasureReport", "Subscription", "Parameters", "Bundle", "OperationOutcome"),
)
TRANSIENT: Final = ("OperationOutcome", "Parameters")
"""Types that travel and are validated, but are never stored."""

FIRST_TYPE_IDS: Final = {
    "Observation": 1,
    "Task": 2,
    "QuestionnaireResponse": 3,
    "CarePlan": 4,
    "Goal": 5,
    "Patient": 6,
    "AuditEvent": 7,
}

ELEMENT_FACTS: Final[dict[str, dict[str, Any]]] = {
    "AuditEvent.source.observer": {
        "targets": ["PractitionerRole", "Practitioner", "Organization", "Device", "Patient", "RelatedPerson"]
    },
    "Bundle.entry.response.outcome": {"types": ["Resource"]},
    "DetectedIssue.status": {"binding": "observation-status"},
    "MeasureReport.subject": {
        "targets": ["Patient", "Practitioner", "PractitionerRole", "Location", "Device", "RelatedPerson", "Group"]
    },
    # R4 types Resource.id as a string in its own tables and as `id` in its text; the text is what everybody means.
    **{f"{name}.id": {"types": ["id"]} for name in TYPES},
}
NO_ELEMENTS: Final = frozenset(
    {
        "Binary.url",
        *(
            f"Meta.{name}"
            for name in ("project", "author", "onBehalfOf", "account", "accounts", "compartment", "deleted")
        ),
    }
)
CONSTRAINTS: Final = {
    ("Appointment", "app-4"): (
        "Appointment.cancelationReason.exists() implies"
        " (Appointment.status='no-show' or Appointment.status='cancelled')"
    ),
}

NO_SEARCH: Final = frozenset(
    {
        ("ServiceRequest", "order-detail"),  # not R4
        ("DetectedIssue", "status"),  # not R4
        ("Location", "near"),  # of kind special: distance is not served
    }
)
SEARCH_EXPRESSIONS: Final = {("Patient", "deceased"): "Patient.deceased"}
"""Expressions that say more than a path; what is left over is in SEARCH_ABSENT."""
SEARCH_ABSENT: Final = {("Patient", "deceased"): "false"}
"""The value that a resource without the element has."""

CUSTOM_URL: Final = "https://hearth.health/fhir/SearchParameter/"
CUSTOM_SEARCH: Final = (
    ("Task", "due", "date", "Task.restriction.period"),
    ("Task", "output", "reference", "Task.output.value.ofType(Reference)"),
    ("Task", "input-reference", "reference", "Task.input.value.ofType(Reference)"),
    ("Task", "input-canonical", "reference", "Task.input.value.ofType(canonical)"),
    ("Task", "instantiates-canonical", "reference", "Task.instantiatesCanonical"),
    ("Task", "reason-reference", "reference", "Task.reasonReference"),
    ("Task", "status-reason", "token", "Task.statusReason"),
    ("Questionnaire", "questionnaire-code", "token", "Questionnaire.code"),
    ("Goal", "target-measure", "token", "Goal.target.measure"),
    ("CarePlan", "activity-outcome", "reference", "CarePlan.activity.outcomeReference"),
    ("Observation", "value-integer", "number", "Observation.value.ofType(integer)"),
)

OWN_COMPARTMENTS: Final[dict[str, dict[str, list[str]]]] = {
    # R4 leaves Task out of every compartment; ours follows who the task is for and who does it.
    "Patient": {"Task": ["patient", "owner"]},
    "RelatedPerson": {"Task": ["owner"]},
}
