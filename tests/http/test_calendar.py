"""A client's homework in their own calendar: read by another program's parser, by whoever has the link and nobody else."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
import vobject

from service.calendar import links
from service.calendar.links import Link
from service.errors import Conflict, Forbidden, HearthError, NotFound, TooManyRequests, Unprocessable
from service.settings import Settings
from tests.jobs.scene import Scene, scene
from tests.security.circles import labelled, team

TOMORROW: Final = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) + timedelta(days=1)
SCOPE: Final = "user/Patient.rs user/Task.rs user/CommunicationRequest.cruds"


def until(hours: float, start: datetime = TOMORROW) -> dict[str, Any]:
    return {
        "restriction": {"period": {"start": start.isoformat(), "end": (start + timedelta(hours=hours)).isoformat()}}
    }


@pytest.fixture
async def stage(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Scene]:
    async with scene(house, api) as made:
        await made.client(zone="Europe/Amsterdam")
        yield made


async def link(stage: Scene, token: str | None = None, **named: Any) -> tuple[Link, str]:
    """A link to Ann's calendar, and its address."""
    token = token or await stage.token(SCOPE, "Patient/ann")
    made, secret = await stage.act(token, lambda call, store: links.make(call, store, "ann", **named))
    return made, f"{stage.house.base.removesuffix('/fhir')}/calendar/{secret}.ics"


async def ask(stage: Scene, address: str, **headers: str) -> httpx.Response:
    async with stage.house.client() as http:
        return await http.get(address, headers=headers)


async def read(stage: Scene, address: str, form: str = "todos") -> Any:
    """The calendar as vobject reads it."""
    answer = await ask(stage, f"{address}?as={form}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    for line in answer.content.split(b"\r\n"):
        assert len(line) <= 75, "RFC 5545, 3.1: lines are folded"
    return vobject.readOne(answer.text)


async def test_homework_is_a_todo_with_its_time_on_the_clients_clock(stage: Scene) -> None:
    await stage.task(**until(3))
    _, address = await link(stage)
    calendar = await read(stage, address)
    (todo,) = calendar.vtodo_list
    assert todo.summary.value == "Something to do"
    assert todo.due.value == TOMORROW + timedelta(hours=3)
    assert todo.dtstart.value == TOMORROW
    assert "DUE;TZID=Europe/Amsterdam:" in (await ask(stage, f"{address}?as=todos")).text
    assert [zone.tzid.value for zone in calendar.vtimezone_list] == ["Europe/Amsterdam"]
    assert (todo.status.value, todo.sequence.value, todo.uid.value) == ("NEEDS-ACTION", "0", "walk@hearth")
    assert calendar.contents["refresh-interval"][0].value == "PT1H"


async def test_as_an_event_it_leaves_the_time_free(stage: Scene) -> None:
    await stage.task(**until(3))
    await stage.task("week", **until(24 * 7))
    _, address = await link(stage)
    calendar = await read(stage, address, "events")
    by_uid = {each.uid.value: each for each in calendar.vevent_list}
    hours, days = by_uid["walk@hearth"], by_uid["week@hearth"]
    assert (hours.dtstart.value, hours.dtend.value) == (TOMORROW, TOMORROW + timedelta(hours=3))
    assert hours.transp.value == "TRANSPARENT"
    local = TOMORROW.date()
    assert (days.dtstart.value, days.dtend.value) == (local, local + timedelta(days=8))
    assert type(days.dtstart.value) is date


async def test_the_same_thing_keeps_its_name_and_counts_its_versions(stage: Scene) -> None:
    key = {"system": "https://hearth.health/fhir/NamingSystem/occurrence", "value": "head/2026-03-02/EVE"}
    await stage.task(identifier=[key], **until(3))
    _, address = await link(stage)
    (before,) = (await read(stage, address)).vtodo_list
    await stage.task(identifier=[key], **until(5))
    (after,) = (await read(stage, address)).vtodo_list
    assert before.uid.value == after.uid.value == "head/2026-03-02/EVE@hearth"
    assert (before.sequence.value, after.sequence.value) == ("0", "1")
    await stage.task(identifier=[key], status="completed", **until(5))
    (done,) = (await read(stage, address)).vtodo_list
    assert (done.status.value, done.contents["percent-complete"][0].value) == ("COMPLETED", "100")
    await stage.task("gone", status="cancelled", statusReason={"text": "not needed"}, **until(5))
    assert len((await read(stage, address)).vtodo_list) == 1


async def test_what_it_is_called_is_shown_only_where_the_client_chose_so(stage: Scene) -> None:
    title = "Walk; with \\dogs, and\nÜber-cats"
    await stage.task(code={"text": title.replace("\n", " ")}, **until(3))
    _, discreet = await link(stage, language="nl")
    answer = await ask(stage, discreet)
    assert "dogs" not in answer.text
    assert "SUMMARY:Iets te doen" in answer.text
    _, open_ = await link(stage, details=True)
    (todo,) = (await read(stage, open_)).vtodo_list
    assert todo.summary.value == title.replace("\n", " ")


async def test_what_did_not_change_is_not_sent_again(stage: Scene) -> None:
    await stage.task(**until(3))
    _, address = await link(stage)
    first = await ask(stage, address)
    assert first.headers["cache-control"] == "private, max-age=900"
    assert first.headers["referrer-policy"] == "no-referrer"
    again = await ask(stage, address, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await ask(stage, address)).content == first.content
    await stage.task(status="in-progress", **until(3))
    assert (await ask(stage, address, **{"If-None-Match": first.headers["etag"]})).status_code == 200
    async with stage.house.client() as http:
        head = await http.head(address)
    assert (head.status_code, head.content) == (200, b"")


async def test_each_visit_is_audited_as_a_read_of_the_clients_tasks(stage: Scene) -> None:
    made, address = await link(stage)
    await ask(stage, address)
    await stage.house.app.engine.spool.flush()
    events = await stage.found("AuditEvent?action=E&_count=100")
    found = [each for each in events if "calendar" in json.dumps(each["agent"])]
    (event,) = found
    query = base64.b64decode(next(each["query"] for each in event["entity"] if "query" in each)).decode()
    assert query == f"Task?calendar={made.id}&as=events"
    assert any(each.get("what", {}).get("reference") == "Patient/ann" for each in event["entity"])
    assert address.rpartition("/")[2][:20] not in json.dumps(event)


# --- who sees what --------------------------------------------------------------------------------------------------------


async def test_a_wrong_an_ended_and_another_tenants_secret_open_nothing(stage: Scene, new_house: Any) -> None:
    other = await new_house()
    made, address = await link(stage)
    secret = address.rpartition("/")[2]
    for wrong in (
        address.replace(secret, "x.ics"),
        f"{other.base.removesuffix('/fhir')}/calendar/{secret}",
        f"http://hearth.test/calendar/{secret}",
    ):
        answer = await ask(stage, wrong)
        assert answer.status_code == 404
        assert secret[:-4] not in answer.text
    token = await stage.token(SCOPE, "Patient/ann")
    await stage.act(token, lambda call, store: links.revoke(call, store, "ann", made.id))
    assert (await ask(stage, address)).status_code == 404
    with pytest.raises(NotFound):
        await stage.act(token, lambda call, store: links.revoke(call, store, "ann", made.id))


async def test_another_secret_ends_the_one_before(stage: Scene) -> None:
    made, address = await link(stage, details=True)
    token = await stage.token(SCOPE, "Patient/ann")
    new, secret = await stage.act(token, lambda call, store: links.rotate(call, store, "ann", made.id))
    assert (await ask(stage, address)).status_code == 404
    assert (await ask(stage, f"{address.rpartition('/')[0]}/{secret}.ics")).status_code == 200
    listed = await stage.act(token, lambda call, store: links.of(call, store, "ann"))
    assert [(each.id, each.details) for each in listed] == [(new.id, True)]


async def test_the_feed_has_what_the_client_sees_of_their_own_and_no_more(stage: Scene) -> None:
    await stage.client("ben")
    await stage.task("mine", **until(3))
    await stage.task("bens", patient="ben", **until(3))
    await stage.task("draft", status="draft", **until(3))
    await stage.task("staff", **labelled("staff-only"), **until(3))
    await stage.task("idea", intent="proposal", **until(3))
    await stage.task("review", owner={"reference": "Practitioner/x"}, **until(3))
    _, address = await link(stage, details=True)
    assert [each.uid.value for each in (await read(stage, address)).vtodo_list] == ["mine@hearth"]


async def test_a_client_who_left_has_no_calendar(stage: Scene) -> None:
    _, address = await link(stage)
    await stage.put({"resourceType": "Patient", "id": "ann", "active": False})
    assert (await ask(stage, address)).status_code == 404


async def refused(stage: Scene, token: str, patient: str = "ann") -> HearthError:
    with pytest.raises(HearthError) as refusal:
        await stage.act(token, lambda call, store: links.make(call, store, patient))
    return refusal.value


async def test_only_who_sees_a_client_and_may_write_to_them_makes_a_link(stage: Scene) -> None:
    await stage.client("ben")
    await stage.put({"resourceType": "Practitioner", "id": "thera"})
    await stage.put(team("Patient/ben", "Practitioner/thera", name="team"))
    assert isinstance(await refused(stage, await stage.token(SCOPE, "Patient/ben")), NotFound)
    assert isinstance(await refused(stage, await stage.token(SCOPE, "Practitioner/thera")), NotFound)
    for scope in ("user/Patient.rs user/Task.rs", "user/Patient.rs user/CommunicationRequest.cruds"):
        assert isinstance(await refused(stage, await stage.token(scope, "Patient/ann")), Forbidden)
    made, _ = await stage.act(
        await stage.token(SCOPE, "Practitioner/thera"), lambda call, store: links.make(call, store, "ben")
    )
    assert "Practitioner/thera" in made.created_by


async def test_a_client_has_so_many_links(stage: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "LINKS_MOST", 1)
    await link(stage)
    assert isinstance(await refused(stage, await stage.token(SCOPE, "Patient/ann")), Conflict)
    with pytest.raises(Unprocessable):
        await link(stage, language="xx")


async def test_the_secret_is_nowhere_in_the_database(stage: Scene) -> None:
    _, address = await link(stage)
    await ask(stage, address)
    async with stage.engine.database.connection(0) as connection:
        row = await connection.fetchrow("select * from calendar_link where tenant_id = $1", stage.tenant.id)
    assert row["used"] is not None
    assert address.rpartition("/")[2].removesuffix(".ics") not in str(dict(row))


async def test_a_feed_is_asked_for_so_often(stage: Scene) -> None:
    limits = type(stage.engine.limits)(Settings(data_dir=stage.engine.settings.data_dir, rate_calendar=2))
    now = datetime.now(UTC)
    for _ in range(2):
        limits.check("calendar", "secret", "192.0.2.1", now)
    with pytest.raises(TooManyRequests):
        limits.check("calendar", "secret", "192.0.2.1", now)


async def test_says_which_forms_there_are(stage: Scene) -> None:
    _, address = await link(stage)
    answer = await ask(stage, f"{address}?as=journal")
    assert answer.status_code == 400
    assert "todos or events" in answer.json()["issue"][0]["diagnostics"]
