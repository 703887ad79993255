"""Rows 110 to 114: a group works together, and no member sees another's record. Docs: docs/homework.md, "Groups"."""

from typing import Any

import httpx

from tests.capabilities.place import THERAPIST, Place, found, got, library_id, sent, to

Json = dict[str, Any]


async def circle(place: Place, size: int = 5) -> tuple[str, list[httpx.AsyncClient]]:
    """A group of Kim's with the place's client and others; its id, and each member's own app."""
    names = [place.patient, *(f"{place.patient}-{number}" for number in range(1, size))]
    for each in names[1:]:
        team = {
            "resourceType": "CareTeam", "id": f"team-{each}", "status": "active", "subject": to(f"Patient/{each}"),
            "participant": [{"member": to(THERAPIST)}],
        }  # fmt: skip
        await place.put({"resourceType": "Patient", "id": each}, team)
    group = {
        "resourceType": "Group", "id": f"group-{place.patient}", "type": "person", "actual": True, "name": "Tuesdays",
        "member": [{"entity": to(f"Patient/{each}")} for each in names],
    }  # fmt: skip
    await place.put(group)
    return f"group-{place.patient}", [await place.person(f"Patient/{each}", patient=each) for each in names]


async def shared_homework(place: Place, group: str, **body: Any) -> Json:
    """Homework that Kim gives the group."""
    return await sent(place.api(), "assignments", {"group": group} | body)


async def share_of(place: Place, app: httpx.AsyncClient) -> Json:
    """What one member has to do: one assignment, the next time of it where it is a series."""
    items = (await got(place.at(app), "assignments"))["items"]
    return next((each for each in items if each["kind"] == "occurrence"), items[0])


def post(group: str, author: str, words: str, **more: Any) -> Json:
    """What a member writes for the group, under a name of their own."""
    return {
        "resourceType": "Communication", "status": "preparation", "subject": to(author), "recipient": [to(f"Group/{group}")],
        "sender": {"reference": author, "display": "Sunny"}, "payload": [{"contentString": words}],
    } | more  # fmt: skip


async def let_out(place: Place, waiting: Json, **changes: Any) -> None:
    address = f"Communication/{waiting['id']}"
    answer = await place.therapist.put(address, json=waiting | {"status": "completed"} | changes)
    assert answer.status_code == 200, answer.text


async def test_row_110_a_group_writes_a_journal_and_answers(place: Place) -> None:
    group, (robin, ben, *_) = await circle(place, 3)
    head = await shared_homework(place, group, activity=library_id("group-journal"))
    mine = await share_of(place, robin)
    assert head["group"] == group
    assert mine["client"] == place.patient
    await place.answered(mine, {"entry": "I told my sister", "own": "Only for Kim"})
    entry = (await robin.post("Communication", json=post(group, place.subject, "I told my sister Ada"))).json()
    redacted = [{"contentString": "I told my sister"}]
    await let_out(place, entry, payload=redacted)
    (read,) = await found(ben, "Communication?status=completed")
    assert (read["payload"], read["sender"]) == (redacted, {"display": "Sunny"})
    assert place.subject + '"' not in str(read).replace("'", '"').replace(f"{place.subject}-1", "")
    reply = post(group, f"{place.subject}-1", "That took heart", inResponseTo=[to(f"Communication/{read['id']}")])
    await let_out(place, (await ben.post("Communication", json=reply)).json())
    (answer,) = await found(robin, "Communication?part-of:missing=false")
    assert answer["inResponseTo"] == [to(f"Communication/{entry['id']}")]
    assert [each["id"] for each in (await got(place.at(ben), "answers"))["items"]] == []


async def test_row_111_a_group_makes_a_board_together(place: Place) -> None:
    group, (robin, ben, *_) = await circle(place, 3)
    await shared_homework(place, group, activity=library_id("group-vision-board"))
    work = {"url": "https://m.example.org/shore.png", "contentType": "image/png"}
    drawing = {"url": work["url"], "content_type": work["contentType"]}
    kept = await place.answered(await share_of(place, robin), {"way": "drew", "work": [drawing], "title": "The shore"})
    assert kept["answers"]["title"] == "The shore"
    assert (await got(place.at(ben), "answers"))["items"] == []
    board = {
        "resourceType": "DocumentReference", "status": "current", "subject": to(f"Group/{group}"), "author": [to(THERAPIST)],
        "description": "Where we want to be", "content": [{"attachment": work}],
    }  # fmt: skip
    made = (await place.therapist.post("DocumentReference", json=board)).json()
    (held,) = await found(place.therapist, f"DocumentReference?subject=Group/{group}")
    assert held["id"] == made["id"]
    shown = {
        "resourceType": "Communication", "status": "completed", "sender": to(THERAPIST), "recipient": [to(f"Group/{group}")],
        "payload": [{"contentAttachment": work | {"title": "Our board"}}],
    }  # fmt: skip
    assert (await place.therapist.post("Communication", json=shown)).status_code == 201
    for app in (robin, ben):
        (seen,) = await found(app, "Communication")
        assert seen["payload"] == shown["payload"]
        assert await found(app, f"DocumentReference?subject=Group/{group}") == []


async def test_row_112_two_of_a_group_play_roles(place: Place) -> None:
    group, (robin, ben, *_) = await circle(place, 3)
    head = await shared_homework(place, group, title="Ask for a favour", type="role-play")
    parts = await found(place.therapist, f"Task?part-of=Task/{head['id']}")
    assert len(parts) == 3
    for app, words in ((robin, "You ask; the other listens"), (ben, "You listen; then you answer")):
        mine = await share_of(place, app)
        task = await got(place.therapist, f"Task/{mine['id']}")
        role = {"type": {"text": "role"}, "valueString": words}
        answer = await place.therapist.put(f"Task/{task['id']}", json=task | {"input": [*task.get("input", []), role]})
        assert answer.status_code == 200, answer.text
    for app, words in ((robin, "You ask; the other listens"), (ben, "You listen; then you answer")):
        (own,) = await found(app, "Task")
        assert (own["input"][-1]["valueString"], own["partOf"]) == (words, [to(f"Task/{head['id']}")])
        assert (await sent(place.at(app), f"assignments/{own['id']}/complete", {}, 200))["state"] == "done"
    assert (await got(place.api(), f"assignments/{head['id']}"))["progress"] == {"done": 2, "planned": 3}
    assert (await ben.get(f"Task/{head['id']}")).status_code == 404


async def test_row_113_a_challenge_counts_everybody_and_names_nobody(place: Place) -> None:
    group, apps = await circle(place, 5)
    head = await shared_homework(place, group, activity=library_id("kindness-challenge"))
    for number, app in enumerate(apps, 1):
        mine = await share_of(place, app)
        body: Json = {"answers": {"kind-acts": number}, "submit": True}
        await sent(place.at(app), f"assignments/{mine['id']}/answers", body)
        if number == 4:
            assert "totals" not in await got(place.api(), f"assignments/{head['id']}/together")
    tomorrow = (await got(place.at(apps[4]), "assignments", state="upcoming"))["items"][0]
    private = {"answers": {"kind-acts": 100}, "submit": True, "private": True}
    await sent(place.at(apps[4]), f"assignments/{tomorrow['id']}/answers", private)
    for http, assignment in ((place.api(), head["id"]), (place.at(apps[4]), mine["part_of"])):
        whole = await got(http, f"assignments/{assignment}/together")
        assert (whole["counted"], whole["members"], whole["begun"]) == (True, 5, 5)
        assert whole["totals"] == [{"kind": "kind-acts", "total": 15}]
        assert place.patient not in str({key: value for key, value in whole.items() if key != "group"})
    few, _ = await circle(place, 2)
    small = await shared_homework(place, few, activity=library_id("kindness-challenge"))
    assert (await got(place.api(), f"assignments/{small['id']}/together"))["counted"] is False


async def test_row_114_a_support_group_is_private_and_moderated(place: Place) -> None:
    group, (robin, ben, *_) = await circle(place, 3)
    body = post(group, place.subject, "Where do you all live?")
    for past in ({"status": "completed"}, {"recipient": [to(f"{place.subject}-1")]}):
        refused = await robin.post("Communication", json=body | past)
        assert refused.status_code == 403
        assert "moderated" in refused.text
    await place.put({"resourceType": "Patient", "id": f"{place.patient}-x"})
    stranger = await place.person(f"{place.subject}-x", patient=f"{place.patient}-x")
    assert (await stranger.post("Communication", json=post(group, f"{place.subject}-x", "Hello"))).status_code == 403
    waiting = (await robin.post("Communication", json=body)).json()
    assert await found(ben, "Communication") == []
    queue = f"Communication?recipient=Group/{group}&status=preparation"
    assert [each["id"] for each in await found(place.therapist, queue)] == [waiting["id"]]
    reason = {"text": "Let us not ask for addresses"}
    no = waiting | {"status": "not-done", "statusReason": reason}
    assert (await place.therapist.put(f"Communication/{waiting['id']}", json=no)).status_code == 200
    assert (await got(robin, f"Communication/{waiting['id']}"))["statusReason"] == reason
    assert await found(ben, "Communication") == []
    (seen,) = (await got(ben, f"Group/{group}"))["member"]
    assert seen["entity"] == to(f"{place.subject}-1")
