"""$share and $unshare: a client shows a private entry, or keeps it to themselves again. Docs: docs/homework.md, "Sharing"."""

from functools import partial
from typing import Any, Final

from fhir_mappings.observation import DEFAULT_LABELS
from service import labels
from service.call import Call, Reply
from service.errors import Forbidden
from service.interactions import replies
from service.interactions.plan import Plan, carry_out
from service.interactions.read import existing
from service.interactions.update import check_version
from service.operations.parameters import asked
from service.store import Store

JsonObject = dict[str, Any]
_PRIVATE: Final = {"system": labels.OURS[0], "code": labels.CLIENT_ONLY}


async def share(call: Call, store: Store) -> Reply:
    """The resource, from now on seen by those who see the client's record."""
    return await carry_out(partial(_plan, private=False), call, store)


async def unshare(call: Call, store: Store) -> Reply:
    """The resource, from now on seen by the client alone."""
    return await carry_out(partial(_plan, private=True), call, store)


async def _plan(call: Call, store: Store, *, private: bool) -> Plan:
    assert call.type is not None
    assert call.id is not None
    asked(call, ())
    call.grant.require("u", call.type)
    before = await existing(store, call.type, call.id, "u")
    _require_own(call)
    check_version(call, before)
    resource = _labelled(store.resource(before), private)
    if store.is_same(before, resource):
        return Plan(call, replies.unchanged(call, store, before))
    change = store.change(call.type, call.id, resource, call.now, before)
    return Plan(call, replies.written(call, change, 200), change)


def _require_own(call: Call) -> None:
    # A system that speaks for its clients has signed them in itself.
    if not (call.grant.user or "Patient/").startswith("Patient/"):
        raise Forbidden(
            "Only clients themselves share what they wrote, or keep it to themselves", details_code="not-yours-to-share"
        )


def _labelled(resource: JsonObject, private: bool) -> JsonObject:
    """The resource with our label client-only or without it; what then has no label has those of homework."""
    if private == (labels.CLIENT_ONLY in labels.carried(resource)):
        return resource
    meta = dict(resource.get("meta", {}))
    kept = [each for each in meta.get("security", ()) if each.get("code") != labels.CLIENT_ONLY]
    meta["security"] = [*kept, dict(_PRIVATE)] if private else kept or list(DEFAULT_LABELS)
    return {**resource, "meta": meta}
