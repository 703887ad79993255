"""How things go: by the operations of the FHIR API, told plainly. Docs: docs/homework-api.md."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from fhir_mappings import shaping
from fhir_mappings.homework_api import insight as mapping
from fhir_mappings.homework_api import summary as summaries
from fhir_mappings.lifecycle import ACTIVITY_TYPE
from fhir_mappings.observation import LOINC
from schemas import json
from schemas.measures import measures
from service.call import Reply
from service.errors import Unprocessable
from service.homework_api.ask import Ask, Write, absent, changed
from service.interactions.replies import record_of
from service.interactions.table import INTERACTIONS

JsonObject = dict[str, Any]
_PROPOSAL: Final = f"{ACTIVITY_TYPE}|review-proposal"


async def operated(ask: Ask, name: str, client: str, params: Sequence[tuple[str, str]]) -> JsonObject:
    """The answer of an operation on a client, with its record."""
    call = replace(
        ask.call, interaction=name, operation=f"${name}", type="Patient", id=client, params=tuple(params), body=None
    )
    reply = await INTERACTIONS[name](call, ask.store)
    ask.records.append(record_of(call, reply, ""))
    found: JsonObject = json.decode(reply.content or b"")
    return found


async def courses(ask: Ask) -> Reply:
    """The course of measures, of those asked for or of all that were taken, and what published rules say of its change."""
    query, client = ask.query, ask.ids["client"]
    asked = query.measure.split(",") if query.measure else [code for system, code in measures() if system == LOINC]
    params = [("code", f"{LOINC}|{each.strip()}") for each in asked]
    params += [(name, value) for name, value in (("start", query.start), ("end", query.end)) if value]
    told = await operated(ask, "trend", client, params)
    chart = f"{ask.call.base}/Patient/{client}/$chart?kind=score&code={{measure}}"
    found = mapping.courses(told, chart)
    return ask.listed(found if query.measure else [each for each in found if each.count], None)


async def adherence(ask: Ask) -> Reply:
    """How much of what was planned was done."""
    query, client = ask.query, ask.ids["client"]
    params = [(name, value) for name in ("start", "end", "by") if (value := getattr(query, name))]
    told = await operated(ask, "adherence", client, params)
    chart = f"{ask.call.base}/Patient/{client}/$chart?kind=adherence-calendar"
    return ask.about(client, ask.reply(mapping.adherence(told, chart)))


async def summary(ask: Ask) -> Reply:
    """What to begin a session with, in words."""
    query, client = ask.query, ask.ids["client"]
    params = [(name, value) for name in ("start", "end", "language") if (value := getattr(query, name))]
    told = await operated(ask, "session-summary", client, params)
    page = f"{ask.call.base}/Patient/{client}/$session-summary?_format=html"
    return ask.about(client, ask.reply(summaries.summary(told, client, page)))


async def proposals(ask: Ask) -> Reply:
    """A page of proposals, newest first."""
    query = ask.query
    params = [("code", _PROPOSAL), ("intent", "proposal"), ("_sort", "-authored-on")]
    params += [("patient", query.client)] if query.client else []
    params += [("status", mapping.STATUS[query.state])] if query.state else []
    found = await ask.page("Task", params)
    return ask.listed([mapping.proposal(each) for each in found.matches], found.cursor)


async def proposal(ask: Ask) -> Reply:
    """One proposal."""
    found = await ask.resource("Task", ask.ids["id"])
    _require_proposal(found)
    return ask.reply(mapping.proposal(found), of=found)


async def accept(ask: Ask) -> Reply:
    """Yes: what follows from it the therapist does."""
    return await _answered(ask, accepted=True)


async def decline(ask: Ask) -> Reply:
    """No: the rule does not ask again before some more was done."""
    return await _answered(ask, accepted=False)


async def _answered(ask: Ask, *, accepted: bool) -> Reply:
    async def make(task: JsonObject) -> list[Write]:
        _require_proposal(task)
        if task["status"] != "requested":
            raise Unprocessable("This proposal was answered already", details_code="task-transition")
        return [changed(shaping.answered(task, accepted=accepted, now=ask.now, reason=ask.body.reason), task)]

    written = await ask.change("Task", ask.ids["id"], make)
    return ask.reply(mapping.proposal(written[0]), of=written[0])


def _require_proposal(task: JsonObject) -> None:
    codings = task.get("code", {}).get("coding", ())
    if not any(f"{each.get('system')}|{each.get('code')}" == _PROPOSAL for each in codings):
        raise absent("proposal", task["id"])
