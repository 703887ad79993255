"""From the app's request to the code in its hands. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html"""

import asyncio
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


@smart("352", "request-launch", "168")
async def test_an_ehr_launch_ends_in_a_token_with_the_context_of_the_ehr(clinic: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", encounter="enc")
    told = await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    assert (told["patient"], told["encounter"]) == ("pat", "enc")


@smart("request-launch")
async def test_a_launch_is_used_once(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    await clinic.connect(app, clinic.people["practitioner"], "launch patient/*.rs", launch=launch)
    again = landed(await clinic.ask(clinic.request(app, "launch patient/*.rs", new_pkce()[1], launch=launch)))
    assert again.told["error"] == "invalid_request"


@smart("request-launch")
async def test_a_launch_is_of_no_use_after_some_minutes(clinic: Any, new_pkce: Any, landed: Any, later: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    later(601)
    end = landed(await clinic.ask(clinic.request(app, "launch patient/*.rs", new_pkce()[1], launch=launch)))
    assert end.told["error"] == "invalid_request"


@smart("request-launch")
async def test_a_launch_for_one_app_is_nothing_to_another(clinic: Any, new_pkce: Any, landed: Any) -> None:
    meant, other = await clinic.app(), await clinic.app()
    launch = await clinic.launch(patient="pat", client_id=meant.client_id)
    end = landed(await clinic.ask(clinic.request(other, "launch patient/*.rs", new_pkce()[1], launch=launch)))
    assert end.told["error"] == "invalid_request"


@smart("request-launch")
async def test_a_launch_for_one_person_is_nothing_to_another(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat", user="Practitioner/doc")
    end = await clinic.land(app, clinic.people["patient"], "launch patient/*.rs", new_pkce()[1], launch=launch)
    assert end.told["error"] == "access_denied"


@smart("request-launch", "119")
async def test_a_launch_does_not_show_a_patient_a_record_of_somebody_else(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="two")
    end = await clinic.land(app, clinic.people["patient"], "launch patient/*.rs", new_pkce()[1], launch=launch)
    assert end.told["error"] == "access_denied"


@smart("request-launch")
async def test_of_ten_who_bring_one_launch_at_once_exactly_one_goes_on(clinic: Any, new_pkce: Any, landed: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    params = clinic.request(app, "launch patient/*.rs", new_pkce()[1], launch=launch)
    answers = await asyncio.gather(*(clinic.ask(params) for _ in range(10)))
    went_on = [each for each in answers if "/sign-in" in each.headers["location"]]
    assert len(went_on) == 1
    assert [landed(each).told["error"] for each in answers if each not in went_on] == ["invalid_request"] * 9


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


@smart("18", "24", "316", "RFC9700-4.15", "RFC7591-3")
async def test_registration_confirms_what_was_registered_under_an_id_of_the_servers(clinic: Any) -> None:
    token = await clinic.invitation()
    wanted = {
        "client_name": "Diary", "redirect_uris": ["https://diary.example/done"], "scope": "launch/patient patient/*.rs",
        "grant_types": ["authorization_code"], "token_endpoint_auth_method": "none", "client_id": "chosen-by-me",
    }  # fmt: skip
    async with clinic.http(token) as http:
        answer = await http.post(clinic.url("register"), json=wanted)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["client_id"] != "chosen-by-me"
    for name in ("client_name", "redirect_uris", "scope", "grant_types", "token_endpoint_auth_method"):
        assert body[name] == wanted[name], name
    assert answer.headers["cache-control"] == "no-store"


@smart("RFC7591-3")
async def test_nobody_registers_without_an_initial_access_token(clinic: Any) -> None:
    wanted = {"client_name": "Diary", "redirect_uris": ["https://diary.example/done"], "scope": "patient/*.rs"}
    async with clinic.http() as http:
        assert (await http.post(clinic.url("register"), json=wanted)).status_code == 401
    machine = await clinic.machine("system/*.cruds", "client_secret_basic")
    token = (await clinic.machine_token(machine)).json()["access_token"]
    async with clinic.http(token) as http:
        assert (await http.post(clinic.url("register"), json=wanted)).status_code in (401, 403)


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example/done", "https://app.example/done#part", "https://user@app.example/done", "javascript:alert(1)",
        "data:text/html,x", "https://*.example/done", "/done", "https://", "ftp://app.example/done",
    ],
)  # fmt: skip
@smart("18", "RFC7591-3", "RFC9700-2.1")
async def test_an_address_that_is_not_complete_and_secure_cannot_be_registered(clinic: Any, uri: str) -> None:
    token = await clinic.invitation()
    wanted = {
        "client_name": "Diary", "redirect_uris": [uri], "scope": "patient/*.rs", "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "none",
    }  # fmt: skip
    async with clinic.http(token) as http:
        answer = await http.post(clinic.url("register"), json=wanted)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@smart("RFC9126-2")
async def test_a_pushed_request_stands_for_its_parameters(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    verifier, challenge = new_pkce()
    params = clinic.request(app, SCOPE, challenge, state="pushed")
    pushed = await clinic.post("par", params, app)
    assert pushed.status_code == 201, pushed.text
    assert 5 <= pushed.json()["expires_in"] <= 600
    browser = clinic.browser()
    short = {"client_id": app.client_id, "request_uri": pushed.json()["request_uri"]}
    landed = await browser.arrive(await clinic.ask(short, "GET", browser), clinic.people["patient"])
    assert (landed.location, landed.told["state"]) == (app.redirect_uri, "pushed")
    assert (await clinic.redeem(app, landed.told["code"], verifier)).status_code == 200


@smart("RFC9126-2")
async def test_a_pushed_request_is_used_once_by_its_own_client(clinic: Any, new_pkce: Any) -> None:
    app, other = await clinic.app(auth="client_secret_basic"), await clinic.app()
    pushed = await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1]), app)
    short = {"client_id": app.client_id, "request_uri": pushed.json()["request_uri"]}
    stolen = await clinic.ask(short | {"client_id": other.client_id})
    assert (stolen.status_code, "location" in stolen.headers) == (400, False)
    assert (await clinic.ask(short)).status_code in (302, 303)
    again = await clinic.ask(short)
    assert (again.status_code, "location" in again.headers) == (400, False)


@smart("RFC9126-2")
async def test_of_ten_who_bring_one_pushed_request_at_once_exactly_one_goes_on(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    pushed = (await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1]), app)).json()["request_uri"]
    short = {"client_id": app.client_id, "request_uri": pushed}
    answers = await asyncio.gather(*(clinic.ask(short) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [303] + [400] * 9


@smart("RFC9126-2")
async def test_a_pushed_request_is_over_after_ten_minutes_at_most(clinic: Any, new_pkce: Any, later: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    pushed = (await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1]), app)).json()
    later(pushed["expires_in"] + 1)
    answer = await clinic.ask({"client_id": app.client_id, "request_uri": pushed["request_uri"]})
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@smart("RFC9126-2", "RFC6749-5.2")
async def test_a_request_is_pushed_by_an_authenticated_client_only(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    params = clinic.request(app, SCOPE, new_pkce()[1])
    answer = await clinic.post("par", params)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"aud": "https://evil.example/fhir"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    ],
)
@smart("RFC9126-2")
async def test_a_pushed_request_is_checked_when_it_is_pushed(
    clinic: Any, new_pkce: Any, changed: dict[str, str | None], error: str
) -> None:
    app = await clinic.app(auth="client_secret_basic")
    answer = await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1], **changed), app)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
