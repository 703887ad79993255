"""Events of the authorization server: who by which client, and never what somebody sent in the place of an id."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import json
from schemas.validate import validate
from service import audit
from service.oauth.events import event

ID = "0190a1b2-c3d4-4e5f-8a9b-0c1d2e3f4a5c"


def made(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "tenant_id": 7, "client_id": ID, "address": "192.0.2.1", "outcome": audit.SUCCESS, "request_id": "r1",
        "now": datetime(2026, 3, 1, 12, tzinfo=UTC),
    }  # fmt: skip
    resource: dict[str, Any] = json.decode(event("token-issued", **(fields | changes)).content)
    assert validate(resource) == []
    return resource


def clients_of(resource: dict[str, Any]) -> list[str]:
    return [each["who"]["identifier"]["value"] for each in resource["agent"] if "identifier" in each["who"]]


@pytest.mark.parametrize("sent", [None, "", "Zx8_q-1secret", "a" * 43, "a\0b", "ä", "x" * 5000, "two words", f"{ID}x"])
def test_what_is_no_id_of_ours_is_not_kept(sent: str | None) -> None:
    assert clients_of(made(client_id=sent)) == ["unknown"]


@pytest.mark.parametrize("sent", [ID, "invitation"])
def test_an_id_is(sent: str) -> None:
    assert clients_of(made(client_id=sent)) == [sent]


def test_names_the_person_and_the_patient_that_they_are() -> None:
    told = made(fhir_user="Patient/p1", description="said 'so'")
    assert any(each["who"].get("reference") == "Patient/p1" for each in told["agent"])
    assert any(each["what"].get("reference") == "Patient/p1" for each in told["entity"])
    assert told["outcomeDesc"] == "said 'so'"
    told = made(fhir_user="Practitioner/dr")
    assert any(each["who"].get("reference") == "Practitioner/dr" for each in told["agent"])
    assert not any("reference" in each["what"] for each in told["entity"])


def test_names_the_person_to_whom_something_is_done_as_what_it_is_about() -> None:
    told = made(about="Patient/p1")
    assert not any("reference" in each["who"] for each in told["agent"])
    assert [each["what"]["reference"] for each in told["entity"] if "reference" in each["what"]] == ["Patient/p1"]
