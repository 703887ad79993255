"""What a tenant decides about homework: horizons, windows, who is told of risk. One JSON object in the tenant's row."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from schemas import json
from schemas.nearest import did_you_mean
from service.database import Connection
from service.errors import Unprocessable

FIND: Final = "select homework from tenant where id = $1"
SET: Final = "update tenant set homework = $2 where id = $1"
STATEMENTS: Final = (FIND, SET)


class HomeworkPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tenant's choices; what it does not say is as here."""

    zone: str = "UTC"
    """IANA name of the time zone of patients who have none of their own."""
    horizon_days: int = 14
    """How far ahead occurrences of a series are made."""
    grace_hours: int = 6
    """How long after its window an assignment can still be done."""
    partial_weight: Decimal = Decimal("0.5")
    """What a partly done assignment counts."""
    submits_partial: bool = False
    """Whether what was begun and not finished in time counts as partly done, instead of as not finished."""
    edit_window_days: int = 7
    """How long a client may correct what was completed."""
    minimum_group: int = 5
    """The smallest group of which anything is counted together."""
    risk_hours: int = 24
    """In how many hours somebody has to look at an answer that tells of risk."""
    risk_urgent_hours: int = 4
    """The same where the answer tells of more."""
    on_call: str | None = None
    """Who looks where the assignment has no therapist: a reference such as CareTeam/on-call."""
    crisis: Mapping[str, str] = {}
    """By language: what a client reads who tells of risk. Instead of our words; name your own emergency numbers here."""
    thresholds: Mapping[str, int] = {}
    """By the LOINC code of a total: from which value somebody has to look."""
    instruments: frozenset[str] = frozenset()
    """Ids of the licensed instruments that this tenant may score (docs/instruments.md)."""
    missed_before_simpler: int = 3
    """After how many occurrences not done in a row the therapist is asked about something simpler."""
    load_minutes_week: int = 420
    """How many minutes of homework a week are still called realistic."""


DEFAULT: Final = HomeworkPolicy()


async def of(connection: Connection, tenant_id: int) -> HomeworkPolicy:
    """The tenant's policy, one statement; ask for it only where it decides something."""
    return read(await connection.fetchval(FIND, tenant_id))


def read(text: str | None) -> HomeworkPolicy:
    """The policy as it is kept. Raises Unprocessable for what it cannot be."""
    if text is None:
        return DEFAULT
    try:
        return msgspec.json.decode(text.encode(), type=HomeworkPolicy)
    except msgspec.ValidationError as fault:
        raise Unprocessable(f"The homework policy is not right: {fault}") from fault


def changed(policy: HomeworkPolicy, name: str, text: str) -> HomeworkPolicy:
    """The policy with one choice changed to a JSON value, or to a text. Raises Unprocessable, naming what is possible."""
    names = [field.name for field in msgspec.structs.fields(HomeworkPolicy)]
    if name not in names:
        raise Unprocessable(f"There is no choice {name!r}.{did_you_mean(name, names)} There are {', '.join(names)}")
    try:
        value: Any = json.decode(text.encode())
    except json.JsonFault:
        value = text
    kept = msgspec.json.decode(msgspec.json.encode(policy))
    return read(msgspec.json.encode({**kept, name: value}).decode())


async def keep(connection: Connection, tenant_id: int, policy: HomeworkPolicy) -> None:
    """Write the tenant's policy."""
    await connection.execute(SET, tenant_id, msgspec.json.encode(policy).decode())
