"""$meta: the profiles, tags and labels of a resource. https://hl7.org/fhir/R4/resource-operation-meta.html"""

from schemas import json
from service.call import Call, Reply
from service.index.subject import patient_of
from service.interactions.read import existing
from service.store import Store


async def meta(call: Call, store: Store) -> Reply:
    """A Parameters with the resource's meta in `return`."""
    assert call.type is not None
    assert call.id is not None
    call.grant.require("r", call.type)
    stored = await existing(store, call.type, call.id)
    resource = store.resource(stored)
    value = resource.get("meta", {})
    body = {"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": value}]}
    patient = patient_of(call.type, call.id, resource, call.base)
    return Reply(200, json.encode(body), type=call.type, id=call.id, patient=patient)
