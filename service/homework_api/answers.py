"""Answers to forms: drafts saved and gone on with, submitted, amended, stopped. Docs: docs/homework-api.md."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from fhir_mappings.assignment import OPEN, asked_for
from fhir_mappings.homework_api import fill as filling
from fhir_mappings.homework_api import response as responses
from fhir_mappings.homework_api.element import ids_of
from fhir_mappings.homework_api.fill import Filled
from fhir_mappings.occurrence import made_until
from schemas import ids, json
from schemas.homework.answers import ChangedAnswers, Submission
from schemas.outcome import Issue
from service.call import Reply
from service.errors import BadRequest, Conflict, NotFound, Unprocessable
from service.homework_api.ask import Ask, Write, changed
from service.interactions.table import Interaction
from service.operations import share as sharing

JsonObject = dict[str, Any]
_POINTERS: Final = {"item": "#/answers", "authored": "#/at"}
_OVER: Final = ("stopped", "entered-in-error")


async def listed(ask: Ask) -> Reply:
    """A page of answers, newest first."""
    query = ask.query
    params = [("_sort", "-authored"), ("_include", "QuestionnaireResponse:questionnaire")]
    asked = (
        ("patient", query.client),
        ("status", query.state and responses.STATUS[query.state]),
        ("_has:Task:output:_id", query.assignment),
    )
    params += [(name, value) for name, value in asked if value]
    params += [] if query.state else [("status:not", "entered-in-error")]
    found = await ask.page("QuestionnaireResponse", params)
    forms = list(found.included.values())
    items = [responses.answers(each, _form_among(forms, each.get("questionnaire", ""))) for each in found.matches]
    return ask.listed(items, found.cursor)


def _form_among(forms: list[JsonObject], canonical: str) -> JsonObject | None:
    url, _, version = canonical.partition("|")
    return next((each for each in forms if each.get("url") == url and version in ("", each.get("version"))), None)


async def read(ask: Ask) -> Reply:
    """What was answered."""
    return await _told(ask, await ask.resource("QuestionnaireResponse", ask.ids["id"]))


async def _told(ask: Ask, response: JsonObject, form: JsonObject | None = None, status: int = 200) -> Reply:
    known = form or await _form(ask, response.get("questionnaire", ""))
    at = f"answers/{response['id']}" if status == 201 else ""
    return ask.reply(responses.answers(response, known), status, of=response, at=at)


async def _form(ask: Ask, canonical: str) -> JsonObject | None:
    """The Questionnaire of this canonical, where it may be seen."""
    url, _, version = canonical.partition("|")
    if not url or not ask.call.grant.permits("s", "Questionnaire"):
        return None
    params = [("url", url), *([("version", version)] if version else [("status:not", "retired")])]
    return await ask.one("Questionnaire", [*params, ("_sort", "-_lastUpdated")])


async def _known_form(ask: Ask, canonical: str) -> JsonObject:
    ask.call.grant.require("s", "Questionnaire")
    form = await _form(ask, canonical)
    if form is None:
        raise NotFound(f"The form {canonical[:200]} is not held here", details_code="questionnaire-unknown")
    return form


async def begin(ask: Ask) -> Reply:
    """Answers to the form of an assignment: a draft, or all of them at once."""
    response, form = await ask.again(lambda: _begun(ask))
    return await _told(ask, response, form, 201)


async def _begun(ask: Ask) -> tuple[JsonObject, JsonObject]:
    """The new response and its form."""
    task = await ask.resource("Task", ask.ids["id"])
    canonical = next(asked_for(task), None)
    if canonical is None:
        raise Unprocessable(
            "This assignment has no form to answer; say how it went with complete", details_code="form-absent"
        )
    await _require_no_draft(ask, task)
    form = await _known_form(ask, canonical)
    filled = _filled(form, ask.body.answers)
    made = responses.response(
        task,
        canonical,
        filled.items,
        status="completed" if ask.body.submit else "in-progress",
        at=ask.body.at or ask.now,
        author=ask.author,
        private=ask.body.private,
    )
    name = f"urn:uuid:{ids.new(ask.call.now.timestamp())}"
    writes = [Write(made, None, name, _pointers(filled)), *_hung(ask, task, name)]
    return (await ask.write(writes))[0], form


def _hung(ask: Ask, task: JsonObject, reference: str) -> list[Write]:
    """The assignment with the answers hanging on it from the start: of a series it is the one that was named.

    Answers to a series as a whole are done by the time that they fall into, and those to what is over change it no more.
    """
    if ask.body.submit:
        is_one = task["status"] in OPEN and made_until(task) is None
        return [changed(responses.hung(task, reference), task)] if is_one else []
    # Only who does the homework begins it: what a therapist copies from paper is begun by being submitted.
    begins = ask.is_client or ask.author is None
    return [changed((responses.begun if begins else responses.hung)(task, reference), task)]


async def _require_no_draft(ask: Ask, task: JsonObject) -> None:
    held = [each["valueReference"] for each in task.get("output", ()) if "valueReference" in each]
    for each in ids_of(held, "QuestionnaireResponse"):
        found = await ask.seen("QuestionnaireResponse", each)
        if found is not None and found["status"] == "in-progress":
            raise Conflict(f"There is a draft already: go on with PUT /answers/{each}", details_code="draft-exists")


def _filled(form: JsonObject, answers: Mapping[str, Any]) -> Filled:
    filled = filling.fill(form, answers)
    if filled.faults:
        issues = [Issue("error", "value", each.sentence, (each.pointer,), each.code) for each in filled.faults]
        raise BadRequest(issues=issues)
    return filled


def _pointers(filled: Filled) -> dict[str, str]:
    places = {path.partition(".")[2]: pointer for path, pointer in filled.places.items()}
    return {"": "#/answers", **_POINTERS, **places}


async def save(ask: Ask) -> Reply:
    """All answers anew: of a draft the draft, of what was submitted the amended answers."""
    return await _changed(ask, ask.body, {"in-progress": "in-progress"}, "amended")


async def submit(ask: Ask) -> Reply:
    """A draft as it is, or with these answers, as complete."""
    return await _changed(ask, ask.body, {"in-progress": "completed"}, None)


async def stop(ask: Ask) -> Reply:
    """End a draft that nobody goes on with; what was answered is kept."""
    return await _changed(ask, None, {"in-progress": "stopped"}, None)


async def _changed(
    ask: Ask, body: ChangedAnswers | Submission | None, to: Mapping[str, str], otherwise: str | None
) -> Reply:
    form: JsonObject | None = None

    async def make(found: JsonObject) -> list[Write]:
        nonlocal form
        status = to.get(found["status"], None if found["status"] in _OVER else otherwise)
        if status is None:
            raise Unprocessable(
                f"This is not possible for answers that are {responses.answers(found, None).state}",
                code="business-rule",
                details_code="answers-settled",
            )
        if body is None or body.answers is None:
            return [changed({**found, "status": status, "authored": ask.now}, found, {"": "#/answers"})]
        form = await _known_form(ask, found.get("questionnaire", ""))
        filled = _filled(form, body.answers)
        made = responses.answered(found, filled.items, status=status, at=body.at or ask.now)
        return [changed(made, found, _pointers(filled))]

    written = await ask.change("QuestionnaireResponse", ask.ids["id"], make)
    return await _told(ask, written[0], form)


async def share(ask: Ask) -> Reply:
    """Show what was private to those who see the client's record."""
    return await _shared(ask, sharing.share)


async def unshare(ask: Ask) -> Reply:
    """Keep it to oneself again."""
    return await _shared(ask, sharing.unshare)


async def _shared(ask: Ask, act: Interaction) -> Reply:
    call = replace(ask.call, type="QuestionnaireResponse", id=ask.ids["id"], params=(), body=None)
    reply = await act(call, ask.store)
    ask.records += reply.audits
    return await _told(ask, json.decode(reply.content or b""))
