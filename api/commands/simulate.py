"""`hearth simulate`: a made-up clinic in a tenant of its own, to look at and to measure with."""

from __future__ import annotations

import asyncio
import importlib
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import asyncpg
import typer

from api.commands.console import DatabaseUrl, DataDir, fail, settings_of
from schemas import dates
from service import embedded, revision, tenants
from service.errors import HearthError
from service.settings import Settings

if TYPE_CHECKING:
    from service.simulation.play import Tally

TENANT: Final = "simulation"
_WEST: Final = timedelta(hours=9)
"""By then the last day has ended wherever the clients live."""


def simulate(
    tenant: Annotated[str, typer.Option(help="The tenant to fill; it is made, and must not be there yet.")] = TENANT,
    clients: Annotated[int, typer.Option(min=1, max=10_000, help="How many clients.")] = 200,
    weeks: Annotated[int, typer.Option(min=1, max=104, help="How many weeks of homework.")] = 12,
    seed_: Annotated[int, typer.Option("--seed", help="The same number makes the same clinic.")] = 1,
    begin: Annotated[
        str | None, typer.Option(help="The day of the first session; the weeks end today without it.")
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Play a made-up clinic into a new tenant: clients, homework, answers, scores. Nobody in it exists."""
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    try:
        # In the morning it is still yesterday in the west: nothing is played that has not been yet.
        today = (dates.clock() - _WEST).date()
        first = today - timedelta(weeks=weeks) if begin is None else date.fromisoformat(begin)
    except ValueError:
        fail(f"--begin {begin} is no day; write it as 2026-01-05")
    with embedded.database_url(settings) as url:
        try:
            played = asyncio.run(_played(settings, url, tenant, seed_, clients, weeks, first))
        except HearthError as refusal:
            fail(str(refusal))
    done = ", ".join(f"{count} {what}" for what, count in sorted(played.outcomes.items()))
    typer.echo(f"{played.clients} clients, {played.answers} answers; occurrences: {done}.")
    typer.echo(f"They are in the tenant {tenant}: /t/{tenant}/fhir")


async def _played(
    settings: Settings, url: str, name: str, seed_number: int, clients: int, weeks: int, begin: date
) -> Tally:
    connection = await asyncpg.connect(url)
    try:
        if await revision.current(connection) != revision.head():
            fail("The database does not have this release's tables; run: hearth migrate")
        tenant = await tenants.add(connection, name)
    finally:
        await connection.close()
    await _load("service.seed").everything(url, settings.base_url)
    engine = _load("service.engine").Engine(settings, url)
    await engine.start()
    try:
        play = _load("service.simulation.play").Play(
            engine, tenant, seed=seed_number, clients=clients, weeks=weeks, begin=begin
        )
        with typer.progressbar(length=weeks * 7, label=f"{clients} clients, {weeks} weeks") as bar:
            played: Tally = await play.run(lambda _: bar.update(1))
            return played
    finally:
        await engine.stop()


def _load(module: str) -> Any:
    """What only this command needs: the other ones start without it."""
    return importlib.import_module(module)
