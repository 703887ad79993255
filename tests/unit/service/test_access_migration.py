"""The migration to revision 0004 finds out of release 0.1.0's rows who is admitted to whose record, and what is hidden."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from schemas import dates, ids, json
from schemas.registry import REGISTRY
from service import labels, migrations, statements
from service.content import Codec
from service.embedded import Cluster
from service.index import rows

TENANT: Final = 7
BASE: Final = "https://hearth.example/fhir"
RELEASED: Final = "0002"
LABELLED: Final = {"meta": {"security": [{"system": labels.ACT_CODE[0], "code": "HIV"}]}}
TEAM: Final = {
    "resourceType": "CareTeam", "id": "team", "status": "active", "subject": {"reference": "Patient/ann"},
    "participant": [
        {"member": {"reference": "Practitioner/d"}, "period": {"start": "2026-01-01", "end": "2026-01-31"}},
        {"member": {"reference": f"{BASE}/Practitioner/e"}},
        {"member": {"reference": "https://elsewhere.example/fhir/Practitioner/f"}},
    ],
}  # fmt: skip
CONSENT: Final = {
    "resourceType": "Consent", "id": "c", "status": "active", "patient": {"reference": "Patient/ann"},
    "scope": {"coding": [{"code": "patient-privacy"}]},
    "provision": {
        "type": "permit", "actor": [{"role": {}, "reference": {"reference": "RelatedPerson/mum"}}],
        "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Task"}],
    },
}  # fmt: skip


def upgrade(connection: Connection, revision: str) -> None:
    config = migrations._config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    connection.commit()


async def migrate(url: str, revision: str) -> None:
    engine = create_async_engine(migrations._async_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(upgrade, revision)
    await engine.dispose()


@pytest.fixture
async def released(cluster: Cluster) -> AsyncIterator[tuple[str, asyncpg.Connection[Any]]]:
    """A database of release 0.1.0, and a connection to it."""
    name = f"released_{uuid4().hex[:12]}"
    maker = await asyncpg.connect(cluster.dsn())
    await maker.execute(f"create database {name}")
    await maker.close()
    await migrate(cluster.dsn(name), RELEASED)
    connection = await asyncpg.connect(cluster.dsn(name))
    yield cluster.dsn(name), connection
    await connection.close()


async def store(connection: asyncpg.Connection[Any], codec: Codec, body: dict[str, Any]) -> None:
    """A row as 0.1.0 wrote it: with no token of our labels."""
    kind, key = REGISTRY.types[body["resourceType"]], ids.key(TENANT, body["resourceType"], body["id"])
    row = rows.build(body, rows.Target(TENANT, BASE, kind.name, key))
    hiding = [labels.token(TENANT, label) for label in labels.HIDING]
    enc, packed = codec.pack(json.encode(body))
    index = [getattr(row, name) for name in statements.INDEX]
    index[statements.INDEX.index("flt")] = [made for made in row.flt if made not in hiding]
    await connection.execute(
        statements.insert(1, False), TENANT, kind.id, key, 1, dates.clock(), body["id"], enc, packed, *index
    )


async def delete(connection: asyncpg.Connection[Any], key: Any) -> None:
    await connection.execute(
        "insert into resource_history (updated, txn, id, tenant_id, version, type_id, enc, deleted, fid, content)"
        " select updated, txn, id, tenant_id, version, type_id, enc, deleted, fid, content from resource where id = $1",
        key,
    )
    await connection.execute(
        "update resource set version = 2, deleted = true, content = null, enc = 0, patient = null, present = 0, sel = '{}',"
        " flt = '{}', ref = '{}', refk = '{}' where id = $1",
        key,
    )


async def test_fills_links_and_label_tokens_from_what_is_stored(
    released: tuple[str, asyncpg.Connection[Any]],
) -> None:
    url, connection = released
    codec = Codec({row["id"]: row["dict"] for row in await connection.fetch("select id, dict from content_dict")})
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    for body in (
        TEAM, CONSENT, TEAM | {"id": "over", "status": "inactive"}, {"resourceType": "Patient", "id": "ann"},
        observation | {"id": "plain"}, observation | {"id": "secret"} | LABELLED, observation | {"id": "gone"} | LABELLED,
    ):  # fmt: skip
        await store(connection, codec, body)
    await delete(connection, ids.key(TENANT, "Observation", "gone"))

    await migrate(url, "head")

    ann, consented = ids.key(TENANT, "Patient", "ann"), REGISTRY.types["Task"].id
    found = await connection.fetch(
        "select actor, subject, types, deny, since, until from care_link order by since, types"
    )
    # Infinite times come without a zone.
    whole = [tuple(each.replace(tzinfo=UTC) if isinstance(each, datetime) else each for each in row) for row in found]
    assert whole == [
        (ids.key(TENANT, "RelatedPerson", "mum"), ann, [consented], False, dates.PAST, dates.FUTURE),
        (ids.key(TENANT, "Practitioner", "e"), ann, None, False, dates.PAST, dates.FUTURE),
        (ids.key(TENANT, "Practitioner", "d"), ann, None, False, *dates.period("2026-01-01", "2026-01-31")),
    ]  # fmt: skip
    hidden = await connection.fetch("select id from resource where flt && $1::bigint[]", [labels.token(TENANT, "HIV")])
    assert {row["id"] for row in hidden} == {ids.key(TENANT, "Observation", each) for each in ("secret", "gone")}
