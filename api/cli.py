"""The `hearth` command: serve, migrate, tenants, demo, doctor, openapi; the other groups are in `api/commands`.

Each command works while a server runs on the same data directory, and starts the embedded PostgreSQL for itself when
none runs. Each option is a setting of docs/settings.md, where its variable stands too.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import asyncpg
import msgspec
import typer
from pydantic import ValidationError

from api import banner, server
from api.commands import clients, keys, people, policy, simulate, upstream, work
from api.commands.console import (
    AsJson,
    DatabaseUrl,
    DataDir,
    fail,
    moment,
    on_database,
    print_json,
    print_rows,
    print_table,
    settings_of,
)
from schemas import dates, json
from service import doctor as examination
from service import embedded, logs, revision, tenants
from service.demo import cast as players
from service.demo.cast import Cast
from service.errors import HearthError
from service.oauth.form import Credentials
from service.oauth.keys import Keys
from service.settings import PREFIX, Settings

OPENAPI: Final = Path(__file__).parent.parent / "openapi" / "hearth.json"
HOMEWORK_OPENAPI: Final = OPENAPI.with_name("homework-api.json")

app: Final = typer.Typer(name="hearth", help="Therapy homework as FHIR R4.", no_args_is_help=True, add_completion=False)
tenants_app: Final = typer.Typer(help="The organisations that this server keeps apart.", no_args_is_help=True)
app.add_typer(tenants_app, name="tenants")
app.add_typer(clients.app, name="clients")
app.add_typer(keys.app, name="keys")
app.add_typer(people.app, name="people")
app.add_typer(policy.app, name="policy")
app.command(name="simulate")(simulate.simulate)
app.command(name="work")(work.work)
tenants_app.add_typer(upstream.app, name="upstream")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on.", show_default="8080")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve.", show_default="1")] = None,
    demo: Annotated[bool, typer.Option(help="Make a demo client and demo people, and print how to use them.")] = False,
) -> None:
    """Migrate the database, then serve until SIGTERM or Ctrl-C; requests under way are answered first."""
    settings = settings_of(host=host, port=port, data_dir=data_dir, database_url=database_url, workers=workers)
    logs.configure(settings.log_level, settings.log_format)
    with embedded.database_url(settings) as url:
        cast = asyncio.run(_prepare(settings, url, demo))

        def ready() -> None:
            if cast is not None:
                typer.echo(banner.text(settings, cast, sys.argv[0]))

        server.serve(settings, url, ready)


@app.command()
def migrate(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to this release's tables and library, and make the default tenant."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with embedded.database_url(settings) as url:
        asyncio.run(_prepare(settings, url, demo=False))
    typer.echo(f"The database is at {revision.head()}.")


@tenants_app.command("add")
def tenants_add(name: str, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Make a tenant; its FHIR API stands at /t/NAME/fhir."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with embedded.database_url(settings) as url:
        made = on_database(settings, lambda connection: tenants.add(connection, name))
        asyncio.run(_load("service.seed").everything(url, settings.base_url))
    if as_json:
        print_json({"id": made.id, "name": made.name, "path": made.path})
    else:
        typer.echo(f"Tenant {made.name} is at {settings.base_url}{made.path}")


@tenants_app.command("set")
def tenants_set(
    name: str,
    practitioner_access: Annotated[
        str, typer.Option(help=f"Which patients practitioners see: {', '.join(tenants.REACHES)}.")
    ],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Change a tenant's policy; access tokens of persons end, so that it holds at once."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    now = dates.clock()
    on_database(
        settings, lambda connection: tenants.set_practitioner_access(connection, name, practitioner_access, now)
    )
    typer.echo(f"Practitioners of {name} see: {practitioner_access}.")


@tenants_app.command("list")
def tenants_list(data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the tenants."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    found = on_database(settings, tenants.registered)
    rows = [
        {"name": one.name, "path": one.path, "access": one.practitioner_access, "created": moment(one.created)}
        for one in found
    ]
    print_rows(rows, ("name", "path", "access", "created"), as_json)


@app.command()
def demo(
    base: Annotated[str | None, typer.Option(help="The server's URL in front of /fhir.")] = None,
    client_id: Annotated[str | None, typer.Option(help="A client with system/*.cruds.")] = None,
    client_secret: Annotated[str | None, typer.Option(help="Its secret.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Play the homework journey against a running server as the people of `serve --demo`, or as one client that is named."""
    settings = settings_of(data_dir=data_dir)
    named = Credentials(client_id, client_secret) if client_id and client_secret else None
    cast = players.load(settings.data_dir) if named is None else Cast(named)
    if cast is None:
        fail("Name a client: --client-id and --client-secret, or start the server with --demo")
    journey = _load("service.demo.journey")
    try:
        journey.run(base or settings.base_url, cast, typer.echo)
    except journey.JourneyFault as fault:
        fail(str(fault))


@app.command()
def doctor(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Look whether this installation can be trusted with data; exit code 1 when something is wrong."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with embedded.database_url(settings) as url:
        findings = asyncio.run(examination.examine(settings, url, dict(os.environ)))
    print_table(
        ("", "what", "found", "should be"),
        [("ok" if one.good else "WRONG", one.name, one.found, "" if one.good else one.wanted) for one in findings],
    )
    if not all(one.good for one in findings):
        raise typer.Exit(1)


@app.command()
def openapi(
    write: Annotated[bool, typer.Option("--write", help="Write the documents below openapi/ of the checkout.")] = False,
    homework: Annotated[bool, typer.Option("--homework", help="That of the homework API instead.")] = False,
) -> None:
    """Print the OpenAPI document of the FHIR API and what is around it, or that of the homework API."""
    documents = {OPENAPI: "api.worker", HOMEWORK_OPENAPI: "api.homework.document"}
    for path, module in documents.items():
        text = msgspec.json.format(json.encode(_load(module).document()), indent=2).decode()
        if write:
            path.write_text(f"{text}\n")
        elif homework is (path == HOMEWORK_OPENAPI):
            typer.echo(text)


@app.command()
def version() -> None:
    """Print the release's number."""
    typer.echo(installed("hearth-fhir"))


def _load(module: str) -> Any:
    """A module that only one command needs and that takes longer to load than most commands take."""
    return importlib.import_module(module)


async def _prepare(settings: Settings, url: str, demo: bool) -> Cast | None:
    """Migrations, then what each tenant finds on its first day, and with `demo` the people and apps of the default one."""
    connection = await asyncpg.connect(url)
    try:
        if await revision.current(connection) != revision.head():
            await _load("service.migrations").upgrade(url)
        await _load("service.seed").everything(url, settings.base_url)
        await Keys(settings.secret()).ensure(connection, dates.clock())
        if not demo:
            return None
        tenant = await tenants.ensure_default(connection)
        made: Cast = await _load("service.demo.casting").ensure(
            connection, tenant.id, settings.base_url + tenant.path, settings.data_dir, settings.secret()
        )
        return made
    finally:
        await connection.close()


def _leave(number: int, _frame: object) -> NoReturn:
    """End as after any other exit, so that the embedded PostgreSQL is stopped."""
    raise SystemExit(128 + number)


def main() -> None:
    """The console command; what a person did wrong is one sentence, not a traceback."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        app()
    except ValidationError as fault:
        for error in fault.errors():
            name = "_".join(str(part) for part in error["loc"])
            if error["type"] != "default_factory_not_called":  # follows from another error
                typer.echo(f"hearth: {PREFIX}{name.upper()}: {error['msg']}", err=True)
        raise SystemExit(2) from None
    except (HearthError, embedded.ClusterError) as fault:
        typer.echo(f"hearth: {fault}", err=True)
        raise SystemExit(1) from None
    except (OSError, asyncpg.PostgresError) as fault:
        # A connection's fault: its words name hosts and accounts, never rows.
        typer.echo(f"hearth: {type(fault).__name__}: {fault}", err=True)
        raise SystemExit(1) from None
