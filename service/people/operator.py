"""What operators do to accounts by command, as AuditEvents. https://hl7.org/fhir/R4/auditevent.html"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg

from service.oauth import operator
from service.people.accounts import Account


async def account_changed(
    connection: asyncpg.Connection[Any], tenant_id: int, account: Account, description: str, now: datetime
) -> None:
    """Keep a record of what was done to an account."""
    await operator.did(connection, tenant_id, "account-changed", description, now, about=account.fhir_user)
