"""The second factor: one-time codes by time, each used once, and recovery codes for a lost phone.

https://www.rfc-editor.org/rfc/rfc6238, https://pages.nist.gov/800-63-4/sp800-63b.html#singlefactorOTP
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import pyotp
import segno

from service import sealing
from service.errors import Conflict
from service.oauth import secret
from service.people import attempts, sessions
from service.people.accounts import Account
from service.people.attempts import SignInRefused

STEP_SECONDS: Final = 30
DRIFT: Final = 1
"""How many steps a phone's clock may be off, either way."""
RECOVERY_CODES: Final = 10
_RECOVERY_BYTES: Final = 10  # 80 bits, 16 characters
_PURPOSE: Final = "second-factor"
_SECRET_BYTES: Final = 20
_TOTP: Final = re.compile(r"\d{6}")
_IGNORED: Final = re.compile(r"[\s-]+")

START: Final = """
update account set totp_secret = $3, totp_step = 0, recovery_hashes = '{}'
 where tenant_id = $1 and account_id = $2 and not totp_confirmed and not disabled"""
READ: Final = """
select totp_secret, totp_confirmed, fhir_user from account
 where tenant_id = $1 and account_id = $2 and totp_secret is not null and not disabled"""
CONFIRM: Final = """
update account set totp_confirmed = true, totp_step = $4, recovery_hashes = $5
 where tenant_id = $1 and account_id = $2 and totp_secret = $3 and not totp_confirmed"""
# Of two requests with the same code one finds the step taken.
USE_STEP: Final = """
update account set totp_step = $3
 where tenant_id = $1 and account_id = $2 and totp_confirmed and totp_secret = $4 and totp_step < $3"""
USE_RECOVERY: Final = """
update account set recovery_hashes = array_remove(recovery_hashes, $3)
 where tenant_id = $1 and account_id = $2 and totp_confirmed and $3 = any(recovery_hashes)"""
RENEW_RECOVERY: Final = """
update account set recovery_hashes = $3 where tenant_id = $1 and account_id = $2 and totp_confirmed"""
LEFT: Final = "select cardinality(recovery_hashes) from account where tenant_id = $1 and account_id = $2"
REMOVE: Final = """
update account set totp_secret = null, totp_confirmed = false, totp_step = 0, recovery_hashes = '{}'
 where tenant_id = $1 and account_id = $2"""
STATEMENTS: Final = (START, READ, CONFIRM, USE_STEP, USE_RECOVERY, RENEW_RECOVERY, LEFT, REMOVE)


@dataclass(frozen=True, slots=True)
class TotpSetup:
    """What an authenticator app is set up with: the secret to type, the otpauth: address, and that as a QR code in SVG."""

    secret: str
    uri: str
    svg: str


async def start(
    connection: asyncpg.Connection[Any], tenant_id: int, account: Account, key: bytes, service_name: str
) -> TotpSetup:
    """Begin to set up a second factor, always with a new secret: nobody else may have seen it.

    `key` is settings.secret(), `service_name` what the app shows beside the login. Raises Conflict when there is one already.
    """
    made = secrets.token_bytes(_SECRET_BYTES)
    sealed = sealing.seal(key, _PURPOSE, made)
    if await connection.execute(START, tenant_id, account.account_id, sealed) == "UPDATE 0":
        raise Conflict("This account has a second factor already; remove that one first")
    return _setup(made, account, service_name)


async def pending(
    connection: asyncpg.Connection[Any], tenant_id: int, account: Account, key: bytes, service_name: str
) -> TotpSetup | None:
    """What was begun and not confirmed, to be shown once more after a wrong code."""
    row = await connection.fetchrow(READ, tenant_id, account.account_id)
    if row is None or row["totp_confirmed"]:
        return None
    return _setup(sealing.unseal(key, _PURPOSE, row["totp_secret"]), account, service_name)


async def confirm(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, code: str, key: bytes, now: datetime
) -> tuple[str, ...]:
    """The second factor holds from now on, proven by a first code; ten recovery codes, never shown again.

    Raises SignInRefused.
    """
    row = await connection.fetchrow(READ, tenant_id, account_id)
    await attempts.begin(connection, tenant_id, "code", str(account_id), now, row and row["fhir_user"])
    if row is None or row["totp_confirmed"]:
        raise SignInRefused(reason="no second factor is being set up")
    step = _step(sealing.unseal(key, _PURPOSE, row["totp_secret"]), _plain(code), now)
    codes = _recovery_codes()
    values = (tenant_id, account_id, row["totp_secret"], step, _hashes(codes))
    if step is None or await connection.execute(CONFIRM, *values) == "UPDATE 0":
        raise SignInRefused(reason="wrong first code of a second factor", fhir_user=row["fhir_user"])
    await attempts.succeeded(connection, tenant_id, "code", str(account_id))
    return codes


async def check(
    connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, code: str, key: bytes, now: datetime
) -> None:
    """Take a code of the app, or a recovery code, each once. Raises SignInRefused."""
    row = await connection.fetchrow(READ, tenant_id, account_id)
    failures = await attempts.begin(connection, tenant_id, "code", str(account_id), now, row and row["fhir_user"])
    if row is None or not row["totp_confirmed"]:
        raise SignInRefused(reason="the account has no second factor")
    if not await _is_taken(connection, tenant_id, account_id, row["totp_secret"], _plain(code), key, now):
        raise SignInRefused(reason=f"wrong or used code, failure {failures}", fhir_user=row["fhir_user"])
    await attempts.succeeded(connection, tenant_id, "code", str(account_id))


async def new_recovery_codes(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID) -> tuple[str, ...]:
    """Ten other recovery codes; the old ones end. Only for who has just shown a code."""
    codes = _recovery_codes()
    await connection.execute(RENEW_RECOVERY, tenant_id, account_id, _hashes(codes))
    return codes


async def recovery_codes_left(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID) -> int:
    """How many recovery codes were not used yet."""
    return int(await connection.fetchval(LEFT, tenant_id, account_id) or 0)


async def remove(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID) -> None:
    """Remove the second factor with its recovery codes. Only for who has just shown a code."""
    async with connection.transaction():
        await connection.execute(REMOVE, tenant_id, account_id)
        await attempts.succeeded(connection, tenant_id, "code", str(account_id))


async def reset(connection: asyncpg.Connection[Any], tenant_id: int, account_id: UUID, now: datetime) -> None:
    """As `remove`, by an operator, for who lost phone and codes: whoever has the phone now is signed out."""
    async with connection.transaction():
        await remove(connection, tenant_id, account_id)
        await sessions.close_all(connection, tenant_id, account_id, now)


async def _is_taken(
    connection: asyncpg.Connection[Any],
    tenant_id: int,
    account_id: UUID,
    sealed: bytes,
    code: str,
    key: bytes,
    now: datetime,
) -> bool:
    if not _TOTP.fullmatch(code):
        used = await connection.execute(USE_RECOVERY, tenant_id, account_id, secret.digest(code))
        return bool(used == "UPDATE 1")
    step = _step(sealing.unseal(key, _PURPOSE, sealed), code, now)
    return step is not None and await connection.execute(USE_STEP, tenant_id, account_id, step, sealed) == "UPDATE 1"


def _setup(made: bytes, account: Account, service_name: str) -> TotpSetup:
    text = base64.b32encode(made).decode()
    uri = pyotp.TOTP(text).provisioning_uri(name=account.login, issuer_name=service_name)
    svg = segno.make(uri, error="m", micro=False).svg_inline(
        scale=4, border=4, light="#fff", dark="#000", omitsize=True
    )
    return TotpSetup(text, uri, svg)


def _step(made: bytes, code: str, now: datetime) -> int | None:
    """Which step of time the code is of; None when of none near."""
    totp, current = pyotp.TOTP(base64.b32encode(made).decode()), int(now.timestamp()) // STEP_SECONDS
    for step in range(current - DRIFT, current + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            return step
    return None


def _recovery_codes() -> tuple[str, ...]:
    return tuple(
        _grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)
    )


def _grouped(text: str) -> str:
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4)).lower()


def _hashes(codes: tuple[str, ...]) -> list[bytes]:
    return [secret.digest(_plain(code)) for code in codes]


def _plain(code: str) -> str:
    """The code without what people put between its characters."""
    return _IGNORED.sub("", code).lower()[:64].encode("ascii", "ignore").decode()
