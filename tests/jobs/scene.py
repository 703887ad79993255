"""A tenant with clients who have homework, and an engine whose mail and webhooks go to servers of the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import httpx
from pydantic import SecretStr

from schemas import dates, json
from service import tenants
from service.call import Call, Reply
from service.engine import ACT, Engine, Request
from service.jobs.table import JOBS
from service.oauth.token import Access, mint
from service.store import Store

T = TypeVar("T")
TIMEZONE: Final = "http://hl7.org/fhir/StructureDefinition/timezone"
NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
ALL: Final = "system/*.cruds"


class Scene:
    """One tenant. `api` may do everything in it; `engine` knows the time that the test says."""

    def __init__(self, house: Any, engine: Engine, tenant: tenants.Tenant, api: httpx.AsyncClient) -> None:
        self.house, self.engine, self.tenant, self.api = house, engine, tenant, api

    async def put(self, resource: dict[str, Any]) -> str:
        """Write a resource under the id in it; the reference to it."""
        reference = f"{resource['resourceType']}/{resource['id']}"
        answer = await self.api.put(reference, json=resource)
        assert answer.status_code in (200, 201), answer.text
        return reference

    async def client(self, name: str = "ann", zone: str = "UTC") -> str:
        return await self.put(
            {"resourceType": "Patient", "id": name, "extension": [{"url": TIMEZONE, "valueCode": zone}]}
        )

    async def task(self, name: str = "walk", patient: str = "ann", **members: Any) -> str:
        """An assignment from eight in the morning to six in the evening of 2 March 2026."""
        period = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T18:00:00Z"}
        body = {
            "resourceType": "Task", "id": name, "status": "ready", "intent": "order", "code": {"text": "Walk the dogs"},
            "for": {"reference": f"Patient/{patient}"}, "owner": {"reference": f"Patient/{patient}"},
            "restriction": {"period": period},
        }  # fmt: skip
        return await self.put(body | members)

    async def token(self, scope: str = ALL, user: str | None = None, **access: Any) -> str:
        """A token of the client `app`, or of a person who uses it."""
        now = dates.clock()
        made = Access("app", scope, now + HOUR, fhir_user=user, **({"reach": "care-team"} | access))
        async with self.engine.database.connection(self.tenant.id) as connection:
            return await mint(connection, self.tenant.id, made, now)

    async def act(self, token: str, do: Callable[[Call, Store], Awaitable[T]]) -> T:
        """What a request with this token does."""
        found: list[T] = []

        async def act(call: Call, store: Store) -> Reply:
            found.append(await do(call, store))
            return Reply(200)

        await self.engine.answer(Request(self.tenant.name, self.house.base, ACT, "POST", token=token), act)
        return found[0]

    async def work(self, now: datetime) -> list[str]:
        """Do the jobs of this tenant that are due, as a worker would, until none is; their names."""
        done = []
        while True:
            async with self.engine.database.connection(0) as connection:
                row = await connection.fetchrow(
                    "delete from pgqueuer where id = (select id from pgqueuer where execute_after <= $2 and entrypoint"
                    " not like 'tick.%' and convert_from(payload, 'UTF8')::json ->> 'tenant' = $1 order by id limit 1)"
                    " returning entrypoint, payload",
                    str(self.tenant.id),
                    now,
                )
            if row is None:
                return done
            await JOBS[row["entrypoint"]](self.engine, json.decode(row["payload"]), now)
            done.append(row["entrypoint"])

    async def waiting(self) -> list[datetime]:
        """When the jobs of this tenant that wait are due."""
        async with self.engine.database.connection(0) as connection:
            rows = await connection.fetch(
                "select execute_after from pgqueuer where entrypoint not like 'tick.%'"
                " and convert_from(payload, 'UTF8')::json ->> 'tenant' = $1 order by 1",
                str(self.tenant.id),
            )
        return [row[0] for row in rows]

    async def found(self, query: str) -> list[dict[str, Any]]:
        """What a search finds."""
        answer = await self.api.get(query)
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", [])]


@asynccontextmanager
async def scene(house: Any, api: httpx.AsyncClient, **settings: Any) -> AsyncIterator[Scene]:
    """The scene in a test's own tenant, with these settings."""
    if "smtp_url" in settings:
        settings = settings | {"smtp_url": SecretStr(settings["smtp_url"]), "smtp_from": "care@hearth.test"}
    known = house.app.engine.settings
    engine = Engine(known.model_copy(update={"allow_loopback_webhooks": True} | settings), known.database_url)
    await engine.spool.start()
    async with engine.database.connection(0) as connection:
        tenant = await tenants.get(connection, house.tenant_id)
    try:
        yield Scene(house, engine, tenant, api)
    finally:
        await engine.spool.stop()
        await engine.database.close()
