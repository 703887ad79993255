"""What the commands share: settings from options, one connection to the database, and how things are printed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import typer

from schemas import json
from service import embedded, revision
from service.settings import Settings

T = TypeVar("T")
DataDir = Annotated[Path | None, typer.Option(help="Where Hearth keeps its files.", show_default=".hearth")]
DatabaseUrl = Annotated[str | None, typer.Option(help="A PostgreSQL 18 to use; without it, an embedded one.")]
OfTenant = Annotated[str, typer.Option(help="The tenant it is about.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_of(**options: Any) -> Settings:
    """The settings, those given as options before those of the environment."""
    return Settings(**{name: value for name, value in options.items() if value is not None})


def on_database(settings: Settings, act: Callable[[asyncpg.Connection[Any]], Awaitable[T]]) -> T:
    """What `act` answers on one connection to a database of this release's tables."""

    async def connected(url: str) -> T:
        connection = await asyncpg.connect(url)
        try:
            if await revision.current(connection) != revision.head():
                fail("The database does not have this release's tables; run: hearth migrate")
            return await act(connection)
        finally:
            await connection.close()

    with embedded.database_url(settings) as url:
        return asyncio.run(connected(url))


def fail(sentence: str) -> NoReturn:
    """End with what is wrong."""
    typer.echo(f"hearth: {sentence}", err=True)
    raise typer.Exit(1)


def moment(time: datetime) -> str:
    """A time as it is printed."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def print_json(value: Any) -> None:
    """One line of JSON."""
    typer.echo(json.encode(value).decode())


def print_rows(rows: list[dict[str, str]], columns: tuple[str, ...], as_json: bool) -> None:
    """A table for people, or a list of objects."""
    if as_json:
        print_json(rows)
    else:
        print_table(columns, [tuple(row[name] for name in columns) for row in rows])


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as what is in them."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_secrets(row: dict[str, str], as_json: bool) -> None:
    """Names and values of which some are never shown again."""
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        typer.echo(f"{name:14} {value}")
