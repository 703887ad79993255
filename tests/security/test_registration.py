"""Registration by invitation (RFC 7591): what is refused, what is narrowed, and that what is registered works."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from joserfc.jwk import ECKey

from schemas import dates
from service.errors import Unprocessable
from service.oauth import clients, register
from service.oauth.metadata import BadMetadata, NewClient, check

SCOPE: Final = "openid fhirUser launch/patient offline_access patient/Task.cruds patient/Patient.rs system/Patient.rs"
APP: Final = {
    "client_name": "Diary", "redirect_uris": ["https://app.example.org/done"], "token_endpoint_auth_method": "none",
    "scope": "openid patient/*.rs",
}  # fmt: skip
PUBLIC: Final = ECKey.generate_key("P-384", {"kid": "a"}).as_dict(private=False)


@pytest.fixture
async def invitation(house: Any) -> str:
    return await invited(house, SCOPE)


async def invited(house: Any, scope: str, hours: int = 1) -> str:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        return await register.invite(connection, house.tenant_id, scope, hours, dates.clock())


@pytest.fixture
async def http(house: Any, invitation: str) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(invitation) as made:
        made.base_url = f"http://hearth.test/t/{house.name}/oauth/"
        yield made


async def sent(http: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    body = {name: value for name, value in (APP | changes).items() if value is not None}
    return await http.post("register", json=body)


def refused(answer: httpx.Response, status: int, error: str, told: str = "") -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert told in answer.json()["error_description"]
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) == (status in (401, 403))


async def test_nobody_registers_without_an_invitation(house: Any, http: httpx.AsyncClient) -> None:
    async with house.client() as nobody:
        for headers in (
            {},
            {"Authorization": "Bearer garbage"},
            {"Authorization": "Basic YTpi"},
            {"Authorization": ""},
        ):
            answer = await nobody.post(f"{http.base_url}register", json=APP, headers=headers)
            refused(answer, 401, "invalid_token")
    async with house.client(await house.token()) as other:
        refused(await other.post(f"{http.base_url}register", json=APP), 403, "insufficient_scope")


async def test_an_invitation_of_another_tenant_or_one_that_is_over_is_none(
    house: Any, new_house: Any, http: httpx.AsyncClient
) -> None:
    elsewhere = await new_house()
    over = await invited(house, SCOPE, hours=-1)
    for token in (await invited(elsewhere, SCOPE), over):
        answer = await http.post("register", json=APP, headers={"Authorization": f"Bearer {token}"})
        refused(answer, 401, "invalid_token")


async def test_an_invitation_opens_nothing_else(house: Any, invitation: str) -> None:
    """It names system/Patient.rs, and yet reads no Patient."""
    async with house.client(invitation) as api:
        assert (await api.get("Patient")).status_code == 403
        assert (await api.get("Task")).status_code == 403


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"redirect_uris": ["http://app.example.org/done"]}, "invalid_redirect_uri", "https"),
        ({"redirect_uris": ["https://app.example.org/done#part"]}, "invalid_redirect_uri", "fragment"),
        ({"redirect_uris": ["/done"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["https://*.example.org/done"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["https://user:pw@app.example.org/"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["https://app.example.org:port/"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["https:///done"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["https://app.example.org/a b"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["https://app.example.org\\@evil.example/"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": ["myapp:/done"]}, "invalid_redirect_uri", "org.example.app"),
        ({"redirect_uris": ["http://localhost.evil.example/"]}, "invalid_redirect_uri", "https"),
        ({"redirect_uris": ["org.example.app:/done"], "token_endpoint_auth_method": "client_secret_basic"},
         "invalid_redirect_uri", "public app"),
        ({"redirect_uris": ["https://app.example.org/"] * 2}, "invalid_redirect_uri", "once"),
        ({"redirect_uris": ["https://app.example.org/" + "a" * 2000]}, "invalid_redirect_uri", "whole address"),
        ({"redirect_uris": "https://app.example.org/"}, "invalid_client_metadata", "redirect_uris"),
        ({"redirect_uris": [5]}, "invalid_client_metadata", "redirect_uris"),
        ({"redirect_uris": [], "grant_types": ["authorization_code"], "token_endpoint_auth_method": "client_secret_basic",
          "scope": "system/Patient.rs"}, "invalid_redirect_uri", "go together"),
        ({"redirect_uris": None}, "invalid_client_metadata", "None of the scopes"),
        ({"client_name": None}, "invalid_client_metadata", "client_name"),
        ({"client_name": " "}, "invalid_client_metadata", "client_name"),
        ({"client_name": "a\nb"}, "invalid_client_metadata", "client_name"),
        ({"client_name": "n" * 300}, "invalid_client_metadata", "client_name"),
        ({"client_name": 5}, "invalid_client_metadata", "client_name"),
        ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata", "token_endpoint_auth_method"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata", "grant_types"),
        ({"grant_types": ["password"]}, "invalid_client_metadata", "grant_types"),
        ({"grant_types": []}, "invalid_client_metadata", "grant_types"),
        ({"grant_types": ["authorization_code", "client_credentials"]}, "invalid_client_metadata", "public client"),
        ({"response_types": ["token"]}, "invalid_client_metadata", "response_types"),
        ({"scope": "user/*.cruds"}, "invalid_client_metadata", "invitation"),
        ({"scope": "system/*.rs"}, "invalid_client_metadata", "invitation"),
        ({"scope": "__register __introspect"}, "invalid_client_metadata", "invitation"),
        ({"scope": "nonsense"}, "invalid_client_metadata", "invitation"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata", "jwks_uri or jwks"),
        ({"jwks": {"keys": [PUBLIC]}}, "invalid_client_metadata", "no other method has keys"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [PUBLIC | {"d": "AAAA"}]}},
         "invalid_client_metadata", "private part"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [PUBLIC]}, "jwks_uri": "https://a.example/k"},
         "invalid_client_metadata", "one of them"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://a.example/k"},
         "invalid_client_metadata", "https"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://127.0.0.1/k"},
         "invalid_client_metadata", "https"),
        ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "file:///etc/passwd"},
         "invalid_client_metadata", "https"),
        ({"launch_url": "http://app.example.org/launch"}, "invalid_client_metadata", "launch_url"),
        ({"dpop_bound_access_tokens": "yes"}, "invalid_client_metadata", "dpop_bound_access_tokens"),
    ],
)  # fmt: skip
async def test_metadata_is_refused_with_a_sentence(
    house: Any, http: httpx.AsyncClient, changes: dict[str, Any], error: str, told: str
) -> None:
    refused(await sent(http, **changes), 400, error, told)
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        assert await clients.registered(connection, house.tenant_id) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"nonsense", b'"text"', b"\xff\xfe", b'{"client_name":'])
async def test_a_body_that_is_no_object_is_refused(http: httpx.AsyncClient, content: bytes) -> None:
    refused(await http.post("register", content=content), 400, "invalid_client_metadata")


async def test_a_large_body_is_refused(http: httpx.AsyncClient) -> None:
    refused(await sent(http, more="x" * 70_000), 400, "invalid_request", "larger than")


async def test_a_public_app_is_registered_with_what_the_invitation_allows(house: Any, http: httpx.AsyncClient) -> None:
    answer = await sent(
        http, client_id="mine", client_secret="mine", scope="openid launch patient/*.rs system/Patient.rs nonsense",
        client_uri="https://example.org", contacts=["help@example.org"], unknown={"a": 1},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["client_id"] != "mine"
    assert len(body["client_id"]) == 36
    assert "client_secret" not in body
    assert body["scope"] == "openid patient/Task.rs patient/Patient.rs"
    assert body["grant_types"] == ["authorization_code", "refresh_token"]
    assert body["response_types"] == ["code"]
    assert body["redirect_uris"] == APP["redirect_uris"]
    assert body["token_endpoint_auth_method"] == "none"
    assert body["client_uri"] == "https://example.org"
    assert body["contacts"] == ["help@example.org"]
    assert "unknown" not in body
    assert answer.headers["cache-control"] == "no-store"
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        client = await clients.find(connection, house.tenant_id, body["client_id"])
    assert client is not None
    assert client.is_public
    assert client.origins == ("https://app.example.org",)
    assert json.loads(client.about)["client_uri"] == "https://example.org"


async def test_a_registered_backend_client_gets_a_token(house: Any, http: httpx.AsyncClient) -> None:
    answer = await sent(http, redirect_uris=None, token_endpoint_auth_method=None, scope=None)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["scope"] == "system/Patient.rs"
    assert body["client_secret_expires_at"] == 0
    assert body["token_endpoint_auth_method"] == "client_secret_basic"
    del http.headers["Authorization"]
    token = await http.post(
        "token", data={"grant_type": "client_credentials"}, auth=(body["client_id"], body["client_secret"])
    )
    assert token.json()["scope"] == "system/Patient.rs"


async def test_a_client_with_keys_and_bound_tokens_is_registered(http: httpx.AsyncClient) -> None:
    keys = {"keys": [PUBLIC]}
    answer = await sent(
        http, token_endpoint_auth_method="private_key_jwt", jwks=keys, dpop_bound_access_tokens=True,
        launch_url="https://app.example.org/launch", scope=SCOPE,
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["jwks"] == keys
    assert body["dpop_bound_access_tokens"] is True
    assert body["launch_url"] == "https://app.example.org/launch"
    assert body["scope"] == SCOPE
    assert set(body["grant_types"]) == {"authorization_code", "refresh_token", "client_credentials"}


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1/done", "http://127.0.0.1:8000/done", "http://[::1]:5/", "http://localhost:3000/cb",
     "org.example.app:/done", "https://app.example.org/done?tenant=a", "https://app.example.org:8443/"],
)  # fmt: skip
async def test_an_app_on_a_device_may_come_back_to_itself(http: httpx.AsyncClient, uri: str) -> None:
    answer = await sent(http, redirect_uris=[uri])
    assert answer.status_code == 201, answer.text
    assert answer.json()["redirect_uris"] == [uri]


async def test_a_registration_and_its_refusal_are_in_the_audit_without_secrets(
    house: Any, http: httpx.AsyncClient, invitation: str
) -> None:
    made = (await sent(http, redirect_uris=None, token_endpoint_auth_method=None, scope=None)).json()
    await sent(http, client_name="")
    await house.app.engine.spool.flush()
    async with house.client(await house.token()) as api:
        registered = (await api.get("AuditEvent", params={"subtype": "client-registered"})).json()
        refusals = (await api.get("AuditEvent", params={"subtype": "registration-refused"})).json()
    (entry,) = registered["entry"]
    assert entry["resource"]["agent"][0]["who"]["identifier"]["value"] == made["client_id"]
    (entry,) = refusals["entry"]
    assert entry["resource"]["outcomeDesc"] == "invalid_client_metadata"
    for secret in (made["client_secret"], invitation):
        assert secret not in json.dumps([registered, refusals])


@pytest.mark.parametrize("scope", ["", "nonsense", "openid patient/Nothing", "__register"])
async def test_nobody_is_invited_to_what_no_client_can_have(house: Any, scope: str) -> None:
    with pytest.raises(Unprocessable):
        await invited(house, scope)


@pytest.mark.parametrize(
    "changes",
    [
        {"origins": ("https://app.example.org/path",)},
        {"origins": ("*",)},
        {"origins": ("http://app.example.org",)},
        {"origins": ("https://APP.example.org",)},
        {"clearance": ("two words",)},
        {"scope": "patient/*.rs"},
        {"scope": "openid"},
        {"grant_types": ("client_credentials", "refresh_token")},
    ],
)
def test_what_only_an_operator_can_say_is_checked_too(changes: dict[str, Any]) -> None:
    with pytest.raises(BadMetadata):
        check(NewClient(**({"name": "App", "scope": "system/*.rs"} | changes)))
