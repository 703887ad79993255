"""What a token stands for, told to who may know (RFC 7662), and its end (RFC 7009), which every worker sees at once."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from schemas import dates
from service.oauth import clients, secret
from service.oauth.metadata import NewClient
from service.oauth.token import Access, mint

GRANT: Final = {"grant_type": "client_credentials"}
CONTEXT: Final = {
    "patient": "p1", "encounter": "e1", "intent": "fill-in", "need_patient_banner": True, "tenant": "clinic",
    "smart_style_url": "https://hearth.test/style.json", "fhirContext": [{"reference": "Task/t1"}],
}  # fmt: skip
PERSONAL: Final = "openid fhirUser launch/patient patient/Task.rs offline_access"


class Desk:
    """A tenant's clients and its OAuth endpoints."""

    def __init__(self, house: Any, http: httpx.AsyncClient) -> None:
        self.house, self.http = house, http
        self.issuer = f"http://hearth.test/t/{house.name}"

    async def client(self, scope: str = "system/*.rs", **changes: Any) -> tuple[str, str]:
        async with self.house.app.engine.database.connection(self.house.tenant_id) as connection:
            made = await clients.register(connection, self.house.tenant_id, NewClient("App", scope, **changes))
        return made.client_id, made.client_secret

    async def app(self) -> str:
        """A public client."""
        given = {"auth_method": "none", "grant_types": ("authorization_code", "refresh_token")}
        return (await self.client(PERSONAL, redirect_uris=("https://app.example/",), **given))[0]

    async def token(self, client: tuple[str, str], **form: str) -> str:
        answer = await self.http.post(f"{self.issuer}/oauth/token", data=GRANT | form, auth=client)
        return str(answer.json()["access_token"])

    async def of_person(self, client_id: str, **changes: Any) -> tuple[str, str]:
        """An access token of a launch and the refresh token beside it, as the code grant leaves them behind."""
        tenant_id, now, authorization = self.house.tenant_id, dates.clock(), uuid4()
        refresh, later = secret.new(), dates.clock() + timedelta(hours=1)
        access = Access(
            client_id, PERSONAL, later, authorization, uuid4(), "Practitioner/dr", "p1", jkt=None
        )  # fmt: skip
        async with self.house.app.engine.database.connection(tenant_id) as connection:
            await connection.execute(
                "insert into oauth_authorization (tenant_id, authorization_id, client_id, account_id, scope, context,"
                " authenticated, created, expires) values ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
                tenant_id, authorization, client_id, access.account_id, PERSONAL, json.dumps(CONTEXT), now, later,
            )  # fmt: skip
            await connection.execute(
                "insert into oauth_refresh (tenant_id, token_hash, authorization_id, client_id, issued, expires)"
                " values ($1, $2, $3, $4, $5, $6)",
                tenant_id, secret.digest(refresh), authorization, client_id, now, later,
            )  # fmt: skip
            return await mint(connection, tenant_id, replace(access, **changes), now), refresh

    async def ask(self, token: str, auth: Any = None, name: str = "introspect", **more: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {auth}"} if isinstance(auth, str) else {}
        basic = auth if isinstance(auth, tuple) else None
        return await self.http.post(
            f"{self.issuer}/oauth/{name}", data={"token": token} | more, headers=headers, auth=basic
        )

    async def status(self, token: str, app: Any = None) -> int:
        house = self.house if app is None else replace(self.house, app=app)
        async with house.client(token) as api:
            return int((await api.get("Task")).status_code)


@pytest.fixture
async def desk(house: Any) -> AsyncIterator[Desk]:
    async with house.client() as http:
        yield Desk(house, http)


def refused(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "active" not in answer.json()


INACTIVE: Final = {"active": False}


async def test_nobody_learns_of_a_token_without_authentication(desk: Desk) -> None:
    client = await desk.client()
    token = await desk.token(client)
    refused(await desk.ask(token), 401, "invalid_client")
    refused(await desk.ask(token, client_id=client[0]), 401, "invalid_client")
    refused(await desk.ask(token, (client[0], "wrong")), 401, "invalid_client")
    refused(await desk.ask(token, "garbage"), 401, "invalid_token")
    refused(await desk.ask(token, token), 403, "insufficient_scope")  # a token tells nothing of itself


async def test_a_public_client_learns_nothing(desk: Desk) -> None:
    client_id = await desk.app()
    token, _ = await desk.of_person(client_id)
    refused(await desk.ask(token, client_id=client_id), 401, "invalid_client")


async def test_a_form_without_a_token_is_refused(desk: Desk) -> None:
    client = await desk.client()
    refused(await desk.ask("", client), 400, "invalid_request")


async def test_a_client_learns_of_its_own_token(desk: Desk) -> None:
    client = await desk.client("system/Task.rs system/Patient.rs")
    token = await desk.token(client, scope="system/Task.rs")
    answer = await desk.ask(token, client)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    now = int(dates.clock().timestamp())
    assert 0 < told.pop("exp") - now <= 300
    assert abs(told.pop("iat") - now) <= 5
    assert told == {
        "active": True, "scope": "system/Task.rs", "client_id": client[0], "token_type": "Bearer",
        "iss": desk.issuer, "aud": f"{desk.issuer}/fhir",
    }  # fmt: skip


async def test_of_other_tokens_it_is_told_that_they_are_inactive_and_no_more(desk: Desk, new_house: Any) -> None:
    client, other = await desk.client(), await desk.client()
    theirs, _ = await desk.of_person(await desk.app())
    far = Desk(await new_house(), desk.http)
    elsewhere = await far.token(await far.client())
    over, _ = await desk.of_person(client[0], expires=dates.clock() - timedelta(seconds=1))
    for token in (await desk.token(other), theirs, elsewhere, over, "unknown", "nul\0", "x" * 5000):
        answer = await desk.ask(token, client)
        assert (answer.status_code, answer.json()) == (200, INACTIVE)


async def test_with_the_right_every_token_of_the_tenant_is_told(desk: Desk, new_house: Any) -> None:
    entitled = await desk.client("system/*.rs __introspect")
    bearer = await desk.token(entitled, scope="__introspect")
    theirs = await desk.token(await desk.client())
    for asker in (entitled, bearer):
        assert (await desk.ask(theirs, asker)).json()["active"] is True
        assert (await desk.ask("unknown", asker)).json() == INACTIVE
    far = Desk(await new_house(), desk.http)
    elsewhere = await far.token(await far.client())
    assert (await desk.ask(elsewhere, bearer)).json() == INACTIVE
    refused(await far.ask(elsewhere, bearer), 401, "invalid_token")


async def test_the_right_has_to_be_registered(desk: Desk) -> None:
    client = await desk.client()
    token = await desk.token(client, scope="system/*.rs __introspect")
    assert (await desk.ask(token, client)).json()["scope"] == "system/*.rs"


async def test_a_token_of_a_person_is_told_with_the_context_of_its_launch(desk: Desk) -> None:
    entitled = await desk.client("__introspect")
    client_id = await desk.app()
    token, _ = await desk.of_person(client_id)
    told = (await desk.ask(token, entitled)).json()
    assert {name: told[name] for name in CONTEXT} == CONTEXT
    assert told["client_id"] == client_id
    assert set(told["scope"].split()) == set(PERSONAL.split())
    assert told["fhirUser"] == f"{desk.issuer}/fhir/Practitioner/dr"
    assert told["iss"] == desk.issuer
    assert 0 < len(told["sub"]) < 256
    assert isinstance(told["exp"], int)


async def test_who_the_person_is_is_told_only_where_the_scopes_say_so(desk: Desk) -> None:
    entitled = await desk.client("__introspect")
    token, _ = await desk.of_person(await desk.app(), scope="patient/Task.rs")
    told = (await desk.ask(token, entitled)).json()
    assert not {"sub", "fhirUser"} & told.keys()
    assert told["patient"] == "p1"


async def test_a_bound_token_is_told_with_its_key(desk: Desk) -> None:
    entitled = await desk.client("__introspect")
    token, _ = await desk.of_person(await desk.app(), jkt="thumb")
    told = (await desk.ask(token, entitled)).json()
    assert (told["token_type"], told["cnf"]) == ("DPoP", {"jkt": "thumb"})


async def test_a_refresh_token_is_inactive_here(desk: Desk) -> None:
    _, refresh = await desk.of_person(await desk.app())
    assert (await desk.ask(refresh, await desk.client("__introspect"))).json() == INACTIVE


async def test_a_revoked_token_is_inactive_on_every_worker(desk: Desk, second: Any) -> None:
    client = await desk.client("__introspect system/*.rs")
    token = await desk.token(client)
    assert await desk.status(token) == await desk.status(token, second) == 200
    assert (await desk.ask(token, client, "revoke")).status_code == 200
    assert await desk.status(token) == await desk.status(token, second) == 401
    assert (await desk.ask(token, client)).json() == INACTIVE
    async with replace(desk.house, app=second).client() as there:
        assert (await Desk(desk.house, there).ask(token, client)).json() == INACTIVE


async def test_a_refresh_token_ends_its_authorization_and_all_its_tokens(desk: Desk, second: Any) -> None:
    client_id, entitled = await desk.app(), await desk.client("__introspect")
    token, refresh = await desk.of_person(client_id)
    kept, _ = await desk.of_person(client_id)  # another consent
    answer = await desk.ask(refresh, None, "revoke", client_id=client_id, token_type_hint="refresh_token")
    assert (answer.status_code, answer.content) == (200, b"")
    assert await desk.status(token) == await desk.status(token, second) == 401
    assert (await desk.ask(token, entitled)).json() == INACTIVE
    assert (await desk.ask(kept, entitled)).json()["active"] is True
    async with desk.house.app.engine.database.connection(desk.house.tenant_id) as connection:
        rows = await connection.fetch(
            "select a.revoked from oauth_authorization a join oauth_refresh r on r.tenant_id = $1"
            " and r.authorization_id = a.authorization_id where a.tenant_id = $1 and r.token_hash = $2",
            desk.house.tenant_id, secret.digest(refresh),
        )  # fmt: skip
    assert [row["revoked"] is not None for row in rows] == [True]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
async def test_the_hint_may_be_wrong(desk: Desk, hint: str) -> None:
    client_id = await desk.app()
    token, refresh = await desk.of_person(client_id)
    for each in (token, refresh, refresh):
        answer = await desk.ask(each, None, "revoke", client_id=client_id, token_type_hint=hint)
        assert answer.status_code == 200
    assert await desk.status(token) == 401


async def test_a_client_ends_no_tokens_of_another(desk: Desk) -> None:
    client_id, other, confidential = await desk.app(), await desk.app(), await desk.client()
    token, refresh = await desk.of_person(client_id)
    for given in (token, refresh):
        assert (await desk.ask(given, None, "revoke", client_id=other)).status_code == 200
        assert (await desk.ask(given, confidential, "revoke")).status_code == 200
    refused(await desk.ask(token, None, "revoke", client_id="nobody"), 401, "invalid_client")
    refused(await desk.ask(token, None, "revoke"), 401, "invalid_client")
    refused(await desk.ask(token, None, "revoke", client_id=confidential[0]), 401, "invalid_client")
    entitled = await desk.client("__introspect")
    assert (await desk.ask(token, entitled)).json()["active"] is True


async def test_a_disabled_client_loses_its_tokens_and_authorizations(desk: Desk) -> None:
    client_id, entitled = await desk.app(), await desk.client("__introspect")
    token, _ = await desk.of_person(client_id)
    async with desk.house.app.engine.database.connection(desk.house.tenant_id) as connection:
        await clients.disable(connection, desk.house.tenant_id, client_id, dates.clock())
        open_ones = await connection.fetchval(
            "select count(*) from oauth_authorization where tenant_id = $1 and client_id = $2 and revoked is null",
            desk.house.tenant_id, client_id,
        )  # fmt: skip
    assert open_ones == 0
    assert (await desk.ask(token, entitled)).json() == INACTIVE


async def test_issues_revocations_and_questions_are_in_the_audit_without_tokens(desk: Desk) -> None:
    client = await desk.client("__introspect system/AuditEvent.rs")
    token = await desk.token(client)
    await desk.ask(token, client)
    await desk.ask("unknown", client)
    await desk.ask(token, client, "revoke")
    reader = await desk.token(client)
    await desk.house.app.engine.spool.flush()
    async with desk.house.client(reader) as api:
        found = {
            kind: (await api.get("AuditEvent", params={"subtype": kind})).json()
            for kind in ("token-issued", "token-introspected", "token-revoked")
        }
    assert {kind: len(bundle["entry"]) for kind, bundle in found.items()} == {
        "token-issued": 2, "token-introspected": 2, "token-revoked": 1,
    }  # fmt: skip
    for bundle in found.values():
        for entry in bundle["entry"]:
            event = entry["resource"]
            assert event["agent"][0]["who"]["identifier"]["value"] == client[0]
            assert event["agent"][0]["network"]["address"] == "127.0.0.1"
            assert event["outcome"] == "0"
    for kept in (token, reader, client[1]):
        assert kept not in json.dumps(found)
