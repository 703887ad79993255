"""update, create by update, and conditional update. https://hl7.org/fhir/R4/http.html#update"""

from dataclasses import replace
from functools import partial

from schemas import ids
from schemas.subset import SUBSETTED
from service.call import Call, Reply
from service.errors import Conflict, MethodNotAllowed, PreconditionFailed, Unprocessable
from service.interactions import body, conditional, replies
from service.interactions.plan import Plan, carry_out, stale
from service.store import Store, Stored

FINAL = frozenset(("AuditEvent",))
"""Types whose resources are never changed nor deleted once written."""


async def update(call: Call, store: Store) -> Reply:
    """The next version; 201 where there was none. Nothing is written when nothing would change."""
    assert call.type is not None
    require_changeable(call)
    if call.id is not None:
        return await carry_out(plan, call, store)
    call.grant.require("u", call.type)
    wanted = conditional.required(call.params)
    return await conditional.alone(call, store, wanted, partial(carry_out, plan_conditional, call, store))


def require_changeable(call: Call) -> None:
    """Raise MethodNotAllowed for types that are only ever written once."""
    if call.type in FINAL:
        raise MethodNotAllowed(f"{call.type} resources are never changed or deleted", headers=[("Allow", "GET, HEAD")])


async def plan(call: Call, store: Store) -> Plan:
    """The change that a PUT asks for, against the version that is current now."""
    assert call.type is not None
    call.grant.require("u", call.type)  # before the row is looked at: who may not learns nothing
    resource = body.resource(call)
    _require_whole(resource)
    resource_id = body.require_id(call, resource)
    before = await store.read(call.type, resource_id, "u")
    if before is None:
        await store.require_free(call.type, resource_id)
    check_version(call, before)
    if before is not None and store.is_same(before, resource):
        return Plan(call, replies.unchanged(call, store, before))
    change = store.change(call.type, resource_id, resource, call.now, before, by_update=True)
    return Plan(call, replies.written(call, change, 201 if before is None or before.deleted else 200), change)


def _require_whole(resource: body.JsonObject) -> None:
    """Raise Unprocessable for what `_elements` or `_summary` cut down: as an update it would delete the rest."""
    for at, tag in enumerate(resource.get("meta", {}).get("tag", ())):
        if (tag.get("system"), tag.get("code")) == (SUBSETTED["system"], SUBSETTED["code"]):
            raise Unprocessable(
                "This is part of a resource, as its tag SUBSETTED says; read the whole, change it and send that",
                code="business-rule",
                expression=(f"{resource['resourceType']}.meta.tag[{at}]",),
                details_code="subsetted",
            )


def check_version(call: Call, before: Stored | None) -> None:
    """Raise PreconditionFailed unless If-Match names the current version and If-None-Match: * meets none."""
    conditions = call.conditions
    gone = before is None or before.deleted
    if conditions.if_match is not None and (
        gone or conditions.if_match not in ("*", str(before.version if before else 0))
    ):
        raise stale(call)
    if conditions.if_none_match == "*" and not gone:
        raise PreconditionFailed(f"{call.type}/{call.id} exists already", code="conflict", details_code="exists")


async def plan_conditional(call: Call, store: Store) -> Plan:
    """An update of the one match; where there is none it creates."""
    body.resource(call)
    return await plan(await named(replace(call, validated=True), store), store)


async def named(call: Call, store: Store) -> Call:
    """A conditional update as the update of the one match; where there is none, of the id that was sent, or a new one.

    Raises Conflict when that id is another resource's, which the condition did not mean.
    """
    assert call.type is not None
    call.grant.require("u", call.type)
    sent = call.body
    match = await conditional.match(call, store, conditional.required(call.params))
    if match is not None:
        return replace(call, params=(), id=match.id, body={**sent, "id": sent.get("id", match.id)})
    if "id" not in sent:
        made = str(ids.new(call.now.timestamp()))
        return replace(call, params=(), id=made, body={**sent, "id": made})
    held = await store.read(call.type, str(sent["id"]), "u")
    if held is not None and not held.deleted:
        raise Conflict(
            f"The condition matches nothing, but {call.type}/{held.id} exists; send its address, or no id",
            expression=(f"{call.type}.id",),
            details_code="exists",
        )
    return replace(call, params=(), id=str(sent["id"]))
