"""What a token stands for, told to who may know. https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from time import time
from typing import Any

import httpx
import pytest

smart = pytest.mark.smart
INACTIVE = {"active": False}


async def asked(clinic: Any, token: str, scope: str = "__introspect") -> httpx.Response:
    """The answer to a resource server that shows a bearer token of its own."""
    server = await clinic.machine(scope)
    own = (await clinic.machine_token(server, scope)).json()["access_token"]
    return await clinic.post("introspect", {"token": token}, Authorization=f"Bearer {own}")


async def introspected(clinic: Any, token: str) -> Mapping[str, Any]:
    answer = await asked(clinic, token)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@smart(
    "99", "269", "271", "272", "273", "274", "275", "276", "277", "278", "279", "280", "282", "283", "inferno-4.3.01",
    "g10-9.20",
)  # fmt: skip
@pytest.mark.parametrize("auth", ["none", "client_secret_basic"])
async def test_an_active_token_of_any_client_is_told_as_its_answer_was(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    launch = await clinic.launch(
        patient="pat", encounter="enc", intent="look", fhirContext=[{"reference": "Task/task"}]
    )
    told = await clinic.connect(
        app, clinic.people["practitioner"], "launch openid fhirUser patient/*.rs", launch=launch
    )
    body = await introspected(clinic, told["access_token"])
    assert body["active"] is True
    assert set(body["scope"].split()) == set(told["scope"].split())
    assert body["client_id"] == app.client_id
    assert type(body["exp"]) is int
    assert abs(body["exp"] - time() - told["expires_in"]) < 30
    for name in ("patient", "encounter", "intent", "fhirContext", "need_patient_banner", "smart_style_url", "tenant"):
        assert body[name] == told[name], name
    part = told["id_token"].split(".")[1]
    claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert (body["iss"], body["sub"], body["fhirUser"]) == (claims["iss"], claims["sub"], claims["fhirUser"])


@smart("273", "274", "275", "276", "inferno-4.3.01")
async def test_a_token_of_a_backend_client_is_told_with_client_and_exp(clinic: Any) -> None:
    app = await clinic.machine()
    told = (await clinic.machine_token(app)).json()
    body = await introspected(clinic, told["access_token"])
    assert (body["active"], body["client_id"], body["scope"]) == (True, app.client_id, told["scope"])
    assert abs(body["exp"] - time() - 300) < 30
    assert not {"patient", "sub", "fhirUser"} & set(body)


@smart("277", "273")
async def test_a_refreshed_token_is_told_with_its_own_scope_and_the_context(clinic: Any) -> None:
    app = await clinic.app()
    scope = "openid launch/patient offline_access patient/Observation.rs patient/Condition.rs"
    told = await clinic.connect(app, clinic.people["patient"], scope)
    narrow = (await clinic.refresh(app, told["refresh_token"], scope="patient/Observation.rs")).json()
    body = await introspected(clinic, narrow["access_token"])
    assert body["scope"] == "patient/Observation.rs"
    assert body["patient"] == narrow["patient"] == "pat"


@pytest.mark.parametrize("token", ["made-up", "x" * 5000, "a\0b", "é"])
@smart("inferno-4.3.02", "272", "RFC7662-2.2")
async def test_an_unknown_token_is_inactive_and_nothing_more(clinic: Any, token: str) -> None:
    answer = await asked(clinic, token)
    assert (answer.status_code, answer.json()) == (200, INACTIVE)
    assert answer.headers["cache-control"] == "no-store"


@smart("RFC7662-2.2", "inferno-4.3.02")
async def test_an_expired_revoked_or_foreign_token_is_inactive_and_nothing_more(
    clinic: Any, lone: Any, later: Any
) -> None:
    app = await clinic.machine()
    token = (await clinic.machine_token(app)).json()["access_token"]
    assert await introspected(lone, token) == INACTIVE
    assert (await clinic.post("revoke", {"token": token}, app)).status_code == 200
    assert await introspected(clinic, token) == INACTIVE
    server = await clinic.machine("__introspect", "client_secret_basic")
    token = (await clinic.machine_token(app)).json()["access_token"]
    assert (await clinic.post("introspect", {"token": token}, server)).json()["active"] is True
    later(301)
    assert (await clinic.post("introspect", {"token": token}, server)).json() == INACTIVE


@smart("RFC7662-2.2")
async def test_a_token_of_another_client_is_inactive_to_who_lacks_the_scope(clinic: Any) -> None:
    app, curious = await clinic.machine(), await clinic.machine("system/*.rs", "client_secret_basic")
    token = (await clinic.machine_token(app)).json()["access_token"]
    assert (await clinic.post("introspect", {"token": token}, curious)).json() == INACTIVE
    own = (await clinic.machine_token(curious)).json()["access_token"]
    assert (await clinic.post("introspect", {"token": own}, curious)).json()["active"] is True


@smart("282", "RFC6749-5.2")
async def test_nobody_introspects_without_proof_or_with_a_token_for_something_else(clinic: Any) -> None:
    app = await clinic.machine()
    token = (await clinic.machine_token(app)).json()["access_token"]
    assert (await clinic.post("introspect", {"token": token})).status_code == 401
    public = await clinic.app()
    assert (await clinic.post("introspect", {"token": token}, public)).status_code == 401
    for header in ("Bearer made-up", "Bearer ", "Basic x"):
        answer = await clinic.post("introspect", {"token": token}, Authorization=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]
    plain = await clinic.post("introspect", {"token": token}, Authorization=f"Bearer {token}")
    assert plain.status_code == 403
    assert "active" not in plain.json()


@smart("271")
async def test_introspection_is_by_a_form_with_a_token_in_it(clinic: Any) -> None:
    server = await clinic.machine("__introspect", "client_secret_basic")
    answer = await clinic.post("introspect", {}, server)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    async with clinic.http() as http:
        assert (await http.get(clinic.url("introspect"), params={"token": "x"})).status_code == 405
    hinted = await clinic.post("introspect", {"token": "x", "token_type_hint": "made-up"}, server)
    assert (hinted.status_code, hinted.json()) == (200, INACTIVE)


@smart("RFC7662-2.2")
async def test_a_refresh_token_is_no_access_token(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], "launch/patient offline_access patient/*.rs")
    body = await introspected(clinic, told["refresh_token"])
    assert body == INACTIVE or (body["active"] and "patient" not in body)
    assert (await clinic.read(told["refresh_token"], "Patient/pat")).status_code == 401
