"""Whose records a person may go to: a client's own, a practitioner's patients', those who consented."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.security.circles import Clinic, found


@pytest.fixture
async def clinic(house: Any, api: httpx.AsyncClient) -> AsyncIterator[Clinic]:
    made = Clinic(house, api)
    await made.furnish()
    yield made
    await made.close()


async def test_clients_see_their_own_record(clinic: Clinic) -> None:
    for scope in ("patient/*.rs", "user/*.rs"):
        ann = await clinic.as_person("Patient/ann", scope, patient="ann")
        assert await found(ann, "Observation") == ["Observation/obs-ann"]
        assert await found(ann, "Patient") == ["Patient/ann"]
        assert (await ann.get("Observation/obs-ann")).status_code == 200
        assert (await ann.get("Observation/obs-ben")).status_code == 404


async def test_practitioners_see_whom_they_care_for(clinic: Clinic) -> None:
    thera = await clinic.as_person("Practitioner/thera", "user/*.rs")
    assert await found(thera, "Observation") == ["Observation/obs-ann"]
    assert (await thera.get("Observation/obs-ann")).status_code == 200
    assert (await thera.get("Observation/obs-ben")).status_code == 404
    other = await clinic.as_person("Practitioner/other", "user/*.rs")
    assert await found(other, "Observation") == []
