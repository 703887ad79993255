"""What a tenant decides about homework: horizons, windows, who is told of risk. One JSON object in the tenant's row."""

from collections.abc import Mapping
from decimal import Decimal
from time import monotonic
from typing import Annotated, Any, Final, Literal
from weakref import WeakKeyDictionary
from zoneinfo import available_timezones

import msgspec
from msgspec import Meta

from schemas import json
from schemas.nearest import did_you_mean
from service.database import Connection
from service.errors import Unprocessable

FIND: Final = "select homework from tenant where id = $1"
SET: Final = "update tenant set homework = $2 where id = $1"
STATEMENTS: Final = (FIND, SET)


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The standard deviation and reliability of a measure's scores in a tenant's own population."""

    sd: Decimal
    r: Decimal

    def __post_init__(self) -> None:
        if self.sd <= 0 or not 0 <= self.r < 1:
            raise ValueError("sd is above 0, r from 0 to below 1")


class HomeworkPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tenant's choices; what it does not say is as here."""

    def __post_init__(self) -> None:
        if self.zone != "UTC" and self.zone not in available_timezones():
            raise ValueError(f"zone {self.zone!r} is no IANA time zone, such as Europe/Amsterdam")
        if not 0 <= self.partial_weight <= 1:
            raise ValueError("partial_weight is from 0 to 1")

    zone: str = "UTC"
    """IANA name of the time zone of patients who have none of their own."""
    horizon_days: Annotated[int, Meta(ge=1, le=366)] = 14
    """How far ahead occurrences of a series are made."""
    grace_hours: Annotated[int, Meta(ge=0, le=720)] = 6
    """How long after its window an assignment can still be done."""
    partial_weight: Decimal = Decimal("0.5")
    """What a partly done assignment counts."""
    submits_partial: bool = False
    """Whether what was begun and not finished in time counts as partly done, instead of as not finished."""
    edit_window_days: Annotated[int, Meta(ge=0, le=3650)] = 7
    """How long a client may correct what was completed."""
    clients_schedule: bool = True
    """Whether clients say when and where they mean to do their homework."""
    minimum_group: Annotated[int, Meta(ge=2, le=1000)] = 5
    """The smallest group of which anything is counted together."""
    risk_hours: Annotated[int, Meta(ge=1, le=168)] = 24
    """In how many hours somebody has to look at an answer that tells of risk."""
    risk_urgent_hours: Annotated[int, Meta(ge=1, le=72)] = 4
    """The same where the answer tells of more."""
    on_call: str | None = None
    """Who looks where the assignment has no therapist: a reference such as CareTeam/on-call."""
    crisis: Mapping[str, str] = {}
    """By language: what a client reads who tells of risk. Instead of our words; name your own emergency numbers here."""
    thresholds: Mapping[str, int] = {}
    """By the LOINC code of a total: from which value somebody has to look."""
    instruments: frozenset[str] = frozenset()
    """Ids of the licensed instruments that this tenant may score (docs/instruments.md)."""
    deviations: Mapping[str, Spread] = {}
    """By measure (phq-9, gad-7, ...): what its reliable change index is made of here. Docs: docs/insight.md"""
    review_weeks: Annotated[int, Meta(ge=0, le=104)] = 6
    """Every how many weeks a therapist is asked to look at a plan as a whole; 0 is never."""
    missed_before_simpler: Annotated[int, Meta(ge=1, le=100)] = 3
    """After how many occurrences not done in a row the therapist is asked about something simpler."""
    load_minutes_week: Annotated[int, Meta(ge=1, le=10080)] = 420
    """How many minutes of homework a week are still called realistic."""
    publish_needs: frozenset[Literal["rationale", "instruction"]] = frozenset()
    """What homework has to say before a client sees it."""


DEFAULT: Final = HomeworkPolicy()
_KNOWN: Final[WeakKeyDictionary[Connection, dict[int, tuple[float, HomeworkPolicy]]]] = WeakKeyDictionary()
"""By connection, which is to one database, and tenant: until when the policy is good, and the policy."""
_KEPT: Final = 60.0
_MOST: Final = 1000


async def of(connection: Connection, tenant_id: int) -> HomeworkPolicy:
    """The tenant's policy, one statement; ask for it only where it decides something."""
    return read(await connection.fetchval(FIND, tenant_id))


async def known(connection: Connection, tenant_id: int) -> HomeworkPolicy:
    """The policy as it was a minute ago at most: for what every answer asks, without a statement for each."""
    held = _KNOWN.setdefault(connection, {})
    until, policy = held.get(tenant_id, (0.0, DEFAULT))
    if until < monotonic():
        if len(held) >= _MOST:
            held.clear()
        policy = await of(connection, tenant_id)
        held[tenant_id] = (monotonic() + _KEPT, policy)
    return policy


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
    for held in _KNOWN.values():
        held.pop(tenant_id, None)
