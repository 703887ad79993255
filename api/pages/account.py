"""A person's account: the language of the pages, the password. https://pages.nist.gov/800-63-4/sp800-63b.html#passwordver"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import Response

from api.pages import render, sign_in, way
from api.pages.visit import Elsewhere, Problem, Visit
from schemas import words
from service.people import accounts, cookies, passwords, policy, sessions
from service.people.accounts import Account
from service.people.attempts import SignInRefused
from service.people.passwords import PasswordRefused
from service.people.sessions import Session

_DONE: Final = {"language": "account.language.saved", "password": "password.saved", "factor": "factor.removed"}


async def show(visit: Visit) -> Response:
    """What the account is, and what can be changed."""
    _, account = visit.person()
    return visit.page("account", account=account, done=_DONE.get(visit.query.get("done", "")))


async def speak(visit: Visit) -> Response:
    """Keep the language for the account, instead of the one chosen for this browser."""
    _, account = visit.person()
    language = visit.sent("language")
    if language not in words.LANGUAGES:
        raise Problem("sent", 400)
    async with visit.connection() as connection:
        await accounts.set_language(connection, visit.tenant_id, account.account_id, language)
    visit.audited("account-changed", description="language")
    response = render.elsewhere(visit.url("/account", done="language"))
    response.headers.append("Set-Cookie", cookies.cookie(visit.place, cookies.LANGUAGE).clear())
    return response


async def show_password(visit: Visit) -> Response:
    """The form for a new password."""
    _may_change(visit)
    return await _form(visit)


async def change_password(visit: Visit) -> Response:
    """Take the new password; the person stays signed in here alone."""
    session, account = _may_change(visit)
    asked = await way.asked(visit)
    new = visit.sent("new_password")
    if not new or new != visit.sent("again"):
        fault = {"again": "password.different"} if new else {"new_password": "password.missing"}
        return await _form(visit, 400, fault)
    visit.engine.limits.check("sign-in", account.login, visit.address, visit.now)
    try:
        async with visit.connection() as connection:
            await accounts.change_password(connection, visit.tenant_id, account, visit.sent("password"), new, visit.now)
    except PasswordRefused as refusal:
        return await _form(visit, 400, {"new_password": f"password.{refusal.fault}"})
    except SignInRefused as refusal:
        sign_in.refused(visit, refusal)
        said = sign_in.told(visit, refusal, "sign-in.refused")
        return sign_in.waiting(refusal, await _form(visit, 400, {"password": "sign-in.refused"}, said))
    visit.audited("account-changed", description="password")
    return await _signed_in_again(visit, session, asked is not None)


def _may_change(visit: Visit) -> tuple[Session, Account]:
    """Who is signed in but, perhaps, for this. Raises Elsewhere."""
    session, account = visit.somebody()
    step = policy.step(account, session, visit.engine.settings.second_factor)
    if not account.has_password or step not in (None, "change-password"):
        raise Elsewhere(visit.url("/sign-in"))
    return session, account


async def _form(visit: Visit, status: int = 200, faults: Mapping[str, str] | None = None, told: str = "") -> Response:
    _, account = visit.somebody()
    limits = {"least": passwords.LENGTH_LEAST, "most": passwords.LENGTH_MOST}
    seen = visit.going_to(await way.asked(visit))
    return seen.page("password", status, account=account, faults=faults or {}, told=told, limits=limits)


async def _signed_in_again(visit: Visit, session: Session, is_connecting: bool) -> Response:
    """A session in the place of the one that ended with the old password."""
    lasts = sessions.Lasts.of(visit.engine.settings)
    async with visit.connection() as connection:
        made = await sessions.open(
            connection, visit.tenant_id, session.account_id, session.second_factor, visit.now, lasts
        )
    path = visit.url("/sign-in") if is_connecting else visit.url("/account", done="password")
    response = render.elsewhere(path)
    response.headers.append("Set-Cookie", cookies.cookie(visit.place, cookies.SESSION).set(made))
    return response
