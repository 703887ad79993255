"""What every tenant finds on its first day: the compression dictionary, and the homework library. Safe to run again."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from typing import Any, Final
from uuid import UUID

import asyncpg

from schemas import dates, library
from schemas.registry import REGISTRY
from service import audit, tenants
from service.content import Codec
from service.database import Connection
from service.errors import Conflict
from service.grant import Grant, Rule
from service.search.page import Pages
from service.store import Change, Store

_DICTIONARY: Final = "insert into content_dict (id, dict) values ($1, $2) on conflict (id) do nothing"
_DICTIONARIES: Final = "select id, dict from content_dict"
_COMPLETE: Final = (
    "select tenant_id from resource where tenant_id = any($1) and type_id = any($2) and id = any($3)"
    " group by tenant_id having count(*) = $4"
)
_SEEDER: Final = Grant("hearth", (Rule("*", frozenset("cruds")),), "hearth")


async def everything(database_url: str, origin: str) -> None:
    """Bring the default tenant, the dictionaries, and each tenant's library up to this release."""
    connection = await asyncpg.connect(database_url)
    try:
        await tenants.ensure_default(connection)
        for number, content in _shipped():
            await connection.execute(_DICTIONARY, number, content)
        codec = Codec({row["id"]: row["dict"] for row in await connection.fetch(_DICTIONARIES)})
        everyone = await tenants.registered(connection)
        complete = await _complete(connection, [tenant.id for tenant in everyone])
        lacking = [tenant for tenant in everyone if tenant.id not in complete]
        whole = tuple(library.seed()) if lacking else ()
        for tenant in lacking:
            # A new version of a form is a new resource: what a tenant edited or deleted stays so.
            await _create(connection, codec, tenant.id, origin + tenant.path, whole)
    finally:
        await connection.close()


def _shipped() -> Iterable[tuple[int, bytes]]:
    folder = resources.files("schemas") / "data" / "dictionaries"
    for file in folder.iterdir():
        if file.name.endswith(".zstd"):
            yield int(file.name.removesuffix(".zstd")), file.read_bytes()


async def _complete(connection: Connection, tenant_ids: Sequence[int]) -> set[int]:
    """The tenants that have the whole library: a start must not take longer for each tenant that there is."""
    wanted = {UUID(id): REGISTRY.types[type_name].id for id, type_name in library.ids().items()}
    rows = await connection.fetch(_COMPLETE, tenant_ids, sorted(set(wanted.values())), list(wanted), len(wanted))
    return {row["tenant_id"] for row in rows}


async def records(connection: Connection, tenant_id: int, base: str, resources: Iterable[Mapping[str, Any]]) -> None:
    """Create what is missing of `resources`, for a tenant whose FHIR base is `base`; what was edited or deleted stays so."""
    codec = Codec({row["id"]: row["dict"] for row in await connection.fetch(_DICTIONARIES)})
    await _create(connection, codec, tenant_id, base, resources)


async def _create(
    connection: Connection, codec: Codec, tenant_id: int, base: str, resources: Iterable[Mapping[str, Any]]
) -> None:
    store = Store(connection, tenant_id, base, _SEEDER, codec, Pages(b""))
    now = dates.clock()
    missing = [each for each in resources if await store.read(each["resourceType"], each["id"]) is None]
    changes = [store.change(each["resourceType"], each["id"], dict(each), now) for each in missing]
    with suppress(Conflict):  # another process that starts has just done the same
        await store.commit(changes, [_audit(store, change) for change in changes])


def _audit(store: Store, change: Change) -> audit.AuditRecord:
    return audit.event(
        "create",
        tenant_id=store.tenant_id,
        client_id="hearth",
        address=None,
        recorded=change.updated,
        outcome=audit.SUCCESS,
        type=change.type,
        id=change.id,
        version=change.version,
        query=None,
        request_id="seed",
        patient=None,
    )
