"""The pages that people meet on the way to an app, as attackers see them. https://www.rfc-editor.org/rfc/rfc9700"""

import asyncio
from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"


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


@smart("session")
async def test_nobody_finishes_in_their_browser_what_another_browser_began(clinic: Any, new_pkce: Any) -> None:
    app, attacker, victim = await clinic.app(), clinic.browser(), clinic.browser()
    sent = await attacker.follow(await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", attacker))
    end = await victim.walk(await victim.open(str(sent.url)), clinic.people["patient"])
    assert "code=" not in end.headers.get("location", "")
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
