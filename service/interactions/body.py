"""The resource in a request's body: is it there, is it of this type, is it valid R4? https://hl7.org/fhir/R4/http.html#create"""

from typing import Any

from schemas import ids
from schemas.registry import REGISTRY
from schemas.validate import validate
from service.call import Call
from service.errors import BadRequest

JsonObject = dict[str, Any]


def resource(call: Call) -> JsonObject:
    """The body as a valid resource of the call's type. Raises BadRequest with one issue per fault."""
    body = sent(call)
    if not call.validated:
        check(body)
    return body


def sent(call: Call) -> JsonObject:
    """The body as an object that says it is of the call's type. Raises BadRequest."""
    body = call.body
    if not isinstance(body, dict):
        sentence = f"Send the {call.type} as a JSON object in the body"
        raise BadRequest(sentence, code="required", details_code="body-required")
    name = body.get("resourceType")
    if name != call.type:
        raise BadRequest(
            f"The address is for {call.type}, but the body's resourceType is {named(name)}",
            details_code="type-mismatch",
            expression=("resourceType",),
        )
    return body


def named(type_name: Any) -> str:
    """What may be said of a resourceType as it was sent: only the name of a type is repeated."""
    if type_name is None:
        return "missing"
    return repr(type_name) if isinstance(type_name, str) and type_name in REGISTRY.names else "none of R4"


def check(body: JsonObject) -> None:
    """Raise BadRequest with every fault that validation finds."""
    faults = validate(body)
    if faults:
        raise BadRequest(issues=faults)


def require_id(call: Call, body: JsonObject) -> str:
    """The id in the address, which the body must repeat. https://hl7.org/fhir/R4/http.html#update"""
    assert call.id is not None
    if not ids.is_legal(call.id):
        raise illegal_id(call.id)
    if body.get("id") != call.id:
        found = "has another id" if "id" in body else "has no id"
        raise BadRequest(
            f"The body {found}; set it to {call.id!r}, as in the address",
            details_code="id-mismatch",
            expression=(f"{call.type}.id",),
        )
    return call.id


def illegal_id(text: str) -> BadRequest:
    """The refusal of an id that no FHIR resource can have."""
    return BadRequest(
        f"{text[:80]!r} is not a FHIR id: 1 to 64 letters, digits, dots and hyphens",
        code="value",
        details_code="id-illegal",
    )
