"""batch and transaction. https://hl7.org/fhir/R4/http.html#transaction"""

from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from schemas import ids, json
from schemas.outcome import Issue, error, outcome
from schemas.registry import REGISTRY
from schemas.validate import validate as faults_of
from service.call import Call, Conditions, Reply
from service.errors import BadRequest, Conflict, HearthError, NotFound, PreconditionFailed
from service.interactions import conditional, create, delete, patch, replies, update
from service.interactions.plan import Plan, Planner, commit
from service.interactions.routes import Route, route
from service.store import Store, VersionConflict

JsonObject = dict[str, Any]
Interaction = Callable[[Call, Store], Awaitable[Reply]]
_MOST: Final = 1000
_ORDER: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
_REASONS: Final = {
    200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 410: "Gone",
    412: "Precondition Failed", 415: "Unsupported Media Type", 422: "Unprocessable Entity",
    428: "Precondition Required", 429: "Too Many Requests", 503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a Bundle: its place, its address, and what it asks."""

    at: int
    full_url: str | None
    method: str
    call: Call
    query: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an entry; `entry` is None when not even its request could be read."""

    reply: Reply
    entry: Entry | None
    refusal: HearthError | None = None


async def bundle(call: Call, store: Store, interactions: Mapping[str, Interaction]) -> Reply:
    """Carry out a Bundle posted to the base: a batch entry by entry, a transaction whole or not at all."""
    body = call.body
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise BadRequest(
            "Post a Bundle of type batch or transaction to the base address", details_code="bundle-required"
        )
    faults = faults_of(body, entries=False)
    if faults:
        raise BadRequest(issues=faults)
    entries = body.get("entry", [])
    if len(entries) > _MOST:
        raise BadRequest(f"A Bundle may have {_MOST} entries at most; this one has {len(entries)}", code="too-costly")
    if body.get("type") == "batch":
        return await _batch(call, store, entries, interactions)
    if body.get("type") == "transaction":
        return await _transaction(call, store, entries, interactions)
    raise BadRequest(
        f"Bundle.type {body.get('type')!r} cannot be posted; send batch or transaction", expression=("Bundle.type",)
    )


async def _batch(
    call: Call, store: Store, entries: Sequence[JsonObject], interactions: Mapping[str, Interaction]
) -> Reply:
    answers: list[Answer] = []
    for at, entry in enumerate(entries):
        parsed = None
        try:
            parsed = _parse(call, at, entry)
            answers.append(Answer(await interactions[parsed.call.interaction](parsed.call, store), parsed))
        except HearthError as refusal:
            answers.append(Answer(Reply(refusal.status), parsed, _located(at, refusal)))
    return _reply("batch-response", answers)


async def _transaction(
    call: Call, store: Store, entries: Sequence[JsonObject], interactions: Mapping[str, Interaction]
) -> Reply:
    parsed = [_located_parse(call, at, entry) for at, entry in enumerate(entries)]
    done: dict[int, Reply] = {}
    async with store.transaction():
        named, plans = await _named(store, parsed)
        rewritten = await _rewritten(call, store, named, plans)
        rewritten = _valid(rewritten)
        for entry in sorted(rewritten, key=lambda each: _ORDER[each.method]):
            if entry.method in ("GET", "HEAD"):
                continue
            if entry.at not in plans:
                plans[entry.at] = await _awaited(entry.at, _PLANNERS[entry.call.interaction](entry.call, store))
        _require_apart(plans)
        await _commit(plans, store)
        done = {at: plan.reply for at, plan in plans.items()}
        for entry in rewritten:
            if entry.method in ("GET", "HEAD"):
                act = interactions[entry.call.interaction]
                done[entry.at] = await _awaited(entry.at, act(entry.call, store))
    return _reply("transaction-response", [Answer(done[at], entry) for at, entry in enumerate(parsed)])


async def _planned_create(call: Call, store: Store) -> Plan:
    call.grant.require("c", str(call.type))
    return await create.plan(call, store)


async def _planned_update(call: Call, store: Store) -> Plan:
    update.require_changeable(call)
    return await (update.plan if call.id is not None else update.plan_conditional)(call, store)


async def _planned_delete(call: Call, store: Store) -> Plan:
    update.require_changeable(call)
    call.grant.require("d", str(call.type))
    return await (delete.plan if call.id is not None else delete.plan_conditional)(call, store)


async def _planned_patch(call: Call, store: Store) -> Plan:
    update.require_changeable(call)
    call.grant.require("u", str(call.type))
    return await (patch.plan if call.id is not None else patch.plan_conditional)(call, store)


_PLANNERS: Final[dict[str, Planner]] = {
    "create": _planned_create,
    "update": _planned_update,
    "delete": _planned_delete,
    "patch": _planned_patch,
}


async def _commit(plans: dict[int, Plan], store: Store) -> None:
    places = [at for at in sorted(plans) if plans[at].change is not None]
    if not places:
        return
    try:
        written = await commit([plans[at] for at in places], store)
    except VersionConflict as conflict:
        raise Conflict(
            f"{conflict}; nothing of this transaction was written, send it again", retry_after=1
        ) from conflict
    for at, change in zip(places, written, strict=False):
        plan = plans[at]
        if plan.change is not change and plan.reply.content is not None:
            plans[at] = replace(plan, reply=replies.written(plan.call, change, plan.reply.status))


def _parse(call: Call, at: int, entry: JsonObject) -> Entry:
    request = entry.get("request")
    where = f"Bundle.entry[{at}].request"
    if not isinstance(request, dict) or not isinstance(request.get("url"), str) or "method" not in request:
        raise BadRequest("Every entry needs request.method and request.url", code="required", expression=(where,))
    method, url = request["method"], request["url"]
    if method not in _ORDER:
        raise BadRequest(f"{method!r} is not one of {', '.join(_ORDER)}", code="value", expression=(f"{where}.method",))
    path, _, query = url.removeprefix(f"{call.base}/").removeprefix(call.base).removeprefix("/").partition("?")
    found = route(method, [unquote(part) for part in path.split("/") if part])
    if not isinstance(found, Route) or found.interaction in ("transaction", "capabilities"):
        raise NotFound(f"{method} {path!r} is no address that a Bundle can ask for", expression=(f"{where}.url",))
    media_type, body = _body(entry.get("resource"), found.interaction)
    return Entry(
        at,
        entry.get("fullUrl"),
        method,
        replace(
            call,
            interaction=found.interaction,
            type=found.type,
            id=found.id,
            version=found.version,
            operation=found.operation,
            compartment=found.compartment,
            params=tuple(parse_qsl(query, keep_blank_values=True)),
            body=body,
            media_type=media_type,
            conditions=Conditions(
                if_match=_tag(request.get("ifMatch")),
                if_none_match=_tag(request.get("ifNoneMatch")),
                if_none_exist=request.get("ifNoneExist"),
            ),
            self_url=f"{call.base}/{path}",
        ),
        query,
    )


def _body(resource: Any, interaction: str) -> tuple[str, Any]:
    """(media type, body): a Binary carries a JSON Patch in base64, as the specification has it."""
    if interaction == "patch" and isinstance(resource, dict) and resource.get("resourceType") == "Binary":
        return str(resource.get("contentType", "")), _decoded(resource.get("data"))
    return "application/fhir+json", resource


def _decoded(data: Any) -> Any:
    try:
        return json.decode(b64decode(str(data), validate=True))
    except (ValueError, json.JsonFault) as fault:
        raise BadRequest(f"The Binary's data is not a patch in base64: {fault}") from fault


def _tag(value: Any) -> str | None:
    return None if value is None else str(value).removeprefix("W/").strip('"')


async def _named(store: Store, entries: Sequence[Entry]) -> tuple[list[Entry], dict[int, Plan]]:
    """Creates get their ids before anything refers to them; a conditional create that finds its resource is planned already."""
    named: list[Entry] = []
    plans: dict[int, Plan] = {}
    seen: set[str] = set()
    for entry in entries:
        if entry.full_url is not None and entry.full_url in seen:
            raise BadRequest(
                f"fullUrl {entry.full_url} stands twice", expression=(f"Bundle.entry[{entry.at}].fullUrl",)
            )
        seen.add(entry.full_url or "")
        call = entry.call
        if call.interaction == "create":
            call.grant.require("c", str(call.type))
            if call.conditions.if_none_exist is not None:
                planned = partial(create.plan_conditional, call, store)
                alone = conditional.alone(call, store, call.conditions.if_none_exist, planned)
                plan = await _awaited(entry.at, alone)
                if plan.change is None:
                    plans[entry.at] = plan
                    call = replace(call, id=plan.reply.id)
            if call.id is None:
                call = replace(call, id=str(ids.new(call.now.timestamp())))
        named.append(replace(entry, call=call))
    return named, plans


async def _rewritten(call: Call, store: Store, entries: Sequence[Entry], plans: Mapping[int, Plan]) -> list[Entry]:
    """Every resource with its references to other entries, and its conditional references, made real."""
    places = {
        entry.full_url: f"{entry.call.type}/{entry.call.id}"
        for entry in entries
        if entry.full_url is not None and entry.call.id is not None
    }
    faults: list[Issue] = []
    result = []
    for entry in entries:
        if isinstance(entry.call.body, dict) and entry.at not in plans:
            where = f"Bundle.entry[{entry.at}].resource"
            found = await _conditional_references(call, store, entry.call.body, where, faults)
            body = _replaced(entry.call.body, places | found, where, faults)
            entry = replace(entry, call=replace(entry.call, body=body))
        result.append(entry)
    if faults:
        raise BadRequest(issues=faults)
    return result


def _replaced(node: Any, places: Mapping[str, str], where: str, faults: list[Issue]) -> Any:
    if isinstance(node, dict):
        return {name: _replaced(child, places, f"{where}.{name}", faults) for name, child in node.items()}
    if isinstance(node, list):
        return [_replaced(child, places, f"{where}[{at}]", faults) for at, child in enumerate(node)]
    if not isinstance(node, str):
        return node
    if node in places:
        return places[node]
    if where.endswith(".reference") and node.startswith(("urn:uuid:", "urn:oid:")):
        sentence = f"{node} is the fullUrl of no entry of this Bundle"
        faults.append(error("not-found", sentence, where, details_code="reference-unresolved"))
    return node


async def _conditional_references(
    call: Call, store: Store, body: JsonObject, where: str, faults: list[Issue]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in _references(body):
        type_name, mark, query = text.partition("?")
        if not mark or type_name not in REGISTRY.types or text in found:
            continue
        try:
            match = await conditional.match(replace(call, type=type_name), store, query)
        except PreconditionFailed as refusal:
            faults.extend(replace(issue, expression=(where,)) for issue in refusal.issues)
            continue
        if match is None:
            sentence = f"The conditional reference {text} finds nothing"
            faults.append(error("not-found", sentence, where, details_code="reference-unresolved"))
        else:
            found[text] = f"{type_name}/{match.id}"
    return found


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [text for child in node for text in _references(child)]
    if not isinstance(node, dict):
        return []
    own = node.get("reference")
    return ([own] if isinstance(own, str) else []) + [text for child in node.values() for text in _references(child)]


def _valid(entries: Sequence[Entry]) -> list[Entry]:
    """The entries as validated. Raises BadRequest with the faults of all, so that a client mends them in one go."""
    faults = [
        _placed(entry.at, issue)
        for entry in entries
        if entry.call.interaction in ("create", "update") and isinstance(entry.call.body, dict)
        for issue in faults_of(entry.call.body)
    ]
    if faults:
        raise BadRequest(issues=faults)
    return [replace(entry, call=replace(entry.call, validated=True)) for entry in entries]


def _require_apart(plans: Mapping[int, Plan]) -> None:
    """Raise BadRequest where two entries write the same resource."""
    seen: dict[tuple[str, str], int] = {}
    for at, plan in plans.items():
        if plan.change is None:
            continue
        name = (plan.change.type, plan.change.id)
        if name in seen:
            raise BadRequest(
                f"Entries {min(at, seen[name])} and {max(at, seen[name])} both write {'/'.join(name)}; write it once",
                expression=(f"Bundle.entry[{at}]",),
                details_code="written-twice",
            )
        seen[name] = at


def _placed(at: int, issue: Issue) -> Issue:
    where = f"Bundle.entry[{at}].resource"
    inside = tuple(f"{where}.{text.partition('.')[2]}" if "." in text else where for text in issue.expression)
    return replace(issue, expression=inside or (f"Bundle.entry[{at}]",))


def _located(at: int, refusal: HearthError) -> HearthError:
    refusal.issues = tuple(
        issue if issue.expression[:1] and issue.expression[0].startswith("Bundle.") else _placed(at, issue)
        for issue in refusal.issues
    )
    return refusal


def _located_parse(call: Call, at: int, entry: JsonObject) -> Entry:
    try:
        return _parse(call, at, entry)
    except HearthError as refusal:
        raise _located(at, refusal) from None


async def _awaited(at: int, act: Awaitable[Any]) -> Any:
    try:
        return await act
    except HearthError as refusal:
        raise _located(at, refusal) from None


def _reply(kind: str, answers: Sequence[Answer]) -> Reply:
    head = json.encode({"resourceType": "Bundle", "type": kind})
    parts = [_answer(answer) for answer in answers]
    content = head if not parts else head[:-1] + b',"entry":[' + b",".join(parts) + b"]}"
    unwritten = (answer for answer in answers if answer.entry is not None and not answer.reply.audited)
    audits = tuple(
        replies.record_of(answer.entry.call, answer.reply, answer.entry.query) for answer in unwritten if answer.entry
    )
    return Reply(200, content, audited=True, audits=audits)


def _answer(answer: Answer) -> bytes:
    reply, refusal = answer.reply, answer.refusal
    response: JsonObject = {"status": f"{reply.status} {_REASONS.get(reply.status, '')}".strip()}
    if reply.location is not None:
        response["location"] = reply.location
    if reply.version is not None and reply.status != 204:
        response["etag"] = f'W/"{reply.version}"'
    if reply.updated is not None:
        response["lastModified"] = reply.updated.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if refusal is not None:
        response["outcome"] = outcome(refusal.issues)
    tail = b'"response":' + json.encode(response) + b"}"
    return b"{" + (b'"resource":' + reply.content + b"," if reply.content is not None else b"") + tail
