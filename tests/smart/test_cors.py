"""Which pages may ask what. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support"""

from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"
STRANGE = ["https://evil.example", "null", "https://app.example.evil.example", "http://hearth.test.evil.example", ""]
ALLOW = "access-control-allow-origin"


def origin(app: Any) -> str:
    return str(app.redirect_uri.removesuffix("/done"))


@smart("17", "inferno-1.2.08", "355")
async def test_a_page_of_a_registered_origin_may_use_the_token_endpoint(clinic: Any) -> None:
    app = await clinic.app()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect_uri,
        "code_verifier": verifier,
    }
    answer = await clinic.post("token", form, app, Origin=origin(app))
    assert answer.status_code == 200
    assert answer.headers[ALLOW] in ("*", origin(app))
    assert "access-control-allow-credentials" not in answer.headers
    failed = await clinic.post("token", form, app, Origin=origin(app))
    assert failed.status_code == 400
    assert failed.headers[ALLOW] in ("*", origin(app))


@smart("17")
async def test_the_preflight_of_a_registered_origin_is_answered_at_the_token_endpoint(clinic: Any) -> None:
    app = await clinic.app()
    asked = {
        "Origin": origin(app), "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }  # fmt: skip
    for name in ("token", "revoke"):
        async with clinic.http() as http:
            answer = await http.options(clinic.url(name), headers=asked)
        assert answer.status_code in (200, 204)
        assert answer.headers[ALLOW] in ("*", origin(app))
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert {"authorization", "content-type"} <= set(
            answer.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
        )


@smart("17", "inferno-1.3.08")
async def test_a_page_of_a_registered_origin_may_use_the_fhir_api(clinic: Any) -> None:
    app = await clinic.app()
    token = (await clinic.connect(app, clinic.people["patient"], SCOPE))["access_token"]
    answer = await clinic.read(token, "Patient/pat", Origin=origin(app))
    assert (answer.status_code, answer.headers[ALLOW]) in ((200, "*"), (200, origin(app)))
    refused = await clinic.read("made-up", "Patient/pat", Origin=origin(app))
    assert (refused.status_code, ALLOW in refused.headers) == (401, True)
    asked = {
        "Origin": origin(app), "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, content-type, if-match",
    }  # fmt: skip
    async with clinic.http() as http:
        preflight = await http.options("Patient/pat", headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers[ALLOW] in ("*", origin(app))
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "if-match"))


@pytest.mark.parametrize("strange", STRANGE)
@smart("17", "RFC9700-2.6")
async def test_a_page_of_another_origin_gets_no_permission(clinic: Any, strange: str) -> None:
    machine = await clinic.machine(auth="client_secret_basic")
    answer = await clinic.post("token", {"grant_type": "client_credentials"}, machine, Origin=strange)
    assert answer.headers.get(ALLOW) != strange
    assert answer.headers.get(ALLOW) != "*"
    read = await clinic.read(answer.json()["access_token"], "Patient/pat", Origin=strange)
    assert read.headers.get(ALLOW) not in ([strange] if strange else [])
    assert "access-control-allow-credentials" not in read.headers


@smart("17", "isolation")
async def test_an_origin_of_one_tenant_is_nothing_in_another(clinic: Any, lone: Any) -> None:
    app = await clinic.app()
    machine = await lone.machine(auth="client_secret_basic")
    answer = await lone.post("token", {"grant_type": "client_credentials"}, machine, Origin=origin(app))
    assert ALLOW not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@smart("RFC9700-2.6")
async def test_no_page_may_ask_the_authorization_endpoint_in_the_background(
    clinic: Any, new_pkce: Any, method: str
) -> None:
    app = await clinic.app()
    params = clinic.request(app, SCOPE, new_pkce()[1])
    headers = {"Origin": origin(app), "Access-Control-Request-Method": "POST"}
    async with clinic.http() as http:
        sent = {"data": params} if method == "POST" else {"params": params}
        answer = await http.request(method, clinic.url("authorize"), headers=headers, **sent)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "page", ["sign-in", "consent", "choose-patient", "apps", "second-factor", "sign-out", "account"]
)
@smart("RFC9700-2.6")
async def test_no_page_of_the_server_may_be_read_by_another_page(clinic: Any, page: str) -> None:
    app = await clinic.app()
    async with clinic.http() as http:
        for method in ("GET", "OPTIONS"):
            answer = await http.request(method, f"{clinic.issuer}/{page}", headers={"Origin": origin(app)})
            assert not [name for name in answer.headers if name.startswith("access-control-")]
