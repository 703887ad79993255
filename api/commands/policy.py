"""`hearth policy`: what a tenant decides about homework."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import asyncpg
import msgspec
import typer

from api.commands.console import (
    AsJson,
    DatabaseUrl,
    DataDir,
    OfTenant,
    fail,
    on_database,
    print_json,
    print_table,
    settings_of,
)
from service import tenants
from service.errors import HearthError
from service.homework import policy
from service.homework.policy import HomeworkPolicy
from service.oauth import operator

app: Final = typer.Typer(help="What a tenant decides about homework.", no_args_is_help=True)


@app.command("show")
def show(
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show the choices of a tenant."""

    async def read(connection: asyncpg.Connection[Any]) -> HomeworkPolicy:
        return await policy.of(connection, (await tenants.find(connection, tenant)).id)

    try:
        found = on_database(settings_of(data_dir=data_dir, database_url=database_url), read)
    except HearthError as refusal:
        fail(str(refusal))
    choices = {name: msgspec.to_builtins(value) for name, value in msgspec.structs.asdict(found).items()}
    if as_json:
        print_json(choices)
    else:
        print_table(("choice", "value"), [(name, _told(value)) for name, value in choices.items()])


@app.command("set")
def set_(
    choice: Annotated[str, typer.Argument(help="Its name, as `hearth policy show` lists it.")],
    value: Annotated[str, typer.Argument(help="Its value: a text, a number, or JSON.")],
    tenant: OfTenant = tenants.DEFAULT,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Change one choice of a tenant; it counts from the next request on."""

    async def change(connection: asyncpg.Connection[Any]) -> None:
        async with connection.transaction():
            tenant_id = (await tenants.find(connection, tenant)).id
            made = policy.changed(await policy.of(connection, tenant_id), choice, value)
            await policy.keep(connection, tenant_id, made)
            what = f"homework policy: {choice} = {value}"
            await operator.did(connection, tenant_id, "policy-changed", what, datetime.now(UTC))

    try:
        on_database(settings_of(data_dir=data_dir, database_url=database_url), change)
    except HearthError as refusal:
        fail(str(refusal))
    typer.echo(f"{choice} of {tenant} is now {value}.")


def _told(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
