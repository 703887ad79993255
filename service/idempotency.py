"""A POST sent twice under one Idempotency-Key is carried out once. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

The key's row is inserted first, in the transaction of the write. A second request with the key waits in its own insert
until that transaction ends: after a commit it finds the answer and replays it, after a rollback it does the work itself.
A batch is no transaction, so its row is committed before its work; a crash in between leaves a row without an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from schemas.json import encode
from service.call import Call, Reply
from service.database import Connection
from service.errors import BadRequest, Conflict, HearthError, Unprocessable
from service.interactions.operations import WRITING
from service.store import Store

LIFETIME: Final = timedelta(hours=24)
WAIT_SECONDS: Final = 3.0
REPLAYED: Final = ("Idempotency-Replayed", "true")

_WRITES: Final = frozenset({"create", "transaction", "act"}) | WRITING
_LONGEST: Final = 255
# A batch that has not answered by now never will: its worker died, or it would have been cut off.
_ABANDONED: Final = timedelta(minutes=5)

_INSERT: Final = (
    "insert into idempotency_key (tenant_id, client_id, key, fingerprint, created) values ($1, $2, $3, $4, $5)"
    " on conflict (tenant_id, client_id, key) do nothing returning true"
)
_SELECT: Final = (
    "select fingerprint, created, status, headers, body from idempotency_key"
    " where tenant_id = $1 and client_id = $2 and key = $3"
)
_FINISH: Final = (
    "update idempotency_key set status = $4, headers = $5, body = $6"
    " where tenant_id = $1 and client_id = $2 and key = $3"
)
_EXPIRE: Final = "delete from idempotency_key where tenant_id = $1 and client_id = $2 and key = $3 and created < $4"
_RELEASE: Final = "delete from idempotency_key where tenant_id = $1 and client_id = $2 and key = $3 and status is null"
_PURGE: Final = "delete from idempotency_key where tenant_id = $1 and created < $2"

Act = Callable[[Call, Store], Awaitable[Reply]]


class Slot(NamedTuple):
    """Whose key it is."""

    tenant_id: int
    client_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier request under the same key left; `status` is None while it has no answer."""

    fingerprint: bytes
    created: datetime
    status: int | None
    headers: bytes | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class _Head:
    """What a Reply says besides its status and content."""

    version: int | None
    updated: datetime | None
    location: str | None
    type: str | None
    id: str | None
    headers: tuple[tuple[str, str], ...]
    media_type: str | None = None


_decode: Final = msgspec.json.Decoder(_Head).decode


async def once(call: Call, store: Store, key: str, body: bytes, act: Act) -> Reply:
    """The reply of `act`, or the one it gave when the same client sent the same request under `key` before."""
    if call.interaction not in _WRITES:
        return await act(call, store)
    slot = Slot(call.tenant_id, call.grant.caller, checked(key))
    mark = fingerprint(call, body)
    if isinstance(call.body, dict) and call.interaction == "transaction" and call.body.get("type") == "batch":
        return await _batch_once(call, store, slot, mark, act)
    async with store.transaction():
        earlier = await begin(store.connection, slot, mark, call.now)
        if earlier is not None:
            return replay(earlier, mark, call.now)
        reply = await act(call, store)
        await finish(store.connection, slot, reply)
    return reply


async def _batch_once(call: Call, store: Store, slot: Slot, mark: bytes, act: Act) -> Reply:
    earlier = await begin(store.connection, slot, mark, call.now)
    if earlier is not None:
        return replay(earlier, mark, call.now)
    try:
        reply = await act(call, store)
    except HearthError:
        # Entries answer for themselves: a batch refused as a whole wrote nothing, and may be mended and sent again.
        await store.connection.execute(_RELEASE, *slot)
        raise
    await finish(store.connection, slot, reply)
    return reply


def checked(key: str) -> str:
    """The key without the quotes of a structured field. Raises BadRequest."""
    name = key.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    if not name or len(name) > _LONGEST or not name.isascii() or not name.isprintable():
        raise BadRequest(
            f"Idempotency-Key needs 1 to {_LONGEST} printable ASCII characters, best a random UUID",
            details_code="idempotency-key-illegal",
        )
    return name


def fingerprint(call: Call, body: bytes) -> bytes:
    """What makes two requests the same: address, meaning and bytes of the body, and the scope they came with.

    The scope, because an answer must not be replayed to a token that could not have got it.
    """
    meaning = encode(
        [
            call.base,
            call.self_url,
            call.interaction,
            call.type,
            call.id,
            call.operation,
            call.params,
            call.media_type,
            call.conditions.if_none_exist,
            call.grant.key,
        ]
    )
    return blake2b(meaning + b"\0" + body, digest_size=32).digest()


def replay(earlier: Earlier, mark: bytes, now: datetime) -> Reply:
    """The stored reply. Raises Unprocessable for another request under the key, Conflict while there is no reply."""
    if earlier.fingerprint != mark:
        raise Unprocessable(
            "This Idempotency-Key was used for another request (address, headers, body or scope differ); take a new key",
            code="business-rule",
            details_code="idempotency-key-reused",
        )
    if earlier.status is None or earlier.headers is None:
        if now - earlier.created > _ABANDONED:
            raise Conflict(
                "A batch under this Idempotency-Key ended without an answer; read what it wrote, then take a new key",
                details_code="idempotency-key-abandoned",
            )
        raise _under_way()
    head = _decode(earlier.headers)
    return Reply(
        earlier.status,
        earlier.body,
        head.version,
        head.updated,
        head.location,
        head.type,
        head.id,
        (*head.headers, REPLAYED),
        media_type=head.media_type,
    )


async def begin(connection: Connection, slot: Slot, mark: bytes, now: datetime) -> Earlier | None:
    """Take the key: None when it is now ours, else what the earlier request left. Raises Conflict after WAIT_SECONDS.

    Under READ COMMITTED the insert waits for a transaction that has the key, and the select after it sees what that
    transaction committed; a snapshot older than the wait would see nothing.
    """
    while True:
        try:
            if await connection.fetchval(_INSERT, *slot, mark, now, timeout=WAIT_SECONDS):
                return None
        except TimeoutError:
            raise _under_way() from None
        row = await connection.fetchrow(_SELECT, *slot)
        if row is not None:
            earlier = Earlier(*row)
            if now - earlier.created <= LIFETIME:
                return earlier
            await connection.execute(_EXPIRE, *slot, now - LIFETIME)


async def finish(connection: Connection, slot: Slot, reply: Reply) -> None:
    """Keep the reply for whoever sends the request again."""
    head = _Head(reply.version, reply.updated, reply.location, reply.type, reply.id, reply.headers, reply.media_type)
    await connection.execute(_FINISH, *slot, reply.status, encode(head), reply.content)


async def purge(connection: Connection, tenant_id: int, before: datetime) -> int:
    """Forget the keys from before `before`; returns how many."""
    status: str = await connection.execute(_PURGE, tenant_id, before)
    return int(status.rpartition(" ")[2])


def _under_way() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is under way; send it again for its answer",
        details_code="idempotency-key-under-way",
        retry_after=1,
    )
