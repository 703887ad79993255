"""One entry of a batch or transaction: its request as a Call, its answer as JSON. https://hl7.org/fhir/R4/bundle.html#transaction"""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote

from schemas import dates, json
from schemas.outcome import Issue, outcome
from service import query_string
from service.call import Call, Conditions, Reply
from service.errors import BadRequest, HearthError, NotFound
from service.interactions import operations, replies
from service.interactions.routes import Route, require_held, route

JsonObject = dict[str, Any]
_OUTSIDE: Final = ("transaction", "capabilities")
"""What only a request of its own can ask for."""
_REASONS: Final = {
    200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict", 410: "Gone",
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

    @property
    def place(self) -> str:
        """Where it stands, as FHIRPath."""
        return f"Bundle.entry[{self.at}]"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an entry; `entry` is None when not even its request could be read."""

    reply: Reply
    entry: Entry | None
    refusal: HearthError | None = None


def parse(call: Call, at: int, entry: JsonObject) -> Entry:
    """The entry of a valid Bundle. Raises HearthError for an address that nothing has and a patch that cannot be read."""
    request: JsonObject = entry["request"]
    method, url = request["method"], request["url"]
    path, _, query = url.removeprefix(f"{call.base}/").removeprefix("/").partition("?")
    found = _route(at, method, path)
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
            params=query_string.parse(query),
            body=body,
            media_type=media_type,
            conditions=_conditions(request),
            accept=operations.FHIR_JSON,
            self_url=f"{call.base}/{path}",
        ),
        query,
    )


def _route(at: int, method: str, path: str) -> Route:
    found = route(method, [unquote(part) for part in path.split("/") if part])
    if not isinstance(found, Route) or found.interaction in _OUTSIDE or not _is_fhir(found.interaction):
        sentence = f"{method} {path[:200]!r} is no address that a Bundle can ask for"
        raise NotFound(sentence, expression=(f"Bundle.entry[{at}].request.url",), details_code="unknown-address")
    require_held(found)
    return found


def _is_fhir(interaction: str) -> bool:
    """Whether the answer can stand in a Bundle: a picture or a page cannot."""
    operation = operations.BY_NAME.get(interaction)
    return operation is None or operations.FHIR_JSON in operation.produces


def _body(resource: Any, interaction: str) -> tuple[str, Any]:
    """(media type, body): a Binary carries a JSON Patch in base64, as the specification has it."""
    if interaction == "patch" and isinstance(resource, dict) and resource.get("resourceType") == "Binary":
        return str(resource.get("contentType", "")), _decoded(resource.get("data"))
    return "application/fhir+json", resource


def _decoded(data: Any) -> Any:
    try:
        return json.decode(b64decode(str(data), validate=True))
    except (ValueError, json.JsonFault) as fault:
        raise BadRequest(
            f"The Binary's data is not a patch in base64: {fault}", details_code="patch-malformed"
        ) from fault


def _conditions(request: JsonObject) -> Conditions:
    since = request.get("ifModifiedSince")
    return Conditions(
        if_match=_tag(request.get("ifMatch")),
        if_none_match=_tag(request.get("ifNoneMatch")),
        if_modified_since=None if since is None else dates.interval(since).lo,
        if_none_exist=request.get("ifNoneExist"),
    )


def _tag(value: str | None) -> str | None:
    return None if value is None else value.removeprefix("W/").strip('"')


@contextmanager
def located(at: int) -> Iterator[None]:
    """Whatever is refused inside says that it is entry `at`'s fault."""
    try:
        yield
    except HearthError as refusal:
        locate(at, refusal)
        raise


def locate(at: int, refusal: HearthError) -> None:
    """Move the expressions of a refusal from the resource into entry `at` of the Bundle."""
    refusal.issues = tuple(placed(at, issue) for issue in refusal.issues)


def placed(at: int, issue: Issue) -> Issue:
    """The issue with its expressions inside of entry `at`."""
    where = f"Bundle.entry[{at}]"
    inside = tuple(text if text.startswith("Bundle.entry[") else _inside(where, text) for text in issue.expression)
    return replace(issue, expression=inside or (where,))


def _inside(where: str, text: str) -> str:
    """`Task.status` stands in the entry's resource, a parameter such as `Task?status` or `_count` in its request."""
    name, dot, rest = text.partition(".")
    if "?" in text or name.startswith("_"):
        return f"{where}.request"
    return f"{where}.resource.{rest}" if dot else f"{where}.resource"


def answered(kind: str, answers: Sequence[Answer]) -> Reply:
    """The Bundle of answers, and the records of those that left none in the store."""
    head = json.encode({"resourceType": "Bundle", "type": kind})
    parts = [_answer(answer) for answer in answers]
    content = head if not parts else head[:-1] + b',"entry":[' + b",".join(parts) + b"]}"
    audits = tuple(
        replies.record_of(answer.entry.call, answer.reply, answer.entry.query)
        for answer in answers
        if answer.entry is not None and not answer.reply.audited
    )
    return Reply(200, content, audited=True, audits=audits)


def _answer(answer: Answer) -> bytes:
    reply, content = answer.reply, answer.reply.content
    response: dict[str, Any] = {"status": f"{reply.status} {_REASONS.get(reply.status, '')}".strip()}
    if reply.location is not None:
        response["location"] = reply.location
    if reply.version is not None and reply.status != 204:
        response["etag"] = f'W/"{reply.version}"'
    if reply.updated is not None:
        response["lastModified"] = dates.instant(reply.updated)
    if answer.refusal is not None:
        response["outcome"] = outcome(answer.refusal.issues)
    if _is_outcome(answer):
        response["outcome"], content = json.decode(content or b""), None
    elif reply.notices:
        response["outcome"] = outcome(reply.notices)
    if content is None or (answer.entry is not None and answer.entry.method == "HEAD"):
        return b'{"response":' + json.encode(response) + b"}"
    return b'{"resource":' + content + b',"response":' + json.encode(response) + b"}"


def _is_outcome(answer: Answer) -> bool:
    """Whether the content says how a write went, as `Prefer: return=OperationOutcome` has it, and is no resource."""
    entry = answer.entry
    wanted = entry is not None and entry.call.prefer.returns == "OperationOutcome"
    return wanted and answer.reply.content is not None and answer.reply.location is not None
