"""`hearth tenants upstream`: other OpenID providers that a tenant's people may sign in by."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import asyncpg
import typer

from api.commands.console import AsJson, DatabaseUrl, DataDir, on_database, print_rows, settings_of
from schemas import dates
from service import tenants
from service.oauth.smart import Place
from service.people import provider_web, providers, upstream
from service.people.provider_web import ProviderAway
from service.people.providers import Provider

Tenant = Annotated[str, typer.Argument(help="The tenant.")]
Name = Annotated[str, typer.Argument(help="Its name in addresses, such as clinic-idp.")]

app: Final = typer.Typer(help="Other OpenID providers that people may sign in by.", no_args_is_help=True)


@app.command("add")
def add(
    tenant: Tenant,
    name: Name,
    title: Annotated[str, typer.Option(help="What people read on the button.")],
    issuer: Annotated[str, typer.Option(help="Its address, exactly as its id_tokens have it.")],
    client_id: Annotated[str, typer.Option(help="What it calls this server.")],
    public: Annotated[bool, typer.Option("--public", help="It gave no client secret.")] = False,
    scope: Annotated[str, typer.Option(help="What is asked for.")] = providers.SCOPE,
    link_claim: Annotated[
        str | None, typer.Option(help="A claim that names the account at the first sign-in, such as email.")
    ] = None,
    link_to: Annotated[str, typer.Option(help=f"What it is compared with: {' or '.join(providers.LINKS)}.")] = "login",
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="It asks for a second factor itself, so that Hearth does not.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Let people sign in by a provider; its client secret is typed or piped. Prints what to register there."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    client_secret = None if public else _typed()
    sealed = None if client_secret is None else providers.sealed(settings.secret(), client_secret)
    if link_to not in providers.LINKS:
        raise typer.BadParameter(f"--link-to is {' or '.join(providers.LINKS)}")
    new = Provider(name, title, issuer, client_id, sealed, scope, link_claim, link_to, second_factor)

    async def register(connection: asyncpg.Connection[Any]) -> str | None:
        await providers.add(connection, (await tenants.find(connection, tenant)).id, new)
        try:
            await provider_web.WEB.metadata(issuer, dates.clock())
        except ProviderAway as fault:
            return fault.reason
        return None

    doubt = on_database(settings, register)
    typer.echo(f"Register this redirect URI there: {upstream.callback(Place(settings.base_url, tenant), new)}")
    if doubt:
        typer.echo(f"It is added, but: {doubt}", err=True)


@app.command("list")
def list_(tenant: Tenant, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List a tenant's providers."""

    async def find(connection: asyncpg.Connection[Any]) -> list[Provider]:
        return await providers.registered(connection, (await tenants.find(connection, tenant)).id)

    rows = [
        {
            "name": one.name,
            "title": one.title,
            "issuer": one.issuer,
            "client_id": one.client_id,
            "links": f"{one.link_claim} to {one.link_to}" if one.link_claim else "by command",
            "second_factor": "its own" if one.second_factor else "ours",
        }
        for one in on_database(settings_of(data_dir=data_dir, database_url=database_url), find)
    ]
    print_rows(rows, ("name", "title", "issuer", "client_id", "links", "second_factor"), as_json)


@app.command("remove")
def remove(tenant: Tenant, name: Name, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Let nobody sign in by a provider any more; who has signed in stays until the session is over."""

    async def forget(connection: asyncpg.Connection[Any]) -> None:
        await providers.remove(connection, (await tenants.find(connection, tenant)).id, name)

    on_database(settings_of(data_dir=data_dir, database_url=database_url), forget)
    typer.echo(f"Nobody signs in to {tenant} by {name} any more.")


def _typed() -> str:
    """The client secret, from a terminal or a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt("Client secret", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
