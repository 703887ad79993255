"""`hearth clients`: register the programs that may ask for tokens, list them, end them, invite others to register theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import typer

from api.commands.console import (
    AsJson,
    DatabaseUrl,
    DataDir,
    OfTenant,
    moment,
    on_database,
    print_rows,
    print_secrets,
    settings_of,
)
from schemas import dates
from service import tenants
from service.oauth import clients, operator, register
from service.oauth.form import Credentials
from service.oauth.metadata import NewClient, grants_for

ClientId = Annotated[str, typer.Argument(help="The client's id.")]
Redirects = Annotated[
    list[str] | None, typer.Option("--redirect-uri", help="Where people come back to; makes it an app for people.")
]
Public = Annotated[bool, typer.Option("--public", help="It cannot keep a secret: an app in a browser or on a phone.")]
Jwks = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="A file with its public keys; it authenticates by private_key_jwt."),
]
JwksUri = Annotated[
    str | None, typer.Option(help="Where its public keys are; it then authenticates by private_key_jwt.")
]
LaunchUrl = Annotated[str | None, typer.Option(help="What an EHR opens to launch it.")]
Dpop = Annotated[bool, typer.Option("--dpop", help="All its tokens are bound to a key of its own.")]
Clearance = Annotated[
    list[str] | None, typer.Option(help="A sensitivity label that its own tokens show, such as HIV; can be repeated.")
]
Origins = Annotated[
    list[str] | None, typer.Option("--origin", help="A web origin that it calls from, besides those of its URIs.")
]

app: Final = typer.Typer(help="The programs that may ask for tokens.", no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Option(help="What people call it.")],
    scope: Annotated[str, typer.Option(help="SMART scopes, separated by spaces, such as 'system/*.cruds'.")],
    redirect_uri: Redirects = None,
    public: Public = False,
    jwks: Jwks = None,
    jwks_uri: JwksUri = None,
    launch_url: LaunchUrl = None,
    dpop: Dpop = False,
    clearance: Clearance = None,
    origin: Origins = None,
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Register a client and print its secret, if it has one, which is never shown again."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    new = NewClient(
        name,
        scope,
        auth_method="none" if public else "private_key_jwt" if jwks or jwks_uri else "client_secret_basic",
        grant_types=grants_for(scope, has_redirect=bool(redirect_uri), is_public=public),
        redirect_uris=tuple(redirect_uri or ()),
        origins=tuple(origin or ()),
        jwks=jwks.read_text() if jwks else None,
        jwks_uri=jwks_uri,
        launch_url=launch_url,
        dpop=dpop,
        clearance=tuple(clearance or ()),
    )

    async def register_it(connection: asyncpg.Connection[Any]) -> Credentials:
        tenant_id = (await tenants.find(connection, tenant)).id
        made = await clients.register(connection, tenant_id, new, loopback_keys=settings.allow_loopback_jwks)
        await operator.did(connection, tenant_id, "client-registered", f"{made.client_id}: {scope}", dates.clock())
        return made

    _print_credentials(on_database(settings, register_it), as_json)


@app.command("list")
def list_(
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """List a tenant's clients."""

    async def find(connection: asyncpg.Connection[Any]) -> list[clients.Client]:
        return await clients.registered(connection, (await tenants.find(connection, tenant)).id)

    rows = [
        {
            "client_id": one.client_id,
            "name": one.name,
            "by": one.auth_method,
            "scope": one.scope,
            "state": "disabled" if one.disabled else "enabled",
            "created": moment(one.created),
        }
        for one in on_database(settings_of(data_dir=data_dir, database_url=database_url), find)
    ]
    print_rows(rows, ("client_id", "name", "by", "state", "created", "scope"), as_json)


@app.command("disable")
def disable(
    client_id: ClientId, tenant: OfTenant = tenants.DEFAULT, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """End a client's right, what people allowed it, and its tokens, at once."""

    async def end(connection: asyncpg.Connection[Any]) -> None:
        tenant_id = (await tenants.find(connection, tenant)).id
        await clients.disable(connection, tenant_id, client_id, dates.clock())
        await operator.did(connection, tenant_id, "client-changed", f"{client_id}: disabled", dates.clock())

    on_database(settings_of(data_dir=data_dir, database_url=database_url), end)
    typer.echo(f"Client {client_id} is disabled, its tokens are revoked.")


@app.command("rotate")
def rotate(
    client_id: ClientId,
    jwks: Jwks = None,
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give a client a new secret, or other public keys; the old ones and its tokens end at once."""
    keys = jwks.read_text() if jwks else None

    async def renew(connection: asyncpg.Connection[Any]) -> Credentials:
        tenant_id = (await tenants.find(connection, tenant)).id
        if keys is None:
            made = await clients.rotate(connection, tenant_id, client_id, dates.clock())
        else:
            await clients.rotate_keys(connection, tenant_id, client_id, keys, dates.clock())
            made = Credentials(client_id, "")
        await operator.did(connection, tenant_id, "client-changed", f"{client_id}: rotated", dates.clock())
        return made

    _print_credentials(on_database(settings_of(data_dir=data_dir, database_url=database_url), renew), as_json)


@app.command("invite")
def invite(
    scope: Annotated[str, typer.Option(help="The most that clients registered by it may get.")],
    hours: Annotated[int, typer.Option(min=1, max=24 * 30, help="How long it is valid.")] = 24,
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Print an initial access token, by which others register clients of their own at /oauth/register (RFC 7591)."""

    async def make(connection: asyncpg.Connection[Any]) -> str:
        tenant_id = (await tenants.find(connection, tenant)).id
        token = await register.invite(connection, tenant_id, scope, hours, dates.clock())
        await operator.did(connection, tenant_id, "client-invited", f"for {hours} hours: {scope}", dates.clock())
        return token

    token = on_database(settings_of(data_dir=data_dir, database_url=database_url), make)
    print_secrets({"token": token}, as_json)
    if not as_json:
        typer.echo(f"It is valid for {hours} hours, for any number of clients: give it to whom you trust.", err=True)


def _print_credentials(made: Credentials, as_json: bool) -> None:
    row = {"client_id": made.client_id}
    if made.client_secret:
        row["client_secret"] = made.client_secret
    print_secrets(row, as_json)
    if made.client_secret and not as_json:
        typer.echo("Keep the secret now: it is stored as a hash and cannot be shown again.", err=True)
