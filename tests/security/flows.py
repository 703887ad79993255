"""A registered app, a person and their browser, who go through an authorization as the real ones do."""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from schemas import dates
from service.oauth import authorizations, authorize, clients, token
from service.oauth.asked import Asked
from service.oauth.authorizations import Authorization
from service.oauth.authorize import PatientChoice
from service.oauth.metadata import NewClient
from service.oauth.parameters import PageFault, RedirectFault
from service.oauth.token import Access
from service.people import accounts, sessions
from service.people.accounts import Account, NewAccount
from service.people.sessions import Session

ORIGIN: Final = "http://hearth.test"
CALLBACK: Final = "https://app.example/callback"
PATIENT: Final = "openid fhirUser launch/patient patient/*.rs offline_access"
_TERMS: Final = "http://terminology.hl7.org/CodeSystem"
_ROLES: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def query(location: str) -> dict[str, str]:
    """The parameters of an address, each of which stands in it once."""
    found = parse_qs(urlsplit(location).query, strict_parsing=True, keep_blank_values=True)
    assert all(len(values) == 1 for values in found.values()), location
    return {name: values[0] for name, values in found.items()}


@dataclass
class App:
    """A registered client; it makes a new verifier and state for each authorization."""

    house: Any
    client_id: str
    client_secret: str
    redirect_uri: str
    scope: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def issuer(self) -> str:
        return f"{ORIGIN}/t/{self.house.name}"

    def asks(self, **changes: str | None) -> dict[str, str]:
        """The parameters of its authorization request, with changes; None leaves one out."""
        params: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "aud": self.house.base,
            "code_challenge": challenge(self.verifier),
            "code_challenge_method": "S256",
        } | changes
        return {name: value for name, value in params.items() if value is not None}

    async def token(
        self, http: httpx.AsyncClient, headers: dict[str, str] | None = None, **form: str | None
    ) -> httpx.Response:
        """A request to the token endpoint, by whatever way the client authenticates."""
        sent = {name: value for name, value in form.items() if value is not None}
        auth = (self.client_id, self.client_secret) if self.client_secret else httpx.USE_CLIENT_DEFAULT
        if not self.client_secret and "client_id" not in form:
            sent["client_id"] = self.client_id
        return await http.post(f"{self.issuer}/oauth/token", data=sent, auth=auth, headers=headers)

    async def redeem(
        self, http: httpx.AsyncClient, code: str | None, key: ECKey | None = None, **changes: str | None
    ) -> httpx.Response:
        """The exchange of a code, with a proof of `key` if there is one."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        } | changes
        return await self.token(http, proof(key, f"{self.issuer}/oauth/token") if key else None, **form)

    async def refresh(
        self, http: httpx.AsyncClient, refresh_token: str | None, key: ECKey | None = None, **changes: str | None
    ) -> httpx.Response:
        """The exchange of a refresh token, with a proof of `key` if there is one."""
        form: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": refresh_token} | changes
        return await self.token(http, proof(key, f"{self.issuer}/oauth/token") if key else None, **form)


def proof(key: ECKey, url: str) -> dict[str, str]:
    """The header by which a POST to the address proves the key (RFC 9449)."""
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    claims = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": secrets.token_hex(16)}
    return {"DPoP": jwt.encode(head, claims, key, algorithms=["ES256"], default_type=None)}


@dataclass
class Person:
    """Somebody with an account, signed in."""

    account: Account
    cookie: str
    session: Session


class Stage:
    """A tenant with apps and people in it; `http` is the browser, which keeps cookies and follows no redirect."""

    PageFault = PageFault
    RedirectFault = RedirectFault

    def __init__(self, house: Any, http: httpx.AsyncClient) -> None:
        self.house = house
        self.http = http
        self._token = ""

    @property
    def issuer(self) -> str:
        return f"{ORIGIN}/t/{self.house.name}"

    def connection(self) -> Any:
        return self.house.app.engine.database.connection(self.house.tenant_id)

    async def app(self, scope: str = PATIENT, auth_method: str = "none", **more: Any) -> App:
        """A newly registered app."""
        new = {"redirect_uris": (CALLBACK,), "grant_types": ("authorization_code", "refresh_token")} | more
        async with self.connection() as connection:
            made = await clients.register(connection, self.house.tenant_id, NewClient("App", scope, auth_method, **new))
        return App(self.house, made.client_id, made.client_secret, new["redirect_uris"][0], scope)

    async def person(self, fhir_user: str, **more: Any) -> Person:
        """A new account for the resource, which is made if there is none, and a session of it."""
        await self.put_missing(fhir_user)
        login = f"{secrets.token_hex(8)}@example.org"
        async with self.connection() as connection:
            account = await accounts.add(
                connection, self.house.tenant_id, NewAccount(login=login, name="Some Body", fhir_user=fhir_user, **more)
            )
        return await self.sign_in(account)

    async def sign_in(self, account: Account, seconds_ago: int = 0) -> Person:
        """A new session of the account."""
        now = dates.clock()
        async with self.connection() as connection:
            cookie = await sessions.open(
                connection, self.house.tenant_id, account.account_id, False, now - timedelta(seconds=seconds_ago)
            )
            session = await sessions.find(connection, self.house.tenant_id, cookie, now)
        assert session is not None
        return Person(account, cookie, session)

    async def sign_out(self, person: Person) -> None:
        """End the session."""
        async with self.connection() as connection:
            await sessions.close(connection, self.house.tenant_id, person.cookie, dates.clock())

    async def new_password(self, person: Person) -> None:
        """Give the account another password."""
        async with self.connection() as connection:
            await accounts.set_password(
                connection, self.house.tenant_id, person.account, secrets.token_urlsafe(16), dates.clock()
            )

    async def begin(self, app: App, method: str = "GET", **changes: str | None) -> httpx.Response:
        """The authorization request as the browser makes it."""
        url, params = f"{self.issuer}/oauth/authorize", app.asks(**changes)
        if method == "POST":
            return await self.http.post(url, data=params)
        return await self.http.get(url, params=params)

    def handle(self, answer: httpx.Response) -> str:
        """The whole handle of the request that the browser was sent on with."""
        assert answer.status_code == 303, answer.text
        location = answer.headers["location"]
        assert location.startswith(f"{self.issuer}/sign-in?"), location
        return authorize.bound(query(location)["ask"], self.http.cookies.get(f"hearth-{self.house.name}-browser", ""))

    async def find(self, handle: str) -> Asked | None:
        """The request under way."""
        async with self.connection() as connection:
            return await authorize.find(connection, self.house.tenant_id, handle, dates.clock())

    async def signed_in(self, answer: httpx.Response, person: Person) -> tuple[str, Asked]:
        """The request after the person signed in, and its whole handle."""
        handle, now = self.handle(answer), dates.clock()
        async with self.connection() as connection:
            asked = await authorize.find(connection, self.house.tenant_id, handle, now)
            assert asked is not None
            return handle, await authorize.signed_in(
                connection, self.house.tenant_id, handle, asked, person.account, person.session, now
            )

    def next_step(self, asked: Asked, person: Person) -> str:
        """What the person has to do next."""
        return authorize.next_step(asked, person.account)

    async def patients(self, person: Person, query: str = "") -> list[PatientChoice]:
        """Whom the person may choose."""
        return await authorize.patients(self.house.app.engine, self.house.tenant_id, person.account, query)

    async def choose(self, handle: str, asked: Asked, person: Person, patient: str) -> Asked:
        """The request after the person chose a patient."""
        async with self.connection() as connection:
            return await authorize.choose_patient(
                connection, self.house.tenant_id, handle, asked, person.account, patient, dates.clock()
            )

    async def allow(self, handle: str, asked: Asked, person: Person, scopes: Collection[str] | None = None) -> str:
        """The address that the browser is sent to when the person allows the scopes, or all that was asked."""
        chosen = asked.scopes if scopes is None else scopes
        async with self.connection() as connection:
            return await authorize.allow(
                connection, self.house.tenant_id, handle, asked, person.account, person.session, chosen, dates.clock()
            )

    async def answer(
        self,
        answer: httpx.Response,
        person: Person,
        *,
        patient: str | None = None,
        scopes: Collection[str] | None = None,
        deny: bool = False,
    ) -> str:
        """Go through the person's steps; the address that the browser is sent to in the end."""
        handle, asked = await self.signed_in(answer, person)
        if self.next_step(asked, person) == "patient":
            assert patient is not None, "a patient has to be chosen"
            asked = await self.choose(handle, asked, person, patient)
        if not deny:
            return await self.allow(handle, asked, person, scopes)
        async with self.connection() as connection:
            return await authorize.deny(connection, self.house.tenant_id, handle, asked, dates.clock())

    async def code(self, app: App, person: Person, changes: dict[str, str | None] | None = None, **steps: Any) -> str:
        """A code, got all the way."""
        location = await self.answer(await self.begin(app, **(changes or {})), person, **steps)
        return query(location)["code"]

    async def tokens(
        self, app: App, person: Person, changes: dict[str, str | None] | None = None, **steps: Any
    ) -> dict[str, Any]:
        """The body of a token answer, got all the way."""
        answer = await app.redeem(self.http, await self.code(app, person, changes, **steps))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def reads(self, token: str, path: str) -> int:
        """The status of a read with the access token."""
        async with self.house.client(token) as http:
            return int((await http.get(path)).status_code)

    async def execute(self, sql: str, *values: Any) -> str:
        """A statement on the tenant's tables; $1 is the tenant."""
        async with self.connection() as connection:
            return str(await connection.execute(sql, self.house.tenant_id, *values))

    async def tenant(self, practitioner_access: str) -> None:
        """Set which patients practitioners may see."""
        await self.execute("update tenant set practitioner_access = $2 where id = $1", practitioner_access)

    async def access(self, access_token: str) -> Access:
        """What the access token stands for."""
        async with self.connection() as connection:
            found = await token.access(connection, self.house.tenant_id, access_token, dates.clock())
        assert found is not None
        return found

    async def audit(self) -> str:
        """All AuditEvents of the tenant, as text, once those on their way have arrived."""
        await asyncio.sleep(0.5)
        async with self.house.client(await self.everything()) as http:
            return (await http.get("AuditEvent", params={"_count": "1000"})).text

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The AuditEvents of one kind."""
        entries = json.loads(await self.audit())["entry"]
        return [each["resource"] for each in entries if each["resource"]["subtype"][0]["code"] == kind]

    async def count(self, table: str) -> int:
        """How many rows of the tenant a table has."""
        async with self.connection() as connection:
            return int(
                await connection.fetchval(f"select count(*) from {table} where tenant_id = $1", self.house.tenant_id)
            )

    async def race(self, *acts: Callable[[], Awaitable[Any]]) -> list[Any]:
        """What each gave or raised, all begun at once."""
        return list(await asyncio.gather(*(act() for act in acts), return_exceptions=True))

    async def put(self, *references: str) -> None:
        """Resources that are just there."""
        for reference in references:
            type_name, _, name = reference.partition("/")
            owner = {"patient": {"reference": "Patient/p1"}} if type_name == "RelatedPerson" else {}
            await self.put_resource({"resourceType": type_name, "id": name, **owner})

    async def put_missing(self, reference: str) -> None:
        """A resource that is just there, where there is none yet."""
        async with self.house.client(await self.everything()) as http:
            is_there = (await http.get(reference)).status_code == 200
        if not is_there:
            await self.put(reference)

    async def everything(self) -> str:
        """The access token of a client that may do everything."""
        if not self._token:
            self._token = await self.house.token("system/*.cruds")
        return self._token

    async def put_resource(self, *resources: dict[str, Any]) -> None:
        """Resources, written by a client that may."""
        async with self.house.client(await self.everything()) as http:
            for resource in resources:
                answer = await http.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
                assert answer.status_code in (200, 201), answer.text

    async def care(self, patient: str, practitioner: str) -> None:
        """The practitioner is on the patient's care team."""
        await self.put_resource(
            {
                "resourceType": "CareTeam",
                "id": secrets.token_hex(8),
                "status": "active",
                "subject": {"reference": f"Patient/{patient}"},
                "participant": [{"member": {"reference": practitioner}}],
            }
        )

    async def relative(self, name: str, patient: str, *, consents: bool) -> None:
        """A relative of the patient, who may see the record or not."""
        person = {
            "resourceType": "RelatedPerson", "id": name, "active": True, "patient": {"reference": f"Patient/{patient}"}
        }  # fmt: skip
        consent = {
            "resourceType": "Consent",
            "id": f"consent-{name}",
            "status": "active",
            "scope": {"coding": [{"system": f"{_TERMS}/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": f"Patient/{patient}"},
            "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]},
            "provision": {
                "type": "permit",
                "actor": [
                    {
                        "role": {"coding": [{"system": f"{_ROLES}", "code": "IRCP"}]},
                        "reference": {"reference": f"RelatedPerson/{name}"},
                    }
                ],
            },
        }
        await self.put_resource(person, *([consent] if consents else []))

    async def authorizations(self, person: Person) -> list[Authorization]:
        """What the person has allowed."""
        async with self.connection() as connection:
            return await authorizations.of_account(
                connection, self.house.tenant_id, person.account.account_id, dates.clock()
            )

    async def all_authorizations(self) -> list[Authorization]:
        """What anybody has allowed."""
        async with self.connection() as connection:
            return await authorizations.of_tenant(connection, self.house.tenant_id, dates.clock())

    async def revoke(self, listed: Authorization, person: Person) -> bool:
        """Whether the person could end it."""
        async with self.connection() as connection:
            return await authorizations.revoke(
                connection, self.house.tenant_id, listed.authorization_id, dates.clock(), person.account.account_id
            )

    async def launch(self, **body: Any) -> str:
        """A launch handle, made by an EHR."""
        headers = {"Authorization": f"Bearer {await self.house.token('system/*.rs __launch')}"}
        answer = await self.http.post(f"{self.issuer}/oauth/launch", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["launch"])

    async def purge(self, hours: int) -> None:
        """Forget what may be forgotten, as after so many hours."""
        async with self.connection() as connection:
            await authorizations.purge(connection, self.house.tenant_id, dates.clock() + timedelta(hours=hours))
