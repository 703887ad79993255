"""One request to the homework API at work: it reads, lists and writes by the interactions of the FHIR API, under its Grant."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import BaseModel

from schemas import dates, ids, json
from schemas.homework.model import Notice, written
from service.audit import AuditRecord
from service.call import Call, Conditions, Reply
from service.errors import BadRequest, HearthError, NotFound, PreconditionRequired, Unprocessable
from service.homework_api import refusals
from service.index.subject import patient_of
from service.interactions.read import existing
from service.interactions.replies import record_of
from service.interactions.search import search_type
from service.interactions.table import INTERACTIONS
from service.interactions.transaction import transaction
from service.search.page import refusal
from service.settings import Settings
from service.store import Store, Stored

T = TypeVar("T")
JsonObject = dict[str, Any]
JSON: Final = "application/json"
_ATTEMPTS: Final = 4
_MOMENT: Final = "."
"""Parts the place in a list from the time that the list is about, in milliseconds to the base of 36."""
_PARTING: Final = re.compile(r"[\\$,|]")
_NAMES: Final = MappingProxyType(
    {
        "Patient": "client",
        "Group": "group",
        "ActivityDefinition": "activity",
        "Questionnaire": "form",
        "Task": "assignment",
        "QuestionnaireResponse": "answers",
        "Observation": "rating",
        "Goal": "goal",
    }
)
"""What the API calls the resources that its addresses name."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Write(NamedTuple):
    """One resource to be written: `version` is the one it replaces, None for a new one."""

    resource: JsonObject
    version: int | None = None
    url: str | None = None
    """Under which `urn:uuid:` others in the same request refer to it."""
    pointers: Mapping[str, str] = {}
    """By FHIRPath, where in the body of the request an element comes from."""


class Found(NamedTuple):
    """One page of a list; `included` are the resources that came along, by reference."""

    matches: list[JsonObject]
    included: Mapping[str, JsonObject]
    cursor: str | None


@dataclass(slots=True)
class Ask:
    """The request: `ids` are those of its address, `query` and `body` its models."""

    call: Call
    store: Store
    ids: Mapping[str, str]
    settings: Settings
    query: Any = None
    body: Any = None
    records: list[AuditRecord] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    """What was said beside what was written."""

    @property
    def now(self) -> str:
        """The time as FHIR writes it."""
        return dates.instant(self.call.now)

    @property
    def author(self) -> str | None:
        """Who speaks, as a reference; None where the app speaks for itself."""
        return self.call.grant.user

    @property
    def is_client(self) -> bool:
        """Whether a client asks, or who acts for one."""
        return self.call.grant.shape.is_client

    @property
    def base(self) -> str:
        """The address of the API."""
        return f"{self.call.base.removesuffix('/fhir')}/api/v1"

    def client(self, named: str | None, pointer: str) -> str:
        """Whose record it is about: who is named, else the client of the token. Raises BadRequest where neither says it."""
        found = named or self.call.grant.patient
        if found is None:
            raise BadRequest("Say whose it is", code="required", expression=(pointer,), details_code="missing-member")
        return found

    async def stored(self, type_name: str, resource_id: str, letter: str = "r") -> Stored:
        """The current version of a resource. Raises Forbidden, NotFound or Gone."""
        self.call.grant.require(letter, type_name)
        try:
            return await existing(self.store, type_name, resource_id, letter)
        except NotFound:
            raise absent(_NAMES[type_name], resource_id) from None

    async def resource(self, type_name: str, resource_id: str) -> JsonObject:
        """A resource, with the record that it was read. Raises Forbidden, NotFound or Gone."""
        return self._read(await self.stored(type_name, resource_id))

    async def seen(self, type_name: str, resource_id: str) -> JsonObject | None:
        """A resource that belongs to another, None where it is not there or not to be seen."""
        if not self.call.grant.permits("r", type_name):
            return None
        stored = await self.store.read(type_name, resource_id)
        return None if stored is None or stored.deleted else self._read(stored)

    def _read(self, stored: Stored) -> JsonObject:
        resource = self.store.resource(stored)
        patient = patient_of(stored.type, stored.id, resource, self.call.base)
        reply = Reply(200, version=stored.version, type=stored.type, id=stored.id, patient=patient)
        call = replace(self.call, interaction="read", type=stored.type, id=stored.id)
        self.records.append(record_of(call, reply, ""))
        return resource

    async def found(self, type_name: str, params: Sequence[tuple[str, str]]) -> Found:
        """What a search finds, with the record of it. Raises Forbidden or BadRequest."""
        call = replace(self.call, interaction="search-type", type=type_name, params=tuple(params))
        reply = await search_type(call, self.store)
        self.records.append(record_of(call, reply, urlencode(params)))
        bundle = json.decode(reply.content or b"")
        entries = bundle.get("entry", ())
        matches = [each["resource"] for each in entries if each["search"]["mode"] == "match"]
        others = (each["resource"] for each in entries if each["search"]["mode"] == "include")
        included = {f"{each['resourceType']}/{each['id']}": each for each in others}
        return Found(matches, included, _cursor(bundle["link"]))

    @property
    def moment(self) -> datetime:
        """The time that a list is about: that of its first page, which a cursor keeps, else now. Raises BadRequest."""
        if self.query.cursor is None:
            return self.call.now
        try:
            return datetime.fromtimestamp(int(self.query.cursor.partition(_MOMENT)[2], 36) / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            raise refusal() from None

    async def page(self, type_name: str, params: Sequence[tuple[str, str]]) -> Found:
        """The page of a list that the request's `cursor` and `limit` ask for."""
        asked = [*params, ("_count", str(self.query.limit))]
        if self.query.cursor is not None:
            asked.append(("_cursor", self.query.cursor.partition(_MOMENT)[0]))
        found = await self.found(type_name, asked)
        if found.cursor is None:
            return found
        return found._replace(cursor=f"{found.cursor}{_MOMENT}{_in_36(int(self.moment.timestamp() * 1000))}")

    async def one(self, type_name: str, params: Sequence[tuple[str, str]]) -> JsonObject | None:
        """The first resource that a search finds."""
        found = await self.found(type_name, (*params, ("_count", "1")))
        return found.matches[0] if found.matches else None

    async def write(self, writes: Sequence[Write]) -> list[JsonObject]:
        """Write resources, all or none, by the rules of every write; each as it is then. Raises HearthError."""
        call = replace(self.call, interaction="transaction", conditions=Conditions())
        entries = [_entry(each) for each in writes]
        try:
            reply = await transaction(call, self.store, entries, INTERACTIONS)
        except HearthError as refusal:
            refusals.point(refusal, [each.pointers for each in writes])
            raise
        self.records += reply.audits
        answered: list[JsonObject] = json.decode(reply.content or b"")["entry"]
        self.notices = [notice for each in answered for notice in _notices(each["response"])]
        return [each["resource"] for each in answered]

    def require_version(self) -> None:
        """Raise PreconditionRequired for a client who does not name the version that is changed."""
        if self.is_client and self.call.conditions.if_match is None:
            raise PreconditionRequired(
                'Send If-Match with the `version` that you read, such as W/"3": somebody else may have changed it meanwhile'
            )

    def require_current(self, resource: JsonObject) -> None:
        """Raise PreconditionFailed where the request names another version than this one."""
        named = self.call.conditions.if_match
        if named not in (None, "*", resource["meta"]["versionId"]):
            raise refusals.stale(int(resource["meta"]["versionId"]))

    async def change(
        self,
        type_name: str,
        resource_id: str,
        make: Callable[[JsonObject], Awaitable[list[Write]]],
        *,
        any_version: bool = False,
    ) -> list[JsonObject]:
        """Write what `make` makes of the current version; again when another request was faster, unless a version was named.

        With `any_version` a client need not name one either: what is asked for is right whatever it is.
        """
        if not any_version:
            self.require_version()
        named = self.call.conditions.if_match

        async def act() -> list[JsonObject]:
            resource = self.store.resource(await self.stored(type_name, resource_id))
            self.require_current(resource)
            return await self.write(await make(resource))

        return await (self.again(act) if named in (None, "*") else act())

    async def again(self, act: Callable[[], Awaitable[T]]) -> T:
        """What `act` gives; once more when another request changed meanwhile what it was made of."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await act()
            except HearthError as refusal:
                if refusal.issues[0].details_code not in ("version-stale", "changed-meanwhile"):
                    raise
        return await act()

    async def named(self, type_name: str, resource_id: str, pointer: str) -> JsonObject:
        """A resource that the body names. Raises Unprocessable where it is not there, or not to be seen."""
        self.call.grant.require("r", type_name)
        found = await self.seen(type_name, resource_id) if ids.is_legal(resource_id) else None
        if found is None:
            raise Unprocessable(
                f"There is no {_NAMES[type_name]} {resource_id[:64]!r} here",
                code="not-found",
                expression=(pointer,),
                details_code="unknown-object",
            )
        return found

    def reply(self, model: BaseModel, status: int = 200, *, of: JsonObject | None = None, at: str = "") -> Reply:
        """An object as the answer; `of` is the resource whose version is its ETag, `at` its address in the API."""
        patient = None if of is None else patient_of(of["resourceType"], of["id"], of, self.call.base)
        if self.notices and "notices" in type(model).model_fields:
            model = model.model_copy(update={"notices": tuple(self.notices)})
        return Reply(
            status,
            json.encode(written(model)),
            version=None if of is None else int(of["meta"]["versionId"]),
            updated=None if of is None else dates.interval(of["meta"]["lastUpdated"]).lo,
            location=f"{self.base}/{at}" if at else None,
            type=None if of is None else of["resourceType"],
            id=None if of is None else of["id"],
            patient=patient,
            media_type=JSON,
            audited=True,
            audits=tuple(self.records),
        )

    def listed(self, items: Sequence[BaseModel], cursor: str | None) -> Reply:
        """A page of a list as the answer, with the address of the next one."""
        body = {"items": [written(each) for each in items]} | ({"next": cursor} if cursor else {})
        headers = (("Link", f'<{self._next(cursor)}>; rel="next"'),) if cursor else ()
        return Reply(200, json.encode(body), headers=headers, media_type=JSON, audited=True, audits=tuple(self.records))

    def about(self, client: str | None, reply: Reply) -> Reply:
        """The answer of what is no interaction: its record says that it happened, and whose it is."""
        kind = None if client is None else "Patient"
        return replace(reply, type=kind, id=client, patient=client, audited=False, audits=tuple(self.records))

    def _next(self, cursor: str) -> str:
        kept = [each for each in self.call.params if each[0] != "cursor"]
        return f"{self.call.self_url}?{urlencode([*kept, ('cursor', cursor)])}"


def _cursor(links: Sequence[Mapping[str, str]]) -> str | None:
    following = next((each["url"] for each in links if each["relation"] == "next"), None)
    return None if following is None else parse_qs(urlsplit(following).query)["_cursor"][0]


def _in_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


def _entry(write: Write) -> JsonObject:
    resource = write.resource
    name = resource["resourceType"]
    entry: JsonObject = {"resource": resource}
    if write.url is not None:
        entry["fullUrl"] = write.url
    if write.version is None:
        return entry | {"request": {"method": "POST", "url": name}}
    request = {"method": "PUT", "url": f"{name}/{resource['id']}", "ifMatch": f'W/"{write.version}"'}
    return entry | {"request": request}


def _notices(response: JsonObject) -> list[Notice]:
    return [
        Notice(code=each["details"]["coding"][0]["code"], text=each["diagnostics"])
        for each in response.get("outcome", {}).get("issue", ())
    ]


def changed(resource: JsonObject, before: JsonObject, pointers: Mapping[str, str] | None = None) -> Write:
    """The write of a resource that was read as `before`."""
    return Write(resource, int(before["meta"]["versionId"]), None, pointers or {})


def escaped(text: str) -> str:
    """A text as the value of a search parameter, in which some characters part values."""
    return _PARTING.sub(r"\\\g<0>", text)


def absent(what: str, resource_id: str) -> NotFound:
    """The refusal of what is not there, or not to be seen."""
    return NotFound(f"There is no {what} {resource_id[:64]!r} here")
