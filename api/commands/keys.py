"""`hearth keys`: the keys that sign id_tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import typer

from api.commands.console import AsJson, DatabaseUrl, DataDir, moment, on_database, print_rows, settings_of
from service.oauth import keys
from service.oauth.keys import Keys, KeyState

app: Final = typer.Typer(help="The keys that sign id_tokens.", no_args_is_help=True)


@app.command("list")
def list_(data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the signing keys, the newest first."""
    found: list[KeyState] = on_database(settings_of(data_dir=data_dir, database_url=database_url), keys.states)
    rows = [
        {
            "kid": one.kid,
            "algorithm": one.algorithm,
            "created": moment(one.created),
            "state": "signs" if one.retired is None else f"published until {moment(one.retired + keys.OVERLAP)}",
        }
        for one in found
    ]
    print_rows(rows, ("kid", "algorithm", "created", "state"), as_json)


@app.command("rotate")
def rotate(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Sign by a new key from now on; the old ones stay published until what they signed has expired."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)

    async def renew(connection: asyncpg.Connection[Any]) -> str:
        return await Keys(settings.secret()).rotate(connection, datetime.now(UTC))

    kid = on_database(settings, renew)
    typer.echo(f"Key {kid} signs from now on; the one before stays published for a day.")
