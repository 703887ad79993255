"""Where a person goes next: the missing steps of the sign-in first, then those of the app's request, else to their apps."""

from __future__ import annotations

from typing import Final

from fastapi import Response

from api.pages import render
from api.pages.visit import Visit
from service.oauth import authorize
from service.oauth.asked import Asked
from service.oauth.parameters import PageFault, RedirectFault
from service.people import policy
from service.people.accounts import Account
from service.people.sessions import Session

_SIGN_IN: Final = {
    "second-factor": "/second-factor",
    "change-password": "/account/password",
    "set-up-second-factor": "/account/second-factor",
}
_CONNECT: Final = {"sign-in": "/sign-in", "patient": "/choose-patient", "consent": "/consent"}


async def asked(visit: Visit) -> Asked | None:
    """The app's request under way, None where there is none to go on with. Raises PageFault when it has ended."""
    if not visit.look.ask:
        return None
    async with visit.connection() as connection:
        found = await authorize.find(connection, visit.tenant_id, visit.handle, visit.now)
    if found is None:
        raise PageFault(authorize.OVER)
    return found


async def onward(visit: Visit, session: Session, account: Account, underway: Asked | None) -> str:
    """The next address, of ours or of the app's. Raises PageFault, RedirectFault."""
    missing = policy.step(account, session, visit.engine.settings.second_factor)
    if missing is not None:
        return visit.url(_SIGN_IN[missing])
    if underway is None:
        return visit.url("/apps")
    async with visit.connection() as connection:
        underway = await authorize.signed_in(
            connection, visit.tenant_id, visit.handle, underway, account, session, visit.now
        )
        step = authorize.next_step(underway, account)
        if step != "done":
            return visit.url(_CONNECT[step])
        location = await authorize.allow(
            connection, visit.tenant_id, visit.handle, underway, account, session, underway.scopes, visit.now
        )
    told = f"as before: {' '.join(underway.scopes)}"
    visit.audited("consent-given", client_id=underway.client.client_id, fhir_user=account.fhir_user, description=told)
    return location


async def sent(visit: Visit, session: Session, account: Account, underway: Asked | None) -> Response:
    """The redirect onward, also where it tells the app that this person cannot connect it. Raises PageFault."""
    try:
        return render.elsewhere(await onward(visit, session, account, underway))
    except RedirectFault as fault:
        return render.elsewhere(fault.location)
