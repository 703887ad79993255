"""Clients prove who they are by the one method they are registered for; everything else is one and the same refusal.

https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html, RFC 7523 (3)
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from schemas import dates
from service.errors import Unprocessable
from service.oauth import clients
from service.oauth import jwks as key_sets
from service.oauth.metadata import BadMetadata, NewClient

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REFUSED: Final = "The client is unknown or disabled, or what it authenticates with is not valid here"
EC: Final = ECKey.generate_key("P-384", {"kid": "ec"})
RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa"})
P256: Final = ECKey.generate_key("P-256", {"kid": "p256"})
OTHER: Final = ECKey.generate_key("P-384", {"kid": "ec"})
KEYS: Final = {"ES384": EC, "RS384": RSA}


def key_set(*keys: Any) -> str:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]})


@dataclass
class App:
    """A client with keys, and its tenant's OAuth endpoints."""

    house: Any
    http: httpx.AsyncClient
    client_id: str

    @property
    def issuer(self) -> str:
        return f"http://hearth.test/t/{self.house.name}"

    def claims(self, **changes: Any) -> dict[str, Any]:
        made = {
            "iss": self.client_id, "sub": self.client_id, "aud": f"{self.issuer}/oauth/token",
            "exp": int(time.time()) + 240, "jti": str(uuid4()),
        } | changes  # fmt: skip
        return {name: value for name, value in made.items() if value is not None}

    def signed(self, key: Any = EC, header: dict[str, Any] | None = None, **changes: Any) -> str:
        head = {"alg": "ES384", "kid": "ec", "typ": "JWT"} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        registry = JWSRegistry(algorithms=[head["alg"]], strict_check_header=False)
        return jwt.encode(head, self.claims(**changes), key, registry=registry, default_type=None)

    async def ask(self, assertion: str, http: httpx.AsyncClient | None = None, **form: str) -> httpx.Response:
        sent = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion} | form
        return await (http or self.http).post(f"{self.issuer}/oauth/token", data=sent)


async def registered(house: Any, **changes: Any) -> clients.Credentials:
    new = NewClient("Backend", "system/*.rs", auth_method="private_key_jwt", jwks=key_set(EC, RSA, P256))
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        return await clients.register(connection, house.tenant_id, replace(new, **changes), loopback_keys=True)


@pytest.fixture
async def app(house: Any) -> AsyncIterator[App]:
    made = await registered(house)
    assert made.client_secret == ""
    async with house.client() as http:
        yield App(house, http, made.client_id)


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.json() == {"error": "invalid_client", "error_description": REFUSED}
    assert answer.headers["cache-control"] == "no-store"
    assert "www-authenticate" in answer.headers


def unsigned(app: App, **header: Any) -> str:
    parts = ({"alg": "none", "kid": "ec", "typ": "JWT"} | header, app.claims())
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def changed(token: str, at: int) -> str:
    """One character of a part of the token is another one."""
    parts = token.split(".")
    middle = len(parts[at]) // 2
    other = "A" if parts[at][middle] != "A" else "B"
    parts[at] = parts[at][:middle] + other + parts[at][middle + 1 :]
    return ".".join(parts)


SECRET_OF_KEYS: Final = OctKey.import_key(key_set(EC).encode())
FORGED: Final[dict[str, Callable[[App], str]]] = {
    "a signature of another key": lambda app: app.signed(OTHER),
    "a changed signature": lambda app: changed(app.signed(), 2),
    "a changed payload": lambda app: changed(app.signed(), 1),
    "a changed header": lambda app: changed(app.signed(), 0),
    "no signature": lambda app: app.signed().rpartition(".")[0] + ".",
    "alg none": unsigned,
    "alg None": lambda app: unsigned(app, alg="None"),
    "alg HS256 with the public keys as secret": lambda app: app.signed(SECRET_OF_KEYS, {"alg": "HS256"}),
    "alg RS256": lambda app: app.signed(RSA, {"alg": "RS256", "kid": "rsa"}),
    "alg ES256": lambda app: app.signed(P256, {"alg": "ES256", "kid": "p256"}),
    "alg RS384 with the kid of an EC key": lambda app: app.signed(RSA, {"alg": "RS384", "kid": "ec"}),
    "alg ES384 with the kid of an RSA key": lambda app: app.signed(EC, {"kid": "rsa"}),
    "an unknown kid": lambda app: app.signed(header={"kid": "nobody"}),
    "no kid": lambda app: app.signed(header={"kid": None}),
    "a foreign jku": lambda app: app.signed(header={"jku": "https://evil.example/jwks"}),
    "another typ": lambda app: app.signed(header={"typ": "at+jwt"}),
    "no typ": lambda app: app.signed(header={"typ": None}),
    "exp ten minutes ahead": lambda app: app.signed(exp=int(time.time()) + 600),
    "exp an hour ahead": lambda app: app.signed(exp=int(time.time()) + 3600),
    "exp at the end of times": lambda app: app.signed(exp=10**30),
    "exp over": lambda app: app.signed(exp=int(time.time()) - 1),
    "no exp": lambda app: app.signed(exp=None),
    "exp as text": lambda app: app.signed(exp="soon"),
    "exp true": lambda app: app.signed(exp=True),
    "nbf ahead": lambda app: app.signed(nbf=int(time.time()) + 120),
    "iat ahead": lambda app: app.signed(iat=int(time.time()) + 120),
    "no jti": lambda app: app.signed(jti=None),
    "an empty jti": lambda app: app.signed(jti=""),
    "a long jti": lambda app: app.signed(jti="j" * 300),
    "a jti that is a number": lambda app: app.signed(jti=5),
    "aud of another server": lambda app: app.signed(aud="https://elsewhere.example/oauth/token"),
    "aud of the default tenant": lambda app: app.signed(aud="http://hearth.test/oauth/token"),
    "aud of another endpoint": lambda app: app.signed(aud=f"{app.issuer}/oauth/revoke"),
    "aud of the FHIR API": lambda app: app.signed(aud=f"{app.issuer}/fhir"),
    "aud of us and others": lambda app: app.signed(aud=[f"{app.issuer}/oauth/token", "https://elsewhere.example"]),
    "no aud": lambda app: app.signed(aud=None),
    "an empty aud": lambda app: app.signed(aud=[]),
    "another iss": lambda app: app.signed(iss="https://elsewhere.example"),
    "another sub": lambda app: app.signed(sub="somebody"),
    "iss and sub of nobody": lambda app: app.signed(iss="nobody", sub="nobody"),
    "a sub with a NUL": lambda app: app.signed(iss="a\0b", sub="a\0b"),
    "no iss": lambda app: app.signed(iss=None),
    "no sub": lambda app: app.signed(sub=None),
    "no token": lambda _: "not-a-token",
    "two parts": lambda app: app.signed().rpartition(".")[0],
    "not base64": lambda _: "!!!.???.***",
    "a payload that is no object": lambda _: "eyJhbGciOiJFUzM4NCIsImtpZCI6ImVjIiwidHlwIjoiSldUIn0.W10.AAAA",
    "very long": lambda app: app.signed(more="x" * 9000),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
async def test_an_assertion_is_refused_in_the_same_words_for(app: App, what: str) -> None:
    refused(await app.ask(FORGED[what](app)))


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"b64": False, "crit": ["b64"]}])
async def test_header_parameters_that_change_the_meaning_are_refused(app: App, header: dict[str, Any]) -> None:
    body, signature = app.signed().split(".")[1:]
    head = json.dumps({"alg": "ES384", "kid": "ec", "typ": "JWT"} | header).encode()
    refused(await app.ask(f"{base64.urlsafe_b64encode(head).decode().rstrip('=')}.{body}.{signature}"))


@pytest.mark.parametrize("algorithm", KEYS)
async def test_both_algorithms_of_smart_are_taken(app: App, algorithm: str) -> None:
    key = KEYS[algorithm]
    header = {"alg": algorithm, "kid": key.kid}
    answer = await app.ask(app.signed(key, header), scope="system/Patient.rs user/Patient.rs")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["scope"] == "system/Patient.rs"
    assert 0 < body["expires_in"] <= 300
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    async with app.house.client(body["access_token"]) as api:
        assert (await api.get("Patient")).status_code == 200


@pytest.mark.parametrize("name", ["/oauth/token", "", "/oauth/par"])
async def test_the_audience_is_the_token_endpoint_or_the_issuer(app: App, name: str) -> None:
    assert (await app.ask(app.signed(aud=f"{app.issuer}{name}"))).status_code == 200
    assert (await app.ask(app.signed(aud=[f"{app.issuer}{name}"]), client_id=app.client_id)).status_code == 200


async def test_an_assertion_is_used_once(app: App) -> None:
    assertion = app.signed()
    assert (await app.ask(assertion)).status_code == 200
    refused(await app.ask(assertion))
    refused(await app.ask(app.signed(jti=json.loads(_payload(assertion))["jti"])))
    # Even one that got nothing: it has been seen.
    wasted = app.signed()
    assert (await app.ask(wasted, scope="openid")).json()["error"] == "invalid_scope"
    refused(await app.ask(wasted))


async def test_of_two_workers_that_see_an_assertion_at_once_one_takes_it(app: App, second: Any) -> None:
    async with replace(app.house, app=second).client() as there:
        for _ in range(10):
            assertion = app.signed()
            answers = await asyncio.gather(*(app.ask(assertion, http) for http in (app.http, there, app.http, there)))
            assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_jti_belongs_to_its_client_and_tenant(app: App, new_house: Any) -> None:
    other = replace(app, client_id=(await registered(app.house)).client_id)
    elsewhere = await new_house()
    far = App(elsewhere, app.http, (await registered(elsewhere)).client_id)
    for each in (app, other, far):
        assert (await each.ask(each.signed(jti="the-same"))).status_code == 200


async def test_the_assertion_of_another_tenant_is_none(app: App, new_house: Any) -> None:
    elsewhere = await new_house()
    far = App(elsewhere, app.http, app.client_id)
    refused(await app.ask(far.signed()))
    refused(await far.ask(far.signed()))


async def test_a_disabled_client_is_refused(app: App) -> None:
    async with app.house.app.engine.database.connection(app.house.tenant_id) as connection:
        await clients.disable(connection, app.house.tenant_id, app.client_id, dates.clock())
    refused(await app.ask(app.signed()))


async def test_other_keys_end_the_old_ones_and_their_tokens(app: App) -> None:
    token = (await app.ask(app.signed())).json()["access_token"]
    async with app.house.app.engine.database.connection(app.house.tenant_id) as connection:
        private = json.dumps({"keys": [OTHER.as_dict(private=True)]})
        with pytest.raises(Unprocessable, match="private part"):
            await clients.rotate_keys(connection, app.house.tenant_id, app.client_id, private, dates.clock())
        await clients.rotate_keys(connection, app.house.tenant_id, app.client_id, key_set(OTHER), dates.clock())
    async with app.house.client(token) as api:
        assert (await api.get("Patient")).status_code == 401
    refused(await app.ask(app.signed()))
    assert (await app.ask(app.signed(OTHER))).status_code == 200


async def test_the_client_id_beside_an_assertion_has_to_be_the_same(app: App) -> None:
    refused(await app.ask(app.signed(), client_id="another"))


async def test_a_client_has_one_method_only(app: App) -> None:
    async with app.house.app.engine.database.connection(app.house.tenant_id) as connection:
        secret = await clients.add(connection, app.house.tenant_id, "Secret", "system/*.rs")
        public = await clients.register(connection, app.house.tenant_id, NewClient(
            "App", "patient/*.rs", "none", ("authorization_code",), ("https://app.example/done",)))  # fmt: skip
    grant = {"grant_type": "client_credentials"}
    url = f"{app.issuer}/oauth/token"
    with_secret = replace(app, client_id=secret.client_id)
    refused(await app.ask(with_secret.signed()))  # a secret client by assertion
    for client_id in (app.client_id, public.client_id):  # others by secret
        for given in ("", "x", secret.client_secret):
            refused(await app.http.post(url, data=grant, auth=(client_id, given)))
        answer = await app.http.post(url, data=grant | {"client_id": client_id, "client_secret": "x"})
        refused(answer)
    for client_id in (app.client_id, secret.client_id, "nobody"):  # by name alone
        refused(await app.http.post(url, data=grant | {"client_id": client_id}))
    answer = await app.http.post(url, data=grant | {"client_id": public.client_id})
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_two_methods_at_once_are_refused(app: App) -> None:
    answer = await app.ask(app.signed(), client_secret="x")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = await app.http.post(
        f"{app.issuer}/oauth/token", auth=(app.client_id, "x"),
        data={"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": app.signed()},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "form",
    [
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion_type": "not-a-type"},
        {"client_assertion_type": ""},
        {"client_assertion": ""},
    ],
)
async def test_the_type_of_the_assertion_has_to_be_the_one(app: App, form: dict[str, str]) -> None:
    answer = await app.ask(app.signed(), **form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_no_tokens_are_given_for_scopes_of_persons(app: App) -> None:
    answer = await app.ask(app.signed(), scope="user/Patient.rs patient/Patient.rs openid launch __introspect")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_an_assertion_proves_the_client_at_the_other_endpoints_too(app: App) -> None:
    token = (await app.ask(app.signed())).json()["access_token"]
    proof = {"client_assertion_type": TYPE}
    for name, active in (("introspect", True), ("revoke", None), ("introspect", False)):
        sent = proof | {"token": token, "client_assertion": app.signed()}
        answer = await app.http.post(f"{app.issuer}/oauth/{name}", data=sent)
        assert answer.status_code == 200, answer.text
        if active is not None:
            assert answer.json()["active"] is active
        refused(await app.http.post(f"{app.issuer}/oauth/{name}", data=sent))  # the same proof again


async def test_a_refusal_is_in_the_audit_with_its_reason_and_without_the_proof(app: App) -> None:
    assertion = app.signed(OTHER)
    await app.ask(assertion)
    await app.house.app.engine.spool.flush()
    async with app.house.client(await app.house.token()) as api:
        found = (await api.get("AuditEvent", params={"subtype": "token-refused"})).json()
    (entry,) = found["entry"]
    assert entry["resource"]["outcomeDesc"] == "invalid_client: the signature is not the key's"
    assert entry["resource"]["outcome"] == "4"
    assert assertion not in json.dumps(found)


def _payload(token: str) -> bytes:
    text = token.split(".")[1]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def described(**changes: Any) -> str:
    return json.dumps({"keys": [{**EC.as_dict(private=False), **changes}]})


def modulus(size: int) -> str:
    return base64.urlsafe_b64encode(b"\xff" * size).decode()


WEAK: Final = {"kty": "RSA", "kid": "weak", "e": "AQAB", "n": modulus(128)}


@pytest.mark.parametrize(
    ("jwks", "told"),
    [
        ("", "not JSON"),
        ("[]", "a key set is"),
        ('{"keys": []}', "a key set is"),
        ('{"keys": ["x"]}', "keys[0].kty"),
        (json.dumps({"keys": [EC.as_dict(private=True)]}), "private part"),
        (json.dumps({"keys": [RSA.as_dict(private=True)]}), "private part"),
        (json.dumps({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}), "keys[0].kty"),
        (described(kid=None), "keys[0].kid"),
        (described(kid=""), "keys[0].kid"),
        (described(x=None), "keys[0].x"),
        (described(y="AAAA"), "is no EC key"),
        (described(crv="P-999"), "is no EC key"),
        (key_set(EC, OTHER), "the same kid"),
        (key_set(P256), "no key can be used"),
        (described(use="enc"), "no key can be used"),
        (described(alg="ES256"), "no key can be used"),
        (described(key_ops=["encrypt"]), "no key can be used"),
        (json.dumps({"keys": [WEAK]}), "less than 2048 bits"),
        (json.dumps({"keys": [WEAK | {"n": "A" * 400 + WEAK["n"]}]}), "less than 2048 bits"),
        (json.dumps({"keys": [WEAK | {"n": modulus(2048)}]}), "more than 8192"),
        (json.dumps({"keys": [WEAK | {"n": modulus(256), "e": modulus(256)}]}), "a long exponent"),
        (json.dumps({"keys": [WEAK | {"n": "\u00e4" * 400}]}), "less than 2048 bits"),
    ],
)
async def test_keys_that_cannot_be_taken_are_refused_at_registration(house: Any, jwks: str, told: str) -> None:
    with pytest.raises(BadMetadata) as raised:
        await registered(house, jwks=jwks)
    assert told in str(raised.value)


async def test_of_two_keys_with_one_name_neither_is_taken(house: Any) -> None:
    """A client cannot register such a set; one at a jwks_uri may be so any day."""
    keys = key_sets.parse(key_set(EC, OTHER, RSA))
    assert key_sets.find(keys, "ec", "ES384") is None
    assert key_sets.find(keys, "rsa", "RS384") is not None
    assert key_sets.find(keys, "rsa", "ES384") is None


class Published:
    """What a client publishes at its jwks_uri, on this host."""

    def __init__(self) -> None:
        self.keys: list[Any] = [EC]
        self.asked = 0
        self.pause = 0.0
        self.head = "HTTP/1.1 200 OK\r\nCache-Control: no-store"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await asyncio.sleep(self.pause)
        body = key_set(*self.keys)
        writer.write(f"{self.head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()


@pytest.fixture
async def published() -> AsyncIterator[Published]:
    held = Published()
    server = await asyncio.start_server(held.answer, "127.0.0.1", 0)
    held.uri = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"  # type: ignore[attr-defined]
    yield held
    server.close()


@pytest.fixture
async def remote(house: Any, published: Any) -> AsyncIterator[App]:
    """An app that publishes its keys."""
    made = await registered(house, jwks=None, jwks_uri=published.uri)
    async with house.client() as http:
        yield App(house, http, made.client_id)


async def test_keys_at_an_address_are_taken_with_and_without_its_name(remote: App, published: Any) -> None:
    assert (await remote.ask(remote.signed())).status_code == 200
    assert (await remote.ask(remote.signed(header={"jku": published.uri}))).status_code == 200
    for jku in (published.uri + "x", published.uri.replace("127.0.0.1", "localhost"), "https://evil.example/jwks"):
        refused(await remote.ask(remote.signed(OTHER, {"jku": jku})))
        refused(await remote.ask(remote.signed(header={"jku": jku})))


async def test_a_client_that_publishes_other_keys_is_known_by_them(remote: App, published: Any) -> None:
    assert (await remote.ask(remote.signed())).status_code == 200
    published.keys = [OTHER]
    refused(await remote.ask(remote.signed()))
    assert (await remote.ask(remote.signed(OTHER))).status_code == 200


@pytest.mark.parametrize("keys", [[EC, OTHER], [P256], [RSA], []])
async def test_published_keys_among_which_none_is_the_one_are_of_no_use(
    remote: App, published: Any, keys: list[Any]
) -> None:
    published.keys = keys
    refused(await remote.ask(remote.signed()))


@pytest.mark.parametrize(
    "head", ["HTTP/1.1 302 Found\r\nLocation: https://evil.example/", "HTTP/1.1 500 Oops", "nonsense"]
)
async def test_keys_that_cannot_be_had_are_a_refusal_like_others(remote: App, published: Any, head: str) -> None:
    published.head = head
    refused(await remote.ask(remote.signed()))
    assert published.asked == 1


async def test_nothing_is_fetched_for_an_assertion_that_is_refused_anyway(remote: App, published: Any) -> None:
    for assertion in (
        remote.signed(exp=None),
        remote.signed(aud="x"),
        remote.signed(header={"jku": "https://e.example"}),
    ):
        refused(await remote.ask(assertion))
    assert published.asked == 0


async def test_a_slow_server_of_keys_keeps_no_connection_from_others(remote: App, published: Any, second: Any) -> None:
    """The second worker has two connections; four requests wait for keys meanwhile."""
    published.pause = 1.0
    async with replace(remote.house, app=second).client() as there:
        waiting = [asyncio.create_task(remote.ask(remote.signed(), there)) for _ in range(4)]
        await asyncio.sleep(0.3)
        started = time.monotonic()
        assert (await there.get("metadata")).status_code == 200
        refused(await remote.ask(remote.signed(iss="nobody", sub="nobody"), there))
        assert time.monotonic() - started < 0.6
        assert not any(task.done() for task in waiting)
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200] * 4


async def test_other_header_parameters_mean_nothing(app: App) -> None:
    answer = await app.ask(app.signed(header={"x5t": "abc", "https://example.org/more": "y" * 600}))
    assert answer.status_code == 200, answer.text
