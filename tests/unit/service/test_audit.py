"""AuditEvents are complete, valid R4 and safe against what callers send."""

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from schemas import ids
from schemas.json import decode
from schemas.validate import validate
from service.audit import ACTIONS, EVENT_SYSTEM, EVENTS, AuditRecord, event, outcome_of

PATIENT = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c"


def record(interaction: str = "read", **changes: Any) -> AuditRecord:
    fields: dict[str, Any] = {
        "tenant_id": 7,
        "client_id": "app",
        "address": "192.0.2.1",
        "recorded": datetime(2026, 3, 1, 12, 30, 1, 50000, tzinfo=UTC),
        "outcome": 0,
        "type": "Task",
        "id": "t1",
        "version": 3,
        "query": None,
        "request_id": "r1",
        "patient": PATIENT,
    }
    return event(interaction, **{**fields, **changes})


def content(audit: AuditRecord) -> dict[str, Any]:
    resource: dict[str, Any] = decode(audit.content)
    AuditEvent.model_validate(resource)
    assert validate(resource) == []
    return resource


@pytest.mark.parametrize("interaction", ACTIONS)
def test_each_interaction_makes_a_valid_audit_event(interaction: str) -> None:
    resource = content(record(interaction))
    assert resource["subtype"][0]["code"] == interaction
    assert resource["action"] == ACTIONS[interaction]


@pytest.mark.parametrize("kind", EVENTS)
def test_each_other_event_makes_a_valid_audit_event(kind: str) -> None:
    resource = content(record(kind, type=None, id=None, version=None, patient=None, description='said "so"'))
    assert resource["subtype"] == [{"system": EVENT_SYSTEM, "code": kind}]
    assert resource["type"]["system"] == "http://dicom.nema.org/resources/ontology/DCM"
    assert resource["outcomeDesc"] == 'said "so"'
    assert resource["action"] == EVENTS[kind][0]


def test_says_who_did_what_to_which_version_and_when() -> None:
    audit = record()
    resource = content(audit)
    assert resource["id"] == str(audit.id)
    assert resource["meta"] == {"versionId": "1", "lastUpdated": "2026-03-01T12:30:01.050Z"}
    assert resource["recorded"] == "2026-03-01T12:30:01.050Z"
    assert resource["agent"][0]["who"]["identifier"]["value"] == "app"
    assert resource["agent"][0]["network"] == {"address": "192.0.2.1", "type": "2"}
    assert [entity["what"] for entity in resource["entity"]] == [
        {"reference": "Task/t1/_history/3"},
        {"reference": f"Patient/{PATIENT}"},
        {"identifier": {"value": "r1"}},
    ]
    assert (audit.patient, audit.entity) == (ids.key(7, "Patient", PATIENT), ("Task", "t1"))


def test_a_search_keeps_its_query_in_base64() -> None:
    resource = content(record("search-type", id=None, version=None, query="patient=p&status=requested", patient=None))
    assert b64decode(resource["entity"][0]["query"]) == b"Task?patient=p&status=requested"


def test_a_refused_create_names_the_type() -> None:
    resource = content(record("create", id=None, version=None, patient=None, outcome=4))
    assert resource["entity"][0]["what"] == {"type": "Task"}
    assert resource["outcome"] == "4"


def test_a_patient_is_named_once() -> None:
    resource = content(record(type="Patient", id=PATIENT))
    assert len(resource["entity"]) == 2


def test_an_unknown_address_is_left_out() -> None:
    assert "network" not in content(record(address=None))["agent"][0]


def test_what_callers_send_cannot_break_the_json() -> None:
    evil = 'x","action":"D\\'
    resource = content(record(client_id=evil, request_id=evil, address=evil))
    assert resource["action"] == "R"
    assert resource["agent"][0]["who"]["identifier"]["value"] == evil
    assert resource["entity"][-1]["what"]["identifier"]["value"] == evil


@pytest.mark.parametrize(("type", "id"), [("Task", "not legal!"), ("Spaceship", "1"), ("x y", None)])
def test_an_address_that_no_resource_can_have_is_kept_as_it_was_asked_for(type: str, id: str | None) -> None:
    audit = record(type=type, id=id, version=None, patient=None, outcome=4)
    assert content(audit)["entity"][0]["what"]["identifier"]["value"] == (type if id is None else f"{type}/{id}")
    assert audit.entity is None


def test_an_event_about_nothing_has_no_entity() -> None:
    audit = record("history-system", type=None, id=None, version=None, patient=None, request_id="")
    assert "entity" not in content(audit)


@pytest.mark.parametrize(("status", "outcome"), [(200, 0), (304, 0), (403, 4), (422, 4), (500, 8), (503, 12)])
def test_the_outcome_follows_from_the_status(status: int, outcome: int) -> None:
    assert outcome_of(status) == outcome
