"""Who a client shows their work to: what an answer's labels become, those of its scores become too, with a Provenance.

https://hl7.org/fhir/R4/security-labels.html
"""

from typing import Any, Final

from fhir_mappings.observation import labels as inherited
from schemas import dates
from service import labels
from service.call import Call
from service.homework.answer import ASSEMBLER
from service.homework.authority import found
from service.homework.planned import Planned
from service.store import Change, Store

JsonObject = dict[str, Any]
SHAREABLE: Final = ("QuestionnaireResponse", "DocumentReference", "Observation")
"""What a client keeps to themselves or shares."""
_MARK: Final = b'"security"'
_TERMS: Final = "http://terminology.hl7.org/CodeSystem"


async def follow(call: Call, store: Store, change: Change, planned: Planned) -> None:
    """Where the labels changed: give them to what was derived, and keep who shared or withdrew it."""
    before, after = change.before, change.resource
    if before is None or before.deleted or after is None or planned.call_of(change) is None:
        return
    if _MARK not in (earlier := store.json(before)) and _MARK not in (change.content or b""):
        return
    was = (store.current(before) or {}) if _MARK in earlier else {}
    if inherited(was) == inherited(after):
        return
    if change.type == "QuestionnaireResponse":
        await _relabel(call, store, change, after, planned)
    private, public = labels.CLIENT_ONLY in labels.carried(after), labels.CLIENT_ONLY in labels.carried(was)
    if private != public:
        planned.create(_provenance(call, change, after, "unshare" if private else "share"))


async def _relabel(call: Call, store: Store, change: Change, response: JsonObject, planned: Planned) -> None:
    """The scores of the answer under its labels: who may not see the one does not see the other."""
    params = [("derived-from", f"QuestionnaireResponse/{change.id}")]
    for held in await found(call, store, "Observation", params, 1000):
        observation = planned.resource("Observation", held.id) or held.resource(store.codec)
        meta = {**observation.get("meta", {}), **inherited(response)}
        if meta != observation.get("meta"):
            planned.put("Observation", held.id, {**observation, "meta": meta}, held.stored)


def _provenance(call: Call, change: Change, resource: JsonObject, what: str) -> JsonObject:
    who = {"reference": call.grant.user} if call.grant.user else {"identifier": {"value": call.grant.client_id}}
    return {
        "resourceType": "Provenance",
        "meta": inherited(resource),
        "target": [{"reference": f"{change.type}/{change.id}/_history/{change.version}"}],
        "recorded": dates.instant(call.now),
        "reason": [{"coding": [{"system": f"{_TERMS}/v3-ActReason", "code": "PATRQT"}]}],
        "activity": {"coding": [{"system": f"{_TERMS}/v3-DataOperation", "code": "UPDATE"}], "text": what},
        "agent": [
            {"type": {"coding": [{"system": f"{_TERMS}/provenance-participant-type", "code": "author"}]}, "who": who},
            {
                "type": {"coding": [{"system": f"{_TERMS}/provenance-participant-type", "code": "assembler"}]},
                "who": {"reference": ASSEMBLER},
            },
        ],
    }
