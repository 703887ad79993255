"""What an attacker tries. https://www.rfc-editor.org/rfc/rfc9700"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"
REGISTERED = "https://app.example/done"


@pytest.mark.parametrize(
    "tried",
    [
        "https://app.example/done/", "https://app.example/done/more", "https://app.example/done?x=1",
        "https://app.example/done#x", "https://app.example/done%20", "https://app.example/done ",
        "https://app.example/Done", "https://APP.example/done", "HTTPS://app.example/done", "http://app.example/done",
        "https://app.example.evil.example/done", "https://evil.example/done", "https://app.example@evil.example/done",
        "https://app.example:443@evil.example/done", "https://evil.example/https://app.example/done",
        "https://evil.example?https://app.example/done", "https://evil.example#https://app.example/done",
        "https://app.example:443/done", "https://app.example:8443/done", "https://app.example./done",
        "https://app.example/x/../done", "https://app.example/./done", "https://app.example//done",
        "https://app.example/%64one", "https://app.example%2fdone", "https://app.example\\done",
        "https:\\\\app.example\\done", "https:/app.example/done", "https:app.example/done", "//app.example/done",
        "/done", "done", "", "javascript:alert(1)//https://app.example/done", "data:text/html,https://app.example/done",
        "https://app.example/done\r\nSet-Cookie: a=b", "https://app.example/done\0", "https://app.example\t/done",
        "https://app.example/done\n", "https://xn--pp-via.example/done", "https://аpp.example/done",
        "https://evil.example\\@app.example/done", "https://evil.example%23@app.example/done",
        "https://user:pass@app.example/done", "urn:ietf:wg:oauth:2.0:oob", "null", "*",
    ],
)  # fmt: skip
@smart("RFC9700-2.1", "request-redirect-uri", "RFC6749-4.1.2.1", "18")
async def test_an_address_that_is_nearly_the_registered_one_is_refused_on_a_page(
    clinic: Any, new_pkce: Any, tried: str
) -> None:
    app = await clinic.app(redirect_uris=(REGISTERED,))
    for changed in ({}, {"state": None}, {"response_type": "token"}, {"prompt": "none"}):
        answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], redirect_uri=tried, **changed))
        assert answer.status_code == 400
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers or "a=b" not in answer.headers["set-cookie"]
        assert "evil.example" not in answer.text
        assert "refresh" not in answer.headers


@smart("RFC9700-2.1")
async def test_a_native_app_may_use_another_port_of_its_loopback_address_and_nothing_else(
    clinic: Any, new_pkce: Any, landed: Any
) -> None:
    app = await clinic.app(redirect_uris=("http://127.0.0.1/done",))
    allowed = "http://127.0.0.1:51234/done"
    end = await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], redirect_uri=allowed)
    assert end.location == allowed
    for tried in (
        "http://127.0.0.1:51234/other", "http://127.0.0.1:51234/done?x", "http://127.0.0.1:1@evil.example/done",
        "http://127.0.0.1.evil.example:1/done", "http://localhost:51234/done", "https://127.0.0.1:51234/done",
        "http://127.0.0.1:99999/done", "http://127.0.0.1:/done#x", "http://127.1:80/done", "http://[::1]:5/done",
    ):  # fmt: skip
        answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], redirect_uri=tried))
        assert (answer.status_code, "location" in answer.headers) == (400, False), tried


@pytest.mark.parametrize(
    "page", ["sign-in", "sign-out", "second-factor", "consent", "choose-patient", "apps", "account"]
)
@smart("RFC9700-2.1")
async def test_no_page_sends_the_browser_where_its_address_says(clinic: Any, page: str) -> None:
    target = "https://evil.example/"
    names = (
        "next",
        "return",
        "return_to",
        "redirect",
        "redirect_uri",
        "url",
        "continue",
        "ask",
        "post_logout_redirect_uri",
    )
    query = httpx.QueryParams(dict.fromkeys(names, target))
    for address in (f"{page}?{query}", f"{page}/{target}", f"{page}//evil.example"):
        answer = await clinic.browser().open(f"{clinic.issuer}/{address}")
        assert "evil.example" not in answer.headers.get("location", "").partition("?")[0], address
        assert not answer.headers.get("location", "").startswith(("//", "\\")), address
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert "evil.example" not in answer.text, address


@smart("RFC9700-4.3.2")
async def test_a_token_in_the_address_or_in_a_form_is_not_taken(clinic: Any) -> None:
    machine = await clinic.machine(auth="client_secret_basic")
    token = (await clinic.machine_token(machine)).json()["access_token"]
    async with clinic.http() as http:
        assert (await http.get(f"Patient/pat?access_token={token}")).status_code in (400, 401)
        assert (await http.get(f"Patient?access_token={token}")).status_code in (400, 401)
        answer = await http.post("Patient/_search", data={"access_token": token})
        assert answer.status_code in (400, 401)
        assert (await http.get("Patient/pat", headers={"Cookie": f"access_token={token}"})).status_code == 401
    async with clinic.http(token) as http:
        answer = await http.get(f"Patient/pat?access_token={token}")
        assert token not in answer.text


@smart("secrecy", "RFC9700-4.2.4")
async def test_credentials_in_the_address_of_the_token_endpoint_are_not_taken(clinic: Any) -> None:
    machine = await clinic.machine(auth="client_secret_post")
    query = {"client_id": machine.client_id, "client_secret": machine.secret}
    async with clinic.http() as http:
        answer = await http.post(clinic.url("token"), params=query, data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@smart("RFC9700-4.16", "RFC9700-4.2.4", "session")
async def test_pages_cannot_be_framed_cached_or_leak_their_address(clinic: Any, new_pkce: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], browser=browser)
    bad = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], redirect_uri="x"))
    apps = await browser.follow(await browser.open(f"{clinic.issuer}/apps"))
    pages = [
        each for each in (*browser.seen, bad, apps) if each.headers.get("content-type", "").startswith("text/html")
    ]
    assert len(pages) >= 4
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy or "default-src 'self'" in policy
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy
        assert page.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "no-store" in page.headers["cache-control"]
        for text in ("http://", "https://"):  # no resource of a third party
            for part in page.text.split(f'src="{text}')[1:] + page.text.split(f'<link href="{text}')[1:]:
                assert part.startswith("hearth.test"), part[:80]
    for hop in browser.seen:
        assert "code=" not in str(hop.url)
        assert hop.headers.get("referrer-policy", "no-referrer") in ("no-referrer", "same-origin")


@smart("RFC9700-4.12")
async def test_a_form_is_answered_by_303_and_never_sends_the_password_on(clinic: Any, new_pkce: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], "POST", browser)
    posted = [each for each in browser.seen if each.request.method == "POST"]
    assert len(posted) >= 3
    for each in posted:
        assert each.status_code == 303, each.url


@smart("session")
async def test_cookies_are_for_this_server_alone_and_out_of_reach_of_scripts(clinic: Any, new_pkce: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], browser=browser)
    cookies = [line for each in browser.seen for line in each.headers.get_list("set-cookie")]
    assert cookies
    for line in cookies:
        parts = {part.strip().partition("=")[0].lower() for part in line.split(";")}
        assert "httponly" in parts, line
        assert "samesite=lax" in line.lower() or "samesite=strict" in line.lower(), line
        assert "domain" not in parts, line
        assert clinic.people["patient"].password not in line


@smart("session")
async def test_the_session_changes_at_sign_in(clinic: Any, new_pkce: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    planted = {"hearth-session": "planted", "hearth-browser": "planted"}
    browser.http.cookies.update(planted)
    await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], browser=browser)
    values = [
        line.partition(";")[0].partition("=")[2]
        for each in browser.seen
        for line in each.headers.get_list("set-cookie")
    ]
    assert "planted" not in values
    assert all(len(value) >= 22 or not value for value in values)


@pytest.mark.parametrize("until", ["password", "decision"])
@smart("session")
async def test_a_form_of_another_site_is_refused(clinic: Any, new_pkce: Any, forms: Any, until: str) -> None:
    app, browser = await clinic.app(), clinic.browser()
    person = clinic.people["patient"]
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser)
    page = await browser.walk(answer, person, until=until)
    form = forms(page.text).having(until)
    mine = {"login": person.login, "password": person.password, "decision": "allow"}
    names = ("login", "password") if until == "password" else ("decision",)
    good = [*form.sent(*names, "csrf", "scope"), *((name, mine[name]) for name in names)]
    good += [("scope", scope) for scope in form.values("scope")]
    for csrf in ([], [("csrf", "")], [("csrf", "x" * 43)]):
        forged = await browser.submit(page, form, [*good, *csrf])
        assert 400 <= forged.status_code < 500, (until, csrf)
        assert "location" not in forged.headers
    other = clinic.browser()
    page_of_other = await other.walk(
        await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", other), person, until=until
    )
    foreign = forms(page_of_other.text).having(until).values("csrf")
    forged = await browser.submit(page, form, [*good, ("csrf", foreign[0])])
    assert 400 <= forged.status_code < 500


@smart("session", "RFC9700-4.2.4")
async def test_a_request_under_way_belongs_to_the_browser_that_began_it(clinic: Any, new_pkce: Any, forms: Any) -> None:
    app, browser, thief = await clinic.app(), clinic.browser(), clinic.browser()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser)
    page = await browser.walk(answer, clinic.people["patient"], until="decision")
    stolen = await thief.open(str(page.url))
    assert not stolen.is_redirect or stolen.headers["location"].partition("?")[0].endswith("/sign-in")
    assert "Marlow" not in stolen.text
    form = forms(page.text).having("decision")
    end = await thief.submit(page, form, [*form.sent("decision"), ("decision", "allow")])
    assert not end.headers.get("location", "").startswith(app.redirect_uri)
    # Signed in as somebody else it is still not theirs.
    other = clinic.browser()
    await clinic.land(app, clinic.people["practitioner"], "openid user/*.rs", new_pkce()[1], browser=other)
    end = await other.submit(page, form, [*form.sent("decision"), ("decision", "allow")])
    assert not end.headers.get("location", "").startswith(app.redirect_uri)


@smart("session", "RFC6749-4.1.2")
async def test_a_consent_is_given_once(clinic: Any, new_pkce: Any, forms: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser)
    page = await browser.walk(answer, clinic.people["patient"], until="decision")
    form = forms(page.text).having("decision")
    pairs = [
        *form.sent("decision", "scope"),
        *(("scope", each) for each in form.values("scope")),
        ("decision", "allow"),
    ]
    first = await browser.submit(page, form, pairs)
    assert "code=" in first.headers["location"]
    again = await browser.submit(page, form, pairs)
    assert "code=" not in again.headers.get("location", "")


@smart("session", "RFC6749-4.1.2")
async def test_of_ten_consents_to_one_request_at_once_exactly_one_gives_a_code(
    clinic: Any, new_pkce: Any, forms: Any
) -> None:
    app, browser = await clinic.app(), clinic.browser()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser)
    page = await browser.walk(answer, clinic.people["patient"], until="decision")
    form = forms(page.text).having("decision")
    pairs = [
        *form.sent("decision", "scope"),
        *(("scope", each) for each in form.values("scope")),
        ("decision", "allow"),
    ]
    answers = await asyncio.gather(*(browser.submit(page, form, pairs) for _ in range(10)))
    assert sum("code=" in each.headers.get("location", "") for each in answers) == 1
    assert all(each.status_code < 500 for each in answers)


@smart("session", "RFC9700-4.16")
async def test_what_an_app_or_a_record_is_called_is_text_on_a_page_and_nothing_else(
    lone: Any, new_pkce: Any, forms: Any
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    async with lone.house.client(await lone.house.token()) as http:
        named = {"resourceType": "Patient", "id": "pat", "name": [{"family": evil, "given": ['"><script>x</script>']}]}
        assert (await http.put("Patient/pat", json=named)).status_code == 200
    made = await lone.app()
    async with lone.connection() as connection:
        await connection.execute(
            "update oauth_client set name = $3 where tenant_id = $1 and client_id = $2",
            lone.house.tenant_id, made.client_id, evil,
        )  # fmt: skip
    browser = lone.browser()
    params = lone.request(made, "launch/patient patient/*.rs", new_pkce()[1], state=evil, login_hint='"><b>')
    page = await browser.walk(
        await lone.ask(params, "GET", browser), lone.people["practitioner"], patient="pat", until="decision"
    )
    assert forms(page.text).having("decision")
    for shown in [*browser.seen, await lone.ask(params | {"redirect_uri": evil, "client_id": evil})]:
        for text in ("<img src=x", "<script>x", '"><b>'):
            assert text not in shown.text


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"])
@smart("RFC9700-2.1", "378")
async def test_addresses_are_those_of_the_settings_whatever_a_request_says(
    clinic: Any, new_pkce: Any, name: str
) -> None:
    app = await clinic.app()
    value = "host=evil.example;proto=https" if name == "Forwarded" else "evil.example"
    async with clinic.http() as http:
        for path in (
            f"{clinic.fhir}/.well-known/smart-configuration",
            f"{clinic.issuer}/.well-known/openid-configuration",
        ):
            answer = await http.get(path, headers={name: value})
            assert "evil.example" not in answer.text
        params = clinic.request(app, SCOPE, new_pkce()[1])
        answer = await http.get(clinic.url("authorize"), params=params, headers={name: value})
    assert "evil.example" not in str(answer.headers)


@smart("session")
async def test_the_steps_cannot_be_skipped(clinic: Any, new_pkce: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser)
    handle = answer.headers["location"].partition("ask=")[2].partition("&")[0]
    for step in ("consent", "choose-patient"):
        shown = await browser.open(f"{clinic.issuer}/{step}?ask={handle}")
        assert "decision" not in shown.text
        sent = await browser.open(f"{clinic.issuer}/{step}?ask={handle}", [("ask", handle), ("decision", "allow")])
        assert not sent.headers.get("location", "").startswith(app.redirect_uri)


@smart("session")
async def test_wrong_password_and_unknown_login_are_told_alike(clinic: Any, new_pkce: Any, forms: Any) -> None:
    app, texts = await clinic.app(), []
    known = clinic.people["stranger"].login
    for login in (known, "nobody-at-all@example.org"):
        browser = clinic.browser()
        page = await browser.follow(await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser))
        form = forms(page.text).having("login", "password")
        pairs = [*form.sent("login", "password"), ("login", login), ("password", "not the right one at all")]
        answer = await browser.submit(page, form, pairs)
        assert answer.status_code in (200, 400, 401, 403, 422)
        assert not answer.headers.get("location", "").startswith(app.redirect_uri)
        text = answer.text.replace(login, "LOGIN")
        for name in ("csrf", "ask"):
            for value in (value for each in forms(answer.text).found for value in each.values(name)):
                text = text.replace(value, name)
        texts.append((answer.status_code, text))
    assert texts[0] == texts[1]


@smart("isolation")
async def test_nothing_of_one_tenant_is_good_in_another(clinic: Any, lone: Any, new_pkce: Any, forms: Any) -> None:
    app = await clinic.app()
    basic = await clinic.app(auth="client_secret_basic")
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    told = await clinic.connect(app, clinic.people["patient"], SCOPE)
    # client, code, refresh token, access token
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect_uri,
        "code_verifier": verifier,
    }
    assert (await lone.post("token", form, app)).json()["error"] == "invalid_client"
    twin = await lone.app(redirect_uris=(app.redirect_uri,))
    assert (await lone.post("token", form, twin)).json()["error"] == "invalid_grant"
    assert (await lone.refresh(twin, told["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await lone.refresh(None, told["refresh_token"])).status_code in (400, 401)
    assert (await lone.read(told["access_token"], "Patient/pat")).status_code == 401
    assert (await lone.post("revoke", {"token": told["access_token"]}, twin)).status_code == 200
    assert (await clinic.read(told["access_token"], "Patient/pat")).status_code == 200
    assert (await lone.post("token", {"grant_type": "client_credentials"}, basic)).json()["error"] == "invalid_client"
    # an assertion for the one token endpoint at the other
    machine = await clinic.machine()
    assertion = {
        "grant_type": "client_credentials", "client_assertion": clinic.assertion(machine),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }  # fmt: skip
    assert (await lone.post("token", assertion)).json()["error"] == "invalid_client"
    # an authorization request of the one tenant's client, a launch, a pushed request
    assert (await lone.ask(lone.request(app, SCOPE, new_pkce()[1]))).status_code == 400
    launch = await clinic.launch(patient="pat")
    params = lone.request(twin, "launch patient/*.rs", new_pkce()[1], launch=launch)
    assert "invalid_request" in (await lone.ask(params)).headers["location"]
    pushed = (await clinic.post("par", clinic.request(basic, SCOPE, new_pkce()[1]), basic)).json()["request_uri"]
    there = await lone.app(auth="client_secret_basic", redirect_uris=(basic.redirect_uri,))
    answer = await lone.ask({"client_id": there.client_id, "request_uri": pushed})
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@smart("isolation", "session")
async def test_a_session_or_request_of_one_tenant_is_nothing_in_another(
    clinic: Any, lone: Any, new_pkce: Any, forms: Any
) -> None:
    browser = clinic.browser()
    await clinic.land(await clinic.app(), clinic.people["patient"], SCOPE, new_pkce()[1], browser=browser)
    for page in ("apps", "account"):
        answer = await browser.open(f"{lone.issuer}/{page}")
        assert answer.is_redirect or 400 <= answer.status_code < 500 or forms(answer.text).having("login", "password")
        assert "Robin Ashdown" not in answer.text
    asked = await clinic.ask(clinic.request(await clinic.app(), SCOPE, new_pkce()[1]), "GET", browser)
    handle = asked.headers["location"].partition("ask=")[2]
    answer = await browser.open(f"{lone.issuer}/sign-in?ask={handle}")
    shown = forms(answer.text).having("login", "password")
    if shown is not None and answer.status_code == 200:
        person = lone.people["patient"]
        pairs = [*shown.sent("login", "password"), ("login", person.login), ("password", person.password)]
        end = await browser.submit(answer, shown, pairs)
        assert "code=" not in end.headers.get("location", "")


@pytest.mark.parametrize("name", ["token", "revoke", "introspect", "par"])
@smart("size", "RFC6749-3.2")
async def test_a_body_beyond_a_sensible_size_is_refused(clinic: Any, name: str) -> None:
    app = await clinic.app(auth="client_secret_basic")
    answer = await clinic.post(name, {"grant_type": "client_credentials", "token": "x" * 200_000}, app)
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < 1000


@pytest.mark.parametrize("name", ["launch", "register"])
@smart("size")
async def test_a_document_beyond_a_sensible_size_is_refused(clinic: Any, name: str) -> None:
    async with clinic.http(await clinic.invitation()) as http:
        for body in ({"client_name": "x" * 200_000, "intent": "x" * 200_000}, [[]] * 50_000):
            answer = await http.post(clinic.url(name), json=body)
            assert 400 <= answer.status_code < 500
        nested = await http.post(clinic.url(name), content=b"[" * 60_000, headers={"Content-Type": "application/json"})
        assert 400 <= nested.status_code < 500


@pytest.mark.parametrize("page", ["authorize", "sign-in", "consent", "choose-patient", "second-factor"])
@smart("size")
async def test_a_form_of_a_page_beyond_a_sensible_size_is_refused(clinic: Any, page: str) -> None:
    url = clinic.url("authorize") if page == "authorize" else f"{clinic.issuer}/{page}"
    answer = await clinic.browser().open(url, [("login", "x" * 300_000), ("scope", "y" * 300_000)])
    assert 400 <= answer.status_code < 500
    many = await clinic.browser().open(url, [(f"p{n}", "1") for n in range(5000)])
    assert 400 <= many.status_code < 500


@smart("size")
async def test_a_very_long_parameter_is_refused(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    for name in ("scope", "state", "nonce", "launch", "login_hint", "code_challenge"):
        params = clinic.request(app, SCOPE, new_pkce()[1]) | {name: "x" * 20_000}
        end = landed(await clinic.ask(params, "POST"))
        assert "error" in end.told
        assert len(str(end.told)) < 2000


@pytest.mark.parametrize(
    "form",
    [b"%", b"grant_type=%ff%fe", b"\xff\xfe", b"grant_type=client_credentials&grant_type", b"=&=&=", b"a" * 5000, b"&" * 5000],
)  # fmt: skip
@smart("size", "RFC6749-3.2", "251")
async def test_a_form_that_is_none_is_an_error_of_oauth(clinic: Any, form: bytes) -> None:
    async with clinic.http() as http:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for name in ("token", "revoke", "introspect", "par"):
            answer = await http.post(clinic.url(name), content=form, headers=headers)
            assert answer.status_code in (400, 401), name
            assert answer.json()["error"] in ("invalid_request", "invalid_client", "unsupported_grant_type")


@smart("RFC9700-4.15")
async def test_a_client_id_cannot_be_taken_for_a_person(clinic: Any) -> None:
    app = await clinic.app()
    assert len(app.client_id) >= 16
    assert clinic.people["patient"].login != app.client_id
    assert str(clinic.people["patient"].account_id) != app.client_id


@smart("rate")
async def test_who_asks_too_often_gets_429_and_when_to_come_again(clinic: Any, new_pkce: Any, monkeypatch: Any) -> None:
    limits = clinic.house.app.engine.limits
    monkeypatch.setattr(limits, "_a_minute", dict.fromkeys(limits._a_minute, 3))
    here = replace(clinic, address="203.0.113.77")
    app = await here.app()
    requests: dict[str, Callable[[], Any]] = {
        "token": lambda: here.refresh(app, "made-up"),
        "authorize": lambda: here.ask(here.request(app, SCOPE, new_pkce()[1])),
        "introspect": lambda: here.post("introspect", {"token": "x"}, app),
    }
    for name, request in requests.items():
        statuses = []
        for _ in range(5):
            answer = await request()
            statuses.append(answer.status_code)
        assert statuses[-1] == 429, (name, statuses)
        assert int(answer.headers["retry-after"]) >= 1


@smart("rate", "session")
async def test_guessing_a_password_is_slowed_down(lone: Any, new_pkce: Any, forms: Any) -> None:
    app, person = await lone.app(), lone.people["patient"]
    statuses = []
    for _ in range(12):
        browser = lone.browser()  # of another address each time
        page = await browser.follow(await lone.ask(lone.request(app, SCOPE, new_pkce()[1]), "GET", browser))
        form = forms(page.text).having("login", "password")
        pairs = [*form.sent("login", "password"), ("login", person.login), ("password", "wrong, wrong, wrong, wrong")]
        answer = await browser.submit(page, form, pairs)
        statuses.append(answer.status_code)
    # Even the right password is refused for a while then.
    browser = lone.browser()
    page = await browser.follow(await lone.ask(lone.request(app, SCOPE, new_pkce()[1]), "GET", browser))
    form = forms(page.text).having("login", "password")
    pairs = [*form.sent("login", "password"), ("login", person.login), ("password", person.password)]
    answer = await browser.submit(page, form, pairs)
    assert not answer.is_redirect
    assert forms(answer.text).having("decision") is None


@smart("secrecy")
async def test_no_secret_is_stored_logged_audited_or_repeated(
    lone: Any, new_pkce: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for client in ("httpx", "httpcore"):  # the test's own
        caplog.set_level(logging.CRITICAL, client)
    person = lone.people["patient"]
    secrets, answers = {"password": person.password}, []
    for auth in ("none", "client_secret_basic", "private_key_jwt"):
        app, browser = await lone.app(auth=auth), lone.browser()
        verifier, challenge = new_pkce()
        landed = await lone.land(app, person, SCOPE, challenge, browser=browser)
        answers += browser.seen
        told = (await lone.redeem(app, landed.told["code"], verifier)).json()
        renewed = (await lone.refresh(app, told["refresh_token"])).json()
        answers.append(await lone.redeem(app, landed.told["code"], verifier))
        answers.append(await lone.redeem(app, landed.told["code"] + "x", verifier + "x"))
        answers.append(await lone.refresh(app, told["refresh_token"] + "x"))
        answers.append(await lone.post("introspect", {"token": told["access_token"]}, app))
        answers.append(await lone.post("revoke", {"token": renewed["access_token"]}, app))
        secrets |= {
            f"{auth} {name}": value
            for name, value in {
                "secret": app.secret, "verifier": verifier, "code": landed.told["code"], "access": told["access_token"],
                "refresh": told["refresh_token"], "id_token": told["id_token"], "renewed": renewed["access_token"],
                "cookies": next(iter(browser.http.cookies.values())),
            }.items()
            if value
        }  # fmt: skip
        for name, value in browser.http.cookies.items():
            secrets[f"{auth} cookie {name}"] = value
    machine = await lone.machine()
    assertion = lone.assertion(machine)
    secrets["assertion"] = assertion
    answers.append(await lone.post("token", {"client_assertion": assertion, "grant_type": "client_credentials"}))
    handle = await lone.launch(patient="pat")
    secrets["launch"] = handle
    answers.append(await lone.ask(lone.request(app, SCOPE, challenge, launch=handle)))
    answers.append(await lone.read(secrets["none access"], "Patient/pat"))
    told_to = "\n".join(
        f"{each.status_code} {each.text}" for each in answers if each.status_code >= 400 or not each.is_redirect
    )
    stored = await everything_stored(lone)
    out, err = capfd.readouterr()
    for name, value in secrets.items():
        assert value not in stored, f"{name} is stored in clear"
        assert value not in caplog.text + out + err, f"{name} is logged"
        assert value not in told_to, f"{name} is repeated in an answer"


async def everything_stored(clinic: Any) -> str:
    """All rows of the tenant that have to do with people, clients and the audit, as text."""
    tables = (
        "account", "account_session", "oauth_client", "oauth_token", "oauth_code", "oauth_refresh", "oauth_request",
        "oauth_launch", "oauth_authorization", "oauth_jti",
    )  # fmt: skip
    found = []
    async with clinic.connection() as connection:
        for table in tables:
            rows = await connection.fetch(
                f"select r::text as row from {table} r where tenant_id = $1", clinic.house.tenant_id
            )
            found += [row["row"] for row in rows]
    return "\n".join([*found, await audited(clinic)])


async def audited(clinic: Any) -> str:
    """All AuditEvents of the tenant, once those on their way have arrived."""
    text, before = "", None
    async with clinic.house.client(await clinic.house.token()) as http:
        while text != before:
            before = text
            await asyncio.sleep(0.3)
            answer = await http.get("AuditEvent?_count=1000&subtype:not=search-type")
            assert answer.status_code == 200, answer.text
            text = json.dumps(answer.json()["entry"])
    return text


@smart("secrecy", "rate")
async def test_every_issue_refusal_and_revocation_is_in_the_audit(lone: Any, new_pkce: Any) -> None:
    app, person = await lone.app(), lone.people["patient"]
    told = await lone.connect(app, person, SCOPE)
    await lone.land(app, person, SCOPE, new_pkce()[1], walk={"decision": "deny"})
    await lone.refresh(app, "made-up")
    await lone.post("revoke", {"token": told["access_token"]}, app)
    await lone.ask(lone.request(app, SCOPE, new_pkce()[1], redirect_uri="x"))
    text = await audited(lone)
    for kind in (
        "token-issued", "token-refused", "token-revoked", "sign-in", "consent-given", "consent-denied",
        "authorization-refused",
    ):  # fmt: skip
        assert f'"{kind}"' in text, kind
    assert app.client_id in text
