"""batch, and which of batch and transaction a posted Bundle is. https://hl7.org/fhir/R4/http.html#transaction"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.validate import validate as faults_of
from service import logs
from service.call import Call, Reply
from service.database import explained
from service.errors import DEFECT, BadRequest, HearthError
from service.interactions.entry import Answer, answered, located, parse
from service.interactions.transaction import Interaction, transaction
from service.store import Store

_MOST: Final = 1000


async def bundle(call: Call, store: Store, interactions: Mapping[str, Interaction]) -> Reply:
    """Carry out a Bundle posted to the base: a batch entry by entry, a transaction whole or not at all."""
    body = call.body
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise BadRequest(
            "Post a Bundle of type batch or transaction to the base address", details_code="bundle-required"
        )
    faults = faults_of(body, entries=False)
    if faults:
        raise BadRequest(issues=faults)
    entries = body.get("entry", [])
    if len(entries) > _MOST:
        raise BadRequest(f"A Bundle may have {_MOST} entries at most; this one has {len(entries)}", code="too-costly")
    if body["type"] == "batch":
        return await _batch(call, store, entries, interactions)
    if body["type"] == "transaction":
        return await transaction(call, store, entries, interactions)
    raise BadRequest(
        f"Bundle.type {body['type']!r} cannot be posted; send batch or transaction", expression=("Bundle.type",)
    )


async def _batch(
    call: Call, store: Store, entries: Sequence[dict[str, Any]], interactions: Mapping[str, Interaction]
) -> Reply:
    answers: list[Answer] = []
    for at, sent in enumerate(entries):
        entry = None
        try:
            with located(at), explained():
                entry = parse(call, at, sent)
                answers.append(Answer(await interactions[entry.call.interaction](entry.call, store), entry))
        except HearthError as refusal:
            answers.append(Answer(Reply(refusal.status), entry, refusal))
        except Exception:  # entries before this one are written: they are answered, whatever becomes of this one
            logs.failure(call.request_id)
            answers.append(Answer(Reply(500), entry, HearthError(DEFECT)))
    return answered("batch-response", answers)
