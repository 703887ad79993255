"""Assignments by the homework API: who may do what, when; two at once; lists and their pages; what is kept of it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from schemas.homework.queries import ASKED_STATES

GIVEN = {"client": "robin", "title": "Call a friend", "starts": "2026-01-01", "due": "2199-01-01"}
STAR = {"If-Match": "*"}


async def given(http: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await http.post("assignments", json=GIVEN | changes)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == str(http.base_url.join(f"assignments/{made['id']}"))
    return made


def problem(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    if pointer is not None:
        assert pointer in [each.get("pointer") for each in body["errors"]], body
    return body


BODIES: dict[str, dict[str, Any]] = {
    "decline": {"barrier": {"code": "time"}},
    "pause": {"barrier": {"text": "We are away"}},
    "withdraw": {"reason": "We found something better"},
    "extend": {"due": "2199-02-01"},
    "intend": {"days": ["monday"], "where": "At home"},
    "note": {"note": "Hello"},
}
BOTH, CLIENT, THERAPIST = ("robin", "kim"), ("robin",), ("kim",)
VERBS = [
    # (steps before, verb, who may, the state that it leads to)
    ([], "start", CLIENT, "started"),
    ([], "complete", BOTH, "done"),
    ([], "decline", CLIENT, "declined"),
    ([], "pause", BOTH, "paused"),
    ([], "withdraw", THERAPIST, "withdrawn"),
    ([], "note", BOTH, "due"),
    ([], "extend", THERAPIST, "due"),
    ([], "intend", BOTH, "due"),
    (["pause"], "resume", BOTH, "due"),
    (["pause"], "complete", BOTH, "done"),
    (["pause"], "withdraw", THERAPIST, "withdrawn"),
    (["start"], "complete", BOTH, "done"),
    (["start"], "decline", CLIENT, "not-finished"),
    (["start"], "pause", BOTH, "paused"),
    (["start", "pause"], "resume", BOTH, "started"),
    (["complete"], "review", THERAPIST, "done"),
    (["decline"], "review", THERAPIST, "declined"),
    (["complete"], "note", BOTH, "done"),
    (["withdraw"], "note", BOTH, "withdrawn"),
]
NOT = [
    ([], "resume"),
    ([], "review"),
    ([], "publish"),
    ([], "offer"),
    (["start"], "start"),
    (["pause"], "pause"),
    *(
        (["complete"], verb)
        for verb in ("start", "complete", "decline", "pause", "resume", "withdraw", "extend", "intend")
    ),
    *(
        (["withdraw"], verb)
        for verb in ("start", "complete", "decline", "pause", "resume", "withdraw", "extend", "intend")
    ),
]


async def stepped(both: Any, steps: list[str]) -> dict[str, Any]:
    """An assignment after some steps, each by who may take it."""
    made = await given(both.kim)
    for verb in steps:
        http = both.kim if verb == "withdraw" else both.robin
        answer = await http.post(f"assignments/{made['id']}/{verb}", json=BODIES.get(verb, {}), headers=STAR)
        assert answer.status_code == 200, (verb, answer.text)
        made = answer.json()
    return made


@pytest.mark.parametrize(("steps", "verb", "who", "state"), VERBS, ids=str)
async def test_a_verb_leads_where_it_says_for_who_may(
    both: Any, steps: list[str], verb: str, who: Any, state: str
) -> None:
    actors = {"robin": both.robin, "kim": both.kim}
    for name in set(actors) - set(who):
        made = await stepped(both, steps)
        refused = await actors[name].post(f"assignments/{made['id']}/{verb}", json=BODIES.get(verb, {}), headers=STAR)
        assert refused.status_code in (403, 422), refused.text
        kept = (await both.kim.get(f"assignments/{made['id']}")).json()
        assert (kept["version"], kept["state"]) == (made["version"], made["state"])
    for name in who:
        made = await stepped(both, steps)
        version = {"If-Match": f'W/"{made["version"]}"'}
        answer = await actors[name].post(f"assignments/{made['id']}/{verb}", json=BODIES.get(verb, {}), headers=version)
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == state
        assert answer.headers["etag"] == f'W/"{made["version"] + 1}"'


@pytest.mark.parametrize(("steps", "verb"), NOT, ids=str)
async def test_what_does_not_follow_is_refused_in_plain_words(both: Any, steps: list[str], verb: str) -> None:
    made = await stepped(both, steps)
    for http in (both.robin, both.kim):
        answer = await http.post(f"assignments/{made['id']}/{verb}", json=BODIES.get(verb, {}), headers=STAR)
        if answer.status_code != 403:
            said = problem(answer, 422, "task-transition")["detail"]
            assert made["state"] in said or "for a client" in said, said
            assert "Task" not in said
    assert (await both.kim.get(f"assignments/{made['id']}")).json()["version"] == made["version"]


async def test_a_client_names_the_version_and_a_therapist_may(robin: httpx.AsyncClient, kim: httpx.AsyncClient) -> None:
    made = await given(kim)
    problem(await robin.post(f"assignments/{made['id']}/start"), 428, "if-match-required")
    problem(await robin.post(f"assignments/{made['id']}/start", headers={"If-Match": 'W/"7"'}), 412, "version-stale")
    problem(
        await kim.post(f"assignments/{made['id']}/note", json={"note": "x"}, headers={"If-Match": '"7"'}),
        412,
        "version-stale",
    )
    assert (await kim.post(f"assignments/{made['id']}/note", json={"note": "x"})).status_code == 200


async def test_a_draft_is_not_there_for_its_client(robin: httpx.AsyncClient, kim: httpx.AsyncClient) -> None:
    made = await given(kim, publish="draft")
    problem(await robin.get(f"assignments/{made['id']}"), 404, "not-found")
    assert (await robin.get("assignments")).json() == {"items": []}
    problem(await robin.post(f"assignments/{made['id']}/publish", headers=STAR), 404, "not-found")
    assert (await kim.post(f"assignments/{made['id']}/publish")).json()["state"] == "due"
    assert [each["id"] for each in (await robin.get("assignments")).json()["items"]] == [made["id"]]


async def test_nobody_sees_or_gives_homework_of_somebody_elses_client(practice: Any, kim: httpx.AsyncClient) -> None:
    alex = await practice.person("Practitioner/alex", "user/*.cruds")
    sam = await practice.person("Patient/sam", "patient/*.cruds", patient="sam")
    made = await given(kim)
    for http in (alex, sam):
        problem(await http.get(f"assignments/{made['id']}"), 404, "not-found")
        problem(await http.post(f"assignments/{made['id']}/note", json={"note": "x"}, headers=STAR), 404, "not-found")
        assert (await http.get("assignments", params={"client": "robin"})).json() == {"items": []}
        assert (await http.get("clients/robin")).status_code == 404
        problem(await http.post("ratings", json={"client": "robin", "kind": "mood", "value": 3}), 403, "not-allowed")
    problem(await alex.post("assignments", json=GIVEN), 422, "unknown-object", "#/client")


async def test_a_relative_who_has_consent_does_homework_for_a_child(practice: Any, kim: httpx.AsyncClient) -> None:
    await practice.put(
        {"resourceType": "RelatedPerson", "id": "mum", "patient": {"reference": "Patient/robin"}},
        {
            "resourceType": "Consent", "id": "c1", "status": "active", "patient": {"reference": "Patient/robin"},
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IDSCL"}]}],
            "policyRule": {"text": "as agreed"},
            "provision": {
                "type": "permit", "actor": [{"role": {"text": "mother"}, "reference": {"reference": "RelatedPerson/mum"}}]
            },
        },
    )  # fmt: skip
    mum = await practice.person("RelatedPerson/mum", "patient/*.cruds", patient="robin")
    stranger = await practice.person("RelatedPerson/other", "patient/*.cruds", patient="robin")
    made = await given(kim)
    problem(await stranger.get(f"assignments/{made['id']}"), 404, "not-found")
    problem(await mum.post(f"assignments/{made['id']}/complete"), 428, "if-match-required")
    answer = await mum.post(
        f"assignments/{made['id']}/complete", json={"note": "We did it"}, headers={"If-Match": 'W/"1"'}
    )
    assert answer.json()["notes"][0]["by"] == "RelatedPerson/mum"
    problem(
        await mum.post(f"assignments/{made['id']}/extend", json={"due": "2199-03-01"}, headers=STAR),
        422,
        "task-transition",
    )


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"title": "x", "clinet": "robin"}, "unknown-member", "#/clinet"),
        ({"client": "robin"}, "wrong-value", "#"),
        ({"client": "robin", "title": 3}, "wrong-value", "#/title"),
        ({"client": "robin", "title": None}, "null", "#/title"),
        ({"client": "robin", "title": "x", "type": "jurnaling"}, "wrong-value", "#/type"),
        ({"client": "robin", "title": "x", "due": "tomorrow"}, "wrong-value", "#/due"),
        ({"client": "robin", "title": "x", "due": "2020-01-01"}, "per-1", "#/due"),
        ({"client": "robin", "title": "x", "dose": {"time": 3}}, "unknown-member", "#/dose/time"),
        ({"client": "robin", "title": "x", "dose": {"at": ["25:00"]}}, "wrong-value", "#/dose/at/0"),
        ({"client": "robin", "title": "x", "dose": {"at": ["08:00"], "when": ["morning"]}}, "wrong-value", "#/dose"),
        ({"client": "robin", "group": "g", "title": "x"}, "wrong-value", "#"),
        ({"title": "x"}, "missing-member", "#/client"),
        ([], "body-required", "#"),
    ],
    ids=str,
)
async def test_a_body_with_a_slip_is_refused_and_says_where(both: Any, body: Any, code: str, pointer: str) -> None:
    problem(await both.kim.post("assignments", json=body), 400, code, pointer)


async def test_the_nearest_name_is_given(both: Any) -> None:
    assert "Did you mean 'client'?" in (await both.kim.post("assignments", json={"clinet": "x"})).json()["detail"]
    assert "Did you mean 'state'?" in (await both.kim.get("assignments?stat=due")).json()["detail"]
    assert "Did you mean 'overdue' or" in (await both.kim.get("assignments?state=overdu")).json()["detail"]


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("stat=due", "unknown-parameter", "stat"),
        ("state=never", "wrong-value", "state"),
        ("limit=0", "wrong-value", "limit"),
        ("limit=x", "wrong-value", "limit"),
        ("cursor=abc", "cursor-invalid", "cursor"),
        ("cursor=abc.zz", "cursor-invalid", "cursor"),
        ("state=due&state=due", "wrong-value", "state"),
    ],
)
async def test_a_parameter_with_a_slip_is_refused_and_named(both: Any, query: str, code: str, parameter: str) -> None:
    body = problem(await both.kim.get(f"assignments?{query}"), 400, code)
    assert parameter in [each.get("parameter") for each in body["errors"]]


async def test_a_body_that_is_no_json_is_refused(both: Any) -> None:
    sent = {"Content-Type": "application/json"}
    problem(await both.kim.post("goals", content=b'{"text": "a", "text": "b"}', headers=sent), 400, "json-malformed")
    problem(
        await both.kim.post("goals", content=b"text=a", headers={"Content-Type": "text/plain"}),
        415,
        "unsupported-media-type",
    )
    problem(await both.kim.get("goals", headers={"Accept": "application/xml"}), 406, "not-acceptable")
    problem(await both.kim.get("nothing"), 404, "unknown-address")
    answer = await both.kim.delete("goals")
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_each_assignment_is_found_by_the_state_it_is_told_to_be_in(
    practice: Any, robin: httpx.AsyncClient, kim: httpx.AsyncClient
) -> None:
    for steps in ([], ["start"], ["pause"], ["complete"], ["decline"], ["start", "decline"], ["withdraw"]):
        await stepped(SimpleNamespace(robin=robin, kim=kim), steps)
    await given(kim, starts="2198-01-01")
    await given(kim, starts="2026-01-01", due="2026-01-02")
    await given(kim, publish="offer")
    await given(kim, publish="draft")
    part = await given(kim)
    await robin.post(f"assignments/{part['id']}/complete", json={"partly": True}, headers=STAR)
    task = {"resourceType": "Task", "status": "ready", "intent": "order", "for": {"reference": "Patient/robin"}}
    owner = {"owner": {"reference": "Patient/robin"}}
    assert (await practice.system.post("Task", json=task | owner)).status_code == 201
    missed = {
        "coding": [{"system": "https://hearth.health/fhir/CodeSystem/homework-business-status", "code": "missed"}]
    }
    ended = {"status": "cancelled", "businessStatus": missed, "statusReason": {"text": "time"}}
    assert (await practice.system.post("Task", json=task | owner | ended)).status_code == 201

    everything = {each["id"]: each["state"] for each in (await kim.get("assignments?limit=100")).json()["items"]}
    assert len(everything) == 14
    for state in ASKED_STATES:
        found = (await kim.get("assignments", params={"state": state})).json()["items"]
        if state == "open":
            assert {each["state"] for each in found} == {
                "offered",
                "upcoming",
                "due",
                "anytime",
                "started",
                "overdue",
                "paused",
            }
        elif state == "ended":
            assert {each["state"] for each in found} == {
                "done", "partly-done", "declined", "not-finished", "missed", "withdrawn"
            }  # fmt: skip
        else:
            assert {each["id"] for each in found} == {name for name, each in everything.items() if each == state}, state


async def test_pages_follow_each_other_and_lose_nothing(kim: httpx.AsyncClient) -> None:
    made = [(await given(kim, title=f"Number {number}", starts=f"2026-01-{number:02}"))["id"] for number in range(1, 8)]
    seen: list[str] = []
    address: str | None = "assignments?limit=3&state=due"
    while address is not None:
        answer = await kim.get(address)
        body = answer.json()
        seen += [each["id"] for each in body["items"]]
        link = answer.headers.get("link")
        assert (link is None) == ("next" not in body)
        address = None if link is None else link.partition(">")[0].removeprefix("<")
    assert seen == made
    cursor = (await kim.get("assignments?limit=3&state=due")).json()["next"]
    problem(
        await kim.get("assignments", params={"limit": 3, "state": "overdue", "cursor": cursor}), 400, "cursor-invalid"
    )


async def test_a_cursor_is_good_for_its_own_caller_only(robin: httpx.AsyncClient, kim: httpx.AsyncClient) -> None:
    for _ in range(2):
        await given(kim)
    cursor = (await kim.get("assignments?limit=1")).json()["next"]
    problem(await robin.get("assignments", params={"limit": 1, "cursor": cursor}), 400, "cursor-invalid")


async def test_what_is_not_changed_is_not_sent_again(kim: httpx.AsyncClient) -> None:
    made = await given(kim)
    answer = await kim.get(f"assignments/{made['id']}", headers={"If-None-Match": 'W/"1"'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"1"')
    assert (await kim.get(f"assignments/{made['id']}", headers={"If-None-Match": 'W/"2"'})).status_code == 200


async def test_two_completes_at_once_complete_once(practice: Any, kim: httpx.AsyncClient) -> None:
    made = await given(kim)
    twins = [await practice.robin() for _ in range(2)]
    sent: dict[str, Any] = {"json": {"helpfulness": 3}, "headers": {"If-Match": 'W/"1"'}}
    answers = await asyncio.gather(*(each.post(f"assignments/{made['id']}/complete", **sent) for each in twins))
    assert sorted(each.status_code for each in answers) == [200, 412]
    assert len((await kim.get("ratings", params={"assignment": made["id"]})).json()["items"]) == 1


async def test_two_completes_at_once_under_one_key_are_answered_alike(practice: Any, kim: httpx.AsyncClient) -> None:
    made = await given(kim)
    robin = await practice.robin()
    headers = {"If-Match": 'W/"1"', "Idempotency-Key": "one"}
    sent: dict[str, Any] = {"json": {"helpfulness": 3}, "headers": headers}
    answers = await asyncio.gather(*(robin.post(f"assignments/{made['id']}/complete", **sent) for _ in range(2)))
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert sorted(each.headers.get("idempotency-replayed", "") for each in answers) == ["", "true"]
    assert answers[0].headers["content-type"] == answers[1].headers["content-type"] == "application/json"
    assert len((await kim.get("ratings", params={"assignment": made["id"]})).json()["items"]) == 1
    other = sent | {"json": {"helpfulness": 4}}
    problem(await robin.post(f"assignments/{made['id']}/complete", **other), 422, "idempotency-key-reused")
    problem(
        await robin.post(f"assignments/{made['id']}/note", json={"note": "x"}, headers=headers),
        422,
        "idempotency-key-reused",
    )


async def test_two_that_count_at_once_are_both_counted(practice: Any) -> None:
    robin = await practice.robin()
    made = (await robin.post("ratings", json={"kind": "frequency", "value": 0, "what": "steps"})).json()
    answers = await asyncio.gather(*(robin.post(f"ratings/{made['id']}/increment") for _ in range(4)))
    assert [each.status_code for each in answers] == [200] * 4
    assert (await robin.get(f"ratings/{made['id']}")).json()["value"] == 4


async def test_homework_that_is_given_at_once_gets_into_one_plan(practice: Any, kim: httpx.AsyncClient) -> None:
    made = await asyncio.gather(*(given(kim, title=f"Number {number}") for number in range(4)))
    (entry,) = (await practice.system.get("CarePlan?patient=robin")).json()["entry"]
    listed = {each["reference"]["reference"] for each in entry["resource"]["activity"]}
    assert listed == {each["fhir"]["request"] for each in made}


async def test_what_is_done_is_audited_as_by_the_fhir_api(
    practice: Any, robin: httpx.AsyncClient, kim: httpx.AsyncClient
) -> None:
    made = await given(kim)
    await robin.get(f"assignments/{made['id']}", headers={"X-Request-Id": "read-it"})
    await robin.post(f"assignments/{made['id']}/start", headers=STAR | {"X-Request-Id": "start-it"})
    await asyncio.sleep(0.5)
    for request_id, action in (("read-it", "R"), ("start-it", "U")):
        found = (await practice.system.get("AuditEvent", params={"entity:identifier": f"|{request_id}"})).json()
        about = [each["resource"] for each in found.get("entry", ())]
        (event,) = [each for each in about if each["action"] == action and f"Task/{made['id']}" in str(each["entity"])]
        assert any(each.get("who", {}).get("reference") == "Patient/robin" for each in event["agent"])


async def test_a_page_of_a_registered_origin_may_read_it(practice: Any, stage_origin: str) -> None:
    robin = await practice.robin()
    answer = await robin.get("me", headers={"Origin": stage_origin})
    assert answer.headers["access-control-allow-origin"] == stage_origin
    assert "Link" in answer.headers["access-control-expose-headers"]
    assert (
        "access-control-allow-origin" not in (await robin.get("me", headers={"Origin": "https://evil.example"})).headers
    )
    asked = {"Origin": stage_origin, "Access-Control-Request-Method": "POST"}
    preflight = await robin.options("assignments", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, stage_origin)


async def test_the_openapi_document_needs_no_token(practice: Any) -> None:
    answer = await practice.at(None).get("openapi.json")
    assert answer.json()["info"]["title"] == "Hearth homework API"
    problem(await practice.at(None).post("openapi.json"), 405, "method-not-allowed")


async def test_a_replacement_keeps_the_thread(robin: httpx.AsyncClient, kim: httpx.AsyncClient, practice: Any) -> None:
    goal = (await kim.post("goals", json={"client": "robin", "text": "Talk more"})).json()
    made = await given(kim, goals=[goal["id"]], set="session-3", why="It helps", type="social-connection")
    answer = await kim.post(f"assignments/{made['id']}/replace", json={"title": "Text a friend", "reason": "Too much"})
    new = answer.json()
    assert (new["replaces"], new["title"], new["goals"], new["set"], new["why"], new["type"]) == (
        made["id"], "Text a friend", [goal["id"]], "session-3", "It helps", "social-connection",
    )  # fmt: skip
    old = (await robin.get(f"assignments/{made['id']}")).json()
    assert (old["state"], old["barrier"]) == ("withdrawn", {"text": "Too much"})
    request = (await practice.system.get(new["fhir"]["request"])).json()
    assert request["replaces"] == [{"reference": old["fhir"]["request"]}]
    assert (await practice.system.get(old["fhir"]["request"])).json()["status"] == "revoked"


async def test_only_what_clients_may_choose_is_theirs_to_choose(practice: Any, robin: httpx.AsyncClient) -> None:
    problem(await robin.post("assignments", json={"title": "x"}), 403, "task-field-fixed", "#/activity")
    offered = (await robin.get("library/activities?self_assignable=true")).json()["items"]
    assert offered
    answer = await robin.post("assignments", json={"activity": offered[0]["id"]})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["client"], answer.json()["therapist"]) == ("robin", "Patient/robin")


async def test_two_drafts_at_once_are_one(practice: Any, kim: httpx.AsyncClient) -> None:
    form = (await kim.get("library/forms?title=thought")).json()["items"][0]
    made = await given(kim, form=form["id"])
    robin = await practice.robin()
    sent: dict[str, Any] = {"json": {"answers": {"situation": "On the bus"}}}
    answers = await asyncio.gather(*(robin.post(f"assignments/{made['id']}/answers", **sent) for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409]
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"draft-exists"}
    assert len((await robin.get(f"assignments/{made['id']}")).json()["answers"]) == 1


async def test_what_is_private_is_seen_by_nobody_else(practice: Any, kim: httpx.AsyncClient) -> None:
    form = (await kim.get("library/forms?title=thought")).json()["items"][0]
    made = await given(kim, form=form["id"])
    robin = await practice.robin()
    sent: dict[str, Any] = {"json": {"answers": {"situation": "At my sister's"}, "private": True}}
    answers = (await robin.post(f"assignments/{made['id']}/answers", **sent)).json()
    for http in (kim, await practice.app()):
        problem(await http.get(f"answers/{answers['id']}"), 404, "not-found")
        assert (await http.get("answers?client=robin")).json() == {"items": []}
    assert (await robin.post(f"answers/{answers['id']}/share")).json()["private"] is False
    assert (await kim.get(f"answers/{answers['id']}")).json()["answers"] == {"situation": "At my sister's"}


async def test_a_handout_is_where_the_assignment_says(practice: Any, kim: httpx.AsyncClient) -> None:
    made = await given(kim, instructions="1. Call")
    answer = await practice.system.get(made["handout"])
    assert answer.headers["content-type"].startswith("text/html")
    assert "Call a friend" in answer.text


async def test_pictures_and_pages_are_where_the_answers_say(practice: Any, kim: httpx.AsyncClient) -> None:
    await given(kim)
    score = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
        "subject": {"reference": "Patient/robin"},
        "effectiveDateTime": "2026-11-20T09:00:00Z",
        "valueInteger": 12,
    }
    assert (await practice.system.post("Observation", json=score)).status_code == 201
    (course,) = (await kim.get("clients/robin/measures?measure=44261-6")).json()["items"]
    assert (await kim.get("clients/robin/measures")).json()["items"] == [course]
    assert [each["count"] for each in (await kim.get("clients/robin/measures?measure=70274-6")).json()["items"]] == [0]
    adherence = (await kim.get("clients/robin/adherence")).json()
    summary = (await kim.get("clients/robin/summary")).json()
    for address, media_type in (
        (course["chart"], "image/svg+xml"),
        (adherence["chart"], "image/svg+xml"),
        (summary["page"], "text/html"),
    ):
        answer = await practice.system.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith(media_type)


async def test_an_answer_that_tells_of_risk_is_answered_with_words_that_help(
    robin: httpx.AsyncClient, kim: httpx.AsyncClient
) -> None:
    form = next(
        each
        for each in (await kim.get("library/forms", params={"title": "PHQ-9"})).json()["items"]
        if "phq-9|" in each["url"]
    )
    made = await given(kim, form=form["id"])
    asked = {each["key"]: each for each in form["questions"] if each["kind"] == "choice"}
    last = next(each for each in asked.values() if each["key"] in ("44260-8", "/44260-8"))
    body = {"answers": {last["key"]: last["options"][1]["value"]}}
    answer = await robin.post(f"assignments/{made['id']}/answers", json=body)
    assert answer.status_code == 201, answer.text
    (notice,) = answer.json()["notices"]
    assert notice["code"] == "crisis-information"
    assert "your safety" in notice["text"]
    held = (await robin.get(f"answers/{answer.json()['id']}")).json()
    assert "notices" not in held
