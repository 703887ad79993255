"""How often one may guess: after five failures each further one has to wait, longer each time, never for good.

https://pages.nist.gov/800-63-4/sp800-63b.html#throttle

An attempt counts as failed from its beginning, until `succeeded` says otherwise: of many at once no more than five are
looked at. A login that does not exist is counted like any other, so that waiting tells nobody which logins there are.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import asyncpg

from service.errors import HearthError

Kind = Literal["password", "code"]
FREE: Final = 5
"""Failures before the first wait."""
FIRST_WAIT_SECONDS: Final = 30
LONGEST_WAIT_SECONDS: Final = 900
KEPT: Final = timedelta(days=1)
"""After how long without a failure the count starts anew."""

BEGIN: Final = f"""
insert into sign_in_failure (tenant_id, subject_hash, failures, latest) values ($1, $2, 1, $3)
on conflict (tenant_id, subject_hash) do update set failures = sign_in_failure.failures + 1, latest = $3,
  locked_until = case when sign_in_failure.failures + 1 >= {FREE} then $3::timestamptz + make_interval(secs => least(
    {LONGEST_WAIT_SECONDS}, {FIRST_WAIT_SECONDS} * power(2, least(sign_in_failure.failures + 1 - {FREE}, 20)))) end
where sign_in_failure.locked_until is null or sign_in_failure.locked_until <= $3
returning failures"""  # noqa: S608
LOCKED: Final = "select locked_until from sign_in_failure where tenant_id = $1 and subject_hash = $2"
SUCCEEDED: Final = "delete from sign_in_failure where tenant_id = $1 and subject_hash = $2"
PURGE: Final = "delete from sign_in_failure where tenant_id = $1 and latest < $2"
STATEMENTS: Final = (BEGIN, LOCKED, SUCCEEDED, PURGE)


class SignInRefused(HearthError):
    """The login, the password or the code is not right, or there were too many attempts."""

    status = 401
    default_code = "login"

    def __init__(self, *, retry_after: int | None = None, reason: str, fhir_user: str | None = None) -> None:
        """`retry_after` in seconds when it has to wait; `reason` and whose account it is are for the audit alone."""
        super().__init__(retry_after=retry_after)
        self.reason = reason
        self.fhir_user = fhir_user


async def begin(
    connection: asyncpg.Connection[Any], tenant_id: int, kind: Kind, subject: str, now: datetime, fhir_user: str | None
) -> int:
    """Count one more attempt for the subject (a login, or an account's id); how many failed, this one included.

    Raises SignInRefused when it has to wait. Two at once wait for each other at the row. `fhir_user` is for the audit.
    """
    digest = _digest(kind, subject)
    failures: int | None = await connection.fetchval(BEGIN, tenant_id, digest, now)
    if failures is None:
        until: datetime | None = await connection.fetchval(LOCKED, tenant_id, digest)
        wait = 1 if until is None else max(1, math.ceil((until - now).total_seconds()))
        raise SignInRefused(retry_after=wait, reason="too many failed attempts", fhir_user=fhir_user)
    return failures


async def succeeded(connection: asyncpg.Connection[Any], tenant_id: int, kind: Kind, subject: str) -> None:
    """Forget the failures of a subject that proved who it is, or that an operator vouches for."""
    await connection.execute(SUCCEEDED, tenant_id, _digest(kind, subject))


async def purge(connection: asyncpg.Connection[Any], tenant_id: int, now: datetime) -> None:
    """Forget what failed more than a day ago."""
    await connection.execute(PURGE, tenant_id, now - KEPT)


def _digest(kind: Kind, subject: str) -> bytes:
    """Whatever was typed as a login, a password by mistake, is not stored."""
    return hashlib.sha256(f"{kind}\0{subject}".encode("utf-8", "surrogatepass")).digest()
