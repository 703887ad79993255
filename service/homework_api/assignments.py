"""Assignments: listed by where they stand, read, and moved on by verbs. Docs: docs/homework-api.md."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fhir_mappings.homework_api import assignment as mapping
from fhir_mappings.homework_api import verbs
from fhir_mappings.homework_api.element import id_of, ids_of
from fhir_mappings.homework_api.results import observation
from fhir_mappings.homework_api.verbs import VERBS, Impossible, Saying
from fhir_mappings.lifecycle import BUSINESS_STATUS, Actor, allowed
from schemas import dates
from schemas.homework import vocabulary
from schemas.homework.assignments import Assignment
from schemas.homework.results import NewRating
from service.call import Reply
from service.errors import HearthError, Unprocessable
from service.homework_api.ask import Ask, Write, changed, escaped

JsonObject = dict[str, Any]
Params = list[tuple[str, str]]
_LIVE: Final = "accepted,ready,in-progress"
_BUSINESS: Final = f"{BUSINESS_STATUS}|"
_STATES: Final[Mapping[str, Sequence[tuple[str, str]]]] = MappingProxyType(
    {
        "open": (("status", f"requested,received,{_LIVE},on-hold"),),
        "ended": (("status", "completed,failed,cancelled,rejected"),),
        "draft": (("status", "draft"),),
        "offered": (("status", "requested,received"),),
        "upcoming": (("status", "accepted,ready"), ("due", "sa{now}")),
        "due": (("status", "accepted,ready"), ("due", "ge{now}"), ("due", "le{now}")),
        "anytime": (("status", _LIVE), ("due:missing", "true")),
        "started": (("status", "in-progress"), ("due", "ge{now}")),
        "overdue": (("status", _LIVE), ("due", "eb{now}")),
        "paused": (("status", "on-hold"),),
        "done": (("status", "completed"), ("business-status:not", f"{_BUSINESS}partially-done")),
        "partly-done": (("status", "completed"), ("business-status", f"{_BUSINESS}partially-done")),
        "declined": (("status", "rejected"),),
        "not-finished": (("status", "failed"),),
        "missed": (("status", "cancelled"), ("business-status", f"{_BUSINESS}missed")),
        "withdrawn": (("status", "cancelled"), ("business-status:not", f"{_BUSINESS}missed")),
        "in-error": (("status", "entered-in-error"),),
    }
)
"""What finds the assignments that stand so; {now} is the time."""
_REVIEWED: Final = {True: "business-status", False: "business-status:not"}
_POINTERS: Final = MappingProxyType(
    {
        "statusReason": "#/barrier",
        "restriction.period.end": "#/due",
        "restriction.period": "#/due",
        "note": "#/note",
        "output": "#/reflection",
        "executionPeriod.start": "#/started_at",
        "executionPeriod": "#/at",
    }
)
"""Where in the body of a verb an element of the Task comes from."""


async def listed(ask: Ask) -> Reply:
    """A page of assignments."""
    found = await ask.page("Task", _params(ask))
    items = [_assignment(ask, task, found.included) for task in found.matches]
    return ask.listed(items, found.cursor)


def _params(ask: Ask) -> Params:
    query, now = ask.query, dates.instant(ask.moment)
    found: Params = [("_include", "Task:based-on:ServiceRequest"), ("_sort", _SORTS[query.sort])]
    if query.state is None:
        found.append(("status:not", "entered-in-error"))
    else:
        found += [(name, value.replace("{now}", now)) for name, value in _STATES[query.state]]
    asked = (
        ("code", query.type and f"{vocabulary.system('activity-type')}|{query.type}"),
        ("patient", query.client),
        ("due", query.due_from and f"ge{query.due_from}"),
        ("due", query.due_until and f"le{query.due_until}"),
        ("part-of", query.part_of and f"Task/{query.part_of}"),
        ("part-of:missing", None if query.whole is None else str(query.whole).lower()),
        ("group-identifier", query.set and escaped(query.set)),
        (_REVIEWED.get(query.reviewed, ""), query.reviewed is not None and f"{_BUSINESS}reviewed"),
    )
    homework = ",".join(f"{vocabulary.system('activity-type')}|{each}" for each in sorted(vocabulary.SERVERS_OWN))
    return [*found, ("code:not", homework), *((name, value) for name, value in asked if value)]


_SORTS: Final = MappingProxyType(
    {"starts": "due", "-starts": "-due", "changed": "_lastUpdated", "-changed": "-_lastUpdated"}
)


async def read(ask: Ask) -> Reply:
    """One assignment."""
    return await told(ask, await ask.resource("Task", ask.ids["id"]))


async def told(ask: Ask, task: JsonObject, status: int = 200, cautions: tuple[str, ...] = ()) -> Reply:
    """The assignment that a Task is, with its request where that may be seen, as the answer."""
    request = await _request(ask, task)
    made = _shown(ask, task, request).model_copy(update={"cautions": cautions or None})
    return ask.reply(made, status, of=task, at=f"assignments/{task['id']}" if status == 201 else "")


async def _request(ask: Ask, task: JsonObject) -> JsonObject | None:
    found = ids_of(task.get("basedOn", ()), "ServiceRequest")
    return await ask.seen("ServiceRequest", found[0]) if found else None


def _assignment(ask: Ask, task: JsonObject, included: Mapping[str, JsonObject]) -> Assignment:
    requests = (f"ServiceRequest/{each}" for each in ids_of(task.get("basedOn", ()), "ServiceRequest"))
    return _shown(ask, task, next((included[each] for each in requests if each in included), None))


def _shown(ask: Ask, task: JsonObject, request: JsonObject | None) -> Assignment:
    made = mapping.assignment(task, request, ask.call.now)
    return made.model_copy(update={"handout": f"{ask.call.base}/Task/{made.id}/$handout"})


def verb(name: str) -> Callable[[Ask], Awaitable[Reply]]:
    """What `/assignments/{id}/{name}` does."""

    async def act(ask: Ask) -> Reply:
        async def make(task: JsonObject) -> list[Write]:
            return await _writes(ask, name, task)

        written = await ask.change("Task", ask.ids["id"], make)
        return await told(ask, written[0])

    return act


async def _writes(ask: Ask, name: str, task: JsonObject) -> list[Write]:
    saying = Saying(ask.now, ask.author)
    try:
        after = verbs.said(VERBS[name], task, ask.body, saying)
    except Impossible:
        raise _impossible(ask, name, task) from None
    _require_possible(ask, name, task, after)
    return [changed(after, task, _POINTERS), *await _more(ask, name, task, after)]


async def _more(ask: Ask, name: str, before: JsonObject, after: JsonObject) -> list[Write]:
    """What is written along with the Task."""
    along = _ALONG.get(name)
    return [] if along is None else await along(ask, before, after)


async def _rated(ask: Ask, _before: JsonObject, task: JsonObject) -> list[Write]:
    return _ratings(ask, task)


async def _withdrawn(ask: Ask, before: JsonObject, _task: JsonObject) -> list[Write]:
    return await set_requests(ask, before, ("active", "draft", "on-hold"), "revoked")


async def _published(ask: Ask, before: JsonObject, _task: JsonObject) -> list[Write]:
    return await set_requests(ask, before, ("draft",), "active")


async def _reviewed(ask: Ask, _before: JsonObject, task: JsonObject) -> list[Write]:
    """What was said, with the homework in the client's plan."""
    requests = ",".join(f"ServiceRequest/{each}" for each in ids_of(task.get("basedOn", ()), "ServiceRequest"))
    if ask.body.progress is None or not requests:
        return []
    plan = await ask.one("CarePlan", [("activity-reference", requests), ("_sort", "-_lastUpdated")])
    if plan is None:
        raise Unprocessable(
            "There is no plan with this homework in it to keep `progress` with", details_code="plan-absent"
        )
    return [changed(verbs.progressed(plan, task, ask.body.progress, Saying(ask.now, ask.author)), plan)]


async def set_requests(ask: Ask, task: JsonObject, statuses: Sequence[str], status: str) -> list[Write]:
    """The prescription behind a whole assignment in another status, where it is in one of these."""
    if task.get("partOf"):
        return []
    found = []
    for each in ids_of(task.get("basedOn", ()), "ServiceRequest"):
        request = await ask.seen("ServiceRequest", each)
        if request is not None and request["status"] in statuses:
            found.append(changed({**request, "status": status}, request))
    return found


_ALONG: Final = MappingProxyType(
    {
        "complete": _rated,
        "withdraw": _withdrawn,
        "publish": _published,
        "offer": _published,
        "review": _reviewed,
    }
)


def _ratings(ask: Ask, task: JsonObject) -> list[Write]:
    client = id_of(task.get("for"), "Patient")
    numbers = {"helpfulness": ask.body.helpfulness, "difficulty": ask.body.difficulty}
    return [
        Write(
            observation(
                NewRating(kind=kind, value=value, assignment=task["id"], at=ask.body.at),
                client=client,
                author=ask.author or f"Patient/{client}",
                now=ask.now,
            ),
            pointers={"": f"#/{kind}"},
        )
        for kind, value in numbers.items()
        if value is not None and client is not None
    ]


def _require_possible(ask: Ask, name: str, task: JsonObject, after: JsonObject) -> None:
    """Raise Unprocessable, in the words of the API, for a step that the lifecycle does not have."""
    if after["status"] != task["status"] and after["status"] not in allowed(task["status"], _actor(ask)):
        raise _impossible(ask, name, task)


def _impossible(ask: Ask, name: str, task: JsonObject) -> HearthError:
    actor, possible = _actor(ask), []
    for other, each in VERBS.items():
        to = each.to if isinstance(each.to, str) else (each.to or {}).get(task["status"])
        if to in allowed(task["status"], actor):
            possible.append(other)
    state = mapping.state(task, ask.call.now)
    return Unprocessable(
        f"{name} is not possible for an assignment that is {state}"
        + (f"; {', '.join(possible)} would be" if possible else "; a new one can be made of it with replace"),
        code="business-rule",
        details_code="task-transition",
    )


def _actor(ask: Ask) -> Actor:
    if ask.is_client:
        return Actor.CLIENT
    return Actor.THERAPIST if ask.author else Actor.SYSTEM
