"""Clients and tokens on the database: who gets a token, with which scopes, and when it ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from service import tenants
from service.errors import Conflict, NotFound, Unprocessable
from service.oauth import (
    authorizations,
    authorize,
    clients,
    code,
    grants,
    keys,
    launch,
    par,
    refresh,
    replay,
    revoke,
    token,
)
from service.oauth.faults import InvalidClient, InvalidRequest, InvalidScope, UnsupportedGrantType
from service.oauth.form import Credentials, OAuthRequest
from service.oauth.keys import Keys
from service.oauth.smart import Place
from service.settings import Settings
from service.tenants import Tenant

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = 300
SETTINGS = Settings(backend_token_seconds=SECONDS)


@pytest.fixture(scope="module")
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def tenant(connection: asyncpg.Connection[Any]) -> Tenant:
    return await tenants.add(connection, f"t-{uuid4().hex[:12]}")


@pytest.fixture
async def client(connection: asyncpg.Connection[Any], tenant: Tenant) -> Credentials:
    return await clients.add(connection, tenant.id, "Diary app", "system/Task.rs system/Observation.cruds")


def asking(client: Credentials, **form: str) -> OAuthRequest:
    mine = {"client_id": client.client_id, "client_secret": client.client_secret, "grant_type": "client_credentials"}
    return OAuthRequest({name: value for name, value in (mine | form).items() if value})


def place(tenant: Tenant) -> Place:
    return Place("http://hearth.test", tenant.name)


async def issued(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials, **form: str
) -> token.TokenAnswer:
    asked = token.TokenRequest(tenant.id, asking(client, **form), place(tenant), NOW, SETTINGS, Keys(b"s" * 32))
    return await grants.issue(connection, asked)


async def test_issues_a_token_that_stands_for_its_client_until_it_expires(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client)
    assert answer.body == {
        "access_token": answer.access_token, "token_type": "Bearer", "expires_in": SECONDS,
        "scope": "system/Task.rs system/Observation.cruds",
    }  # fmt: skip
    access = await token.access(connection, tenant.id, answer.access_token, NOW)
    assert access == token.Access(
        client.client_id, "system/Task.rs system/Observation.cruds", NOW + timedelta(seconds=SECONDS)
    )
    assert await token.access(connection, tenant.id, answer.access_token, NOW + timedelta(seconds=SECONDS)) is None


async def test_narrows_the_scopes_to_the_registered_ones(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client, scope="openid system/*.read system/Goal.rs")
    assert answer.access.scope == "system/Task.rs system/Observation.rs"


async def test_neither_secret_nor_token_is_stored(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client)
    for table in ("oauth_client", "oauth_token"):
        rows = await connection.fetch(f"select r::text from {table} r where tenant_id = $1", tenant.id)
        assert rows
        assert not any(kept in row[0] for row in rows for kept in (client.client_secret, answer.access_token))


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ({"grant_type": ""}, InvalidRequest),
        ({"grant_type": "password"}, UnsupportedGrantType),
        ({"client_secret": "wrong"}, InvalidClient),
        ({"client_id": "unknown"}, InvalidClient),
        ({"client_id": "nul\0"}, InvalidClient),
        ({"client_secret": ""}, InvalidClient),
        ({"scope": "system/Patient.rs"}, InvalidScope),
        ({"scope": "patient/Task.rs launch"}, InvalidScope),
        ({"scope": "system/Task.rs " * 1000}, InvalidScope),
    ],
)
async def test_refuses_a_request_with_the_fault_the_standard_names(
    connection: asyncpg.Connection[Any],
    tenant: Tenant,
    client: Credentials,
    form: dict[str, str],
    fault: type[Exception],
) -> None:
    with pytest.raises(fault):
        await issued(connection, tenant, client, **form)


async def test_clients_and_tokens_of_one_tenant_mean_nothing_in_another(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    other = await tenants.add(connection, f"t-{uuid4().hex[:12]}")
    with pytest.raises(InvalidClient):
        await issued(connection, other, client)
    answer = await issued(connection, tenant, client)
    assert await token.access(connection, other.id, answer.access_token, NOW) is None


async def test_a_revoked_token_ends_at_once(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client)
    await revoke.revoke(connection, tenant.id, asking(client, token=answer.access_token), place(tenant), NOW)
    assert await token.access(connection, tenant.id, answer.access_token, NOW) is None
    await revoke.revoke(connection, tenant.id, asking(client, token="unknown"), place(tenant), NOW)


async def test_a_client_revokes_only_its_own_tokens(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client)
    other = await clients.add(connection, tenant.id, "Other", "system/*.cruds")
    await revoke.revoke(connection, tenant.id, asking(other, token=answer.access_token), place(tenant), NOW)
    assert await token.access(connection, tenant.id, answer.access_token, NOW) is not None
    with pytest.raises(InvalidClient):
        await revoke.revoke(connection, tenant.id, asking(client, client_secret="wrong", token="x"), place(tenant), NOW)
    with pytest.raises(InvalidRequest):
        await revoke.revoke(connection, tenant.id, asking(client), place(tenant), NOW)


async def test_disabling_a_client_ends_its_tokens_and_its_right_to_new_ones(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client)
    await clients.disable(connection, tenant.id, client.client_id, NOW)
    assert await token.access(connection, tenant.id, answer.access_token, NOW) is None
    with pytest.raises(InvalidClient):
        await issued(connection, tenant, client)
    assert [(one.name, one.disabled) for one in await clients.registered(connection, tenant.id)] == [
        ("Diary app", True)
    ]


async def test_rotating_a_secret_ends_the_old_one_and_its_tokens(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    answer = await issued(connection, tenant, client)
    new = await clients.rotate(connection, tenant.id, client.client_id, NOW)
    assert await token.access(connection, tenant.id, answer.access_token, NOW) is None
    with pytest.raises(InvalidClient):
        await issued(connection, tenant, client)
    assert (await issued(connection, tenant, new)).access_token


async def test_no_token_outlives_a_client_disabled_while_it_is_issued(
    connection: asyncpg.Connection[Any], database_url: str, tenant: Tenant
) -> None:
    other = await asyncpg.connect(database_url)
    try:
        for _ in range(20):
            client = await clients.add(connection, tenant.id, "Racing", "system/Task.rs")
            answer, _done = await asyncio.gather(
                issued(connection, tenant, client),
                clients.disable(other, tenant.id, client.client_id, NOW),
                return_exceptions=True,
            )
            if isinstance(answer, token.TokenAnswer):
                assert await token.access(connection, tenant.id, answer.access_token, NOW) is None
            else:
                assert isinstance(answer, InvalidClient)
    finally:
        await other.close()


async def test_purges_tokens_a_day_after_they_expired(
    connection: asyncpg.Connection[Any], tenant: Tenant, client: Credentials
) -> None:
    await issued(connection, tenant, client)
    assert await token.purge(connection, tenant.id, NOW + timedelta(hours=24)) == 0
    assert await token.purge(connection, tenant.id, NOW + timedelta(hours=26)) == 1


@pytest.mark.parametrize(
    ("name", "scope"), [("App", ""), ("App", "system/Task"), ("App", "user/Task.rs"), (" ", "system/*.r")]
)
async def test_registers_no_client_without_a_name_and_usable_scopes(
    connection: asyncpg.Connection[Any], tenant: Tenant, name: str, scope: str
) -> None:
    with pytest.raises(Unprocessable):
        await clients.add(connection, tenant.id, name, scope)


async def test_an_unknown_client_is_neither_disabled_nor_rotated(
    connection: asyncpg.Connection[Any], tenant: Tenant
) -> None:
    for act in (clients.disable, clients.rotate):
        with pytest.raises(NotFound):
            await act(connection, tenant.id, "unknown", NOW)


def test_every_statement_names_its_tenant() -> None:
    for statement in (
        *clients.STATEMENTS,
        *token.STATEMENTS,
        *revoke.STATEMENTS,
        *replay.STATEMENTS,
        *keys.STATEMENTS,
        *authorizations.STATEMENTS,
        *authorize.STATEMENTS,
        *code.STATEMENTS,
        *launch.STATEMENTS,
        *par.STATEMENTS,
        *refresh.STATEMENTS,
    ):
        tables = len(re.findall(r"\b(?:from|update|into) (?:oauth_|signing_)", statement))
        assert tables
        assert len(re.findall(r"tenant_id", statement)) >= tables


async def test_a_tenant_has_a_name_an_address_can_hold_and_only_one(
    connection: asyncpg.Connection[Any], tenant: Tenant
) -> None:
    for name in ("", "Upper", "a/b", "-a", "a-", "a" * 64, "ä"):
        with pytest.raises(Unprocessable):
            await tenants.add(connection, name)
    with pytest.raises(Conflict):
        await tenants.add(connection, tenant.name)
    with pytest.raises(NotFound):
        await tenants.find(connection, "nowhere")
    assert tenant.path == f"/t/{tenant.name}/fhir"


async def test_the_default_tenant_is_made_once(connection: asyncpg.Connection[Any]) -> None:
    first = await tenants.ensure_default(connection)
    assert await tenants.ensure_default(connection) == first
    assert first.path == "/fhir"
    assert first in await tenants.registered(connection)
