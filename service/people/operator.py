"""What operators do to accounts by command, as AuditEvents. https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from service import audit
from service.content import Codec
from service.oauth import events
from service.people.accounts import Account
from service.store import ship

OPERATOR: Final = "hearth-command"
"""Who does it, in the audit: whoever may run commands on the server's host."""


async def account_changed(
    connection: asyncpg.Connection[Any], tenant_id: int, account: Account, description: str, now: datetime
) -> None:
    """Keep a record of what was done to an account."""
    record = events.event(
        "account-changed",
        tenant_id=tenant_id,
        client_id=OPERATOR,
        fhir_user=account.fhir_user,
        address=None,
        outcome=audit.SUCCESS,
        now=now,
        request_id="",
        description=description,
    )
    await ship(connection, Codec({}), [record])
