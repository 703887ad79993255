"""Reminders and calendar links by the homework API. Docs: docs/homework-api.md"""

from typing import Any

import httpx
import pytest


@pytest.mark.parametrize(("spoken", "expected"), [("es-MX", "es"), ("de", "de"), ("fi", "en")])
async def test_reminders_and_calendars_speak_the_clients_language(
    practice: Any, robin: httpx.AsyncClient, spoken: str, expected: str
) -> None:
    patient = (await practice.system.get("Patient/robin")).json()
    language = {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": spoken}]}, "preferred": True}
    await practice.put(patient | {"communication": [language]})
    link = (await robin.post("clients/robin/calendar-links", json={})).json()
    assert link["language"] == expected
    link = (await robin.post("clients/robin/calendar-links", json={"language": "nl"})).json()
    assert link["language"] == "nl"
    kept = (await robin.put("clients/robin/reminders", json={"email": "robin@example.org"})).json()
    assert kept["language"] == expected
