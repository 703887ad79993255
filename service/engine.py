"""The engine: everything between HTTP and the store. One request is one connection, one Grant, one transaction."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urlencode

from schemas import dates, json
from service import break_the_glass, housekeeping, idempotency, tenants
from service import grant as grants
from service.audit import AuditRecord
from service.call import Call, Conditions, Prefer, Reply
from service.content import Codec
from service.database import Connection, Database
from service.errors import BadRequest, HearthError, Unauthorized
from service.grant import Grant
from service.homework.authority import SERVICE
from service.interactions.replies import concerned, record_of
from service.interactions.routes import Route, require_held
from service.interactions.table import INTERACTIONS, READING, Interaction
from service.oauth import dpop, secret
from service.oauth import token as oauth_token
from service.oauth.guard import Guarded, Remembered
from service.oauth.keys import Keys
from service.oauth.limits import Limits as RateLimits
from service.oauth.origins import Origins
from service.oauth.token import Access
from service.search.page import Pages
from service.search.parse import Limits
from service.settings import Settings
from service.spool import Spool
from service.store import Store, ship
from service.tenants import Tenant

_DICTIONARIES: Final = "select id, dict from content_dict"
_SHARED: Final = 0
"""Whose share of the connections is used for what belongs to no tenant."""


@dataclass(frozen=True, slots=True)
class Request:
    """A FHIR request as HTTP carried it, still without identity: headers parsed, body raw."""

    tenant: str
    base: str
    route: Route
    method: str
    params: tuple[tuple[str, str], ...] = ()
    query: str = ""
    body: bytes = b""
    media_type: str = ""
    scheme: str = ""
    """How the token was sent, in lower case: bearer or dpop."""
    token: str | None = None
    proof: str | None = None
    """The DPoP header."""
    purpose: str = ""
    """The X-Purpose-Of-Use header."""
    conditions: Conditions = field(default_factory=Conditions)
    prefer: Prefer = field(default_factory=Prefer)
    accept: str = "application/fhir+json"
    """The media type to answer in."""
    idempotency_key: str | None = None
    request_id: str = ""
    address: str | None = None
    self_url: str = ""

    @property
    def reading(self) -> bool:
        """Whether it changes nothing."""
        return self.route.interaction in READING or (self.route is ACT and self.method in ("GET", "HEAD"))


ACT: Final = Route("act")
"""The route of a request whose meaning is given along with it."""


class Engine:
    """What one worker process holds: connections, codec, cursor keys, audit spool."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self.settings = settings
        self.clock: Callable[[], datetime] = lambda: dates.clock()
        """What time it is; tests and simulations set it."""
        self.database = Database(
            database_url,
            size=settings.pool_max,
            share=settings.tenant_concurrency,
            statement_timeout_ms=settings.statement_timeout_ms,
        )
        self.pages = Pages(
            settings.secret(),
            limits=Limits(settings.page_count, settings.page_count_max),
            include_limit=settings.include_limit,
        )
        self.spool = Spool(settings.audit_spool_dir, self._ship)
        self.keys = Keys(settings.secret())
        self.limits = RateLimits(settings)
        self.origins = Origins(self.database)
        self._codec: Codec | None = None
        self._tenants: dict[str, int] = {}
        self._remembered = Remembered()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to ship audit records and to sweep; a database that is away is no reason not to start."""
        await self.spool.start()
        self._sweeper = asyncio.create_task(housekeeping.run(self.database), name="housekeeping")

    async def stop(self) -> None:
        """Ship what was audited, then let go of the database."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        await self.spool.stop()
        await self.database.close()

    async def tenant_id(self, name: str) -> int:
        """The number of the tenant. Raises NotFound."""
        known = self._tenants.get(name)
        if known is None:
            async with self.database.connection(_SHARED) as connection:
                known = self._tenants[name] = (await tenants.find(connection, name)).id
        return known

    def knows(self, name: str) -> bool:
        """Whether the name is that of a tenant some request came to already."""
        return name in self._tenants

    async def answer(self, request: Request, act: Interaction | None = None) -> Reply:
        """Carry out the request under the token it came with, and keep the record of it. Raises HearthError.

        `act` is what to do where the route is ACT and does not say it.
        """
        now = self.clock()
        tenant_id = await self.tenant_id(request.tenant)
        call: Call | None = None
        try:
            async with self.database.connection(tenant_id) as connection:
                access, reader = await self._admitted(connection, tenant_id, request, now)
                call = _call(request, tenant_id, grants.of(access, tenant_id), now)
                codec = self._codec or await self._load(connection)
                try:
                    require_held(request.route)
                    if break_the_glass.is_asked(request.purpose):
                        call = replace(call, grant=break_the_glass.opened(access, tenant_id, request.reading))
                    if request.body:
                        call = replace(call, body=_parsed(request.body))
                    # A guarded connection has what reading interactions use of one.
                    store = Store(cast("Connection", reader), tenant_id, request.base, call.grant, codec, self.pages)
                    if _may_show_groups(call):
                        await store.learn_members()
                    reply = await _perform(call, store, request, act)
                except HearthError:
                    await _prove(reader)
                    raise
                await _prove(reader)
                if break_the_glass.is_due(call, reply):
                    notifier = break_the_glass.NOTIFIER
                    own = Store(connection, tenant_id, request.base, notifier, codec, self.pages)
                    await break_the_glass.notify(call, own, concerned(call, reply))
        except HearthError as refusal:
            if call is not None:
                self.spool.append(record_of(call, Reply(refusal.status), request.query))
            raise
        for record in reply.audits:
            self.spool.append(record)
        if not reply.audited:
            self.spool.append(record_of(call, reply, request.query))
        return reply

    async def carry_out(self, call: Call) -> Reply:
        """Carry out a call of the server's own making, under the Grant in it and with its record. Raises HearthError."""
        async with self.database.connection(call.tenant_id) as connection:
            codec = self._codec or await self._load(connection)
            store = Store(connection, call.tenant_id, call.base, call.grant, codec, self.pages)
            reply = await INTERACTIONS[call.interaction](call, store)
        self.spool.append(record_of(call, reply, urlencode(call.params)))
        return reply

    @asynccontextmanager
    async def at_work(self, tenant: Tenant, now: datetime) -> AsyncIterator[tuple[Call, Store]]:
        """A Call and a Store for the service's own work in a tenant, outside of any request."""
        base = f"{self.settings.base_url}{'' if tenant.name == tenants.DEFAULT else f'/t/{tenant.name}'}/fhir"
        async with self.database.connection(tenant.id) as connection:
            codec = self._codec or await self._load(connection)
            call = Call(tenant.id, base, SERVICE, "operation", now)
            yield call, Store(connection, tenant.id, base, SERVICE, codec, self.pages)

    async def _admitted(
        self, connection: Connection, tenant_id: int, request: Request, now: datetime
    ) -> tuple[Access, "Connection | Guarded"]:
        """What the request's token stands for, and what its statements run on. Raises Unauthorized."""
        if request.token is None:
            raise Unauthorized(headers=[("WWW-Authenticate", 'Bearer realm="hearth"')])
        digest = secret.digest(request.token)
        known = self._remembered.get(tenant_id, digest) if request.reading else None
        access = known or await oauth_token.find(connection, tenant_id, digest, now)
        if access is None:
            raise oauth_token.refused()
        if access.jkt is not None or request.scheme == "dpop":
            await dpop.require(
                connection, tenant_id, access.jkt, scheme=request.scheme, proof=request.proof, token=request.token,
                method=request.method, url=request.self_url, now=now,
            )  # fmt: skip
        self._remembered.keep(tenant_id, digest, access)
        reader = connection if known is None else Guarded(connection, tenant_id, digest, now)
        return access, reader

    async def _load(self, connection: Connection) -> Codec:
        self._codec = Codec({row["id"]: row["dict"] for row in await connection.fetch(_DICTIONARIES)})
        return self._codec

    async def _ship(self, records: Sequence[AuditRecord]) -> None:
        async with self.database.connection(_SHARED) as connection:
            codec = self._codec or await self._load(connection)
            await ship(connection, codec, records)


def _may_show_groups(call: Call) -> bool:
    """Whether the answer may have a Group in it: one of a type that is not said yet, or one that is included."""
    included = any(name.startswith(("_include", "_revinclude")) for name, _ in call.params)
    return included or call.type in (None, "Group")


async def _prove(reader: "Connection | Guarded") -> None:
    """Where no statement has proven the token yet: a revoked one learns nothing, not even what is wrong with its request."""
    if isinstance(reader, Guarded):
        await reader.prove()


async def _perform(call: Call, store: Store, request: Request, given: Interaction | None) -> Reply:
    act = given or INTERACTIONS[call.interaction]
    if request.idempotency_key is None or request.method != "POST":
        return await act(call, store)
    return await idempotency.once(call, store, request.idempotency_key, request.body, act)


def _call(request: Request, tenant_id: int, grant: Grant, now: datetime) -> Call:
    route = request.route
    return Call(
        tenant_id,
        request.base,
        grant,
        route.interaction,
        now,
        type=route.type,
        id=route.id,
        version=route.version,
        operation=route.operation,
        compartment=route.compartment,
        params=request.params,
        media_type=request.media_type,
        conditions=request.conditions,
        prefer=request.prefer,
        accept=request.accept,
        request_id=request.request_id,
        address=request.address,
        self_url=request.self_url,
    )


def _parsed(body: bytes) -> Any:
    try:
        return json.decode(body)
    except json.JsonFault as fault:
        raise BadRequest(fault.message, code="structure", details_code="json-malformed") from fault
