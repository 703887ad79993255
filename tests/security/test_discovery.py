"""What clients find out before they have a token: one document at every address where one looks, and the keys.

https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html, RFC 8414, OpenID Connect Discovery 1.0
"""

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from joserfc.jwk import KeySet

from service import tenants
from service.oauth import clients
from service.oauth.metadata import NewClient

ORIGIN: Final = "http://hearth.test"
APP: Final = "https://app.example.org"
DOCUMENTS: Final = (
    "/t/{name}/fhir/.well-known/smart-configuration",
    "/t/{name}/fhir/.well-known/openid-configuration",
    "/t/{name}/.well-known/smart-configuration",
    "/t/{name}/.well-known/openid-configuration",
    "/t/{name}/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/t/{name}",
)
ENDPOINTS: Final = ("token", "revoke", "introspect", "register", "par")


@pytest.fixture
async def http(house: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as made:
        made.base_url = ORIGIN
        yield made


@pytest.fixture
async def found(house: Any, http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get(f"/t/{house.name}/fhir/.well-known/smart-configuration")
    return dict(answer.json())


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_each_address_has_the_same_document(
    house: Any, http: httpx.AsyncClient, found: dict[str, Any], path: str
) -> None:
    answer = await http.get(path.format(name=house.name), headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "public" in answer.headers["cache-control"]
    assert answer.json() == found


async def test_the_default_tenant_is_found_at_the_origin(house: Any, http: httpx.AsyncClient) -> None:
    async with house.app.engine.database.connection(0) as connection:
        await tenants.ensure_default(connection)
    bodies = [
        (await http.get(f"{prefix}/.well-known/{name}")).json()
        for prefix, name in (
            ("", "smart-configuration"), ("/fhir", "smart-configuration"), ("", "openid-configuration"),
            ("/fhir", "openid-configuration"), ("", "oauth-authorization-server"),
        )
    ]  # fmt: skip
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["issuer"] == ORIGIN
    assert bodies[0]["token_endpoint"] == f"{ORIGIN}/oauth/token"


async def test_an_unknown_tenant_has_none(http: httpx.AsyncClient) -> None:
    for path in (*DOCUMENTS, "/t/{name}/oauth/jwks"):
        assert (await http.get(path.format(name="nowhere"))).status_code == 404


async def test_the_issuer_is_what_stands_before_the_well_known_part(house: Any, found: dict[str, Any]) -> None:
    assert found["issuer"] == f"{ORIGIN}/t/{house.name}"


async def test_every_address_in_it_is_whole_and_of_this_tenant(house: Any, found: dict[str, Any]) -> None:
    addresses = {name: value for name, value in found.items() if name.endswith(("_endpoint", "_uri"))}
    assert set(addresses) == {
        "authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri",
        "registration_endpoint", "management_endpoint", "pushed_authorization_request_endpoint",
    }  # fmt: skip
    assert all(value.startswith(f"{ORIGIN}/t/{house.name}/") for value in addresses.values())


async def test_it_has_the_fields_that_smart_requires_with_what_works(found: dict[str, Any]) -> None:
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert set(found["grant_types_supported"]) == {"authorization_code", "refresh_token", "client_credentials"}
    assert {"RS384", "ES384"} == set(found["token_endpoint_auth_signing_alg_values_supported"])
    assert {"client_secret_basic", "private_key_jwt"} <= set(found["token_endpoint_auth_methods_supported"])
    assert found["response_types_supported"] == ["code"]
    assert found["subject_types_supported"] == ["public"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "smart_app_state_endpoint" not in found
    assert any(re.fullmatch(r"patient/\*\.cruds", scope) for scope in found["scopes_supported"])
    assert {"openid", "fhirUser", "launch", "launch/patient", "offline_access"} <= set(found["scopes_supported"])
    assert not any(scope.startswith("__") for scope in found["scopes_supported"])


@pytest.mark.parametrize(
    "wanted",
    [
        # What ONC's (g)(10) asks of a standalone launch, of a launch by an EHR, and US Core of the latter.
        "launch-standalone client-public client-confidential-symmetric client-confidential-asymmetric sso-openid-connect"
        " context-standalone-patient permission-offline permission-patient authorize-post permission-v2 permission-v1",
        "launch-ehr client-confidential-symmetric client-confidential-asymmetric sso-openid-connect context-banner"
        " context-style context-ehr-patient permission-offline permission-user authorize-post permission-v2 permission-v1",
        "context-ehr-encounter",
    ],
)
async def test_it_promises_what_launches_need(found: dict[str, Any], wanted: str) -> None:
    assert set(wanted.split()) <= set(found["capabilities"])


async def test_the_capability_statement_says_the_same(house: Any, http: httpx.AsyncClient, found: Any) -> None:
    security = (await http.get(f"/t/{house.name}/fhir/metadata")).json()["rest"][0]["security"]
    (uris,) = (each for each in security["extension"] if each["url"].endswith("/oauth-uris"))
    assert {each["url"]: each["valueUri"] for each in uris["extension"]} == {
        "authorize": found["authorization_endpoint"],
        "token": found["token_endpoint"],
        "register": found["registration_endpoint"],
        "manage": found["management_endpoint"],
        "introspect": found["introspection_endpoint"],
        "revoke": found["revocation_endpoint"],
    }
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"


async def test_the_keys_are_public_bare_and_named(http: httpx.AsyncClient, found: dict[str, Any]) -> None:
    answer = await http.get(found["jwks_uri"])
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    keys = answer.json()["keys"]
    assert keys
    for key in keys:
        assert {"kty", "kid", "n", "e", "use", "alg"} == set(key)
        assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    KeySet.import_key_set(answer.json())


async def test_the_keys_are_the_same_for_every_tenant_and_worker(
    house: Any, new_house: Any, second: Any, http: httpx.AsyncClient
) -> None:
    other = await new_house()
    here = (await http.get(f"/t/{house.name}/oauth/jwks")).json()
    assert (await http.get(f"/t/{other.name}/oauth/jwks")).json() == here
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=second), base_url=ORIGIN) as there:
        assert (await there.get(f"/t/{house.name}/oauth/jwks")).json() == here


@pytest.fixture
async def browser_app(house: Any) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await clients.register(connection, house.tenant_id, NewClient(
            "App", "patient/*.rs", "none", ("authorization_code",), (f"{APP}/done",),
            origins=("https://beside.example:8443",)))  # fmt: skip


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("origin", [APP, "https://beside.example:8443"])
@pytest.mark.usefixtures("browser_app")
async def test_pages_of_registered_origins_may_ask(
    house: Any, http: httpx.AsyncClient, endpoint: str, origin: str
) -> None:
    url = f"/t/{house.name}/oauth/{endpoint}"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    before = await http.options(url, headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == origin
    assert before.headers["access-control-allow-methods"] == "POST"
    assert "authorization" in before.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in before.headers
    if endpoint == "par":
        return
    answer = await http.post(url, headers={"Origin": origin}, data={"token": "x"})
    assert answer.headers["access-control-allow-origin"] == origin  # refusals can be read too
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://app.example.org", "https://app.example.org:444", "null", f"{APP}/done"]
)
@pytest.mark.usefixtures("browser_app")
async def test_pages_of_others_may_not(house: Any, http: httpx.AsyncClient, endpoint: str, origin: str) -> None:
    url = f"/t/{house.name}/oauth/{endpoint}"
    for answer in (
        await http.options(url, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}),
        await http.post(url, headers={"Origin": origin}, data={"token": "x"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.usefixtures("browser_app")
async def test_an_origin_of_another_tenant_or_of_a_disabled_client_may_not(
    house: Any, new_house: Any, http: httpx.AsyncClient
) -> None:
    other = await new_house()
    answer = await http.options(f"/t/{other.name}/oauth/token", headers={"Origin": APP})
    assert "access-control-allow-origin" not in answer.headers
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await connection.execute("update oauth_client set disabled = true where tenant_id = $1", house.tenant_id)
    answer = await http.options(f"/t/{house.name}/oauth/token", headers={"Origin": APP})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.usefixtures("browser_app")
async def test_no_page_may_read_the_authorization_endpoint(house: Any, http: httpx.AsyncClient) -> None:
    """RFC 9700 (2.6): the browser goes there itself."""
    for method in ("GET", "POST", "OPTIONS"):
        answer = await http.request(method, f"/t/{house.name}/oauth/authorize", headers={"Origin": APP})
        assert not [name for name in answer.headers if name.startswith("access-control-")]
