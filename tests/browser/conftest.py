"""A real browser before a real server: `hearth serve` on a free port, headless Chromium, an app that only listens."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
import httpx
import pytest
from playwright.async_api import Browser, async_playwright

from schemas import dates
from service import tenants
from service.oauth import clients, token
from service.oauth.metadata import NewClient
from service.oauth.token import Access
from service.people import accounts
from service.people.accounts import Account, NewAccount

ROOT: Final = Path(__file__).parents[2]
SCREENSHOTS: Final = Path(os.environ.get("HEARTH_SCREENSHOTS") or ROOT / "build" / "screenshots")
CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
HEARTH: Final = (sys.executable, "-c", "from api.cli import main; main()")
PASSWORD: Final = "violet kettle unfolds north"
START_SECONDS: Final = 30


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed; `apt-get install chromium` brings one")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the pages are left."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS


class App:
    """Listens at a redirect URI, and sends the browser on to another host's page, as apps do."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        told = self.told

        class Callback(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, urlsplit(self.path).query
                if path == "/callback":
                    told.append(dict(parse_qsl(query)))
                    self.send_response(302)
                    self.send_header("Location", f"http://localhost:{self.server.server_port}/home")  # type: ignore[attr-defined]
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(b"<!doctype html><html lang=en><title>App</title><h1>The app</h1>")

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def callback(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/callback"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def app() -> Iterator[App]:
    listening = App()
    yield listening
    listening.close()


@dataclass
class Clinic:
    """A tenant of the served Hearth, with people and apps in it."""

    origin: str
    database_url: str
    tenant_id: int
    name: str
    app: App
    ids: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"{self.origin}/t/{self.name}"

    async def put(self, *resources: dict[str, Any]) -> None:
        async with httpx.AsyncClient(timeout=30, headers={"Authorization": f"Bearer {await self.token()}"}) as http:
            for each in resources:
                answer = await http.put(f"{self.issuer}/fhir/{each['resourceType']}/{each['id']}", json=each)
                assert answer.status_code in (200, 201), answer.text

    async def token(self, scope: str = "system/*.cruds") -> str:
        connection = await asyncpg.connect(self.database_url)
        try:
            made = await clients.add(connection, self.tenant_id, "Records", scope)
            now = dates.clock()
            access = Access(made.client_id, scope, now + TOKEN_LASTS)
            return str(await token.mint(connection, self.tenant_id, access, now))
        finally:
            await connection.close()

    async def register(self, name: str, scope: str, auth_method: str = "none") -> str:
        connection = await asyncpg.connect(self.database_url)
        try:
            new = NewClient(name, scope, auth_method, ("authorization_code", "refresh_token"), (self.app.callback,))
            made = await clients.register(connection, self.tenant_id, new)
        finally:
            await connection.close()
        self.secrets[made.client_id] = made.client_secret
        return made.client_id

    async def person(self, login: str, name: str, fhir_user: str, **more: Any) -> Account:
        connection = await asyncpg.connect(self.database_url)
        try:
            new = NewAccount(login=login, name=name, fhir_user=fhir_user, password=PASSWORD, **more)
            return await accounts.add(connection, self.tenant_id, new)
        finally:
            await connection.close()

    def asks(self, client_id: str, scope: str, challenge: str, **more: str) -> str:
        """The address that the app sends the browser to."""
        params = {
            "response_type": "code", "client_id": client_id, "redirect_uri": self.app.callback, "scope": scope,
            "state": "the state of this app", "aud": f"{self.issuer}/fhir", "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{self.issuer}/oauth/authorize?{urlencode(params | more)}"


TOKEN_LASTS: Final = timedelta(minutes=5)


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], Awaitable[str]]
) -> Iterator[Callable[[str], str]]:
    """Starts `hearth serve` before a database; gives its origin."""
    running: list[subprocess.Popen[bytes]] = []

    def start(database_url: str) -> str:
        home, port = tmp_path_factory.mktemp("served"), free_port()
        variables = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
        variables |= {"HEARTH_DATABASE_URL": database_url, "HEARTH_RATE_SIGN_IN": "0"}
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [*HEARTH, "serve", "--port", str(port), "--data-dir", str(home)],
                env=variables, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        running.append(process)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert process.poll() is None, (home / "log").read_text()
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200:
                    return f"http://127.0.0.1:{port}"
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError((home / "log").read_text())

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
async def clinic(server: Callable[[str], str], new_database: Callable[[], Awaitable[str]], app: App) -> Clinic:
    """A clinic with a patient, two people of the same name, and a therapist who cares for them."""
    database_url = await new_database()
    origin = server(database_url)
    connection = await asyncpg.connect(database_url)
    try:
        tenant = await tenants.add(connection, "riverside")
    finally:
        await connection.close()
    made = Clinic(origin, database_url, tenant.id, tenant.name, app)
    patients = [
        ("maya", "Maya", "Torres", "1987-05-04"),
        ("jonas", "Jonas", "Becker", "1992-11-23"),
        ("jonas-2", "Jonas", "Becker", "1992-11-23"),
        ("lotte", "Lotte", "van Dijk", "1979-02"),
        ("sam", "Sam", "Okafor", ""),
    ]
    await made.put(
        {"resourceType": "Practitioner", "id": "lee", "name": [{"family": "Lindqvist", "given": ["Lee"]}]},
        *(
            {"resourceType": "Patient", "id": name, "name": [{"family": family, "given": [given]}]}
            | ({"birthDate": born} if born else {})
            for name, given, family, born in patients
        ),
        *(
            {
                "resourceType": "CareTeam", "id": f"team-{name}", "status": "active",
                "subject": {"reference": f"Patient/{name}"},
                "participant": [{"member": {"reference": "Practitioner/lee"}}],
            }
            for name, *_ in patients
        ),
    )  # fmt: skip
    await made.person("maya@example.org", "Maya Torres", "Patient/maya")
    await made.person("lee@example.org", "Lee Lindqvist", "Practitioner/lee", is_admin=True)
    return made
