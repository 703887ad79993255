"""The authorization endpoint: what it refuses and where it says so, the person's steps, and what they may choose.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
"""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

CALLBACK = "https://app.example/callback"


def query(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def told(answer: httpx.Response, app: Any, error: str, *, state: bool = True) -> None:
    """The client is told: at its own address, in OAuth's words, with its state and our name."""
    assert answer.status_code == 303, answer.text
    location = answer.headers["location"]
    assert location.startswith(f"{app.redirect_uri}?"), location
    found = query(location)
    assert found["error"] == error, found
    assert found["iss"] == app.issuer
    assert found.get("state") == (app.state if state else None)
    assert "code" not in found
    assert " " in found["error_description"]


def shown(answer: httpx.Response, status: int = 400) -> None:
    """Nobody is sent anywhere: the refusal is a page."""
    assert answer.status_code == status, answer.text
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_patient_connects_an_app(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    location = await stage.answer(await stage.begin(app), person)
    found = query(location)
    assert location.startswith(f"{CALLBACK}?")
    assert set(found) == {"code", "state", "iss"}
    assert (found["state"], found["iss"]) == (app.state, app.issuer)
    answer = await app.redeem(stage.http, found["code"])
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["patient"] == "p1"
    assert body["scope"] == app.scope


# Refused on a page: nobody knows that the address is the client's.


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": ""},
        {"client_id": "nobody"},
        {"client_id": "a\0b"},
        {"redirect_uri": None},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK + "?a=b"},
        {"redirect_uri": CALLBACK + "#"},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": "https://app.example:443/callback"},
        {"redirect_uri": "https://app.example/callback/../callback"},
        {"redirect_uri": "https://app.example/%63allback"},
        {"redirect_uri": "https://app.example@evil.example/callback"},
        {"redirect_uri": "http://app.example/callback"},
        {"redirect_uri": "javascript:alert(1)//"},
        {"redirect_uri": "x" * 5000},
    ],
)
async def test_a_bad_client_or_address_is_a_page_and_never_a_redirect(
    stage: Any, method: str, changes: dict[str, str | None]
) -> None:
    app = await stage.app()
    shown(await stage.begin(app, method, **changes))


async def test_a_disabled_client_is_a_page(stage: Any) -> None:
    app = await stage.app()
    await stage.execute(
        "update oauth_client set disabled = true where tenant_id = $1 and client_id = $2", app.client_id
    )
    shown(await stage.begin(app))


async def test_the_client_of_another_tenant_is_unknown(stage: Any, elsewhere: Any) -> None:
    app = await stage.app()
    app.house = elsewhere
    answer = await stage.http.get(f"{app.issuer}/oauth/authorize", params=app.asks())
    shown(answer)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_a_client_or_address_sent_twice_is_a_page(stage: Any, name: str) -> None:
    app = await stage.app()
    pairs = [*app.asks().items(), (name, app.asks()[name])]
    shown(await stage.http.get(f"{app.issuer}/oauth/authorize", params=pairs))


async def test_an_address_and_a_form_count_together(stage: Any) -> None:
    app = await stage.app()
    url = f"{app.issuer}/oauth/authorize"
    shown(await stage.http.post(url, params={"redirect_uri": app.redirect_uri}, data=app.asks()))
    told(await stage.http.post(url, params={"scope": "openid"}, data=app.asks()), app, "invalid_request")


async def test_a_post_is_a_form_of_limited_size(stage: Any) -> None:
    app = await stage.app()
    url = f"{app.issuer}/oauth/authorize"
    shown(await stage.http.post(url, json=app.asks()), 415)
    shown(await stage.http.post(url, data=app.asks(scope="x" * 70_000)), 413)
    shown(await stage.http.post(url, data={f"p{number}": "x" for number in range(60)}))
    shown(await stage.http.get(url + "?client_id=%ff"))


async def test_the_page_does_not_repeat_what_was_sent(stage: Any) -> None:
    app = await stage.app()
    answer = await stage.begin(app, client_id="<script>alert(1)</script>", redirect_uri="https://evil.example/x")
    shown(answer)
    assert "script" not in answer.text.replace("javascript", "")
    assert "evil" not in answer.text


# Refused to the client.


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": "x" * 42}, "invalid_request"),
        ({"code_challenge": "x" * 129}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "="}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "+"}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "\u00e9"}, "invalid_request"),
        ({"code_challenge": "x" * 43 + "\n"}, "invalid_request"),
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": "http://hearth.test/fhir"}, "invalid_request"),
        ({"aud": "http://hearth.test"}, "invalid_request"),
        ({"aud": None, "resource": "https://other.example/fhir"}, "invalid_request"),
        ({"resource": "https://other.example/fhir"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nonsense system/*.rs"}, "invalid_scope"),
        ({"scope": "launch"}, "invalid_scope"),
        ({"scope": "x" * 9000}, "invalid_request"),
        ({"launch": "unknown", "scope": "launch openid"}, "invalid_scope"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://app.example/request"}, "request_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "later"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"nonce": "x" * 2000}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"anything": "x" * 600}, "invalid_request"),
    ],
)
async def test_what_is_wrong_is_told_to_the_client(
    stage: Any, method: str, changes: dict[str, str | None], error: str
) -> None:
    app = await stage.app()
    told(await stage.begin(app, method, **changes), app, error)


async def test_state_shall_be_there(stage: Any) -> None:
    app = await stage.app()
    told(await stage.begin(app, state=None), app, "invalid_request", state=False)
    told(await stage.begin(app, state=""), app, "invalid_request", state=False)
    told(await stage.begin(app, state="x" * 5000), app, "invalid_request", state=False)


@pytest.mark.parametrize("name", ["state", "scope", "code_challenge", "aud", "anything"])
async def test_each_parameter_may_be_sent_once(stage: Any, name: str) -> None:
    app = await stage.app()
    pairs = [*app.asks(anything="x").items(), (name, "x")]
    answer = await stage.http.get(f"{app.issuer}/oauth/authorize", params=pairs)
    told(answer, app, "invalid_request", state=name != "state")


async def test_a_client_without_the_grant_is_told(stage: Any) -> None:
    app = await stage.app()
    await stage.execute("update oauth_client set grant_types = '{refresh_token}' where tenant_id = $1")
    told(await stage.begin(app), app, "unauthorized_client")


async def test_what_was_refused_can_not_be_gone_on_with(stage: Any) -> None:
    app = await stage.app()
    for changes in ({"aud": "https://other.example"}, {"code_challenge": None}, {"state": None}):
        await stage.begin(app, **changes)
    assert await stage.count("oauth_request") == 0


# What is allowed.


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("name", ["aud", "resource"])
async def test_aud_or_resource_names_the_fhir_base(stage: Any, method: str, end: str, name: str) -> None:
    app = await stage.app()
    stage.handle(await stage.begin(app, method, **({"aud": None} | {name: stage.house.base + end})))


@pytest.mark.parametrize("state", ["a b&c=d#e%20+", "\u00e9\u2603", "=" * 4096, "a\0b", " "])
async def test_state_is_echoed_exactly(stage: Any, state: str) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    app.state = state
    assert query(await stage.answer(await stage.begin(app), person))["state"] == state
    told(await stage.begin(app, aud="x"), app, "invalid_request")


async def test_the_registered_query_of_an_address_stays(stage: Any) -> None:
    app = await stage.app(redirect_uris=("https://app.example/cb?site=1",))
    location = await stage.answer(await stage.begin(app), await stage.person("Patient/p1"))
    assert location.startswith("https://app.example/cb?site=1&code=")


@pytest.mark.parametrize(
    ("registered", "sent", "is_taken"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1:8000/cb", "http://127.0.0.1:51004/cb", True),
        ("http://[::1]/cb", "http://[::1]:51004/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x=y", False),
        ("http://127.0.0.1/cb", "http://127.0.0.2:51004/cb", False),
        ("http://127.0.0.1/cb", "http://[::1]:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004@evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://x@127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://localhost:51004/cb", False),
        ("https://app.example/cb", "https://app.example:51004/cb", False),
        ("com.example.app:/cb", "com.example.app:/cb", True),
    ],
)
async def test_only_the_port_of_a_loopback_address_is_free(
    stage: Any, registered: str, sent: str, is_taken: bool
) -> None:
    app = await stage.app(redirect_uris=(registered,))
    app.redirect_uri = sent
    answer = await stage.begin(app)
    if not is_taken:
        shown(answer)
        return
    location = await stage.answer(answer, await stage.person("Patient/p1"))
    assert location.startswith(f"{sent}?code=")
    assert (await app.redeem(stage.http, query(location)["code"])).status_code == 200


async def test_unknown_scopes_are_left_out_and_never_fail_the_request(stage: Any) -> None:
    app, person = await stage.app("openid patient/*.rs launch/patient"), await stage.person("Patient/p1")
    asked = "openid profile patient/Task.cruds patient/Goal.read user/*.rs system/*.rs __launch nonsense"
    body = await stage.tokens(app, person, {"scope": asked})
    assert body["scope"] == "openid patient/Task.rs patient/Goal.read"


async def test_a_parameter_that_nobody_knows_is_passed_over(stage: Any) -> None:
    app = await stage.app()
    stage.handle(await stage.begin(app, acr_values="x", display="page"))


async def test_nothing_at_the_endpoint_is_for_other_origins(stage: Any) -> None:
    app = await stage.app()
    headers = {"Origin": "https://app.example"}
    url = f"{app.issuer}/oauth/authorize"
    for answer in (
        await stage.http.get(url, params=app.asks(), headers=headers),
        await stage.http.post(url, data=app.asks(), headers=headers),
        await stage.http.options(url, headers=headers | {"Access-Control-Request-Method": "POST"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


# The handle and its browser.


async def test_the_handle_is_of_no_use_in_another_browser(stage: Any, house: Any) -> None:
    app = await stage.app()
    handle = stage.handle(await stage.begin(app))
    assert await stage.find(handle) is not None
    ask, _, browser = handle.partition("~")
    for other in (ask, f"{ask}~", f"{ask}~{'x' * 43}", f"{'x' * 43}~{browser}", ""):
        assert await stage.find(other) is None


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(stage: Any) -> None:
    answer = await stage.begin(await stage.app())
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"hearth-{stage.house.name}-browser=")
    for part in ("HttpOnly", "SameSite=Lax", f"Path=/t/{stage.house.name}"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "Secure" not in cookie  # this server is http


async def test_a_browser_keeps_its_half_for_several_requests(stage: Any) -> None:
    app = await stage.app()
    first, second = stage.handle(await stage.begin(app)), stage.handle(await stage.begin(app))
    assert first != second
    assert await stage.find(first) is not None
    assert await stage.find(second) is not None


async def test_a_cookie_that_is_none_of_ours_is_replaced(stage: Any) -> None:
    app = await stage.app()
    answer = await stage.http.get(
        f"{app.issuer}/oauth/authorize", params=app.asks(), headers={"Cookie": f"hearth-{stage.house.name}-browser=a"}
    )
    assert len(answer.headers["set-cookie"].partition("=")[2].partition(";")[0]) == 43


async def test_a_request_ends_after_ten_minutes(stage: Any) -> None:
    handle = stage.handle(await stage.begin(await stage.app()))
    await stage.execute("update oauth_request set expires = expires - interval '10 minutes' where tenant_id = $1")
    assert await stage.find(handle) is None


async def test_a_request_is_answered_once(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    answer = await stage.begin(app)
    await stage.answer(answer, person)
    assert await stage.find(stage.handle(answer)) is None


async def test_of_two_answers_at_once_one_counts(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    answer = await stage.begin(app)
    handle, asked = await stage.signed_in(answer, person)
    results = await stage.race(lambda: stage.allow(handle, asked, person), lambda: stage.allow(handle, asked, person))
    assert sorted(type(result).__name__ for result in results) == ["PageFault", "str"]
    assert await stage.count("oauth_code") == 1


async def test_what_is_stored_is_a_hash(stage: Any) -> None:
    handle = stage.handle(await stage.begin(await stage.app()))
    async with stage.connection() as connection:
        rows = await connection.fetch("select * from oauth_request where tenant_id = $1", stage.house.tenant_id)
    for half in handle.split("~"):
        assert half not in repr([dict(row) for row in rows])


# The person's steps.


async def test_who_denies_sends_the_client_an_error(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    location = await stage.answer(await stage.begin(app), person, deny=True)
    assert query(location)["error"] == "access_denied"
    assert (query(location)["state"], query(location)["iss"]) == (app.state, app.issuer)
    assert await stage.count("oauth_authorization") == 0


async def test_who_deselects_everything_denies(stage: Any) -> None:
    location = await stage.answer(await stage.begin(await stage.app()), await stage.person("Patient/p1"), scopes=[])
    assert query(location)["error"] == "access_denied"


async def test_what_is_deselected_is_not_granted(stage: Any) -> None:
    app = await stage.app("openid fhirUser launch/patient patient/Task.rs patient/Goal.rs offline_access")
    person = await stage.person("Patient/p1")
    body = await stage.tokens(app, person, scopes=["patient/Goal.rs", "launch/patient"])
    assert body["scope"] == "patient/Goal.rs launch/patient"
    assert "refresh_token" not in body
    assert "id_token" not in body


async def test_a_person_may_give_less_of_a_scope_than_asked(stage: Any) -> None:
    app, person = await stage.app("patient/*.cruds"), await stage.person("Patient/p1")
    body = await stage.tokens(app, person, scopes=["patient/Observation.rs?category=survey", "patient/Task.r"])
    assert body["scope"] == "patient/Observation.rs?category=survey patient/Task.r"


async def test_a_person_can_not_give_more_than_was_asked(stage: Any) -> None:
    app, person = await stage.app("patient/*.cruds openid offline_access"), await stage.person("Patient/p1")
    body = await stage.tokens(
        app, person, {"scope": "patient/Task.rs"}, scopes=["patient/*.cruds", "offline_access", "openid", "user/*.rs"]
    )
    assert body["scope"] == "patient/Task.rs"


async def test_a_patient_gets_themselves(stage: Any) -> None:
    app, person = await stage.app("patient/*.rs"), await stage.person("Patient/p1")
    _, asked = await stage.signed_in(await stage.begin(app), person)
    assert asked.context["patient"] == "p1"
    assert stage.next_step(asked, person) == "consent"


async def test_a_patient_can_choose_nobody_else(stage: Any) -> None:
    await stage.put("Patient/p1", "Patient/p2")
    app, person = await stage.app("patient/*.rs"), await stage.person("Patient/p1")
    handle, asked = await stage.signed_in(await stage.begin(app), person)
    with pytest.raises(stage.PageFault):
        await stage.choose(handle, asked, person, "p2")


async def test_without_a_scope_for_it_nobody_chooses_a_patient(stage: Any) -> None:
    app, person = await stage.app("openid user/*.rs"), await stage.person("Practitioner/d1")
    _, asked = await stage.signed_in(await stage.begin(app), person)
    assert stage.next_step(asked, person) == "consent"
    assert "patient" not in await stage.tokens(app, person)


@pytest.mark.parametrize("scope", ["launch/patient openid", "patient/Task.rs"])
async def test_a_practitioner_chooses_among_patients_in_care(stage: Any, scope: str) -> None:
    await stage.put("Patient/p1", "Patient/p2", "Practitioner/d1")
    await stage.care("p1", "Practitioner/d1")
    app, person = await stage.app(scope), await stage.person("Practitioner/d1")
    handle, asked = await stage.signed_in(await stage.begin(app), person)
    assert stage.next_step(asked, person) == "patient"
    assert [choice.id for choice in await stage.patients(person)] == ["p1"]
    for other in ("p2", "p3", "../Patient/p1", "", "a\0b"):
        with pytest.raises(stage.PageFault):
            await stage.choose(handle, asked, person, other)
    with pytest.raises(stage.PageFault):
        await stage.allow(handle, asked, person)
    asked = await stage.choose(handle, asked, person, "p1")
    assert stage.next_step(asked, person) == "consent"
    location = await stage.allow(handle, asked, person)
    assert (await app.redeem(stage.http, query(location)["code"])).json()["patient"] == "p1"


async def test_a_relative_chooses_among_patients_who_consented(stage: Any) -> None:
    await stage.put("Patient/p1", "Patient/p2")
    await stage.relative("r1", "p1", consents=True)
    await stage.relative("r2", "p2", consents=False)
    app = await stage.app("patient/*.rs")
    for name, choices in (("r1", ["p1"]), ("r2", [])):
        person = await stage.person(f"RelatedPerson/{name}")
        handle, asked = await stage.signed_in(await stage.begin(app), person)
        assert [choice.id for choice in await stage.patients(person)] == choices
        with pytest.raises(stage.PageFault):
            await stage.choose(handle, asked, person, "p2")


async def test_choices_have_name_and_date_of_birth_and_are_searched_by_name(stage: Any) -> None:
    await stage.put("Practitioner/d1")
    for number, (given, family) in enumerate([("Ada", "Quill"), ("Bea", "Plume"), ("Cy", "Quince")]):
        await stage.put_resource(
            {
                "resourceType": "Patient",
                "id": f"p{number}",
                "name": [{"given": [given], "family": family}],
                "birthDate": "1990-01-0" + str(number + 1),
            }
        )
        await stage.care(f"p{number}", "Practitioner/d1")
    person = await stage.person("Practitioner/d1")
    assert [(each.name, each.birth_date) for each in await stage.patients(person)] == [
        ("Bea Plume", "1990-01-02"),
        ("Ada Quill", "1990-01-01"),
        ("Cy Quince", "1990-01-03"),
    ]
    assert [each.id for each in await stage.patients(person, "qui")] == ["p0", "p2"]
    assert await stage.patients(person, "x") == []


async def test_the_steps_are_those_of_who_signed_in(stage: Any) -> None:
    app, person, other = await stage.app(), await stage.person("Patient/p1"), await stage.person("Patient/p2")
    handle, asked = await stage.signed_in(await stage.begin(app), person)
    assert stage.next_step(asked, other) == "sign-in"
    with pytest.raises(stage.PageFault):
        await stage.allow(handle, asked, other)
    with pytest.raises(stage.PageFault):
        await stage.choose(handle, asked, other, "p2")


async def test_who_signs_in_as_another_person_loses_the_choice_made_before(stage: Any) -> None:
    await stage.put("Patient/p1", "Practitioner/d1", "Practitioner/d2")
    await stage.care("p1", "Practitioner/d1")
    app = await stage.app("patient/*.rs")
    first, second = await stage.person("Practitioner/d1"), await stage.person("Practitioner/d2")
    answer = await stage.begin(app)
    handle, asked = await stage.signed_in(answer, first)
    await stage.choose(handle, asked, first, "p1")
    _, asked = await stage.signed_in(answer, second)
    assert stage.next_step(asked, second) == "patient"


@pytest.mark.parametrize("lacks", [{"has_second_factor": True}, {"must_change_password": True}])
async def test_half_a_sign_in_is_none(stage: Any, lacks: dict[str, bool]) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    handle, asked = await stage.signed_in(await stage.begin(app), person)
    person.account = replace(person.account, **lacks)
    with pytest.raises(stage.PageFault):
        await stage.allow(handle, asked, person)
    _, asked = await stage.signed_in(await stage.begin(app), person)
    assert stage.next_step(asked, person) == "sign-in"


async def test_the_session_of_another_person_is_none(stage: Any) -> None:
    app, person, other = await stage.app(), await stage.person("Patient/p1"), await stage.person("Patient/p2")
    person.session = other.session
    _, asked = await stage.signed_in(await stage.begin(app), person)
    assert stage.next_step(asked, person) == "sign-in"


async def test_a_session_that_is_over_allows_nothing(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    handle, asked = await stage.signed_in(await stage.begin(app), person)
    await stage.sign_out(person)
    with pytest.raises(stage.PageFault):
        await stage.allow(handle, asked, person)
    assert await stage.count("oauth_authorization") == 0


async def test_nothing_that_is_allowed_outlives_a_new_password_at_the_same_time(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    for _ in range(4):
        person = await stage.sign_in(person.account)
        handle, asked = await stage.signed_in(await stage.begin(app), person)
        allowed, _ = await stage.race(
            lambda handle=handle, asked=asked, person=person: stage.allow(handle, asked, person),
            lambda person=person: stage.new_password(person),
        )
        assert await stage.authorizations(person) == []
        if isinstance(allowed, str):
            answer = await app.redeem(stage.http, query(allowed)["code"])
            assert answer.json()["error"] == "invalid_grant"


# prompt and max_age.


async def test_prompt_login_wants_a_new_sign_in(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    answer = await stage.begin(app, prompt="login")
    handle, asked = await stage.signed_in(answer, person)
    assert stage.next_step(asked, person) == "sign-in"
    with pytest.raises(stage.PageFault):
        await stage.allow(handle, asked, person)
    again = await stage.sign_in(person.account)
    handle, asked = await stage.signed_in(answer, again)
    assert stage.next_step(asked, again) == "consent"


async def test_max_age_wants_a_sign_in_not_older(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    old = await stage.sign_in(person.account, seconds_ago=60)
    for seconds, step in (("30", "sign-in"), ("90", "consent")):
        _, asked = await stage.signed_in(await stage.begin(app, max_age=seconds), old)
        assert stage.next_step(asked, old) == step


async def silently(stage: Any, app: Any, person: Any = None, **changes: str | None) -> dict[str, str]:
    """What the client is told of prompt=none, by a browser with the person's session."""
    if person is not None:
        stage.http.cookies.set(f"hearth-{stage.house.name}-session", person.cookie)
    answer = await stage.begin(app, prompt="none", **changes)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{app.redirect_uri}?")
    found = query(answer.headers["location"])
    assert (found["state"], found["iss"]) == (app.state, app.issuer)
    return found


async def test_prompt_none_shows_nothing(stage: Any) -> None:
    await stage.put("Patient/p1")
    await stage.care("p1", "Practitioner/d1")
    app, person = (
        await stage.app("launch openid patient/*.rs", "client_secret_basic"),
        await stage.person("RelatedPerson/r1"),
    )
    assert (await silently(stage, app))["error"] == "login_required"
    assert (await silently(stage, app, person))["error"] == "interaction_required"
    patient = await stage.person("Patient/p1")
    assert (await silently(stage, app, patient))["error"] == "consent_required"
    assert (await silently(stage, app, patient, max_age="0"))["error"] == "login_required"


async def test_prompt_none_gives_a_code_for_what_was_allowed_before(stage: Any) -> None:
    await stage.put("Patient/p1")
    app = await stage.app("launch openid patient/*.rs", "client_secret_basic")
    patient = await stage.person("Patient/p1")
    for _ in range(2):
        handle = await stage.launch(patient="p1")
        await stage.tokens(app, patient, {"launch": handle})
    found = await silently(stage, app, patient, launch=await stage.launch(patient="p1"))
    assert (await app.redeem(stage.http, found["code"])).status_code == 200


async def test_prompt_none_of_half_a_sign_in_is_refused(stage: Any) -> None:
    app, person = await stage.app("openid"), await stage.person("Practitioner/d1")
    await stage.execute("update account set password_hash = 'x', password_until = now() where tenant_id = $1")
    assert (await silently(stage, app, person))["error"] == "login_required"


# Housekeeping.


async def test_what_is_over_is_forgotten_and_what_stands_stays(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    body = await stage.tokens(app, person)
    await stage.begin(app)
    await stage.launch(patient="p1")
    tables = ("oauth_request", "oauth_launch", "oauth_code", "oauth_refresh", "oauth_authorization")
    await stage.purge(hours=0)
    assert [await stage.count(table) for table in tables] == [1, 1, 1, 1, 1]
    await stage.purge(hours=1)
    assert [await stage.count(table) for table in tables] == [0, 0, 1, 1, 1]
    await stage.purge(hours=25)
    assert [await stage.count(table) for table in tables] == [0, 0, 0, 1, 1]
    assert (await app.refresh(stage.http, body["refresh_token"])).status_code == 200
    await stage.purge(hours=24 * 92)
    assert [await stage.count(table) for table in tables] == [0, 0, 0, 0, 1]
    await stage.purge(hours=24 * 367)
    assert [await stage.count(table) for table in tables] == [0, 0, 0, 0, 0]


async def test_of_consents_without_a_refresh_token_the_latest_is_remembered(stage: Any) -> None:
    app, person = await stage.app("openid"), await stage.person("Patient/p1")
    for _ in range(3):
        await stage.tokens(app, person)
    await stage.purge(hours=25)
    assert await stage.count("oauth_authorization") == 1
