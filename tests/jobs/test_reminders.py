"""Reminders from rule to mailbox: once, when they are wanted, without a word about anybody, and written down."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from fhir_mappings.reminder import CATEGORY, ReminderRule
from service.errors import Forbidden, HearthError, NotFound, Unprocessable
from service.jobs import backoff
from service.jobs.table import JOBS
from service.jobs.worker import Worker
from service.reminders import plan, rules, send
from tests.jobs.beside import Post, hooked, posting
from tests.jobs.scene import HOUR, NOON, Scene, scene
from tests.security.circles import team

EMAIL: Final = "ann@example.org"
MINUTE: Final = timedelta(minutes=1)
NO_QUIET: Final = ReminderRule(quiet=None)


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    async with posting() as made:
        yield made


@pytest.fixture
async def stage(house: Any, api: httpx.AsyncClient, post: Post) -> AsyncIterator[Scene]:
    """Ann, who has a walk to take until six in the evening, and a server that sends mail."""
    async with scene(house, api, smtp_url=post.url) as made:
        await made.client()
        await made.task()
        yield made


async def wish(stage: Scene, rule: ReminderRule = NO_QUIET, **addresses: Any) -> str | None:
    """Set Ann's rule, as a day before; the secret of a push address."""
    addresses = addresses or {"email": EMAIL}
    stage.engine.clock = lambda: NOON - timedelta(days=1)
    token = await stage.token()
    key = stage.engine.settings.secret()
    _, secret = await stage.act(token, lambda call, store: rules.put(call, store, "ann", rule, key, **addresses))
    return secret


async def remind(stage: Scene, now: datetime) -> None:
    """Plan around this moment, and do what is due then."""
    await plan.plan(stage.engine, stage.tenant, now)
    await stage.work(now)


async def told(stage: Scene) -> list[tuple[str, str | None]]:
    """What the Communications say became of reminders: status, and why."""
    found = await stage.found(f"Communication?category={CATEGORY}&_sort=_lastUpdated")
    return [
        (one["status"], one.get("statusReason", {}).get("coding", [{}])[0].get("code")) for one in found
    ]  # fmt: skip


async def test_a_client_is_reminded_once_without_a_word_about_what(stage: Scene, post: Post) -> None:
    await wish(stage)
    due = NOON + 5 * HOUR  # an hour before six
    await remind(stage, due - 20 * MINUTE)
    assert post.mails == []
    await asyncio.gather(*(plan.plan(stage.engine, stage.tenant, due - 5 * MINUTE) for _ in range(3)))
    assert await stage.waiting() == [due]
    await stage.work(due)
    await remind(stage, due + 5 * MINUTE)
    assert post.to == [EMAIL]
    (mail,) = post.mails
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    for word in ("walk", "dog", "ann@", "hearth", "therap"):
        assert word not in f"{mail['Subject']} {payload.decode()}".lower()
    (one,) = await stage.found("Communication?based-on=Task/walk")
    assert (one["status"], one["subject"]["reference"]) == ("completed", "Patient/ann")
    assert one["sent"].startswith("2026-03-02T17:00:00")
    assert "payload" not in one
    assert mail["Message-ID"] == f"<{one['id']}@hearth.test>"


async def test_a_job_that_runs_twice_tells_once(stage: Scene, post: Post) -> None:
    await wish(stage)
    due = NOON + 5 * HOUR
    await plan.plan(stage.engine, stage.tenant, due)
    async with stage.engine.database.connection(0) as connection:
        made = await connection.fetchval("select reminder_id from reminder where tenant_id = $1", stage.tenant.id)
    payload = {"tenant": stage.tenant.id, "reminder": str(made)}
    await send.send(stage.engine, payload, due)
    await send.send(stage.engine, payload, due)
    assert len(post.mails) == 1
    assert await told(stage) == [("completed", None)]


async def test_in_quiet_hours_it_waits_for_their_end(stage: Scene, post: Post) -> None:
    await wish(stage, ReminderRule(before_due=(240,), quiet=("13:00", "15:00")))
    await remind(stage, NOON + 2 * HOUR)
    assert post.mails == []
    assert await stage.waiting() == [NOON + 3 * HOUR]
    await stage.work(NOON + 3 * HOUR)
    assert len(post.mails) == 1
    assert await told(stage) == [("completed", None)]


async def test_quiet_hours_that_last_until_it_is_due_withhold_it(stage: Scene, post: Post) -> None:
    await wish(stage, ReminderRule(quiet=("16:00", "07:00")))
    await remind(stage, NOON + 5 * HOUR)
    assert post.mails == []
    assert await told(stage) == [("not-done", "quiet-hours")]


async def test_who_opts_out_in_the_last_minute_gets_none(stage: Scene, post: Post) -> None:
    await wish(stage)
    await plan.plan(stage.engine, stage.tenant, NOON + 5 * HOUR)
    await wish(stage, ReminderRule(opted_out=True, quiet=None))
    await stage.work(NOON + 5 * HOUR)
    assert post.mails == []
    assert await told(stage) == [("not-done", "opted-out")]
    await remind(stage, NOON + 5 * HOUR)
    assert len(await told(stage)) == 1


@pytest.mark.parametrize("status", ["completed", "on-hold"])
async def test_of_what_is_done_or_paused_nobody_is_reminded(stage: Scene, post: Post, status: str) -> None:
    await wish(stage)
    await plan.plan(stage.engine, stage.tenant, NOON + 5 * HOUR)
    reason = {} if status == "completed" else {"statusReason": {"text": "a holiday"}}
    await stage.task(status=status, **reason)
    await stage.work(NOON + 5 * HOUR)
    assert post.mails == []
    assert await told(stage) == [("not-done", "no-longer-open")]


@pytest.mark.parametrize("left", [{"active": False}, {"deceasedDateTime": "2026-03-01"}, {"deceasedBoolean": True}])
async def test_who_is_no_client_any_more_or_died_is_not_written_to(stage: Scene, post: Post, left: Any) -> None:
    await wish(stage)
    await plan.plan(stage.engine, stage.tenant, NOON + 5 * HOUR)
    await stage.put({"resourceType": "Patient", "id": "ann"} | left)
    await stage.work(NOON + 5 * HOUR)
    assert post.mails == []
    assert await told(stage) == [("not-done", "no-longer-open")]


async def test_what_was_moved_is_reminded_of_at_its_new_time_only(stage: Scene, post: Post) -> None:
    await wish(stage)
    await plan.plan(stage.engine, stage.tenant, NOON + 5 * HOUR)
    later = {"period": {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T20:00:00Z"}}
    await stage.task(restriction=later)
    await stage.work(NOON + 5 * HOUR)
    assert (post.mails, await told(stage)) == ([], [])
    await remind(stage, NOON + 7 * HOUR)
    assert len(post.mails) == 1


async def test_a_mailbox_that_is_busy_is_tried_again(stage: Scene, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff.random, "uniform", lambda *_: 1.0)
    await wish(stage)
    post.replies += ["451 busy", "452 full just now"]
    due = NOON + 5 * HOUR
    await remind(stage, due)
    assert await stage.waiting() == [due + timedelta(seconds=30)]
    assert await told(stage) == []
    await stage.work(due + timedelta(seconds=30))
    await stage.work(due + timedelta(seconds=90))
    assert len(post.mails) == 1
    assert await told(stage) == [("completed", None)]


async def test_a_mailbox_that_does_not_exist_is_given_up_at_once(stage: Scene, post: Post) -> None:
    await wish(stage)
    post.replies += ["550 5.1.1 no ann@example.org here"]
    await remind(stage, NOON + 5 * HOUR)
    assert await stage.waiting() == []
    assert await told(stage) == [("not-done", "undeliverable")]
    async with stage.engine.database.connection(0) as connection:
        row = await connection.fetchrow("select * from reminder where tenant_id = $1", stage.tenant.id)
    assert (row["status"], row["reason"], row["attempts"]) == ("not-sent", "undeliverable", 1)


async def test_what_cannot_be_sent_before_it_is_due_is_given_up(stage: Scene, post: Post) -> None:
    await wish(stage, ReminderRule(before_due=(1,), quiet=None))
    post.replies += ["451 busy"] * 20
    now = NOON + 6 * HOUR - MINUTE
    await remind(stage, now)
    while waiting := await stage.waiting():
        now = waiting[0]
        await stage.work(now)
    assert now <= NOON + 6 * HOUR
    assert await told(stage) == [("not-done", "undeliverable")]
    assert post.mails == []


async def test_an_app_is_pushed_a_signed_message_with_one_id_for_all_attempts(stage: Scene) -> None:
    async with hooked(503) as hook:
        secret = await wish(stage, ReminderRule(channels=("push",), quiet=None, language="nl"), push_url=hook.url)
        assert secret is not None
        await remind(stage, NOON + 5 * HOUR)
        await stage.work((await stage.waiting())[0])
        first, second = hook.taken
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.is_signed_by(secret)
        assert second.is_signed_by(secret)
        assert not second.is_signed_by("whsec_b3RoZXI=")
        assert second.said["type"] == "reminder.due"
        assert second.said["data"]["title"] == "Een kleine herinnering"
        assert "dog" not in second.body.decode()
    assert await told(stage) == [("completed", None)]
    # The secret of an address that stays is not shown again, and stays too.
    assert await wish(stage, ReminderRule(channels=("push",)), push_url=hook.url) is None


async def test_a_reminder_that_a_therapist_orders_is_sent_and_carried_out(stage: Scene, post: Post) -> None:
    await wish(stage, ReminderRule(before_due=(), quiet=None))
    order = {
        "resourceType": "CommunicationRequest", "id": "order", "status": "active", "subject": {"reference": "Patient/ann"},
        "category": [{"coding": [{"system": CATEGORY.partition("|")[0], "code": "reminder"}]}],
        "about": [{"reference": "Task/walk"}], "occurrenceDateTime": "2026-03-02T13:00:00Z",
        "payload": [{"contentString": "Take the dogs along"}],
    }  # fmt: skip
    await stage.put(order)
    await remind(stage, NOON + HOUR)
    assert len(post.mails) == 1
    assert "dogs" not in str(post.mails[0])
    (one,) = await stage.found("Communication?based-on=CommunicationRequest/order")
    assert [each["reference"] for each in one["basedOn"]] == ["CommunicationRequest/order", "Task/walk"]
    assert (await stage.found("CommunicationRequest?_id=order"))[0]["status"] == "completed"
    await remind(stage, NOON + HOUR)
    assert len(post.mails) == 1


async def test_an_order_for_somebody_without_an_address_is_written_down_as_not_sent(stage: Scene) -> None:
    order = {
        "resourceType": "CommunicationRequest", "id": "order", "status": "active", "subject": {"reference": "Patient/ann"},
        "category": [{"coding": [{"system": CATEGORY.partition("|")[0], "code": "reminder"}]}],
        "occurrenceDateTime": "2026-03-02T13:00:00Z",
    }  # fmt: skip
    await stage.put(order)
    await remind(stage, NOON + HOUR)
    assert await told(stage) == [("not-done", "no-address")]
    assert (await stage.found("CommunicationRequest?_id=order"))[0]["status"] == "active"


async def test_a_real_worker_sends_what_is_planned(stage: Scene, post: Post) -> None:
    await wish(stage)
    stage.engine.clock = lambda: NOON + 5 * HOUR
    await plan.plan(stage.engine, stage.tenant, NOON + 5 * HOUR)
    worker = Worker(stage.engine, JOBS, ())
    task = asyncio.create_task(worker.run())
    for _ in range(200):
        if post.mails and await told(stage):
            break
        await asyncio.sleep(0.05)
    await worker.stop()
    await task
    assert len(post.mails) == 1
    assert await told(stage) == [("completed", None)]


# --- who may say how somebody is reminded ---------------------------------------------------------------------------------


async def refusal(stage: Scene, token: str, patient: str = "ann") -> HearthError:
    key = stage.engine.settings.secret()
    with pytest.raises(HearthError) as refused:
        await stage.act(token, lambda call, store: rules.put(call, store, patient, NO_QUIET, key, email=EMAIL))
    return refused.value


async def test_nobody_sets_the_reminders_of_a_client_whom_they_do_not_see(stage: Scene) -> None:
    await stage.client("ben")
    await stage.put({"resourceType": "Practitioner", "id": "thera"})
    await stage.put(team("Patient/ben", "Practitioner/thera", name="team"))
    user = "user/Patient.rs user/CommunicationRequest.cruds"
    own = "patient/Patient.rs patient/CommunicationRequest.cruds"
    for token in (
        await stage.token(user, "Practitioner/thera"),
        await stage.token(own, "Patient/ben", patient="ben"),
    ):
        assert isinstance(await refusal(stage, token), NotFound)
    assert isinstance(await refusal(stage, await stage.token(), "nobody"), NotFound)


async def test_a_token_for_one_client_sets_no_reminders_of_another_one_it_may_read(stage: Scene) -> None:
    await stage.client("ben")
    await stage.put({"resourceType": "Practitioner", "id": "thera"})
    for name in ("ann", "ben"):
        await stage.put(team(f"Patient/{name}", "Practitioner/thera", name=f"team-{name}"))
    mixed = "user/Patient.rs patient/CommunicationRequest.cruds"
    token = await stage.token(mixed, "Practitioner/thera", patient="ben")
    assert isinstance(await refusal(stage, token), Forbidden)
    key = stage.engine.settings.secret()
    await stage.act(token, lambda call, store: rules.put(call, store, "ben", NO_QUIET, key, email=EMAIL))


async def test_reading_a_client_is_not_enough_to_set_their_reminders(stage: Scene) -> None:
    token = await stage.token("user/Patient.rs user/CommunicationRequest.rs", "Patient/ann")
    assert isinstance(await refusal(stage, token), Forbidden)


async def test_clients_set_their_own_and_addresses_lie_sealed(stage: Scene) -> None:
    scope = "user/Patient.rs user/CommunicationRequest.cruds"
    token = await stage.token(scope, "Patient/ann")
    key = stage.engine.settings.secret()
    rule = ReminderRule(at=("08:00",), language="es")
    await stage.act(token, lambda call, store: rules.put(call, store, "ann", rule, key, email=EMAIL))
    kept = await stage.act(token, lambda call, store: rules.of(call, store, "ann", key))
    assert kept is not None
    assert (kept.rule, kept.addresses.email) == (rule, EMAIL)
    assert "Patient/ann" in kept.updated_by
    async with stage.engine.database.connection(0) as connection:
        row = await connection.fetchrow("select * from reminder_rule where tenant_id = $1", stage.tenant.id)
    assert EMAIL.encode() not in row["sealed"]
    assert EMAIL not in str(row)
    await stage.act(token, lambda call, store: rules.remove(call, store, "ann"))
    assert await stage.act(token, lambda call, store: rules.of(call, store, "ann", key)) is None


@pytest.mark.parametrize(
    ("rule", "addresses"),
    [
        (ReminderRule(), {}),
        (ReminderRule(channels=("push",)), {"email": EMAIL}),
        (ReminderRule(), {"email": "ann"}),
        (ReminderRule(), {"email": "ann@example.org\r\nBcc: all@example.org"}),
        (ReminderRule(channels=("push",)), {"push_url": "ftp://example.org"}),
    ],
)
async def test_a_rule_needs_addresses_that_are_some(stage: Scene, rule: ReminderRule, addresses: Any) -> None:
    key = stage.engine.settings.secret()
    token = await stage.token()
    with pytest.raises(Unprocessable):
        await stage.act(token, lambda call, store: rules.put(call, store, "ann", rule, key, **addresses))


async def test_rules_of_two_tenants_do_not_meet(stage: Scene, new_house: Any, post: Post) -> None:
    other = await new_house()
    async with other.client(await other.token()) as api, scene(other, api, smtp_url=post.url) as elsewhere:
        await elsewhere.client()
        await wish(stage)
        await plan.plan(elsewhere.engine, elsewhere.tenant, NOON + 5 * HOUR)
        assert await elsewhere.waiting() == []
        key = elsewhere.engine.settings.secret()
        token = await elsewhere.token()
        assert await elsewhere.act(token, lambda call, store: rules.of(call, store, "ann", key)) is None


def test_a_reminder_has_one_id_however_often_it_is_planned() -> None:
    patient = UUID(int=1)
    one, same = (plan.Reminder(patient, "ann", "Task/1", "email", NOON) for _ in range(2))
    assert one.id == same.id
    assert one.id != plan.Reminder(patient, "ann", "Task/1", "push", NOON).id


async def test_an_address_of_this_network_is_pushed_nothing(house: Any, api: httpx.AsyncClient) -> None:
    async with hooked() as hook, scene(house, api, allow_loopback_webhooks=False) as stage:
        await stage.client()
        await stage.task()
        await wish(stage, ReminderRule(channels=("push",), quiet=None), push_url=hook.url)
        await remind(stage, NOON + 5 * HOUR)
        assert hook.taken == []
        assert len(await stage.waiting()) == 1  # until the name leads elsewhere, or it is due
