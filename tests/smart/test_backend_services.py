"""Programs that speak for themselves. https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html"""

from typing import Any

import pytest

smart = pytest.mark.smart


@smart("253", "254", "255", "256", "257", "258", "261", "262", "248", "86", "87", "inferno-3.2.05")
async def test_a_signed_request_gets_a_token_of_five_minutes_and_no_refresh_token(clinic: Any) -> None:
    app = await clinic.machine()
    answer = await clinic.machine_token(app, "system/*.rs offline_access")
    assert answer.status_code == 200, answer.text
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert body["token_type"].lower() == "bearer"
    assert body["expires_in"] == 300
    assert body["scope"] == "system/*.rs"


@smart("240", "241", "250", "259", "260")
async def test_the_scope_is_what_was_asked_within_what_is_registered(clinic: Any) -> None:
    app = await clinic.machine("system/Patient.rs system/Observation.cruds")
    for asked, granted in (
        ("system/Patient.rs", {"system/Patient.rs"}),
        ("system/*.rs", {"system/Patient.rs", "system/Observation.rs"}),
        ("system/Patient.cruds system/Task.rs", {"system/Patient.rs"}),
        ("system/Observation.read", {"system/Observation.read"}),
    ):
        body = (await clinic.machine_token(app, asked)).json()
        assert set(body["scope"].split()) == granted, asked


@smart("250", "251")
@pytest.mark.parametrize(
    "scope", ["system/Task.rs", "patient/Patient.rs", "user/*.rs", "openid", "nonsense", "__launch"]
)
async def test_nothing_that_is_registered_is_invalid_scope(clinic: Any, scope: str) -> None:
    app = await clinic.machine("system/Patient.rs")
    answer = await clinic.machine_token(app, scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


@smart("265", "266", "243", "142")
async def test_the_resource_server_keeps_to_scope_and_expiry(clinic: Any, later: Any) -> None:
    app = await clinic.machine("system/Patient.rs")
    token = (await clinic.machine_token(app, "system/Patient.rs")).json()["access_token"]
    assert (await clinic.read(token, "Patient/two")).status_code == 200
    assert (await clinic.read(token, "Observation?_count=1")).status_code == 403
    assert (await clinic.read(token, "Observation/lab")).status_code in (403, 404)
    later(301)
    assert (await clinic.read(token, "Patient/two")).status_code == 401


@smart("244")
async def test_a_type_that_is_not_held_here_is_refused_at_once(clinic: Any) -> None:
    app = await clinic.machine()
    token = (await clinic.machine_token(app)).json()["access_token"]
    for path in ("MolecularSequence/1", "MolecularSequence?_count=1", "NoSuchType"):
        answer = await clinic.read(token, path)
        assert 400 <= answer.status_code < 500
        assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("grant", ["", "not_a_grant", "password", "authorization_code", "refresh_token"])
@smart("251", "252", "inferno-3.2.02", "RFC9700-2.4")
async def test_a_wrong_grant_type_is_400(clinic: Any, grant: str) -> None:
    app = await clinic.machine()
    answer = await clinic.machine_token(app, grant_type=grant)
    assert answer.status_code == 400
    expected = {
        "": "invalid_request",
        "authorization_code": "unauthorized_client",
        "refresh_token": "unauthorized_client",
    }
    assert answer.json()["error"] == expected.get(grant, "unsupported_grant_type")
    assert answer.json()["error_description"]


@smart("240", "344")
async def test_a_public_client_has_no_authority_of_its_own(clinic: Any) -> None:
    app = await clinic.app()
    answer = await clinic.machine_token(app)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@smart("344")
async def test_discovery_does_not_call_secrets_a_backend_service_and_the_documentation_prefers_keys(
    clinic: Any,
) -> None:
    app = await clinic.machine(auth="client_secret_basic")
    body = (await clinic.machine_token(app)).json()
    assert body["expires_in"] <= 300
    assert "refresh_token" not in body


@smart("247")
@pytest.mark.parametrize(
    "path", ["Patient/pat", "Patient", "", "Patient/pat/_history", "_history", "Patient/pat/$everything"]
)
async def test_all_but_the_servers_own_description_needs_a_token(clinic: Any, path: str) -> None:
    async with clinic.http() as http:
        assert (await http.get(path)).status_code == 401
        assert (await http.get("metadata")).status_code == 200
