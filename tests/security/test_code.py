"""The exchange of a code: who may, with what, once; and what the answer holds.

https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey


def refused(answer: httpx.Response, error: str = "invalid_grant", status: int = 400) -> None:
    """An error as RFC 6749 (5.2) has it."""
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


# code_verifier SHALL be present and valid.


@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        (" ", "invalid_grant"),
        ("x" * 42, "invalid_grant"),
        ("x" * 43, "invalid_grant"),
        ("x" * 128, "invalid_grant"),
        ("x" * 129, "invalid_grant"),
        ("CHALLENGE", "invalid_grant"),
        ("OWN\n", "invalid_grant"),
        ("OWN=", "invalid_grant"),
        ("\u00e9" * 50, "invalid_grant"),
    ],
)
async def test_the_verifier_shall_be_present_and_valid(
    stage: Any, app: Any, person: Any, verifier: str | None, error: str
) -> None:
    if verifier == "CHALLENGE":
        verifier = app.asks()["code_challenge"]
    elif verifier:
        verifier = verifier.replace("OWN", app.verifier)
    code = await stage.code(app, person)
    refused(await app.redeem(stage.http, code, code_verifier=verifier), error)


async def test_a_challenge_of_another_hash_matches_no_verifier(stage: Any, app: Any, person: Any) -> None:
    other = urlsafe_b64encode(hashlib.sha512(app.verifier.encode()).digest()).rstrip(b"=").decode()
    for challenge in (other, other[:43], app.verifier):
        code = await stage.code(app, person, {"code_challenge": challenge})
        refused(await app.redeem(stage.http, code))


# The code.


@pytest.mark.parametrize("code", ["unknown", "\x00", "x" * 9000])
async def test_an_unknown_code_is_refused(stage: Any, app: Any, code: str) -> None:
    refused(await app.redeem(stage.http, code))


async def test_without_a_code_there_is_nothing_to_exchange(stage: Any, app: Any) -> None:
    refused(await app.redeem(stage.http, None), "invalid_request")


async def test_a_code_lives_a_minute(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    await stage.execute("update oauth_code set expires = expires - interval '59 seconds' where tenant_id = $1")
    assert (await app.redeem(stage.http, code)).status_code == 200
    code = await stage.code(app, person)
    await stage.execute("update oauth_code set expires = expires - interval '60 seconds' where tenant_id = $1")
    refused(await app.redeem(stage.http, code))


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_the_code_of_another_client_is_refused_and_stays_good(
    stage: Any, app: Any, person: Any, method: str
) -> None:
    other = await stage.app(auth_method=method)
    code = await stage.code(app, person)
    refused(await other.redeem(stage.http, code, code_verifier=app.verifier))
    assert (await app.redeem(stage.http, code)).status_code == 200


async def test_the_code_of_another_tenant_is_unknown(stage: Any, app: Any, person: Any, elsewhere: Any) -> None:
    other = await type(stage)(elsewhere, stage.http).app()
    code = await stage.code(app, person)
    refused(await other.redeem(stage.http, code, code_verifier=app.verifier))


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        (None, "invalid_request"),
        ("", "invalid_request"),
        ("https://app.example/callback/", "invalid_grant"),
        ("https://app.example/second", "invalid_grant"),
    ],
)
async def test_the_address_shall_be_the_one_that_the_code_was_sent_to(
    stage: Any, person: Any, uri: str | None, error: str
) -> None:
    app = await stage.app(redirect_uris=("https://app.example/callback", "https://app.example/second"))
    refused(await app.redeem(stage.http, await stage.code(app, person), redirect_uri=uri), error)


async def test_a_confidential_client_shall_authenticate(stage: Any, person: Any) -> None:
    app = await stage.app(auth_method="client_secret_basic")
    code = await stage.code(app, person)
    secret, app.client_secret = app.client_secret, ""
    refused(await app.redeem(stage.http, code), "invalid_client", 401)
    app.client_secret = "wrong"
    refused(await app.redeem(stage.http, code), "invalid_client", 401)
    app.client_secret = secret
    assert (await app.redeem(stage.http, code)).status_code == 200


async def test_a_client_without_the_grant_is_refused(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    await stage.execute("update oauth_client set grant_types = '{refresh_token}' where tenant_id = $1")
    refused(await app.redeem(stage.http, code), "unauthorized_client")


@pytest.mark.parametrize(
    "sql",
    [
        "update account set disabled = true where tenant_id = $1",
        "update oauth_authorization set revoked = now() where tenant_id = $1",
        "update oauth_authorization set expires = now() - interval '1 second' where tenant_id = $1",
    ],
)
async def test_what_ended_before_the_exchange_gives_no_token(stage: Any, app: Any, person: Any, sql: str) -> None:
    code = await stage.code(app, person)
    await stage.execute(sql)
    refused(await app.redeem(stage.http, code))
    assert await stage.count("oauth_token") == 1  # that of the test's own


# Single use.


async def test_a_second_use_is_refused_and_ends_all_that_the_first_gave(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    body = (await app.redeem(stage.http, code)).json()
    assert await stage.reads(body["access_token"], "Patient/p1") == 200
    refused(await app.redeem(stage.http, code))
    assert await stage.reads(body["access_token"], "Patient/p1") == 401
    refused(await app.refresh(stage.http, body["refresh_token"]))
    assert await stage.authorizations(person) == []


async def test_a_second_use_ends_what_a_refresh_gave_too(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    first = (await app.redeem(stage.http, code)).json()
    second = (await app.refresh(stage.http, first["refresh_token"])).json()
    refused(await app.redeem(stage.http, code))
    for body in (first, second):
        assert await stage.reads(body["access_token"], "Patient/p1") == 401
    refused(await app.refresh(stage.http, second["refresh_token"]))


@pytest.mark.parametrize("changes", [{"code_verifier": "x" * 43}, {"redirect_uri": "https://evil.example"}])
async def test_a_second_use_that_proves_nothing_ends_it_too(
    stage: Any, app: Any, person: Any, changes: dict[str, str]
) -> None:
    code = await stage.code(app, person)
    body = (await app.redeem(stage.http, code)).json()
    refused(await app.redeem(stage.http, code, **changes))
    assert await stage.reads(body["access_token"], "Patient/p1") == 401


async def test_a_second_use_by_another_client_ends_it_too(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    body = (await app.redeem(stage.http, code)).json()
    refused(await (await stage.app()).redeem(stage.http, code))
    assert await stage.reads(body["access_token"], "Patient/p1") == 401


async def test_of_other_authorizations_nothing_ends(stage: Any, app: Any, person: Any) -> None:
    other = await stage.tokens(app, person)
    code = await stage.code(app, person)
    await app.redeem(stage.http, code)
    refused(await app.redeem(stage.http, code))
    assert await stage.reads(other["access_token"], "Patient/p1") == 200


async def test_a_try_that_proves_nothing_does_not_use_the_code_up(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    refused(await app.redeem(stage.http, code, code_verifier="x" * 43))
    assert (await app.redeem(stage.http, code)).status_code == 200


@pytest.mark.parametrize("times", [2, 6])
async def test_of_exchanges_at_once_exactly_one_wins_and_the_others_end_it(
    stage: Any, app: Any, person: Any, times: int
) -> None:
    code = await stage.code(app, person)
    answers = await stage.race(*[lambda: app.redeem(stage.http, code)] * times)
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    for answer in answers:
        if answer is not won[0]:
            refused(answer)
    assert await stage.reads(won[0].json()["access_token"], "Patient/p1") == 401
    refused(await app.refresh(stage.http, won[0].json()["refresh_token"]))


async def test_two_workers_do_not_both_take_a_code(stage: Any, app: Any, person: Any, second: Any) -> None:
    code = await stage.code(app, person)
    transport = httpx.ASGITransport(app=second)
    async with httpx.AsyncClient(transport=transport) as there:
        answers = await stage.race(lambda: app.redeem(stage.http, code), lambda: app.redeem(there, code))
    assert sorted(answer.status_code for answer in answers) == [200, 400]


# A key that the tokens are bound to (RFC 9449).


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
async def test_a_proof_binds_the_tokens_to_its_key(stage: Any, person: Any, method: str) -> None:
    app, key = await stage.app(auth_method=method), ECKey.generate_key("P-256")
    answer = await app.redeem(stage.http, await stage.code(app, person), key)
    body = answer.json()
    assert body["token_type"] == "DPoP"
    assert (await stage.access(body["access_token"])).jkt == key.thumbprint()
    assert await stage.reads(body["access_token"], "Patient/p1") == 401


async def test_a_code_asked_for_with_a_key_is_of_use_with_that_key_alone(stage: Any, app: Any, person: Any) -> None:
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    code = await stage.code(app, person, {"dpop_jkt": key.thumbprint()})
    refused(await app.redeem(stage.http, code))
    refused(await app.redeem(stage.http, code, other))
    assert (await app.redeem(stage.http, code, key)).status_code == 200


async def test_a_client_registered_for_it_needs_a_proof(stage: Any, person: Any) -> None:
    app = await stage.app(dpop=True)
    code = await stage.code(app, person)
    refused(await app.redeem(stage.http, code), "invalid_dpop_proof")
    assert (await app.redeem(stage.http, code, ECKey.generate_key("P-256"))).status_code == 200


# The answer.


async def test_the_answer_has_what_smart_asks(stage: Any, app: Any, person: Any) -> None:
    answer = await app.redeem(stage.http, await stage.code(app, person))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {
        "access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token", "patient"
    }  # fmt: skip
    assert body["token_type"] == "Bearer"
    assert 0 < body["expires_in"] <= 3600
    assert body["scope"] == app.scope
    assert body["patient"] == "p1"


@pytest.mark.parametrize(
    ("scope", "absent"),
    [
        ("patient/*.rs openid", {"refresh_token"}),
        ("user/*.rs offline_access", {"id_token", "patient"}),
        ("user/*.rs online_access", {"id_token", "patient"}),
        ("openid", {"refresh_token", "patient"}),
    ],
)
async def test_the_answer_has_no_more_than_was_granted(stage: Any, person: Any, scope: str, absent: set[str]) -> None:
    body = await stage.tokens(await stage.app(scope), person)
    assert {"id_token", "refresh_token", "patient"} - set(body) == absent


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_confidential_client_gets_the_same(stage: Any, person: Any, method: str) -> None:
    body = await stage.tokens(await stage.app(auth_method=method), person)
    assert {"access_token", "refresh_token", "id_token", "patient"} <= set(body)


async def test_the_token_stands_for_the_person_and_their_policy(stage: Any) -> None:
    person = await stage.person("Practitioner/d1", clearance=("HIV",), break_glass=True)
    await stage.tenant("encounter")
    body = await stage.tokens(await stage.app("user/*.rs"), person)
    access = await stage.access(body["access_token"])
    assert (access.fhir_user, access.account_id) == ("Practitioner/d1", person.account.account_id)
    assert (access.reach, access.clearance, access.break_glass) == ("encounter", ("HIV",), True)
    assert (access.patient, access.scope) == (None, "user/*.rs")


async def test_codes_and_tokens_are_stored_as_hashes(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    body = (await app.redeem(stage.http, code)).json()
    async with stage.connection() as connection:
        for table in ("oauth_code", "oauth_token", "oauth_refresh", "oauth_authorization"):
            rows = await connection.fetch(f"select * from {table} where tenant_id = $1", stage.house.tenant_id)
            for word in (code, body["access_token"], body["refresh_token"]):
                assert word not in repr([dict(row) for row in rows])
                assert b64encode(word.encode()).decode() not in repr([dict(row) for row in rows])


async def test_no_secret_is_in_the_audit(stage: Any, app: Any, person: Any) -> None:
    code = await stage.code(app, person)
    body = (await app.redeem(stage.http, code)).json()
    await app.redeem(stage.http, code)
    text = await stage.audit()
    assert "token-issued" in text
    assert "token-replayed" in text
    for word in (code, body["access_token"], body["refresh_token"], app.verifier, app.state):
        assert word not in text
