"""Refresh tokens: bound, rotated where nothing else protects them, and over when the person or their session is.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#refresh-access-token, decision 0010
"""

import json
from random import Random
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

REFRESHED = "update oauth_refresh set used = used - interval '11 seconds' where tenant_id = $1"
IDLE = "update account_session set used = used - interval '16 minutes' where tenant_id = $1"
OVER = "update account_session set expires = now() - interval '1 second' where tenant_id = $1"


def refused(answer: httpx.Response, error: str = "invalid_grant", status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "access_token" not in answer.json()


@pytest.fixture
async def app(stage: Any) -> Any:
    return await stage.app()


@pytest.fixture
async def person(stage: Any) -> Any:
    await stage.put("Patient/p1")
    return await stage.person("Patient/p1")


async def renewed(stage: Any, app: Any, token: str, **changes: Any) -> dict[str, Any]:
    answer = await app.refresh(stage.http, token, **changes)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


# Whose token it is.


@pytest.mark.parametrize("token", ["unknown", "", None, "\x00"])
async def test_an_unknown_token_is_refused(stage: Any, app: Any, token: str | None) -> None:
    refused(await app.refresh(stage.http, token), "invalid_grant" if token else "invalid_request")


async def test_an_access_token_is_no_refresh_token(stage: Any, app: Any, person: Any) -> None:
    refused(await app.refresh(stage.http, (await stage.tokens(app, person))["access_token"]))


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_the_token_of_another_client_is_refused_and_stays_good(
    stage: Any, app: Any, person: Any, method: str
) -> None:
    other = await stage.app(auth_method=method)
    token = (await stage.tokens(app, person))["refresh_token"]
    refused(await other.refresh(stage.http, token))
    await renewed(stage, app, token)


async def test_a_public_client_need_not_name_itself(stage: Any, app: Any, person: Any) -> None:
    token = (await stage.tokens(app, person))["refresh_token"]
    body = await renewed(stage, app, token, client_id=None)
    assert await stage.reads(body["access_token"], "Patient/p1") == 200


@pytest.mark.parametrize("name", ["unknown", "OTHER"])
async def test_a_public_client_that_names_another_is_refused(stage: Any, app: Any, person: Any, name: str) -> None:
    token = (await stage.tokens(app, person))["refresh_token"]
    name = (await stage.app()).client_id if name == "OTHER" else name
    answer = await app.refresh(stage.http, token, client_id=name)
    assert (answer.status_code, answer.json()["error"]) in ((400, "invalid_grant"), (401, "invalid_client"))
    await renewed(stage, app, token)


async def test_a_confidential_client_shall_authenticate(stage: Any, person: Any) -> None:
    app = await stage.app(auth_method="client_secret_basic")
    token = (await stage.tokens(app, person))["refresh_token"]
    secret, app.client_secret = app.client_secret, ""
    refused(await app.refresh(stage.http, token), "invalid_client", 401)
    refused(await app.refresh(stage.http, token, client_id=None), "invalid_client", 401)
    app.client_secret = "wrong"
    refused(await app.refresh(stage.http, token), "invalid_client", 401)
    app.client_secret = secret
    await renewed(stage, app, token)


async def test_the_token_of_another_tenant_is_unknown(stage: Any, app: Any, person: Any, elsewhere: Any) -> None:
    token = (await stage.tokens(app, person))["refresh_token"]
    refused(await (await type(stage)(elsewhere, stage.http).app()).refresh(stage.http, token))


# What it gives.


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_the_answer_has_what_smart_asks_and_repeats_the_context(stage: Any, person: Any, method: str) -> None:
    app = await stage.app(auth_method=method)
    first = await stage.tokens(app, person)
    answer = await app.refresh(stage.http, first["refresh_token"])
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "patient"}
    assert body["access_token"] != first["access_token"]
    assert (body["token_type"], body["scope"], body["patient"]) == ("Bearer", app.scope, "p1")
    assert await stage.reads(body["access_token"], "Patient/p1") == 200
    assert await stage.reads(first["access_token"], "Patient/p1") == 200


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("patient/*.rs launch/patient", "patient/*.rs launch/patient"),
        ("patient/Task.r", "patient/Task.r"),
        ("patient/*.cruds", "patient/*.rs"),
        ("patient/*.rs user/*.rs system/*.rs __launch", "patient/*.rs"),
    ],
)
async def test_scope_may_be_less_and_never_more(stage: Any, app: Any, person: Any, asked: str, granted: str) -> None:
    first = await stage.tokens(app, person)
    body = await renewed(stage, app, first["refresh_token"], scope=asked)
    assert body["scope"] == granted
    assert (await stage.access(body["access_token"])).scope == granted
    assert (await renewed(stage, app, body["refresh_token"]))["scope"] == app.scope


async def test_a_scope_that_the_person_did_not_give_is_refused(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person, scopes=["patient/Task.rs", "offline_access"])
    refused(await app.refresh(stage.http, first["refresh_token"], scope="patient/Goal.rs openid"), "invalid_scope")
    await renewed(stage, app, first["refresh_token"])


async def test_the_persons_policy_is_read_anew(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    await stage.execute("update account set clearance = '{HIV}', break_glass = true where tenant_id = $1")
    await stage.tenant("tenant")
    access = await stage.access((await renewed(stage, app, first["refresh_token"]))["access_token"])
    assert (access.clearance, access.break_glass, access.reach) == (("HIV",), True, "tenant")
    before = await stage.access(first["access_token"])
    assert (before.clearance, before.break_glass, before.reach) == ((), False, "care-team")


# Public clients: each token once.


async def test_every_answer_to_a_public_client_has_a_new_token(stage: Any, app: Any, person: Any) -> None:
    token, seen = (await stage.tokens(app, person))["refresh_token"], set()
    for _ in range(4):
        seen.add(token)
        token = (await renewed(stage, app, token))["refresh_token"]
    assert token not in seen
    assert len(seen) == 4


async def test_a_used_token_that_comes_back_ends_all(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    second = await renewed(stage, app, first["refresh_token"])
    await stage.execute(REFRESHED)
    refused(await app.refresh(stage.http, first["refresh_token"]))
    refused(await app.refresh(stage.http, second["refresh_token"]))
    for body in (first, second):
        assert await stage.reads(body["access_token"], "Patient/p1") == 401
    assert await stage.authorizations(person) == []
    (event,) = await stage.events("token-replayed")
    assert app.client_id in json.dumps(event["agent"])
    assert "Patient/p1" in json.dumps(event)


async def test_a_used_token_that_comes_back_much_later_ends_all(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    latest = first
    for _ in range(3):
        latest = await renewed(stage, app, latest["refresh_token"])
        await stage.execute(REFRESHED)
    refused(await app.refresh(stage.http, first["refresh_token"]))
    refused(await app.refresh(stage.http, latest["refresh_token"]))


async def test_a_lost_answer_may_be_asked_for_again_for_a_moment(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    await renewed(stage, app, first["refresh_token"])
    again = await renewed(stage, app, first["refresh_token"])
    await renewed(stage, app, again["refresh_token"])


async def test_not_once_the_answer_was_used(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    second = await renewed(stage, app, first["refresh_token"])
    third = await renewed(stage, app, second["refresh_token"])
    refused(await app.refresh(stage.http, first["refresh_token"]))
    refused(await app.refresh(stage.http, third["refresh_token"]))


async def test_of_two_successors_the_second_to_be_used_ends_all(stage: Any, app: Any, person: Any) -> None:
    """One was the app's and the other a thief's: nobody knows which, so neither goes on."""
    first = await stage.tokens(app, person)
    one = await renewed(stage, app, first["refresh_token"])
    other = await renewed(stage, app, first["refresh_token"])
    next_of_other = await renewed(stage, app, other["refresh_token"])
    refused(await app.refresh(stage.http, one["refresh_token"]))
    refused(await app.refresh(stage.http, next_of_other["refresh_token"]))
    assert await stage.reads(next_of_other["access_token"], "Patient/p1") == 401


@pytest.mark.parametrize("times", [2, 5])
async def test_refreshes_at_once_are_answered_and_one_line_goes_on(
    stage: Any, app: Any, person: Any, times: int
) -> None:
    first = await stage.tokens(app, person)
    answers = await stage.race(*[lambda: app.refresh(stage.http, first["refresh_token"])] * times)
    assert [answer.status_code for answer in answers] == [200] * times
    tokens = [answer.json()["refresh_token"] for answer in answers]
    assert len(set(tokens)) == times
    latest = await renewed(stage, app, tokens[0])
    refused(await app.refresh(stage.http, tokens[1]))
    refused(await app.refresh(stage.http, latest["refresh_token"]))


async def test_successors_used_at_once_do_not_wait_for_each_other_for_ever(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    one = await renewed(stage, app, first["refresh_token"])
    other = await renewed(stage, app, first["refresh_token"])
    answers = await stage.race(
        lambda: app.refresh(stage.http, one["refresh_token"]), lambda: app.refresh(stage.http, other["refresh_token"])
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    won = next(answer for answer in answers if answer.status_code == 200)
    refused(await app.refresh(stage.http, won.json()["refresh_token"]))


async def test_a_replay_and_a_refresh_at_once_end_in_nothing_valid(stage: Any, app: Any, person: Any) -> None:
    """Whichever comes first: no token outlives the discovery."""
    first = await stage.tokens(app, person)
    second = await renewed(stage, app, first["refresh_token"])
    await stage.execute(REFRESHED)
    answers = await stage.race(
        lambda: app.refresh(stage.http, first["refresh_token"]),
        lambda: app.refresh(stage.http, second["refresh_token"]),
    )
    for answer in answers:
        if answer.status_code == 200:
            assert await stage.reads(answer.json()["access_token"], "Patient/p1") == 401
            refused(await app.refresh(stage.http, answer.json()["refresh_token"]))


class Line:
    """What a public client's tokens may do, in plain words: the reference for any sequence of uses."""

    def __init__(self) -> None:
        self.states: list[str] = ["new"]
        self.used_at: dict[int, int] = {}
        self.ended = False

    def use(self, number: int) -> bool:
        """Whether the token is answered, with one more token."""
        state = self.states[number]
        later = self.states[self.used_at.get(number, len(self.states)) :]
        if self.ended or (state != "new" and (state != "just used" or set(later) - {"new"})):
            self.ended = True
            return False
        if state == "new":
            rivals = ["passed by" if each == "new" else each for each in self.states]
            self.states, self.used_at[number] = rivals, len(rivals)
            self.states[number] = "just used"
        self.states.append("new")
        return True

    def wait(self) -> None:
        """Let the grace pass."""
        self.states = ["used" if each == "just used" else each for each in self.states]


@pytest.mark.parametrize("seed", range(12))
async def test_any_sequence_of_uses_is_answered_as_the_reference_says(
    stage: Any, app: Any, person: Any, seed: int
) -> None:
    random, line = Random(seed), Line()  # noqa: S311 - repeatable, and no secret
    bodies = [await stage.tokens(app, person)]
    for _ in range(14):
        if random.random() < 0.25:
            await stage.execute(REFRESHED)
            line.wait()
            continue
        number = random.choice(
            [len(bodies) - 1, len(bodies) - 1, max(0, len(bodies) - 2), random.randrange(len(bodies))]
        )
        answer = await app.refresh(stage.http, bodies[number]["refresh_token"])
        assert (answer.status_code == 200) == line.use(number), (line.states, number)
        bodies += [answer.json()] if answer.status_code == 200 else []
    expected = 401 if line.ended else 200
    for body in bodies:
        assert await stage.reads(body["access_token"], "Patient/p1") == expected


# Confidential clients: the same token, as long as they prove who they are.


async def test_a_confidential_client_keeps_its_token(stage: Any, person: Any) -> None:
    app = await stage.app(auth_method="client_secret_basic")
    first = await stage.tokens(app, person)
    for _ in range(3):
        body = await renewed(stage, app, first["refresh_token"])
        assert body["refresh_token"] == first["refresh_token"]
        await stage.execute(REFRESHED)


# A key that the tokens are bound to (RFC 9449).


async def test_the_token_of_a_public_client_is_of_use_with_its_key_alone(stage: Any, app: Any, person: Any) -> None:
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    answer = await app.redeem(stage.http, await stage.code(app, person), key)
    token = answer.json()["refresh_token"]
    refused(await app.refresh(stage.http, token))
    refused(await app.refresh(stage.http, token, other))
    for _ in range(2):
        answer = await app.refresh(stage.http, token, key)
        assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
        assert (await stage.access(answer.json()["access_token"])).jkt == key.thumbprint()
        token = answer.json()["refresh_token"]


async def test_a_confidential_client_may_change_its_key(stage: Any, person: Any) -> None:
    """Its refresh token is bound to the client, which proves itself (RFC 9449, 5)."""
    app, key, other = await stage.app(auth_method="client_secret_basic"), *(ECKey.generate_key("P-256") for _ in "12")
    token = (await app.redeem(stage.http, await stage.code(app, person), key)).json()["refresh_token"]
    answer = await app.refresh(stage.http, token, other)
    assert (await stage.access(answer.json()["access_token"])).jkt == other.thumbprint()


# How long.


async def test_offline_access_ends_without_use(stage: Any, person: Any) -> None:
    for method in ("none", "client_secret_basic"):
        app = await stage.app(auth_method=method)
        first = await stage.tokens(app, person)
        for _ in range(2):  # each use gives another ninety days
            await stage.execute("update oauth_refresh set expires = expires - interval '89 days' where tenant_id = $1")
            first = await renewed(stage, app, first["refresh_token"])
        await stage.execute("update oauth_refresh set expires = expires - interval '90 days' where tenant_id = $1")
        refused(await app.refresh(stage.http, first["refresh_token"]))


async def test_offline_access_outlives_the_session(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    await stage.execute("delete from account_session where tenant_id = $1")
    await renewed(stage, app, first["refresh_token"])


async def test_nothing_outlives_the_authorization(stage: Any, app: Any, person: Any) -> None:
    first = await stage.tokens(app, person)
    await stage.execute(
        "update oauth_authorization set expires = created + interval '364 days' + interval '23 hours' where tenant_id = $1"
    )
    body = await renewed(stage, app, first["refresh_token"])
    async with stage.connection() as connection:
        most = await connection.fetchval(
            "select bool_and(r.expires <= a.expires) from oauth_refresh r join oauth_authorization a using"
            " (tenant_id, authorization_id) where tenant_id = $1 and r.used is null",
            stage.house.tenant_id,
        )
    assert most
    await stage.execute("update oauth_authorization set expires = now() - interval '1 second' where tenant_id = $1")
    refused(await app.refresh(stage.http, body["refresh_token"]))


@pytest.mark.parametrize("ends", [IDLE, OVER, "delete from account_session where tenant_id = $1"])
@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_online_access_ends_with_the_session(stage: Any, person: Any, ends: str, method: str) -> None:
    app = await stage.app("patient/*.rs online_access", method)
    first = await stage.tokens(app, person)
    body = await renewed(stage, app, first["refresh_token"])
    await stage.execute(ends)
    refused(await app.refresh(stage.http, body["refresh_token"]))


async def test_an_app_in_use_keeps_the_session_open(stage: Any, person: Any) -> None:
    app = await stage.app("patient/*.rs online_access")
    body = await stage.tokens(app, person)
    for _ in range(3):
        await stage.execute("update account_session set used = used - interval '14 minutes' where tenant_id = $1")
        body = await renewed(stage, app, body["refresh_token"])


# Who may no more.


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("update account set disabled = true where tenant_id = $1", 400),
        ("update oauth_authorization set revoked = now() where tenant_id = $1", 400),
        ("update oauth_client set disabled = true where tenant_id = $1", 401),
    ],
)
async def test_the_disabled_and_revoked_get_nothing(
    stage: Any, person: Any, method: str, sql: str, status: int
) -> None:
    app = await stage.app(auth_method=method)
    token = (await stage.tokens(app, person))["refresh_token"]
    await stage.execute(sql)
    refused(await app.refresh(stage.http, token), "invalid_grant" if status == 400 else "invalid_client", status)


@pytest.mark.parametrize("scope", ["patient/*.rs offline_access", "patient/*.rs online_access"])
async def test_a_new_password_ends_it(stage: Any, person: Any, scope: str) -> None:
    app = await stage.app(scope)
    body = await stage.tokens(app, person)
    await stage.new_password(person)
    refused(await app.refresh(stage.http, body["refresh_token"]))
    assert await stage.reads(body["access_token"], "Patient/p1") == 401


async def test_signing_out_ends_online_access_alone(stage: Any, app: Any, person: Any) -> None:
    online = await stage.app("patient/*.rs online_access")
    first, second = await stage.tokens(app, person), await stage.tokens(online, person)
    await stage.sign_out(person)
    refused(await online.refresh(stage.http, second["refresh_token"]))
    assert await stage.reads(second["access_token"], "Patient/p1") == 401
    await renewed(stage, app, first["refresh_token"])


async def test_no_token_outlives_a_new_password_at_the_same_time(stage: Any, person: Any) -> None:
    app = await stage.app("patient/*.rs online_access")
    for _ in range(4):
        person = await stage.sign_in(person.account)
        body = await stage.tokens(app, person)
        answer, failed = await stage.race(
            lambda body=body: app.refresh(stage.http, body["refresh_token"]),
            lambda person=person: stage.new_password(person),
        )
        assert failed is None
        if answer.status_code == 200:
            assert await stage.reads(answer.json()["access_token"], "Patient/p1") == 401
            refused(await app.refresh(stage.http, answer.json()["refresh_token"]))


async def test_a_revoked_app_gets_nothing_and_has_nothing(stage: Any, app: Any, person: Any) -> None:
    bodies = [await stage.tokens(app, person) for _ in range(2)]
    other = await stage.tokens(await stage.app(), person)
    (listed,) = [each for each in await stage.authorizations(person) if each.client_id == app.client_id]
    assert await stage.revoke(listed, person)
    for body in bodies:
        assert await stage.reads(body["access_token"], "Patient/p1") == 401
        refused(await app.refresh(stage.http, body["refresh_token"]))
    assert await stage.reads(other["access_token"], "Patient/p1") == 200


async def test_nobody_revokes_for_another_person(stage: Any, app: Any, person: Any) -> None:
    body = await stage.tokens(app, person)
    (listed,) = await stage.authorizations(person)
    assert not await stage.revoke(listed, await stage.person("Patient/p2"))
    assert await stage.reads(body["access_token"], "Patient/p1") == 200


async def test_no_token_outlives_a_revocation_at_the_same_time(stage: Any, app: Any, person: Any) -> None:
    for _ in range(5):
        body = await stage.tokens(app, person)
        (listed,) = await stage.authorizations(person)
        answer, _ = await stage.race(
            lambda body=body: app.refresh(stage.http, body["refresh_token"]),
            lambda listed=listed: stage.revoke(listed, person),
        )
        if answer.status_code == 200:
            assert await stage.reads(answer.json()["access_token"], "Patient/p1") == 401


async def test_connected_apps_are_listed_once_each(stage: Any, app: Any, person: Any) -> None:
    for _ in range(3):
        await stage.tokens(app, person)
    await stage.tokens(app, await stage.person("Patient/p2"))
    (listed,) = await stage.authorizations(person)
    assert (listed.client_id, listed.client_name, listed.scope) == (app.client_id, "App", app.scope)
    assert listed.context == {"patient": "p1"}
    assert listed.created <= listed.used < listed.expires
    assert len(await stage.all_authorizations()) == 2
