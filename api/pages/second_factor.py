"""The second factor: showing it at sign-in, setting it up, changing it.

https://pages.nist.gov/800-63-4/sp800-63b.html#singlefactorOTP
"""

from __future__ import annotations

from typing import Final

from fastapi import Response

from api.pages import render, sign_in, way
from api.pages.visit import Elsewhere, Problem, Visit
from service.people import cookies, policy, second_factor, sessions
from service.people.accounts import Account
from service.people.attempts import SignInRefused
from service.people.sessions import Session

_SERVICE: Final = "Hearth"
"""What the authenticator app shows beside the login."""


async def show(visit: Visit) -> Response:
    """The form for a code."""
    await _awaited(visit)
    return await _form(visit)


async def enter(visit: Visit) -> Response:
    """Take a code of the app, or a recovery code; then the session goes on under another cookie."""
    session, account = await _awaited(visit)
    asked = await way.asked(visit)
    if not visit.sent("code").strip():
        return await _form(visit, 400, visit.said["code.missing"])
    try:
        await _require_code(visit, account)
    except SignInRefused as refusal:
        sign_in.refused(visit, refusal)
        return sign_in.waiting(refusal, await _form(visit, 400, sign_in.told(visit, refusal, "code.refused")))
    cookie, session = await _renewed(visit)
    visit.audited("sign-in", description="by second factor")
    return _with(visit, await way.sent(visit, session, account, asked), cookie)


async def manage(visit: Visit) -> Response:
    """Where it is set up, and where it is changed."""
    _, account = await _may_set_up(visit)
    if account.has_second_factor:
        return await _managed(visit, account)
    return await _begin(visit, account)


async def change(visit: Visit) -> Response:
    """Begin to set it up, confirm it by a first code, or for who shows a code renew the recovery codes or remove it."""
    _, account = await _may_set_up(visit)
    decision = visit.sent("decision")
    if account.has_second_factor and decision in ("renew", "remove"):
        return await _changed(visit, account, decision)
    if account.has_second_factor or decision not in ("begin", "confirm"):
        raise Problem("sent", 400)
    if decision == "confirm":
        return await _confirmed(visit, account)
    async with visit.connection() as connection:
        setup = await second_factor.start(connection, visit.tenant_id, account, visit.key, _SERVICE)
    # Not by a redirect: an address that shows the secret again would show one that somebody else began, too.
    return await _setting_up(visit, setup)


async def _awaited(visit: Visit) -> tuple[Session, Account]:
    """Whose code is missing. Raises Elsewhere where none is."""
    session, account = visit.somebody()
    if policy.step(account, session, visit.engine.settings.second_factor) != "second-factor":
        raise Elsewhere(visit.url("/sign-in"))
    return session, account


async def _may_set_up(visit: Visit) -> tuple[Session, Account]:
    """Who is signed in but, perhaps, for this. Raises Elsewhere."""
    session, account = visit.somebody()
    if policy.step(account, session, visit.engine.settings.second_factor) not in (None, "set-up-second-factor"):
        raise Elsewhere(visit.url("/sign-in"))
    return session, account


async def _require_code(visit: Visit, account: Account) -> None:
    visit.engine.limits.check("sign-in", str(account.account_id), visit.address, visit.now)
    async with visit.connection() as connection:
        await second_factor.check(
            connection, visit.tenant_id, account.account_id, visit.sent("code"), visit.key, visit.now
        )


async def _renewed(visit: Visit) -> tuple[str, Session]:
    old = visit.cookie(cookies.SESSION) or ""
    async with visit.connection() as connection:
        cookie = await sessions.renew(connection, visit.tenant_id, old, True, visit.now)
        session = await sessions.find(connection, visit.tenant_id, cookie, visit.now)
    if cookie is None or session is None:
        raise Elsewhere(visit.url("/sign-in"))
    return cookie, session


def _with(visit: Visit, response: Response, cookie: str) -> Response:
    response.headers.append("Set-Cookie", cookies.cookie(visit.place, cookies.SESSION).set(cookie))
    return response


async def _form(visit: Visit, status: int = 200, told: str = "") -> Response:
    return visit.going_to(await way.asked(visit)).page("second-factor", status, told=told)


async def _begin(visit: Visit, account: Account) -> Response:
    is_required = policy.needs_second_factor(account, visit.engine.settings.second_factor)
    return visit.page("set-up-begin", is_required=is_required)


async def _setting_up(visit: Visit, setup: second_factor.TotpSetup, status: int = 200, told: str = "") -> Response:
    key = " ".join(setup.secret[at : at + 4] for at in range(0, len(setup.secret), 4))
    return visit.page("set-up", status, svg=setup.svg, key=key, told=told)


async def _confirmed(visit: Visit, account: Account) -> Response:
    """The recovery codes, shown in this answer and never again."""
    visit.engine.limits.check("sign-in", str(account.account_id), visit.address, visit.now)
    try:
        async with visit.connection() as connection:
            codes = await second_factor.confirm(
                connection, visit.tenant_id, account.account_id, visit.sent("code"), visit.key, visit.now
            )
    except SignInRefused as refusal:
        return await _refused(visit, account, refusal)
    cookie, _ = await _renewed(visit)
    visit.audited("account-changed", description="second factor set up")
    return _with(visit, _codes(visit, codes), cookie)


async def _refused(visit: Visit, account: Account, refusal: SignInRefused) -> Response:
    sign_in.refused(visit, refusal)
    async with visit.connection() as connection:
        setup = await second_factor.pending(connection, visit.tenant_id, account, visit.key, _SERVICE)
    if setup is None:
        raise Elsewhere(visit.url("/account/second-factor"))
    told = sign_in.told(visit, refusal, "code.refused")
    return sign_in.waiting(refusal, await _setting_up(visit, setup, 400, told))


def _codes(visit: Visit, codes: tuple[str, ...]) -> Response:
    onward = "/sign-in" if visit.look.ask else "/account"
    return visit.page("recovery-codes", codes=codes, onward=visit.url(onward))


async def _managed(visit: Visit, account: Account, status: int = 200, told: str = "") -> Response:
    async with visit.connection() as connection:
        left = await second_factor.recovery_codes_left(connection, visit.tenant_id, account.account_id)
    is_required = policy.needs_second_factor(account, visit.engine.settings.second_factor)
    return visit.page("second-factor-manage", status, left=left, is_required=is_required, told=told)


async def _changed(visit: Visit, account: Account, decision: str) -> Response:
    if decision == "remove" and policy.needs_second_factor(account, visit.engine.settings.second_factor):
        raise Problem("sent", 400)
    try:
        await _require_code(visit, account)
    except SignInRefused as refusal:
        sign_in.refused(visit, refusal)
        told = sign_in.told(visit, refusal, "code.refused")
        return sign_in.waiting(refusal, await _managed(visit, account, 400, told))
    async with visit.connection() as connection:
        if decision == "renew":
            codes = await second_factor.new_recovery_codes(connection, visit.tenant_id, account.account_id)
        else:
            await second_factor.remove(connection, visit.tenant_id, account.account_id)
    visit.audited("account-changed", description=f"second factor: {decision}")
    if decision == "renew":
        return _codes(visit, codes)
    return render.elsewhere(visit.url("/account", done="factor"))
