"""How each client wants to be reminded, kept as they said it; addresses only sealed. Docs: docs/reminders.md"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from fhir_mappings.reminder import ReminderRule
from service import circle, sealing
from service.call import Call
from service.database import Connection
from service.errors import Forbidden, Unprocessable
from service.store import Store
from service.webhooks import signature

SEALED_FOR: Final = "reminder-address"
_COLUMNS: Final = "patient, patient_id, rule, sealed, opted_out, updated, updated_by"
FIND: Final = f"select {_COLUMNS} from reminder_rule where tenant_id = $1 and patient = $2"  # noqa: S608
ALL: Final = f"select {_COLUMNS} from reminder_rule where tenant_id = $1 order by patient"  # noqa: S608
KEEP: Final = """
insert into reminder_rule (tenant_id, patient, patient_id, rule, sealed, opted_out, updated, updated_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, patient) do update set rule = excluded.rule, sealed = excluded.sealed,
       opted_out = excluded.opted_out, updated = excluded.updated, updated_by = excluded.updated_by"""
FORGET: Final = "delete from reminder_rule where tenant_id = $1 and patient = $2"
STATEMENTS: Final = (FIND, ALL, KEEP, FORGET)


class Addresses(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where reminders go: a mailbox, and the server of the client's app with the secret that messages to it are signed by."""

    email: str | None = None
    push_url: str | None = None
    push_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rule of one client. `updated_by` is who set it last: an app, and the person who used it."""

    patient: UUID
    patient_id: str
    rule: ReminderRule
    addresses: Addresses
    updated: datetime
    updated_by: str


async def of(call: Call, store: Store, patient_id: str, secret: bytes) -> Rules | None:
    """A client's rule, None where they have none. Raises NotFound, Forbidden; `secret` is settings.secret()."""
    await require(call, store, patient_id, "r")
    return await get(store.connection, store.tenant_id, store.key("Patient", patient_id), secret)


async def put(
    call: Call,
    store: Store,
    patient_id: str,
    rule: ReminderRule,
    secret: bytes,
    *,
    email: str | None = None,
    push_url: str | None = None,
) -> tuple[Rules, str | None]:
    """Set a client's rule; also the secret of a new `push_url`, which is not shown again. Raises as `of`, Unprocessable.

    Clients set their own, therapists those of clients in their care, as far as they may write CommunicationRequests.
    """
    await require(call, store, patient_id, "u")
    _check(rule, email, push_url)
    key = store.key("Patient", patient_id)
    before = await get(store.connection, store.tenant_id, key, secret)
    kept = before.addresses if before is not None else Addresses()
    new = signature.new_secret() if push_url is not None and push_url != kept.push_url else None
    addresses = Addresses(email, push_url, new or (kept.push_secret if push_url else None))
    sealed = sealing.seal(secret, SEALED_FOR, msgspec.json.encode(addresses))
    text = msgspec.json.encode(rule).decode()
    await store.connection.execute(
        KEEP, store.tenant_id, key, patient_id, text, sealed, rule.opted_out, call.now, call.grant.caller
    )
    return Rules(key, patient_id, rule, addresses, call.now, call.grant.caller), new


async def remove(call: Call, store: Store, patient_id: str) -> None:
    """Forget a client's rule and addresses. Raises as `of`."""
    await require(call, store, patient_id, "u")
    await store.connection.execute(FORGET, store.tenant_id, store.key("Patient", patient_id))


async def require(call: Call, store: Store, patient_id: str, letter: str) -> None:
    """Raise NotFound unless the caller sees the Patient, Forbidden unless `letter` is allowed on their reminders.

    A reminder is a CommunicationRequest of the Patient: what a token allows on those it allows here.
    """
    if await store.read("Patient", patient_id) is None:
        raise await store.denial("Patient", patient_id, "r")
    call.grant.require(letter, "CommunicationRequest")
    limits = call.grant.limits(letter, "CommunicationRequest") or ()
    reaching = [circles for constraint, circles in limits if not constraint]
    own = patient_id == call.grant.patient
    if limits and not any(own or circle.PATIENT not in circles for circles in reaching):
        raise Forbidden("The access token's scope allows this for another client only", about=("Patient", patient_id))


async def get(connection: Connection, tenant_id: int, patient: UUID, secret: bytes) -> Rules | None:
    """The rule of a Patient by their storage key, for the service itself."""
    row = await connection.fetchrow(FIND, tenant_id, patient)
    return None if row is None else _read(row, secret)


async def everybodys(connection: Connection, tenant_id: int, secret: bytes) -> list[Rules]:
    """The rules of all clients of a tenant, for the service itself."""
    return [_read(row, secret) for row in await connection.fetch(ALL, tenant_id)]


def _read(row: Any, secret: bytes) -> Rules:
    rule = msgspec.json.decode(row["rule"].encode(), type=ReminderRule)
    addresses = msgspec.json.decode(sealing.unseal(secret, SEALED_FOR, row["sealed"]), type=Addresses)
    return Rules(row["patient"], row["patient_id"], rule, addresses, row["updated"], row["updated_by"])


def _check(rule: ReminderRule, email: str | None, push_url: str | None) -> None:
    """Raise Unprocessable where the rule names a channel without an address, or what is no address."""
    named = {"email": email, "push": push_url}
    for channel in rule.channels:
        if named[channel] is None and not rule.opted_out:
            wanted = "email, a mailbox" if channel == "email" else "push_url, an https address of the client's app"
            raise Unprocessable(f"The channel {channel} needs {wanted}", expression=("channels",))
    if email is not None and (email.count("@") != 1 or not email.isascii() or not email.isprintable() or " " in email):
        raise Unprocessable("email is a mailbox such as name@example.org", expression=("email",))
    if push_url is not None and not push_url.startswith(("https://", "http://")):
        raise Unprocessable("push_url is an https address", expression=("push_url",))
