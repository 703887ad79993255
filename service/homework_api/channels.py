"""Reminders, calendar links and webhooks: their objects, by the functions that own them. Docs: docs/homework-api.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from fhir_mappings.reminder import ReminderRule
from schemas import dates
from schemas.homework import channels as models
from service.calendar import links
from service.calendar.links import Link
from service.call import Reply
from service.errors import BadRequest, HearthError, NotFound
from service.homework_api import refusals
from service.homework_api.ask import Ask
from service.operations.chart import preferred
from service.reminders import rules
from service.reminders.rules import Rules
from service.webhooks import deliveries, registrations
from service.webhooks.deliveries import Delivery
from service.webhooks.registrations import Webhook

_NEWEST: Final = 2**62


@contextmanager
def _pointed() -> Iterator[None]:
    """What is refused names a member of the body."""
    try:
        yield
    except HearthError as refusal:
        refusals.name_members(refusal)
        raise


async def _language(ask: Ask, client: str) -> str:
    """The one asked for, else that of the client."""
    return ask.body.language or preferred(await ask.seen("Patient", client) or {})


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else dates.instant(moment)


async def reminders(ask: Ask) -> Reply:
    """How a client is reminded; not at all where nobody said it."""
    client = ask.ids["client"]
    found = await rules.of(ask.call, ask.store, client, ask.settings.secret())
    made = models.Reminders(client=client, on=False) if found is None else _reminders(found)
    return ask.about(client, ask.reply(made))


async def set_reminders(ask: Ask) -> Reply:
    """Say how a client is reminded, all of it anew."""
    client, body = ask.ids["client"], ask.body
    quiet = {} if body.quiet is None else {"quiet": (body.quiet.start, body.quiet.end)}
    try:
        rule = ReminderRule(
            before_due=body.before_due,
            at=body.at,
            channels=body.channels,
            zone=body.zone,
            language=await _language(ask, client),
            discreet=body.discreet,
            opted_out=not body.on,
            **quiet,
        )
    except ValueError as fault:
        raise BadRequest(str(fault), code="value", details_code="wrong-value") from None
    with _pointed():
        found, secret = await rules.put(
            ask.call, ask.store, client, rule, ask.settings.secret(), email=body.email, push_url=body.push_url
        )
    return ask.about(client, ask.reply(_reminders(found).model_copy(update={"push_secret": secret})))


async def forget_reminders(ask: Ask) -> Reply:
    """Forget how a client is reminded, and where."""
    client = ask.ids["client"]
    await rules.remove(ask.call, ask.store, client)
    return ask.about(client, Reply(204))


def _reminders(found: Rules) -> models.Reminders:
    rule = found.rule
    return models.Reminders(
        client=found.patient_id,
        on=not rule.opted_out,
        before_due=rule.before_due,
        at=rule.at,
        channels=rule.channels,
        quiet=None if rule.quiet is None else models.Quiet(start=rule.quiet[0], end=rule.quiet[1]),
        zone=rule.zone,
        language=rule.language,
        discreet=rule.discreet,
        email=found.addresses.email,
        push_url=found.addresses.push_url,
        changed_at=_at(found.updated),
        changed_by=found.updated_by,
    )


async def calendar_links(ask: Ask) -> Reply:
    """The links into a client's calendar, oldest first."""
    client = ask.ids["client"]
    found = await links.of(ask.call, ask.store, client)
    return ask.about(client, ask.listed([_link(each) for each in found], None))


async def add_calendar_link(ask: Ask) -> Reply:
    """A new link; its address is shown this once."""
    client = ask.ids["client"]
    language = await _language(ask, client)
    made, token = await links.make(ask.call, ask.store, client, details=ask.body.details, language=language)
    return ask.about(client, ask.reply(_link(made, _feed(ask, token)), 201))


async def rotate_calendar_link(ask: Ask) -> Reply:
    """Another address in place of one that got into the wrong hands."""
    client = ask.ids["client"]
    made, token = await links.rotate(ask.call, ask.store, client, _uuid(ask.ids["id"], "calendar link"))
    return ask.about(client, ask.reply(_link(made, _feed(ask, token)), 201))


async def end_calendar_link(ask: Ask) -> Reply:
    """End a link at once."""
    client = ask.ids["client"]
    await links.revoke(ask.call, ask.store, client, _uuid(ask.ids["id"], "calendar link"))
    return ask.about(client, Reply(204))


def _link(found: Link, url: str | None = None) -> models.CalendarLink:
    return models.CalendarLink(
        id=str(found.id),
        url=url,
        details=found.details,
        language=found.language,
        created_at=dates.instant(found.created),
        used_at=_at(found.used),
    )


def _feed(ask: Ask, token: str) -> str:
    return f"{ask.call.base.removesuffix('/fhir')}/calendar/{token}.ics"


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(f"There is no {what} {text[:64]!r} here") from None


async def webhooks(ask: Ask) -> Reply:
    """The app's webhooks, oldest first."""
    return ask.about(None, ask.listed([_webhook(each) for each in await registrations.of(ask.call, ask.store)], None))


async def add_webhook(ask: Ask) -> Reply:
    """A new webhook; its secret is shown this once."""
    settings = ask.settings
    with _pointed():
        made, secret = await registrations.make(
            ask.call,
            ask.store,
            ask.body.url,
            ask.body.events,
            settings.secret(),
            loopback=settings.allow_loopback_webhooks,
        )
    return ask.about(None, ask.reply(_webhook(made, secret), 201, at=f"webhooks/{made.id}"))


async def webhook(ask: Ask) -> Reply:
    """One webhook."""
    return ask.about(
        None, ask.reply(_webhook(await registrations.get(ask.call, ask.store, _uuid(ask.ids["id"], "webhook"))))
    )


async def change_webhook(ask: Ask) -> Reply:
    """Another address or other events; one that was disabled works again."""
    loopback = ask.settings.allow_loopback_webhooks
    with _pointed():
        made = await registrations.change(
            ask.call, ask.store, _uuid(ask.ids["id"], "webhook"), ask.body.url, ask.body.events, loopback=loopback
        )
    return ask.about(None, ask.reply(_webhook(made)))


async def rotate_secret(ask: Ask) -> Reply:
    """A new secret, shown this once; the next message is signed by it."""
    found = await registrations.get(ask.call, ask.store, _uuid(ask.ids["id"], "webhook"))
    secret = await registrations.rotate(ask.call, ask.store, found.id, ask.settings.secret())
    return ask.about(None, ask.reply(_webhook(found, secret)))


async def end_webhook(ask: Ask) -> Reply:
    """End a webhook; what was still to be delivered is not."""
    await registrations.remove(ask.call, ask.store, _uuid(ask.ids["id"], "webhook"))
    return ask.about(None, Reply(204))


def _webhook(found: Webhook, secret: str | None = None) -> models.Webhook:
    return models.Webhook(
        id=str(found.id),
        url=found.url,
        events=found.events,
        secret=secret,
        created_at=dates.instant(found.created),
        disabled_at=_at(found.disabled),
        reason=found.reason,
    )


async def list_deliveries(ask: Ask) -> Reply:
    """What was or is to be told to a webhook, newest first."""
    found = await deliveries.of(ask.call, ask.store, _uuid(ask.ids["id"], "webhook"), _NEWEST, ask.query.limit)
    return ask.about(None, ask.listed([_delivery(each) for each in found], None))


async def deliver_again(ask: Ask) -> Reply:
    """Have one brought once more."""
    known = _uuid(ask.ids["id"], "webhook"), _uuid(ask.ids["delivery"], "delivery")
    return ask.about(None, ask.reply(_delivery(await deliveries.again(ask.call, ask.store, *known))))


def _delivery(found: Delivery) -> models.Delivery:
    return models.Delivery(
        id=str(found.id),
        event=found.event,
        resource=f"{found.type}/{found.resource_id}",
        version=found.version,
        at=dates.instant(found.occurred),
        state=found.status,
        attempts=found.attempts,
        attempted_at=_at(found.attempted),
        answer=found.answer,
        fault=found.fault,
    )
