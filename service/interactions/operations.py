"""The operations as data: where each stands and what it answers in. Routes, records, capabilities and documents follow from it.

https://hl7.org/fhir/R4/operations.html
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

FHIR_JSON: Final = "application/fhir+json"
R4: Final = "http://hl7.org/fhir/OperationDefinition/"
SDC: Final = "http://hl7.org/fhir/uv/sdc/OperationDefinition/"
OURS: Final = "https://hearth.health/fhir/OperationDefinition/"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: `paths` are those in front of `$name`, by kind (T a type, I an id), as in the route table.

    `reading` ones change nothing and are possible by GET; `produces` are the media types it can answer in, the first one
    unless something else is asked for. `{type}` in the `definition` stands for the type it is asked of.
    """

    name: str
    paths: tuple[str, ...]
    title: str
    definition: str
    methods: str = "GET POST"
    reading: bool = True
    produces: tuple[str, ...] = (FHIR_JSON,)


_SESSION: Final = ("Patient/I", "CarePlan/I")
_SHAREABLE: Final = ("QuestionnaireResponse/I", "DocumentReference/I", "Observation/I")
_SVG, _PNG, _PLAIN_JSON, _HTML, _PDF = "image/svg+xml", "image/png", "application/json", "text/html", "application/pdf"
_SAID: Final = (FHIR_JSON, _HTML, _PDF)
_PRINTED: Final = ("Task/I", "ActivityDefinition/I", "Questionnaire/I")
_ANSWERS: Final = ("QuestionnaireResponse", "QuestionnaireResponse/I")
_FORMS: Final = ("Questionnaire", "Questionnaire/I")
_APPLICABLE: Final = ("ActivityDefinition", "ActivityDefinition/I", "PlanDefinition", "PlanDefinition/I")
OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("adherence", ("Patient/I",), "How much of what was planned was done", f"{OURS}adherence"),
    Operation("adherence-change", ("Patient", "Patient/I"), "Homework and change together", f"{OURS}adherence-change"),
    Operation("apply", _APPLICABLE, "A definition made a request for somebody", f"{R4}{{type}}-apply"),
    Operation("chart", ("Patient/I",), "Progress as a picture", f"{OURS}chart", produces=(_SVG, _PNG, _PLAIN_JSON)),
    Operation("extract", _ANSWERS, "What answers become", f"{SDC}QuestionnaireResponse-extract"),
    Operation("goal-attainment", ("Patient/I",), "Where goals began and are now", f"{OURS}goal-attainment"),
    Operation("handout", _PRINTED, "A sheet to take home", f"{OURS}handout", produces=(_HTML, _PDF)),
    Operation("increment", ("Observation/I",), "Count an event, once", f"{OURS}increment", "POST", reading=False),
    Operation("lastn", ("Observation",), "Last observations of each code", f"{R4}Observation-lastn"),
    Operation("patterns", ("Patient/I",), "What comes up again and again", f"{OURS}patterns"),
    Operation("session-summary", _SESSION, "What to begin a session with", f"{OURS}session-summary", produces=_SAID),
    Operation("populate", _FORMS, "A response begun with what is known", f"{SDC}Questionnaire-populate"),
    Operation("share", _SHAREABLE, "Show what was private", f"{OURS}share", methods="POST", reading=False),
    Operation("stats", ("Observation",), "Statistics of observations", f"{R4}Observation-stats"),
    Operation("trend", ("Patient/I",), "Course of measures, and what has changed", f"{OURS}trend"),
    Operation("unshare", _SHAREABLE, "Keep it to oneself again", f"{OURS}unshare", methods="POST", reading=False),
)
BY_NAME: Final = MappingProxyType({each.name: each for each in OPERATIONS})
ROUTES: Final = tuple(
    (each.methods, f"{path}/${each.name}" if path else f"${each.name}", each.name)
    for each in OPERATIONS
    for path in each.paths
)
"""Rows of the route table."""
READING: Final = frozenset(each.name for each in OPERATIONS if each.reading)
WRITING: Final = frozenset(each.name for each in OPERATIONS if not each.reading)


def at(type_name: str) -> tuple[Operation, ...]:
    """The operations of a type or of its instances."""
    return tuple(each for each in OPERATIONS if {type_name, "T"} & {path.partition("/")[0] for path in each.paths})
