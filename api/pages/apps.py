"""Connected apps: what each may do, since when, and the end of it.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#using-well-known (management_endpoint)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import Response

from api.pages import render
from api.pages.visit import Problem, Visit
from schemas import scope_words
from schemas.scope_words import Said
from service.oauth import authorizations, authorize
from service.oauth.authorizations import Authorization
from service.people.accounts import Account

_DONE: Final = {"removed": "apps.removed", "gone": "apps.gone"}


@dataclass(frozen=True, slots=True)
class _Shown:
    """An app as it is listed; days as people say them."""

    id: UUID
    name: str
    person: str
    patient: str | None
    is_own: bool
    may: list[Said]
    since: str
    used: str
    until: str


async def show(visit: Visit) -> Response:
    """The person's apps; for administrators all of the tenant's, where they ask for them."""
    _, account = visit.person()
    is_all = _wants_all(visit, account)
    async with visit.connection() as connection:
        if is_all:
            found = await authorizations.of_tenant(connection, visit.tenant_id, visit.now)
        else:
            found = await authorizations.of_account(connection, visit.tenant_id, account.account_id, visit.now)
    shown = [await _shown(visit, account, each, is_all) for each in found]
    done = _DONE.get(visit.query.get("done", ""))
    return visit.page("apps", account=account, apps=shown, is_all=is_all, done=done)


async def end(visit: Visit) -> Response:
    """End what an app may do, at once; only administrators may end what others allowed."""
    _, account = visit.person()
    is_all = _wants_all(visit, account)
    try:
        given = UUID(visit.sent("authorization"))
    except ValueError:
        raise Problem("sent", 400) from None
    owner = None if is_all else account.account_id
    async with visit.connection() as connection:
        was_there = await authorizations.revoke(connection, visit.tenant_id, given, visit.now, owner)
    if was_there:
        visit.audited("authorization-revoked", description=f"authorization {given}")
    told = {"done": "removed" if was_there else "gone"} | ({"whose": "all"} if is_all else {})
    return render.elsewhere(visit.url("/apps", **told))


def _wants_all(visit: Visit, account: Account) -> bool:
    return account.is_admin and "all" in (visit.query.get("whose"), visit.sent("whose"))


async def _shown(visit: Visit, account: Account, found: Authorization, is_all: bool) -> _Shown:
    """Names of patients only for who may see them, and not in the list of all: an administrator is not their carer."""
    patient_id = found.context.get("patient")
    is_own = not is_all and account.fhir_user == f"Patient/{patient_id}"
    patient = None
    if patient_id is not None and not is_own and not is_all:
        patient = await authorize.patient(visit.engine, visit.tenant_id, account, str(patient_id))
    return _Shown(
        found.authorization_id,
        found.client_name,
        found.person,
        patient.name if patient else None,
        is_own,
        [each for each in scope_words.said(found.scope.split(), visit.said) if each.kind != "learns"],
        render.day(visit.said, found.created, visit.now),
        render.day(visit.said, found.used, visit.now),
        render.day(visit.said, found.expires, visit.now),
    )
