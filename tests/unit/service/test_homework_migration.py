"""The migration to revision 0005 hides from clients what release 0.1.0 holds of assignments in preparation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any, Final

import asyncpg

from schemas import ids
from service import labels
from service.content import Codec
from service.index.rows import HIDING

_SPEC: Final = importlib.util.spec_from_file_location(
    "access_migration", Path(__file__).with_name("test_access_migration.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
access = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = access
_SPEC.loader.exec_module(access)
released = access.released  # a database of release 0.1.0
TENANT: Final = access.TENANT


async def test_drafts_and_errors_are_hidden_and_nothing_else_is_touched(
    released: tuple[str, asyncpg.Connection[Any]],
) -> None:
    url, connection = released
    codec = Codec({row["id"]: row["dict"] for row in await connection.fetch("select id, dict from content_dict")})
    await connection.execute("insert into tenant (id, name) overriding system value values ($1, 'clinic')", TENANT)
    for status in ("draft", "entered-in-error", "ready", "completed"):
        await access.store(connection, codec, {
            "resourceType": "Task", "id": status, "status": status, "intent": "order", "for": {"reference": "Patient/ann"},
        })  # fmt: skip
    await connection.execute("update resource set present = present & ~$1::bigint", HIDING)

    await access.migrate(url, "head")

    token = labels.token(TENANT, labels.STAFF_ONLY)
    hidden = await connection.fetch(
        "select id from resource where flt @> array[$1::bigint] and present & $2::bigint <> 0", token, HIDING
    )
    assert {row["id"] for row in hidden} == {ids.key(TENANT, "Task", each) for each in ("draft", "entered-in-error")}
    assert await connection.fetchval("select homework from tenant where id = $1", TENANT) is None
