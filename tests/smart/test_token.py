"""From the code to the token, and what the token is good for. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token"""

import asyncio
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"
TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


@pytest.mark.parametrize("auth", ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"])
@smart(
    "73", "74", "75", "76", "78", "84", "85", "86", "87", "355", "356", "357", "symmetric-basic", "token-client",
    "inferno-1.2.06",
)  # fmt: skip
async def test_the_token_answer_is_complete_for_every_kind_of_client(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    answer = await clinic.redeem(app, *await clinic.code(app, clinic.people["patient"], SCOPE))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    body = answer.json()
    assert TOKEN68.fullmatch(body["access_token"])
    assert body["token_type"] == "Bearer"
    assert isinstance(body["expires_in"], int)
    assert set(body["scope"].split()) == set(SCOPE.split())
    assert body["patient"] == "pat"
    assert body["id_token"].count(".") == 2
    assert body["refresh_token"]


@smart("88", "91", "134")
async def test_access_tokens_live_an_hour_at_most_and_stay_small(clinic: Any) -> None:
    scope = "launch/patient " + " ".join(f"patient/Observation.rs?code=http://loinc.org|{n}" for n in range(80))
    app = await clinic.app(scope)
    body = await clinic.connect(app, clinic.people["patient"], scope)
    assert 0 < body["expires_in"] <= 3600
    assert len(body["access_token"]) <= 128


@smart("77", "88", "94", "RFC6750-3")
async def test_a_token_is_accepted_until_it_expires_and_not_after(clinic: Any, later: Any) -> None:
    app = await clinic.app()
    body = await clinic.connect(app, clinic.people["patient"], SCOPE)
    later(body["expires_in"] - 5)
    assert (await clinic.read(body["access_token"], "Patient/pat")).status_code == 200
    later(body["expires_in"] + 1)
    answer = await clinic.read(body["access_token"], "Patient/pat")
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer made-up",
        "Basic Zm9vOmJhcg==",
        "bearer x y",
        "Token x",
        "DPoP x",
        "Bearer \t",
    ],
)
@smart("94", "g10-1.9.10", "RFC6750-3", "247")
async def test_no_token_or_a_made_up_one_is_401_with_a_challenge(clinic: Any, header: str | None) -> None:
    async with clinic.http() as http:
        answer = await http.get("Patient/pat", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert "bearer" in answer.headers["www-authenticate"].lower()
    assert answer.json()["resourceType"] == "OperationOutcome"


@smart("95")
async def test_what_the_scope_does_not_cover_is_refused(clinic: Any) -> None:
    app = await clinic.app()
    body = await clinic.connect(app, clinic.people["patient"], "launch/patient patient/Observation.rs")
    assert (await clinic.read(body["access_token"], "Observation/lab")).status_code == 200
    assert (await clinic.read(body["access_token"], "Condition/worry")).status_code == 403
    async with clinic.http(body["access_token"]) as http:
        made = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": "Patient/pat"},
        }
        assert (await http.post("Observation", json=made)).status_code == 403
        assert (await http.delete("Observation/lab")).status_code == 403


@smart("96", "isolation")
async def test_a_token_is_for_the_base_that_its_aud_named(clinic: Any, lone: Any, default_tenant: None) -> None:
    app = await clinic.app()
    token = (await clinic.connect(app, clinic.people["patient"], SCOPE))["access_token"]
    assert (await clinic.read(token, "Patient/pat")).status_code == 200
    assert (await lone.read(token, "Patient/pat")).status_code == 401
    assert (await clinic.read(token, "http://hearth.test/fhir/Patient/pat")).status_code == 401


@smart("89")
async def test_no_refresh_token_comes_unasked_or_unregistered(clinic: Any) -> None:
    person = clinic.people["patient"]
    app = await clinic.app()
    assert "refresh_token" not in await clinic.connect(app, person, "launch/patient patient/*.rs")
    without = await clinic.app("launch/patient patient/*.rs")
    body = await clinic.connect(without, person, "launch/patient patient/*.rs offline_access")
    assert "refresh_token" not in body
    assert "offline_access" not in body["scope"].split()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, "unsupported_grant_type"),
        ({"grant_type": "AUTHORIZATION_CODE"}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"code": "a\0b"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/done"}, "invalid_grant"),
        ({"client_id": "made-up"}, "invalid_client"),
    ],
)
@smart("token-grant-type", "token-code", "token-redirect-uri", "token-client", "g10-9.17", "RFC9700-2.4", "73")
async def test_a_bad_token_request_is_refused_and_does_not_use_the_code_up(
    clinic: Any, changed: dict[str, str | None], error: str
) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    answer = await clinic.redeem(app, code, verifier, **changed)
    assert answer.status_code == (401 if error == "invalid_client" else 400), answer.text
    body = answer.json()
    assert body["error"] == error
    assert body["error_description"]
    assert answer.headers["cache-control"] == "no-store"
    assert (await clinic.redeem(app, code, verifier)).status_code == 200


@pytest.mark.parametrize("auth", ["none", "client_secret_basic", "private_key_jwt"])
@smart("token-client", "g10-9.17", "RFC6749-4.1.2")
async def test_a_code_of_another_client_is_refused(clinic: Any, auth: str) -> None:
    uri = "https://shared.example/done"
    app = await clinic.app(auth=auth, redirect_uris=(uri,))
    other = await clinic.app(auth=auth, redirect_uris=(uri,))
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    answer = await clinic.redeem(other, code, verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await clinic.redeem(app, code, verifier)).status_code == 200


@smart("token-client", "RFC6749-5.2")
async def test_a_confidential_client_has_to_prove_itself(clinic: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    for pretended in (replace(app, auth="none"), replace(app, secret="wrong"), replace(app, secret="")):
        answer = await clinic.redeem(pretended, code, verifier)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert (await clinic.redeem(app, code, verifier)).status_code == 200


@smart("token-client", "RFC6749-2.3")
async def test_a_client_proves_itself_in_one_way_only(clinic: Any) -> None:
    app = await clinic.machine(auth="client_secret_basic")
    form = {"grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.secret}
    answer = await clinic.post("token", form, app)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    signer = await clinic.machine()
    both = {"client_secret": "x", "client_id": signer.client_id}
    answer = await clinic.machine_token(signer, **both)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@smart("token-client")
async def test_a_public_client_has_no_secret_to_send(clinic: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    answer = await clinic.redeem(app, code, verifier, client_secret="anything")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("name", ["code", "grant_type", "code_verifier", "client_id", "redirect_uri"])
@smart("RFC6749-3.2")
async def test_a_token_parameter_sent_twice_is_refused(clinic: Any, name: str) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri, "code_verifier": verifier,
        "client_id": app.client_id,
    }  # fmt: skip
    body = str(httpx.QueryParams([*form.items(), (name, form[name])]))
    async with clinic.http() as http:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await http.post(clinic.url("token"), content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@smart("RFC6749-3.2")
async def test_token_parameters_are_taken_from_a_form_by_post_only(clinic: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri, "code_verifier": verifier,
        "client_id": app.client_id,
    }  # fmt: skip
    async with clinic.http() as http:
        assert (await http.get(clinic.url("token"), params=form)).status_code == 405
        assert (await http.post(clinic.url("token"), params=form)).status_code == 400
        assert (await http.post(clinic.url("token"), json=form)).status_code == 400
        assert (await http.post(clinic.url("token"), data=form)).status_code == 200


@smart("RFC6749-4.1.2")
async def test_a_second_use_of_a_code_is_refused_and_ends_what_came_of_it(clinic: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    first = (await clinic.redeem(app, code, verifier)).json()
    second = await clinic.redeem(app, code, verifier)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert (await clinic.read(first["access_token"], "Patient/pat")).status_code == 401
    assert (await clinic.refresh(app, first["refresh_token"])).json()["error"] == "invalid_grant"


@smart("RFC6749-4.1.2")
async def test_of_ten_who_bring_one_code_at_once_exactly_one_gets_tokens(clinic: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    answers = await asyncio.gather(*(clinic.redeem(app, code, verifier) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [200] + [400] * 9
    won = next(each.json() for each in answers if each.status_code == 200)
    # The nine others had it too, so nobody knows whose it was.
    assert (await clinic.read(won["access_token"], "Patient/pat")).status_code == 401


@smart("18", "token-redirect-uri")
async def test_the_redirect_uri_of_the_token_request_is_that_of_the_authorization_request(clinic: Any) -> None:
    app = await clinic.app(redirect_uris=("https://one.example/done", "https://two.example/done"))
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    answer = await clinic.redeem(app, code, verifier, redirect_uri="https://two.example/done")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@smart("token-grant-type", "78")
async def test_a_scope_in_the_token_request_does_not_widen_what_was_allowed(clinic: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], "launch/patient patient/Observation.rs")
    answer = await clinic.redeem(app, code, verifier, scope="patient/*.cruds user/*.cruds offline_access")
    assert set(answer.json()["scope"].split()) == {"launch/patient", "patient/Observation.rs"}
    assert "refresh_token" not in answer.json()


@smart("RFC6749-2.3", "94")
async def test_two_authorization_headers_are_refused(clinic: Any) -> None:
    app = await clinic.machine(auth="client_secret_basic")
    token = (await clinic.machine_token(app)).json()["access_token"]
    async with clinic.http() as http:
        two = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer made-up")]
        for headers in (two, two[::-1]):
            assert (await http.get("Patient/pat", headers=headers)).status_code in (400, 401)
        both = [("Authorization", clinic.proof(app)[1]["Authorization"]), ("Authorization", f"Bearer {token}")]
        answer = await http.post(clinic.url("token"), data={"grant_type": "client_credentials"}, headers=both)
    assert answer.status_code in (400, 401)


@smart("94")
async def test_the_scheme_bearer_is_read_without_regard_to_case(clinic: Any) -> None:
    app = await clinic.machine(auth="client_secret_basic")
    token = (await clinic.machine_token(app)).json()["access_token"]
    async with clinic.http() as http:
        for scheme in ("bearer", "BEARER"):
            assert (await http.get("Patient/pat", headers={"Authorization": f"{scheme} {token}"})).status_code == 200
