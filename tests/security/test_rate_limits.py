"""Who asks too often is told to wait, in OAuth's words, and keeps nobody else from asking."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from api.app import Hearth, create_app
from service.oauth import clients

LIMITS: Final = {"rate_token": 4, "rate_introspect": 3, "rate_register": 2, "rate_authorize": 2, "rate_sign_in": 2}


@pytest.fixture
async def strict(hearth: Hearth, tmp_path: Any) -> AsyncIterator[Hearth]:
    """A worker with limits that are soon reached."""
    settings = hearth.engine.settings.model_copy(
        update={"audit_spool_dir": tmp_path, "pool_max": 2, "tenant_concurrency": 2, **LIMITS}
    )
    app = create_app(settings)
    await app.engine.start()
    yield app
    await app.engine.stop()


@pytest.fixture
async def http(strict: Hearth, house: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(strict, house, "192.0.2.1") as made:
        yield made


def asking(app: Hearth, house: Any, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url=f"http://hearth.test/t/{house.name}/oauth/")


async def registered(house: Any) -> tuple[str, str]:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        made = await clients.add(connection, house.tenant_id, "App", "system/*.rs")
    return made.client_id, made.client_secret


def told_to_wait(answer: httpx.Response) -> None:
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"] == "temporarily_unavailable"
    assert " " in answer.json()["error_description"]


GRANT: Final = {"grant_type": "client_credentials"}


async def test_a_client_that_asks_for_tokens_too_often_waits(house: Any, http: httpx.AsyncClient) -> None:
    client = await registered(house)
    for _ in range(4):
        assert (await http.post("token", data=GRANT, auth=client)).status_code == 200
    for _ in range(2):
        told_to_wait(await http.post("token", data=GRANT, auth=client))


async def test_who_guesses_secrets_waits_but_not_the_client_elsewhere(
    house: Any, strict: Hearth, http: httpx.AsyncClient
) -> None:
    client = await registered(house)
    for _ in range(4):
        assert (await http.post("token", data=GRANT, auth=(client[0], "guess"))).status_code == 401
    told_to_wait(await http.post("token", data=GRANT, auth=(client[0], "guess")))
    async with asking(strict, house, "198.51.100.7") as elsewhere:
        assert (await elsewhere.post("token", data=GRANT, auth=client)).status_code == 200
    assert (await http.post("token", data=GRANT, auth=await registered(house))).status_code == 200


async def test_an_address_that_tries_many_names_waits(http: httpx.AsyncClient) -> None:
    answers = [await http.post("token", data=GRANT, auth=(f"name-{number}", "guess")) for number in range(30)]
    assert [answer.status_code for answer in answers].count(401) == 20
    told_to_wait(answers[-1])


@pytest.mark.parametrize(("endpoint", "limit"), [("introspect", 3), ("revoke", 3), ("par", 2), ("register", 10)])
async def test_the_other_endpoints_have_limits_too(
    house: Any, http: httpx.AsyncClient, endpoint: str, limit: int
) -> None:
    client = await registered(house)
    sent: dict[str, Any] = {"data": {"token": "x"}, "auth": client}
    if endpoint == "register":
        sent = {"json": {}}
    answers = [await http.post(endpoint, **sent) for _ in range(limit + 3)]
    assert 429 not in [answer.status_code for answer in answers[: limit - 1]]
    told_to_wait(answers[-1])


async def test_a_body_that_is_too_large_is_not_read_at_any_endpoint(house: Any, hearth: Hearth) -> None:
    async with asking(hearth, house, "192.0.2.1") as http:
        for endpoint in ("token", "revoke", "introspect", "register", "par", "launch"):
            answer = await http.post(endpoint, content="a" * 70_000, headers={"Content-Type": "text/plain"})
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), endpoint
            assert "larger than" in answer.json()["error_description"]
