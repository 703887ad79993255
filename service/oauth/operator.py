"""What operators do by command, as AuditEvents. https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from service import audit
from service.content import Codec
from service.oauth import events
from service.store import ship

OPERATOR: Final = "hearth-command"
"""Who does it, in the audit: whoever may run commands on the server's host."""


async def did(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    kind: str,
    description: str,
    now: datetime,
    about: str | None = None,
) -> None:
    """Keep the record of an event (audit.EVENTS); `about` is the person to whom it was done, as `Patient/1`."""
    record = events.event(
        kind,
        tenant_id=tenant_id,
        client_id=OPERATOR,
        about=about,
        address=None,
        outcome=audit.SUCCESS,
        now=now,
        request_id="",
        description=description,
    )
    await ship(connection, Codec({}), [record])
