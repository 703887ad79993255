"""Rows 40 to 43: other ways to answer, and what homework says before it is done. Docs: docs/homework.md"""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.homework import policy
from service.homework.policy import HomeworkPolicy
from tests.capabilities.place import Place, found, got, library_id, sent, to

Json = dict[str, Any]
STRUCTURE = "http://hl7.org/fhir/StructureDefinition"
VOICE: Json = {
    "resourceType": "Questionnaire", "url": "https://clinic.example/Questionnaire/memo", "version": "1",
    "status": "active", "title": "Tell it", "item": [{
        "linkId": "memo", "type": "attachment", "required": True, "extension": [
            {"url": f"{STRUCTURE}/maxSize", "valueDecimal": 0.001}, {"url": f"{STRUCTURE}/mimeType", "valueCode": "audio/*"},
        ],
    }],
}  # fmt: skip


@asynccontextmanager
async def decided(place: Place, **choices: Any) -> AsyncIterator[None]:
    """The practice has these choices in its policy for a while."""
    async with place.house.app.engine.database.connection(place.house.tenant_id) as connection:
        before = await policy.of(connection, place.house.tenant_id)
        await policy.keep(connection, place.house.tenant_id, HomeworkPolicy(**choices))
    try:
        yield
    finally:
        async with place.house.app.engine.database.connection(place.house.tenant_id) as connection:
            await policy.keep(connection, place.house.tenant_id, before)


async def test_row_040_a_voice_memo_is_an_answer(place: Place) -> None:
    form = (await place.therapist.post("Questionnaire", json=VOICE)).json()
    given = await place.given(title="Tell it in your own voice", form=form["id"])
    path = f"assignments/{given['id']}/answers"
    wrong = {"large": ("audio/mp4", b"x" * 1001, "answer-file-size"), "typed": ("text/plain", b"x", "answer-file-type")}
    for kind, data, code in wrong.values():
        memo = {"content_type": kind, "data": b64encode(data).decode()}
        refused = await place.api("client").post(path, json={"answers": {"memo": memo}, "submit": True})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert refused.json()["errors"][0]["pointer"] == "#/answers/memo"
    memo = {"content_type": "audio/mp4", "data": b64encode(b"x" * 1000).decode(), "title": "Tuesday"}
    kept = await place.answered(given, {"memo": memo})
    assert (await got(place.api(), f"answers/{kept['id']}"))["answers"]["memo"]["title"] == "Tuesday"
    document = {
        "resourceType": "DocumentReference", "status": "current", "subject": to(place.subject),
        "author": [to(place.subject)], "context": {"related": [to(f"Task/{given['id']}")]},
        "content": [{"attachment": {"contentType": "audio/mp4", "data": memo["data"]}}],
    }  # fmt: skip
    assert (await place.client.post("DocumentReference", json=document)).status_code == 201
    (heard,) = await found(place.therapist, f"DocumentReference?related=Task/{given['id']}")
    assert heard["content"][0]["attachment"]["data"] == memo["data"]


async def test_row_041_another_worksheet_takes_over_and_the_first_is_kept(place: Place) -> None:
    whole = await place.given(activity=library_id("thought-record", "1.1.0"), dose={"count": 1})
    begun = {"answers": {"situation": "The bus was late"}}
    draft = await sent(place.api("client"), f"assignments/{whole['id']}/answers", begun)
    easier = f"{whole['activity'].partition('|')[0]}|1.1.0"
    (variant,) = await found(place.therapist, f"ActivityDefinition?derived-from={easier}")
    body = {"activity": variant["id"], "reason": "Three questions are enough for now"}
    short = await sent(place.api(), f"assignments/{whole['id']}/replace", body)
    assert (short["form"].partition("Questionnaire/")[2], short["replaces"]) == (
        "thought-record-easy|1.0.0",
        whole["id"],
    )
    before = await got(place.api("client"), f"assignments/{whole['id']}")
    assert (before["state"], before["form"], before["answers"]) == ("withdrawn", whole["form"], [draft["id"]])
    assert (await got(place.api("client"), f"answers/{draft['id']}"))["answers"] == begun["answers"]
    states = await got(place.system, f"Task/{whole['id']}/_history")
    assert [each["resource"]["status"] for each in states["entry"]] == ["cancelled", "in-progress", "ready"]


async def test_row_042_a_practice_may_want_instructions_before_a_client_sees_homework(place: Place) -> None:
    body = {"client": place.patient, "title": "Breathe slowly", "publish": "draft"}
    steps = "1. Sit down.\n2. Breathe out for six seconds."
    async with decided(place, publish_needs=frozenset({"instruction"})):
        draft = await sent(place.api(), "assignments", body)
        refused = await place.api().post(f"assignments/{draft['id']}/publish")
        assert (refused.status_code, refused.json()["code"]) == (422, "publish-incomplete")
        shown = await sent(place.api(), "assignments", body | {"publish": "ready", "instructions": steps})
    seen = (await got(place.api("client"), "assignments"))["items"]
    assert [(each["id"], each["instructions"]) for each in seen] == [(shown["id"], steps)]
    request = await got(place.client, shown["fhir"]["request"])
    assert request["patientInstruction"] == steps


async def test_row_043_a_practice_may_want_the_reason_before_a_client_sees_homework(place: Place) -> None:
    body = {"client": place.patient, "title": "Keep a sleep diary"}
    async with decided(place, publish_needs=frozenset({"rationale"})):
        refused = await place.api().post("assignments", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/why")
        given = await sent(place.api(), "assignments", body | {"why": "What is written down can be seen"})
        known = await place.given(activity=library_id("sleep-diary", "1.1.0"))
    seen = await got(place.api("client"), f"assignments/{given['id']}")
    assert seen["why"] == "What is written down can be seen"
    definition = await got(place.client, f"ActivityDefinition/{library_id('sleep-diary', '1.1.0')}")
    assert known["why"] == definition["purpose"]
