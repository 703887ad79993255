"""Signing in by another OpenID provider: every way in which its answer can be wrong, then the ways in which it is right."""

import asyncio
import base64
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from schemas import dates
from service.errors import Conflict, NotFound, Unprocessable
from service.oauth.smart import Place
from service.people import accounts, providers, upstream
from service.people.attempts import SignInRefused
from service.people.provider_web import BYTES_MOST, ProviderAway, Web
from service.people.providers import Identity, Provider

PLACE = Place("http://hearth.test", "default")
KEY = b"the server's secret"
NOW = dates.clock()
CLIENT_ID = "hearth-at-the-provider"


class Visit:
    """A browser on its way to a provider and back; `web` is a worker that knows nothing yet."""

    def __init__(self, other: Any, **provider: Any) -> None:
        self.other, self.web = other, Web()
        other.now = int(NOW.timestamp())
        sealed = providers.sealed(KEY, "what the provider calls secret")
        self.provider = replace(Provider("clinic", "The clinic", other.issuer, CLIENT_ID, sealed), **provider)
        self.cookie, self.params = "", dict[str, str]()

    async def begin(self) -> str:
        """To the provider and back to the callback: the address that the browser was sent to."""
        location, self.cookie = await upstream.begin(self.provider, PLACE, KEY, NOW, "the ask", self.web)
        self.params = self.other.authorize(location)
        return location

    async def identify(self, seconds: float = 0, **changes: Any) -> tuple[Identity, str]:
        """What the callback makes of it."""
        given: dict[str, Any] = {
            "provider": self.provider, "place": PLACE, "key": KEY, "cookie": self.cookie, "params": self.params
        } | changes  # fmt: skip
        return await upstream.identify(**given, now=NOW + timedelta(seconds=seconds), web=self.web)

    async def refused(self, **changes: Any) -> str:
        """Why the callback refuses."""
        with pytest.raises(SignInRefused) as refusal:
            await self.identify(**changes)
        assert str(refusal.value) == (SignInRefused.__doc__ or "").strip()
        return refusal.value.reason


@pytest.fixture
async def visit(other: Any) -> Visit:
    visit = Visit(other)
    await visit.begin()
    return visit


# The answer of the browser


async def test_an_answer_with_another_state_is_refused(visit: Visit) -> None:
    for state in ("", "x", visit.params["state"][:-1], "é"):
        assert "state" in await visit.refused(params=visit.params | {"state": state})
    assert "state" in await visit.refused(params={"code": "the-code"})
    assert "/token" not in visit.other.requests


async def test_an_answer_in_another_browser_is_refused(visit: Visit, other: Any) -> None:
    elsewhere = Visit(other)
    await elsewhere.begin()
    assert "state" in await visit.refused(cookie=elsewhere.cookie)
    for cookie in (None, "", "x", "é", visit.cookie[:-8], base64.urlsafe_b64encode(b"x" * 60).decode()):
        assert "begun in this browser" in await visit.refused(cookie=cookie)


async def test_the_cookie_cannot_be_made_by_who_does_not_know_the_servers_secret(visit: Visit) -> None:
    assert "begun in this browser" in await visit.refused(key=b"another server's secret")
    assert visit.params["state"] not in base64.urlsafe_b64decode(visit.cookie).decode("latin-1")


async def test_an_answer_after_ten_minutes_is_refused(visit: Visit) -> None:
    assert "too long ago" in await visit.refused(seconds=600)


async def test_an_answer_to_another_tenant_or_by_another_provider_is_refused(visit: Visit) -> None:
    assert "another provider" in await visit.refused(place=Place("http://hearth.test", "other"))
    assert "another provider" in await visit.refused(provider=replace(visit.provider, name="second"))
    assert "another provider" in await visit.refused(provider=replace(visit.provider, issuer="https://x.example"))


async def test_an_answer_that_names_another_issuer_is_refused(visit: Visit) -> None:
    assert "issuer" in await visit.refused(params=visit.params | {"iss": "https://mixed-up.example"})
    assert "/token" not in visit.other.requests
    identity, _ = await visit.identify(params=visit.params | {"iss": visit.other.issuer})
    assert identity.subject == "subject-1"


async def test_an_answer_that_does_not_name_the_issuer_is_refused_where_the_provider_always_does(other: Any) -> None:
    other.metadata = {"authorization_response_iss_parameter_supported": True}
    visit = Visit(other)
    await visit.begin()
    assert "issuer" in await visit.refused()
    await visit.identify(params=visit.params | {"iss": other.issuer})


async def test_who_the_provider_refuses_is_refused(visit: Visit) -> None:
    denied = {"state": visit.params["state"], "error": "access_denied", "error_description": "<b>no</b>"}
    assert await visit.refused(params=denied) == "the provider answered access_denied"
    assert "<b>" not in await visit.refused(params=denied | {"error": "<b>"})
    assert "no code" in await visit.refused(params={"state": visit.params["state"]})


# The answer of the token endpoint


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "another-client"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": [CLIENT_ID, "another-client"]}, "another client"),
        ({"aud": [CLIENT_ID, "another-client"], "azp": "another-client"}, "another client"),
        ({"azp": "another-client"}, "another client"),
        ({"iss": "https://mixed-up.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"exp": int(NOW.timestamp()) - 61}, "not valid"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"iat": int(NOW.timestamp()) + 3600}, "not valid"),
        ({"iat": None}, "iat"),
        ({"nbf": int(NOW.timestamp()) + 3600}, "not valid"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "x" * 256}, "subject"),
    ],
)
async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    visit: Visit, claims: dict[str, Any], said: str
) -> None:
    visit.other.claims = claims
    reason = await visit.refused()
    assert said in reason
    assert visit.other.asked["nonce"] not in reason


async def test_an_id_token_with_a_list_of_nonces_is_refused(visit: Visit) -> None:
    visit.other.claims = {"nonce": [visit.other.asked["nonce"], "another"]}
    assert "nonce" in await visit.refused()


def _signed_by_a_stranger(other: Any) -> None:
    other.signer = other.stranger


def _signed_with_the_public_key(other: Any) -> None:
    other.header = {"alg": "HS256"}


def _unsigned(other: Any) -> None:
    other.header = {"alg": "none"}


def _signature_changed(other: Any) -> None:
    other.garble = lambda token: token[:-8] + "AAAAAAAA"


def _claims_changed(other: Any) -> None:
    other.garble = lambda token: ".".join((token.split(".")[0], token.split(".")[1][::-1], token.split(".")[2]))


def _key_of_the_header(other: Any) -> None:
    other.header, other.signer = {"jwk": other.stranger.as_dict(private=False), "kid": None}, other.stranger


def _unknown_key(other: Any) -> None:
    other.header = {"kid": "unknown"}


def _key_of_another_kind(other: Any) -> None:
    other.header = {"kid": "curve"}


def _key_that_encrypts(other: Any) -> None:
    other.published = [type(other.key).import_key(other.key.as_dict(private=False) | {"use": "enc"})]


def _no_token(other: Any) -> None:
    other.token = {"access_token": "x", "token_type": "Bearer"}


def _no_text(other: Any) -> None:
    other.token = {"id_token": ["x"]}


def _no_jwt(other: Any) -> None:
    other.token = {"id_token": "not.a.jwt"}


def _huge(other: Any) -> None:
    other.claims = {"more": "x" * 80_000}


@pytest.mark.parametrize(
    "wrong",
    [
        _signed_by_a_stranger, _signed_with_the_public_key, _unsigned, _signature_changed, _claims_changed,
        _key_of_the_header, _unknown_key, _key_of_another_kind, _key_that_encrypts, _no_token, _no_text, _no_jwt, _huge,
    ],
)  # fmt: skip
async def test_an_id_token_that_the_provider_did_not_sign_is_refused(
    visit: Visit, wrong: Callable[[Any], None]
) -> None:
    wrong(visit.other)
    await visit.refused()


async def test_a_code_that_the_provider_does_not_take_is_refused(visit: Visit) -> None:
    assert "401" in await visit.refused(params=visit.params | {"code": "another"})


# What the provider publishes


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://mixed-up.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"token_endpoint": "ftp://x.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"more": "x" * BYTES_MOST},
    ],
)
async def test_metadata_that_is_not_the_providers_is_not_used(other: Any, metadata: dict[str, Any]) -> None:
    other.metadata = metadata
    with pytest.raises(ProviderAway) as away:
        await Visit(other).begin()
    assert away.value.retry_after
    assert other.issuer not in str(away.value)


async def test_metadata_is_neither_followed_elsewhere_nor_unpacked(other: Any) -> None:
    for status, headers in (
        (302, {"Location": f"{other.issuer}/keys"}),
        (200, {"Content-Encoding": "gzip"}),
        (500, {}),
    ):
        other.status, other.headers = status, headers
        with pytest.raises(ProviderAway):
            await Visit(other).begin()
    assert "/keys" not in other.requests


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::1", "fd00::1"])
async def test_what_the_metadata_names_is_never_a_host_of_this_network(address: str) -> None:
    async def resolved(host: str, port: int) -> list[str]:
        return [address]

    with pytest.raises(ProviderAway) as away:
        await Web(resolved)._get("https://idp.example", "https://other.example/keys")
    assert "ConnectError" in away.value.reason


async def test_an_issuer_by_https_is_never_asked_by_http() -> None:
    async def resolved(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with pytest.raises(ProviderAway):
        await Web(resolved)._get("https://idp.example", "http://idp.example/keys")


async def test_a_provider_that_is_away_is_said_to_be(other: Any) -> None:
    visit = Visit(other, issuer="http://127.0.0.1:1")
    with pytest.raises(ProviderAway):
        await visit.begin()


async def test_a_new_key_of_the_provider_is_found_and_an_unknown_one_not_asked_for_again_and_again(other: Any) -> None:
    visit = Visit(other)
    await visit.begin()
    await visit.identify()
    other.key = other.signer = type(other.key).generate_key(2048, {"kid": "two"})
    other.header, other.published = {"kid": "two"}, [other.key]
    for _ in range(3):
        assert "InvalidKeyId" in await visit.refused()
    assert other.requests.count("/keys") == 1
    other.now += 11
    identity, _ = await visit.identify(seconds=11)
    assert identity.subject == "subject-1"
    assert other.requests.count("/keys") == 2


# What is right


async def test_the_browser_is_sent_with_a_challenge_a_state_and_a_nonce(other: Any) -> None:
    visit = Visit(other)
    location = await visit.begin()
    assert location.startswith(f"{other.issuer}/authorize?")
    asked = other.asked
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", CLIENT_ID, "openid profile email")
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://hearth.test/sign-in/clinic/callback"
    await visit.begin()
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name]) >= 43
        assert other.asked[name] != asked[name]


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic", "client_secret_post"], None])
async def test_a_valid_answer_says_who_it_is_and_what_to_go_on_with(other: Any, methods: list[str] | None) -> None:
    other.metadata = {"token_endpoint_auth_methods_supported": methods} if methods else {}
    other.claims = {"email": "robin@example.org", "aud": [CLIENT_ID]}
    visit = Visit(other)
    await visit.begin()
    identity, ask = await visit.identify()
    assert (identity.issuer, identity.subject, ask) == (other.issuer, "subject-1", "the ask")
    assert identity.claims["email"] == "robin@example.org"


async def test_a_provider_may_have_given_no_secret(other: Any) -> None:
    other.is_public = True
    visit = Visit(other, sealed_secret=None)
    await visit.begin()
    assert (await visit.identify())[0].subject == "subject-1"


async def test_a_signature_by_an_elliptic_curve_is_good_too(visit: Visit) -> None:
    visit.other.header, visit.other.signer = {"alg": "ES256", "kid": "curve"}, visit.other.curve
    assert (await visit.identify())[0].subject == "subject-1"


# Whom it may speak for


def vouched(subject: str = "subject-1", **claims: Any) -> Identity:
    return Identity("https://idp.example", subject, {"sub": subject, **claims})


def idp(**more: Any) -> Provider:
    return Provider("clinic", "The clinic", "https://idp.example", CLIENT_ID, None, **more)


async def account_of(office: Any, provider: Provider, identity: Identity) -> Any:
    async with office.connection() as connection:
        return await providers.account_of(connection, office.tenant_id, provider, identity)


@pytest.mark.parametrize(
    ("provider", "claims"),
    [
        (idp(), {"email": "robin@example.org", "email_verified": True}),
        (idp(link_claim="email"), {"email": "robin@example.org"}),
        (idp(link_claim="email"), {"email": "robin@example.org", "email_verified": "true"}),
        (idp(link_claim="email"), {"email": "nobody@example.org", "email_verified": True}),
        (idp(link_claim="upn"), {"email": "robin@example.org", "email_verified": True}),
        (idp(link_claim="upn"), {"upn": ["robin@example.org"]}),
        (idp(link_claim="upn"), {"upn": ""}),
        (idp(link_claim="upn"), {"upn": "robin@example.org\0"}),
        (idp(link_claim="fhirUser", link_to="fhir-user"), {"fhirUser": "Patient/nobody"}),
        (idp(link_claim="fhirUser", link_to="fhir-user"), {"fhirUser": "robin@example.org"}),
    ],
)
async def test_who_is_linked_to_no_account_is_refused_and_gets_none(
    office: Any, provider: Provider, claims: dict[str, Any]
) -> None:
    account = await office.add("robin@example.org")
    await office.refusal(account_of(office, provider, vouched(**claims)))
    async with office.connection() as connection:
        assert await accounts.registered(connection, office.tenant_id) == [account]
    assert (await office.row(account))["upstream_subject"] is None


async def test_an_account_that_is_linked_is_not_claimed_by_another_subject(office: Any) -> None:
    account = await office.add("robin@example.org", password=None)
    provider = idp(link_claim="upn")
    assert await account_of(office, provider, vouched(upn="Robin@example.org")) == account
    reason = (await office.refusal(account_of(office, provider, vouched("subject-2", upn="robin@example.org")))).reason
    assert "linked to another" in reason
    assert await account_of(office, provider, vouched(upn="somebody else now")) == account


async def test_of_two_subjects_at_once_one_gets_the_account(office: Any) -> None:
    await office.add("robin@example.org")
    provider = idp(link_claim="upn")
    answers = await asyncio.gather(
        *(account_of(office, provider, vouched(f"subject-{at}", upn="robin@example.org")) for at in range(4)),
        return_exceptions=True,
    )
    assert [type(one) for one in answers if isinstance(one, Exception)] == [SignInRefused] * 3


async def test_the_same_subject_of_another_issuer_is_somebody_else(office: Any) -> None:
    account = await office.add()
    async with office.connection() as connection:
        await providers.link(connection, office.tenant_id, account.account_id, "https://idp.example", "subject-1")
    other = replace(vouched(), issuer="https://other.example")
    await office.refusal(account_of(office, replace(idp(), issuer="https://other.example"), other))
    assert await account_of(office, idp(), vouched()) == account


async def test_a_disabled_account_is_refused(office: Any) -> None:
    linked, named = await office.add(), await office.add("robin@example.org")
    async with office.connection() as connection:
        await providers.link(connection, office.tenant_id, linked.account_id, "https://idp.example", "subject-1")
        for account in (linked, named):
            await accounts.set_disabled(connection, office.tenant_id, account.account_id, True, office.at())
    await office.refusal(account_of(office, idp(), vouched()))
    await office.refusal(account_of(office, idp(link_claim="upn"), vouched("subject-2", upn="robin@example.org")))


async def test_an_account_of_another_tenant_is_refused(office: Any, new_house: Any) -> None:
    account, other = await office.add("robin@example.org"), await new_house()
    async with office.connection() as connection:
        await providers.link(connection, office.tenant_id, account.account_id, "https://idp.example", "subject-1")
        for identity in (vouched(), vouched("subject-2", upn="robin@example.org")):
            await office.refusal(providers.account_of(connection, other.tenant_id, idp(link_claim="upn"), identity))


async def test_a_claim_links_the_account_it_names(office: Any) -> None:
    account = await office.add("robin@example.org")
    assert (
        await account_of(office, idp(link_claim="email"), vouched(email="Robin@Example.org", email_verified=True))
        == account
    )
    other = await office.add()
    provider = idp(link_claim="fhirUser", link_to="fhir-user")
    assert await account_of(office, provider, vouched("subject-2", fhirUser=other.fhir_user)) == other


async def test_a_subject_is_linked_to_one_account(office: Any) -> None:
    account, other = await office.add(), await office.add()
    async with office.connection() as connection:
        await providers.link(connection, office.tenant_id, account.account_id, "https://idp.example", "subject-1")
        with pytest.raises(Conflict):
            await providers.link(connection, office.tenant_id, other.account_id, "https://idp.example", "subject-1")
        for subject in ("", "x" * 256, "a\nb"):
            with pytest.raises(Unprocessable):
                await providers.link(connection, office.tenant_id, other.account_id, "https://idp.example", subject)


# Which providers there can be


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Clinic"}, {"name": "a/b"}, {"name": ""}, {"name": "x" * 41}, {"title": ""}, {"client_id": ""},
        {"issuer": "http://idp.example"}, {"issuer": "idp.example"}, {"issuer": "https://idp.example?x"},
        {"issuer": "https://user@idp.example"}, {"scope": "profile"}, {"link_to": "name"},
    ],
)  # fmt: skip
async def test_what_cannot_be_a_provider_is_none(office: Any, wrong: dict[str, Any]) -> None:
    async with office.connection() as connection:
        with pytest.raises(Unprocessable):
            await providers.add(connection, office.tenant_id, replace(idp(), **wrong))
        assert await providers.registered(connection, office.tenant_id) == []


async def test_a_tenant_has_providers_of_its_own(office: Any, new_house: Any) -> None:
    other, new = await new_house(), replace(idp(), sealed_secret=providers.sealed(KEY, "s3cret"))
    async with office.connection() as connection:
        await providers.add(connection, office.tenant_id, new)
        with pytest.raises(Conflict):
            await providers.add(connection, office.tenant_id, new)
        assert await providers.registered(connection, other.tenant_id) == []
        with pytest.raises(NotFound):
            await providers.find(connection, other.tenant_id, "clinic")
        found = await providers.find(connection, office.tenant_id, "clinic")
        assert found == new
        assert found.secret(KEY) == "s3cret"
        assert b"s3cret" not in (found.sealed_secret or b"")
        with pytest.raises(NotFound):
            await providers.remove(connection, other.tenant_id, "clinic")
        await providers.remove(connection, office.tenant_id, "clinic")
        with pytest.raises(NotFound):
            await providers.find(connection, office.tenant_id, "clinic")


# A provider that others wrote, as a process of its own


@pytest.fixture(scope="module")
def independent() -> Iterator[str]:
    """The issuer of a running oidc-provider-mock."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        issuer = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                httpx.get(f"{issuer}/.well-known/openid-configuration")
                break
            except httpx.TransportError:
                assert process.poll() is None
                time.sleep(0.05)
        yield issuer
        process.terminate()


async def consented(location: str, **form: str) -> dict[str, str]:
    """What an independent provider sends back to the callback, once its form is filled in."""
    async with httpx.AsyncClient(timeout=30) as browser:
        assert (await browser.get(location)).status_code == 200
        answer = await browser.post(location, data=form)
    assert answer.headers["location"].startswith(f"{PLACE.issuer}/sign-in/clinic/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def test_a_person_signs_in_by_an_independent_provider(office: Any, independent: str) -> None:
    account = await office.add("robin@example.org", password=None)
    claims = {"email": "Robin@example.org", "email_verified": True}
    async with httpx.AsyncClient() as operator:
        assert (await operator.put(f"{independent}/users/robin-7", json=claims)).status_code == 204
    sealed = providers.sealed(KEY, "anything")
    provider, web = Provider("clinic", "The clinic", independent, CLIENT_ID, sealed, link_claim="email"), Web()
    location, cookie = await upstream.begin(provider, PLACE, KEY, dates.clock(), web=web)
    params = await consented(location, sub="robin-7")
    identity, _ = await upstream.identify(provider, PLACE, KEY, cookie, params, dates.clock(), web)
    assert identity.subject == "robin-7"
    assert await account_of(office, provider, identity) == account
    assert (await office.row(account))["upstream_subject"] == "robin-7"


async def test_who_an_independent_provider_refuses_or_does_not_know_is_refused(office: Any, independent: str) -> None:
    provider, web = Provider("clinic", "The clinic", independent, CLIENT_ID, providers.sealed(KEY, "x")), Web()
    location, cookie = await upstream.begin(provider, PLACE, KEY, dates.clock(), web=web)
    denied = await consented(location, action="deny")
    assert denied["error"] == "access_denied"
    await office.refusal(upstream.identify(provider, PLACE, KEY, cookie, denied, dates.clock(), web))
    params = await consented(location, sub="nobody")
    identity, _ = await upstream.identify(provider, PLACE, KEY, cookie, params, dates.clock(), web)
    await office.refusal(account_of(office, provider, identity))
    # The code was used: nobody uses it again.
    await office.refusal(upstream.identify(provider, PLACE, KEY, cookie, params, dates.clock(), web))


# By the pages


class Browser:
    """A person at the tenant's pages, who keeps cookies and follows no redirect."""

    def __init__(self, office: Any, other: Any, http: httpx.AsyncClient) -> None:
        self.office, self.other, self.http = office, other, http
        self.issuer = office.house.base.removesuffix("/fhir")
        other.now = int(dates.clock().timestamp())

    async def connect(self, **more: Any) -> None:
        """Let people of the tenant sign in by the provider."""
        sealed = providers.sealed(self.office.key, "what the provider calls secret")
        made = Provider("clinic", "The clinic", self.other.issuer, CLIENT_ID, sealed, link_claim="upn", **more)
        async with self.office.connection() as connection:
            await providers.add(connection, self.office.tenant_id, made)

    async def leave(self) -> dict[str, str]:
        """To the provider: what it sends back."""
        answer = await self.http.get(f"{self.issuer}/sign-in/clinic")
        assert answer.status_code == 303
        return dict(self.other.authorize(answer.headers["location"]))

    async def back(self, params: dict[str, str]) -> httpx.Response:
        return await self.http.get(f"{self.issuer}/sign-in/clinic/callback", params=params)

    def is_signed_in(self) -> bool:
        return any(name.endswith("-session") for name in self.http.cookies)


@pytest.fixture
async def browser(office: Any, other: Any) -> AsyncIterator[Browser]:
    async with office.house.client() as http:
        yield Browser(office, other, http)


async def test_the_pages_let_nobody_in_by_an_answer_that_is_not_theirs(browser: Browser) -> None:
    await browser.connect()
    await browser.office.add("robin@example.org")
    browser.other.claims = {"upn": "robin@example.org"}
    assert (await browser.back({"code": "the-code", "state": "x"})).status_code == 400
    params = await browser.leave()
    assert (await browser.back(params | {"state": "x"})).status_code == 400
    assert (await browser.back(params)).status_code == 400  # the first answer was the last of this way
    assert (await browser.http.get(f"{browser.issuer}/sign-in/unknown")).status_code == 404
    assert not browser.is_signed_in()
    assert "/token" not in browser.other.requests


async def test_the_pages_let_nobody_in_whom_no_account_is(browser: Browser) -> None:
    await browser.connect()
    browser.other.claims = {"upn": "nobody@example.org"}
    answer = await browser.back(await browser.leave())
    assert answer.status_code == 400
    assert "The clinic" in answer.text
    assert "nobody@example.org" not in answer.text
    assert not browser.is_signed_in()


async def test_the_pages_let_in_whom_the_provider_vouches_for(browser: Browser) -> None:
    await browser.connect()
    account = await browser.office.add("robin@example.org", password=None)
    browser.other.claims = {"upn": "robin@example.org"}
    answer = await browser.back(await browser.leave())
    assert (answer.status_code, answer.headers["location"]) == (303, f"{browser.issuer}/apps")
    assert browser.is_signed_in()
    assert account.name in (await browser.http.get(f"{browser.issuer}/account")).text


@pytest.mark.parametrize(("asks_itself", "then"), [(False, "/second-factor"), (True, "/apps")])
async def test_a_second_factor_is_ours_to_ask_unless_the_provider_does(
    browser: Browser, asks_itself: bool, then: str
) -> None:
    await browser.connect(second_factor=asks_itself)
    await browser.office.enrol(await browser.office.add("robin@example.org"))
    browser.other.claims = {"upn": "robin@example.org"}
    answer = await browser.back(await browser.leave())
    assert answer.headers["location"] == f"{browser.issuer}{then}"
