"""A clinic to judge from outside: apps and people of its own, a scripted browser, and requests as apps send them.

https://hl7.org/fhir/smart-app-launch/STU2.2/
"""

import base64
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from time import time
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit
from uuid import uuid4

import httpx
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from schemas import dates
from service import tenants
from service.oauth import clients, jwks_uri, register
from service.oauth.metadata import NewClient
from service.people import accounts, passwords

ORIGIN: Final = "http://hearth.test"
JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PASSWORD: Final = "a bicycle under the old lime tree"
EVERYTHING: Final = (
    "openid fhirUser launch launch/patient launch/encounter launch/task launch/questionnaire offline_access online_access "
    "patient/*.cruds user/*.cruds"
)
RECORDS: Final = Path(__file__).parent.parent / "cases" / "smart" / "records.json"
USER_GRANTS: Final = ("authorization_code", "refresh_token")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smart(*ids): the rows of tests/smart/requirements.json that the test proves")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Key:
    """A key pair of a client's, and the algorithm that it signs by."""

    kid: str
    alg: str
    private: Any

    def jwk(self) -> dict[str, Any]:
        numbers, head = self.private.public_key().public_numbers(), {"kid": self.kid, "use": "sig", "alg": self.alg}
        if self.alg.startswith("RS"):
            return head | {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        size = (numbers.curve.key_size + 7) // 8
        curve = {48: "P-384", 32: "P-256"}[size]
        return head | {"kty": "EC", "crv": curve, "x": _number(numbers.x, size), "y": _number(numbers.y, size)}

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        bits = {"256": hashes.SHA256, "384": hashes.SHA384}[self.alg[2:]]()
        if self.alg.startswith("RS"):
            return f"{text}.{b64(self.private.sign(text.encode(), padding.PKCS1v15(), bits))}"
        r, s = decode_dss_signature(self.private.sign(text.encode(), ec.ECDSA(bits)))
        size = (self.private.key_size + 7) // 8
        return f"{text}.{b64(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"


def _number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class App:
    """A registered client as its developer knows it."""

    client_id: str
    secret: str = ""
    redirect_uri: str = ""
    auth: str = "none"
    key: Key | None = None


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in."""

    login: str
    fhir_user: str
    account_id: Any
    password: str = PASSWORD


@dataclass
class Form:
    """A form of a page: where it goes, its controls as (name, value, whether it is sent as it stands, kind)."""

    action: str
    method: str
    controls: list[tuple[str, str, bool, str]] = field(default_factory=list)

    def names(self) -> set[str]:
        return {name for name, *_ in self.controls}

    def sent(self, *drop: str) -> list[tuple[str, str]]:
        return [(name, value) for name, value, sent, _ in self.controls if sent and name not in drop]

    def values(self, name: str) -> list[str]:
        return [value for given, value, *_ in self.controls if given == name]


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.found.append(Form(given.get("action", ""), given.get("method", "get").upper()))
        elif self.found and tag in ("input", "button", "option", "select") and "name" in given:
            kind = "submit" if tag == "button" else given.get("type", "text")
            sent = "checked" in given if kind in ("checkbox", "radio") else kind not in ("submit", "button")
            self.found[-1].controls.append((given["name"], given.get("value", ""), sent, kind))

    def having(self, *names: str) -> Form | None:
        return next((form for form in self.found if set(names) <= form.names()), None)


@dataclass(frozen=True)
class Landing:
    """Where the browser was sent at last: the app's address, with what was told to it."""

    location: str
    told: Mapping[str, str]
    seen: tuple[httpx.Response, ...]


class Browser:
    """Follows redirects of the server's and fills in its forms, as a person would; other sites are where it stops."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.http = scene.http()
        self.seen: list[httpx.Response] = []

    async def open(self, url: str, form: Sequence[tuple[str, str]] | None = None, **headers: str) -> httpx.Response:
        """One request, kept in `seen`; a form by POST."""
        kept = {name.replace("_", "-"): value for name, value in headers.items()}
        if form is None:
            answer = await self.http.get(url, headers=kept)
        else:
            kept = {"Content-Type": "application/x-www-form-urlencoded"} | kept
            answer = await self.http.post(url, content=str(httpx.QueryParams(form)), headers=kept)
        self.seen.append(answer)
        return answer

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        """The page that redirects lead to, or the redirect that leads out of the server."""
        for _ in range(10):
            place = urljoin(str(answer.url), answer.headers.get("location", ""))
            if not answer.is_redirect or not place.startswith(f"{self.scene.issuer}/"):
                return answer
            answer = await self.open(place)
        raise AssertionError("the server redirects in a circle")

    async def submit(self, page: httpx.Response, form: Form, pairs: Sequence[tuple[str, str]]) -> httpx.Response:
        """The answer to a form of a page, its redirects followed."""
        url = urljoin(str(page.url), form.action) if form.action else str(page.url)
        if form.method == "POST":
            return await self.follow(await self.open(url, pairs))
        return await self.follow(await self.open(f"{url.partition('?')[0]}?{httpx.QueryParams(list(pairs))}"))

    async def walk(
        self,
        answer: httpx.Response,
        person: Person,
        *,
        patient: str | None = None,
        keep: Callable[[str], bool] = lambda scope: True,
        decision: str = "allow",
        until: str = "",
    ) -> httpx.Response:
        """The page or redirect at which nothing is asked any more, or the page with a field `until`."""
        for _ in range(8):
            page = await self.follow(answer)
            if page.status_code != 200:
                return page
            forms = Forms(page.text)
            if until and forms.having(until):
                return page
            if form := forms.having("login", "password"):
                pairs = [*form.sent("login", "password"), ("login", person.login), ("password", person.password)]
            elif form := forms.having("patient", "csrf"):
                assert patient in form.values("patient"), f"{patient} is not among {form.values('patient')}"
                pairs = [*form.sent("patient"), ("patient", patient or "")]
            elif form := forms.having("decision"):
                kept = [scope for scope in form.values("scope") if keep(scope)]
                pairs = [*form.sent("scope", "decision"), *(("scope", scope) for scope in kept), ("decision", decision)]
            else:
                return page
            answer = await self.submit(page, form, pairs)
            assert answer.status_code != 200 or answer.text != page.text, f"the page does not go on: {page.text[:2000]}"
        raise AssertionError("the server asks without end")

    async def arrive(self, answer: httpx.Response, person: Person, **more: Any) -> Landing:
        """The app's end of the walk."""
        end = await self.walk(answer, person, **more)
        assert end.is_redirect, f"{end.status_code} {end.text[:3000]}"
        return landing(end, self.seen)


def landing(answer: httpx.Response, seen: Sequence[httpx.Response] = ()) -> Landing:
    place = answer.headers["location"]
    pairs = parse_qsl(urlsplit(place).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), f"a parameter twice in {place}"
    return Landing(place.partition("?")[0], dict(pairs), tuple(seen))


@dataclass(frozen=True)
class Scene:
    """A tenant seen from outside."""

    house: Any
    key: Key
    address: str = ""
    people: Mapping[str, Person] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"{ORIGIN}/t/{self.house.name}"

    @property
    def fhir(self) -> str:
        return self.house.base

    def url(self, name: str) -> str:
        return f"{self.issuer}/oauth/{name}"

    def http(self, token: str | None = None, scheme: str = "Bearer") -> httpx.AsyncClient:
        """A client of an address of its own, so that nobody else's requests count against its limits."""
        address = self.address or ".".join(str(secrets.randbelow(250) + 1) for _ in range(4))
        transport = httpx.ASGITransport(app=self.house.app, client=(address, 50000))
        headers = {"Authorization": f"{scheme} {token}"} if token else {}
        return httpx.AsyncClient(transport=transport, base_url=self.fhir + "/", headers=headers, timeout=30)

    def browser(self) -> Browser:
        return Browser(self)

    def connection(self) -> Any:
        return self.house.app.engine.database.connection(self.house.tenant_id)

    async def register(self, new: NewClient, key: Key | None = None) -> App:
        async with self.connection() as connection:
            made = await clients.register(connection, self.house.tenant_id, new, loopback_keys=True)
        uri = new.redirect_uris[0] if new.redirect_uris else ""
        return App(made.client_id, made.client_secret, uri, new.auth_method, key)

    async def app(self, scope: str = EVERYTHING, auth: str = "none", **more: Any) -> App:
        """An app that people use; by default a public one that may ask for everything."""
        uris = more.pop("redirect_uris", (f"https://app-{uuid4().hex[:8]}.example.org/done",))
        grants = more.pop("grant_types", USER_GRANTS)
        keys = {"jwks": json.dumps({"keys": [self.key.jwk()]})} if auth == "private_key_jwt" else {}
        new = NewClient("App", scope, auth, grants, uris, **(keys | more))
        return await self.register(new, self.key if keys else None)

    async def machine(self, scope: str = "system/*.cruds", auth: str = "private_key_jwt", **more: Any) -> App:
        """A program that speaks for itself."""
        key = more.pop("key", self.key)
        has_keys = auth == "private_key_jwt"
        keys = {"jwks": json.dumps({"keys": [key.jwk()]})} if has_keys and "jwks_uri" not in more else {}
        return await self.register(NewClient("Machine", scope, auth, **(keys | more)), key if has_keys else None)

    async def person(self, fhir_user: str, **more: Any) -> Person:
        """Somebody with an account."""
        login = f"{uuid4().hex[:12]}@example.org"
        async with self.connection() as connection:
            new = accounts.NewAccount(login=login, name="Robin Ashdown", fhir_user=fhir_user, password=PASSWORD, **more)
            made = await accounts.add(connection, self.house.tenant_id, new)
        return Person(login, fhir_user, made.account_id)

    def assertion(
        self, app: App, *, header: Mapping[str, Any] | None = None, key: Key | None = None, **claims: Any
    ) -> str:
        """A signed statement of who the client is; `claims` and `header` change it, None leaves a member out."""
        key = key or app.key or self.key
        head = {"alg": key.alg, "kid": key.kid, "typ": "JWT"} | dict(header or {})
        said = {
            "iss": app.client_id, "sub": app.client_id, "aud": self.url("token"), "exp": int(time()) + 240,
            "jti": uuid4().hex,
        } | claims  # fmt: skip
        present = ({name: value for name, value in part.items() if value is not None} for part in (head, said))
        return key.sign(*present)

    def proof(self, app: App) -> tuple[dict[str, str], dict[str, str]]:
        """What the app adds to the form, and to the headers, to say who it is."""
        if app.auth == "none":
            return {"client_id": app.client_id}, {}
        if app.auth == "private_key_jwt":
            return {"client_assertion_type": JWT_BEARER, "client_assertion": self.assertion(app)}, {}
        if app.auth == "client_secret_post":
            return {"client_id": app.client_id, "client_secret": app.secret}, {}
        return {}, basic(app)

    async def post(
        self, endpoint: str, form: Mapping[str, str], app: App | None = None, **headers: str
    ) -> httpx.Response:
        """A form to an OAuth endpoint, with the proof of `app`; an empty value leaves a parameter out of the defaults."""
        more, given = self.proof(app) if app is not None else ({}, {})
        kept = given | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http() as http:
            return await http.post(self.url(endpoint), data={**more, **form}, headers=kept)

    def request(self, app: App, scope: str, challenge: str, /, **more: str | None) -> dict[str, str]:
        """The parameters of an authorization request; `more` changes them, None leaves one out."""
        given: dict[str, str | None] = {
            "response_type": "code", "client_id": app.client_id, "redirect_uri": app.redirect_uri, "scope": scope,
            "state": "s-" + uuid4().hex, "aud": self.fhir, "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return {name: value for name, value in (given | more).items() if value is not None}

    async def ask(
        self, params: Mapping[str, str], method: str = "GET", browser: Browser | None = None
    ) -> httpx.Response:
        """The authorization endpoint's answer."""
        browser = browser or self.browser()
        if method == "GET":
            return await browser.open(f"{self.url('authorize')}?{httpx.QueryParams(params)}")
        return await browser.open(self.url("authorize"), list(params.items()))

    async def land(
        self, app: App, person: Person, scope: str, challenge: str, method: str = "GET", browser: Browser | None = None,
        walk: Mapping[str, Any] | None = None, **more: str | None,
    ) -> Landing:  # fmt: skip
        """The whole walk to the app's address."""
        browser = browser or self.browser()
        answer = await self.ask(self.request(app, scope, challenge, **more), method, browser)
        return await browser.arrive(answer, person, **(walk or {}))

    async def code(self, app: App, person: Person, scope: str, **more: Any) -> tuple[str, str]:
        """A code and its verifier."""
        verifier, challenge = pkce()
        landed = await self.land(app, person, scope, challenge, **more)
        return landed.told["code"], verifier

    async def redeem(self, app: App, code: str, verifier: str, /, **more: str | None) -> httpx.Response:
        """The token endpoint's answer to a code; `more` changes the form, None leaves a parameter out."""
        given: dict[str, str | None] = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        form = {name: value for name, value in (given | more).items() if value is not None}
        return await self.post("token", form, app)

    async def connect(self, app: App, person: Person, scope: str, **more: Any) -> dict[str, Any]:
        """The answer of the token endpoint at the end of a launch."""
        answer = await self.redeem(app, *await self.code(app, person, scope, **more))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def refresh(self, app: App | None, token: str, **more: str) -> httpx.Response:
        return await self.post("token", {"grant_type": "refresh_token", "refresh_token": token} | more, app)

    async def machine_token(self, app: App, scope: str = "system/*.rs", **more: str) -> httpx.Response:
        return await self.post("token", {"grant_type": "client_credentials", "scope": scope} | more, app)

    async def launch(self, **said: Any) -> str:
        """A launch handle, as an EHR gets it."""
        ehr = await self.machine("__launch system/*.rs", "client_secret_basic")
        token = (await self.machine_token(ehr, "__launch system/*.rs")).json()["access_token"]
        async with self.http(token) as http:
            answer = await http.post(self.url("launch"), json=said)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["launch"])

    async def invitation(self, scope: str = EVERYTHING) -> str:
        """The initial access token of a developer."""
        async with self.connection() as connection:
            return await register.invite(connection, self.house.tenant_id, scope, 1, dates.clock())

    async def found(self, token: str, path: str) -> set[str]:
        """What a search finds: `Type/id` of each."""
        answer = await self.read(token, path)
        assert answer.status_code == 200, answer.text
        entries = answer.json().get("entry", ())
        return {f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in entries}

    async def read(self, token: str, path: str, **headers: str) -> httpx.Response:
        kept = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http(token) as http:
            return await http.get(path, headers=kept)


def basic(app: App) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{app.client_id}:{app.secret}".encode()).decode()}


def pkce() -> tuple[str, str]:
    """A verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    return verifier, b64(sha256(verifier.encode()).digest())


@pytest.fixture(scope="module", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashes that cost nothing: what they are worth is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def keys() -> dict[str, Key]:
    """A key for each algorithm of the asymmetric profile, and ones that do not belong there."""
    return {
        "RS384": Key("rsa-1", "RS384", rsa.generate_private_key(65537, 2048)),
        "ES384": Key("ec-1", "ES384", ec.generate_private_key(ec.SECP384R1())),
        "ES384-other": Key("ec-2", "ES384", ec.generate_private_key(ec.SECP384R1())),
        "ES256": Key("ec-3", "ES256", ec.generate_private_key(ec.SECP256R1())),
    }


@pytest.fixture(scope="session")
async def new_clinic(new_house: Callable[[], Awaitable[Any]], keys: dict[str, Key]) -> Callable[[], Awaitable[Scene]]:
    """Makes one more tenant with the people and records of `_records` in it."""

    async def made() -> Scene:
        scene = Scene(await new_house(), keys["ES384"])
        async with scene.house.client(await scene.house.token()) as http:
            answer = await http.post("", json=_records())
            assert answer.status_code == 200, answer.text
        people = {
            "patient": await scene.person("Patient/pat"),
            "practitioner": await scene.person("Practitioner/doc"),
            "relative": await scene.person("RelatedPerson/kin"),
            "stranger": await scene.person("Practitioner/loner"),
        }
        return replace(scene, people=people)

    return made


@pytest.fixture(scope="session")
async def clinic(new_clinic: Callable[[], Awaitable[Scene]]) -> Scene:
    """A tenant that tests share: nobody changes its records, and every test brings apps of its own."""
    return await new_clinic()


@pytest.fixture
async def lone(new_clinic: Callable[[], Awaitable[Scene]]) -> Scene:
    """A tenant of the test's own."""
    return await new_clinic()


@pytest.fixture
def verifier_and_challenge() -> tuple[str, str]:
    return pkce()


@pytest.fixture
def new_pkce() -> Callable[[], tuple[str, str]]:
    return pkce


@pytest.fixture
def forms() -> type[Forms]:
    return Forms


@pytest.fixture
def landed() -> Callable[..., Landing]:
    return landing


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the server's clock on by so many seconds."""
    real = dates.clock

    def moved(seconds: float) -> None:
        def clock() -> datetime:
            return real() + timedelta(seconds=seconds)

        monkeypatch.setattr(dates, "clock", clock)
        monkeypatch.setattr(jwks_uri.SOURCE, "_clock", clock)

    return moved


@pytest.fixture
async def default_tenant(clinic: Scene) -> None:
    """That there is the tenant whose addresses have no name in them."""
    async with clinic.connection() as connection:
        await tenants.ensure_default(connection)


@pytest.fixture
async def http(clinic: Scene) -> AsyncIterator[httpx.AsyncClient]:
    async with clinic.http() as made:
        yield made


def _records() -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": each, "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"}}
            for each in json.loads(RECORDS.read_text())
        ],
    }
