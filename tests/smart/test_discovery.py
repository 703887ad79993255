"""What an app can find out before it has anything. https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html"""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

smart = pytest.mark.smart
ENDPOINTS = (
    "authorization_endpoint", "token_endpoint", "jwks_uri", "introspection_endpoint", "revocation_endpoint",
    "registration_endpoint", "management_endpoint",
)  # fmt: skip
SET_OF_ALL = {"launch-standalone", "launch-ehr", "permission-patient", "permission-user", "context-ehr-patient"}
CLINICAL = re.compile(r"(patient|user|system|\*)/(\*|[A-Z][A-Za-z]+)\.(c?r?u?d?s?|read|write|\*)(\?.+=.+)?")


@pytest.fixture
async def configuration(http: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await http.get(".well-known/smart-configuration")).json())


@smart("372", "373", "377", "380", "30", "inferno-1.1.01")
async def test_smart_configuration_is_json_appended_to_a_base_with_a_path(http: httpx.AsyncClient) -> None:
    answer = await http.get(".well-known/smart-configuration")
    assert urlsplit(str(answer.url)).path.endswith("/fhir/.well-known/smart-configuration")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("accept", ["text/html", "application/fhir+json", "application/xml", "*/*;q=0", "nonsense"])
@smart("374")
async def test_smart_configuration_is_json_whatever_accept_says(http: httpx.AsyncClient, accept: str) -> None:
    answer = await http.get(".well-known/smart-configuration", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@smart("inferno-1.1.02", "384", "385", "383", "393")
async def test_required_members_are_there_and_of_the_right_type(configuration: dict[str, Any]) -> None:
    assert isinstance(configuration["authorization_endpoint"], str)
    assert isinstance(configuration["token_endpoint"], str)
    assert set(configuration["grant_types_supported"]) == {"authorization_code", "client_credentials", "refresh_token"}
    assert configuration["capabilities"]
    assert all(isinstance(each, str) for each in configuration["capabilities"])
    assert len(set(configuration["capabilities"])) == len(configuration["capabilities"])


@smart("381", "382")
async def test_issuer_and_jwks_uri_come_with_sso_openid_connect(configuration: dict[str, Any], clinic: Any) -> None:
    assert "sso-openid-connect" in configuration["capabilities"]
    assert configuration["issuer"] == clinic.issuer
    assert configuration["jwks_uri"].startswith(clinic.issuer)


@smart("14", "15", "394")
async def test_code_challenge_methods_have_s256_and_not_plain(configuration: dict[str, Any]) -> None:
    assert configuration["code_challenge_methods_supported"] == ["S256"]


@smart("378")
async def test_all_addresses_are_absolute(configuration: dict[str, Any]) -> None:
    for name, value in configuration.items():
        if name.endswith(("_endpoint", "_uri")) or name == "issuer":
            parts = urlsplit(value)
            assert parts.scheme in ("http", "https"), name
            assert parts.netloc, name


@smart("390", "391", "392", "438", "99", "269")
async def test_recommended_endpoints_are_advertised(configuration: dict[str, Any]) -> None:
    assert configuration["response_types_supported"] == ["code"]
    for name in ENDPOINTS:
        assert configuration[name], name


@smart("390")
async def test_every_advertised_endpoint_is_there(http: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    for name in ENDPOINTS:
        answer = await http.get(configuration[name])
        assert answer.status_code != 404, name


@smart("389", "us_core-7")
async def test_scopes_supported_have_clinical_scopes_and_the_introspection_endpoint_is_there(
    configuration: dict[str, Any],
) -> None:
    supported = configuration["scopes_supported"]
    assert {"openid", "fhirUser", "launch", "launch/patient", "offline_access"} <= set(supported)
    clinical = [each for each in supported if "/" in each and not each.startswith("launch/")]
    assert clinical
    assert all(CLINICAL.fullmatch(each) for each in clinical), clinical
    assert {each.partition("/")[0] for each in clinical} == {"patient", "user", "system"}
    assert configuration["introspection_endpoint"]


@smart("389")
async def test_every_scope_supported_is_granted_when_asked_for(clinic: Any, configuration: dict[str, Any]) -> None:
    scopes = configuration["scopes_supported"]
    for_machines = " ".join(each for each in scopes if each.startswith(("system/", "__")))
    for_people = " ".join(each for each in scopes if not each.startswith(("system/", "__")))
    machine = await clinic.machine(for_machines)
    answered = (await clinic.machine_token(machine, for_machines)).json()
    assert set(answered["scope"].split()) == set(for_machines.split())
    app = await clinic.app(for_people)
    launch = await clinic.launch(patient="pat", encounter="enc")
    answered = await clinic.connect(app, clinic.people["practitioner"], for_people, launch=launch)
    assert set(answered["scope"].split()) == set(for_people.split())


@smart("285", "286", "287", "288", "289", "228")
async def test_what_asymmetric_clients_need_is_advertised(configuration: dict[str, Any]) -> None:
    assert "client-confidential-asymmetric" in configuration["capabilities"]
    assert configuration["token_endpoint"]
    assert configuration["scopes_supported"]
    assert "private_key_jwt" in configuration["token_endpoint_auth_methods_supported"]
    assert set(configuration["token_endpoint_auth_signing_alg_values_supported"]) == {"RS384", "ES384"}


@smart("346", "348", "349", "350", "351")
async def test_all_four_capability_sets_are_complete(configuration: dict[str, Any]) -> None:
    capabilities = set(configuration["capabilities"])
    assert {"client-public", "client-confidential-symmetric"} & capabilities
    patient = {"permission-patient"}
    assert {"launch-standalone", "context-standalone-patient"} | patient <= capabilities
    assert {"launch-ehr", "context-ehr-patient"} | patient <= capabilities
    assert {"launch-standalone", "permission-user"} | patient <= capabilities
    assert {"launch-ehr", "context-ehr-patient", "context-ehr-encounter", "permission-user"} | patient <= capabilities


@smart("g10-1.8.05", "g10-3.7.05", "126")
async def test_the_capabilities_that_certification_asks_for(configuration: dict[str, Any]) -> None:
    standalone = (
        "launch-standalone client-public client-confidential-symmetric client-confidential-asymmetric sso-openid-connect"
        " context-standalone-patient permission-offline permission-patient authorize-post permission-v2 permission-v1"
    )
    ehr = (
        "launch-ehr client-confidential-symmetric client-confidential-asymmetric sso-openid-connect context-banner"
        " context-style context-ehr-patient context-ehr-encounter permission-offline permission-user authorize-post"
        " permission-v2 permission-v1"
    )
    assert set(f"{standalone} {ehr}".split()) <= set(configuration["capabilities"])


@smart("217")
async def test_scopes_and_capabilities_of_our_own_are_marked_as_extensions(configuration: dict[str, Any]) -> None:
    defined = {"openid", "fhirUser", "profile", "launch", "offline_access", "online_access"}
    for scope in configuration["scopes_supported"]:
        assert scope in defined or scope.startswith(("launch/", "__")) or CLINICAL.fullmatch(scope), scope
    known = re.compile(
        r"launch-(ehr|standalone)|authorize-post|client-(public|confidential-(a?symmetric))|sso-openid-connect"
        r"|context-(banner|style|(ehr|standalone)-(patient|encounter))|permission-(offline|online|patient|user|v1|v2)"
    )
    for capability in configuration["capabilities"]:
        assert known.fullmatch(capability) or ":" in capability, capability


@pytest.mark.parametrize("path", [".well-known/smart-configuration", "metadata"])
@smart("16", "inferno-1.1.03", "inferno-1.1.04")
async def test_pages_of_any_origin_may_read_discovery(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path, headers={"Origin": "https://anywhere.example"})
    assert answer.headers["access-control-allow-origin"] in ("*", "https://anywhere.example")
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "path", [".well-known/smart-configuration", "metadata", "../.well-known/openid-configuration", "../oauth/jwks"]
)
@smart("16")
async def test_a_page_of_any_origin_may_ask_for_discovery_with_headers_of_its_own(
    http: httpx.AsyncClient, path: str
) -> None:
    asked = {
        "Origin": "https://anywhere.example", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,cache-control",
    }  # fmt: skip
    answer = await http.options(path, headers=asked)
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] in ("*", "https://anywhere.example")
    assert "GET" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "*" in allowed or "cache-control" in allowed


@smart("OIDC-discovery-4", "inferno-1.3.02", "inferno-1.3.03")
async def test_openid_configuration_is_below_the_issuer(clinic: Any, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{clinic.issuer}/.well-known/openid-configuration")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    body = answer.json()
    assert body["issuer"] == clinic.issuer
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "subject_types_supported"):
        assert body[name], name
    assert "code" in body["response_types_supported"]
    assert "RS256" in body["id_token_signing_alg_values_supported"]


@smart("RFC8414-3")
async def test_server_metadata_is_at_the_well_known_address_of_the_issuer(clinic: Any, http: httpx.AsyncClient) -> None:
    path = urlsplit(clinic.issuer).path
    answer = await http.get(f"http://hearth.test/.well-known/oauth-authorization-server{path}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["issuer"] == clinic.issuer


@smart("373", "RFC9207-2")
async def test_all_discovery_documents_say_the_same(clinic: Any, http: httpx.AsyncClient) -> None:
    smart_one = (await http.get(".well-known/smart-configuration")).json()
    openid = (await http.get(f"{clinic.issuer}/.well-known/openid-configuration")).json()
    below_fhir = (await http.get(".well-known/openid-configuration")).json()
    path = urlsplit(clinic.issuer).path
    metadata = (await http.get(f"http://hearth.test/.well-known/oauth-authorization-server{path}")).json()
    for other in (openid, below_fhir, metadata):
        for name in ("issuer", *ENDPOINTS, "grant_types_supported", "code_challenge_methods_supported"):
            assert other.get(name, smart_one[name]) == smart_one[name], name
    assert metadata["authorization_response_iss_parameter_supported"] is True


@smart("373")
async def test_the_capability_statement_names_the_same_addresses(http: httpx.AsyncClient) -> None:
    configuration = (await http.get(".well-known/smart-configuration")).json()
    security = (await http.get("metadata")).json()["rest"][0]["security"]
    codes = [coding["code"] for service in security["service"] for coding in service["coding"]]
    assert "SMART-on-FHIR" in codes
    uris = next(each for each in security["extension"] if each["url"].endswith("/oauth-uris"))["extension"]
    named = {each["url"]: each["valueUri"] for each in uris}
    assert named["authorize"] == configuration["authorization_endpoint"]
    assert named["token"] == configuration["token_endpoint"]
    for name in ("introspect", "revoke", "register", "manage"):
        if name in named:
            full = {
                "introspect": "introspection",
                "revoke": "revocation",
                "register": "registration",
                "manage": "management",
            }
            assert named[name] == configuration[f"{full[name]}_endpoint"]


@smart("373")
async def test_the_origin_root_describes_the_default_tenant(http: httpx.AsyncClient, default_tenant: None) -> None:
    root = (await http.get("http://hearth.test/.well-known/smart-configuration")).json()
    base = (await http.get("http://hearth.test/fhir/.well-known/smart-configuration")).json()
    assert root == base
    assert root["issuer"] == "http://hearth.test"


@smart("isolation")
async def test_a_tenant_that_is_not_there_has_no_discovery(http: httpx.AsyncClient) -> None:
    for path in ("/t/nobody/fhir/.well-known/smart-configuration", "/t/nobody/.well-known/openid-configuration"):
        assert (await http.get(f"http://hearth.test{path}")).status_code == 404
