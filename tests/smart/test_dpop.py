"""Tokens bound to a key of the app. https://www.rfc-editor.org/rfc/rfc9449"""

import asyncio
from base64 import urlsafe_b64encode
from hashlib import sha256
from time import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

smart = pytest.mark.smart
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"


class Prover:
    """A DPoP key, and proofs by it."""

    def __init__(self, key: Any, clinic: Any) -> None:
        self.key, self.clinic = key, clinic

    def __call__(
        self, method: str, url: str, token: str | None = None, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        said = {"htm": method, "htu": url, "iat": int(time()), "jti": uuid4().hex}
        if token is not None:
            said["ath"] = urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode()
        jwk = {name: value for name, value in self.key.jwk().items() if name in ("kty", "crv", "x", "y", "n", "e")}
        return str(self.key.sign({"typ": "dpop+jwt", "alg": self.key.alg, "jwk": jwk} | (header or {}), said | claims))

    async def redeemed(self, app: Any, code: str, verifier: str, proof: str | None = None) -> httpx.Response:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        given = proof or self("POST", self.clinic.url("token"))
        answer: httpx.Response = await self.clinic.post("token", form, app, DPoP=given)
        return answer


@pytest.fixture
def prove(clinic: Any, keys: Any) -> Prover:
    return Prover(keys["ES256"], clinic)


@smart("RFC9449-5")
async def test_a_token_got_with_a_proof_is_bound_to_its_key(clinic: Any, prove: Prover) -> None:
    app = await clinic.app(dpop=True)
    code, verifier = await clinic.code(app, clinic.people["patient"], "launch/patient patient/*.rs")
    assert (await clinic.redeem(app, code, verifier)).json()["error"] == "invalid_dpop_proof"
    answer = await prove.redeemed(app, code, verifier)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["token_type"] == "DPoP"
    token, url = body["access_token"], f"{clinic.fhir}/Patient/pat"
    assert (await clinic.read(token, "Patient/pat")).status_code == 401
    async with clinic.http(token, "DPoP") as http:
        assert (await http.get("Patient/pat")).status_code == 401
        once = prove("GET", url, token)
        assert (await http.get("Patient/pat", headers={"DPoP": once})).status_code == 200
        for bad in (
            once, prove("POST", url, token), prove("GET", f"{clinic.fhir}/Patient/two", token), prove("GET", url),
            prove("GET", url, token + "x"), prove("GET", url, token, iat=int(time()) - 600),
            prove("GET", url, token, iat=int(time()) + 600), prove("GET", url, token, jti=""),
            prove("GET", url, token, {"typ": "JWT"}), prove("GET", url, token, {"alg": "none"}),
            prove("GET", url, token, {"jwk": clinic.key.jwk()}),
        ):  # fmt: skip
            answer = await http.get("Patient/pat", headers={"DPoP": bad})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("DPoP")


@smart("RFC9449-5", "RFC9700-2.2.2")
async def test_a_refresh_token_of_a_public_client_is_bound_to_the_key_too(
    clinic: Any, prove: Prover, keys: Any
) -> None:
    app = await clinic.app(dpop=True)
    answer = await prove.redeemed(app, *await clinic.code(app, clinic.people["patient"], SCOPE))
    token = answer.json()["refresh_token"]
    thief = Prover(keys["RS384"], clinic)
    form = {"grant_type": "refresh_token", "refresh_token": token}
    stolen = await clinic.post("token", form, app, DPoP=thief("POST", clinic.url("token")))
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert (await clinic.refresh(app, token)).status_code == 400
    own = await clinic.post("token", form, app, DPoP=prove("POST", clinic.url("token")))
    assert own.status_code == 200, own.text


@smart("RFC9449-5")
async def test_of_ten_who_bring_one_proof_at_once_exactly_one_is_answered(clinic: Any, prove: Prover) -> None:
    app = await clinic.app(dpop=True)
    code = await clinic.code(app, clinic.people["patient"], "launch/patient patient/*.rs")
    token = (await prove.redeemed(app, *code)).json()["access_token"]
    proof = prove("GET", f"{clinic.fhir}/Patient/pat", token)
    async with clinic.http(token, "DPoP") as http:
        answers = await asyncio.gather(*(http.get("Patient/pat", headers={"DPoP": proof}) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [200] + [401] * 9
