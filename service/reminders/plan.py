"""The tick that plans reminders a few minutes ahead, each as a row and a job of its own. Docs: docs/reminders.md

What fell due while no worker ran is still planned for an hour; whether it is still wanted is seen when it is to be sent.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fhir_mappings import reminder as reminders
from fhir_mappings import zones
from schemas import dates
from service.call import Call
from service.engine import Engine
from service.homework import policy
from service.homework.authority import found
from service.jobs import queue
from service.jobs.queue import Job
from service.reminders import log, rules
from service.reminders.log import Reminder
from service.reminders.rules import Rules
from service.store import Store
from service.tenants import Tenant

SEND: Final = "reminder.send"
EVERY_SECONDS: Final = 300
AHEAD: Final = timedelta(seconds=2 * EVERY_SECONDS)
LATE: Final = timedelta(hours=1)
_TASKS_MOST: Final = 500
_ORDERS_MOST: Final = 1000
_FIRST_CHANNEL: Final = ("email",)


async def plan(engine: Engine, tenant: Tenant, now: datetime) -> None:
    """Plan what the rules of the tenant's clients, and therapists by CommunicationRequest, want said around now."""
    async with engine.at_work(tenant, now) as (call, store):
        wanted = await rules.everybodys(store.connection, tenant.id, engine.settings.secret())
        for one in wanted:
            if not one.rule.opted_out:
                await _keep(store, await _of_rule(call, store, one))
        await _keep(store, await _ordered(call, store, {one.patient_id: one for one in wanted}))


async def zone_of(call: Call, store: Store, rule: Rules) -> ZoneInfo:
    """Where the client lives: by their rule, else by their Patient, else the tenant's."""
    if rule.rule.zone is not None:
        return ZoneInfo(rule.rule.zone)
    stored = await store.read("Patient", rule.patient_id)
    patient = None if stored is None else store.current(stored)
    return zones.zone_of(patient, (await policy.known(store.connection, store.tenant_id)).zone)


async def _of_rule(call: Call, store: Store, one: Rules) -> list[Reminder]:
    since, until = max(call.now - LATE, one.updated), call.now + AHEAD
    params = [
        ("patient", f"Patient/{one.patient_id}"), ("status", ",".join(reminders.OPEN)),
        ("due", f"ge{dates.instant(since)}"), ("due", f"le{dates.instant(until)}"),
    ]  # fmt: skip
    tasks = await found(call, store, "Task", params, _TASKS_MOST)
    if not tasks:
        return []
    zone = await zone_of(call, store, one)
    return [
        each for task in tasks for each in _slots(one, task.id, task.resource(store.codec), zone, since, until)
    ]  # fmt: skip


def _slots(
    one: Rules, task_id: str, task: dict[str, Any], zone: ZoneInfo, since: datetime, until: datetime
) -> Iterator[Reminder]:
    if not reminders.is_reminded_of(task):
        return
    for slot in reminders.slots(task, one.rule, zone, since, until):
        for channel in one.rule.channels:
            yield Reminder(one.patient, one.patient_id, f"Task/{task_id}", channel, slot)


async def _ordered(call: Call, store: Store, by_patient: dict[str, Rules]) -> list[Reminder]:
    """What is ordered for now by a CommunicationRequest; that no address is known of somebody is seen when it is sent."""
    params = [
        ("status", "active"), ("category", reminders.CATEGORY),
        ("occurrence", f"ge{dates.instant(call.now - LATE)}"), ("occurrence", f"lt{dates.instant(call.now + AHEAD)}"),
    ]  # fmt: skip
    made = []
    for each in await found(call, store, "CommunicationRequest", params, _ORDERS_MOST):
        order = each.resource(store.codec)
        kind, _, patient_id = order.get("subject", {}).get("reference", "").partition("/")
        if kind != "Patient" or "occurrenceDateTime" not in order:
            continue
        channels = by_patient[patient_id].rule.channels if patient_id in by_patient else _FIRST_CHANNEL
        key, about = store.key("Patient", patient_id), f"CommunicationRequest/{each.id}"
        slot = dates.interval(order["occurrenceDateTime"]).lo
        made += [Reminder(key, patient_id, about, channel, slot) for channel in channels]
    return made


async def _keep(store: Store, planned: list[Reminder]) -> None:
    """The rows of what is new, and the jobs to send it."""
    if not planned:
        return
    async with store.transaction():
        new = await log.plan(store.connection, store.tenant_id, planned)
        await queue.enqueue_all(store.connection, [job(store.tenant_id, each, each.slot) for each in new])


def job(tenant_id: int, reminder: Reminder, run_at: datetime) -> Job:
    """The job that sends a reminder."""
    payload = {"tenant": tenant_id, "reminder": str(reminder.id)}
    return Job(SEND, payload, run_at, f"{reminder.id}/{reminder.attempts}/{dates.instant(run_at)}")
