"""Webhooks: told of what happened, by ids, in order, signed, and only as far as who registered may know."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from fhir_mappings.homework_event import EVENTS
from schemas import dates
from service.errors import Conflict, Forbidden, HearthError, NotFound, Unprocessable
from service.homework import own
from service.jobs.table import JOBS
from service.jobs.worker import Worker
from service.oauth import clients
from service.webhooks import deliver, deliveries, registrations
from service.webhooks.deliveries import Delivery
from service.webhooks.registrations import Webhook
from tests.jobs.beside import Hook, hooked
from tests.jobs.scene import ALL, Scene, scene

ASSIGNMENTS: Final = tuple(event for event in EVENTS if event.startswith("assignment."))
BIG: Final = 1 << 62


@pytest.fixture
async def stage(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Scene]:
    async with scene(house, api) as made:
        await made.client()
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with hooked() as made:
        yield made


class App:
    """A registered client and its webhooks."""

    def __init__(self, stage: Scene, client_id: str, token: str) -> None:
        self.stage, self.client_id, self.token = stage, client_id, token
        self.key = stage.engine.settings.secret()

    async def listen(self, url: str, *events: str) -> tuple[Webhook, str]:
        return await self.stage.act(
            self.token,
            lambda call, store: registrations.make(call, store, url, events or EVENTS, self.key, loopback=True),
        )

    async def log(self, webhook: Webhook) -> list[Delivery]:
        """What became of its messages, oldest first."""
        found = await self.stage.act(self.token, lambda call, store: deliveries.of(call, store, webhook.id, BIG, 100))
        return found[::-1]

    async def again(self, webhook: Webhook, one: Delivery) -> Delivery:
        return await self.stage.act(self.token, lambda call, store: deliveries.again(call, store, webhook.id, one.id))

    async def webhook(self) -> Webhook:
        (one,) = await self.stage.act(self.token, registrations.of)
        return one


async def app(stage: Scene, scope: str = ALL) -> App:
    """A new client whose token has this scope."""
    async with stage.engine.database.connection(stage.tenant.id) as connection:
        made = await clients.add(connection, stage.tenant.id, "app", scope)
    address = f"{stage.house.base.removesuffix('/fhir')}/oauth/token"
    form = {"grant_type": "client_credentials", "scope": scope}
    answer = await stage.api.post(
        address, data=form, auth=(made.client_id, made.client_secret), headers={"Authorization": ""}
    )
    return App(stage, made.client_id, str(answer.json()["access_token"]))


async def settle(stage: Scene) -> datetime:
    """Do all that waits, each thing at its time; when the last was done."""
    now = dates.clock()
    await stage.work(now)
    while waiting := await stage.waiting():
        now = max(now, waiting[0])
        await stage.work(now)
    return now


def told(hook: Hook) -> list[str]:
    return [one.said["type"] for one in hook.taken]


async def test_an_app_is_told_by_ids_alone_of_what_happens_in_order(stage: Scene, hook: Hook) -> None:
    one = await app(stage)
    webhook, secret = await one.listen(hook.url)
    await stage.task()
    await stage.task(status="in-progress")
    await stage.task(status="completed")
    await settle(stage)
    assert told(hook) == ["assignment.created", "assignment.started", "assignment.completed"]
    assert all(each.is_signed_by(secret) for each in hook.taken)
    first = hook.taken[0]
    assert first.said.keys() == {"type", "timestamp", "data"}
    assert first.said["data"] | {"number": 0} == {
        "tenant": stage.tenant.name, "resource": "Task/walk", "version": 1, "number": 0,
    }  # fmt: skip
    assert [each.said["data"]["version"] for each in hook.taken] == [1, 2, 3]
    assert b"dogs" not in b"".join(each.body for each in hook.taken)
    assert [(each.status, each.answer) for each in await one.log(webhook)] == [("delivered", 204)] * 3


async def test_nothing_is_told_of_what_was_rolled_back(stage: Scene, hook: Hook) -> None:
    await (await app(stage)).listen(hook.url)
    task = {"resourceType": "Task", "status": "ready", "intent": "order", "owner": {"reference": "Patient/ann"}}
    entries = [
        {"resource": task, "request": {"method": "POST", "url": "Task"}},
        {"request": {"method": "GET", "url": "Patient/nobody"}},
    ]
    answer = await stage.api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 404
    assert await stage.waiting() == []
    entries.pop()
    answer = await stage.api.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200
    await settle(stage)
    assert told(hook) == ["assignment.created"]


async def test_only_what_is_listened_to_is_told(stage: Scene, hook: Hook) -> None:
    await (await app(stage)).listen(hook.url, "assignment.declined", "proposal.made")
    await stage.task()
    await stage.task(status="rejected", statusReason={"text": "too much"})
    await stage.task("other", intent="proposal")
    await stage.put({"resourceType": "Basic", "id": "x", "code": {"text": "x"}})
    await settle(stage)
    assert told(hook) == ["assignment.declined", "proposal.made"]


async def test_what_does_not_arrive_is_sent_again_and_what_comes_after_waits(stage: Scene, hook: Hook) -> None:
    webhook, _ = await (one := await app(stage)).listen(hook.url)
    hook.answers += [500, 429]
    await stage.task()
    await stage.task(status="in-progress")
    await stage.task("other")
    await stage.work(dates.clock())
    # Of another resource the turn does not wait.
    assert told(hook)[:2] == ["assignment.created", "assignment.created"]
    await settle(stage)
    first, *_, started = [each for each in hook.taken if each.said["data"]["resource"] == "Task/walk"]
    assert first.said["type"] == "assignment.created"
    assert started.said["type"] == "assignment.started"
    ids = [each.headers["webhook-id"] for each in hook.taken]
    assert len(ids) - len(set(ids)) == 2
    assert {each.status for each in await one.log(webhook)} == {"delivered"}


async def test_what_is_refused_for_good_is_not_tried_again_but_can_be(stage: Scene, hook: Hook) -> None:
    webhook, _ = await (one := await app(stage)).listen(hook.url)
    hook.answers += [400]
    await stage.task()
    await settle(stage)
    (lost,) = await one.log(webhook)
    assert (lost.status, lost.answer, lost.attempts) == ("lost", 400, 1)
    assert (await one.again(webhook, lost)).status == "pending"
    await settle(stage)
    (arrived,) = await one.log(webhook)
    assert arrived.status == "delivered"
    assert len({each.headers["webhook-id"] for each in hook.taken}) == 1


async def test_after_many_attempts_a_message_is_given_up(stage: Scene, hook: Hook) -> None:
    webhook, _ = await (one := await app(stage)).listen(hook.url)
    hook.answers += [503] * 50
    await stage.task()
    began = dates.clock()
    ended = await settle(stage)
    (lost,) = await one.log(webhook)
    assert (lost.status, lost.attempts) == ("lost", deliver.ATTEMPTS_MOST)
    assert len(hook.taken) == deliver.ATTEMPTS_MOST
    assert timedelta(hours=12) < ended - began < timedelta(days=2)


async def test_a_webhook_that_takes_nothing_is_disabled_until_it_is_changed(stage: Scene, hook: Hook) -> None:
    webhook, _ = await (one := await app(stage)).listen(hook.url)
    hook.answers += [404] * deliver.LOST_MOST
    for number in range(deliver.LOST_MOST + 1):
        await stage.task(f"t{number}")
        await settle(stage)
    kept = await one.webhook()
    assert kept.disabled is not None
    assert kept.reason == "it answered 404, which no further attempt changes"
    assert len(hook.taken) == deliver.LOST_MOST
    await stage.act(
        one.token,
        lambda call, store: registrations.change(
            call, store, webhook.id, hook.url, ["assignment.created"], loopback=True
        ),
    )
    await stage.task("after")
    await settle(stage)
    assert hook.taken[-1].said["data"]["resource"] == "Task/after"
    assert (await one.webhook()).disabled is None


async def test_a_webhook_that_is_gone_is_disabled_at_once(stage: Scene, hook: Hook) -> None:
    await (one := await app(stage)).listen(hook.url)
    hook.answers += [410]
    await stage.task()
    await settle(stage)
    assert (await one.webhook()).disabled is not None


async def test_a_success_begins_the_count_anew(stage: Scene, hook: Hook) -> None:
    await (one := await app(stage)).listen(hook.url)
    hook.answers += [404] * (deliver.LOST_MOST - 1) + [204] + [404]
    for number in range(deliver.LOST_MOST + 1):
        await stage.task(f"t{number}")
        await settle(stage)
    assert (await one.webhook()).disabled is None


# --- what a webhook may know ----------------------------------------------------------------------------------------------


async def write_hidden(stage: Scene) -> None:
    """An assignment that is labelled as psychotherapy notes are, which nobody sees without clearance."""
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSYTHPN"}
    task = {"resourceType": "Task", "status": "ready", "intent": "order", "owner": {"reference": "Patient/ann"}}
    async with stage.engine.at_work(stage.tenant, dates.clock()) as (call, store):
        made = store.change("Task", "secret", {**task, "meta": {"security": [label]}}, call.now)
        await own.write(call, store, [made])


async def test_nothing_is_told_that_the_client_may_not_read(stage: Scene, hook: Hook) -> None:
    """By the type, by the rows of its scope, and by labels that hide."""
    blind, narrow, label = (
        await app(stage, "system/Patient.rs"),
        await app(stage, "system/Task.rs?status=ready"),
        await app(stage),
    )
    hooks = [
        (await each.listen(hook.url, "assignment.completed", "assignment.created"))[0]
        for each in (blind, narrow, label)
    ]
    await write_hidden(stage)
    await stage.task()
    await stage.task(status="completed")
    await settle(stage)
    found = [
        [(each.resource_id, each.event.partition(".")[2], each.status) for each in await one.log(webhook)]
        for one, webhook in zip((blind, narrow, label), hooks, strict=True)
    ]
    assert {status for _, _, status in found[0]} == {"withheld"}
    # It was ready when that was told; once completed it is none of its business.
    assert found[1] == [
        ("secret", "created", "withheld"), ("walk", "created", "withheld"), ("walk", "completed", "withheld"),
    ]  # fmt: skip
    assert found[2] == [
        ("secret", "created", "withheld"), ("walk", "created", "delivered"), ("walk", "completed", "delivered"),
    ]  # fmt: skip
    assert len(hook.taken) == 2


async def test_a_client_that_was_ended_is_told_nothing_more(stage: Scene, hook: Hook) -> None:
    webhook, _ = await (one := await app(stage)).listen(hook.url)
    await stage.task()
    async with stage.engine.database.connection(stage.tenant.id) as connection:
        await clients.disable(connection, stage.tenant.id, one.client_id, dates.clock())
    await settle(stage)
    assert hook.taken == []
    async with stage.engine.database.connection(stage.tenant.id) as connection:
        status = await connection.fetchval(
            "select status from webhook_delivery where tenant_id = $1 and webhook_id = $2", stage.tenant.id, webhook.id
        )
    assert status == "withheld"


async def test_what_was_deleted_meanwhile_is_still_told_of_by_its_id(stage: Scene, hook: Hook) -> None:
    await (await app(stage)).listen(hook.url)
    await stage.task()
    await stage.api.delete("Task/walk")
    await settle(stage)
    assert told(hook) in (["assignment.created"], [])


async def test_tenants_are_told_of_their_own_only(stage: Scene, hook: Hook, new_house: Any) -> None:
    other = await new_house()
    async with other.client(await other.token()) as api, scene(other, api) as elsewhere:
        await elsewhere.client()
        await (await app(stage)).listen(hook.url)
        await elsewhere.task()
        assert await elsewhere.waiting() == []
        assert await stage.waiting() == []


# --- who may register what ------------------------------------------------------------------------------------------------


async def refused(one: App, *how: Any, **named: Any) -> HearthError:
    with pytest.raises(HearthError) as refusal:
        await one.stage.act(one.token, lambda call, store: registrations.make(call, store, *how, one.key, **named))
    return refusal.value


async def test_a_person_registers_no_webhook(stage: Scene) -> None:
    await stage.put({"resourceType": "Practitioner", "id": "thera"})
    for user, scope in (("Practitioner/thera", "user/*.cruds"), ("Patient/ann", "user/*.rs"), (None, "patient/*.rs")):
        access = {"patient": "ann"} if user is None else {}
        one = App(stage, "app", await stage.token(scope, user, **access))
        assert isinstance(await refused(one, "https://example.org/h", ["risk.raised"]), Forbidden)


@pytest.mark.parametrize(
    ("url", "events"),
    [
        ("http://example.org/h", ["risk.raised"]),
        ("https://user:word@example.org/h", ["risk.raised"]),
        ("https://example.org/h#part", ["risk.raised"]),
        ("https:///h", ["risk.raised"]),
        ("example.org", ["risk.raised"]),
        (f"https://example.org/{'h' * 3000}", ["risk.raised"]),
        ("https://example.org/h", []),
        ("https://example.org/h", ["risk.rised"]),
    ],
)
async def test_says_what_a_webhook_needs(stage: Scene, url: str, events: list[str]) -> None:
    fault = await refused(await app(stage), url, events)
    assert isinstance(fault, Unprocessable)
    assert fault.issues[0].expression in (("url",), ("events",))


async def test_an_address_of_this_network_is_told_nothing(house: Any, api: httpx.AsyncClient, hook: Hook) -> None:
    async with scene(house, api, allow_loopback_webhooks=False) as stage:
        await stage.client()
        webhook, _ = await (one := await app(stage)).listen(hook.url)
        await stage.task()
        await stage.work(dates.clock())
        (pending,) = await one.log(webhook)
        assert (pending.status, pending.fault) == ("pending", "it is no https address")
    assert hook.taken == []


async def test_clients_see_their_own_webhooks_only_and_so_many(stage: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrations, "WEBHOOKS_MOST", 1)
    one, other = await app(stage), await app(stage)
    webhook, secret = await one.listen("https://example.org/h", "risk.raised")
    with pytest.raises(NotFound):
        await stage.act(other.token, lambda call, store: registrations.get(call, store, webhook.id))
    with pytest.raises(NotFound):
        await stage.act(other.token, lambda call, store: deliveries.of(call, store, webhook.id, BIG, 1))
    with pytest.raises(NotFound):
        await stage.act(other.token, lambda call, store: registrations.remove(call, store, webhook.id))
    with pytest.raises(NotFound):
        await stage.act(one.token, lambda call, store: deliveries.again(call, store, webhook.id, uuid4()))
    assert isinstance(await refused(one, "https://example.org/h", ["risk.raised"]), Conflict)
    changed = await stage.act(one.token, lambda call, store: registrations.rotate(call, store, webhook.id, one.key))
    assert changed != secret
    assert (await one.webhook()).secret(one.key) == changed
    assert changed.encode() not in (await one.webhook()).sealed
    await stage.act(one.token, lambda call, store: registrations.remove(call, store, webhook.id))
    assert await stage.act(one.token, registrations.of) == []


async def test_a_real_worker_tells_within_a_moment(stage: Scene, hook: Hook) -> None:
    await (await app(stage)).listen(hook.url)
    worker = Worker(stage.engine, JOBS, ())
    task = asyncio.create_task(worker.run())
    await stage.task()
    for _ in range(200):
        if hook.taken:
            break
        await asyncio.sleep(0.05)
    await worker.stop()
    await task
    assert told(hook) == ["assignment.created"]
