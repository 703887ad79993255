"""The pages by HTTP: what they refuse first, then what they let people do."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest

from api.app import Hearth
from schemas import dates
from service.oauth import clients
from service.oauth.metadata import NewClient
from service.people import accounts
from service.people.accounts import Account, NewAccount

ORIGIN: Final = "http://hearth.test"
CALLBACK: Final = "https://app.example/callback"
PASSWORD: Final = "violet kettle unfolds north"
SCOPE: Final = "openid launch/patient patient/Task.rus patient/Observation.rs offline_access"
PATHS: Final = (
    "/sign-in", "/sign-out", "/second-factor", "/choose-patient", "/consent", "/apps", "/account", "/account/password",
    "/account/second-factor",
)  # fmt: skip
HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


class Person:
    """A browser of its own, which keeps cookies and follows no redirect by itself."""

    def __init__(self, house: Any, **headers: str) -> None:
        self.house = house
        self.issuer = f"{ORIGIN}/t/{house.name}"
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=house.app), timeout=30, headers=headers)
        self.page = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        answer = await self.http.get(path if path.startswith("http") else self.issuer + path, headers=headers)
        return self.kept(answer)

    async def post(self, path: str, form: Mapping[str, Any], csrf: str | None = None) -> httpx.Response:
        """A form of the page that was shown last, with its token unless another one is given."""
        sent = {"csrf": self.field("csrf") if csrf is None else csrf, **form}
        return self.kept(await self.http.post(self.issuer + path, data={k: v for k, v in sent.items() if v != ""}))

    def kept(self, answer: httpx.Response) -> httpx.Response:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (str(answer.url), name)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        if answer.status_code != 303:
            assert "form-action 'self'" in policy
            assert "base-uri 'none'" in policy
            assert "unsafe" not in policy
            assert "<script" not in answer.text
            self.page = answer.text
        return answer

    def field(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        return found[1] if found else ""

    def values(self, name: str) -> list[str]:
        return re.findall(rf'name="{name}" value="([^"]*)"', self.page)

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        while answer.status_code == 303 and answer.headers["location"].startswith(self.issuer):
            answer = await self.get(answer.headers["location"])
        return answer

    async def sign_in(self, account: Account, password: str = PASSWORD, ask: str = "") -> httpx.Response:
        await self.get(f"/sign-in{f'?ask={ask}' if ask else ''}")
        form = {"login": account.login, "password": password, "ask": ask}
        return await self.post("/sign-in", form)


class Clinic:
    """A tenant with an app and people."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.people: list[Person] = []

    def browser(self, **headers: str) -> Person:
        self.people.append(Person(self.house, **headers))
        return self.people[-1]

    def connection(self) -> Any:
        return self.house.app.engine.database.connection(self.house.tenant_id)

    async def put(self, *resources: dict[str, Any]) -> None:
        async with self.house.client(await self.house.token()) as http:
            for each in resources:
                answer = await http.put(f"{each['resourceType']}/{each['id']}", json=each)
                assert answer.status_code in (200, 201), answer.text

    async def account(self, fhir_user: str = "Patient/maya", **more: Any) -> Account:
        kind, _, name = fhir_user.partition("/")
        await self.put({"resourceType": kind, "id": name, "name": [{"family": "Torres", "given": ["Maya"]}]})
        new = {"login": f"{secrets.token_hex(6)}@example.org", "name": "Maya Torres", "password": PASSWORD} | more
        async with self.connection() as connection:
            return await accounts.add(connection, self.house.tenant_id, NewAccount(fhir_user=fhir_user, **new))

    async def app(self, name: str = "Pocket Diary", scope: str = SCOPE) -> str:
        grants = ("authorization_code", "refresh_token")
        async with self.connection() as connection:
            made = await clients.register(
                connection, self.house.tenant_id, NewClient(name, scope, "none", grants, (CALLBACK,))
            )
        return made.client_id

    async def ask(self, person: Person, client_id: str, scope: str = SCOPE, **more: str) -> str:
        """The half of the request's handle that is in addresses; the other one is in the person's browser."""
        params = {
            "response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "scope": scope, "state": "s",
            "aud": self.house.base, "code_challenge": "x" * 43, "code_challenge_method": "S256",
        }  # fmt: skip
        answer = await person.http.get(f"{person.issuer}/oauth/authorize", params=params | more)
        assert answer.status_code == 303, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)["ask"][0]

    async def audit(self) -> str:
        await asyncio.sleep(0.5)
        async with self.house.client(await self.house.token()) as http:
            return (await http.get("AuditEvent", params={"_count": "1000"})).text


@pytest.fixture
async def clinic(house: Any) -> AsyncIterator[Clinic]:
    made = Clinic(house)
    yield made
    for person in made.people:
        await person.http.aclose()


def told(answer: httpx.Response) -> dict[str, str]:
    """What the app is told."""
    assert answer.headers["location"].startswith(CALLBACK), answer.headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


# Refusals


@pytest.mark.parametrize("path", PATHS)
async def test_who_is_not_signed_in_is_shown_nothing_but_the_sign_in(clinic: Clinic, path: str) -> None:
    answer = await clinic.browser().get(path)
    if answer.status_code == 303:
        assert answer.headers["location"] == f"{ORIGIN}/t/{clinic.house.name}/sign-in"
    else:
        assert path in ("/sign-in", "/sign-out")


@pytest.mark.parametrize("path", [*PATHS, "/account/sign-out-everywhere"])
@pytest.mark.parametrize("csrf", ["none", "wrong", "of another browser"])
async def test_a_form_without_its_token_does_nothing(clinic: Clinic, path: str, csrf: str) -> None:
    account, person, other = await clinic.account(), clinic.browser(), clinic.browser()
    await person.sign_in(account)
    await person.get("/account")
    await other.get("/sign-in")
    given = {"none": "", "wrong": "0" * 64, "of another browser": other.field("csrf")}[csrf]
    answer = await person.post(path, {"login": account.login, "password": PASSWORD, "language": "nl"}, given)
    assert answer.status_code == 403
    assert "This page is out of date" in answer.text
    assert (await person.get("/account")).status_code == 200
    assert 'value="en" lang="en" selected' in person.page


async def test_a_sign_in_without_the_visitors_cookie_does_nothing(clinic: Clinic) -> None:
    account, person = await clinic.account(), clinic.browser()
    await person.get("/sign-in")
    person.http.cookies.clear()
    answer = await person.post("/sign-in", {"login": account.login, "password": PASSWORD})
    assert answer.status_code == 403
    assert "session" not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize("fault", ["login", "password"])
async def test_a_wrong_login_or_password_is_told_alike_and_blames_nobody(clinic: Clinic, fault: str) -> None:
    account, person = await clinic.account(), clinic.browser()
    await person.get("/sign-in")
    form = {"login": account.login, "password": PASSWORD} | {fault: "not this at all"}
    answer = await person.post("/sign-in", form)
    assert answer.status_code == 400
    assert "That didn’t match. Please try again." in answer.text
    assert 'role="alert"' in answer.text
    assert PASSWORD not in answer.text
    assert not [each for each in answer.headers.get_list("set-cookie") if "session" in each]


async def test_an_empty_field_is_named_where_it_stands(clinic: Clinic) -> None:
    person = clinic.browser()
    await person.get("/sign-in")
    answer = await person.post("/sign-in", {"login": "somebody"})
    assert answer.status_code == 400
    assert '<a href="#password">Please fill in your password.</a>' in answer.text
    assert 'aria-describedby="password-fault ' in answer.text
    assert 'value="somebody"' in answer.text


async def test_too_many_attempts_have_to_wait_and_are_told_how_long(clinic: Clinic) -> None:
    account, person = await clinic.account(), clinic.browser()
    await person.get("/sign-in")
    for _ in range(5):
        await person.post("/sign-in", {"login": account.login, "password": "wrong"})
    answer = await person.post("/sign-in", {"login": account.login, "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 30
    assert re.search(r"Please try again in \d+ seconds\.", answer.text)


async def test_a_form_that_is_none_too_large_or_of_another_kind_is_refused_on_a_page(clinic: Clinic) -> None:
    person = clinic.browser()
    form = "application/x-www-form-urlencoded"
    for content, kind, status in (
        (b"x" * 70_000, form, 413), (b"{}", "application/json", 415), (b"login=\xff", form, 400), (b"a&" * 5000, form, 400),
    ):  # fmt: skip
        url = f"{person.issuer}/sign-in"
        answer = person.kept(await person.http.post(url, content=content, headers={"Content-Type": kind}))
        assert answer.status_code == status
        assert "This couldn’t be read" in answer.text


async def test_a_tenant_that_is_none_is_a_page_that_says_so(clinic: Clinic) -> None:
    answer = await clinic.browser().get(f"{ORIGIN}/t/nowhere/sign-in")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


@pytest.mark.parametrize("path", ["/sign-in", "/consent", "/choose-patient"])
async def test_a_request_of_an_app_is_nothing_in_another_browser(clinic: Clinic, path: str) -> None:
    account, person, other = await clinic.account(), clinic.browser(), clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    await other.sign_in(account)
    answer = await other.get(f"{path}?ask={ask}")
    assert answer.status_code == 400
    assert "This request has ended" in answer.text
    await person.sign_in(account, ask=ask)
    assert (await person.get(f"/consent?ask={ask}")).status_code == 200


async def test_a_request_that_is_over_or_answered_is_told_on_a_page(clinic: Clinic) -> None:
    account, person = await clinic.account(), clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    await person.follow(await person.sign_in(account, ask=ask))
    form = {"ask": ask, "scope": person.values("scope"), "decision": "allow"}
    assert "code" in told(await person.post("/consent", form))
    again = await person.post("/consent", form)
    assert again.status_code == 400
    assert "This request has ended" in again.text
    late = await clinic.ask(person, await clinic.app())
    async with clinic.connection() as connection:
        await connection.execute(
            "update oauth_request set expires = $2 where tenant_id = $1", clinic.house.tenant_id, dates.clock()
        )
    assert "This request has ended" in (await person.get(f"/consent?ask={late}")).text


async def test_what_an_app_a_person_or_a_login_is_called_is_text_and_nothing_else(clinic: Clinic) -> None:
    evil = '"><img src=x onerror=alert(1)>{{7*7}}{csrf}'
    account = await clinic.account(name=evil)
    person, client_id = clinic.browser(), await clinic.app()
    async with clinic.connection() as connection:
        statement = "update oauth_client set name = $3 where tenant_id = $1 and client_id = $2"
        await connection.execute(statement, clinic.house.tenant_id, client_id, evil)
    ask = await clinic.ask(person, client_id, login_hint=evil)
    pages = [(await person.get(f"/sign-in?ask={ask}")).text]
    pages.append((await person.post("/sign-in", {"login": evil, "password": "x", "ask": ask})).text)
    pages.append((await person.follow(await person.sign_in(account, ask=ask))).text)
    await person.post("/consent", {"ask": ask, "scope": person.values("scope"), "decision": "allow"})
    pages += [(await person.get(path)).text for path in ("/apps", "/account", "/sign-out")]
    for page in pages:
        assert "<img" not in page
    for page in pages[:5]:
        assert "&gt;&lt;img src=x" in page
        assert "{{7*7}}{csrf}" in page


@pytest.mark.parametrize("ask", ["%22%3E%3Cb%3E", "https://evil.example", "a" * 101, "%00", "~"])
async def test_an_ask_that_is_none_is_let_go(clinic: Clinic, ask: str) -> None:
    answer = await clinic.browser().get(f"/sign-in?ask={ask}")
    assert answer.status_code == 200
    assert "ask" not in clinic.people[-1].values("ask")
    assert "evil" not in answer.text
    assert "<b>" not in answer.text


async def test_another_persons_app_cannot_be_ended(clinic: Clinic) -> None:
    maya, sam = await clinic.account(), await clinic.account("Patient/sam")
    person, other = clinic.browser(), clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    await person.follow(await person.sign_in(maya, ask=ask))
    await person.post("/consent", {"ask": ask, "scope": person.values("scope"), "decision": "allow"})
    await person.get("/apps")
    (given,) = person.values("authorization")
    await other.sign_in(sam)
    await other.get("/apps?whose=all")
    assert "Pocket Diary" not in other.page
    answer = await other.post("/apps", {"authorization": given, "whose": "all"})
    assert "had no access any more" in (await other.follow(answer)).text
    assert person.values("authorization") == [given]
    await person.get("/apps")
    assert person.values("authorization") == [given]
    assert (await other.post("/apps", {"authorization": "x"})).status_code == 400


async def test_a_patient_whom_one_may_not_see_cannot_be_chosen(clinic: Clinic) -> None:
    await clinic.put({"resourceType": "Patient", "id": "other", "name": [{"family": "Unseen"}]})
    account = await clinic.account("Practitioner/lee")
    async with clinic.connection() as connection:
        await connection.execute(
            "update tenant set practitioner_access = 'care-team' where id = $1", clinic.house.tenant_id
        )
    person = clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    answer = await enrolled(clinic, person, account, ask)
    assert "nobody here yet whose record you may see" in answer.text
    assert "Unseen" not in answer.text
    answer = await person.post("/choose-patient", {"ask": ask, "patient": "other", "decision": "choose"})
    assert answer.status_code == 400
    assert "This record can’t be opened" in answer.text
    await person.get(f"/choose-patient?ask={ask}")
    assert told(await person.post("/choose-patient", {"ask": ask, "decision": "deny"}))["error"] == "access_denied"


# What they are for


async def enrolled(clinic: Clinic, person: Person, account: Account, ask: str = "") -> httpx.Response:
    """The page after somebody signed in and set up a second factor."""
    await person.follow(await person.sign_in(account, ask=ask))
    return await set_up(person, ask)


async def set_up(person: Person, ask: str = "") -> httpx.Response:
    """The page after somebody who is signed in set up a second factor."""
    await person.get("/account/second-factor")
    await person.post("/account/second-factor", {"ask": ask, "decision": "begin"})
    key = re.search(r'class="key"><code>([A-Z2-7 ]+)</code>', person.page)
    assert key is not None
    wrong = await person.post("/account/second-factor", {"ask": ask, "decision": "confirm", "code": "000000"})
    assert wrong.status_code == 400
    code = pyotp.TOTP(key[1].replace(" ", "")).now()
    done = await person.post("/account/second-factor", {"ask": ask, "decision": "confirm", "code": code})
    assert len(re.findall(r"<code>[a-z2-7-]{19}</code>", done.text)) == 10
    return await person.follow(await person.get(f"/sign-in{f'?ask={ask}' if ask else ''}"))


async def test_a_person_allows_less_than_an_app_asks_for(clinic: Clinic) -> None:
    account, person = await clinic.account(), clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    page = await person.follow(await person.sign_in(account, ask=ask))
    assert "Connect Pocket Diary?" in page.text
    assert "form-action 'self' https:" in page.headers["content-security-policy"]
    assert person.values("scope") == [
        "openid", "launch/patient", "patient/Task.rs", "patient/Observation.rs", "patient/Task.u", "offline_access"
    ]  # fmt: skip
    nothing = await person.post("/consent", {"ask": ask, "scope": ["openid"], "decision": "allow"})
    assert nothing.status_code == 400
    assert "tick at least one thing" in nothing.text
    end = await person.post(
        "/consent", {"ask": ask, "scope": ["patient/Task.rs", "system/*.cruds"], "decision": "allow"}
    )
    assert set(told(end)) == {"code", "state", "iss"}
    async with clinic.connection() as connection:
        statement = "select scope from oauth_authorization where tenant_id = $1"
        assert await connection.fetchval(statement, clinic.house.tenant_id) == "openid launch/patient patient/Task.rs"


async def test_a_person_declines(clinic: Clinic) -> None:
    account, person = await clinic.account(), clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    await person.follow(await person.sign_in(account, ask=ask))
    assert (await person.post("/consent", {"ask": ask, "decision": "perhaps"})).status_code == 400
    await person.get(f"/consent?ask={ask}")
    assert told(await person.post("/consent", {"ask": ask, "decision": "deny"}))["error"] == "access_denied"
    events = await clinic.audit()
    assert '"consent-denied"' in events
    assert '"sign-in"' in events
    assert account.login not in events
    assert PASSWORD not in events


async def test_the_session_is_a_new_one_after_each_step(clinic: Clinic) -> None:
    account, person = await clinic.account("Practitioner/lee"), clinic.browser()
    name = f"hearth-{clinic.house.name}-session"
    person.http.cookies.set(
        name, "planted-by-somebody-else-0123456789abcdefgh", domain="hearth.test", path=f"/t/{clinic.house.name}"
    )
    await person.sign_in(account)
    first = person.http.cookies[name]
    assert not first.startswith("planted")
    await set_up(person)
    assert person.http.cookies[name] not in (first, "")
    other = clinic.browser()
    other.http.cookies.set(name, first)
    assert (await other.get("/apps")).status_code == 303


async def test_an_administrator_ends_what_somebody_else_allowed(clinic: Clinic) -> None:
    maya, admin = await clinic.account(), await clinic.account("Patient/sam", is_admin=True, name="Sam Okafor")
    person, other = clinic.browser(), clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    await person.follow(await person.sign_in(maya, ask=ask))
    await person.post("/consent", {"ask": ask, "scope": person.values("scope"), "decision": "allow"})
    await other.sign_in(admin)
    await other.get("/apps?whose=all")
    assert "Maya Torres" in other.page
    (given,) = other.values("authorization")
    answer = await other.post("/apps", {"authorization": given, "whose": "all"})
    assert "this app has no access any more" in (await other.follow(answer)).text
    await person.get("/apps")
    assert person.values("authorization") == []
    assert '"authorization-revoked"' in await clinic.audit()


async def test_a_first_password_has_to_be_replaced_before_anything_else(clinic: Clinic) -> None:
    account = await clinic.account(password_until=dates.clock() + accounts.ONCE_LASTS)
    person = clinic.browser()
    ask = await clinic.ask(person, await clinic.app())
    page = await person.follow(await person.sign_in(account, ask=ask))
    assert "Choose your own password" in page.text
    assert (await person.get("/apps")).headers["location"].endswith("/sign-in")
    await person.get(f"/account/password?ask={ask}")
    new = "amber lantern over quiet harbours"
    for form, said in (
        ({"new_password": "short", "again": "short"}, "Please choose a longer one"),
        ({"new_password": new, "again": "another"}, "The two are not alike"),
        ({"new_password": PASSWORD, "again": PASSWORD}, "the password you have now"),
        ({}, "Please fill in a new password"),
        ({"new_password": new, "again": new, "password": "wrong"}, "That didn’t match"),
    ):
        answer = await person.post("/account/password", {"ask": ask, "password": PASSWORD} | form)
        assert answer.status_code == 400
        assert said in answer.text
    answer = await person.post(
        "/account/password", {"ask": ask, "password": PASSWORD, "new_password": new, "again": new}
    )
    assert "Connect Pocket Diary?" in (await person.follow(answer)).text


async def test_signing_out_ends_the_session_here_or_everywhere(clinic: Clinic) -> None:
    account, here, there = await clinic.account(), clinic.browser(), clinic.browser()
    for person in (here, there):
        await person.sign_in(account)
        await person.get("/account")
    assert "You are signed out" in (await here.follow(await here.post("/sign-out", {}))).text
    assert (await there.get("/account")).status_code == 200
    await here.sign_in(account)
    await here.get("/account")
    assert "You are signed out" in (await here.follow(await here.post("/account/sign-out-everywhere", {}))).text
    assert (await there.get("/account")).status_code == 303


async def test_the_second_factor_is_asked_for_and_can_be_changed_by_who_shows_a_code(clinic: Clinic) -> None:
    account, person = await clinic.account(), clinic.browser()
    await person.sign_in(account)
    await set_up(person)
    other = clinic.browser()
    assert "One more step" in (await other.follow(await other.sign_in(account))).text
    assert (await other.get("/apps")).headers["location"].endswith("/sign-in")
    assert (await other.get("/account/second-factor")).headers["location"].endswith("/sign-in")
    await other.get("/second-factor")
    assert "Please fill in the code" in (await other.post("/second-factor", {})).text
    assert (await other.post("/second-factor", {"code": "123"})).status_code == 400
    await person.get("/account/second-factor")
    assert (await person.post("/account/second-factor", {"decision": "remove", "code": "12"})).status_code == 400
    assert (await person.post("/account/second-factor", {"decision": "begin"})).status_code == 400


# Languages


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("es-MX, en;q=0.5", "es", "Iniciar sesión"), ("fr, de;q=0.8", "de", "Anmelden"), ("nl", "nl", "Inloggen"),
        ("fr", "en", "Sign in"),
    ],
)  # fmt: skip
async def test_a_page_is_in_the_browsers_language(clinic: Clinic, accepted: str, language: str, title: str) -> None:
    answer = await clinic.browser(**{"Accept-Language": accepted}).get("/sign-in")
    assert f'<html lang="{language}">' in answer.text
    assert f"<h1>{title}</h1>" in answer.text
    assert answer.headers["content-language"] == language


async def test_the_accounts_language_comes_before_the_browsers_and_a_link_before_both(clinic: Clinic) -> None:
    account = await clinic.account(language="de")
    person = clinic.browser(**{"Accept-Language": "es"})
    await person.sign_in(account)
    assert "<h1>Ihr Konto</h1>" in (await person.get("/account")).text
    assert "<h1>Uw account</h1>" in (await person.get("/account?lang=nl")).text
    assert "<h1>Verbonden apps</h1>" in (await person.get("/apps")).text
    await person.get("/account")
    assert (await person.post("/account", {"language": "fr"})).status_code == 400
    await person.get("/account")
    answer = await person.follow(await person.post("/account", {"language": "es"}))
    assert "<h1>Su cuenta</h1>" in answer.text


async def test_the_stylesheet_is_kept_for_good_at_an_address_of_its_version(clinic: Clinic, hearth: Hearth) -> None:
    person = clinic.browser()
    await person.get("/sign-in")
    found = re.search(r'rel="stylesheet" href="([^"]+)"', person.page)
    assert found is not None
    answer = await person.http.get(found[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert b"url(" not in answer.content
    assert (await person.http.get(f"{ORIGIN}/pages/old.css")).status_code == 404
