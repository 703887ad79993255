"""A practice that uses the homework API: a therapist, her client, others, and the library."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from schemas import dates, library
from service.oauth import clients
from service.oauth.metadata import NewClient
from service.oauth.token import Access, mint

ORIGIN: Final = "http://hearth.test"
CLIENT: Final = "patient/*.cruds"
USER: Final = "user/*.cruds"
FORMS: Final = ("phq-9", "gad-7", "thought-record", "exposure-record")


FRIENDS: Final = ("ada", "ben", "cleo", "dan")
"""Who is in the Tuesday group with Robin; all of them are Kim's."""


def seeded() -> list[dict[str, Any]]:
    """A few things of the library, which a test's tenant does not start with."""
    return [
        each
        for each in library.seed()
        if each["resourceType"] in ("ActivityDefinition", "Questionnaire")
        and each["url"].rpartition("/")[2] in (*FORMS, "graded-exposure", "slow-breathing")
    ]


@dataclass
class Practice:
    """The tenant, and who comes to it."""

    house: Any
    system: httpx.AsyncClient
    """A client of the FHIR API that may do everything."""
    opened: list[httpx.AsyncClient]

    async def put(self, *resources: dict[str, Any]) -> None:
        for each in resources:
            answer = await self.system.put(f"{each['resourceType']}/{each['id']}", json=each)
            assert answer.status_code in (200, 201), answer.text

    def at(self, token: str | None) -> httpx.AsyncClient:
        """A client of the homework API with this token; what it sends is JSON."""
        http: httpx.AsyncClient = self.house.client(token)
        http.base_url = f"{ORIGIN}/t/{self.house.name}/api/v1/"
        self.opened.append(http)
        return http

    async def person(self, user: str, scope: str, **access: Any) -> httpx.AsyncClient:
        """A client of the homework API that somebody uses."""
        now = dates.clock()
        made = Access("app", scope, now + timedelta(hours=1), fhir_user=user, **({"reach": "care-team"} | access))
        async with self.house.app.engine.database.connection(self.house.tenant_id) as connection:
            return self.at(await mint(connection, self.house.tenant_id, made, now))

    async def robin(self, scope: str = CLIENT) -> httpx.AsyncClient:
        """The client, in an app of their own."""
        return await self.person("Patient/robin", scope, patient="robin")

    async def kim(self, scope: str = USER) -> httpx.AsyncClient:
        """The therapist."""
        return await self.person("Practitioner/kim", scope)

    async def app(self, scope: str = "system/*.cruds") -> httpx.AsyncClient:
        """A backend of the practice's own."""
        return self.at(await self.house.token(scope))


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def team(client: str, practitioner: str) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "id": f"team-{client}",
        "status": "active",
        "subject": to(f"Patient/{client}"),
        "participant": [{"member": to(f"Practitioner/{practitioner}")}],
    }


def proposal(name: str, day: str) -> dict[str, Any]:
    """What a rule proposed for Robin on a day."""
    system = "https://hearth.health/fhir/CodeSystem"
    return {
        "resourceType": "Task",
        "id": name,
        "status": "requested",
        "intent": "proposal",
        "code": {
            "coding": [
                {"system": f"{system}/homework-activity-type", "code": "review-proposal"},
                {"system": f"{system}/proposal-kind", "code": "step-up"},
            ],
            "text": "The last three steps went well; a next one may be due",
        },
        "for": to("Patient/robin"),
        "owner": to("Practitioner/kim"),
        "focus": to("Task/ladder"),
        "authoredOn": f"{day}T08:00:00Z",
        "reasonCode": {"coding": [{"system": f"{system}/shaping-rule", "code": "suds-low"}]},
        "input": [{"type": {"text": "evidence"}, "valueReference": to("Task/step-3")}],
    }


@asynccontextmanager
async def opened(house: Any) -> AsyncIterator[Practice]:
    """Kim has Robin in care; Sam is somebody else's client."""
    async with house.client(await house.token()) as system:
        made = Practice(house, system, [])
        await made.put(
            *seeded(),
            {"resourceType": "Patient", "id": "robin", "name": [{"given": ["Robin"], "family": "Sample"}]},
            {"resourceType": "Patient", "id": "sam", "name": [{"given": ["Sam"], "family": "Other"}]},
            {
                "resourceType": "Group",
                "id": "tuesday",
                "type": "person",
                "actual": True,
                "active": True,
                "name": "Tuesday group",
                "member": [{"entity": to(f"Patient/{name}")} for name in ("robin", *FRIENDS)],
            },
            *({"resourceType": "Patient", "id": name} for name in FRIENDS),
            {"resourceType": "Practitioner", "id": "kim"},
            {"resourceType": "Practitioner", "id": "alex"},
        )
        await made.put(
            team("robin", "kim"), team("sam", "alex"), proposal("up", "2026-11-19"), proposal("again", "2026-11-20")
        )
        await made.put(*(team(name, "kim") for name in FRIENDS))
        yield made
        for each in made.opened:
            await each.aclose()


@pytest.fixture
async def practice(house: Any) -> AsyncIterator[Practice]:
    """A practice of the test's own."""
    async with opened(house) as made:
        yield made


@pytest.fixture(scope="session")
async def shared(new_house: Any) -> AsyncIterator[Practice]:
    """A practice that tests of refusals share: nothing is written in it."""
    async with opened(await new_house()) as made:
        yield made


@dataclass(frozen=True)
class Both:
    """A client and a therapist, whose practice other tests use too: each makes assignments of its own."""

    robin: httpx.AsyncClient
    kim: httpx.AsyncClient


@pytest.fixture(scope="session")
async def both(new_house: Any) -> AsyncIterator[Both]:
    async with opened(await new_house()) as made:
        yield Both(await made.robin(), await made.kim())


@pytest.fixture
async def app(practice: Practice) -> httpx.AsyncClient:
    """A backend that may do everything."""
    return await practice.app()


@pytest.fixture
async def robin(practice: Practice) -> httpx.AsyncClient:
    return await practice.robin()


@pytest.fixture
async def kim(practice: Practice) -> httpx.AsyncClient:
    return await practice.kim()


@pytest.fixture(scope="session")
def open_practice() -> Any:
    """Makes a practice of a tenant."""
    return opened


@pytest.fixture
async def stage_origin(practice: Practice) -> str:
    """An origin that an app of the practice is registered with."""
    new = NewClient("App", "patient/*.rs", "none", ("authorization_code",), ("https://app.example/callback",))
    async with practice.house.app.engine.database.connection(practice.house.tenant_id) as connection:
        await clients.register(connection, practice.house.tenant_id, new)
    return "https://app.example"
