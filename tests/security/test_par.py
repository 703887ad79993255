"""Pushed authorization requests. https://www.rfc-editor.org/rfc/rfc9126"""

from typing import Any

import httpx
import pytest


def refused(answer: httpx.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "request_uri" not in answer.json()


async def push(stage: Any, app: Any, **changes: str | None) -> httpx.Response:
    auth = (app.client_id, app.client_secret) if app.client_secret else httpx.USE_CLIENT_DEFAULT
    answer: httpx.Response = await stage.http.post(f"{app.issuer}/oauth/par", data=app.asks(**changes), auth=auth)
    return answer


async def go(stage: Any, app: Any, request_uri: str, **more: str) -> httpx.Response:
    params = {"client_id": app.client_id, "request_uri": request_uri} | more
    answer: httpx.Response = await stage.http.get(f"{app.issuer}/oauth/authorize", params=params)
    return answer


def shown(answer: httpx.Response) -> None:
    assert answer.status_code == 400, answer.text
    assert "location" not in answer.headers


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_a_pushed_request_goes_all_the_way(stage: Any, method: str) -> None:
    app, person = await stage.app(auth_method=method), await stage.person("Patient/p1")
    answer = await push(stage, app)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"request_uri", "expires_in"}
    assert body["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert 5 <= body["expires_in"] <= 90
    location = await stage.answer(await go(stage, app, body["request_uri"]), person)
    assert f"state={app.state}" in location
    code = location.partition("code=")[2].partition("&")[0]
    assert (await app.redeem(stage.http, code)).status_code == 200


async def test_what_else_is_sent_with_it_counts_for_nothing(stage: Any) -> None:
    app = await stage.app()
    uri = (await push(stage, app, scope="openid")).json()["request_uri"]
    handle = stage.handle(
        await go(stage, app, uri, scope="patient/*.rs", redirect_uri="https://evil.example", state="x")
    )
    asked = await stage.find(handle)
    assert (asked.scopes, asked.state, asked.redirect_uri) == (("openid",), app.state, app.redirect_uri)


async def test_it_is_used_once(stage: Any) -> None:
    app = await stage.app()
    uri = (await push(stage, app)).json()["request_uri"]
    stage.handle(await go(stage, app, uri))
    shown(await go(stage, app, uri))


async def test_of_two_uses_at_once_one_goes_on(stage: Any) -> None:
    app = await stage.app()
    uri = (await push(stage, app)).json()["request_uri"]
    answers = await stage.race(lambda: go(stage, app, uri), lambda: go(stage, app, uri))
    assert sorted(answer.status_code for answer in answers) == [303, 400]


async def test_it_is_over_after_90_seconds(stage: Any) -> None:
    app = await stage.app()
    uri = (await push(stage, app)).json()["request_uri"]
    await stage.execute("update oauth_request set expires = expires - interval '90 seconds' where tenant_id = $1")
    shown(await go(stage, app, uri))


async def test_it_is_of_the_client_that_pushed_it(stage: Any) -> None:
    app, other = await stage.app(), await stage.app()
    uri = (await push(stage, app)).json()["request_uri"]
    shown(await go(stage, other, uri))
    stage.handle(await go(stage, app, uri))


async def test_an_unknown_one_is_a_page(stage: Any) -> None:
    app = await stage.app()
    shown(await go(stage, app, "urn:ietf:params:oauth:request_uri:unknown"))


async def test_it_is_no_handle(stage: Any) -> None:
    uri = (await push(stage, await stage.app())).json()["request_uri"]
    assert await stage.find(f"{uri}~{'x' * 43}") is None


async def test_a_confidential_client_shall_authenticate(stage: Any) -> None:
    app = await stage.app(auth_method="client_secret_basic")
    for secret in ("", "wrong"):
        app.client_secret = secret
        refused(await push(stage, app), "invalid_client", 401)
    assert await stage.count("oauth_request") == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"client_id": "unknown"}, "invalid_client"),
    ],
)
async def test_what_would_be_refused_later_is_refused_at_once(
    stage: Any, changes: dict[str, str | None], error: str
) -> None:
    refused(await push(stage, await stage.app(), **changes), error, 401 if error == "invalid_client" else 400)
    assert await stage.count("oauth_request") == 0


async def test_a_client_without_the_grant_is_refused(stage: Any) -> None:
    app = await stage.app()
    await stage.execute("update oauth_client set grant_types = '{refresh_token}' where tenant_id = $1")
    refused(await push(stage, app), "unauthorized_client")


async def test_it_is_a_form_of_limited_size(stage: Any) -> None:
    app = await stage.app()
    refused(await push(stage, app, scope="x" * 70_000), "invalid_request")
    answer = await stage.http.post(f"{app.issuer}/oauth/par", json=app.asks())
    refused(answer, "invalid_request")


async def test_no_secret_is_stored_with_it(stage: Any) -> None:
    app = await stage.app(auth_method="client_secret_post")
    data = app.asks(client_secret=app.client_secret)
    assert (await stage.http.post(f"{app.issuer}/oauth/par", data=data)).status_code == 201
    async with stage.connection() as connection:
        rows = await connection.fetch("select * from oauth_request where tenant_id = $1", stage.house.tenant_id)
    assert app.client_secret not in repr([dict(row) for row in rows])
    assert app.client_id in repr([dict(row) for row in rows])
