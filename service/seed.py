"""What every tenant finds on its first day: the compression dictionary, and the homework library. Safe to run again."""

from collections.abc import Iterable
from importlib import resources
from typing import Final

import asyncpg

from schemas import dates, library
from service import audit, tenants
from service.content import Codec
from service.database import Connection
from service.grant import Grant, Rule
from service.search.page import Pages
from service.store import Change, Store

_DICTIONARY: Final = "insert into content_dict (id, dict) values ($1, $2) on conflict (id) do nothing"
_DICTIONARIES: Final = "select id, dict from content_dict"
_SEEDER: Final = Grant("hearth", (Rule("*", frozenset("cruds")),), "hearth")


async def everything(database_url: str, origin: str) -> None:
    """Bring the default tenant, the dictionaries, and each tenant's library up to this release."""
    connection = await asyncpg.connect(database_url)
    try:
        await tenants.ensure_default(connection)
        for number, content in _shipped():
            await connection.execute(_DICTIONARY, number, content)
        codec = Codec({row["id"]: row["dict"] for row in await connection.fetch(_DICTIONARIES)})
        for tenant in await tenants.registered(connection):
            await _library(connection, codec, tenant.id, origin + tenant.path)
    finally:
        await connection.close()


def _shipped() -> Iterable[tuple[int, bytes]]:
    folder = resources.files("schemas") / "data" / "dictionaries"
    for file in folder.iterdir():
        if file.name.endswith(".zstd"):
            yield int(file.name.removesuffix(".zstd")), file.read_bytes()


async def _library(connection: Connection, codec: Codec, tenant_id: int, base: str) -> None:
    """Create what is missing. A new version of a form is a new resource, so what a tenant edited or deleted stays so."""
    store = Store(connection, tenant_id, base, _SEEDER, codec, Pages(b""))
    now = dates.clock()
    for resource in library.seed():
        before = await store.read(resource["resourceType"], resource["id"])
        if before is None:
            change = store.change(resource["resourceType"], resource["id"], resource, now)
            await store.commit([change], [_audit(store, change)])


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
