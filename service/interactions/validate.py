"""$validate: what a write would say, without writing. https://hl7.org/fhir/R4/resource-operation-validate.html"""

from typing import Any

from schemas import json
from schemas.outcome import Issue, outcome
from schemas.validate import validate as faults_of
from service.call import Call, Reply
from service.errors import BadRequest
from service.homework import answer
from service.interactions.body import named
from service.interactions.read import existing
from service.store import Store


async def validate(call: Call, store: Store) -> Reply:
    """An OperationOutcome on the resource in the body, in a Parameters' `resource`, or stored at the address."""
    assert call.type is not None
    call.grant.require("r", call.type)
    resource = await _subject(call, store)
    faults = list(faults_of(resource)) if resource.get("resourceType") == call.type else [_other(call, resource)]
    if not faults:
        faults = list(await answer.faults(call, store, resource))
    all_well = Issue("information", "informational", f"This {call.type} is valid R4 (4.0.1)")
    return Reply(200, json.encode(outcome(faults or [all_well])), type=call.type, id=call.id)


async def _subject(call: Call, store: Store) -> dict[str, Any]:
    if call.body is None and call.id is not None:
        return store.resource(await existing(store, str(call.type), call.id))
    if not isinstance(call.body, dict):
        raise BadRequest("Send the resource, or a Parameters with the parameter 'resource', in the body")
    if call.body.get("resourceType") != "Parameters" or call.type == "Parameters":
        return call.body
    for parameter in call.body.get("parameter", ()):
        if isinstance(parameter, dict) and parameter.get("name") == "resource":
            found = parameter.get("resource")
            if isinstance(found, dict):
                return found
    raise BadRequest(
        "The Parameters have no parameter 'resource'", code="required", expression=("Parameters.parameter",)
    )


def _other(call: Call, resource: dict[str, Any]) -> Issue:
    sentence = f"The address is for {call.type}, but the resourceType is {named(resource.get('resourceType'))}"
    return Issue("error", "invalid", sentence, ("resourceType",), "type-mismatch")
