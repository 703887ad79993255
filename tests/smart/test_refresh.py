"""New tokens without asking again. https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token"""

import asyncio
from typing import Any

import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/Observation.rs patient/Condition.rs"
KINDS = pytest.mark.parametrize("auth", ["none", "client_secret_basic", "private_key_jwt"])


@KINDS
@smart("109", "110", "111", "112", "113", "114", "86", "87", "101", "365", "inferno-1.4")
async def test_a_refresh_answers_with_a_new_token_of_the_same_scope(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    answer = await clinic.refresh(app, first["refresh_token"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    body = answer.json()
    assert body["access_token"] != first["access_token"]
    assert body["token_type"] == "Bearer"
    assert isinstance(body["expires_in"], int)
    assert set(body["scope"].split()) == set(first["scope"].split())
    assert body["patient"] == "pat"
    assert body["refresh_token"]
    assert (await clinic.read(body["access_token"], "Observation/lab")).status_code == 200


@KINDS
@smart("115", "104", "inferno-1.4")
async def test_a_refresh_with_a_subset_of_the_scopes_gives_the_subset(clinic: Any, auth: str) -> None:
    app = await clinic.app(auth=auth)
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    once = (await clinic.refresh(app, first["refresh_token"])).json()
    body = (await clinic.refresh(app, once["refresh_token"], scope="patient/Observation.rs")).json()
    assert body["scope"] == "patient/Observation.rs"
    assert (await clinic.read(body["access_token"], "Observation/lab")).status_code == 200
    assert (await clinic.read(body["access_token"], "Condition/worry")).status_code == 403
    # The authorization keeps all that was allowed.
    whole = (await clinic.refresh(app, body["refresh_token"])).json()
    assert set(whole["scope"].split()) == set(SCOPE.split())


@pytest.mark.parametrize("scope", ["patient/*.cruds", "system/*.rs", "user/*.rs", "patient/Observation.cruds __launch"])
@smart("104", "115")
async def test_a_refresh_never_gives_more_than_was_authorized(clinic: Any, scope: str) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    answer = await clinic.refresh(app, first["refresh_token"], scope=scope)
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
        return
    body = answer.json()
    assert set(body["scope"].split()) <= set(SCOPE.split())
    async with clinic.http(body["access_token"]) as http:
        assert (await http.delete("Observation/lab")).status_code == 403
        assert (await http.get("Encounter/enc")).status_code == 403


@smart("103")
async def test_a_refresh_token_of_another_client_is_refused(clinic: Any) -> None:
    for auth in ("none", "client_secret_basic"):
        app, other = await clinic.app(auth=auth), await clinic.app(auth=auth)
        first = await clinic.connect(app, clinic.people["patient"], SCOPE)
        answer = await clinic.refresh(other, first["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert (await clinic.refresh(app, first["refresh_token"])).status_code == 200


@smart("103", "token-client")
async def test_a_refresh_token_of_a_confidential_client_needs_its_proof(clinic: Any) -> None:
    app = await clinic.app(auth="client_secret_basic")
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    for form in ({}, {"client_id": app.client_id}, {"client_id": app.client_id, "client_secret": "wrong"}):
        answer = await clinic.refresh(None, first["refresh_token"], **form)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@smart("103", "token-client")
async def test_a_public_client_may_leave_its_client_id_out(clinic: Any) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    answer = await clinic.refresh(None, first["refresh_token"])
    assert answer.status_code == 200, answer.text


@smart("103", "token-client")
async def test_a_public_client_that_names_another_is_refused(clinic: Any) -> None:
    app, other = await clinic.app(), await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    for name, error in ((other.client_id, "invalid_grant"), ("made-up", "invalid_client")):
        answer = await clinic.refresh(None, first["refresh_token"], client_id=name)
        assert answer.json()["error"] == error


@smart("89", "g10-2.4.10")
async def test_who_deselects_offline_access_gives_no_refresh_token(clinic: Any) -> None:
    app = await clinic.app()
    told = await clinic.connect(
        app, clinic.people["patient"], SCOPE, walk={"keep": lambda scope: scope != "offline_access"}
    )
    assert "refresh_token" not in told
    assert "offline_access" not in told["scope"].split()


@pytest.mark.parametrize("token", ["", "made-up", "a\0b", "é", "x" * 5000])
@smart("g10-1.6.06")
async def test_a_made_up_refresh_token_is_refused(clinic: Any, token: str) -> None:
    for app in (await clinic.app(), await clinic.app(auth="client_secret_basic")):
        answer = await clinic.refresh(app, token)
        assert answer.status_code == 400
        assert answer.json()["error"] == ("invalid_grant" if token else "invalid_request")


@smart("RFC9700-2.2.2")
async def test_the_refresh_token_of_a_public_client_changes_with_every_use(clinic: Any) -> None:
    app = await clinic.app()
    tokens = [(await clinic.connect(app, clinic.people["patient"], SCOPE))["refresh_token"]]
    for _ in range(3):
        tokens.append((await clinic.refresh(app, tokens[-1])).json()["refresh_token"])
    assert len(set(tokens)) == 4


@smart("RFC9700-2.2.2")
async def test_a_stale_refresh_token_ends_all_that_came_of_the_authorization(clinic: Any, later: Any) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    second = (await clinic.refresh(app, first["refresh_token"])).json()
    third = (await clinic.refresh(app, second["refresh_token"])).json()
    later(30)
    answer = await clinic.refresh(app, first["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await clinic.refresh(app, third["refresh_token"])).json()["error"] == "invalid_grant"
    for each in (first, second, third):
        assert (await clinic.read(each["access_token"], "Observation/lab")).status_code == 401


@smart("RFC9700-2.2.2")
async def test_of_ten_who_bring_one_refresh_token_at_once_one_line_goes_on(clinic: Any) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    answers = await asyncio.gather(*(clinic.refresh(app, first["refresh_token"]) for _ in range(10)))
    lines = [each.json()["refresh_token"] for each in answers if each.status_code == 200]
    assert lines
    assert all(each.status_code in (200, 400) for each in answers)
    results = [(await clinic.refresh(app, token)).status_code for token in lines]
    assert results[0] == 200
    assert results[1:] == [400] * (len(results) - 1)


@smart("RFC9700-2.2.2")
async def test_at_once_nobody_goes_on_by_two_lines(clinic: Any) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    one = (await clinic.refresh(app, first["refresh_token"])).json()
    two = await clinic.refresh(app, first["refresh_token"])
    if two.status_code != 200:  # strict rotation is as good
        return
    answers = await asyncio.gather(
        *(clinic.refresh(app, token) for token in (one["refresh_token"], two.json()["refresh_token"]))
    )
    assert sorted(each.status_code for each in answers) == [200, 400]


@smart("101", "104")
async def test_an_unused_refresh_token_expires(clinic: Any, later: Any) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    later(366 * 86_400)
    answer = await clinic.refresh(app, first["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@smart("101")
async def test_offline_access_outlives_the_session_and_the_access_token(clinic: Any, later: Any) -> None:
    app = await clinic.app()
    first = await clinic.connect(app, clinic.people["patient"], SCOPE)
    later(9 * 3600)
    answer = await clinic.refresh(app, first["refresh_token"])
    assert answer.status_code == 200, answer.text


@smart("100", "366")
async def test_online_access_ends_with_the_session(clinic: Any, later: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    scope = "launch online_access patient/*.rs"
    first = await clinic.connect(app, clinic.people["practitioner"], scope, launch=launch)
    assert "online_access" in first["scope"].split()
    second = await clinic.refresh(app, first["refresh_token"])
    assert second.status_code == 200, second.text
    later(9 * 3600)
    answer = await clinic.refresh(app, second.json()["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@smart("100", "366")
async def test_online_access_ends_with_signing_out(clinic: Any, forms: Any) -> None:
    app = await clinic.app()
    launch = await clinic.launch(patient="pat")
    browser = clinic.browser()
    code, verifier = await clinic.code(
        app, clinic.people["practitioner"], "launch online_access patient/*.rs", launch=launch, browser=browser
    )
    first = (await clinic.redeem(app, code, verifier)).json()
    page = await browser.follow(await browser.open(f"{clinic.issuer}/apps"))
    form = next(each for each in forms(page.text).found if each.action.endswith("/sign-out"))
    await browser.submit(page, form, form.sent())
    assert (await clinic.refresh(app, first["refresh_token"])).json()["error"] == "invalid_grant"


@smart("103", "119")
async def test_a_disabled_person_gets_no_new_tokens(lone: Any) -> None:
    app = await lone.app()
    first = await lone.connect(app, lone.people["patient"], SCOPE)
    async with lone.connection() as connection:
        await connection.execute(
            "update account set disabled = true where tenant_id = $1 and login = $2",
            lone.house.tenant_id, lone.people["patient"].login,
        )  # fmt: skip
    assert (await lone.refresh(app, first["refresh_token"])).json()["error"] == "invalid_grant"
