"""What an attacker tries at the endpoints. https://www.rfc-editor.org/rfc/rfc9700"""

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
