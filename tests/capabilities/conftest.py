"""A practice with the whole library, and for each row a client of its own in it."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from schemas import library
from service import seed
from tests.capabilities.place import THERAPIST, Place, person_of, to


@pytest.fixture(scope="session")
async def practice(new_house: Any) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """The tenant with the library and its therapist, and who may do everything in it."""
    house = await new_house()
    async with house.app.engine.database.connection(house.tenant_id) as connection:
        await seed.records(connection, house.tenant_id, house.base, library.seed())
    async with house.client(await house.token()) as system:
        kim = {"resourceType": "Practitioner", "id": "kim", "name": [{"family": "Example", "given": ["Kim"]}]}
        assert (await system.put("Practitioner/kim", json=kim)).status_code == 201
        yield house, system


@pytest.fixture(scope="session")
async def kim(practice: tuple[Any, httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    """The therapist's app."""
    async with await person_of(practice[0], THERAPIST, "user/*.cruds") as http:
        yield http


@pytest.fixture
async def place(practice: tuple[Any, httpx.AsyncClient], kim: httpx.AsyncClient) -> AsyncIterator[Place]:
    """A new client of Kim's."""
    house, system = practice
    name = f"p{uuid4().hex[:12]}"
    robin = {"resourceType": "Patient", "id": name, "name": [{"family": "Sample", "given": ["Robin"]}]}
    team = {
        "resourceType": "CareTeam", "id": f"team-{name}", "status": "active", "subject": to(f"Patient/{name}"),
        "participant": [{"member": to(THERAPIST)}],
    }  # fmt: skip
    for each in (robin, team):
        assert (await system.put(f"{each['resourceType']}/{each['id']}", json=each)).status_code == 201
    async with await person_of(house, f"Patient/{name}", "patient/*.cruds", patient=name) as http:
        yield Place(house, system, name, kim, http)
