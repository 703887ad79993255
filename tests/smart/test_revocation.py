"""Access that ends at once. https://www.rfc-editor.org/rfc/rfc7009"""

import asyncio
from typing import Any

import pytest

from schemas import dates
from service.oauth import clients
from service.people import accounts

smart = pytest.mark.smart
SCOPE = "openid launch/patient offline_access patient/*.rs"
KINDS = pytest.mark.parametrize("auth", ["none", "client_secret_basic", "private_key_jwt"])


async def is_over(clinic: Any, app: Any, told: dict[str, Any]) -> bool:
    """Whether neither the access token nor the refresh token is good for anything."""
    read = await clinic.read(told["access_token"], "Patient/pat")
    renewed = await clinic.refresh(app, told["refresh_token"])
    return bool(read.status_code == 401 and renewed.status_code in (400, 401))


@KINDS
@smart("392", "RFC7009-2", "g10-9.3")
async def test_a_revoked_access_token_ends_with_the_answer(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    told = await clinic.connect(app, clinic.people["patient"], SCOPE)
    answer = await clinic.post("revoke", {"token": told["access_token"]}, app)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (await clinic.read(told["access_token"], "Patient/pat")).status_code == 401


@KINDS
@smart("RFC7009-2.1", "g10-9.3")
async def test_revoking_the_refresh_token_ends_the_access_tokens_too(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    second = (await clinic.refresh(app, first["refresh_token"])).json()
    assert (await clinic.post("revoke", {"token": second["refresh_token"]}, app)).status_code == 200
    assert (await clinic.read(first["access_token"], "Patient/pat")).status_code == 401
    assert await is_over(clinic, app, second)


@smart("RFC7009-2")
async def test_an_unknown_token_is_no_error_and_one_of_another_client_stays(clinic: Any) -> None:
    app, other = await clinic.app(), await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], SCOPE)
    for token in ("made-up", told["access_token"], told["refresh_token"], "a\0b"):
        for hint in ("access_token", "refresh_token", "made_up"):
            answer = await clinic.post("revoke", {"token": token, "token_type_hint": hint}, other)
            assert answer.status_code == 200
    assert (await clinic.read(told["access_token"], "Patient/pat")).status_code == 200
    assert (await clinic.refresh(app, told["refresh_token"])).status_code == 200


@smart("RFC7009-2", "RFC6749-5.2")
async def test_revocation_needs_the_proof_of_the_client(clinic: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    told = await clinic.connect(app, clinic.people["patient"], SCOPE)
    for form in ({}, {"client_id": app.client_id}, {"client_id": app.client_id, "client_secret": "wrong"}):
        answer = await clinic.post("revoke", {"token": told["access_token"], **form})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    missing = await clinic.post("revoke", {}, app)
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")
    assert (await clinic.read(told["access_token"], "Patient/pat")).status_code == 200


@smart("RFC7009-2")
async def test_no_refresh_survives_a_revocation_that_runs_beside_it(clinic: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    for _ in range(3):
        told = await clinic.connect(app, clinic.people["patient"], SCOPE)
        refreshed, *_ = await asyncio.gather(
            clinic.refresh(app, told["refresh_token"]),
            clinic.post("revoke", {"token": told["refresh_token"]}, app),
            clinic.refresh(app, told["refresh_token"]),
        )
        assert await is_over(clinic, app, told)
        if refreshed.status_code == 200:
            assert await is_over(clinic, app, refreshed.json())


@smart("390", "g10-9.3", "119")
async def test_a_person_sees_and_ends_an_app_on_the_page_of_connected_apps(clinic: Any, forms: Any) -> None:
    app, browser = await clinic.app(), clinic.browser()
    code, verifier = await clinic.code(app, clinic.people["patient"], SCOPE, browser=browser)
    told = (await clinic.redeem(app, code, verifier)).json()
    other = await clinic.connect(await clinic.app(), clinic.people["patient"], SCOPE)
    page = await browser.follow(await browser.open(f"{clinic.issuer}/apps"))
    assert page.status_code == 200
    async with clinic.connection() as connection:
        row = await connection.fetchrow(
            "select authorization_id from oauth_authorization where tenant_id = $1 and client_id = $2",
            clinic.house.tenant_id, app.client_id,
        )  # fmt: skip
    own = str(row["authorization_id"])
    form = next(
        each
        for each in forms(page.text).found
        if own in each.action or any(own in value for _, value, *_ in each.controls)
    )
    buttons = [(name, value) for name, value, _, kind in form.controls if kind == "submit" and name]
    done = await browser.submit(page, form, [*form.sent(), *buttons])
    assert done.status_code == 200
    assert await is_over(clinic, app, told)
    assert (await clinic.read(other["access_token"], "Patient/pat")).status_code == 200


@smart("119", "94")
async def test_disabling_a_client_ends_its_tokens(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(app, clinic.people["patient"], SCOPE)
    async with clinic.connection() as connection:
        await clients.disable(connection, clinic.house.tenant_id, app.client_id, dates.clock())
    assert await is_over(clinic, app, told)


@smart("119", "94", "RFC9700-2.2.2")
@pytest.mark.parametrize("how", ["disabled", "new password"])
async def test_disabling_a_person_or_changing_the_password_ends_their_tokens(lone: Any, how: str) -> None:
    app, person = await lone.app(), lone.people["patient"]
    told = await lone.connect(app, person, SCOPE)
    pending, verifier = await lone.code(app, person, SCOPE)
    tenant, now = lone.house.tenant_id, dates.clock()
    async with lone.connection() as connection:
        account = await accounts.find(connection, tenant, person.account_id)
        assert account is not None
        if how == "disabled":
            await accounts.set_disabled(connection, tenant, account.account_id, True, now)
        else:
            await accounts.set_password(connection, tenant, account, "seven umbrellas on a quiet hill", now)
    assert await is_over(lone, app, told)
    assert (await lone.redeem(app, pending, verifier)).json()["error"] == "invalid_grant"
