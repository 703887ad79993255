"""The demo's client, whose secret is kept in the data directory so that it can be shown again. Never in production."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import asyncpg

from schemas import json
from service.oauth import clients, secret
from service.oauth.form import Credentials

FILE: Final = "demo-client.json"
NAME: Final = "Demo"
SCOPE: Final = "system/*.cruds"


def load(data_dir: Path) -> Credentials | None:
    """The credentials kept in `data_dir`; None when no demo was set up there."""
    try:
        return Credentials(**json.decode((data_dir / FILE).read_bytes()))
    except FileNotFoundError:
        return None


async def ensure(connection: asyncpg.Connection[Any], tenant_id: int, data_dir: Path) -> Credentials:
    """The kept client when the database knows it (it may be another database than last time), else a new one."""
    kept = load(data_dir)
    known = None if kept is None else await clients.find(connection, tenant_id, kept.client_id)
    if kept is None or known is None or not secret.matches(kept.client_secret, known.secret_hash or b""):
        return await _make(connection, tenant_id, data_dir)
    return kept


async def _make(connection: asyncpg.Connection[Any], tenant_id: int, data_dir: Path) -> Credentials:
    made = await clients.add(connection, tenant_id, NAME, SCOPE)
    _save(made, data_dir)
    return made


def _save(made: Credentials, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    content = json.encode({"client_id": made.client_id, "client_secret": made.client_secret})
    with os.fdopen(os.open(data_dir / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
