"""From the app's request to the code in its hands. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html"""

from typing import Any

import httpx
import pytest

from schemas import dates
from service.oauth import clients

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient patient/*.rs"


@smart("48", "53", "56", "57", "353", "RFC9207-2")
async def test_a_get_request_ends_in_a_code_at_the_redirect_uri(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    landed = await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1])
    assert landed.location == app.redirect_uri
    assert set(landed.told) == {"code", "state", "iss"}
    assert landed.told["iss"] == clinic.issuer
    assert len(landed.told["code"]) >= 22


@smart("49", "354")
async def test_a_form_by_post_ends_in_a_code_at_the_redirect_uri(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    landed = await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], "POST")
    assert landed.location == app.redirect_uri
    assert landed.told["code"]


@pytest.mark.parametrize("state", ["1", "a b+c%20&=/?#é", "x" * 2000, " lead and trail ", "<script>alert(1)</script>"])
@smart("59")
async def test_state_comes_back_exactly(clinic: Any, new_pkce: Any, state: str) -> None:
    app = await clinic.app()
    landed = await clinic.land(app, clinic.people["patient"], SCOPE, new_pkce()[1], state=state)
    assert landed.told["state"] == state


@smart("54", "RFC9207-2", "59")
async def test_denial_is_told_to_the_app(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    landed = await clinic.land(
        app, clinic.people["patient"], SCOPE, new_pkce()[1], state="s1", walk={"decision": "deny"}
    )
    assert landed.location == app.redirect_uri
    assert (landed.told["error"], landed.told["state"], landed.told["iss"]) == ("access_denied", "s1", clinic.issuer)
    assert "code" not in landed.told


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"state": None}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "tooshort"}, "invalid_request"),
        ({"code_challenge": "x" * 129}, "invalid_request"),
        ({"code_challenge": "é" * 43}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": "http://hearth.test/fhir"}, "invalid_request"),
        ({"aud": "BASE/../fhir"}, "invalid_request"),
        ({"aud": "BASE", "resource": "https://other.example/fhir"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nothing/known"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"launch": "made-up", "scope": "launch patient/*.rs"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://other.example/request"}, None),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
    ],
)
@smart(
    "request-response-type", "request-state", "request-challenge", "request-aud", "request-scope", "request-launch",
    "15", "g10-9.4.04", "RFC9700-2.1.2", "RFC9700-2.1.1",
)  # fmt: skip
async def test_a_bad_request_of_a_known_app_is_told_to_it_and_issues_no_code(
    clinic: Any, new_pkce: Any, landed: Any, changed: dict[str, str | None], error: str | None
) -> None:
    app = await clinic.app()
    base = {name: value.replace("BASE", clinic.fhir) if value else value for name, value in changed.items()}
    params = clinic.request(app, SCOPE, new_pkce()[1], **base)
    answer = await clinic.ask(params)
    if error is None and answer.status_code == 400:
        return
    assert answer.status_code in (302, 303)
    end = landed(answer)
    assert end.location == app.redirect_uri
    assert end.told["error"] == error or (error is None and end.told["error"])
    assert end.told["iss"] == clinic.issuer
    assert end.told.get("state") == params.get("state")
    assert "code" not in end.told


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
@pytest.mark.parametrize("value", [None, "", "made-up", "https://evil.example/done"])
@smart("request-client-id", "request-redirect-uri", "18", "RFC6749-4.1.2.1")
async def test_a_bad_client_or_redirect_uri_is_a_page_and_never_a_redirect(
    clinic: Any, new_pkce: Any, method: str, name: str, value: str | None
) -> None:
    app = await clinic.app()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1], **{name: value}), method)
    assert 400 <= answer.status_code < 500
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "evil.example" not in answer.text


@smart("RFC6749-4.1.2.1")
async def test_a_disabled_app_gets_a_page(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    async with clinic.connection() as connection:
        await clients.disable(connection, clinic.house.tenant_id, app.client_id, dates.clock())
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]))
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("name", ["scope", "state", "aud", "code_challenge", "response_type", "code_challenge_method"])
@smart("RFC6749-3.1")
async def test_a_parameter_sent_twice_is_refused(clinic: Any, new_pkce: Any, landed: Any, name: str) -> None:
    app = await clinic.app()
    params = clinic.request(app, SCOPE, new_pkce()[1])
    url = f"{clinic.url('authorize')}?{httpx.QueryParams([*params.items(), (name, params[name])])}"
    end = landed(await clinic.browser().open(url))
    assert (end.location, end.told["error"]) == (app.redirect_uri, "invalid_request")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
@smart("RFC6749-3.1", "RFC6749-4.1.2.1")
async def test_client_and_address_sent_twice_are_refused_on_a_page(clinic: Any, new_pkce: Any, name: str) -> None:
    app = await clinic.app()
    params = clinic.request(app, SCOPE, new_pkce()[1])
    for second in (params[name], "https://evil.example/"):
        url = f"{clinic.url('authorize')}?{httpx.QueryParams([*params.items(), (name, second)])}"
        answer = await clinic.browser().open(url)
        assert answer.status_code == 400
        assert "location" not in answer.headers


@smart("RFC6749-3.1")
async def test_a_parameter_in_the_address_and_again_in_the_form_is_refused(
    clinic: Any, new_pkce: Any, landed: Any
) -> None:
    app = await clinic.app()
    params = clinic.request(app, SCOPE, new_pkce()[1])
    url = f"{clinic.url('authorize')}?{httpx.QueryParams({'scope': params['scope']})}"
    end = landed(await clinic.browser().open(url, list(params.items())))
    assert end.told["error"] == "invalid_request"


@smart("58")
async def test_a_code_is_of_no_use_after_a_minute(clinic: Any, later: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    later(61)
    answer = await clinic.redeem(app, code, verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@smart("request-aud")
async def test_resource_is_a_synonym_of_aud(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    params = clinic.request(app, SCOPE, new_pkce()[1], aud=None, resource=clinic.fhir)
    assert "/sign-in" in (await clinic.ask(params)).headers["location"]


@smart("56", "RFC9700-2.1")
async def test_the_query_of_a_registered_address_is_kept(clinic: Any, new_pkce: Any) -> None:
    uri = "https://query.example/done?tenant=a%20b&x"
    app = await clinic.app(redirect_uris=(uri,))
    browser = clinic.browser()
    answer = await clinic.ask(clinic.request(app, SCOPE, new_pkce()[1]), "GET", browser)
    end = await browser.walk(answer, clinic.people["patient"])
    assert end.headers["location"].startswith(f"{uri}&")
    assert "&code=" in end.headers["location"]


@smart("request-scope", "78")
async def test_scopes_may_be_repeated_and_stand_apart_by_more_than_one_space(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(
        app, clinic.people["patient"], "  launch/patient   patient/Observation.rs launch/patient  OPENID "
    )
    assert sorted(told["scope"].split()) == ["launch/patient", "patient/Observation.rs"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
@smart("48", "49")
async def test_the_authorization_endpoint_takes_nothing_but_get_and_post(
    clinic: Any, new_pkce: Any, method: str
) -> None:
    app = await clinic.app()
    async with clinic.http() as http:
        answer = await http.request(method, clinic.url("authorize"), params=clinic.request(app, SCOPE, new_pkce()[1]))
    assert answer.status_code == 405


@pytest.mark.parametrize("raw", ["state=%ff%fe", "state=a%00b", "scope=%F0%28%8C%28", "%ff=1", "=", "&&&", "state[]=1"])
@smart("RFC6749-3.1")
async def test_a_query_that_is_not_text_is_refused_and_never_a_failure(clinic: Any, new_pkce: Any, raw: str) -> None:
    app = await clinic.app()
    params = clinic.request(app, SCOPE, new_pkce()[1], state=None)
    answer = await clinic.browser().open(f"{clinic.url('authorize')}?{httpx.QueryParams(params)}&{raw}")
    assert answer.status_code in (303, 400)
    if answer.status_code == 303 and "error=" not in answer.headers["location"]:
        assert raw == "state=a%00b"
