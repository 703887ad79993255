"""Sessions: when they end, what ends with them, and that nothing known before a sign-in is worth anything after it."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from service.errors import Unprocessable
from service.oauth import authorizations, token
from service.oauth.authorizations import NewAuthorization
from service.oauth.smart import Place
from service.oauth.token import Access
from service.people import accounts, cookies, sessions
from service.people.accounts import Account
from service.settings import Settings

IDLE = 15 * 60
DAY = 8 * 3600
SECRET = b"the server's secret"


async def allow(office: Any, account: Account, cookie: str, scope: str) -> tuple[UUID, str]:
    """What an app has after the person allowed it something: an authorization, and an access token."""
    session = await office.session(cookie)
    client_id = str(uuid4())
    async with office.connection() as connection:
        expires = office.at(DAY)
        made = await authorizations.add(
            connection,
            office.tenant_id,
            NewAuthorization(client_id, account.account_id, session.digest, office.at(), scope, {}, None, expires),
            office.at(),
        )
        access = Access(client_id, scope, expires, authorization_id=made, account_id=account.account_id)
        return made, await token.mint(connection, office.tenant_id, access, office.at())


async def is_valid(office: Any, allowed: tuple[UUID, str]) -> tuple[bool, bool]:
    """Whether the authorization and its access token still hold."""
    authorization_id, access_token = allowed
    async with office.connection() as connection:
        holds = await authorizations.hold(connection, office.tenant_id, authorization_id, office.at(), None)
        access = await token.access(connection, office.tenant_id, access_token, office.at())
    return holds, access is not None


# When a session is over


async def test_a_session_ends_after_a_quarter_of_an_hour_without_use(office: Any) -> None:
    cookie = await office.open(await office.add())
    assert await office.session(cookie, IDLE - 1) is not None
    assert await office.session(cookie, 2 * IDLE - 2) is not None
    assert await office.session(cookie, 3 * IDLE - 2) is None
    assert await office.session(cookie, 3 * IDLE - 3) is not None


async def test_a_session_ends_after_eight_hours_of_use(office: Any) -> None:
    cookie = await office.open(await office.add())
    for used in range(0, DAY, IDLE - 1):
        assert await office.session(cookie, used) is not None
    assert await office.session(cookie, DAY - 1) is not None
    assert await office.session(cookie, DAY) is None


async def test_the_settings_say_how_long_sessions_last(office: Any) -> None:
    account = await office.add()
    lasts = sessions.Lasts.of(Settings(session_idle_minutes=1, session_hours=1))
    async with office.connection() as connection:
        cookie = await sessions.open(connection, office.tenant_id, account.account_id, False, office.at(), lasts)
    assert await office.session(cookie, 60) is None
    for used in range(0, 3600, 59):
        assert await office.session(cookie, used) is not None
    assert await office.session(cookie, 3600) is None


@pytest.mark.parametrize("cookie", [None, "", "x", "\0", "\ud800", "x" * 10_000])
async def test_an_unknown_cookie_is_no_session(office: Any, cookie: str | None) -> None:
    assert await office.session(cookie) is None


async def test_a_session_of_one_tenant_is_none_in_another(office: Any, new_house: Any) -> None:
    cookie, other = await office.open(await office.add()), await new_house()
    async with office.connection() as connection:
        assert await sessions.find(connection, other.tenant_id, cookie, office.at()) is None
        await sessions.close(connection, other.tenant_id, cookie, office.at())
    assert await office.session(cookie) is not None


async def test_who_signed_out_has_no_session_in_this_browser(office: Any) -> None:
    account = await office.add()
    here, elsewhere = await office.open(account), await office.open(account)
    async with office.connection() as connection:
        await sessions.close(connection, office.tenant_id, here, office.at())
    assert await office.session(here) is None
    assert await office.session(elsewhere) is not None


async def test_who_signed_out_everywhere_has_no_session(office: Any) -> None:
    account, other = await office.add(), await office.add()
    cookies_of = [await office.open(account) for _ in range(3)]
    another = await office.open(other)
    async with office.connection() as connection:
        await sessions.close_all(connection, office.tenant_id, account.account_id, office.at())
    assert [await office.session(cookie) for cookie in cookies_of] == [None] * 3
    assert await office.session(another) is not None


async def test_a_disabled_account_has_no_session_and_gets_none(office: Any) -> None:
    account = await office.add()
    cookie = await office.open(account)
    async with office.connection() as connection:
        await accounts.set_disabled(connection, office.tenant_id, account.account_id, True, office.at())
    assert await office.session(cookie) is None
    await office.refusal(office.open(account))
    async with office.connection() as connection:
        await accounts.set_disabled(connection, office.tenant_id, account.account_id, False, office.at())
    assert await office.session(cookie) is None
    assert await office.check(account.login) == account


async def test_a_sign_in_that_began_before_the_password_changed_gets_no_session(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection:
        await accounts.set_password(connection, office.tenant_id, account, "seven wet clouds", office.at(1))
    await office.refusal(office.open(account))
    assert await office.session(await office.open(account, seconds=1), 1) is not None


async def test_no_session_is_opened_while_the_account_is_being_disabled(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection, connection.transaction():
        await accounts.set_disabled(connection, office.tenant_id, account.account_id, True, office.at())
        opening = asyncio.create_task(office.refusal(office.open(account)))
        await asyncio.sleep(0.1)
        assert not opening.done()
    await opening


async def test_the_old_cookie_is_worth_nothing_after_the_second_factor(office: Any) -> None:
    account = await office.add()
    before = await office.open(account)
    async with office.connection() as connection:
        after = await sessions.renew(connection, office.tenant_id, before, True, office.at())
    assert await office.session(before) is None
    session = await office.session(after)
    assert session is not None
    assert session.second_factor
    assert session.expires == office.at(DAY)


async def test_a_session_that_is_over_is_not_renewed(office: Any) -> None:
    account = await office.add()
    cookie = await office.open(account)
    async with office.connection() as connection:
        for over in (cookie, "unknown", "\ud800"):
            assert await sessions.renew(connection, office.tenant_id, over, True, office.at(IDLE)) is None


async def test_the_database_holds_no_cookie(office: Any) -> None:
    account = await office.add()
    cookie = await office.open(account)
    async with office.connection() as connection:
        row = await connection.fetchrow(
            "select * from account_session where tenant_id = $1 and account_id = $2",
            office.tenant_id,
            account.account_id,
        )
    assert cookie not in repr(dict(row))
    assert cookie.encode() not in row["session_hash"]


async def test_sessions_that_are_over_are_forgotten(office: Any) -> None:
    account = await office.add()
    cookie = await office.open(account)
    async with office.connection() as connection:
        await sessions.purge(connection, office.tenant_id, office.at(IDLE))
    assert await office.session(cookie, 1) is not None
    async with office.connection() as connection:
        await sessions.purge(connection, office.tenant_id, office.at(IDLE + 2))
    assert await office.session(cookie, 2) is None


# What ends with it


async def test_sign_out_ends_what_apps_may_do_only_while_it_lasts(office: Any) -> None:
    account = await office.add()
    here, elsewhere = await office.open(account), await office.open(account)
    online = await allow(office, account, here, "user/*.rs online_access")
    other = await allow(office, account, elsewhere, "user/*.rs online_access")
    offline = await allow(office, account, here, "user/*.rs online_access offline_access")
    neither = await allow(office, account, here, "user/*.rs")
    async with office.connection() as connection:
        await sessions.close(connection, office.tenant_id, here, office.at())
    assert await is_valid(office, online) == (False, False)
    for kept in (other, offline, neither):
        assert await is_valid(office, kept) == (True, True)
    async with office.connection() as connection:
        await sessions.close_all(connection, office.tenant_id, account.account_id, office.at())
    assert await is_valid(office, other) == (False, False)
    assert await is_valid(office, offline) == (True, True)


async def test_a_new_cookie_keeps_what_apps_may_do_while_the_session_lasts(office: Any) -> None:
    account = await office.add()
    before = await office.open(account)
    online = await allow(office, account, before, "user/*.rs online_access")
    async with office.connection() as connection:
        after = await sessions.renew(connection, office.tenant_id, before, True, office.at())
    assert await is_valid(office, online) == (True, True)
    async with office.connection() as connection:
        await sessions.close(connection, office.tenant_id, after, office.at())
    assert await is_valid(office, online) == (False, False)


@pytest.mark.parametrize("end", ["password", "disable"])
async def test_a_new_password_and_a_disabled_account_end_everything_at_once(office: Any, end: str) -> None:
    account, other = await office.add(), await office.add()
    cookie, another = await office.open(account), await office.open(other)
    allowed = [await allow(office, account, cookie, scope) for scope in ("user/*.rs", "user/*.rs offline_access")]
    kept = await allow(office, other, another, "user/*.rs offline_access")
    async with office.connection() as connection:
        if end == "password":
            await accounts.set_password(connection, office.tenant_id, account, "seven wet clouds", office.at())
        else:
            await accounts.set_disabled(connection, office.tenant_id, account.account_id, True, office.at())
    assert await office.session(cookie) is None
    assert [await is_valid(office, one) for one in allowed] == [(False, False)] * 2
    assert await is_valid(office, kept) == (True, True)
    assert await office.session(another) is not None


async def test_other_rights_end_access_tokens_at_once_and_leave_the_apps(office: Any) -> None:
    account = await office.add(fhir_user=await office.resource("Practitioner"), break_glass=True, clearance=("V",))
    cookie = await office.open(account)
    authorization_id, access_token = await allow(office, account, cookie, "user/*.rs offline_access")
    assert await is_valid(office, (authorization_id, access_token)) == (True, True)
    changed = replace(account, break_glass=False, clearance=("SUD",))
    async with office.connection() as connection:
        with pytest.raises(Unprocessable):
            await accounts.set_rights(connection, office.tenant_id, replace(account, clearance=("XX",)), office.at())
        assert await accounts.find(connection, office.tenant_id, account.account_id) == account
        await accounts.set_rights(connection, office.tenant_id, changed, office.at())
        assert await accounts.find(connection, office.tenant_id, account.account_id) == changed
    assert await is_valid(office, (authorization_id, access_token)) == (True, False)
    assert await office.session(cookie) is not None


# Forms and cookies


def test_a_form_of_another_browser_or_server_is_refused() -> None:
    right = sessions.csrf("cookie", SECRET)
    assert sessions.csrf_matches("cookie", SECRET, right)
    for cookie, secret, given in (
        ("another", SECRET, right),
        ("cookie", b"another server", right),
        ("cookie", SECRET, right[:-1]),
        ("cookie", SECRET, right.upper()),
        ("cookie", SECRET, ""),
        ("cookie", SECRET, "é"),
        ("", SECRET, sessions.csrf("", SECRET)),
    ):
        assert not sessions.csrf_matches(cookie, secret, given)


@pytest.mark.parametrize(
    ("origin", "tenant", "header"),
    [
        ("https://h.example", "default", "__Host-hearth-default-session=v; Path=/; HttpOnly; SameSite=Lax; Secure"),
        ("https://h.example", "a", "__Host-hearth-a-session=v; Path=/; HttpOnly; SameSite=Lax; Secure"),
        ("https://h.example/x", "a", "__Secure-hearth-a-session=v; Path=/x/t/a; HttpOnly; SameSite=Lax; Secure"),
        ("http://localhost:80", "default", "hearth-default-session=v; Path=/; HttpOnly; SameSite=Lax"),
        ("http://localhost:80", "a", "hearth-a-session=v; Path=/t/a; HttpOnly; SameSite=Lax"),
    ],
)
def test_each_tenant_has_cookies_of_its_own_that_nobody_else_can_set(origin: str, tenant: str, header: str) -> None:
    cookie = cookies.cookie(Place(origin, tenant), cookies.SESSION)
    assert cookie.set("v") == header
    assert "Max-Age=0" in cookie.clear()
    assert "Max-Age=60" in cookie.set("v", 60)


async def test_each_session_has_a_cookie_of_256_random_bits(office: Any) -> None:
    account = await office.add()
    made = [await office.open(account) for _ in range(5)]
    assert len(set(made)) == 5
    assert all(len(cookie) >= 43 for cookie in made)
