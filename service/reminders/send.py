"""The job that sends one reminder: looks once more whether it is wanted, brings it, and writes down what became of it.

Docs: docs/reminders.md. No connection is held while a mail server or an app's server is spoken to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fhir_mappings import reminder as reminders
from schemas import dates
from service import tenants
from service.call import Call
from service.engine import Engine
from service.homework import own
from service.jobs import backoff, queue
from service.reminders import log, mail, plan, rules
from service.reminders.log import Reminder
from service.reminders.rules import Rules
from service.store import Store
from service.tenants import Tenant
from service.webhooks import post
from service.webhooks.post import Attempt, Fate

ATTEMPTS_MOST: Final = 6
FIRST_WAIT: Final = timedelta(seconds=30)
LATEST: Final = timedelta(hours=6)
"""How long after its time a reminder without an end of its own is still worth sending."""
_SENT: Final = "sent"
_NOT_SENT: Final = "not-sent"
_SUPERSEDED: Final = "superseded"


@dataclass(frozen=True, slots=True)
class _Case:
    """A reminder with all that decides about it: what it is `about`, until when it makes sense, and the client's rule."""

    reminder: Reminder
    rule: Rules | None
    about: tuple[str, ...]
    until: datetime
    zone: ZoneInfo
    is_open: bool
    is_wanted: bool


async def send(engine: Engine, payload: Mapping[str, Any], now: datetime) -> None:
    """Send the reminder of the payload if it is still planned and wanted; again later when that fails for now."""
    async with engine.database.connection(payload["tenant"]) as connection:
        tenant = await tenants.get(connection, payload["tenant"])
    async with engine.at_work(tenant, now) as (call, store):
        case = await _case(call, store, UUID(payload["reminder"]), engine.settings.secret())
        if case is None:
            return
        wait, reason = _verdict(case, now)
        if wait is not None or reason is not None:
            await _decide(call, store, case, wait, reason)
            return
    assert case.rule is not None
    attempt = await _bring(engine, tenant, case.reminder, case.rule, now)
    async with engine.at_work(tenant, now) as (call, store):
        await _record(call, store, case, attempt)


async def _case(call: Call, store: Store, reminder_id: UUID, secret: bytes) -> _Case | None:
    """What is to be decided, None when there is nothing any more."""
    found = await log.find(store.connection, store.tenant_id, reminder_id)
    if found is None or found.status != "planned":
        return None
    rule = await rules.get(store.connection, store.tenant_id, found.patient, secret)
    zone = ZoneInfo("UTC") if rule is None else await plan.zone_of(call, store, rule)
    kind, _, resource_id = found.about.partition("/")
    resource = await _read(store, kind, resource_id)
    made = _of_task if kind == "Task" else _of_order
    case = await made(store, found, rule, zone, resource)
    if reminders.is_with_us(await _read(store, "Patient", found.patient_id)):
        return case
    return replace(case, is_open=False, is_wanted=True)


async def _read(store: Store, type_name: str, resource_id: str) -> dict[str, Any] | None:
    """The current version, None where there is none."""
    stored = await store.read(type_name, resource_id)
    return None if stored is None else store.current(stored)


async def _of_task(
    _store: Store, found: Reminder, rule: Rules | None, zone: ZoneInfo, task: dict[str, Any] | None
) -> _Case:
    """Of an assignment, by the client's rule."""
    is_open = task is not None and reminders.is_reminded_of(task)
    until = reminders.window(task, zone).hi if task is not None else found.slot
    # The rule, or when the assignment is due, may have changed since it was planned.
    moment = timedelta(microseconds=1)
    is_wanted = (
        task is not None
        and rule is not None
        and found.slot in reminders.slots(task, rule.rule, zone, found.slot, found.slot + moment)
    )
    return _Case(found, rule, (found.about,), until, zone, is_open, is_wanted)


async def _of_order(
    store: Store, found: Reminder, rule: Rules | None, zone: ZoneInfo, order: dict[str, Any] | None
) -> _Case:
    """Of a CommunicationRequest: what it is about is not to be reminded of once that is done."""
    is_open = order is not None and order.get("status") == "active"
    named = [each.get("reference", "") for each in (order or {}).get("about", ())]
    tasks = [each for each in named if each.startswith("Task/")]
    for task_id in (each.removeprefix("Task/") for each in tasks):
        task = await _read(store, "Task", task_id)
        is_open = is_open and task is not None and reminders.is_reminded_of(task)
    return _Case(found, rule, (found.about, *tasks), found.slot + LATEST, zone, is_open, True)


def _verdict(case: _Case, now: datetime) -> tuple[datetime | None, str | None]:
    """(until when it waits, why it is not sent); neither when it is to be sent now."""
    if not case.is_wanted:
        return None, _SUPERSEDED
    if not case.is_open or now > case.until:
        return None, "no-longer-open"
    if case.rule is not None and case.rule.rule.opted_out:
        return None, "opted-out"
    if case.rule is None or _address(case.rule, case.reminder.channel) is None:
        return None, "no-address"
    awake = reminders.awake(now, case.rule.rule, case.zone)
    if awake > now:
        return (awake, None) if awake < case.until else (None, "quiet-hours")
    return None, None


def _address(rule: Rules, channel: str) -> str | None:
    return rule.addresses.email if channel == "email" else rule.addresses.push_url


async def _decide(call: Call, store: Store, case: _Case, wait: datetime | None, reason: str | None) -> None:
    if wait is not None:
        await queue.enqueue_all(store.connection, [plan.job(store.tenant_id, case.reminder, wait)])
    elif reason == _SUPERSEDED:
        # The client, or who planned the work, moved it: nothing was suppressed, another reminder takes its place.
        await log.settle(store.connection, store.tenant_id, case.reminder, _SUPERSEDED, None, case.reminder.attempts)
    else:
        await _settle(call, store, case, sent=False, reason=reason, attempts=case.reminder.attempts)


async def _bring(engine: Engine, tenant: Tenant, reminder: Reminder, rule: Rules, now: datetime) -> Attempt:
    """One attempt, by the reminder's channel."""
    title, text = reminders.sentences(rule.rule)
    settings = engine.settings
    if reminder.channel == "email":
        if settings.smtp_url is None or settings.smtp_from is None or rule.addresses.email is None:
            return Attempt(Fate.NEVER, None, "this server sends no mail: HEARTH_SMTP_URL is not set")
        url = settings.smtp_url.get_secret_value()
        return await mail.send(url, settings.smtp_from, rule.addresses.email, title, text, reminder.id, now)
    assert rule.addresses.push_url is not None
    assert rule.addresses.push_secret is not None
    message = {
        "type": "reminder.due",
        "timestamp": dates.instant(reminder.slot),
        "data": {"tenant": tenant.name, "about": reminder.about, "title": title, "text": text},
    }
    return await post.post(
        rule.addresses.push_url, rule.addresses.push_secret, f"msg_{reminder.id}", message, now,
        loopback=settings.allow_loopback_webhooks,
    )  # fmt: skip


async def _record(call: Call, store: Store, case: _Case, attempt: Attempt) -> None:
    attempts = case.reminder.attempts + 1
    if attempt.fate is Fate.ARRIVED:
        await _settle(call, store, case, sent=True, reason=None, attempts=attempts)
        return
    wait = call.now + backoff.delay(case.reminder.attempts, FIRST_WAIT)
    if attempt.fate is Fate.NEVER or attempts >= ATTEMPTS_MOST or wait > case.until:
        await _settle(call, store, case, sent=False, reason="undeliverable", attempts=attempts)
        return
    async with store.transaction():
        if await log.settle(store.connection, store.tenant_id, case.reminder, "planned", attempt.fault, attempts):
            again = plan.job(store.tenant_id, replace(case.reminder, attempts=attempts), wait)
            await queue.enqueue_all(store.connection, [again])


async def _settle(call: Call, store: Store, case: _Case, *, sent: bool, reason: str | None, attempts: int) -> None:
    """The end of the reminder, and the Communication that tells of it; an order is carried out with it."""
    status = _SENT if sent else _NOT_SENT
    async with store.transaction():
        if not await log.settle(store.connection, store.tenant_id, case.reminder, status, reason, attempts):
            return
        told = reminders.communication(
            case.about,
            case.reminder.patient_id,
            case.reminder.channel,
            dates.instant(call.now),
            sent=sent,
            reason=reason,
        )
        made = store.change("Communication", str(case.reminder.id), told, call.now, by_service=True)
        changes = [made]
        kind, _, order_id = case.reminder.about.partition("/")
        stored = await store.read(kind, order_id) if kind == "CommunicationRequest" and sent else None
        order = None if stored is None else store.current(stored)
        if order is not None and order.get("status") == "active":
            ended = {**order, "status": "completed"}
            changes.append(store.change(kind, order_id, ended, call.now, stored, by_service=True))
        await own.write(call, store, changes)
