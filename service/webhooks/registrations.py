"""The webhooks of a tenant's clients: made, listed, ended, and their secrets changed. Docs: docs/webhooks.md

A client that speaks for itself registers them, with what its token allowed then: that is what a delivery may tell of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from fhir_mappings.homework_event import EVENTS
from schemas import ids
from schemas.nearest import did_you_mean
from service import labels, sealing
from service.call import Call
from service.database import Connection
from service.errors import Conflict, Forbidden, NotFound, Unprocessable
from service.grant import Grant, Rule
from service.oauth.clients import Client
from service.store import Store
from service.webhooks import heard, signature

SEALED_FOR: Final = "webhook-secret"
WEBHOOKS_MOST: Final = 20
"""How many a client may have."""
_URL_MOST: Final = 2000
_COLUMNS: Final = "webhook_id, client_id, url, events, sealed, rules, created, disabled, reason"
ADD: Final = """
insert into webhook (tenant_id, webhook_id, client_id, url, events, sealed, rules, created)
values ($1, $2, $3, $4, $5, $6, $7, $8)"""
OWN: Final = f"select {_COLUMNS} from webhook where tenant_id = $1 and client_id = $2 order by created"  # noqa: S608
FIND: Final = f"select {_COLUMNS} from webhook where tenant_id = $1 and webhook_id = $2"  # noqa: S608
REMOVE: Final = "delete from webhook where tenant_id = $1 and webhook_id = $2"
FORGET: Final = "delete from webhook_delivery where tenant_id = $1 and webhook_id = $2"
CHANGE: Final = """
update webhook set url = $3, events = $4, disabled = null, reason = null, failures = 0, rules = $5
 where tenant_id = $1 and webhook_id = $2"""
ROTATE: Final = "update webhook set sealed = $3 where tenant_id = $1 and webhook_id = $2"
ARRIVED: Final = "update webhook set failures = 0 where tenant_id = $1 and webhook_id = $2 and failures > 0"
LOST: Final = """
update webhook set failures = failures + 1,
       disabled = case when failures + 1 >= $3 then coalesce(disabled, $4) else disabled end,
       reason = case when failures + 1 >= $3 then coalesce(reason, $5) else reason end
 where tenant_id = $1 and webhook_id = $2"""
STATEMENTS: Final = (ADD, OWN, FIND, REMOVE, FORGET, CHANGE, ROTATE, ARRIVED, LOST)


class _Allowed(msgspec.Struct, frozen=True):
    """A Rule of a Grant as it is kept."""

    type: str
    letters: str
    constraint: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a client is told of which events. `disabled`, with the reason, since when nothing is sent any more."""

    id: UUID
    client_id: str
    url: str
    events: tuple[str, ...]
    sealed: bytes
    rules: str
    created: datetime
    disabled: datetime | None = None
    reason: str | None = None

    def secret(self, key: bytes) -> str:
        """What its messages are signed by; `key` is settings.secret()."""
        return sealing.unseal(key, SEALED_FOR, self.sealed).decode()

    def grant(self, client: Client) -> Grant:
        """What it may tell of: what the token that registered it allowed, under the labels that the client shows now."""
        kept = msgspec.json.decode(self.rules.encode(), type=tuple[_Allowed, ...])
        rules = tuple(Rule(each.type, frozenset(each.letters), each.constraint) for each in kept)
        return Grant(self.client_id, rules, self.rules, labels.hidden(client.clearance, True))


async def make(
    call: Call, store: Store, url: str, events: Sequence[str], key: bytes, *, loopback: bool = False
) -> tuple[Webhook, str]:
    """A new webhook, and its secret, which is shown this once. Raises Forbidden, Unprocessable, Conflict.

    `key` is settings.secret(), `loopback` settings.allow_loopback_webhooks.
    """
    _require_client(call)
    _check(url, events, loopback)
    if len(await of(call, store)) >= WEBHOOKS_MOST:
        raise Conflict(f"A client has {WEBHOOKS_MOST} webhooks at most; remove one first")
    secret = signature.new_secret()
    sealed = sealing.seal(key, SEALED_FOR, secret.encode())
    chosen = tuple(dict.fromkeys(events))
    made = Webhook(
        ids.new(call.now.timestamp()), call.grant.client_id, url, chosen, sealed, _kept(call.grant), call.now
    )
    await store.connection.execute(
        ADD, store.tenant_id, made.id, made.client_id, url, list(chosen), sealed, made.rules, call.now
    )
    heard.forget(store.tenant_id)
    return made, secret


async def of(call: Call, store: Store) -> list[Webhook]:
    """The caller's webhooks, oldest first. Raises Forbidden."""
    _require_client(call)
    return [_read(row) for row in await store.connection.fetch(OWN, store.tenant_id, call.grant.client_id)]


async def get(call: Call, store: Store, webhook_id: UUID) -> Webhook:
    """One of the caller's webhooks. Raises Forbidden, NotFound."""
    _require_client(call)
    found = await find(store.connection, store.tenant_id, webhook_id)
    if found is None or found.client_id != call.grant.client_id:
        raise NotFound(f"There is no webhook {webhook_id} here")
    return found


async def change(
    call: Call, store: Store, webhook_id: UUID, url: str, events: Sequence[str], *, loopback: bool = False
) -> Webhook:
    """Another address or other events; one that was disabled works again, as far as the token at hand allows."""
    found = await get(call, store, webhook_id)
    _check(url, events, loopback)
    chosen, rules = list(dict.fromkeys(events)), _kept(call.grant)
    await store.connection.execute(CHANGE, store.tenant_id, webhook_id, url, chosen, rules)
    heard.forget(store.tenant_id)
    return Webhook(found.id, found.client_id, url, tuple(chosen), found.sealed, rules, found.created)


async def rotate(call: Call, store: Store, webhook_id: UUID, key: bytes) -> str:
    """A new secret, shown this once; the next message is signed by it. Raises Forbidden, NotFound."""
    await get(call, store, webhook_id)
    secret = signature.new_secret()
    sealed = sealing.seal(key, SEALED_FOR, secret.encode())
    await store.connection.execute(ROTATE, store.tenant_id, webhook_id, sealed)
    return secret


async def remove(call: Call, store: Store, webhook_id: UUID) -> None:
    """End a webhook; what was still to be delivered is not. Raises Forbidden, NotFound."""
    await get(call, store, webhook_id)
    async with store.transaction():
        await store.connection.execute(FORGET, store.tenant_id, webhook_id)
        await store.connection.execute(REMOVE, store.tenant_id, webhook_id)
    heard.forget(store.tenant_id)


async def find(connection: Connection, tenant_id: int, webhook_id: UUID) -> Webhook | None:
    """A webhook of anybody, for the service itself."""
    row = await connection.fetchrow(FIND, tenant_id, webhook_id)
    return None if row is None else _read(row)


async def arrived(connection: Connection, tenant_id: int, webhook_id: UUID) -> None:
    """Count anew: a message got through."""
    await connection.execute(ARRIVED, tenant_id, webhook_id)


async def lost(connection: Connection, tenant_id: int, webhook_id: UUID, most: int, now: datetime, reason: str) -> None:
    """Count a message that was given up; at `most` in a row the webhook is disabled."""
    await connection.execute(LOST, tenant_id, webhook_id, most, now, reason)


def _read(row: Any) -> Webhook:
    webhook_id, client_id, url, events, *rest = row
    return Webhook(webhook_id, client_id, url, tuple(events), *rest)


def _require_client(call: Call) -> None:
    if call.grant.user is not None or call.grant.patient is not None or call.grant.shape.circles:
        raise Forbidden(
            "A webhook is registered by a client that speaks for itself (system/ scopes): a server is told of what happens",
            details_code="webhook-of-a-person",
        )


def _kept(grant: Grant) -> str:
    rules = [_Allowed(each.type, "".join(sorted(each.letters)), each.constraint) for each in grant.rules]
    return msgspec.json.encode(rules).decode()


def _check(url: str, events: Sequence[str], loopback: bool) -> None:
    parts = urlsplit(url)
    schemes = ("https", "http") if loopback else ("https",)
    if parts.scheme not in schemes or not parts.hostname or parts.username or parts.fragment or len(url) > _URL_MOST:
        raise Unprocessable("url is an https address without a user name or fragment", expression=("url",))
    if not events:
        raise Unprocessable(f"events is one or more of {', '.join(EVENTS)}", expression=("events",))
    for event in events:
        if event not in EVENTS:
            raise Unprocessable(
                f"There is no event {event!r}.{did_you_mean(event, EVENTS)} There are {', '.join(EVENTS)}",
                expression=("events",),
            )
