"""`hearth people`: the accounts of persons. Passwords are typed, piped or generated, never words of the command line."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import asyncpg
import typer

from api.commands.console import (
    AsJson,
    DatabaseUrl,
    DataDir,
    OfTenant,
    fail,
    moment,
    on_database,
    print_rows,
    print_secrets,
    settings_of,
)
from schemas import dates
from service import tenants
from service.people import accounts, operator, passwords, providers, second_factor
from service.people.accounts import Account, NewAccount

Act = Callable[["asyncpg.Connection[Any]", int, Account], Awaitable[None]]
Login = Annotated[str, typer.Argument(help="The login of the account.")]
Prompt = Annotated[bool, typer.Option("--prompt", help="Type the password, twice.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Read the password from the first line of standard input.")]
Clearance = Annotated[
    list[str] | None, typer.Option(help="Sensitivity labels that they see, such as V,SUD; can be repeated.")
]

app: Final = typer.Typer(help="The accounts of persons.", no_args_is_help=True)


@app.command("add")
def add(
    login: Annotated[str, typer.Option(help="What they sign in with, such as an e-mail address.")],
    name: Annotated[str, typer.Option(help="How they are addressed.")],
    fhir_user: Annotated[str, typer.Option(help="Who they are: Patient/ID, Practitioner/ID or RelatedPerson/ID.")],
    language: Annotated[str, typer.Option(help=f"Of their pages: {', '.join(accounts.LANGUAGES)}.")] = "en",
    clearance: Clearance = None,
    break_glass: Annotated[bool, typer.Option("--break-glass", help="May see any patient in an emergency.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="Sees and ends the apps of all persons.")] = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="Signs in by another provider only.")] = False,
    prompt: Prompt = False,
    stdin: Stdin = False,
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add an account and print its password for the first sign-in, unless one is typed or piped."""
    typed = None if no_password else _typed(prompt, stdin)
    generated = passwords.generate() if typed is None and not no_password else None
    new = NewAccount(
        login,
        name,
        fhir_user,
        password=typed or generated,
        password_until=dates.clock() + accounts.ONCE_LASTS if generated else None,
        language=language,
        clearance=_labels(clearance or ()),
        break_glass=break_glass,
        is_admin=admin,
    )

    async def made(connection: asyncpg.Connection[Any]) -> Account:
        tenant_id = (await tenants.find(connection, tenant)).id
        account = await accounts.add(connection, tenant_id, new)
        await operator.account_changed(connection, tenant_id, account, "account added", dates.clock())
        return account

    account = on_database(settings_of(data_dir=data_dir, database_url=database_url), made)
    shown = {"account_id": str(account.account_id), "login": account.login, "fhir_user": account.fhir_user}
    print_secrets(shown | ({"password": generated} if generated else {}), as_json)
    _say_once(generated, as_json)


@app.command("list")
def list_(
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List a tenant's accounts."""

    async def find(connection: asyncpg.Connection[Any]) -> list[Account]:
        return await accounts.registered(connection, (await tenants.find(connection, tenant)).id)

    rows = [
        {
            "login": one.login,
            "name": one.name,
            "fhir_user": one.fhir_user,
            "second_factor": "yes" if one.has_second_factor else "no",
            "rights": _rights(one),
            "state": "disabled" if one.disabled else "enabled",
            "created": moment(one.created),
        }
        for one in on_database(settings_of(data_dir=data_dir, database_url=database_url), find)
    ]
    columns = ("login", "name", "fhir_user", "second_factor", "rights", "state", "created")
    print_rows(rows, columns, as_json)


@app.command("set")
def set_(
    login: Login,
    clearance: Clearance = None,
    break_glass: Annotated[bool | None, typer.Option(help="May see any patient in an emergency.")] = None,
    admin: Annotated[bool | None, typer.Option(help="Sees and ends the apps of all persons.")] = None,
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Change what a person may see and do, at once; what is not named stays. `--clearance ''` takes all labels away."""

    async def change(connection: asyncpg.Connection[Any], tenant_id: int, account: Account) -> None:
        changed = replace(
            account,
            clearance=account.clearance if clearance is None else _labels(clearance),
            break_glass=account.break_glass if break_glass is None else break_glass,
            is_admin=account.is_admin if admin is None else admin,
        )
        await accounts.set_rights(connection, tenant_id, changed, dates.clock())

    _change(login, tenant, data_dir, database_url, change, "rights changed")
    typer.echo(f"The rights of {login} are changed.")


@app.command("password")
def password(
    login: Login,
    prompt: Prompt = False,
    stdin: Stdin = False,
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give an account another password, a generated one unless it is typed or piped; sessions, apps and tokens end."""
    typed = _typed(prompt, stdin)
    new, now = typed or passwords.generate(), dates.clock()

    async def set_it(connection: asyncpg.Connection[Any], tenant_id: int, account: Account) -> None:
        until = None if typed else now + accounts.ONCE_LASTS
        await accounts.set_password(connection, tenant_id, account, new, now, until)

    _change(login, tenant, data_dir, database_url, set_it, "password set")
    if typed:
        typer.echo(f"{login} has another password.")
    else:
        print_secrets({"password": new}, as_json)
        _say_once(new, as_json)


@app.command("disable")
def disable(
    login: Login, tenant: OfTenant = tenants.DEFAULT, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """Let a person sign in no more; sessions, apps and tokens end at once."""

    async def end(connection: asyncpg.Connection[Any], tenant_id: int, account: Account) -> None:
        await accounts.set_disabled(connection, tenant_id, account.account_id, True, dates.clock())

    _change(login, tenant, data_dir, database_url, end, "account disabled")
    typer.echo(f"{login} is disabled, and what they had under way has ended.")


@app.command("enable")
def enable(
    login: Login, tenant: OfTenant = tenants.DEFAULT, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """Let a person sign in again."""

    async def begin(connection: asyncpg.Connection[Any], tenant_id: int, account: Account) -> None:
        await accounts.set_disabled(connection, tenant_id, account.account_id, False, dates.clock())

    _change(login, tenant, data_dir, database_url, begin, "account enabled")
    typer.echo(f"{login} may sign in.")


@app.command("reset-second-factor")
def reset_second_factor(
    login: Login, tenant: OfTenant = tenants.DEFAULT, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """Remove the second factor of a person who lost phone and recovery codes; their sessions end."""

    async def remove(connection: asyncpg.Connection[Any], tenant_id: int, account: Account) -> None:
        await second_factor.reset(connection, tenant_id, account.account_id, dates.clock())

    _change(login, tenant, data_dir, database_url, remove, "second factor removed")
    typer.echo(f"{login} has no second factor; make sure that you know who asked for this.")


@app.command("link")
def link(
    login: Login,
    provider: Annotated[str, typer.Option(help="The name of the provider (hearth tenants upstream list).")],
    subject: Annotated[str, typer.Option(help="What the provider calls the person: the `sub` of its id_tokens.")],
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let a person sign in by another provider."""

    async def join(connection: asyncpg.Connection[Any], tenant_id: int, account: Account) -> None:
        issuer = (await providers.find(connection, tenant_id, provider)).issuer
        await providers.link(connection, tenant_id, account.account_id, issuer, subject)

    _change(login, tenant, data_dir, database_url, join, f"linked to {provider}")
    typer.echo(f"{login} may sign in by {provider}.")


def _labels(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(label for each in given for label in each.split(",") if label)


def _rights(account: Account) -> str:
    named = {"admin": account.is_admin, "break-glass": account.break_glass}
    return " ".join([*(name for name, has in named.items() if has), *account.clearance])


def _change(login: str, tenant: str, data_dir: DataDir, database_url: DatabaseUrl, act: Act, description: str) -> None:
    """Do something to the account of a login, and leave an AuditEvent of it."""

    async def change(connection: asyncpg.Connection[Any]) -> None:
        tenant_id = (await tenants.find(connection, tenant)).id
        account = await accounts.by_login(connection, tenant_id, login)
        if account is None:
            fail(f"There is no account {login!r} in this tenant")
        await act(connection, tenant_id, account)
        await operator.account_changed(connection, tenant_id, account, description, dates.clock())

    on_database(settings_of(data_dir=data_dir, database_url=database_url), change)


def _typed(prompt: bool, stdin: bool) -> str | None:
    """The password that somebody types or pipes; None when one is to be generated."""
    if prompt and stdin:
        fail("Either --prompt or --stdin")
    if prompt:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n") if stdin else None


def _say_once(generated: str | None, as_json: bool) -> None:
    if generated and not as_json:
        typer.echo(
            f"It is for the first sign-in, within {accounts.ONCE_LASTS.days} days, and is not shown again.", err=True
        )
