"""Pages of other origins in a browser. https://fetch.spec.whatwg.org/#http-cors-protocol"""

from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from schemas import dates
from service.oauth import clients
from service.oauth.metadata import NewClient
from service.oauth.origins import KNOWN

APP: Final = "https://app.example.org"
PREFLIGHT: Final = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization, x-own"}
READ: Final = ("etag", "location", "content-location", "last-modified", "x-request-id")


@pytest.fixture
async def client_id(house: Any) -> str:
    """A client registered with the origin APP."""
    new = NewClient("App", "patient/*.rs", "none", ("authorization_code",), (f"{APP}/done",))
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        return (await clients.register(connection, house.tenant_id, new)).client_id


def shared(answer: httpx.Response) -> list[str]:
    """The names of the headers that let a page in."""
    return [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://app.example.org", "https://app.example.org:444", "null", f"{APP}/done", "é"],
)
@pytest.mark.usefixtures("client_id")
async def test_a_page_of_an_origin_that_is_not_registered_may_neither_ask_nor_read(
    api: httpx.AsyncClient, origin: str
) -> None:
    sent = {"Origin": origin.encode()}
    asked = {name: value.encode() for name, value in PREFLIGHT.items()}
    before = await api.options("Patient/p", headers=sent | asked)
    assert (before.status_code, shared(before)) == (204, [])
    assert shared(await api.get("Patient", headers=sent)) == []


@pytest.mark.usefixtures("client_id")
async def test_an_origin_of_another_tenant_may_not(new_house: Any) -> None:
    other = await new_house()
    async with other.client(await other.token()) as http:
        assert shared(await http.get("Patient", headers={"Origin": APP})) == []


async def test_the_origin_of_a_disabled_client_may_not_after_a_moment(
    house: Any, api: httpx.AsyncClient, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared(await api.get("Patient", headers={"Origin": APP}))
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await clients.disable(connection, house.tenant_id, client_id, dates.clock())
    later = dates.clock() + KNOWN + timedelta(seconds=1)
    monkeypatch.setattr("api.cors.dates.clock", lambda: later)
    assert shared(await api.options("Patient", headers={"Origin": APP} | PREFLIGHT)) == []


@pytest.mark.usefixtures("client_id")
async def test_a_page_of_a_registered_origin_may_ask_without_a_token_whether_it_may_ask(house: Any) -> None:
    async with house.client() as http:
        answer = await http.options("Patient/p", headers={"Origin": APP} | PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "PUT" in answer.headers["access-control-allow-methods"].split(", ")
    assert answer.headers["access-control-allow-headers"] == "authorization, x-own"
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in answer.headers["vary"]


@pytest.mark.usefixtures("client_id")
async def test_a_page_of_a_registered_origin_may_read_the_answer_and_its_headers(api: httpx.AsyncClient) -> None:
    made = await api.put("Patient/p", json={"resourceType": "Patient", "id": "p"}, headers={"Origin": APP})
    assert made.status_code == 201
    assert made.headers["access-control-allow-origin"] == APP
    assert set(READ) <= set(made.headers["access-control-expose-headers"].lower().split(", "))
    assert "origin" in made.headers["vary"]


@pytest.mark.usefixtures("client_id")
async def test_a_page_of_a_registered_origin_may_read_why_it_is_refused(house: Any) -> None:
    async with house.client() as http:
        for answer in (
            await http.get("Patient", headers={"Origin": APP}),
            await http.get("x/y/z", headers={"Origin": APP}),
        ):
            assert answer.status_code in (401, 404)
            assert answer.headers["access-control-allow-origin"] == APP


async def test_any_page_may_read_what_the_server_can_do(house: Any) -> None:
    async with house.client() as http:
        answer = await http.get("metadata", headers={"Origin": "https://anyone.example"})
        before = await http.options("metadata", headers={"Origin": "https://anyone.example"} | PREFLIGHT)
        for name in ("smart-configuration", "openid-configuration"):
            found = await http.get(f".well-known/{name}", headers={"Origin": "https://anyone.example"})
            assert found.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert before.headers["access-control-allow-headers"] == "authorization, x-own"


async def test_without_an_origin_there_is_no_question(api: httpx.AsyncClient) -> None:
    assert shared(await api.get("Patient")) == []
    assert (await api.options("Patient", headers=PREFLIGHT)).status_code == 405
