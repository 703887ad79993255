"""Clients that sign who they are. https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html"""

import asyncio
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

smart = pytest.mark.smart
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRANT = {"grant_type": "client_credentials", "scope": "system/*.rs"}


def form(assertion: str) -> dict[str, str]:
    return GRANT | {"client_assertion_type": JWT_BEARER, "client_assertion": assertion}


def refused(answer: httpx.Response) -> None:
    """The one answer to every proof that fails, which tells a guesser nothing."""
    assert answer.status_code in (400, 401), answer.text
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["RS384", "ES384"])
@smart("249", "297", "310", "326", "335", "357", "inferno-3.2.05")
async def test_a_signature_by_a_registered_key_is_accepted(clinic: Any, keys: Any, name: str) -> None:
    app = await clinic.machine(key=keys[name])
    answer = await clinic.machine_token(app)
    assert answer.status_code == 200, answer.text


Change = Callable[[Any, Any], str]
"""Makes an assertion of a clinic and an app; the keys are the clinic's."""
BAD: Mapping[str, Change] = {
    "no signature": lambda c, app: c.assertion(app).rpartition(".")[0] + ".",
    "another claim under the signature": lambda c, app: _swapped(c.assertion(app), c.assertion(app)),
    "an assertion cut short": lambda c, app: c.assertion(app)[:-3],
    "no token at all": lambda c, app: "x",
    "an empty one": lambda c, app: "",
    "alg none": lambda c, app: c.assertion(app, header={"alg": "none"}),
    "alg of another kind of key": lambda c, app: c.assertion(app, header={"alg": "RS384"}),
    "alg HS256": lambda c, app: c.assertion(app, header={"alg": "HS256"}),
    "alg HS384": lambda c, app: c.assertion(app, header={"alg": "HS384"}),
    "no alg": lambda c, app: c.assertion(app, header={"alg": None}),
    "no kid": lambda c, app: c.assertion(app, header={"kid": None}),
    "a kid that is not registered": lambda c, app: c.assertion(app, header={"kid": "other"}),
    "no typ": lambda c, app: c.assertion(app, header={"typ": None}),
    "another typ": lambda c, app: c.assertion(app, header={"typ": "at+jwt"}),
    "a foreign jku": lambda c, app: c.assertion(app, header={"jku": "https://evil.example/jwks"}),
    "an embedded key": lambda c, app: c.assertion(app, header={"kid": "mine", "jwk": c.key.jwk()}),
    "a critical extension": lambda c, app: c.assertion(app, header={"crit": ["b64"], "b64": False}),
    "no exp": lambda c, app: c.assertion(app, exp=None),
    "an exp that is over": lambda c, app: c.assertion(app, exp=int(time()) - 120),
    "an exp ten minutes ahead": lambda c, app: c.assertion(app, exp=int(time()) + 600),
    "an exp an hour ahead": lambda c, app: c.assertion(app, exp=int(time()) + 3600),
    "an exp that is text": lambda c, app: c.assertion(app, exp=str(int(time()) + 100)),
    "an exp without end": lambda c, app: c.assertion(app, exp=1e308),
    "an exp that is true": lambda c, app: c.assertion(app, exp=True),
    "an nbf ahead": lambda c, app: c.assertion(app, nbf=int(time()) + 120),
    "no jti": lambda c, app: c.assertion(app, jti=None),
    "an empty jti": lambda c, app: c.assertion(app, jti=""),
    "a jti that is a number": lambda c, app: c.assertion(app, jti=7),
    "a very long jti": lambda c, app: c.assertion(app, jti="x" * 20_000),
    "no aud": lambda c, app: c.assertion(app, aud=None),
    "aud of another server": lambda c, app: c.assertion(app, aud="https://other.example/oauth/token"),
    "aud of another tenant": lambda c, app: c.assertion(app, aud="http://hearth.test/oauth/token"),
    "aud with a slash more": lambda c, app: c.assertion(app, aud=c.url("token") + "/"),
    "aud of two servers": lambda c, app: c.assertion(app, aud=[c.url("token"), "https://other.example/oauth/token"]),
    "aud that is empty": lambda c, app: c.assertion(app, aud=[]),
    "aud the FHIR base": lambda c, app: c.assertion(app, aud=c.fhir),
    "no iss": lambda c, app: c.assertion(app, iss=None),
    "no sub": lambda c, app: c.assertion(app, sub=None),
    "another iss": lambda c, app: c.assertion(app, iss="other"),
    "another sub": lambda c, app: c.assertion(app, sub="other"),
    "an unknown client": lambda c, app: c.assertion(app, iss="other", sub="other"),
    "a client with a NUL": lambda c, app: c.assertion(app, iss="a\0b", sub="a\0b"),
}


def _swapped(one: str, two: str) -> str:
    return ".".join((*one.split(".")[:2], two.split(".")[2]))


@pytest.mark.parametrize("case", BAD)
@smart(
    "249", "335", "337", "338", "340", "assertion-header", "assertion-claims", "assertion-exp", "326", "251", "252"
)  # fmt: skip
async def test_an_assertion_that_is_wrong_in_one_way_is_invalid_client(clinic: Any, case: str) -> None:
    app = await clinic.machine()
    answer = await clinic.post("token", form(BAD[case](clinic, app)))
    refused(answer)
    assert answer.json()["error_description"]


@smart("335", "338")
async def test_a_key_of_somebody_else_under_the_registered_kid_is_refused(clinic: Any, keys: Any) -> None:
    app = await clinic.machine()
    forged = replace(keys["ES384-other"], kid=clinic.key.kid)
    refused(await clinic.post("token", form(clinic.assertion(app, key=forged))))


@smart("335", "337")
async def test_a_client_cannot_sign_for_another(clinic: Any, keys: Any) -> None:
    victim = await clinic.machine()
    attacker = await clinic.machine(key=keys["ES384-other"])
    claims = {"iss": victim.client_id, "sub": victim.client_id}
    refused(await clinic.post("token", form(clinic.assertion(attacker, **claims))))
    refused(await clinic.post("token", form(clinic.assertion(attacker)) | {"client_id": victim.client_id}))


@smart("338")
async def test_a_hash_made_with_the_public_key_is_no_signature(clinic: Any) -> None:
    app = await clinic.machine()
    head, body, _ = clinic.assertion(app, header={"alg": "HS384"}).split(".")
    for secret in (json.dumps(clinic.key.jwk()), clinic.key.jwk()["x"]):
        made = urlsafe_b64encode(hmac.digest(secret.encode(), f"{head}.{body}".encode(), "sha384")).decode().rstrip("=")
        refused(await clinic.post("token", form(f"{head}.{body}.{made}")))


@pytest.mark.parametrize("kind", [None, "", "not-a-type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"])
@smart("assertion-type", "inferno-3.2.03", "340")
async def test_another_client_assertion_type_is_refused(clinic: Any, kind: str | None) -> None:
    app = await clinic.machine()
    sent = form(clinic.assertion(app)) | {"client_assertion_type": kind or ""}
    if kind is None:
        del sent["client_assertion_type"]
    refused(await clinic.post("token", sent))


@smart("336")
async def test_a_jti_is_accepted_once(clinic: Any) -> None:
    app = await clinic.machine()
    assertion = clinic.assertion(app)
    assert (await clinic.post("token", form(assertion))).status_code == 200
    refused(await clinic.post("token", form(assertion)))
    jti = uuid4().hex
    assert (await clinic.post("token", form(clinic.assertion(app, jti=jti)))).status_code == 200
    refused(await clinic.post("token", form(clinic.assertion(app, jti=jti, exp=int(time()) + 200))))


@smart("336")
async def test_a_jti_is_remembered_until_its_assertion_is_over(clinic: Any, later: Any) -> None:
    app = await clinic.machine()
    assertion = clinic.assertion(app, exp=int(time()) + 290)
    assert (await clinic.post("token", form(assertion))).status_code == 200
    for seconds in (100, 280, 295, 310):
        later(seconds)
        refused(await clinic.post("token", form(assertion)))


@smart("336")
async def test_the_jti_of_one_client_is_free_for_another(clinic: Any) -> None:
    one, two = await clinic.machine(), await clinic.machine()
    for app in (one, two):
        assert (await clinic.post("token", form(clinic.assertion(app, jti="the-same")))).status_code == 200


@smart("336")
async def test_of_ten_who_bring_one_jti_at_once_exactly_one_is_accepted(clinic: Any) -> None:
    app = await clinic.machine()
    assertion = clinic.assertion(app)
    answers = await asyncio.gather(*(clinic.post("token", form(assertion)) for _ in range(10)))
    assert sorted(each.status_code for each in answers)[:1] == [200]
    assert [each.status_code for each in answers].count(200) == 1


@smart("336", "340")
async def test_a_refused_request_does_not_leave_its_jti_free(clinic: Any) -> None:
    app = await clinic.machine("system/Task.rs")
    assertion = clinic.assertion(app)
    first = await clinic.post("token", form(assertion) | {"scope": "system/Observation.rs"})
    assert first.json()["error"] == "invalid_scope"
    refused(await clinic.post("token", form(assertion)))


@smart("337", "340")
async def test_a_client_registered_for_a_secret_cannot_sign_and_one_for_keys_has_no_secret(clinic: Any) -> None:
    symmetric = await clinic.machine(auth="client_secret_basic")
    refused(await clinic.post("token", form(clinic.assertion(symmetric))))
    asymmetric = await clinic.machine()
    for secret in ("", "x"):
        answer = await clinic.machine_token(replace(asymmetric, auth="client_secret_basic", secret=secret))
        refused(answer)
