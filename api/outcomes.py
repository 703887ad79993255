"""Refusals as OperationOutcome bodies. https://hl7.org/fhir/R4/operationoutcome.html"""

from schemas import json
from schemas.outcome import outcome
from service.errors import HearthError


def refusal_body(refusal: HearthError) -> bytes:
    """The OperationOutcome that says what was wrong, where, and what would be right."""
    return json.encode(outcome(refusal.issues))
