"""Authorization requests by a direct way. https://www.rfc-editor.org/rfc/rfc9126"""

import asyncio
from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient patient/*.rs"


@smart("RFC9126-2")
async def test_a_pushed_request_stands_for_its_parameters(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    verifier, challenge = new_pkce()
    params = clinic.request(app, SCOPE, challenge, state="pushed")
    pushed = await clinic.post("par", params, app)
    assert pushed.status_code == 201, pushed.text
    assert 5 <= pushed.json()["expires_in"] <= 600
    browser = clinic.browser()
    short = {"client_id": app.client_id, "request_uri": pushed.json()["request_uri"]}
    landed = await browser.arrive(await clinic.ask(short, "GET", browser), clinic.people["patient"])
    assert (landed.location, landed.told["state"]) == (app.redirect_uri, "pushed")
    assert (await clinic.redeem(app, landed.told["code"], verifier)).status_code == 200


@smart("RFC9126-2")
async def test_a_pushed_request_is_used_once_by_its_own_client(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    other = await clinic.app(redirect_uris=(app.redirect_uri,))
    pushed = await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1]), app)
    short = {"client_id": app.client_id, "request_uri": pushed.json()["request_uri"]}
    stolen = await clinic.ask(short | {"client_id": other.client_id})
    assert (stolen.status_code, "location" in stolen.headers) == (400, False)
    assert (await clinic.ask(short)).status_code in (302, 303)
    again = await clinic.ask(short)
    assert (again.status_code, "location" in again.headers) == (400, False)


@smart("RFC9126-2")
async def test_of_ten_who_bring_one_pushed_request_at_once_exactly_one_goes_on(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    pushed = (await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1]), app)).json()["request_uri"]
    short = {"client_id": app.client_id, "request_uri": pushed}
    answers = await asyncio.gather(*(clinic.ask(short) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [303] + [400] * 9


@smart("RFC9126-2")
async def test_a_pushed_request_is_over_after_ten_minutes_at_most(clinic: Any, new_pkce: Any, later: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    pushed = (await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1]), app)).json()
    later(pushed["expires_in"] + 1)
    answer = await clinic.ask({"client_id": app.client_id, "request_uri": pushed["request_uri"]})
    assert (answer.status_code, "location" in answer.headers) == (400, False)


@smart("RFC9126-2", "RFC6749-5.2")
async def test_a_request_is_pushed_by_an_authenticated_client_only(clinic: Any, new_pkce: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    params = clinic.request(app, SCOPE, new_pkce()[1])
    answer = await clinic.post("par", params)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"aud": "https://evil.example/fhir"}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    ],
)
@smart("RFC9126-2")
async def test_a_pushed_request_is_checked_when_it_is_pushed(
    clinic: Any, new_pkce: Any, changed: dict[str, str | None], error: str
) -> None:
    app = await clinic.app(auth="client_secret_basic")
    answer = await clinic.post("par", clinic.request(app, SCOPE, new_pkce()[1], **changed), app)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
