"""Break-the-glass: in an emergency a practitioner who has the right to it reads a record that is not theirs to read.

It is asked for with each request, by the purpose BTG of https://terminology.hl7.org/CodeSystem-v3-ActReason.html in
X-Purpose-Of-Use. The AuditEvent of the request says so, and a Communication in the record tells of it.
"""

import uuid
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final

from schemas import dates
from service import audit
from service import grant as grants
from service.call import Call, Reply
from service.errors import Conflict, Forbidden
from service.grant import Grant, Rule
from service.oauth.token import Access
from service.store import Store

PURPOSE: Final = "BTG"
_ASKED: Final = (PURPOSE, f"{audit.REASON_SYSTEM}|{PURPOSE}")
_CATEGORY: Final = "https://hearth.health/fhir/CodeSystem/communication-category"
NOTIFIER: Final = Grant("hearth", (Rule("Communication", frozenset("cr")),), "hearth")
"""The authority under which the notice is written."""


def is_asked(purposes: str) -> bool:
    """Whether X-Purpose-Of-Use, a list of codes, has BTG in it."""
    return any(each.strip() in _ASKED for each in purposes.split(","))


def opened(access: Access, tenant_id: int, only_reads: bool) -> Grant:
    """The Grant of the emergency. Raises Forbidden where there is no right to it, and for what does not only read."""
    made = grants.of(access, tenant_id, True)
    if not only_reads:
        raise Forbidden(
            "Break-the-glass opens a record for reading only; send this without X-Purpose-Of-Use",
            details_code="break-the-glass-refused",
        )
    return made


async def notify(call: Call, store: Store, patient: str | None) -> None:
    """Tell of it, once an hour for each person and record; `store` is under NOTIFIER."""
    resource_id = _id(call, patient)
    if await store.read("Communication", resource_id) is not None:
        return
    change = store.change("Communication", resource_id, _notice(call, patient), call.now, by_service=True)
    with suppress(Conflict):  # another request of the same hour has just told
        await store.commit([change], [_alert(call, patient)])


def _id(call: Call, patient: str | None) -> str:
    """The same within an hour, so that who reads on is told of once."""
    text = f"{call.tenant_id}|{call.grant.user}|{patient}|{call.now:%Y-%m-%dT%H}"
    return str(uuid.UUID(bytes=blake2b(text.encode(), digest_size=16).digest(), version=5))


def _notice(call: Call, patient: str | None) -> dict[str, Any]:
    whose = {"subject": {"reference": f"Patient/{patient}"}, "recipient": [{"reference": f"Patient/{patient}"}]}
    return {
        "resourceType": "Communication",
        "status": "completed",
        "category": [{"coding": [{"system": _CATEGORY, "code": "break-the-glass"}]}],
        "priority": "urgent",
        **(whose if patient is not None else {}),
        "sent": dates.instant(call.now),
        "sender": {"reference": "Device/hearth"},
        "reasonCode": [{"coding": [{"system": audit.REASON_SYSTEM, "code": PURPOSE}]}],
        "payload": [{"contentString": f"{call.grant.user} read by break-the-glass, request {call.request_id}"}],
    }


def _alert(call: Call, patient: str | None) -> audit.AuditRecord:
    return audit.event(
        "break-the-glass",
        tenant_id=call.tenant_id,
        client_id=call.grant.client_id,
        user=call.grant.user,
        purpose=PURPOSE,
        address=call.address,
        recorded=call.now,
        outcome=audit.SUCCESS,
        type=None if patient is None else "Patient",
        id=patient,
        version=None,
        query=None,
        request_id=call.request_id,
        patient=patient,
    )


def is_due(call: Call, reply: Reply) -> bool:
    """Whether the request read anything in an emergency."""
    return call.grant.purpose == PURPOSE and reply.status < 400
