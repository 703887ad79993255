"""The token and revocation endpoints: what RFC 6749 and RFC 7009 ask of an answer, refusals above all."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from service.oauth import clients
from service.oauth.form import Credentials

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def client(house: Any) -> Credentials:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        return await clients.add(connection, house.tenant_id, "test", "system/Patient.rs system/Task.cruds")


@pytest.fixture
async def http(house: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as made:
        made.base_url = f"http://hearth.test/t/{house.name}/oauth/"
        yield made


def basic(client_id: str, client_secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()}


def refused(answer: httpx.Response, status: int, error: str) -> None:
    """An error as RFC 6749 (5.2) has it."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) <= {"error", "error_description", "error_uri"}
    assert " " in body["error_description"]
    # The characters that RFC 6749 (5.2) lets a description have.
    assert all(" " <= char <= "~" and char not in '"\\' for char in body["error_description"])
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_a_token_by_basic_and_by_post(http: httpx.AsyncClient, client: Credentials) -> None:
    in_header = await http.post("token", data=GRANT, headers=basic(client.client_id, client.client_secret))
    in_body = await http.post(
        "token", data=GRANT | {"client_id": client.client_id, "client_secret": client.client_secret}
    )
    for answer in (in_header, in_body):
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        body = answer.json()
        assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
        assert body["token_type"].lower() == "bearer"
        assert body["scope"] == "system/Patient.rs system/Task.cruds"
    assert in_header.json()["access_token"] != in_body.json()["access_token"]


@pytest.mark.parametrize(
    ("headers", "form", "status", "error"),
    [
        ({}, GRANT, 401, "invalid_client"),
        ({}, GRANT | {"client_id": "ID"}, 401, "invalid_client"),
        ({}, GRANT | {"client_secret": "SECRET"}, 401, "invalid_client"),
        ({}, GRANT | {"client_id": "ID", "client_secret": "wrong"}, 401, "invalid_client"),
        ({}, GRANT | {"client_id": "ID", "client_secret": ""}, 401, "invalid_client"),
        ({}, GRANT | {"client_id": "nobody", "client_secret": "SECRET"}, 401, "invalid_client"),
        ({}, GRANT | {"client_id": "a\0b", "client_secret": "SECRET"}, 401, "invalid_client"),
        (basic("nobody", "x"), GRANT, 401, "invalid_client"),
        (basic("a%00b", "x"), GRANT, 401, "invalid_client"),
        ({"Authorization": "Basic !!!"}, GRANT, 401, "invalid_client"),
        ({"Authorization": "Basic bm9jb2xvbg=="}, GRANT, 401, "invalid_client"),
        ({"Authorization": "Basic"}, GRANT, 401, "invalid_client"),
        ({"Authorization": "Bearer abc"}, GRANT, 401, "invalid_client"),
        ({"Authorization": "BOTH"}, GRANT | {"client_id": "ID", "client_secret": "SECRET"}, 400, "invalid_request"),
        ({"Authorization": "BOTH"}, GRANT | {"client_id": "another"}, 400, "invalid_request"),
        ({"Authorization": "BOTH"}, {}, 400, "invalid_request"),
        ({"Authorization": "BOTH"}, {"grant_type": ""}, 400, "invalid_request"),
        ({"Authorization": "BOTH"}, {"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"Authorization": "BOTH"}, {"grant_type": "authorization_code", "code": "x"}, 400, "unauthorized_client"),
        ({"Authorization": "BOTH"}, GRANT | {"scope": "system/Observation.rs"}, 400, "invalid_scope"),
        ({"Authorization": "BOTH"}, GRANT | {"scope": "launch openid"}, 400, "invalid_scope"),
        ({"Authorization": "BOTH"}, GRANT | {"scope": "\x7f\0é"}, 400, "invalid_scope"),
        ({"Authorization": "BOTH"}, GRANT | {"scope": "s" * 20_000}, 400, "invalid_scope"),
    ],
)
async def test_the_token_endpoint_refuses(
    http: httpx.AsyncClient, client: Credentials, headers: dict[str, str], form: dict[str, str], status: int, error: str
) -> None:
    """ID and SECRET stand for the client's own, BOTH for the header that is right."""
    own = {"ID": client.client_id, "SECRET": client.client_secret}
    if headers.get("Authorization") == "BOTH":
        headers = basic(client.client_id, client.client_secret)
    answer = await http.post("token", data={key: own.get(value, value) for key, value in form.items()}, headers=headers)
    if not form:
        answer = await http.post(
            "token", content="", headers=headers | {"Content-Type": "application/x-www-form-urlencoded"}
        )
    refused(answer, status, error)
    assert client.client_secret not in answer.text


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (json.dumps(GRANT), "application/json"),
        ("grant_type=client_credentials", ""),
        ("grant_type=client_credentials", "text/plain"),
        ("grant_type=client_credentials&grant_type=client_credentials", "application/x-www-form-urlencoded"),
        ("grant_type=client_credentials&scope=a&scope=b", "application/x-www-form-urlencoded"),
        ("grant_type=%ff", "application/x-www-form-urlencoded"),
        (b"grant_type=\xff", "application/x-www-form-urlencoded"),
        ("&".join(f"a{at}=b" for at in range(100)), "application/x-www-form-urlencoded"),
        ("a" * 70_000, "application/x-www-form-urlencoded"),
    ],
    ids=["json", "no type", "text", "grant twice", "scope twice", "no utf-8", "no utf-8 raw", "many", "large"],
)
@pytest.mark.parametrize("endpoint", ["token", "revoke"])
async def test_a_body_that_is_no_form_is_refused(
    http: httpx.AsyncClient, client: Credentials, endpoint: str, content: Any, media_type: str
) -> None:
    headers = basic(client.client_id, client.client_secret) | ({"Content-Type": media_type} if media_type else {})
    refused(await http.post(endpoint, content=content, headers=headers), 400, "invalid_request")


@pytest.mark.parametrize("endpoint", ["token", "revoke"])
async def test_only_post_is_taken(http: httpx.AsyncClient, endpoint: str) -> None:
    answer = await http.get(f"{endpoint}?grant_type=client_credentials&client_secret=x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_scopes_are_narrowed_to_what_is_registered(http: httpx.AsyncClient, client: Credentials) -> None:
    asked = GRANT | {"scope": "system/*.cruds openid system/Flag.r"}
    answer = await http.post("token", data=asked, headers=basic(client.client_id, client.client_secret))
    assert answer.json()["scope"] == "system/Patient.rs system/Task.cruds"


async def token_of(http: httpx.AsyncClient, client: Credentials) -> str:
    answer = await http.post("token", data=GRANT, headers=basic(client.client_id, client.client_secret))
    return str(answer.json()["access_token"])


async def status_with(house: Any, token: str) -> int:
    async with house.client(token) as api:
        return int((await api.get("Patient")).status_code)


async def test_a_client_revokes_its_own_token_and_no_other(
    house: Any, http: httpx.AsyncClient, client: Credentials
) -> None:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        other = await clients.add(connection, house.tenant_id, "other", "system/Patient.rs")
    token, kept = await token_of(http, client), await token_of(http, client)
    mine = basic(client.client_id, client.client_secret)
    theirs = await http.post("revoke", data={"token": token}, headers=basic(other.client_id, other.client_secret))
    assert theirs.status_code == 200  # RFC 7009 (2.2): the client learns nothing
    assert await status_with(house, token) == 200
    refused(
        await http.post("revoke", data={"token": token}, headers=basic(client.client_id, "x")), 401, "invalid_client"
    )
    refused(await http.post("revoke", data={"token": token}), 401, "invalid_client")
    refused(await http.post("revoke", data={}, headers=mine | {"Content-Type": "application/x-www-form-urlencoded"}),
            400, "invalid_request")  # fmt: skip
    assert await status_with(house, token) == 200
    for _ in range(2):
        assert (await http.post("revoke", data={"token": token}, headers=mine)).status_code == 200
        assert await status_with(house, token) == 401
    assert (await http.post("revoke", data={"token": "unknown"}, headers=mine)).status_code == 200
    assert await status_with(house, kept) == 200


async def test_secrets_and_tokens_are_kept_as_hashes(house: Any, http: httpx.AsyncClient, client: Credentials) -> None:
    token = await token_of(http, client)
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        for table in ("oauth_client", "oauth_token"):
            rows = await connection.fetch(f"select t::text from {table} t where tenant_id = $1", house.tenant_id)
            assert rows
            assert not [row for row in rows if token in row[0] or client.client_secret in row[0]]


async def test_a_token_in_the_address_or_the_form_is_none(
    house: Any, http: httpx.AsyncClient, client: Credentials
) -> None:
    """RFC 6750 (2.2, 2.3) knows both; an address is logged on its way, so only the header counts here."""
    token = await token_of(http, client)
    async with house.client() as api:
        assert (await api.get(f"Patient?access_token={token}")).status_code == 401
        assert (await api.post("Patient/_search", data={"access_token": token})).status_code == 401


async def test_what_discovery_names_works(house: Any, http: httpx.AsyncClient, client: Credentials) -> None:
    async with house.client() as api:
        found = (await api.get(".well-known/smart-configuration")).json()
    answer = await http.post(found["token_endpoint"], data=GRANT, headers=basic(client.client_id, client.client_secret))
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    revoked = await http.post(
        found["revocation_endpoint"], data={"token": token}, headers=basic(client.client_id, client.client_secret)
    )
    assert revoked.status_code == 200
    assert await status_with(house, token) == 401
