"""What happens at the authorization server, as AuditEvents: issued, refused, revoked, signed in; never a secret.

https://hl7.org/fhir/R4/auditevent.html
"""

from datetime import datetime
from typing import Final

from service import audit
from service.audit import AuditRecord

UNKNOWN: Final = "unknown"
_NAME_MOST: Final = 64


def event(
    kind: str,
    *,
    tenant_id: int,
    client_id: str | None,
    fhir_user: str | None = None,
    address: str | None,
    outcome: int,
    now: datetime,
    request_id: str,
    description: str = "",
) -> AuditRecord:
    """The record of one event of `audit.EVENTS`, for `engine.spool`.

    `client_id` may be what somebody only claims to be; `fhir_user` is the person (`Patient/1`); `outcome` is one of
    audit's; `description` is for people, and never holds a secret, token, code, password or login name.
    """
    type_name, _, resource_id = (fhir_user or "").partition("/")
    return audit.event(
        kind,
        tenant_id=tenant_id,
        client_id=_named(client_id),
        address=address,
        recorded=now,
        outcome=outcome,
        type=type_name or None,
        id=resource_id or None,
        version=None,
        query=None,
        request_id=request_id,
        patient=resource_id if type_name == "Patient" else None,
        description=description,
    )


def _named(client_id: str | None) -> str:
    """What was sent as an id may be anything, a secret in the wrong place too: only what looks like an id is kept."""
    is_plain = client_id is not None and client_id.isascii() and client_id.isprintable()
    return client_id if client_id and is_plain and len(client_id) <= _NAME_MOST else UNKNOWN
