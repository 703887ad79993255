"""What happens at the authorization server, as AuditEvents: issued, refused, revoked, signed in; never a secret.

https://hl7.org/fhir/R4/auditevent.html
"""

import re
from datetime import datetime
from typing import Final

from service import audit
from service.audit import AuditRecord

UNKNOWN: Final = "unknown"
# An id that we made, or a word for who has none: invitation, hearth-command.
_OURS: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z-]{1,20}")


def event(
    kind: str,
    *,
    tenant_id: int,
    client_id: str | None,
    fhir_user: str | None = None,
    about: str | None = None,
    address: str | None,
    outcome: int,
    now: datetime,
    request_id: str,
    description: str = "",
) -> AuditRecord:
    """The record of one event of `audit.EVENTS`, for `engine.spool`.

    `client_id` may be what somebody only claims to be; `fhir_user` is the person who acts (`Patient/1`), `about` one to
    whom something is done; `outcome` is one of audit's; `description` is for people, and never holds a secret, token,
    code, password or login name.
    """
    type_name, _, resource_id = (about or fhir_user or "").partition("/")
    return audit.event(
        kind,
        tenant_id=tenant_id,
        client_id=_named(client_id),
        address=address,
        recorded=now,
        outcome=outcome,
        type=type_name if about else None,
        id=resource_id if about else None,
        version=None,
        query=None,
        request_id=request_id,
        patient=resource_id if type_name == "Patient" else None,
        description=description,
        user=fhir_user,
    )


def _named(client_id: str | None) -> str:
    """What was sent as an id may be anything, a secret in the wrong place too: only what looks like one of ours is kept."""
    return client_id if client_id is not None and _OURS.fullmatch(client_id) else UNKNOWN
