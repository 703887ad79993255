"""Conditional read: If-None-Match and If-Modified-Since. https://hl7.org/fhir/R4/http.html#cread"""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx
import pytest


@pytest.fixture
async def patient(api: httpx.AsyncClient) -> httpx.Response:
    """`Patient/p` at version 2."""
    await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "active": False})
    return await api.put("Patient/p", json={"resourceType": "Patient", "id": "p", "active": True})


async def test_refuses_a_date_that_is_none(api: httpx.AsyncClient, patient: httpx.Response) -> None:
    answer = await api.get("Patient/p", headers={"If-Modified-Since": "yesterday"})
    assert answer.status_code == 400
    assert "If-Modified-Since" in answer.json()["issue"][0]["diagnostics"]


async def test_refuses_a_tag_that_is_no_version(api: httpx.AsyncClient, patient: httpx.Response) -> None:
    assert (await api.get("Patient/p", headers={"If-None-Match": 'W/"1", W/"2"'})).status_code == 400


@pytest.mark.parametrize("tag", ['W/"2"', '"2"', "2", "*"])
async def test_says_not_modified_for_the_version_the_caller_has(
    api: httpx.AsyncClient, patient: httpx.Response, tag: str
) -> None:
    answer = await api.get("Patient/p", headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == 'W/"2"'
    assert "content-type" not in answer.headers


async def test_sends_the_resource_when_the_caller_has_an_older_one(
    api: httpx.AsyncClient, patient: httpx.Response
) -> None:
    answer = await api.get("Patient/p", headers={"If-None-Match": 'W/"1"'})
    assert answer.status_code == 200
    assert answer.json()["active"] is True


async def test_says_not_modified_since_its_own_last_modified(api: httpx.AsyncClient, patient: httpx.Response) -> None:
    answer = await api.get("Patient/p", headers={"If-Modified-Since": patient.headers["last-modified"]})
    assert answer.status_code == 304


async def test_sends_what_changed_after_the_date(api: httpx.AsyncClient, patient: httpx.Response) -> None:
    before = parsedate_to_datetime(patient.headers["last-modified"]) - timedelta(seconds=1)
    answer = await api.get("Patient/p", headers={"If-Modified-Since": format_datetime(before, usegmt=True)})
    assert answer.status_code == 200


async def test_if_none_match_decides_over_if_modified_since(api: httpx.AsyncClient, patient: httpx.Response) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    answer = await api.get("Patient/p", headers={"If-None-Match": 'W/"1"', "If-Modified-Since": later})
    assert answer.status_code == 200


async def test_a_deleted_resource_is_gone_whatever_the_caller_has(
    api: httpx.AsyncClient, patient: httpx.Response
) -> None:
    await api.delete("Patient/p")
    assert (await api.get("Patient/p", headers={"If-None-Match": 'W/"2"'})).status_code == 410


async def test_a_version_can_be_read_conditionally(api: httpx.AsyncClient, patient: httpx.Response) -> None:
    answer = await api.get("Patient/p/_history/1", headers={"If-None-Match": 'W/"1"'})
    assert answer.status_code == 304
