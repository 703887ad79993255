"""The Store: the only reader and writer of resource rows, for one request on one connection."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import asyncpg

from schemas import dates, ids, json
from schemas.outcome import Issue
from schemas.registry import REGISTRY
from service import circle, labels, links, statements
from service.audit import AuditRecord
from service.content import Codec, written
from service.database import Connection
from service.errors import Conflict, Forbidden, NotFound
from service.grant import UPSERT, Grant
from service.index import audit as audit_index
from service.index import rows
from service.redaction import redacted
from service.search.binder import Binder
from service.search.page import Pages
from service.search.visible import predicate, predicates

JsonObject = dict[str, Any]
_GROUP: Final = REGISTRY.types["Group"].id
_BLANK: Final = rows.IndexRow()
_CHUNK: Final = 32


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource as it lies in the store; `content` is packed, None when this version is a deletion."""

    type: str
    key: uuid.UUID
    version: int
    updated: datetime
    deleted: bool
    enc: int
    content: bytes | None
    fid: str | None

    @property
    def id(self) -> str:
        """The id as the client wrote it."""
        return self.fid or str(self.key)


@dataclass(frozen=True, slots=True)
class Change:
    """One version to be written: created where `before` is None, deleted where `resource` is None."""

    type: str
    id: str
    key: uuid.UUID
    version: int
    updated: datetime
    resource: JsonObject | None
    content: bytes | None
    before: Stored | None = None
    by_service: bool = False
    """Whether it follows from a rule of ours; then the caller's Grant does not limit it."""
    by_update: bool = False
    """Whether it was asked for by the address of the resource, so that it may create one under it."""
    notices: tuple[Issue, ...] = ()
    """What a rule has to say of it to the caller, besides that it was written."""

    @property
    def letter(self) -> str:
        """The letter of cruds this needs, or UPSERT."""
        if self.resource is None:
            return "d"
        if self.by_update and (self.before is None or self.before.deleted):
            return UPSERT
        return "c" if self.before is None else "u"


class Version(NamedTuple):
    """A place in the history of many resources, which is ordered by these, newest first."""

    updated: datetime
    type_id: int
    key: uuid.UUID
    version: int


class Span(NamedTuple):
    """Which versions: written from `since` on and before `before`, with `alive` only those that nothing had replaced then."""

    since: datetime
    before: datetime
    alive: datetime | None = None


class Kept(NamedTuple):
    """A version in the history, and whether it made the resource, for the first time or after a deletion."""

    stored: Stored
    created: bool


class VersionConflict(Exception):
    """Somebody else changed the resource between our reading and our writing it."""

    def __init__(self, type_name: str, resource_id: str) -> None:
        super().__init__(f"{type_name}/{resource_id} was changed by another request at the same time")
        self.type, self.id = type_name, resource_id


class IdTaken(Conflict):
    """Somebody else created the resource first."""


class Store:
    """Reads and writes of one tenant under one Grant."""

    def __init__(
        self, connection: Connection, tenant_id: int, base: str, grant: Grant, codec: Codec, pages: Pages
    ) -> None:
        self.connection = connection
        self.tenant_id = tenant_id
        self.base = base
        self.grant = grant
        self.codec = codec
        self.pages = pages
        self._nested = False
        self._taken: set[tuple[str, str]] = set()
        own = grant.patient is not None and circle.CONSENT not in grant.shape.circles
        self._members = frozenset((self.key("Patient", str(grant.patient)),)) if own else frozenset[uuid.UUID]()

    @property
    def in_transaction(self) -> bool:
        """Whether what is written now is undone when something after it fails."""
        return self._nested

    def key(self, type_name: str, resource_id: str) -> uuid.UUID:
        """The storage key of a resource of this tenant."""
        return ids.key(self.tenant_id, type_name, resource_id)

    def json(self, stored: Stored) -> bytes:
        """The bytes of a version that is not a deletion, as this Grant may see them."""
        assert stored.content is not None
        return self.unpack(REGISTRY.types[stored.type].id, stored.enc, stored.content)

    def unpack(self, type_id: int, enc: int, content: bytes) -> bytes:
        """The bytes of a resource of that type, as this Grant may see them."""
        raw = self.codec.unpack(enc, content)
        if type_id != _GROUP or not self.grant.shape.is_client:
            return raw
        return redacted(raw, self._members, self._keyed)

    async def learn_members(self) -> None:
        """Find out whose membership in a Group the caller may see, where the Grant does not say it itself."""
        if self.grant.shape.is_client and circle.CONSENT in self.grant.shape.circles and self.grant.shows("Group"):
            binder = Binder([self.tenant_id])
            sql = circle.consenting(binder.bind)
            found = await self.connection.fetch(sql, *self.grant.values(binder.values, self.tenant_id))
            self._members = frozenset(row["id"] for row in found)

    def current(self, stored: Stored) -> JsonObject | None:
        """The parsed JSON of the version that a change is made of, None where that is a deletion."""
        return None if stored.deleted else self.resource(stored)

    def resource(self, stored: Stored) -> JsonObject:
        """The parsed JSON of a version that is not a deletion."""
        parsed: JsonObject = json.parse(self.json(stored))
        return parsed

    def _visible(self, letter: str, type_name: str, binder: Binder, alias: str = "r", *, written: bool = False) -> str:
        return predicate(self.grant, letter, type_name, self.tenant_id, alias, binder.values, written=written)

    async def read(self, type_name: str, resource_id: str, letter: str = "r") -> Stored | None:
        """The current version, None when there is none that this Grant may see."""
        binder = Binder([self.tenant_id, self.key(type_name, resource_id)])
        sql = statements.read(type_name, self._visible(letter, type_name, binder))
        found = await self.connection.fetchrow(sql, *binder.values)
        return None if found is None else Stored(type_name, binder.values[1], *found)

    async def require_free(self, type_name: str, resource_id: str) -> None:
        """Refuse when a resource of this id exists beyond what the Grant may update: it cannot be created again.

        Where only labels hide anything nothing is asked before an insert has failed: most ids are new.
        """
        if self.in_transaction or self.grant.limits("u", type_name) != () or (type_name, resource_id) in self._taken:
            sql = statements.read(type_name)
            found = await self.connection.fetchrow(sql, self.tenant_id, self.key(type_name, resource_id))
            # One that may be updated now was created a moment ago: the insert will tell.
            if found is not None and await self.read(type_name, resource_id, "u") is None:
                raise await self.denial(type_name, resource_id, "u")

    async def denial(self, type_name: str, resource_id: str, letter: str) -> NotFound | Forbidden:
        """Why there is nothing to do `letter` on: what may not be read is not there, anything else is not allowed."""
        if letter != "r" and await self.read(type_name, resource_id) is not None:
            return Forbidden(f"The access token's scope allows no '{letter}' on {type_name}/{resource_id}")
        return NotFound(f"There is no {type_name}/{resource_id} here")

    async def hold(self, type_name: str, resource_id: str, version: int) -> None:
        """Keep the current version current until the transaction ends. Raises VersionConflict when it no longer is."""
        sql = statements.hold(type_name)
        if await self.connection.fetchval(sql, self.tenant_id, self.key(type_name, resource_id)) != version:
            raise VersionConflict(type_name, resource_id)

    async def vread(self, type_name: str, resource_id: str, version: int) -> Stored | None:
        """One version, None when there is none that this Grant may see."""
        binder = Binder([self.tenant_id, self.key(type_name, resource_id), version])
        sql = statements.vread(type_name, self._visible("r", type_name, binder))
        found = await self.connection.fetchrow(sql, *binder.values)
        return None if found is None else Stored(type_name, binder.values[1], *found)

    async def versions(self, type_name: str, resource_id: str, span: Span, below: int, limit: int) -> list[Kept]:
        """Versions within the span and numbered below `below`, newest first."""
        key = self.key(type_name, resource_id)
        binder = Binder([self.tenant_id, key, span.since, span.before, below, limit])
        alive = "" if span.alive is None else binder.bind(span.alive)
        sql = statements.history(type_name, self._visible("r", type_name, binder), alive)
        return [
            Kept(Stored(type_name, key, *found), created)
            for *found, created in await self.connection.fetch(sql, *binder.values)
        ]

    async def changes(self, type_names: Sequence[str], span: Span, start: Version | None, limit: int) -> list[Kept]:
        """Versions of all resources of these types within the span, newest first, behind `start`."""
        binder = Binder([self.tenant_id, span.since, span.before])
        alive = "" if span.alive is None else binder.bind(span.alive)
        place = None if start is None else tuple(map(binder.bind, start))
        names = tuple(type_names)
        seen = predicates(self.grant, "s", names, self.tenant_id, ("r", "n"), binder.values)
        arms = tuple(zip(names, seen, strict=True))
        sql = statements.changes(arms, place, binder.bind(limit), alive)
        return [
            Kept(Stored(REGISTRY.by_id[number].name, *found), created)
            for number, *found, created in await self.connection.fetch(sql, *binder.values)
        ]

    def change(
        self,
        type_name: str,
        resource_id: str,
        resource: JsonObject | None,
        now: datetime,
        before: Stored | None = None,
        *,
        by_service: bool = False,
        by_update: bool = False,
    ) -> Change:
        """The version that follows `before`; its id, versionId and lastUpdated are set, all else is as it was sent."""
        version = 1 if before is None else before.version + 1
        # lastUpdated never runs backwards within a resource, whatever the clocks of two workers say.
        updated = now if before is None or now > before.updated else before.updated
        content = None if resource is None else written(resource, resource_id, version, dates.instant(updated))
        key = self.key(type_name, resource_id)
        return Change(type_name, resource_id, key, version, updated, resource, content, before, by_service, by_update)

    def is_same(self, before: Stored, resource: JsonObject) -> bool:
        """Whether `resource` is, byte for byte, what the store already holds as the current version."""
        same = written(resource, before.id, before.version, dates.instant(before.updated))
        return not before.deleted and same == self.json(before)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All that happens inside commits together; inside another it joins it."""
        if self._nested:
            yield
            return
        self._nested = True
        try:
            async with self.connection.transaction():
                yield
        finally:
            self._nested = False

    async def commit(self, changes: Sequence[Change], audits: Sequence[AuditRecord]) -> None:
        """Write all changes and their audit, or none.

        Raises VersionConflict when a resource is no longer at the version it was read at, IdTaken when a new id is taken, and
        Forbidden when a row just written is not one that the Grant may write.
        """
        created = [change for change in changes if change.before is None]
        changed = [change for change in changes if change.before is not None]
        checked = [change for change in changes if self._is_constrained(change)]
        admitting = [change for change in changes if change.type in links.TYPES]
        one = len(changed) + bool(created) <= 1 and len(created) + len(audits) <= _CHUNK
        if one and not checked and not admitting:
            await self._write(created, changed, audits)
            return
        # Within another transaction a savepoint: who was too late plans anew, and nothing of the first plan may stay.
        async with self.connection.transaction() if self._nested and changed else self.transaction():
            await self._write(created, changed, audits)
            for change in admitting:
                await self._admit(change)
            for change in checked:
                await self._check(change)

    def _is_constrained(self, change: Change) -> bool:
        if change.resource is None or change.by_service:
            return False
        if self.grant.limits(change.letter, change.type) != ():
            return True
        return any(label in self.grant.hidden for label in labels.carried(change.resource))

    async def _admit(self, change: Change) -> None:
        """Keep the links of what was written: who is admitted to whose record by it."""
        kept = frozenset() if change.resource is None else links.links(change.resource, change.key, self._keyed)
        number = REGISTRY.types[change.type].id
        await self.connection.execute(links.KEEP, self.tenant_id, number, change.key, *links.columns(kept))

    async def _check(self, change: Change) -> None:
        binder = Binder([self.tenant_id, change.key])
        sql = statements.read(change.type, self._visible(change.letter, change.type, binder, written=True))
        if await self.connection.fetchrow(sql, *binder.values) is None:
            raise Forbidden(
                f"The access token's scope does not cover a {change.type} with this content",
                about=(change.type, change.id),
            )

    async def _write(self, created: list[Change], changed: list[Change], audits: Sequence[AuditRecord]) -> None:
        single = changed[0] if len(changed) == 1 and not created and len(audits) == 1 else None
        if single is not None:
            await self._change(single, audits[0])
            return
        await self._insert(created, audits)
        # In one order, so that two requests that change the same resources never wait for each other.
        for change in sorted(changed, key=lambda change: change.key):
            await self._change(change, None)

    async def _insert(self, created: list[Change], audits: Sequence[AuditRecord]) -> None:
        built = [self._row(change) for change in sorted(created, key=lambda change: change.key)] + [
            _audit_row(self.tenant_id, self.codec, record) for record in audits
        ]
        for start in range(0, len(built), _CHUNK):
            part = built[start : start + _CHUNK]
            side = any(row.strings or row.ranges for _, row in part)
            values: list[Any] = [value for head, row in part for value in (*head, *_index(row))]
            if side:
                values += _side(part)
            try:
                await self.connection.execute(statements.insert(len(part), side), *values)
            except asyncpg.UniqueViolationError as fault:
                taken = _taken(created, fault)
                self._taken |= {taken.about} if taken.about else set()
                raise taken from fault

    def _row(self, change: Change) -> tuple[tuple[Any, ...], rows.IndexRow]:
        assert change.content is not None
        assert change.resource is not None
        enc, packed = self.codec.pack(change.content)
        type_id = REGISTRY.types[change.type].id
        fid = None if ids.is_uuid(change.id) else change.id
        head = (self.tenant_id, type_id, change.key, change.version, change.updated, fid, enc, packed)
        target = rows.Target(self.tenant_id, self.base, change.type, change.key)
        return head, rows.build(change.resource, target)

    def _keyed(self, written: str) -> tuple[str, uuid.UUID] | None:
        """(type, key) of a reference to a resource here."""
        found = rows.resident(self.tenant_id, self.base, written) if written else None
        return None if found is None else (found[0], found[2])

    def _tombstone(self, before: Stored) -> rows.IndexRow:
        """Of a deletion nothing can be found; what hid the resource hides its history."""
        if b'"security"' not in (content := self.json(before)) and before.type != "Task":
            return _BLANK
        hiding = labels.carried(json.parse(content))
        return replace(_BLANK, flt=[labels.token(self.tenant_id, label) for label in hiding])

    async def _change(self, change: Change, audit: AuditRecord | None) -> None:
        before = change.before
        assert before is not None
        if change.resource is None:
            enc, packed, row = 0, None, self._tombstone(before)
        else:
            head, row = self._row(change)
            enc, packed = head[6], head[7]
        side = _has_side_rows(change.type)
        values: list[Any] = [self.tenant_id, change.key, before.version, change.updated, enc, packed, *_index(row)]
        if side:
            values += _side([((self.tenant_id, REGISTRY.types[change.type].id, change.key), row)])
        if audit is not None:
            head, audit_row = _audit_row(self.tenant_id, self.codec, audit)
            values += [*head, *_index(audit_row)]
        binder = Binder(values)
        # A tombstone has no tokens that a constraint could match; who may write here is checked on the new row.
        free = before.deleted or change.by_service
        seen = "true" if free else self._visible(change.letter, change.type, binder)
        sql = statements.change(change.type, side, audit is not None, seen)
        if await self.connection.fetchval(sql, *binder.values) is None:
            raise VersionConflict(change.type, change.id)


def _taken(created: Sequence[Change], fault: asyncpg.UniqueViolationError) -> IdTaken:
    """The detail of the violation names the key of the resource that was there first."""
    first = next((each for each in created if str(each.key) in (fault.detail or "")), created[0])
    return IdTaken(
        f"{first.type}/{first.id} was created by another request at the same time",
        about=(first.type, first.id),
        details_code="changed-meanwhile",
        retry_after=1,
    )


def _index(row: rows.IndexRow) -> tuple[Any, ...]:
    return (
        row.d0, row.d1, row.d2, row.k1, row.k2, row.ident, row.present, row.patient,
        row.sel, row.flt, row.ref, row.refk, row.words,
    )  # fmt: skip


def _side(built: Sequence[tuple[tuple[Any, ...], rows.IndexRow]]) -> list[list[Any]]:
    strings: list[list[Any]] = [[] for _ in range(6)]
    ranges: list[list[Any]] = [[] for _ in range(6)]
    for head, row in built:
        for arrays, found in ((strings, row.strings), (ranges, row.ranges)):
            for param, one, two, codes in found:
                cells = (head[1], param, head[2], one, two, "{" + ",".join(map(str, codes)) + "}")
                for array, cell in zip(arrays, cells, strict=True):
                    array.append(cell)
    return strings + ranges


@lru_cache(maxsize=256)
def _has_side_rows(type_name: str) -> bool:
    """Whether resources of the type can have string or range rows."""
    kinds = {param.kind for param in REGISTRY.types[type_name].search.values()}
    return bool(kinds & {"string", "uri", "number", "quantity", "date"})


async def ship(connection: Connection, codec: Codec, records: Sequence[AuditRecord]) -> None:
    """Write audit records, of any tenants, in one transaction; those that are there already are left as they are."""
    async with connection.transaction():
        by_tenant: dict[int, list[AuditRecord]] = {}
        for record in records:
            by_tenant.setdefault(record.tenant_id, []).append(record)
        for tenant_id, own in by_tenant.items():
            for start in range(0, len(own), _CHUNK):
                built = [_audit_row(tenant_id, codec, record) for record in own[start : start + _CHUNK]]
                values: list[Any] = [value for head, row in built for value in (*head, *_index(row))]
                await connection.execute(statements.insert(len(built), True, again=True), *values, *_side(built))


def _audit_row(tenant_id: int, codec: Codec, record: AuditRecord) -> tuple[tuple[Any, ...], rows.IndexRow]:
    enc, packed = codec.pack(record.content)
    head = (tenant_id, REGISTRY.types["AuditEvent"].id, record.id, 1, record.recorded, None, enc, packed)
    return head, audit_index.build(record)
