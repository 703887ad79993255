"""The horizon of a series: its occurrences are made some days ahead, by a tick, or as far as an app asks to see.

docs/homework.md, "Series". The head says until when they are made, and is written with them: of two workers who extend it at
once the second finds it changed. Their ids follow from head, day and slot, so that nothing is made twice in any other way.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from fhir_mappings import series, zones
from fhir_mappings.occurrence import ALL, MEMBERS, OCCURRENCE, identity, made_until, requests
from fhir_mappings.timing import TimingFault, repeats
from schemas import dates
from service import audit
from service.audit import AuditRecord
from service.call import Call
from service.engine import Engine
from service.errors import Unprocessable
from service.homework import policy as policies
from service.homework.authority import SERVICE, found
from service.homework.policy import HomeworkPolicy
from service.homework.standing import standing
from service.search.find import Found
from service.store import Change, IdTaken, Store, VersionConflict
from service.tenants import Tenant

JsonObject = dict[str, Any]
EVERY_SECONDS: Final = 3600
_SLACK: Final = timedelta(days=7)
"""How much further than the horizon a tick goes, so that a head is written once a week and not every day."""
_TOGETHER: Final = 16
"""How many series are written in one transaction."""
FURTHEST: Final = timedelta(days=366)
"""How far ahead an app can ask."""


class _Needed(NamedTuple):
    """What the heads of a page are planned by."""

    requests: Mapping[str, JsonObject]
    patients: Mapping[str, JsonObject]
    policy: HomeworkPolicy


async def roll(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Make the occurrences of the days to come, in every series of the tenant that is under way."""
    async with engine.at_work(tenant, now) as (call, store):
        policy = await policies.known(store.connection, store.tenant_id)
        horizon = now + timedelta(days=policy.horizon_days)
        for status in sorted(series.LIVE):
            async for page in standing(store, status, "heads"):
                short = [(each, head) for each in page if _is_short(head := each.resource(store.codec), horizon)]
                needed = await _needed(call, store, [head for _, head in short], policy)
                planned = (_extended(call, store, each, head, horizon + _SLACK, needed) for each, head in short)
                ready = [each for each in planned if each is not None]
                for start in range(0, len(ready), _TOGETHER):
                    await _write(store, ready[start : start + _TOGETHER])


async def until(call: Call, store: Store, head_id: str, moment: datetime) -> None:
    """Make the occurrences of a head up to `moment`, where they are not made yet; of what is no head nothing.

    Raises Unprocessable for a moment that is too far away.
    """
    if moment > call.now + FURTHEST:
        raise Unprocessable(
            f"Occurrences are made up to {FURTHEST.days} days ahead; ask for an earlier time",
            details_code="too-far-ahead",
        )
    for each in await found(call, store, "Task", [("_id", head_id)], 1):
        head = each.resource(store.codec)
        if head.get("status") in series.LIVE and _is_short(head, moment):
            needed = await _needed(call, store, [head], await policies.known(store.connection, store.tenant_id))
            extended = _extended(call, store, each, head, moment, needed)
            if extended is not None:
                await _write(store, [extended])


def _is_short(head: Mapping[str, Any], horizon: datetime) -> bool:
    """Whether occurrences of the head are missing before the horizon."""
    said = made_until(head)
    return said not in (None, ALL, MEMBERS) and dates.interval(str(said)).lo < horizon


async def _needed(call: Call, store: Store, heads: Sequence[JsonObject], policy: HomeworkPolicy) -> _Needed:
    asked = {each for head in heads for each in requests(head)}
    whose = {head.get("for", {}).get("reference", "") for head in heads}
    people = {each.removeprefix("Patient/") for each in whose if each.startswith("Patient/")}
    return _Needed(
        await _by_id(call, store, "ServiceRequest", asked), await _by_id(call, store, "Patient", people), policy
    )


async def _by_id(call: Call, store: Store, type_name: str, wanted: set[str]) -> dict[str, JsonObject]:
    if not wanted:
        return {}
    held = await found(call, store, type_name, [("_id", ",".join(sorted(wanted)))], len(wanted))
    return {each.id: each.resource(store.codec) for each in held}


class _Extended(NamedTuple):
    """A head and its next occurrences, and the record of it."""

    changes: list[Change]
    record: AuditRecord


def _extended(
    call: Call, store: Store, held: Found, head: JsonObject, to: datetime, needed: _Needed
) -> _Extended | None:
    behind = (needed.requests.get(each, {}) for each in requests(head))
    request = next((each for each in behind if repeats(each.get("occurrenceTiming", {}))), None)
    if request is None:
        return None
    patient = needed.patients.get(head.get("for", {}).get("reference", "").removeprefix("Patient/"))
    try:
        schedule = series.schedule(head, request, zones.zone_of(patient, needed.policy.zone))
    except TimingFault:  # a Timing from before there was a check
        return None
    extended = series.extended(head, schedule, to, call.now)
    made = series.occurrences(head, held.id, extended.slots, schedule.zone, call.now)
    changes = [store.change("Task", held.id, extended.head, call.now, held.stored, by_service=True)]
    for slot, task in made:
        task_id = identity(call.tenant_id, OCCURRENCE, f"{held.id}/{slot.key}")
        changes.append(store.change("Task", task_id, task, call.now, by_service=True))
    record = audit.event(
        "update", tenant_id=call.tenant_id, client_id=SERVICE.client_id, address=call.address, recorded=call.now,
        outcome=audit.SUCCESS, type="Task", id=held.id, version=changes[0].version, query=None,
        request_id=call.request_id, patient=_patient(head), also=[(each.type, each.id, each.version) for each in changes[1:]],
    )  # fmt: skip
    return _Extended(changes, record)


async def _write(store: Store, batch: Sequence[_Extended]) -> None:
    """Write all of them; where another worker was faster with one, each by itself, and that one not."""
    try:
        await store.commit([change for each in batch for change in each.changes], [each.record for each in batch])
    except (VersionConflict, IdTaken):
        for each in batch if len(batch) > 1 else ():
            await _write(store, [each])


def _patient(head: Mapping[str, Any]) -> str | None:
    whose = str(head.get("for", {}).get("reference", ""))
    return whose.removeprefix("Patient/") if whose.startswith("Patient/") else None
