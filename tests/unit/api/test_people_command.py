"""`hearth people`, `hearth tenants set` and `hearth tenants upstream` as an operator types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest

from schemas import dates, ids
from schemas.registry import REGISTRY
from service import statements, tenants
from service.index import layout
from service.oauth import token
from service.oauth.token import Access
from service.people import accounts, providers, sessions
from service.people.attempts import SignInRefused

HEARTH: Final = (sys.executable, "-c", "from api.cli import main; main()")
PASSWORD: Final = "teal onion drifts"


class Console:
    """An operator at the command line, on a database with one Patient and one Practitioner in the default tenant."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.url, self.data_dir, self.tenant_id = url, data_dir, 0

    def run(self, *words: str, code: int = 0, typed: str = "") -> str:
        """What the command prints; of one that is to fail, what it says of it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_")}
        done = subprocess.run(
            [*HEARTH, *words],
            env=environment | {"HEARTH_DATA_DIR": str(self.data_dir), "HEARTH_DATABASE_URL": self.url},
            input=typed, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    def add(self, login: str, fhir_user: str, *words: str, typed: str = "", code: int = 0) -> str:
        given = ("--login", login, "--name", "Robin Oak", "--fhir-user", fhir_user)
        return self.run("people", "add", *given, *words, typed=typed, code=code)

    async def connected(self) -> asyncpg.Connection[Any]:
        return await asyncpg.connect(self.url)


@pytest.fixture
async def console(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> Console:
    made = Console(await new_database(), tmp_path)
    connection = await made.connected()
    made.tenant_id = (await tenants.ensure_default(connection)).id
    for type_name in ("Patient", "Practitioner"):
        await resource(connection, made.tenant_id, type_name, "1")
    await connection.close()
    return made


async def resource(connection: asyncpg.Connection[Any], tenant_id: int, type_name: str, name: str) -> None:
    """The row of a resource, as far as an account looks at it."""
    await connection.execute(
        "insert into resource (tenant_id, type_id, id, version, updated, fid, content) values ($1, $2, $3, 1, now(), $4, '')",
        tenant_id, REGISTRY.types[type_name].id, ids.key(tenant_id, type_name, name), name,
    )  # fmt: skip
    assert await connection.fetchrow(statements.read(type_name), tenant_id, ids.key(tenant_id, type_name, name))


async def check(console: Console, login: str, password: str) -> accounts.Account:
    connection = await console.connected()
    try:
        return await accounts.check_password(connection, console.tenant_id, login, password, dates.clock())
    finally:
        await connection.close()


async def test_an_account_is_added_with_a_password_for_once(console: Console) -> None:
    made = json.loads(console.add("Robin@Example.org", "Patient/1", "--language", "nl", "--json"))
    assert made["login"] == "robin@example.org"
    assert made["fhir_user"] == "Patient/1"
    account = await check(console, "robin@example.org", made["password"])
    assert (account.must_change_password, account.language) == (True, "nl")
    listed = console.run("people", "list")
    assert "robin@example.org" in listed
    assert made["password"] not in listed


async def test_a_password_is_piped_or_typed_and_stays(console: Console) -> None:
    said = console.add(
        "kim@example.org", "Practitioner/1", "--stdin", "--break-glass", "--admin", "--clearance", "V,SUD",
        typed=f"{PASSWORD}\n",
    )  # fmt: skip
    assert PASSWORD not in said
    account = await check(console, "kim@example.org", PASSWORD)
    assert (account.must_change_password, account.break_glass, account.is_admin) == (False, True, True)
    assert account.clearance == ("V", "SUD")
    assert [one["rights"] for one in json.loads(console.run("people", "list", "--json"))] == ["admin break-glass V SUD"]
    console.run("people", "set", "kim@example.org", "--no-break-glass", "--clearance", "HIV")
    assert [one["rights"] for one in json.loads(console.run("people", "list", "--json"))] == ["admin HIV"]
    console.run("people", "set", "kim@example.org", "--no-admin", "--clearance", "")
    assert [one["rights"] for one in json.loads(console.run("people", "list", "--json"))] == [""]


async def test_what_cannot_be_an_account_is_said_in_a_line(console: Console) -> None:
    assert "There is no Patient/2" in console.add("robin@example.org", "Patient/2", code=1)
    assert "15 characters" in console.add("robin@example.org", "Patient/1", "--stdin", typed="short\n", code=1)
    assert "easy to guess" in console.add("robin@example.org", "Patient/1", "--stdin", typed="password" * 3, code=1)
    assert "'XX'" in console.add("robin@example.org", "Patient/1", "--clearance", "XX", code=1)
    assert "Either" in console.add("robin@example.org", "Patient/1", "--stdin", "--prompt", code=1)
    assert "no account" in console.run("people", "disable", "nobody@example.org", code=1)
    assert json.loads(console.run("people", "list", "--json")) == []


async def test_no_command_takes_a_password_as_a_word(console: Console) -> None:
    assert console.run("people", "add", "--password", PASSWORD, code=2)
    assert console.run("people", "password", "robin@example.org", PASSWORD, code=2)


async def test_a_disabled_person_is_out_until_enabled(console: Console) -> None:
    console.add("robin@example.org", "Patient/1", "--stdin", typed=PASSWORD)
    account = await check(console, "robin@example.org", PASSWORD)
    connection = await console.connected()
    cookie = await sessions.open(connection, console.tenant_id, account.account_id, False, dates.clock())
    console.run("people", "disable", "Robin@example.org")
    assert await sessions.find(connection, console.tenant_id, cookie, dates.clock()) is None
    with pytest.raises(SignInRefused):
        await check(console, "robin@example.org", PASSWORD)
    assert "disabled" in console.run("people", "list")
    console.run("people", "enable", "robin@example.org")
    assert await check(console, "robin@example.org", PASSWORD) == account
    kept = await connection.fetch(f"select content from {layout.partition('AuditEvent')} where enc = 0")
    said = [row["content"].decode() for row in kept]
    for description in ("account added", "account disabled", "account enabled"):
        assert sum(description in text for text in said) == 1
    assert not any("robin@example.org" in text or PASSWORD in text for text in said)
    await connection.close()


async def test_a_new_password_ends_the_old_one(console: Console) -> None:
    console.add("robin@example.org", "Patient/1", "--stdin", typed=PASSWORD)
    made = json.loads(console.run("people", "password", "robin@example.org", "--json"))
    with pytest.raises(SignInRefused):
        await check(console, "robin@example.org", PASSWORD)
    assert (await check(console, "robin@example.org", made["password"])).must_change_password
    assert "second factor" in console.run("people", "reset-second-factor", "robin@example.org")


async def test_a_provider_is_added_listed_linked_and_removed(console: Console) -> None:
    given = ("--title", "The clinic", "--issuer", "http://127.0.0.1:1", "--client-id", "hearth")
    said = console.run("tenants", "upstream", "add", "default", "clinic", *given, typed="s3cret\n")
    assert "http://127.0.0.1:8080/sign-in/clinic/callback" in said
    assert "s3cret" not in said
    listed = console.run("tenants", "upstream", "list", "default")
    assert "by command" in listed
    assert "s3cret" not in listed
    console.add("robin@example.org", "Patient/1", "--no-password")
    console.run("people", "link", "robin@example.org", "--provider", "clinic", "--subject", "subject-1")
    connection = await console.connected()
    provider = await providers.find(connection, console.tenant_id, "clinic")
    identity = providers.Identity(provider.issuer, "subject-1", {})
    account = await providers.account_of(connection, console.tenant_id, provider, identity)
    assert (account.login, account.has_password) == ("robin@example.org", False)
    await connection.close()
    console.run("tenants", "upstream", "remove", "default", "clinic")
    assert "no provider" in console.run("tenants", "upstream", "remove", "default", "clinic", code=1)
    assert "https address" in console.run(
        "tenants", "upstream", "add", "default", "x", "--public", "--title", "X", "--issuer", "http://x.example",
        "--client-id", "x", code=1,
    )  # fmt: skip


async def test_what_practitioners_see_is_changed_at_once(console: Console) -> None:
    connection, expires = await console.connected(), dates.clock() + timedelta(minutes=5)
    persons = Access("app", "user/*.rs", expires, account_id=uuid4(), fhir_user="Practitioner/1", reach="care-team")
    of_person = await token.mint(connection, console.tenant_id, persons, dates.clock())
    of_machine = await token.mint(connection, console.tenant_id, Access("m", "system/*.rs", expires), dates.clock())
    assert "none of care-team" in console.run("tenants", "set", "default", "--practitioner-access", "all", code=1)
    assert "no tenant" in console.run("tenants", "set", "nowhere", "--practitioner-access", "tenant", code=1)
    assert await token.access(connection, console.tenant_id, of_person, dates.clock()) is not None
    console.run("tenants", "set", "default", "--practitioner-access", "tenant")
    assert await token.access(connection, console.tenant_id, of_person, dates.clock()) is None
    assert await token.access(connection, console.tenant_id, of_machine, dates.clock()) is not None
    assert [one["access"] for one in json.loads(console.run("tenants", "list", "--json"))] == ["tenant"]
    await connection.close()
