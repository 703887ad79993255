"""The id_token: who signed in, signed so that an app can check it. https://openid.net/specs/openid-connect-core-1_0.html#IDToken"""

from datetime import timedelta
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from schemas import dates, json


async def claims(stage: Any, token: str) -> dict[str, Any]:
    """What the token says, once its signature is checked by the published keys."""
    answer = await stage.http.get(f"{stage.issuer}/oauth/jwks")
    keys = KeySet.import_key_set(answer.json())
    read: dict[str, Any] = jwt.decode(token, keys, algorithms=["RS256"]).claims
    return read


async def told(stage: Any, scope: str, fhir_user: str = "Patient/p1", **changes: Any) -> dict[str, Any]:
    app, person = await stage.app(scope), await stage.person(fhir_user)
    return await claims(stage, (await stage.tokens(app, person, changes))["id_token"])


async def test_without_openid_there_is_none(stage: Any) -> None:
    app, person = await stage.app("openid fhirUser patient/*.rs"), await stage.person("Patient/p1")
    assert "id_token" not in await stage.tokens(app, person, {"scope": "fhirUser patient/*.rs"})
    assert "id_token" not in await stage.tokens(app, person, scopes=["fhirUser", "patient/*.rs"])


async def test_it_is_signed_by_rs256_with_a_published_key(stage: Any) -> None:
    app, person = await stage.app("openid"), await stage.person("Patient/p1")
    token = (await stage.tokens(app, person))["id_token"]
    header = jws.extract_compact(token.encode()).headers()
    keys = (await stage.http.get(f"{stage.issuer}/oauth/jwks")).json()["keys"]
    assert header["alg"] == "RS256"
    assert header["kid"] in [key["kid"] for key in keys]
    assert not any({"d", "p", "q"} & key.keys() for key in keys)


async def test_it_says_who_for_whom_and_until_when(stage: Any) -> None:
    app, person = await stage.app("openid"), await stage.person("Patient/p1")
    said = await claims(stage, (await stage.tokens(app, person, {"nonce": "n-0S6_WzA2Mj"}))["id_token"])
    assert said["iss"] == stage.issuer
    assert said["aud"] == app.client_id
    assert said["sub"] == str(person.account.account_id)
    assert said["sub"] not in (app.client_id, "p1")
    assert len(said["sub"]) < 256
    assert said["nonce"] == "n-0S6_WzA2Mj"
    now = dates.clock().timestamp()
    assert now - 30 < said["iat"] <= now
    assert now < said["exp"] <= now + 3600
    assert all(isinstance(said[name], int) for name in ("iat", "exp", "auth_time"))


async def test_it_has_no_more_than_asked(stage: Any) -> None:
    assert set(await told(stage, "openid")) == {"iss", "aud", "sub", "iat", "exp", "auth_time"}


async def test_auth_time_is_that_of_the_sign_in(stage: Any) -> None:
    app, person = await stage.app("openid"), await stage.person("Patient/p1")
    old = await stage.sign_in(person.account, seconds_ago=500)
    said = await claims(stage, (await stage.tokens(app, old))["id_token"])
    assert said["auth_time"] == int((old.session.created).timestamp())
    assert said["auth_time"] < (dates.clock() - timedelta(seconds=499)).timestamp()


@pytest.mark.parametrize("fhir_user", ["Patient/p1", "Practitioner/d1", "RelatedPerson/r1"])
async def test_fhir_user_is_an_address_of_our_own(stage: Any, fhir_user: str) -> None:
    app, person = await stage.app("openid fhirUser"), await stage.person(fhir_user)
    for scope, said in (("openid", None), ("openid fhirUser", f"{stage.house.base}/{fhir_user}")):
        body = await stage.tokens(app, person, {"scope": scope})
        assert (await claims(stage, body["id_token"])).get("fhirUser") == said


async def test_fhir_user_can_be_read_with_the_token(stage: Any) -> None:
    await stage.put("Practitioner/d1")
    app = await stage.app("openid fhirUser user/Practitioner.r")
    body = await stage.tokens(app, await stage.person("Practitioner/d1"))
    said = await claims(stage, body["id_token"])
    async with stage.house.client(body["access_token"]) as http:
        answer = await http.get(said["fhirUser"])
    assert (answer.status_code, answer.json()["id"]) == (200, "d1")


async def test_a_refresh_brings_none(stage: Any) -> None:
    app, person = await stage.app(), await stage.person("Patient/p1")
    body = await stage.tokens(app, person)
    assert "id_token" not in (await app.refresh(stage.http, body["refresh_token"])).json()


async def test_no_token_is_good_for_another_tenant(stage: Any, elsewhere: Any) -> None:
    """The keys are the same; the issuer is not."""
    said = await told(stage, "openid")
    assert said["iss"] != type(stage)(elsewhere, stage.http).issuer
    assert json.encode(said)
