"""What a person or client may see, asked by the authorization server itself: always under their own Grant."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from schemas import ids
from service import grant as grants
from service.content import Codec
from service.grant import Grant
from service.oauth.smart import Place
from service.oauth.token import Access
from service.people.accounts import Account
from service.search.page import Pages
from service.store import Store

REACH: Final = "select practitioner_access from tenant where id = $1"
STATEMENTS: Final = (REACH,)
CLIENT: Final = "hearth"
"""Who asks, in the audit: the authorization server itself."""
_NO_CODEC: Final = Codec({})
_NO_PAGES: Final = Pages(b"")


async def of_person(connection: asyncpg.Connection[Any], tenant_id: int, account: Account, now: datetime) -> Grant:
    """The Grant to find the patients whom a person may see."""
    reach = str(await connection.fetchval(REACH, tenant_id))
    access = Access(
        CLIENT,
        "user/Patient.rs",
        now,
        account_id=account.account_id,
        fhir_user=account.fhir_user,
        reach=reach,
        clearance=account.clearance,
    )
    return grants.of(access, tenant_id)


async def sees(
    connection: asyncpg.Connection[Any], tenant_id: int, place: Place, grant: Grant, type_name: str, resource_id: str
) -> bool:
    """Whether the resource is there for the holder of `grant` to read."""
    store = Store(connection, tenant_id, place.fhir_base, grant, _NO_CODEC, _NO_PAGES)
    found = await store.read(type_name, resource_id) if ids.is_legal(resource_id) else None
    return found is not None and not found.deleted
