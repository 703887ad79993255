"""Signing out, here or everywhere. https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html"""

from __future__ import annotations

from fastapi import Response

from api.pages import render
from api.pages.visit import Visit
from service.people import cookies, sessions


async def show(visit: Visit) -> Response:
    """Whether to sign out, or that nobody is signed in."""
    return visit.page("signed-out" if visit.session is None else "sign-out")


async def leave(visit: Visit) -> Response:
    """End the session; with an app's request under way the next person signs in for it."""
    value = visit.cookie(cookies.SESSION)
    if value is not None and visit.session is not None:
        async with visit.connection() as connection:
            await sessions.close(connection, visit.tenant_id, value, visit.now)
        visit.audited("sign-out")
    return _gone(visit, "/sign-in" if visit.look.ask else "/sign-out")


async def leave_everywhere(visit: Visit) -> Response:
    """End all sessions of the person."""
    _, account = visit.person()
    async with visit.connection() as connection:
        await sessions.close_all(connection, visit.tenant_id, account.account_id, visit.now)
    visit.audited("sign-out", description="everywhere")
    return _gone(visit, "/sign-out")


def _gone(visit: Visit, path: str) -> Response:
    """On to a page that still speaks the person's language."""
    response = render.elsewhere(visit.url(path, lang=visit.look.language))
    response.headers.append("Set-Cookie", cookies.cookie(visit.place, cookies.SESSION).clear())
    return response
