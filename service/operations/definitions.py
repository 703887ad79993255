"""What operations on definitions share: looking them up under the caller's Grant, and saying what is wrong with them.

https://hl7.org/fhir/R4/references.html#canonical
"""

from collections.abc import Sequence
from typing import Any

from fhir_mappings.fhirpath import ExpressionFault
from schemas import json
from schemas.outcome import Issue
from schemas.validate import validate
from service.call import Call
from service.errors import NotFound, Unprocessable
from service.interactions.read import existing
from service.search.find import find
from service.store import Store

JsonObject = dict[str, Any]


async def seen(call: Call, store: Store, reference: str) -> JsonObject:
    """The resource that a `Type/id` leads to. Raises Forbidden, NotFound or Gone."""
    type_name, _, resource_id = reference.partition("/")
    call.grant.require("r", type_name)
    return store.resource(await existing(store, type_name, resource_id))


async def seen_if_allowed(call: Call, store: Store, reference: str) -> JsonObject:
    """The same; of what the caller may not see, or is not there, no more than what they said themselves."""
    type_name, _, resource_id = reference.partition("/")
    if call.grant.permits("r", type_name):
        stored = await store.read(type_name, resource_id)
        if stored is not None and not stored.deleted:
            return store.resource(stored)
    return {"resourceType": type_name, "id": resource_id}


async def held(call: Call, store: Store, canonical: str, types: Sequence[str]) -> JsonObject | None:
    """The definition of one of the types that a canonical names: that version, or the newest that is not retired."""
    url, _, version = canonical.partition("|")
    # The type is mostly a part of the url.
    for type_name in sorted(types, key=lambda name: f"/{name}/" not in url):
        letter = next((letter for letter in "sr" if call.grant.permits(letter, type_name)), None)
        if letter is None:
            continue
        params = [("url", url), ("version", version)] if version else [("url", url), ("status:not", "retired")]
        found = await find(call, store, type_name, [*params, ("_sort", "-_lastUpdated")], letter, 1)
        if found:
            return found[0].resource(store.codec)
    return None


def absent(canonical: str, parameter: str) -> NotFound:
    """The refusal of a canonical that the caller asks for and that leads nowhere."""
    return NotFound(_unknown(canonical), expression=(parameter,), details_code="definition-unknown")


def unknown(canonical: str, where: str) -> Unprocessable:
    """The refusal of a definition that names another which is not there."""
    return Unprocessable(_unknown(canonical), code="not-found", expression=(where,), details_code="definition-unknown")


def _unknown(canonical: str) -> str:
    return f"No definition {canonical[:200]} is held here, or none that you may see"


def unevaluated(fault: ExpressionFault) -> Unprocessable:
    """The refusal of an expression."""
    return Unprocessable(
        str(fault), code="processing", expression=(fault.where,), details_code="expression-not-evaluated"
    )


def too_large(fault: OverflowError) -> Unprocessable:
    """The refusal of more than expressions may look at."""
    return Unprocessable(str(fault), code="too-costly", details_code="expression-not-evaluated")


def valid(made: JsonObject, of: str) -> bytes:
    """The JSON of what a definition gave. Raises Unprocessable when it is no valid R4: then the definition is to blame."""
    faults = validate(made)
    if faults:
        raise Unprocessable(issues=[_blamed(each, of) for each in faults])
    return json.encode(made)


def _blamed(fault: Issue, of: str) -> Issue:
    sentence = f"The {of} makes a resource that is not valid: {fault.diagnostics}"
    return Issue("error", fault.code, sentence, fault.expression, "definition-not-applied")
