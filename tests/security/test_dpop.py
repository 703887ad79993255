"""Tokens bound to a key (RFC 9449): each proof is of one request, of one key, of now, and is taken once."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from service.oauth import clients
from service.oauth.metadata import NewClient

GRANT: Final = {"grant_type": "client_credentials"}
OTHER: Final = ECKey.generate_key("P-256")
RSA: Final = RSAKey.generate_key(2048)


@dataclass
class Holder:
    """A client with a secret and a key of its own."""

    house: Any
    http: httpx.AsyncClient
    credentials: tuple[str, str]
    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256"))

    @property
    def issuer(self) -> str:
        return f"http://hearth.test/t/{self.house.name}"

    def proof(
        self,
        url: str,
        method: str = "POST",
        token: str | None = None,
        *,
        key: Any = None,
        header: Any = None,
        **changes: Any,
    ) -> str:
        key = key or self.key
        head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)} | (header or {})
        claims = {"htm": method, "htu": url, "iat": int(time.time()), "jti": str(uuid4())}
        if token is not None:
            claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None}, claims, key,
            algorithms=[head["alg"]], default_type=None,
        )  # fmt: skip

    async def ask(self, proof: str | None, http: httpx.AsyncClient | None = None) -> httpx.Response:
        headers = {} if proof is None else {"DPoP": proof}
        return await (http or self.http).post(
            f"{self.issuer}/oauth/token", data=GRANT, auth=self.credentials, headers=headers
        )

    async def bound(self) -> str:
        answer = await self.ask(self.proof(f"{self.issuer}/oauth/token"))
        assert answer.json()["token_type"] == "DPoP", answer.text
        return str(answer.json()["access_token"])

    async def read(
        self,
        token: str,
        proof: str | None,
        path: str = "Patient",
        scheme: str = "DPoP",
        method: str = "GET",
        **sent: Any,
    ) -> httpx.Response:
        headers = {"Authorization": f"{scheme} {token}"} | ({} if proof is None else {"DPoP": proof})
        return await self.http.request(method, f"{self.issuer}/fhir/{path}", headers=headers, **sent)

    def patients(self) -> str:
        return f"{self.issuer}/fhir/Patient"


async def made(house: Any, http: httpx.AsyncClient, **changes: Any) -> Holder:
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        client = await clients.register(
            connection, house.tenant_id, NewClient("Bound", "system/*.cruds __introspect", **changes)
        )
    return Holder(house, http, (client.client_id, client.client_secret))


@pytest.fixture
async def holder(house: Any) -> AsyncIterator[Holder]:
    async with house.client() as http:
        yield await made(house, http)


def no_proof(answer: httpx.Response) -> None:
    """As the token endpoint refuses it (5)."""
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof"), answer.text
    assert " " in answer.json()["error_description"]


def no_access(answer: httpx.Response, error: str) -> None:
    """As the FHIR API refuses it (7.1)."""
    assert answer.status_code == 401, answer.text
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("DPoP ")
    assert f'error="{error}"' in challenge
    assert 'algs="ES256 ES384' in challenge
    (issue,) = answer.json()["issue"]
    assert (issue["code"], issue["details"]["coding"][0]["code"]) == ("login", "token-not-proven")


Make = Callable[[Holder, str, str, str | None], str]


def changed(proof: str) -> str:
    head, body, signature = proof.split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


WRONG: Final[dict[str, Make]] = {
    "no token": lambda h, url, method, token: "nonsense",
    "two in one header": lambda h, url, method, token: f"{h.proof(url, method, token)}, {h.proof(url, method, token)}",
    "a changed signature": lambda h, url, method, token: changed(h.proof(url, method, token)),
    "a signature of another key": lambda h, url, method, token: h.proof(
        url, method, token, key=OTHER, header={"jwk": h.key.as_dict(private=False)}),
    "the private key in it": lambda h, url, method, token: h.proof(
        url, method, token, header={"jwk": h.key.as_dict(private=True)}),
    "no key in it": lambda h, url, method, token: h.proof(url, method, token, header={"jwk": None}),
    "a secret as key": lambda h, url, method, token: h.proof(
        url, method, token, key=OctKey.generate_key(256), header={"alg": "HS256"}),
    "alg of another kind of key": lambda h, url, method, token: h.proof(
        url, method, token, key=RSA, header={"alg": "PS256"}),
    "another typ": lambda h, url, method, token: h.proof(url, method, token, header={"typ": "JWT"}),
    "no typ": lambda h, url, method, token: h.proof(url, method, token, header={"typ": None}),
    "another method": lambda h, url, method, token: h.proof(url, "DELETE", token),
    "a method in small letters": lambda h, url, method, token: h.proof(url, method.lower(), token),
    "another path": lambda h, url, method, token: h.proof(f"{url}x", method, token),
    "another host": lambda h, url, method, token: h.proof(url.replace("hearth.test", "evil.example"), method, token),
    "another scheme": lambda h, url, method, token: h.proof(url.replace("http:", "https:"), method, token),
    "another port": lambda h, url, method, token: h.proof(url.replace("hearth.test", "hearth.test:81"), method, token),
    "an address that is none": lambda h, url, method, token: h.proof("http://[", method, token),
    "no htu": lambda h, url, method, token: h.proof(url, method, token, htu=None),
    "no htm": lambda h, url, method, token: h.proof(url, method, token, htm=None),
    "no iat": lambda h, url, method, token: h.proof(url, method, token, iat=None),
    "iat some minutes ago": lambda h, url, method, token: h.proof(url, method, token, iat=int(time.time()) - 300),
    "iat ahead": lambda h, url, method, token: h.proof(url, method, token, iat=int(time.time()) + 60),
    "no jti": lambda h, url, method, token: h.proof(url, method, token, jti=None),
    "an empty jti": lambda h, url, method, token: h.proof(url, method, token, jti=""),
    "very long": lambda h, url, method, token: h.proof(url, method, token, more="x" * 9000),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
async def test_no_token_is_bound_by_a_proof_with(holder: Holder, what: str) -> None:
    url = f"{holder.issuer}/oauth/token"
    no_proof(await holder.ask(WRONG[what](holder, url, "POST", None)))


@pytest.mark.parametrize("what", WRONG)
async def test_nothing_is_read_by_a_proof_with(holder: Holder, what: str) -> None:
    token = await holder.bound()
    no_access(await holder.read(token, WRONG[what](holder, holder.patients(), "GET", token)), "invalid_dpop_proof")


async def test_a_bound_token_reads_with_a_proof_of_its_key_each_time(holder: Holder) -> None:
    token = await holder.bound()
    for _ in range(3):  # found, then remembered by the worker
        answer = await holder.read(token, holder.proof(holder.patients(), "GET", token))
        assert answer.status_code == 200, answer.text
    answer = await holder.read(
        token, holder.proof(holder.patients(), "POST", token), method="POST", json={"resourceType": "Patient"}
    )
    assert answer.status_code == 201, answer.text


async def test_the_address_in_a_proof_has_no_query_or_has_one(holder: Holder) -> None:
    token = await holder.bound()
    for htu in (holder.patients(), f"{holder.patients()}?name=x#y", holder.patients().replace("http://H", "HTTP://h"),
                holder.patients().replace("hearth.test", "HEARTH.test:80")):  # fmt: skip
        answer = await holder.read(token, holder.proof(htu, "GET", token), path="Patient?name=x")
        assert answer.status_code == 200, htu
    url = f"{holder.patients()}/p1/%24everything"
    assert (await holder.read(token, holder.proof(url, "GET", token), path="Patient/p1/$everything")).status_code == 404


async def test_a_bound_token_is_none_as_bearer(holder: Holder) -> None:
    token = await holder.bound()
    proof = holder.proof(holder.patients(), "GET", token)
    no_access(await holder.read(token, None, scheme="Bearer"), "invalid_token")
    no_access(await holder.read(token, proof, scheme="Bearer"), "invalid_token")
    no_access(await holder.read(token, None), "invalid_dpop_proof")
    assert (await holder.read(token, proof)).status_code == 200


async def test_a_bearer_token_is_none_with_a_proof(holder: Holder) -> None:
    token = (await holder.ask(None)).json()["access_token"]
    no_access(await holder.read(token, holder.proof(holder.patients(), "GET", token)), "invalid_token")
    assert (await holder.read(token, None, scheme="Bearer")).status_code == 200


async def test_the_proof_of_another_key_is_none(holder: Holder) -> None:
    token = await holder.bound()
    proof = holder.proof(holder.patients(), "GET", token, key=OTHER)
    no_access(await holder.read(token, proof), "invalid_dpop_proof")


async def test_a_proof_is_of_one_token(holder: Holder) -> None:
    token, another = await holder.bound(), await holder.bound()
    for shown in (None, another):
        proof = holder.proof(holder.patients(), "GET", shown)
        no_access(await holder.read(token, proof), "invalid_dpop_proof")


async def test_a_proof_is_taken_once_by_all_workers(holder: Holder, second: Any) -> None:
    token = await holder.bound()
    proof = holder.proof(holder.patients(), "GET", token)
    assert (await holder.read(token, proof)).status_code == 200
    no_access(await holder.read(token, proof), "invalid_dpop_proof")
    async with replace(holder.house, app=second).client() as there:
        no_access(await replace(holder, http=there).read(token, proof), "invalid_dpop_proof")
        for _ in range(5):
            fresh = holder.proof(f"{holder.issuer}/oauth/token")
            answers = await asyncio.gather(*(holder.ask(fresh, http) for http in (holder.http, there, there)))
            assert sorted(answer.status_code for answer in answers) == [200, 400, 400]


async def test_a_revoked_bound_token_is_none(holder: Holder) -> None:
    token = await holder.bound()
    assert (await holder.read(token, holder.proof(holder.patients(), "GET", token))).status_code == 200
    await holder.http.post(f"{holder.issuer}/oauth/revoke", data={"token": token}, auth=holder.credentials)
    answer = await holder.read(token, holder.proof(holder.patients(), "GET", token))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_client_registered_for_bound_tokens_gets_no_others(house: Any) -> None:
    async with house.client() as http:
        holder = await made(house, http, dpop=True)
        no_proof(await holder.ask(None))
        assert await holder.bound()


@pytest.mark.parametrize(("algorithm", "key"), [("ES384", ECKey.generate_key("P-384")), ("RS256", RSA)])
async def test_other_algorithms_are_taken(holder: Holder, algorithm: str, key: Any) -> None:
    holder = replace(holder, key=key)
    url, header = f"{holder.issuer}/oauth/token", {"alg": algorithm}
    token = (await holder.ask(holder.proof(url, header=header))).json()["access_token"]
    answer = await holder.read(token, holder.proof(holder.patients(), "GET", token, header=header))
    assert answer.status_code == 200


async def test_two_proofs_are_refused(holder: Holder) -> None:
    token, url = await holder.bound(), f"{holder.issuer}/oauth/token"
    proofs = [("DPoP", holder.proof(url)), ("DPoP", holder.proof(url))]
    answer = await holder.http.post(url, data=GRANT, auth=holder.credentials, headers=proofs)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    shown = [("Authorization", f"DPoP {token}")]
    shown += [("DPoP", holder.proof(holder.patients(), "GET", token)) for _ in range(2)]
    assert (await holder.http.get(holder.patients(), headers=shown)).status_code == 400


async def test_a_bound_token_needs_its_proof_at_our_own_endpoints_too(holder: Holder) -> None:
    token, url = await holder.bound(), f"{holder.issuer}/oauth/introspect"
    bearer = await holder.http.post(url, data={"token": token}, headers={"Authorization": f"Bearer {token}"})
    assert (bearer.status_code, bearer.json()["error"]) == (401, "invalid_token")
    headers = {"Authorization": f"DPoP {token}", "DPoP": holder.proof(url, token=token)}
    told = await holder.http.post(url, data={"token": token}, headers=headers)
    assert told.json()["token_type"] == "DPoP", told.text
    assert told.json()["cnf"] == {"jkt": holder.key.thumbprint()}
    again = await holder.http.post(url, data={"token": token}, headers=headers)
    assert again.status_code == 401


async def test_a_proof_leaves_nothing_in_the_audit(holder: Holder) -> None:
    proof = holder.proof(f"{holder.issuer}/elsewhere")
    no_proof(await holder.ask(proof))
    await holder.house.app.engine.spool.flush()
    async with holder.house.client(await holder.house.token()) as api:
        found = (await api.get("AuditEvent", params={"subtype": "token-refused"})).json()
    (entry,) = found["entry"]
    assert entry["resource"]["outcomeDesc"] == "invalid_dpop_proof"
    assert proof not in json.dumps(found)
