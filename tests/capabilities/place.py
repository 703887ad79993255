"""One client of a practice that has the whole library, who comes with what for them, and how a row asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from schemas import dates
from schemas.library import BASE, seed_id
from service import tenants
from service.jobs.schedule import TICKS
from service.oauth.token import Access, mint

Json = dict[str, Any]
ORIGIN: Final = "http://hearth.test"
MEASURE: Final = f"{BASE}/CodeSystem/homework-measure"
ACTIVITY: Final = f"{BASE}/CodeSystem/homework-activity-type"
THERAPIST: Final = "Practitioner/kim"


def to(reference: str) -> Json:
    return {"reference": reference}


def library_id(name: str, version: str = "1.0.0", kind: str = "ActivityDefinition") -> str:
    """The id under which the library has something."""
    return seed_id(f"{BASE}/{kind}/{name}|{version}")


def day(ahead: int = 0) -> str:
    """A day so many days from now."""
    return (dates.clock() + timedelta(days=ahead)).date().isoformat()


def code_of(element: Json) -> str:
    """The first code of a CodeableConcept."""
    return str(element["coding"][0]["code"])


async def got(http: httpx.AsyncClient, address: str, **parameters: Any) -> Json:
    """What an address answers, which has to be there."""
    answer = await http.get(address, params=parameters or None)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def sent(http: httpx.AsyncClient, address: str, body: Json | None = None, status: int = 201) -> Json:
    """What comes of posting `body`; about what exists it is said that no version in particular is meant."""
    answer = await http.post(address, json=body or {}, headers={} if status == 201 else {"If-Match": "*"})
    assert answer.status_code == status, answer.text
    made: Json = answer.json()
    return made


async def found(http: httpx.AsyncClient, query: str) -> list[Json]:
    """The resources that a search finds."""
    return [each["resource"] for each in (await got(http, query)).get("entry", ())]


@dataclass
class Place:
    """One client of the practice, known to one test only, and who comes with what for them."""

    house: Any
    system: httpx.AsyncClient
    """FHIR, and may do everything."""
    patient: str
    """The client's id."""
    therapist: httpx.AsyncClient
    """FHIR, with a token of the therapist's."""
    client: httpx.AsyncClient
    """FHIR, with a token of the client's own app."""

    @property
    def subject(self) -> str:
        return f"Patient/{self.patient}"

    def api(self, who: str = "therapist") -> httpx.AsyncClient:
        """The homework API for `therapist`, `client` or `system`."""
        return self.at(getattr(self, who))

    def at(self, http: httpx.AsyncClient) -> httpx.AsyncClient:
        """The homework API with the token of an HTTP client of FHIR."""
        token = http.headers["Authorization"].removeprefix("Bearer ")
        other: httpx.AsyncClient = self.house.client(token)
        other.base_url = httpx.URL(f"{ORIGIN}/t/{self.house.name}/api/v1/")
        return other

    async def person(self, user: str, scope: str = "patient/*.cruds", **access: Any) -> httpx.AsyncClient:
        """FHIR, with a token of one more person's, such as `RelatedPerson/mum`."""
        return await person_of(self.house, user, scope, **({"patient": self.patient} | access))

    async def put(self, *resources: Json) -> None:
        """Resources with ids, written as they are."""
        for each in resources:
            answer = await self.system.put(f"{each['resourceType']}/{each['id']}", json=each)
            assert answer.status_code in (200, 201), answer.text

    async def given(self, **body: Any) -> Json:
        """Homework that the therapist gives by the homework API."""
        return await sent(self.api(), "assignments", {"client": self.patient} | body)

    async def act(self, assignment: Json, verb: str, who: str = "client", **body: Any) -> Json:
        """The assignment after somebody did something with it: `start`, `complete`, `decline`, ..."""
        return await sent(self.api(who), f"assignments/{assignment['id']}/{verb}", body, 200)

    async def answered(self, assignment: Json, answers: Json, **more: Any) -> Json:
        """What the client answers to the assignment's form, all at once."""
        body = {"answers": answers, "submit": True} | more
        return await sent(self.api("client"), f"assignments/{assignment['id']}/answers", body)

    @contextmanager
    def clock(self, now: datetime) -> Iterator[None]:
        """The server's time is `now`."""
        engine = self.house.app.engine
        kept, engine.clock = engine.clock, lambda: now
        try:
            yield
        finally:
            engine.clock = kept

    async def tick(self, name: str, now: datetime) -> None:
        """What the server does at intervals (service/jobs/schedule.py), at `now`."""
        engine = self.house.app.engine
        async with engine.database.connection(0) as connection:
            tenant = next(t for t in await tenants.registered(connection) if t.id == self.house.tenant_id)
        await next(run for each, _, run in TICKS if each == name)(engine, tenant, now)


async def person_of(house: Any, user: str, scope: str, **access: Any) -> httpx.AsyncClient:
    """FHIR, with a token of `user`'s."""
    now = dates.clock()
    made = Access("app", scope, now + timedelta(hours=1), fhir_user=user, **({"reach": "care-team"} | access))
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        http: httpx.AsyncClient = house.client(await mint(connection, house.tenant_id, made, now))
    return http
