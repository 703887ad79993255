"""Signing in by login and password. https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Response

from api.pages import render, way
from api.pages.visit import Visit
from service import audit
from service.oauth.asked import Asked
from service.people import accounts, cookies, policy, providers, sessions
from service.people.accounts import Account
from service.people.attempts import SignInRefused


async def show(visit: Visit) -> Response:
    """The form; who is signed in already goes on, unless the app wants a newer sign-in."""
    asked = await way.asked(visit)
    if visit.session is not None and visit.account is not None:
        is_missing = policy.step(visit.account, visit.session, visit.engine.settings.second_factor) is not None
        if is_missing or asked is None or asked.accepts(visit.session):
            return render.elsewhere(await way.onward(visit, visit.session, visit.account, asked))
    return await form(visit, asked, login=asked.login_hint or "" if asked else "")


async def enter(visit: Visit) -> Response:
    """Take login and password."""
    asked = await way.asked(visit)
    login, password = visit.sent("login"), visit.sent("password")
    missing = {name: f"sign-in.{name}.missing" for name in ("login", "password") if not visit.sent(name).strip()}
    if missing:
        return await form(visit, asked, 400, login, missing)
    visit.engine.limits.check("sign-in", accounts.folded(login), visit.address, visit.now)
    try:
        async with visit.connection() as connection:
            account = await accounts.check_password(connection, visit.tenant_id, login, password, visit.now)
        return await opened(visit, asked, account, by="password")
    except SignInRefused as refusal:
        refused(visit, refusal)
        said = told(visit, refusal, "sign-in.refused")
        return waiting(refusal, await form(visit, asked, 400, login, told=said))


async def form(
    visit: Visit,
    asked: Asked | None,
    status: int = 200,
    login: str = "",
    faults: Mapping[str, str] | None = None,
    told: str = "",
) -> Response:
    """The page with the form; `faults` names what is said at fields, `told` is said of the whole."""
    async with visit.connection() as connection:
        others = await providers.registered(connection, visit.tenant_id)
    return visit.going_to(asked).page(
        "sign-in",
        status,
        app=asked.client.name if asked else None,
        again=asked is not None and visit.session is not None,
        login=login,
        faults=faults or {},
        told=told,
        providers=others,
    )


async def opened(
    visit: Visit, asked: Asked | None, account: Account, *, by: str, second_factor: bool = False
) -> Response:
    """A new session, never one that somebody may have planted, and the way onward. Raises SignInRefused."""
    old = visit.cookie(cookies.SESSION)
    lasts = sessions.Lasts.of(visit.engine.settings)
    async with visit.connection() as connection:
        made = await sessions.open(connection, visit.tenant_id, account.account_id, second_factor, visit.now, lasts)
        if old:
            await sessions.close(connection, visit.tenant_id, old, visit.now)
        session = await sessions.find(connection, visit.tenant_id, made, visit.now)
    if session is None:
        raise SignInRefused(reason="the account was disabled just now", fhir_user=account.fhir_user)
    visit.audited("sign-in", fhir_user=account.fhir_user, description=f"by {by}")
    response = await way.sent(visit, session, account, asked)
    response.headers.append("Set-Cookie", cookies.cookie(visit.place, cookies.SESSION).set(made))
    return response


def refused(visit: Visit, refusal: SignInRefused) -> None:
    """Keep the AuditEvent of somebody who did not get in."""
    visit.audited(
        "sign-in-refused", fhir_user=refusal.fhir_user, description=refusal.reason, outcome=audit.MINOR_FAILURE
    )


def told(visit: Visit, refusal: SignInRefused, otherwise: str) -> str:
    """What the person is told: that it did not match, whatever it was, or in how long to try again."""
    if refusal.retry_after:
        return visit.said["sign-in.wait"].format(when=render.moment(visit.said, refusal.retry_after))
    return visit.said[otherwise]


def waiting(refusal: SignInRefused, response: Response) -> Response:
    """The page of a refusal, which says to programs too when to try again."""
    if refusal.retry_after:
        response.status_code = 429
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
