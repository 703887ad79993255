"""How an app comes to be known. https://www.rfc-editor.org/rfc/rfc7591"""

from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient patient/*.rs"


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
