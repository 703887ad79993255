"""patch, plain and conditional, in the three forms of its body. https://hl7.org/fhir/R4/http.html#patch"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from schemas.patch.fault import PatchFault, PatchMalformed
from schemas.patch.fhirpath_patch import fhirpath_patch
from schemas.patch.json_patch import json_patch
from schemas.patch.merge_patch import merge_patch
from service.call import Call, Reply
from service.errors import BadRequest, NotFound, Unprocessable, UnsupportedMediaType
from service.interactions import body, conditional, replies
from service.interactions.plan import Plan, carry_out
from service.interactions.read import existing
from service.interactions.update import check_version, require_changeable
from service.store import Store


def _plain(resource: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A patch sent as plain JSON, as fhirpy does: the form that its shape says, for no body has the shape of two."""
    if isinstance(patch, list):
        return json_patch(resource, patch)
    if isinstance(patch, dict) and patch.get("resourceType") != "Parameters":
        return merge_patch(resource, patch)
    return fhirpath_patch(resource, patch)


FORMS: Final[dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]]] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
    "application/fhir+json": fhirpath_patch,
    "application/json": _plain,
}
"""What the body's media type makes of it; FHIR JSON is a Parameters resource with FHIRPath Patch operations."""


async def patch(call: Call, store: Store) -> Reply:
    """The next version, made of the current one."""
    assert call.type is not None
    require_changeable(call)
    call.grant.require("u", call.type)
    return await carry_out(plan if call.id is not None else plan_conditional, call, store)


async def plan(call: Call, store: Store) -> Plan:
    """The change that a patch asks for, against the version that is current now."""
    assert call.type is not None
    assert call.id is not None
    # Its tests and its reply tell what the resource holds, so who patches must be allowed to read.
    call.grant.require("r", call.type)
    before = await existing(store, call.type, call.id, "u")
    if call.grant.limits("r", call.type) not in ((), call.grant.limits("u", call.type)):
        await existing(store, call.type, call.id)
    check_version(call, before)
    resource = _patched(call, store.resource(before))
    body.check(resource)
    if store.is_same(before, resource):
        return Plan(call, replies.unchanged(call, store, before))
    change = store.change(call.type, call.id, resource, call.now, before)
    return Plan(call, replies.written(call, change, 200), change)


def _patched(call: Call, resource: dict[str, Any]) -> dict[str, Any]:
    form = FORMS.get(call.media_type)
    if form is None:
        raise UnsupportedMediaType(f"A patch is sent as one of {', '.join(FORMS)}")
    try:
        return form(resource, call.body)
    except PatchMalformed as fault:
        raise BadRequest(str(fault), details_code="patch-malformed", expression=_where(fault)) from fault
    except PatchFault as fault:
        raise Unprocessable(str(fault), details_code="patch-inapplicable", expression=_where(fault)) from fault


def _where(fault: PatchFault) -> tuple[str, ...]:
    return (fault.expression,) if fault.expression else ()


async def plan_conditional(call: Call, store: Store) -> Plan:
    """A patch of the one match."""
    return await plan(await named(call, store), store)


async def named(call: Call, store: Store) -> Call:
    """A conditional patch as the patch of the one match. Raises NotFound."""
    match = await conditional.match(call, store, conditional.required(call.params))
    if match is None:
        raise NotFound(f"No {call.type} matches the condition; a patch makes no new resource")
    return replace(call, id=match.id, params=())
